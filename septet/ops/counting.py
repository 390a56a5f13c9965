"""What depends on the data in its very shape: distinct values, positions of elements, counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import BOOL, INTEGER, DType
from septet.base.errors import ArgumentError, DTypeError, IndexOutOfRangeError, ShapeError
from septet.base.shapes import Shape
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import OTHER, BadCase, Case, Op, as_node, card, explain_call, function, items, ops
from septet.graph.types import TensorType
from septet.ops.reduce import sum_dtype, wide
from septet.ops.rules import check_kinds
from septet.ops.shaping import broadcast_to, reshape, sizes_of

# Distinct values


def _unique_shape(x: Shape) -> tuple[Shape, ...]:
    return (None,), (None,), x, (None,)


def _unique(x: np.ndarray) -> tuple[np.ndarray, ...]:
    values, indices, inverse, counts = np.unique(
        wide(x).ravel(), return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )
    return values, indices, inverse.reshape(x.shape), counts


unique_op: Op = card(
    "unique", "x", kind=OTHER, public=False, immediate=True,
    summary="Return the distinct elements, sorted; where each first stands; which of them each element is; how often.",
    notes="Every NaN is distinct from every other.", shape=_unique_shape, reference=_unique,
    dtype=lambda x: ((x,), (x, dtypes.int64, dtypes.int64, dtypes.int64)),
    no_gradient="which elements are equal does not change smoothly",
    no_batch="each element of a batch may have another number of distinct values",
    cases=[Case((5,)), Case(np.array([[3, 1], [1, 2]])), Case((0,)), Case(()), Case(np.array([np.nan, 1.0, np.nan])),
           Case(np.array([True, False, True])), Case(np.array([1j, 1.0, 1j]))],
)  # fmt: skip


class UniqueAll(NamedTuple):
    """What `unique_all` returns."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What `unique_counts` returns."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What `unique_inverse` returns."""

    values: Any
    inverse_indices: Any


@function()
def unique_all(x: Any, /) -> UniqueAll:
    """Return the distinct elements, sorted, with first positions, inverse and counts.

    Parameters
    ----------
    x : tensor

    Returns
    -------
    UniqueAll
        ``values``; ``indices`` of their first occurrence in the flattened `x`; ``inverse_indices`` in the shape of `x`,
        with ``values[inverse_indices] = x``; ``counts``. Every NaN is distinct from every other.

    Shape
    -----
    The number of values depends on the data; it is None in a symbolic graph.
    """
    return UniqueAll(*items(unique_op(x)))


@function()
def unique_counts(x: Any, /) -> UniqueCounts:
    """Return the distinct elements, sorted, and how often each occurs; see `unique_all`."""
    values, _, _, counts = items(unique_op(x))
    return UniqueCounts(values, counts)


@function()
def unique_inverse(x: Any, /) -> UniqueInverse:
    """Return the distinct elements, sorted, and which of them each element of `x` is; see `unique_all`."""
    values, _, inverse, _ = items(unique_op(x))
    return UniqueInverse(values, inverse)


@function()
def unique_values(x: Any, /) -> Node:
    """Return the distinct elements, sorted; see `unique_all`."""
    return items(unique_op(x))[0]


@function(methods=["unique"])
def unique(
    x: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False
) -> Node | tuple[Node, ...]:
    """Return the distinct elements, sorted, and on request what `unique_all` returns besides.

    Parameters
    ----------
    x : tensor
    return_index, return_inverse, return_counts : bool
        Whether to return first positions, inverse positions and counts too, in this order.

    Source
    ------
    NumPy, ``unique``, except that every NaN is distinct.
    """
    values, *others = items(unique_op(x))
    wanted = (return_index, return_inverse, return_counts)
    more = [result for result, is_wanted in zip(others, wanted, strict=True) if is_wanted]
    return (values, *more) if more else values


# Positions and counts


def _nonzero_shape(x: Shape) -> tuple[Shape, ...]:
    if not x:
        raise ShapeError("a scalar has no positions", marks=[])
    return ((None,),) * len(x)


def _nonzero_rank(types: tuple[TensorType, ...], rank: Any) -> dict[str, Any]:
    return {"rank": types[0].ndim}


nonzero: Op = card(
    "nonzero", "x", params={"rank": None}, kind=OTHER, public=False, immediate=True,
    param_docs={"rank": "The rank of x, which is the number of results; found out by itself."},
    summary="Return the positions of the elements that are not zero: one tensor of indices for each axis.",
    notes="In row-major order.", canonical=_nonzero_rank, shape=lambda x, rank: _nonzero_shape(x),
    dtype=lambda x, rank: ((x,), (dtypes.int64,) * rank),
    reference=lambda x, rank: np.nonzero(x.astype(np.bool_)),
    no_gradient="a position is an integer", no_batch="each element of a batch may have another number of positions",
    cases=[Case(np.array([[0.0, 2.0], [3.0, 0.0]])), Case((3,)), Case((0, 2)), Case(np.array([False, True]))],
    bad=[BadCase((), error=ShapeError, match="a scalar has no positions")],
)  # fmt: skip


@function(name="nonzero", methods=["nonzero"])
def nonzero_places(x: Any, /) -> tuple[Node, ...]:
    """Return the positions of the elements that are not zero (or not False).

    Parameters
    ----------
    x : tensor
        Of rank 1 or more.

    Returns
    -------
    tuple of tensor
        One int64 tensor of indices for each axis, in row-major order of the elements: ``x[nonzero(x)]`` selects them.

    Shape
    -----
    How many there are depends on the data; it is None in a symbolic graph.
    """
    return items(nonzero(x))


@function()
def argwhere(x: Any, /) -> Node:
    """Return the positions of the elements that are not zero, one in each row.

    Shape
    -----
    x of rank r, result (number of positions, r).

    Dtype
    -----
    The result is int64.
    """
    columns = [reshape(places, (-1, 1)) for places in items(nonzero(x))]
    return ops.concatenate(*columns, axis=1)


@function()
def flatnonzero(x: Any, /) -> Node:
    """Return the positions of the elements that are not zero in the flattened tensor."""
    return items(nonzero(reshape(x, (-1,))))[0]


def _count_dtype(x: DType, *weights: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    check_kinds((x,), (BOOL, INTEGER))
    if len(weights) > 1:
        raise ArgumentError(f"takes one tensor of weights, got {len(weights)}")
    return (x, *weights), sum_dtype(weights[0])[1] if weights else dtypes.int64


def _count_canonical(types: tuple[TensorType, ...], minlength: Any, length: Any) -> dict[str, Any]:
    for name, value in (("minlength", minlength), ("length", length)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0):
            raise ArgumentError(f"{name} must be an integer of at least 0, got {value!r}")
    return {"minlength": int(minlength), "length": None if length is None else int(length)}


def _count_shape(x: Shape, *weights: Shape, minlength: int, length: int | None) -> Shape:
    if len(x) != 1:
        raise ShapeError(f"takes a tensor of rank 1, got rank {len(x)}", hint="reshape(x, -1) first")
    if weights and weights[0] != x and (len(weights[0]) != 1 or None not in (weights[0][0], x[0])):
        raise ShapeError(f"weights have the shape of x, {x}; got {weights[0]}", marks=[(0, 0), (1, 0)])
    return (length,)


def _count(x: np.ndarray, *weights: np.ndarray, minlength: int, length: int | None) -> np.ndarray:
    x = x.astype(np.int64)
    top = int(x.max(initial=-1))
    size = max(minlength, top + 1) if length is None else length
    wrong = np.flatnonzero((x < 0) | (x >= size))
    if wrong.size:
        place = int(wrong[0])
        raise IndexOutOfRangeError(f"value {x[place]} at position {place} is outside 0 to {size - 1}", marks=[(0, 0)])
    values = wide(weights[0]) if weights else np.ones(x.shape, np.int64)
    if weights and values.shape != x.shape:
        raise ShapeError(f"weights have the shape of x, {shape_text(x.shape)}; got {shape_text(values.shape)}")
    result = np.zeros(size, sum_dtype(values.dtype)[1])
    np.add.at(result, x, values)
    return result


def _count_gradient(g: Node, y: Node, x: Node, *weights: Node, **_: Any) -> tuple[Node | None, ...]:
    return (None, *[ops.take(g, x, axis=0) for _ in weights])


def _count_tangent(tangents: Sequence[Node | None], y: Node, x: Node, *weights: Node, **params: Any) -> Node | None:
    t = tangents[1] if weights else None
    if t is None:
        return None
    return bincount_op(x, t, minlength=params["minlength"], length=params["length"] or sizes_of(y)[0])


def _batch_count(is_batched: Sequence[bool], x: Node, *weights: Node, minlength: int, length: int | None) -> Node:
    if length is None:
        raise ArgumentError(
            "the results for a batch may have different sizes", hint="give length: bincount(x, length=n) has n counts"
        )
    size: Any = sizes_of(x if is_batched[0] else weights[0])[0]
    full = [
        part if was else broadcast_to(part, (size, *sizes_of(part)))
        for part, was in zip((x, *weights), is_batched, strict=True)
    ]
    if not isinstance(size, int):
        raise ArgumentError("a batch of unknown size has an unknown number of counts")
    offset = np.arange(size)[:, None] * length
    flat = [reshape(part, (-1,)) for part in (ops.add(full[0], offset), *full[1:])]
    return reshape(bincount_op(*flat, length=size * length), (size, length))


bincount_op: Op = card(
    "bincount", "x *weights", params={"minlength": 0, "length": None}, kind=OTHER, public=False, immediate=True,
    param_docs={"minlength": "The least number of counts.",
                "length": "The number of counts; None takes one more than the largest value."},
    summary="Count how often each of 0, 1, 2, ... occurs, or sum the weights of its occurrences.",
    canonical=_count_canonical, shape=_count_shape, dtype=_count_dtype, reference=_count, gradient=_count_gradient,
    tangent=_count_tangent, batch=_batch_count,
    cases=[Case(np.array([0, 3, 1, 3]), length=4), Case(np.array([0, 3, 1, 3]), (4,), length=5),
           Case(np.array([], np.int64), length=2), Case(np.array([2, 2], np.uint8), length=3)],
    bad=[BadCase(np.array([0, -1]), error=IndexOutOfRangeError, match="value -1 at position 1"),
         BadCase(np.array([0, 4]), length=4, error=IndexOutOfRangeError, match="value 4 at position 1"),
         BadCase(np.array([0.5]), error=DTypeError, match="not defined for dtype float64"),
         BadCase(np.array([[1]]), error=ShapeError, match="rank 1"),
         BadCase(np.array([1, 2]), (3,), error=ShapeError, match="weights have the shape of x")],
)  # fmt: skip


@function(methods=["bincount"])
def bincount(x: Any, /, weights: Any = None, minlength: int = 0, *, length: int | None = None) -> Node:
    """Count how often each of 0, 1, 2, ... occurs, or sum the weights of its occurrences.

    Parameters
    ----------
    x : tensor
        Integers of at least 0.
    weights : tensor, optional
        One for each element of `x`.
    minlength : int
        The least number of counts.
    length : int, optional
        The number of counts. Without it, one more than the largest value, so the size depends on the data.

    Shape
    -----
    x (n,), weights (n,), result (length,).

    Dtype
    -----
    int64, or with weights that of their sum.

    Raises
    ------
    IndexOutOfRangeError
        If a value is negative, or not below `length`.

    Gradient
    --------
    With respect to the weights.
    """
    parts = [as_node(x)] if weights is None else [as_node(x), as_node(weights)]
    if length is not None and minlength:
        error = ArgumentError(f"length={length} and minlength={minlength} exclude each other")
        raise explain_call(error, "bincount", ("x", "*weights"), parts)
    return bincount_op(*parts, minlength=minlength, length=length)
