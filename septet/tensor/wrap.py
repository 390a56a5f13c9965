"""The bridge between handles and nodes: functions of nodes become functions of tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from septet.base.dtypes import SCALARS
from septet.base.errors import ArgumentError, DTypeError, IndexOutOfRangeError, SeptetError, ShapeError
from septet.graph.node import Node, weak
from septet.graph.op import Op, as_node, explain_call, items, record
from septet.graph.types import TensorType
from septet.tensor.tensor import Tensor


def unwrap(value: Any) -> Any:
    """Return the value with every tensor in it (in lists, tuples, dicts, slices) replaced by its node."""
    if isinstance(value, Tensor):
        return value.node
    kind = type(value)
    if kind is tuple or kind is list:
        return kind([unwrap(item) for item in value])
    if kind is dict:
        return {key: unwrap(item) for key, item in value.items()}
    if kind is slice:
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
        except (ShapeError, DTypeError, ArgumentError, IndexOutOfRangeError) as error:
            if not error.is_located:
                _locate(error, call, args, words)
            raise
        if type(result) is not Node or type(result.type) is tuple:
            return wrap(result)
        handle = _new(Tensor)
        handle.node = result
        return handle

    return function


def _locate(error: SeptetError, call: Callable[..., Any], args: tuple[Any, ...], words: dict[str, Any]) -> None:
    """Give an error that a function raised itself, not by an op inside, the whole report under the function's name."""
    code = call.__code__
    positional = code.co_varnames[: code.co_argcount]
    variadic = code.co_varnames[code.co_argcount + code.co_kwonlyargcount :][:1]  # the name of *args
    named = list(zip(positional, args, strict=False))
    named += [(f"{''.join(variadic)}[{n}]", value) for n, value in enumerate(args[len(positional) :])]
    names: list[str] = []
    nodes: list[Node] = []
    params: dict[str, Any] = {}
    for name, value in [*named, *words.items()]:
        is_sequence = isinstance(value, (list, tuple))
        parts = [(f"{name}[{n}]", part) for n, part in enumerate(value)] if is_sequence else [(name, value)]
        if parts and all(isinstance(part, (Tensor, np.ndarray)) for _, part in parts):
            names += [name for name, _ in parts]
            nodes += [as_node(unwrap(part)) for _, part in parts]
        else:
            params[name] = value
    error.message = error.message.removeprefix(f"{call.__name__}: ")
    explain_call(error, call.__name__, names, nodes, params)


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
