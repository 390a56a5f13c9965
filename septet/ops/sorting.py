"""Sorting and searching: order, the k best, insertion points, membership."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import BOOL, FLOAT, INTEGER, DType
from septet.base.errors import ArgumentError, AxisError, DTypeError, ShapeError
from septet.base.shapes import Shape, check_axis
from septet.graph.node import Node
from septet.graph.op import OTHER, REQUIRED, BadCase, Case, Op, as_node, as_nodes, card, cast_to, function, items, ops
from septet.graph.types import TensorType
from septet.ops.reduce import wide
from septet.ops.rules import keeping, promoting, same_shape
from septet.ops.shaping import broadcast_to, reshape, sizes_of, zeros_like

_COMPLEX = BadCase(np.array([1j, 2.0]), error=DTypeError, match="not defined for dtype complex128")
REAL = keeping(BOOL, INTEGER, FLOAT)
"""The dtype rule of what needs an order."""


def _to_index(x: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    return REAL(x)[0], dtypes.int64


# Order


def sorted_places(x: np.ndarray, axis: int, descending: bool) -> np.ndarray:
    """Return the order of the elements, equal ones as they stand; NaN counts as larger than all others."""
    x = wide(x)
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    order = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return np.flip(x.shape[axis] - 1 - order, axis)


def _sort_canonical(types: tuple[TensorType, ...], axis: Any, descending: bool) -> dict[str, Any]:
    return {"axis": check_axis(axis, types[0].ndim), "descending": bool(descending)}


def _sort(x: np.ndarray, axis: int, descending: bool) -> np.ndarray:
    return np.take_along_axis(x, sorted_places(x, axis, descending), axis)


def _sort_gradient(g: Node, y: Node, x: Node, axis: int, descending: bool) -> tuple[Node]:
    rank = argsort(argsort(x, axis=axis, descending=descending), axis=axis)
    return (ops.take_along_axis(g, rank, axis=axis),)


def _sort_tangent(tangents: Sequence[Node], y: Node, x: Node, axis: int, descending: bool) -> Node:
    return ops.take_along_axis(tangents[0], argsort(x, axis=axis, descending=descending), axis=axis)


SORT_PARAMS: dict[str, Any] = {"axis": -1, "descending": False}
SORT_DOCS = {"axis": "The axis to sort along.", "descending": "Whether the largest comes first."}
SORT_NOTES = "Equal elements keep their order. NaN counts as larger than everything else."
SORT_CASES = [
    Case((5,)), Case((3, 4), axis=0), Case((2, 4), axis=1, descending=True), Case((2, 0)), Case((0, 3), axis=1),
    Case(np.array([2.0, np.nan, 1.0, 2.0, -np.inf]), gradient=False),
    Case(np.array([3, 1, 3, 2, 1]), descending=True, gradient=False),
]  # fmt: skip
SORT_BAD = [
    BadCase((3, 4), axis=2, error=AxisError, match="out of range"),
    BadCase((), error=AxisError, match="out of range"), _COMPLEX,
]  # fmt: skip

sort: Op = card(
    "sort", "x", params=SORT_PARAMS, param_docs=SORT_DOCS, notes=SORT_NOTES, kind=OTHER, public=False,
    summary="Sort along an axis.", canonical=_sort_canonical, shape=same_shape, dtype=REAL, reference=_sort,
    gradient=_sort_gradient, tangent=_sort_tangent, properties=["idempotent"],
    batch=lambda is_batched, x, axis, descending: sort(x, axis=axis + 1, descending=descending),
    cases=SORT_CASES, bad=SORT_BAD,
)  # fmt: skip

argsort: Op = card(
    "argsort", "x", params=SORT_PARAMS, param_docs=SORT_DOCS, notes=SORT_NOTES, kind=OTHER, public=False,
    summary="Return the positions, along an axis, which sort it.", canonical=_sort_canonical, shape=same_shape,
    dtype=_to_index, reference=sorted_places, no_gradient="a position is an integer",
    batch=lambda is_batched, x, axis, descending: argsort(x, axis=axis + 1, descending=descending),
    cases=SORT_CASES, bad=SORT_BAD,
)  # fmt: skip


@function(name="sort", methods=["sort"])
def sort_along(x: Any, /, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Node:
    """Sort along an axis.

    Parameters
    ----------
    x : tensor
    axis : int
    descending : bool
        Whether the largest comes first.
    stable : bool
        Whether equal elements keep their order; they always do.

    Returns
    -------
    tensor
        NaN counts as larger than everything else.

    Gradient
    --------
    Each cotangent goes to where its element came from.

    Source
    ------
    Array API standard, ``sort``.
    """
    return sort(x, axis=axis, descending=descending)


@function(name="argsort", methods=["argsort"])
def argsort_along(x: Any, /, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Node:
    """Return the positions, along an axis, which sort it.

    Parameters
    ----------
    x : tensor
    axis : int
    descending : bool
        Whether the largest comes first.
    stable : bool
        Whether equal elements keep their order; they always do.

    Dtype
    -----
    The result is int64.
    """
    return argsort(x, axis=axis, descending=descending)


# The k best


def _top_canonical(types: tuple[TensorType, ...], k: Any, axis: Any, largest: bool) -> dict[str, Any]:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 0:
        raise ArgumentError(f"k must be an integer of at least 0, got {k!r}")
    return {"k": int(k), "axis": check_axis(axis, types[0].ndim), "largest": bool(largest)}


def _top_shape(x: Shape, k: int, axis: int, largest: bool) -> tuple[Shape, Shape]:
    size = x[axis]
    if size is not None and k > size:
        raise ArgumentError(f"k={k} elements of axis {axis}, which has {size}", marks=[(0, axis)])
    shape = (*x[:axis], k, *x[axis + 1 :])
    return shape, shape


def _top(x: np.ndarray, k: int, axis: int, largest: bool) -> tuple[np.ndarray, np.ndarray]:
    _top_shape(x.shape, k, axis, largest)
    places = sorted_places(x, axis, largest)[(*[slice(None)] * axis, slice(k))]
    return np.take_along_axis(x, places, axis), places


def _top_gradient(g: Sequence[Node], y: Sequence[Node], x: Node, k: int, axis: int, largest: bool) -> tuple[Node]:
    return (ops.scatter_along_axis(zeros_like(x), y[1], g[0], axis=axis, mode="add"),)


top_k_op: Op = card(
    "top_k", "x", params={"k": REQUIRED, "axis": -1, "largest": True}, kind=OTHER, public=False,
    param_docs={"k": "How many.", "axis": "The axis to choose from.", "largest": "Whether to choose the largest."},
    summary="Return the k largest (or smallest) elements along an axis, best first, and their positions.",
    notes="Of equal elements the first is chosen. NaN counts as larger than everything else.",
    canonical=_top_canonical, shape=_top_shape, dtype=lambda x, **_: (REAL(x)[0], (x, dtypes.int64)), reference=_top,
    gradient=_top_gradient,
    batch=lambda is_batched, x, k, axis, largest: top_k_op(x, k=k, axis=axis + 1, largest=largest),
    cases=[Case((5,), k=2), Case((3, 4), k=3, axis=0), Case((2, 4), k=4, largest=False), Case((2, 3), k=0),
           Case((0, 3), k=2), Case(np.array([2, 3, 3, 1, 3]), k=2, gradient=False)],
    bad=[BadCase((3, 4), k=5, error=ArgumentError, match="k=5 elements of axis 1, which has 4"),
         BadCase((3, 4), k=-1, error=ArgumentError, match="at least 0"),
         BadCase((3, 4), k=1, axis=2, error=AxisError, match="out of range"),
         BadCase(np.array([1j, 2.0]), k=1, error=DTypeError, match="not defined for dtype complex128")],
)  # fmt: skip


class TopK(NamedTuple):
    """What `top_k` returns."""

    values: Any
    indices: Any


@function("topk", methods=["top_k", "topk"])
def top_k(x: Any, k: int, axis: int = -1, *, largest: bool = True) -> TopK:
    """Return the k largest (or smallest) elements along an axis, best first, and their positions.

    Parameters
    ----------
    x : tensor
    k : int
    axis : int
    largest : bool
        Whether to choose the largest.

    Returns
    -------
    TopK
        ``values`` and, int64, ``indices``. Of equal elements the first is chosen; NaN counts as larger than all others.

    Shape
    -----
    The axis has size k.

    Gradient
    --------
    Of the values: each cotangent goes to where its element came from.

    Examples
    --------
    >>> import septet as st
    >>> values, indices = st.top_k(st.asarray([1, 4, 2, 3]), 2)
    >>> values.tolist(), indices.tolist()
    ([4, 3], [1, 3])
    """
    return TopK(*items(top_k_op(x, k=k, axis=axis, largest=largest)))


# Insertion points


def _search_shape(table: Shape, values: Shape, side: str) -> Shape:
    if not table:
        raise ShapeError("the sorted tensor has no axis")
    if len(table) == 1:
        return values
    if len(values) != len(table):
        raise ShapeError(
            f"tables of rank {len(table)} take values of the same rank, got rank {len(values)}",
            hint="the leading axes of the tables and of the values are paired",
        )
    for i, (size, own) in enumerate(zip(table[:-1], values[:-1], strict=True)):
        if size != own and None not in (size, own):
            raise ShapeError(
                f"axis {i} differs: size {size} of the tables, {own} of the values", marks=[(0, i), (1, i)]
            )
    return values


def _search(table: np.ndarray, values: np.ndarray, side: str) -> np.ndarray:
    _search_shape(table.shape, values.shape, side)
    table, values = wide(table), wide(values)
    if table.ndim == 1:
        return np.asarray(np.searchsorted(table, values, side), np.int64)  # type: ignore[call-overload]
    result = np.empty(values.shape, np.int64)
    for row in np.ndindex(table.shape[:-1]):
        result[row] = np.searchsorted(table[row], values[row], side)  # type: ignore[call-overload]
    return result


def _search_canonical(types: tuple[TensorType, ...], side: str) -> dict[str, Any]:
    if side not in ("left", "right"):
        raise ArgumentError(f"side must be 'left' or 'right', got {side!r}")
    return {"side": side}


def _batch_search(is_batched: Sequence[bool], table: Node, values: Node, side: str) -> Node:
    if table.ndim == 1:
        return searchsorted_op(table, values, side=side)
    size = sizes_of(table if is_batched[0] else values)[0]
    if not is_batched[0]:
        table = broadcast_to(table, (size, *sizes_of(table)))
    if not is_batched[1]:
        values = broadcast_to(values, (size, *sizes_of(values)))
    if table.ndim > 2:
        return searchsorted_op(table, values, side=side)
    return reshape(searchsorted_op(table, reshape(values, (size, -1)), side=side), sizes_of(values))


searchsorted_op: Op = card(
    "searchsorted", "table values", params={"side": "left"}, kind=OTHER, public=False,
    param_docs={"side": "'left': table[i - 1] < value <= table[i]; 'right': table[i - 1] <= value < table[i]."},
    summary="Return where each value would go in a sorted table so that the table stays sorted.",
    notes="One table (n,) serves values of any shape; tables (..., n) take values (..., m). NaN is the largest.",
    canonical=_search_canonical, shape=_search_shape, reference=_search, batch=_batch_search,
    dtype=lambda *given, **_: (promoting(BOOL, INTEGER, FLOAT)(*given)[0], dtypes.int64),
    no_gradient="a position is an integer",
    cases=[Case(np.array([-1.0, 0.0, 0.0, 1.0]), (2, 3)), Case(np.array([-1.0, 0.0, 0.0, 1.0]), (), side="right"),
           Case(np.array([[0.0, 1.0], [-1.0, 1.0]]), (2, 3)), Case((0,), (3,)), Case(np.array([1.0]), (0,)),
           Case(np.array([1, 2, 2, 3]), np.array([2, 0, 9]), side="right")],
    bad=[BadCase((), (3,), error=ShapeError, match="has no axis"),
         BadCase((3,), (2,), side="middle", error=ArgumentError, match="'left' or 'right'"),
         BadCase((2, 3), (4, 3), error=ShapeError, match="axis 0 differs"),
         BadCase((2, 3), (3,), error=ShapeError, match="rank 1")],
)  # fmt: skip


@function(methods=["searchsorted"])
def searchsorted(x1: Any, x2: Any, /, side: str = "left", *, sorter: Any = None) -> Node:
    """Return where each value would go in a sorted table so that the table stays sorted.

    Parameters
    ----------
    x1 : tensor
        The table, ascending along its last axis (or in the order that `sorter` gives).
    x2 : tensor
        The values.
    side : {"left", "right"}
        Whether a value goes in front of equal elements or behind them.
    sorter : tensor, optional
        Positions that sort `x1`, as `argsort` gives them.

    Shape
    -----
    One table (n,) takes values of any shape; tables (..., n) take values (..., m). The result has the shape of `x2`.

    Dtype
    -----
    The result is int64.

    Source
    ------
    Array API standard, ``searchsorted``; several tables as in PyTorch.
    """
    table, values = as_nodes((x1, x2))
    if sorter is not None:
        table = ops.take_along_axis(table, as_node(sorter), axis=-1)
    return searchsorted_op(table, values, side=side)


@function()
def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Node:
    """Tell for each element of `x1` whether `x2` holds it.

    Parameters
    ----------
    x1 : tensor
    x2 : tensor
        Of any shape.
    invert : bool
        Whether to tell the opposite.

    Shape
    -----
    That of `x1`.

    Dtype
    -----
    The result is bool. NaN is in nothing.
    """
    x, among = as_nodes((x1, x2))
    count = among.type.size  # type: ignore[union-attr]
    among = reshape(among, (-1,))
    if count is None or count <= 8 or dtypes.is_complex(dtypes.promote(x.dtype, among.dtype)):
        found = ops.any(ops.equal(reshape(x, (*sizes_of(x), 1)), among), axis=-1)
    else:
        common = dtypes.promote(x.dtype, among.dtype)
        table = sort(cast_to(among, common))
        place = ops.minimum(searchsorted_op(table, cast_to(x, common)), count - 1)
        found = ops.equal(ops.take(table, place, axis=0), x)
    return ops.logical_not(found) if invert else found
