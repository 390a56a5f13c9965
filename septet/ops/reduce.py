"""Reductions over axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import BOOL, DType
from septet.base.errors import ArgumentError
from septet.base.shapes import Shape, check_axes
from septet.graph.node import Node
from septet.graph.op import REDUCTION, BadCase, Case, card
from septet.graph.types import TensorType
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

