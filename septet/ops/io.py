"""Ops that reach outside the graph: printing, checking, calling Python."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, GradientError, NonFiniteError, ShapeError, UserFunctionError
from septet.base.shapes import Shape, as_shape
from septet.base.text import type_text
from septet.graph.graph import Graph
from septet.graph.node import Node, symbol
from septet.graph.op import REQUIRED, BadCase, Case, Op, SizeInputs, card, items, record
from septet.graph.types import TensorType, tensor_type
from septet.ops.control import record_scan
from septet.ops.shaping import broadcast_to, sizes_of

Array = np.ndarray


class _Shown:
    """An array in a format string: ``{:.3f}`` applies to each element."""

    def __init__(self, value: Any) -> None:
        self.value = np.asarray(value)

    def __format__(self, spec: str) -> str:
        if self.value.ndim == 0:
            return format(self.value.item() if spec else self.value[()], spec)
        if not spec:
            return np.array2string(self.value, separator=", ")
        return np.array2string(self.value, separator=", ", formatter={"all": lambda item: format(item, spec)})

    __str__ = __repr__ = lambda self: format(self, "")


def fill(text: str, values: Sequence[Any]) -> str:
    """Put values into a format string.

    Raises
    ------
    ArgumentError
        If the string does not fit the values.
    """
    try:
        return text.format(*[_Shown(value) for value in values])
    except (IndexError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ArgumentError(
            f"the text {text!r} does not fit {len(values)} values: {error}",
            hint="each {} takes the next value, {:.3f} formats it, and {{ stands for a brace",
        ) from None


def _check_text(text: Any, types: Sequence[TensorType]) -> None:
    if not isinstance(text, str):
        raise ArgumentError(f"a text to format is expected, got {text!r}")
    fill(text, [np.zeros((), type_.dtype) for type_ in types])


def _first(x: Any, *_others: Any, **_: Any) -> Any:
    return x


def _all_dtypes(*given: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    return given, given[0]


def _first_gradient(g: Node, y: Node, *inputs: Node, **_: Any) -> list[Node | None]:
    return [g, *[None] * (len(inputs) - 1)]


def _batched_first(is_batched: Sequence[bool], inputs: Sequence[Node]) -> tuple[Node, ...]:
    """Give the first input, whose shape is the result's, the batch axis."""
    if is_batched[0]:
        return tuple(inputs)
    size = next(sizes_of(node)[0] for node, mark in zip(inputs, is_batched, strict=True) if mark)
    return broadcast_to(inputs[0], (size, *sizes_of(inputs[0]))), *inputs[1:]


# print_value


def _print_canonical(types: tuple[TensorType, ...], text: Any) -> dict[str, Any]:
    _check_text(text, types)
    return {"text": text}


def _print_reference(x: Array, *more: Array, text: str) -> Array:
    sys.stdout.write(fill(text, [x, *more]))
    sys.stdout.flush()
    return x


print_value: Op = card(
    "print_value", "x *more", params={"text": "{}\n"}, effect=True, immediate=True, public=False,
    summary="Print when it is computed, and return the first input.",
    param_docs={"text": "A format string with one field for each input, and its own line ends."},
    notes="In `vmap` the whole batch is printed at once.",
    canonical=_print_canonical, shape=_first, dtype=_all_dtypes, reference=_print_reference,
    gradient=_first_gradient, tangent=lambda t, y, *inputs, **_: t[0],
    batch=lambda is_batched, *inputs, text: record(print_value, _batched_first(is_batched, inputs), (text,)),
    cases=[Case((3,)), Case((2, 0)), Case((), (3,), text="{} and {}\n")],
    bad=[BadCase((3,), text="{} {}", error=ArgumentError, match="does not fit 1 values"),
         BadCase((3,), text="{:q}", error=ArgumentError, match="does not fit")],
)  # fmt: skip


# check

_CLASSES: dict[str, Any] = {"condition": UserFunctionError, "finite": NonFiniteError}


def _check_canonical(types: tuple[TensorType, ...], message: Any, kind: Any) -> dict[str, Any]:
    if kind not in _CLASSES:
        raise ArgumentError(f"kind is one of {', '.join(map(repr, _CLASSES))}, got {kind!r}")
    _check_text(message, types[2:])
    return {"message": message, "kind": kind}


def _check_reference(x: Array, condition: Array, *values: Array, message: str, kind: str) -> Array:
    bad = ~condition.astype(bool)
    if bad.any():
        text = fill(message, values)
        if values and "{" not in message.replace("{{", ""):
            text += ": " + ", ".join(str(_Shown(value)) for value in values)
        if bad.ndim:
            index = tuple(int(i) for i in np.argwhere(bad)[0])
            text += f" (at {int(bad.sum())} of {bad.size} elements, first at index {index})"
        raise _CLASSES[kind](text)
    return x


def _check_dtype(x: DType, condition: DType, *values: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    return (x, dtypes.bool_, *values), x


def _check_batch(is_batched: Sequence[bool], *inputs: Node, message: str, kind: str) -> Node:
    return record(check, _batched_first(is_batched, inputs), (message, kind))


check = card(
    "check", "x condition *values", params={"message": REQUIRED, "kind": "condition"}, effect=True, immediate=True,
    public=False, summary="Raise an error when a condition does not hold everywhere, and return the first input.",
    param_docs={
        "message": "What the error says: a format string with fields for the values.",
        "kind": '"condition" raises UserFunctionError, "finite" raises NonFiniteError.',
    },
    notes="In `vmap` one example that fails is enough.",
    canonical=_check_canonical, shape=_first, dtype=_check_dtype, reference=_check_reference, gradient=_first_gradient,
    tangent=lambda t, y, *inputs, **_: t[0], batch=_check_batch,
    cases=[Case((3,), np.True_, message="fine"), Case((3,), np.ones(3, bool), (), message="{} is fine")],
    bad=[BadCase((3,), np.True_, message="{}", error=ArgumentError, match="does not fit 0 values"),
         BadCase((3,), np.True_, message="x", kind="odd", error=ArgumentError, match="kind is one of")],
)  # fmt: skip


# callback


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def as_type(result: Any) -> TensorType:
    """Return the type that a declared result stands for: a type, a pair (dtype, shape), or anything with dtype and
    shape.

    Raises
    ------
    ArgumentError
        If it is none of these.
    """
    if isinstance(result, TensorType):
        return result
    if isinstance(result, tuple) and len(result) == 2:
        return tensor_type(dtypes.as_dtype(result[0]), as_shape(result[1]))
    if hasattr(result, "dtype") and hasattr(result, "shape"):
        return tensor_type(dtypes.as_dtype(result.dtype), as_shape(result.shape))
    raise ArgumentError(
        f"a result is declared by dtype and shape, got {result!r}", hint='("float32", (3,)), or a tensor of that type'
    )


class _Results(SizeInputs):
    """Sizes in the types of results: the parameter `sized` says which."""

    def count(self, words: dict[str, Any]) -> int:
        return len(words["sized"])

    def filled(self, words: dict[str, Any], sizes: Sequence[int]) -> dict[str, Any]:
        shapes = [list(type_.shape) for type_ in words["results"]]
        for (number, axis), size in zip(words["sized"], sizes, strict=True):
            shapes[number][axis] = size
        types = [tensor_type(own.dtype, tuple(s)) for own, s in zip(words["results"], shapes, strict=True)]
        return {**words, "results": tuple(types), "sized": ()}


_RESULTS = _Results("results")


def _callback_canonical(
    types: tuple[TensorType, ...], function: Any, results: Any, pullback: Any, vectorized: Any, sized: Any
) -> dict[str, Any]:
    if not callable(function):
        raise ArgumentError(f"function must be a Python function, got {function!r}")
    if pullback is not None and not callable(pullback):
        raise ArgumentError(f"the gradient must be a function or None, got {pullback!r}")
    declared = tuple([as_type(result) for result in results])
    places = tuple([(int(number), int(axis)) for number, axis in sized])
    if len(places) > len(types) or any([declared[number].shape[axis] is not None for number, axis in places]):
        raise ArgumentError(f"sizes {places} are none of the open sizes of the results {declared!r}")
    return {
        "function": function, "results": declared, "pullback": pullback, "vectorized": bool(vectorized),
        "sized": places,
    }  # fmt: skip


def _callback_reference(
    *arrays: Array, function: Callable[..., Any], results: Sequence[TensorType], pullback: Any, vectorized: bool,
    sized: Sequence[tuple[int, int]],
) -> list[Array]:  # fmt: skip
    name = _name(function)
    if sized:
        words = _RESULTS.filled({"results": results, "sized": sized}, [int(size) for size in arrays[-len(sized) :]])
        results = words["results"]
        arrays = arrays[: -len(sized)]
    try:
        found = function(*arrays)
    except Exception as error:
        raise UserFunctionError(f"the function {name} raised {type(error).__name__}: {error}") from error
    if not results and found is None:
        return []
    values = list(found) if isinstance(found, (tuple, list)) and len(results) != 1 else [found]
    if len(values) != len(results):
        raise UserFunctionError(f"the function {name} returned {len(values)} results, {len(results)} were declared")
    return [
        _as_declared(value, type_, index, name)
        for index, (value, type_) in enumerate(zip(values, results, strict=True))
    ]


def _as_declared(value: Any, type_: TensorType, index: int, name: str) -> Array:
    """Check one result; Python numbers and lists take the declared dtype, arrays must have it."""
    try:
        array = np.asarray(value) if hasattr(value, "dtype") else np.asarray(value, type_.dtype)
    except (TypeError, ValueError) as error:
        raise UserFunctionError(f"result {index} of the function {name} is no array: {error}") from error
    fits = len(array.shape) == type_.ndim and all(w in (None, s) for w, s in zip(type_.shape, array.shape, strict=True))
    if array.dtype != type_.dtype or not fits:
        raise UserFunctionError(f"result {index} of the function {name} is {type_text(array)}, declared was {type_!r}")
    return np.array(array)


def _callback_shape(*given: Shape, results: Sequence[TensorType], **_: Any) -> tuple[Shape, ...]:
    return tuple(type_.shape for type_ in results)


def _callback_dtype(
    *given: DType, results: Sequence[TensorType], **_: Any
) -> tuple[tuple[DType, ...], tuple[DType, ...]]:
    return given, tuple(type_.dtype for type_ in results)


def _callback_gradient(
    g: Any, y: Any, *inputs: Node, function: Any, pullback: Any, sized: Sequence[tuple[int, int]], **_: Any
) -> list[Node | None]:
    inputs, sizes = inputs[: len(inputs) - len(sized)], inputs[len(inputs) - len(sized) :]
    if pullback is None:
        raise GradientError(
            f"the Python function {_name(function)} has no gradient: none was given to callback",
            hint="st.callback(fn, result, *args, gradient=...), or detach its arguments",
        )
    found = list(pullback(g, y, *inputs))
    if len(found) != len(inputs):
        raise UserFunctionError(
            f"the gradient of {_name(function)} returned {len(found)} cotangents for {len(inputs)} arguments"
        )
    for index, (cotangent, node) in enumerate(zip(found, inputs, strict=True)):
        if cotangent is not None and cotangent.dtype != node.dtype:
            raise UserFunctionError(
                f"the gradient of {_name(function)} is {cotangent.type!r} for argument {index}, which is {node.type!r}"
            )
        if cotangent is not None and cotangent.ndim != node.ndim:
            raise ShapeError(
                f"the gradient of {_name(function)} is {cotangent.type!r} for argument {index}, which is {node.type!r}"
            )
    return [*found, *[None] * len(sizes)]


def _callback_batch(op: Callable[[], Op]) -> Any:
    """The batching rule: one call for the whole batch if the function can do that, else one for each example."""

    def rule(
        is_batched: Sequence[bool], *inputs: Node, function: Any, results: Sequence[TensorType], pullback: Any,
        vectorized: bool, sized: Sequence[tuple[int, int]],
    ) -> tuple[Node, ...]:  # fmt: skip
        count = len(inputs) - len(sized)
        if any(is_batched[count:]):
            raise ArgumentError("callback: sizes cannot differ within a batch")
        if vectorized:
            size = next(sizes_of(node)[0] for node, mark in zip(inputs, is_batched, strict=True) if mark)
            static = None if isinstance(size, Node) else size
            given = [
                node if mark or number >= count else broadcast_to(node, (size, *sizes_of(node)))
                for number, (node, mark) in enumerate(zip(inputs, is_batched, strict=True))
            ]
            types = tuple([tensor_type(type_.dtype, (static, *type_.shape)) for type_ in results])
            further = tuple([(number, axis + 1) for number, axis in sized])
            return items(record(op(), tuple(given), (function, types, pullback, True, further)))
        marks = list(is_batched)
        own = [
            symbol(tensor_type(node.dtype, node.shape[1:]) if mark else node.tensor_type)
            for node, mark in zip(inputs, marks, strict=True)
        ]
        called = record(op(), tuple(own), (function, results, pullback, False, sized))
        first = [node for node, mark in zip(own, marks, strict=True) if mark]
        second = [node for node, mark in zip(own, marks, strict=True) if not mark]
        body = Graph([*first, *second], items(called), name=_name(function))
        stacks = [node for node, mark in zip(inputs, marks, strict=True) if mark]
        fixed = [node for node, mark in zip(inputs, marks, strict=True) if not mark]
        return record_scan([], stacks, fixed, body, None, False)

    return rule


def _half(x: Array) -> Array:
    """The Python function of the cases."""
    return x * np.asarray(0.5, x.dtype)


_FLOAT3 = tensor_type(dtypes.float64, (3,))
_CALLBACK: dict[str, Any] = {
    "inputs": "*arguments",
    "params": {"function": REQUIRED, "results": REQUIRED, "pullback": None, "vectorized": False, "sized": ()},
    "param_docs": {
        "function": "Takes arrays (read-only) and returns the declared results; its errors are chained.",
        "results": "Dtype and shape of each result.",
        "pullback": "From cotangents, results and inputs (nodes) to a cotangent or None for each input.",
        "vectorized": "Whether the function accepts one more axis in front of all arguments, and returns it (for "
        "`vmap`).",
        "sized": "The open sizes (result, axis) that the last arguments give; the function does not take these.",
    },
    "sizes": _RESULTS, "public": False, "canonical": _callback_canonical, "shape": _callback_shape,
    "dtype": _callback_dtype, "reference": _callback_reference, "gradient": _callback_gradient,
    "cases": [Case((3,), function=_half, results=(_FLOAT3,), pullback=lambda g, y, x: (g[0] * 0.5,))],
    "bad": [BadCase((3,), function=_half, results=(3,), error=ArgumentError, match="declared by dtype and shape"),
            BadCase((3,), function=3, results=(_FLOAT3,), error=ArgumentError, match="must be a Python function")],
}  # fmt: skip

callback: Op = card(
    "callback", summary="Call a Python function that does nothing but compute its results.",
    notes="It may be called once, never or more than once; see `effect_callback` for functions with effects.",
    batch=_callback_batch(lambda: callback), **_CALLBACK,
)  # fmt: skip

effect_callback: Op = card(
    "effect_callback", summary="Call a Python function for what it does: once for each run, in the order of the "
    "program.",
    effect=True, immediate=True, batch=_callback_batch(lambda: effect_callback), **_CALLBACK,
)  # fmt: skip
