"""Reductions over axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import BOOL, DType
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.base.shapes import Shape, check_axes, check_axis
from septet.graph.node import Node
from septet.graph.op import REDUCTION, BadCase, Case, as_node, card, ops
from septet.graph.types import TensorType
from septet.ops.rules import check_kinds
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


def expand(g: Node, x: Node, axis: tuple[int, ...], keepdims: bool) -> Node:
    """Bring something of the result's shape to rank and shape of the input."""
    if not keepdims:
        sizes = sizes_of(x)
        g = reshape(g, tuple(1 if i in axis else size for i, size in enumerate(sizes)))
    return broadcast_to(g, sizes_of(x))


def batch_reduction(op: Any) -> Any:
    """The batching rule of reductions: the same axes, one further to the right."""

    def rule(is_batched: Any, x: Node, axis: tuple[int, ...], keepdims: bool) -> Node:
        return op(x, axis=tuple(i + 1 for i in axis), keepdims=keepdims)

    return rule


def _sum_dtype(x: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    """Small integers are summed in the default integer of their kind, as in NumPy."""
    if dtypes.KIND[x] == BOOL or x in dtypes.SIGNED:
        return (x,), dtypes.int64
    if x in dtypes.UNSIGNED:
        return (x,), dtypes.uint64
    return (x,), x


def _sum(x: np.ndarray, axis: tuple[int, ...], keepdims: bool) -> np.ndarray:
    short = dtypes.accumulator_of(x.dtype)
    return np.sum(x, axis=axis, keepdims=keepdims, dtype=None if short == x.dtype else short)


REDUCTION_CASES = [
    Case((3, 4)), Case((3, 4), axis=0), Case((3, 4), axis=-1, keepdims=True), Case((2, 3, 4), axis=(0, 2)), Case(()),
]  # fmt: skip
REDUCTION_BAD = [
    BadCase((3, 4), axis=2, error=ArgumentError, match="out of range"),
    BadCase((3, 4), axis=(0, 0), error=ArgumentError, match="twice"),
]

sum = card(
    "sum", "x", params=PARAMS, param_docs=PARAM_DOCS, kind=REDUCTION, methods=["sum"],
    summary="Sum over axes.", notes="Booleans and integers are summed in 64 bits; the short floats in float32.",
    canonical=canonical_axes, shape=reduced_shape, dtype=_sum_dtype, reference=_sum, linear="all",
    gradient=lambda g, y, x, axis, keepdims: (expand(g, x, axis, keepdims),),
    batch=lambda is_batched, x, axis, keepdims: batch_reduction(sum)(is_batched, x, axis, keepdims),
    cases=[*REDUCTION_CASES, Case((0, 3), axis=0)], bad=REDUCTION_BAD,
)  # fmt: skip


def _wide(reference: Any) -> Any:
    """Compute the short floats in float32."""

    def compute(x: np.ndarray, **words: Any) -> Any:
        wide = dtypes.accumulator_of(x.dtype)
        return reference(x if wide == x.dtype else x.astype(wide), **words)

    return compute


def _same(x: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    return (x,), x


def _floating(x: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    x = x if dtypes.is_differentiable(x) else dtypes.default_of_kind(dtypes.FLOAT)
    return (x,), x


def _real(x: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    check_kinds((x,), (dtypes.BOOL, dtypes.INTEGER, dtypes.FLOAT))
    return (x,), x


def _extreme(name: str, summary: str, reference: Any, alias: str) -> Any:
    """Make the card of max or min."""

    def compute(x: np.ndarray, axis: tuple[int, ...], keepdims: bool) -> np.ndarray:
        if x.size == 0 and any(x.shape[i] == 0 for i in axis):
            raise ShapeError(f"an empty axis has no {name}", marks=[(0, i) for i in axis if x.shape[i] == 0])
        return reference(x, axis=axis, keepdims=keepdims)

    def gradient(g: Node, y: Node, x: Node, axis: tuple[int, ...], keepdims: bool) -> tuple[Node]:
        is_best = ops.cast(ops.equal(x, expand(y, x, axis, keepdims)), dtype=x.dtype)
        ties = sum(is_best, axis=axis, keepdims=keepdims)
        return (is_best * expand(g / ties, x, axis, keepdims),)

    op = card(
        name, "x", params=PARAMS, param_docs=PARAM_DOCS, kind=REDUCTION, methods=[name], aliases=[alias],
        summary=summary, notes="NaN wins. At ties the gradient is shared evenly.", canonical=canonical_axes,
        shape=reduced_shape, dtype=_real, reference=compute, gradient=gradient,
        batch=lambda is_batched, x, axis, keepdims: batch_reduction(op)(is_batched, x, axis, keepdims),
        cases=REDUCTION_CASES,
        bad=[*REDUCTION_BAD, BadCase(np.ones(2, np.complex64), error=DTypeError, match="complex64")],
    )  # fmt: skip
    return op


max = _extreme("max", "Return the largest element over axes.", np.max, "amax")
min = _extreme("min", "Return the smallest element over axes.", np.min, "amin")


def _logical(name: str, summary: str, reference: Any) -> Any:
    op = card(
        name, "x", params=PARAMS, param_docs=PARAM_DOCS, kind=REDUCTION, methods=[name], summary=summary,
        canonical=canonical_axes, shape=reduced_shape, dtype=lambda x, **_: ((x,), dtypes.bool_), reference=reference,
        no_gradient="the result is boolean",
        batch=lambda is_batched, x, axis, keepdims: batch_reduction(op)(is_batched, x, axis, keepdims),
        cases=[*REDUCTION_CASES, Case((0, 3), axis=0)], bad=REDUCTION_BAD,
    )  # fmt: skip
    return op


any = _logical("any", "Tell whether any element over axes is true (not 0).", np.any)
all = _logical("all", "Tell whether all elements over axes are true (not 0).", np.all)


def _mean_gradient(g: Node, y: Node, x: Node, axis: tuple[int, ...], keepdims: bool) -> tuple[Node]:
    return (expand(g, x, axis, keepdims) / count_over(x, axis),)


def count_over(x: Node, axis: Any) -> Node:
    """Return how many elements a reduction takes together, as a number of the input's dtype."""
    total = 1
    dynamic: Node | None = None
    for i in axis:
        size = x.shape[i]
        if size is None:
            own = ops.size_of(x, axis=i)
            dynamic = own if dynamic is None else dynamic * own
        else:
            total *= size
    static = as_node(float(total), dtypes.real_of(x.dtype))
    return static if dynamic is None else ops.cast(dynamic, dtype=static.dtype) * static


mean = card(
    "mean", "x", params=PARAMS, param_docs=PARAM_DOCS, kind=REDUCTION, methods=["mean"],
    summary="Average over axes; integers become floats.", notes="The mean of no elements is NaN.",
    canonical=canonical_axes, shape=reduced_shape, dtype=_floating, reference=_wide(np.mean), linear="all",
    gradient=_mean_gradient,
    batch=lambda is_batched, x, axis, keepdims: batch_reduction(mean)(is_batched, x, axis, keepdims),
    cases=REDUCTION_CASES, bad=REDUCTION_BAD,
)  # fmt: skip


def _arg_canonical(types: tuple[TensorType, ...], axis: Any, keepdims: bool) -> dict[str, Any]:
    return {"axis": None if axis is None else check_axis(axis, types[0].ndim), "keepdims": bool(keepdims)}


def _arg_shape(x: Shape, axis: int | None, keepdims: bool) -> Shape:
    return reduced_shape(x, tuple(range(len(x))) if axis is None else (axis,), keepdims)


def _arg(name: str, summary: str, reference: Any) -> Any:
    def compute(x: np.ndarray, axis: int | None, keepdims: bool) -> Any:
        if x.size == 0:
            raise ShapeError(f"an empty tensor has no {name}")
        return reference(x, axis=axis, keepdims=keepdims)

    def batch(is_batched: Any, x: Node, axis: int | None, keepdims: bool) -> Node:
        if axis is not None:
            return op(x, axis=axis + 1, keepdims=keepdims)
        sizes = sizes_of(x)
        flat = op(reshape(x, (sizes[0], -1)), axis=1)
        return reshape(flat, (sizes[0], *[1] * (x.ndim - 1))) if keepdims else flat

    op = card(
        name, "x", params={"axis": None, "keepdims": False}, kind=REDUCTION, methods=[name], summary=summary,
        param_docs={"axis": "One axis; None counts in the flattened tensor.", "keepdims": PARAM_DOCS["keepdims"]},
        notes="The first one at ties; NaN counts as the extreme.", canonical=_arg_canonical, shape=_arg_shape,
        dtype=lambda x, **_: (_real(x)[0], dtypes.int64), reference=compute, no_gradient="the result is an integer",
        batch=batch, cases=[Case((3, 4)), Case((3, 4), axis=0), Case((2, 3, 4), axis=-1, keepdims=True), Case(())],
        bad=[BadCase((3, 4), axis=2, error=ArgumentError, match="out of range")],
    )  # fmt: skip
    return op


argmax = _arg("argmax", "Return the index of the largest element.", np.argmax)
argmin = _arg("argmin", "Return the index of the smallest element.", np.argmin)
