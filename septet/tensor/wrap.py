"""The bridge between handles and nodes: functions of nodes become functions of tensors."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import SCALARS
from septet.base.errors import (
    ArgumentError,
    DTypeError,
    IndexOutOfRangeError,
    NotSupportedError,
    SeptetError,
    ShapeError,
)
from septet.graph.node import Node, weak
from septet.graph.op import ELEMENTWISE, Op, as_node, explain_call, items, record
from septet.graph.types import TensorType
from septet.tensor.tensor import Tensor

_PLAIN = frozenset({type(None), bool, int, float, str})  # what has no tensor in it, and comes often


def unwrap(value: Any) -> Any:
    """Return the value with every tensor in it (in lists, tuples, dicts, slices) replaced by its node."""
    kind = type(value)
    if kind is Tensor:
        return value.node
    if kind in _PLAIN:
        return value
    if kind is tuple or kind is list:
        return kind([item.node if type(item) is Tensor else unwrap(item) for item in value])
    if isinstance(value, Tensor):
        return value.node
    if kind is dict:
        return {key: unwrap(item) for key, item in value.items()}
    if kind is slice:
        if type(value.start) in _PLAIN and type(value.stop) in _PLAIN and type(value.step) in _PLAIN:
            return value
        return slice(unwrap(value.start), unwrap(value.stop), unwrap(value.step))
    return value


def wrap(value: Any) -> Any:
    """Return the value with every node in it (in lists, tuples, named tuples, dicts) replaced by a tensor."""
    if type(value) is Node:
        if type(value.type) is TensorType:
            return Tensor(value)
        return tuple([Tensor(node) for node in items(value)])
    if isinstance(value, tuple):
        wrapped = [wrap(item) for item in value]
        return type(value)(*wrapped) if hasattr(value, "_fields") else tuple(wrapped)
    if type(value) is list:
        return [wrap(item) for item in value]
    if type(value) is dict:
        return {key: wrap(item) for key, item in value.items()}
    return value


# Every operation of define-by-run code passes one of the functions that are made below. Making a handle by
# `object.__new__` is 90 ns faster than calling the class, so it is written out there (benchmarks/recording.py).
_new: Any = object.__new__

RULES = (ShapeError, DTypeError, ArgumentError, IndexOutOfRangeError)
"""The errors that checks of arguments raise."""


def lift(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of tensors for a function of nodes."""

    @functools.wraps(call)
    def function(*args: Any, **words: Any) -> Any:
        try:
            nodes = [a.node if isinstance(a, Tensor) else unwrap(a) for a in args]
            if words:
                result = call(*nodes, **{name: unwrap(value) for name, value in words.items()})
            else:
                result = call(*nodes)
        except RULES as error:
            if not error.is_located:
                error.message = error.message.removeprefix(f"{call.__name__}: ")
                explain_values(error, call.__name__, named_arguments(call, args, words))
            raise
        if type(result) is not Node or type(result.type) is tuple:
            return wrap(result)
        handle = _new(Tensor)
        handle.node = result
        return handle

    return function


def explained(call: Callable[..., Any]) -> Callable[..., Any]:
    """Give what a function of tensors raises the whole report under its own name, also what an op inside it raises.

    For functions that record several ops which their users have not heard of. Names of inner functions in front of a
    message go; errors of values that were recorded elsewhere, and are computed now, stay as they are.
    """
    name = call.__name__ if call.__name__ != "__init__" else call.__qualname__.split(".")[-2]
    parameters = frozenset(inspect.signature(call).parameters)

    @functools.wraps(call)
    def function(*args: Any, **words: Any) -> Any:
        try:
            return call(*args, **words)
        except (*RULES, NotSupportedError) as error:
            if not error.is_located or error.inputs is not None:
                inner, _, rest = error.message.partition(": ")
                if inner.isidentifier() and inner not in parameters:
                    error.message = rest
                explain_values(error, name, named_arguments(call, args, words))
            raise

    return function


def named_arguments(call: Callable[..., Any], args: Sequence[Any], words: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the arguments of a call with the names of its parameters; the instance of a method is left out."""
    code = getattr(call, "__code__", None)
    if code is None:
        return [*((f"argument {n}", value) for n, value in enumerate(args)), *words.items()]
    positional = code.co_varnames[: code.co_argcount]
    variadic = code.co_varnames[code.co_argcount + code.co_kwonlyargcount :][:1]  # the name of *args
    named = [(name, value) for name, value in zip(positional, args, strict=False) if name != "self"]
    named += [(f"{''.join(variadic)}[{n}]", value) for n, value in enumerate(args[len(positional) :])]
    return [*named, *words.items()]


def explain_values(error: SeptetError, name: str, named: Iterable[tuple[str, Any]]) -> SeptetError:
    """Give an error about some values the whole report: tensors and arrays as arguments, what else there is as options.

    Parameters
    ----------
    error : SeptetError
        Its marks count tensors and arrays only; those of an op inside are moved to the argument that was the op's.
    name : str
        The function that the user called.
    named : iterable of (str, value)
        A list or tuple of tensors and arrays stands for its elements.
    """
    names: list[str] = []
    nodes: list[Node] = []
    params: dict[str, Any] = {}
    for own, value in named:
        is_sequence = isinstance(value, (list, tuple))
        parts = [(f"{own}[{n}]", part) for n, part in enumerate(value)] if is_sequence else [(own, value)]
        if parts and all(isinstance(part, (Tensor, np.ndarray)) and _has_numbers(part) for _, part in parts):
            names += [part_name for part_name, _ in parts]
            nodes += [as_node(unwrap(part)) for _, part in parts]
        else:
            params[own] = value
    inner = error.inputs
    if inner is not None:
        places = {node: position for position, node in enumerate(nodes)}
        given = [_given(node, places) for node in inner]
        error.marks = tuple((places[given[i]], axis) for i, axis in error.marks if given[i] in places)
    error.inputs = tuple(nodes)
    return explain_call(error, name, names, nodes, params)


def _given(node: Node, places: Mapping[Node, int]) -> Node:
    """Follow a node of one elementwise input, such as a conversion, back to an argument: their axes are the same."""
    while node not in places and isinstance(node.op, Op) and node.op.kind == ELEMENTWISE and len(node.inputs) == 1:
        (node,) = node.inputs
    return node


def _has_numbers(value: Tensor | np.ndarray) -> bool:
    """Tell whether a tensor can be made of a value: an array may hold texts."""
    return isinstance(value, Tensor) or value.dtype.newbyteorder("=") in dtypes.KIND


def unary(op: Op) -> Callable[[Tensor], Tensor]:
    """Return the fastest method for a card with one input and no parameters."""

    def method(self: Tensor) -> Tensor:
        handle = _new(Tensor)
        handle.node = record(op, (self.node,))
        return handle

    return method


def binary(op: Op) -> Callable[[Tensor, Any], Any]:
    """Return the fastest method for a card with two inputs and no parameters."""

    def method(self: Tensor, other: Any) -> Any:
        a = self.node
        if isinstance(other, Tensor):
            node = record(op, (a, other.node))
        elif type(other) in SCALARS:
            node = record(op, (a, weak(other, a.dtype)))
        elif not _is_operand(other):
            return NotImplemented
        else:
            node = op(a, other)
        handle = _new(Tensor)
        handle.node = node
        return handle

    return method


def binary_reversed(op: Op) -> Callable[[Tensor, Any], Any]:
    """Return the method for the reflected operator (``2 - x``)."""

    def method(self: Tensor, other: Any) -> Any:
        b = self.node
        if type(other) in SCALARS:
            node = record(op, (weak(other, b.dtype), b))
        elif not _is_operand(other):
            return NotImplemented
        else:
            node = op(unwrap(other), b)
        handle = _new(Tensor)
        handle.node = node
        return handle

    return method


def quick(op: Op, general: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of a card that takes the short way where it is given its inputs and nothing else.

    Parameters
    ----------
    op : Op
    general : callable
        What takes every other call (named inputs, parameters, arrays).
    """
    params = op.default_params

    def of_one(*args: Any, **words: Any) -> Any:
        if len(args) != 1 or words or not isinstance(args[0], Tensor):
            return general(*args, **words)
        node = record(op, (args[0].node,), params)
        if type(node.type) is tuple:
            return wrap(node)
        handle = _new(Tensor)
        handle.node = node
        return handle

    def of_two(*args: Any, **words: Any) -> Any:
        if len(args) != 2 or words or not isinstance(args[0], Tensor):
            return general(*args, **words)
        a = args[0].node
        b = args[1]
        if isinstance(b, Tensor):
            node = record(op, (a, b.node), params)
        elif type(b) in SCALARS:
            node = record(op, (a, weak(b, a.dtype)), params)
        else:
            return general(*args)
        if type(node.type) is tuple:
            return wrap(node)
        handle = _new(Tensor)
        handle.node = node
        return handle

    return {1: of_one, 2: of_two}.get(op.plain_count, general)


def _is_operand(value: Any) -> bool:
    """Tell whether an operator can take a value: arrays and nested lists, not strings or None."""
    return hasattr(value, "__array__") or isinstance(value, (list, tuple, Node)) or type(value) in SCALARS
