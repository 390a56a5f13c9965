"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import BOOL, FLOAT, INTEGER, DType
from septet.base.errors import ArgumentError, AxisError, DTypeError, ShapeError
from septet.base.shapes import Shape, check_axes, check_axis
from septet.graph.node import Node
from septet.graph.op import REDUCTION, BadCase, Case, Op, as_node, card, cast_to, function, ops, record
from septet.graph.types import TensorType
from septet.ops.rules import floating, keeping, real_floating
from septet.ops.shaping import broadcast_to, reshape, sizes_of

PARAMS: dict[str, Any] = {"axis": None, "keepdims": False}
PARAM_DOCS = {
    "axis": "Axis or axes to reduce; None for all.",
    "keepdims": "Whether the reduced axes stay, with size 1.",
}


def canonical_axes(types: tuple[TensorType, ...], axis: Any, keepdims: bool) -> dict[str, Any]:
    """Sort the axes and count them from the front."""
    return {"axis": check_axes(axis, types[0].ndim), "keepdims": bool(keepdims)}


def reduced_shape(x: Shape, axis: tuple[int, ...], keepdims: bool) -> Shape:
    """The shape rule of reductions."""
    if keepdims:
        return tuple(1 if i in axis else size for i, size in enumerate(x))
    return tuple(size for i, size in enumerate(x) if i not in axis)


def keep(g: Node, x: Node, axis: tuple[int, ...], keepdims: bool) -> Node:
    """Give something of the result's shape the reduced axes back, with size 1, so that it broadcasts with the input."""
    if keepdims or not axis:
        return g
    return reshape(g, tuple(1 if i in axis else size for i, size in enumerate(sizes_of(x))))


def expand(g: Node, x: Node, axis: tuple[int, ...], keepdims: bool) -> Node:
    """Bring something of the result's shape to rank and shape of the input."""
    return broadcast_to(keep(g, x, axis, keepdims), sizes_of(x))


def batch_reduction(op: Any) -> Any:
    """The batching rule of reductions: the same axes, one further to the right."""

    def rule(is_batched: Any, x: Node, axis: tuple[int, ...], keepdims: bool) -> Node:
        return op(x, axis=tuple(i + 1 for i in axis), keepdims=keepdims)

    return rule


def same_axes(name: str) -> Callable[..., Any]:
    """The batching rule of a reduction that is named, because its card is not made yet."""

    def rule(is_batched: Any, x: Node, axis: tuple[int, ...], keepdims: bool) -> Any:
        return batch_reduction(getattr(ops, name))(is_batched, x, axis, keepdims)

    return rule


def wide(x: np.ndarray) -> np.ndarray:
    """Convert the short floats to float32, in which NumPy computes them."""
    return x.astype(dtypes.accumulator_of(x.dtype), copy=False)


def conj(x: Node) -> Node:
    """Conjugate where that changes anything."""
    return ops.conj(x) if dtypes.is_complex(x.dtype) else x


def count_of(x: Node, axis: tuple[int, ...]) -> int | Node:
    """Return how many elements a reduction takes together; a node where a size is not known."""
    sizes = sizes_of(x)
    count: Any = 1
    for i in axis:
        count = sizes[i] * count
    return count


REDUCTION_CASES = [
    Case((3, 4)), Case((3, 4), axis=0), Case((3, 4), axis=-1, keepdims=True), Case((2, 3, 4), axis=(0, 2)), Case(()),
    Case((2, 3), axis=()), Case((0, 3), axis=1), Case((2, 1), axis=1),
]  # fmt: skip
EMPTY_CASES = [Case((0, 3), axis=0), Case((2, 0, 3), axis=(1, 2), keepdims=True)]
REDUCTION_BAD = [
    BadCase((3, 4), axis=2, error=AxisError, match="out of range"),
    BadCase((3, 4), axis=(0, 0), error=ArgumentError, match="twice"),
    BadCase((3, 4), axis=0.5, error=ArgumentError, match="must be an integer"),
]

# Sums, products, means


def sum_dtype(x: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    """Small integers are added and multiplied in the widest integer of their kind, as in NumPy."""
    if dtypes.KIND[x] == BOOL or x in dtypes.SIGNED:
        return (x,), dtypes.int64
    if x in dtypes.UNSIGNED:
        return (x,), dtypes.uint64
    return (x,), x


def accumulating(call: Any) -> Callable[..., np.ndarray]:
    """Return the reference of a NumPy function which takes the dtype to accumulate in."""

    def reference(x: np.ndarray, **params: Any) -> np.ndarray:
        result = sum_dtype(x.dtype)[1]
        return call(x, dtype=dtypes.accumulator_of(result), **params)

    return reference


def in_dtype(op: Op, x: Any, dtype: Any, *params: Any) -> Node:
    """Apply an op that adds or multiplies after, and have its result in, a dtype that the user asks for."""
    x = as_node(x)
    if dtype is None:
        return record(op, (x,), params)
    dtype = dtypes.as_dtype(dtype)
    return cast_to(record(op, (cast_to(x, dtype),), params), dtype)


sum: Op = card(
    "sum", "x", params=PARAMS, param_docs=PARAM_DOCS, kind=REDUCTION, public=False,
    summary="Sum over axes.", notes="Booleans and integers are summed in 64 bits; the short floats in float32.",
    canonical=canonical_axes, shape=reduced_shape, dtype=sum_dtype, reference=accumulating(np.sum), linear="all",
    gradient=lambda g, y, x, axis, keepdims: (expand(g, x, axis, keepdims),), batch=same_axes("sum"),
    cases=[*REDUCTION_CASES, *EMPTY_CASES], bad=REDUCTION_BAD,
)  # fmt: skip


@function(name="sum", methods=["sum"])
def sum_in(x: Any, axis: Any = None, keepdims: bool = False, *, dtype: Any = None) -> Node:
    """Sum over axes.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        Axes to reduce; None for all.
    keepdims : bool
        Whether the reduced axes stay, with size 1.
    dtype : dtype, optional
        The dtype to sum in, and of the result.

    Dtype
    -----
    Booleans and signed integers give int64, unsigned ones uint64, floats and complex numbers their own dtype; the short
    floats are accumulated in float32.

    Gradient
    --------
    The cotangent, repeated along the reduced axes.

    Examples
    --------
    >>> import septet as st
    >>> st.sum(st.asarray([[1, 2], [3, 4]]), axis=0).tolist()
    [4, 6]
    """
    return in_dtype(sum, x, dtype, axis, keepdims)


def _prod_gradient(g: Node, y: Node, x: Node, axis: tuple[int, ...], keepdims: bool) -> tuple[Node]:
    """Multiply by the product of all the others, axis by axis, without dividing: zeros are like any other number."""
    stages = [x]
    for i in axis[:-1]:
        stages.append(prod(stages[-1], axis=i, keepdims=True))
    g = keep(g, x, axis, keepdims)
    for i, stage in zip(reversed(axis), reversed(stages)):
        before = ops.cumulative_prod(stage, axis=i, exclusive=True)
        after = ops.cumulative_prod(stage, axis=i, exclusive=True, reverse=True)
        g = ops.multiply(g, conj(ops.multiply(before, after)))
    return (g,)


prod: Op = card(
    "prod", "x", params=PARAMS, param_docs=PARAM_DOCS, kind=REDUCTION, public=False,
    summary="Multiply over axes.",
    notes="Booleans and integers are multiplied in 64 bits; the short floats in float32.",
    canonical=canonical_axes, shape=reduced_shape, dtype=sum_dtype, reference=accumulating(np.prod),
    gradient=_prod_gradient, batch=same_axes("prod"),
    cases=[*REDUCTION_CASES, *EMPTY_CASES, Case(np.array([[1.5, 0.0, 2.0], [0.0, 3.0, 0.0]]), axis=1),
           Case((2, 3, 2), axis=(0, 1, 2))],
    bad=REDUCTION_BAD,
)  # fmt: skip


@function(name="prod", methods=["prod"])
def prod_in(x: Any, axis: Any = None, keepdims: bool = False, *, dtype: Any = None) -> Node:
    """Multiply over axes.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        Axes to reduce; None for all.
    keepdims : bool
        Whether the reduced axes stay, with size 1.
    dtype : dtype, optional
        The dtype to multiply in, and of the result.

    Dtype
    -----
    As for `sum`.

    Gradient
    --------
    The product of the other elements; right where elements are zero, in any order.
    """
    return in_dtype(prod, x, dtype, axis, keepdims)


def mean_of_count(g: Node, count: int | Node) -> Node:
    """Divide by a count, in float32 where the dtype is too short to hold it."""
    if isinstance(count, int):
        if count <= 1:
            return g
        return cast_to(ops.multiply(cast_to(g, dtypes.accumulator_of(g.dtype)), 1.0 / count), g.dtype)
    long = cast_to(g, dtypes.accumulator_of(g.dtype))
    return cast_to(ops.divide(long, cast_to(count, dtypes.real_of(long.dtype))), g.dtype)


def _mean(x: np.ndarray, axis: tuple[int, ...], keepdims: bool) -> np.ndarray:
    total = np.sum(x, axis=axis, keepdims=keepdims, dtype=dtypes.accumulator_of(x.dtype))
    return total / np.asarray(np.prod([x.shape[i] for i in axis]), dtypes.real_of(total.dtype))


def _mean_gradient(g: Node, y: Node, x: Node, axis: tuple[int, ...], keepdims: bool) -> tuple[Node]:
    return (expand(mean_of_count(g, count_of(x, axis)), x, axis, keepdims),)


mean: Op = card(
    "mean", "x", params=PARAMS, param_docs=PARAM_DOCS, kind=REDUCTION, methods=["mean"],
    summary="Average over axes.",
    notes="Integers become the default float; the short floats are summed in float32. The mean of no elements is NaN.",
    canonical=canonical_axes, shape=reduced_shape, dtype=floating, linear="all",
    reference=_mean, gradient=_mean_gradient, batch=same_axes("mean"),
    cases=[*REDUCTION_CASES, *EMPTY_CASES], bad=REDUCTION_BAD,
)  # fmt: skip


# The largest and the smallest


def extremum_shape(x: Shape, axis: tuple[int, ...], keepdims: bool) -> Shape:
    """The shape rule of reductions which need an element."""
    result = reduced_shape(x, axis, keepdims)
    if 0 not in result:
        empty = [(0, i) for i in axis if x[i] == 0]
        if empty:
            raise ShapeError(f"no elements along axis {empty[0][1]}: the largest or smallest of none is not defined",
                             marks=empty)  # fmt: skip
    return result


def _extremum(call: Any) -> Callable[..., np.ndarray]:
    def reference(x: np.ndarray, axis: tuple[int, ...], keepdims: bool) -> np.ndarray:
        extremum_shape(x.shape, axis, keepdims)
        if 0 in x.shape:
            return np.zeros([size or 0 for size in reduced_shape(x.shape, axis, keepdims)], x.dtype)
        return call(wide(x), axis=axis, keepdims=keepdims)

    return reference


def _extremum_gradient(g: Node, y: Node, x: Node, axis: tuple[int, ...], keepdims: bool) -> tuple[Node]:
    """Split the cotangent evenly among the elements that are equal to the result."""
    is_one = cast_to(ops.equal(x, keep(y, x, axis, keepdims)), g.dtype)
    share = ops.divide(g, sum(is_one, axis=axis, keepdims=keepdims))
    return (ops.multiply(is_one, keep(share, x, axis, keepdims)),)


EXTREMUM_BAD = [
    *REDUCTION_BAD, BadCase((0, 3), axis=0, error=ShapeError, match="no elements along axis 0"),
    BadCase((0,), error=ShapeError, match="no elements"),
    BadCase(np.array([1j]), error=DTypeError, match="not defined for dtype complex128"),
]  # fmt: skip
EXTREMUM_NOTES = "NaN if an element is NaN. Equal elements share the gradient."

max: Op = card(
    "max", "x", params=PARAMS, param_docs=PARAM_DOCS, kind=REDUCTION, methods=["max", "amax"], aliases=["amax"],
    summary="Return the largest element over axes.", notes=EXTREMUM_NOTES,
    canonical=canonical_axes, shape=extremum_shape, dtype=keeping(BOOL, INTEGER, FLOAT), reference=_extremum(np.max),
    gradient=_extremum_gradient, batch=same_axes("max"), properties=["monotone"],
    cases=REDUCTION_CASES, bad=EXTREMUM_BAD,
)  # fmt: skip

min: Op = card(
    "min", "x", params=PARAMS, param_docs=PARAM_DOCS, kind=REDUCTION, methods=["min", "amin"], aliases=["amin"],
    summary="Return the smallest element over axes.", notes=EXTREMUM_NOTES,
    canonical=canonical_axes, shape=extremum_shape, dtype=keeping(BOOL, INTEGER, FLOAT), reference=_extremum(np.min),
    gradient=_extremum_gradient, batch=same_axes("min"), properties=["monotone"],
    cases=REDUCTION_CASES, bad=EXTREMUM_BAD,
)  # fmt: skip


def _logsumexp(x: np.ndarray, axis: tuple[int, ...], keepdims: bool) -> np.ndarray:
    x = wide(x)
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(top), top, 0)
    total = np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return total.reshape(reduced_shape(x.shape, axis, keepdims))


def finite_or_zero_below(y: Node) -> Node:
    """Replace minus infinity by 0, so that exp(x - y) is 0, not NaN, where x and y are both minus infinity."""
    return ops.where(ops.equal(y, -np.inf), 0.0, y)


def _logsumexp_gradient(g: Node, y: Node, x: Node, axis: tuple[int, ...], keepdims: bool) -> tuple[Node]:
    weights = ops.exp(ops.subtract(x, keep(finite_or_zero_below(y), x, axis, keepdims)))
    return (ops.multiply(keep(g, x, axis, keepdims), weights),)


logsumexp: Op = card(
    "logsumexp", "x", params=PARAMS, param_docs=PARAM_DOCS, kind=REDUCTION, methods=["logsumexp"],
    summary="Return log(sum(exp(x))) over axes, without overflow.",
    notes="Elements and whole rows of minus infinity stand for zeros: they give minus infinity, and no gradient.",
    canonical=canonical_axes, shape=reduced_shape, dtype=real_floating, reference=_logsumexp,
    gradient=_logsumexp_gradient, batch=same_axes("logsumexp"), properties=["monotone"],
    cases=[*REDUCTION_CASES, *EMPTY_CASES, Case((3, 4), axis=1, domain=(-800.0, 800.0), gradient=False),
           Case(np.array([[-np.inf, 1.0], [-np.inf, -np.inf]]), axis=1, gradient=False)],
    bad=[*REDUCTION_BAD, BadCase(np.array([1j]), error=DTypeError, match="not defined for dtype complex128")],
)  # fmt: skip


# Truth


def _truth_dtype(x: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    return (x,), dtypes.bool_


any: Op = card(
    "any", "x", params=PARAMS, param_docs=PARAM_DOCS, kind=REDUCTION, methods=["any"],
    summary="Tell whether any element over axes is true (not zero).", notes="NaN is true; False for no elements.",
    canonical=canonical_axes, shape=reduced_shape, dtype=_truth_dtype, no_gradient="the result is a truth value",
    reference=lambda x, axis, keepdims: np.any(x.astype(np.bool_), axis=axis, keepdims=keepdims),
    batch=same_axes("any"), cases=[*REDUCTION_CASES, *EMPTY_CASES], bad=REDUCTION_BAD,
)  # fmt: skip

all: Op = card(
    "all", "x", params=PARAMS, param_docs=PARAM_DOCS, kind=REDUCTION, methods=["all"],
    summary="Tell whether all elements over axes are true (not zero).", notes="NaN is true; True for no elements.",
    canonical=canonical_axes, shape=reduced_shape, dtype=_truth_dtype, no_gradient="the result is a truth value",
    reference=lambda x, axis, keepdims: np.all(x.astype(np.bool_), axis=axis, keepdims=keepdims),
    batch=same_axes("all"), cases=[*REDUCTION_CASES, *EMPTY_CASES], bad=REDUCTION_BAD,
)  # fmt: skip


@function(methods=["count_nonzero"])
def count_nonzero(x: Any, axis: Any = None, keepdims: bool = False) -> Node:
    """Count the elements over axes that are not zero (or not False).

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        Axes to reduce; None for all.
    keepdims : bool
        Whether the reduced axes stay, with size 1.

    Dtype
    -----
    The result is int64.
    """
    return sum(cast_to(as_node(x), dtypes.bool_), axis=axis, keepdims=keepdims)


# Where the largest and the smallest are


def _position_canonical(types: tuple[TensorType, ...], axis: Any, keepdims: bool) -> dict[str, Any]:
    return {"axis": None if axis is None else check_axis(axis, types[0].ndim), "keepdims": bool(keepdims)}


def _position_shape(x: Shape, axis: int | None, keepdims: bool) -> Shape:
    return extremum_shape(x, tuple(range(len(x))) if axis is None else (axis,), keepdims)


def _position(call: Any) -> Callable[..., np.ndarray]:
    def reference(x: np.ndarray, axis: int | None, keepdims: bool) -> np.ndarray:
        shape = _position_shape(x.shape, axis, keepdims)
        if 0 in x.shape:
            return np.zeros([size or 0 for size in shape], np.int64)
        return call(wide(x), axis=axis, keepdims=keepdims)

    return reference


def _batch_position(name: str) -> Callable[..., Any]:
    def rule(is_batched: Sequence[bool], x: Node, axis: int | None, keepdims: bool) -> Node:
        op = getattr(ops, name)
        if axis is not None:
            return op(x, axis=axis + 1, keepdims=keepdims)
        batch = sizes_of(x)[0]
        found = op(reshape(x, (batch, count_of(x, tuple(range(1, x.ndim))))), axis=1)
        return reshape(found, (batch, *[1] * (x.ndim - 1))) if keepdims else found

    return rule


_POSITION: dict[str, Any] = {
    "params": PARAMS, "kind": REDUCTION, "canonical": _position_canonical, "shape": _position_shape,
    "dtype": lambda x, **_: (keeping(BOOL, INTEGER, FLOAT)(x)[0], dtypes.int64),
    "no_gradient": "a position is an integer", "notes": "The first one, where several are equal; NaN comes before all.",
    "param_docs": {**PARAM_DOCS, "axis": "Axis to reduce; None counts through all elements in row-major order."},
    "cases": [Case((3, 4)), Case((3, 4), axis=0), Case((3, 4), axis=-1, keepdims=True), Case((2, 3), keepdims=True),
              Case(()), Case((0, 3), axis=1)],
    "bad": [BadCase((3, 4), axis=2, error=AxisError, match="out of range"),
            BadCase((3, 4), axis=(0, 1), error=ArgumentError, match="must be an integer"),
            BadCase((0, 3), error=ShapeError, match="no elements along axis 0"),
            BadCase(np.array([1j]), error=DTypeError, match="not defined for dtype complex128")],
}  # fmt: skip

argmax: Op = card(
    "argmax", "x", summary="Return the position of the largest element.", methods=["argmax"],
    reference=_position(np.argmax), batch=_batch_position("argmax"), **_POSITION,
)  # fmt: skip

argmin: Op = card(
    "argmin", "x", summary="Return the position of the smallest element.", methods=["argmin"],
    reference=_position(np.argmin), batch=_batch_position("argmin"), **_POSITION,
)  # fmt: skip


# Spread


@function(methods=["var"])
def var(x: Any, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Node:
    """Return the variance over axes: the mean squared distance from the mean, computed in two passes.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        Axes to reduce; None for all.
    correction : float
        What is subtracted from the number of elements N before dividing by it: 0 for the variance of a population, 1
        for the unbiased estimate from a sample.
    keepdims : bool
        Whether the reduced axes stay, with size 1.

    Dtype
    -----
    Integers become the default float; a complex tensor has a real variance; the short floats are computed in float32.

    Gradient
    --------
    ``2 (x - mean) / (N - correction)``.

    Examples
    --------
    >>> import septet as st
    >>> st.var(st.asarray([1.0, 2.0, 3.0, 4.0]), correction=1).item()
    1.6666666269302368
    """
    x = as_node(x)
    if dtypes.KIND[x.dtype] < FLOAT:
        x = cast_to(x, dtypes.default_of_kind(FLOAT))
    axes = check_axes(axis, x.ndim)
    short = dtypes.real_of(x.dtype)
    x = cast_to(x, dtypes.accumulator_of(x.dtype))
    apart = ops.subtract(x, mean(x, axis=axes, keepdims=True))
    square = ops.multiply(apart, conj(apart))
    if dtypes.is_complex(x.dtype):
        square = ops.real(square)
    count = count_of(x, axes)
    total = sum(square, axis=axes, keepdims=keepdims)
    if isinstance(count, int):
        freedom: Any = float(count) - correction
        freedom = freedom if freedom > 0 else 0.0
    else:
        freedom = ops.maximum(ops.subtract(cast_to(count, total.dtype), float(correction)), 0.0)
    return cast_to(ops.divide(total, freedom), short)


@function(methods=["std"])
def std(x: Any, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Node:
    """Return the standard deviation over axes: the square root of the variance.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        Axes to reduce; None for all.
    correction : float
        What is subtracted from the number of elements; see `var`.
    keepdims : bool
        Whether the reduced axes stay, with size 1.

    Dtype
    -----
    As for `var`.

    Gradient
    --------
    Not defined (NaN) where all elements are equal.
    """
    return ops.sqrt(var(x, axis, correction, keepdims))
