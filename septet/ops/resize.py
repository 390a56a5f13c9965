"""Cutting off and filling up along one axis: one linear op that is its own kind of transpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, AxisError
from septet.base.shapes import Shape, check_axis
from septet.graph.node import Node
from septet.graph.op import MOVEMENT, REQUIRED, BadCase, Case, Op, card, ops
from septet.graph.types import TensorType
from septet.ops.shaping import fill_sizes, sized_dtype, sizes_of, split_sizes


def _canonical(types: tuple[TensorType, ...], axis: Any, size: Any, start: Any) -> dict[str, Any]:
    return {"axis": check_axis(axis, types[0].ndim), "size": size, "start": int(start)}


def _shape(x: Shape, *sizes: Shape, axis: int, size: int | None, start: int) -> Shape:
    if size is not None and size < 0:
        raise ArgumentError(f"the size must be at least 0, got {size}")
    return (*x[:axis], size, *x[axis + 1 :])


def _reference(x: np.ndarray, *sizes: Any, axis: int, size: int | None, start: int) -> np.ndarray:
    (length,) = fill_sizes((size,), sizes)
    low, high = max(start, 0), min(start + length, x.shape[axis])
    result = np.zeros((*x.shape[:axis], length, *x.shape[axis + 1 :]), x.dtype)
    if low < high:
        lead = (slice(None),) * axis
        result[(*lead, slice(low - start, high - start))] = x[(*lead, slice(low, high))]
    return result


def _gradient(g: Node, y: Node, x: Node, *sizes: Node, axis: int, size: int | None, start: int) -> Any:
    return (cut(g, axis, sizes_of(x)[axis], -start), *[None] * len(sizes))


def _batch(is_batched: Sequence[bool], x: Node, *sizes: Node, axis: int, size: int | None, start: int) -> Node:
    if any(is_batched[1:]):
        raise ArgumentError("crop_or_pad: sizes cannot differ within a batch")
    return crop_or_pad(x, *sizes, axis=axis + 1, size=size, start=start)


crop_or_pad: Op = card(
    "crop_or_pad", "x *sizes", params={"axis": REQUIRED, "size": REQUIRED, "start": 0}, kind=MOVEMENT, sizes="size",
    public=False,
    param_docs={"axis": "The axis that changes.", "size": "Its new size; None takes a size input.",
                "start": "The index in x of the first element; what lies outside x is 0."},
    summary="Take a range of one axis that may reach beyond both ends, where it is filled with zeros.",
    canonical=_canonical, shape=_shape, dtype=sized_dtype, reference=_reference, linear="first", gradient=_gradient,
    tangent=lambda t, y, x, *sizes, **words: crop_or_pad(t[0], *sizes, **words), batch=_batch,
    cases=[Case((3, 4), axis=1, size=2), Case((3, 4), axis=0, size=5), Case((3, 4), axis=-1, size=4, start=-2),
           Case((5,), axis=0, size=2, start=2), Case((2,), axis=0, size=3, start=7), Case((3, 2), axis=0, size=0)],
    bad=[BadCase((3, 4), axis=2, size=2, error=AxisError, match="out of range"),
         BadCase((3, 4), axis=1, size=-1, error=ArgumentError, match="at least 0")],
)  # fmt: skip


def cut(x: Node, axis: int, size: Any, start: int = 0) -> Node:
    """Record `crop_or_pad` for a size that may be a node; nothing where nothing changes."""
    static, dynamic = split_sizes((size,), "size")
    if start == 0 and not dynamic and static[0] == x.shape[axis]:
        return x
    return crop_or_pad(x, *dynamic, axis=axis, size=static[0], start=start)


def rotate(x: Node, axis: int, by: int) -> Node:
    """Move the elements of an axis of known size forward, those beyond the end to the beginning."""
    size = x.shape[axis]
    assert size is not None
    by = by % size if size else 0
    if by == 0:
        return x
    return ops.add(cut(x, axis, size, -by), cut(x, axis, size, size - by))
