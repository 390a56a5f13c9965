"""Selecting and updating by integer indices: along one axis, element by element along an axis, or on several axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, AxisError, DTypeError, IndexOutOfRangeError, ShapeError
from septet.base.shapes import Shape, broadcast, check_axis
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import MOVEMENT, OTHER, REQUIRED, BadCase, Case, Op, as_node, card, ops, record
from septet.graph.types import TensorType
from septet.ops.shaping import broadcast_to, full_like, reshape, sizes_of, split_sizes, sum_to, transpose, zeros_like
from septet.ops.slicing import batch_rows, batch_size, lift_rank, repeated, update_dtype

# What all of them share.


def check_indices(given: Sequence[DType], offset: int = 1) -> None:
    """Refuse indices that are not integers."""
    for position, dtype in enumerate(given):
        if not dtypes.is_integer(dtype):
            raise DTypeError(
                f"indices must be integers, argument {position + offset} is {dtype.name}",
                hint="a boolean mask selects in x[mask]; convert others with .astype(int)",
            )


def index_dtype(x: DType, *indices: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    """The first input's dtype; all others are integers."""
    check_indices(indices)
    return (x, *indices), x


def check_range(indices: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Return the indices counted from the front.

    Raises
    ------
    IndexOutOfRangeError
        Naming the first offending index and where it stands.
    """
    is_signed = indices.dtype in dtypes.SIGNED
    wrong = indices >= size  # compared in the indices' own dtype: a uint64 may not fit int64
    if is_signed:
        wrong |= indices < -size
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        at = f" at position {position if len(position) > 1 else position[0]}" if position else ""
        allowed = f"-{size} to {size - 1}" if size else "none: the axis is empty"
        raise IndexOutOfRangeError(
            f"index {int(indices[position])}{at} is out of range for axis {axis} with size {size} (allowed: {allowed})",
            marks=[(0, axis)],
        )
    found = indices.astype(np.int64)
    return np.where(found < 0, found + size, found) if is_signed else found


# take: whole rows along one axis


def _take_canonical(types: tuple[TensorType, ...], axis: Any) -> dict[str, Any]:
    return {"axis": check_axis(axis, types[0].ndim)}


def _take_reference(x: np.ndarray, indices: np.ndarray, axis: int) -> np.ndarray:
    return np.take(x, check_range(indices, x.shape[axis], axis), axis=axis)


def _take_gradient(g: Node, y: Node, x: Node, indices: Node, axis: int) -> tuple[Node, None]:
    rank = indices.ndim
    order = (*range(axis, axis + rank), *range(axis), *range(axis + rank, g.ndim))
    return scatter(zeros_like(x), moved(g, order), indices, axes=(axis,), mode="add"), None


def moved(x: Node, order: Sequence[int]) -> Node:
    """Permute the axes, where there is something to permute."""
    return x if list(order) == sorted(order) else transpose(x, axes=tuple(order))


def _batch_take(is_batched: Sequence[bool], x: Node, indices: Node, axis: int) -> Node:
    if not is_batched[1]:
        return take(x, indices, axis=axis + 1)
    if not is_batched[0]:
        y = take(x, indices, axis=axis)
        return moved(y, (axis, *[i for i in range(y.ndim) if i != axis]))
    rank = indices.ndim - 1
    y = gather(x, batch_rows(sizes_of(x)[0], rank), indices, axes=(0, axis + 1))  # (B, indices..., others)
    start = rank + 1
    return moved(y, (0, *range(start, start + axis), *range(1, start), *range(start + axis, y.ndim)))


take: Op = card(
    "take", "x indices", params={"axis": REQUIRED}, kind=MOVEMENT, public=False,
    param_docs={"axis": "The axis that is indexed."},
    summary="Select rows along an axis by integer indices of any shape.",
    notes="Negative indices count from the end; an index out of range is an error.", canonical=_take_canonical,
    shape=lambda x, indices, axis: (*x[:axis], *indices, *x[axis + 1 :]), dtype=index_dtype,
    reference=_take_reference, gradient=_take_gradient, linear="first", batch=_batch_take,
    cases=[Case((5, 3), np.array([0, 2, -1, 2]), axis=0), Case((2, 4), np.array([[1, 0], [3, 3]]), axis=1),
           Case((2, 3, 4), np.array([[1, 0], [2, 2]]), axis=1), Case((4,), np.array(2), axis=0),
           Case((4, 2), np.zeros((0,), np.int64), axis=0), Case((4,), np.array([3], np.uint8), axis=-1)],
    bad=[BadCase((3, 4), np.array([0, 3]), axis=0, error=IndexOutOfRangeError, match="index 3 at position 1"),
         BadCase((3, 4), np.array([[0, 1], [-5, 0]]), axis=1, error=IndexOutOfRangeError, match="allowed: -4 to 3"),
         BadCase((0,), np.array(0), axis=0, error=IndexOutOfRangeError, match="the axis is empty"),
         BadCase((3, 4), (2,), axis=0, error=DTypeError, match="indices must be integers"),
         BadCase((3, 4), np.array([0]), axis=2, error=AxisError, match="out of range")],
)  # fmt: skip


# How updates meet what is there.

MODES = ("set", "add", "max", "min", "multiply")
_UFUNCS: dict[str, Any] = {"add": np.add, "max": np.maximum, "min": np.minimum, "multiply": np.multiply}
MODE_DOCS = "set, add, max, min or multiply: how a value meets what is there."
MODE_NOTES = (
    "Repeated positions: set keeps the last value, all other modes take every value. Gradients of max and min "
    "are shared evenly at ties; a value that was overwritten has none."
)


def check_mode(mode: Any, dtype: DType) -> None:
    """Refuse a way of combining that does not exist, or not for a dtype."""
    if mode not in MODES:
        raise ArgumentError(f"mode {mode!r} does not exist; the modes are {', '.join(MODES)}")
    if mode in ("max", "min") and dtypes.is_complex(dtype):
        raise DTypeError(f"mode {mode!r} needs an order, which {dtype.name} does not have")


def combine(target: np.ndarray, key: Any, values: np.ndarray, mode: str) -> np.ndarray:
    """Return a copy of an array with values put in at a key."""
    wide = dtypes.accumulator_of(target.dtype)
    result = target.astype(wide)
    if mode == "set":
        result[key] = values
    else:
        _UFUNCS[mode].at(result, key, values.astype(wide))
    return result


Select = Callable[[Node], Node]
Put = Callable[[Node, Node, str], Node]


class Shares:
    """The derivative of an update: ``dy = dx * own + put(0, du * new, "add")`` (`own`, `new`: masks and factors).

    Both modes of differentiation follow from it. A None says 1 everywhere.
    """

    def __init__(self, y: Node, x: Node, full: Node, mode: str, select: Select, put: Put, number: Node) -> None:
        """`full`: the updates in the selected shape; `number` counts the indices, in a shape that broadcasts to it."""
        self.own_mask: Node | None = None
        self.new_mask: Node | None = None
        self.own: Node | None = None
        self.new: Node | None = None
        if mode == "set":
            nobody = full_like(x, -1, dtypes.int64)
            last = put(nobody, broadcast_to(number, sizes_of(full)), "set")
            self.own_mask = ops.equal(last, as_node(-1, dtypes.int64))
            self.new_mask = ops.equal(select(last), number)
        elif mode in ("max", "min"):
            self.own_mask = ops.equal(x, y)
            self.new_mask = ops.equal(full, select(y))
            winners = put(ops.cast(self.own_mask, dtype=y.dtype), ops.cast(self.new_mask, dtype=y.dtype), "add")
            one = as_node(1, y.dtype)
            self.own = one / ops.maximum(winners, one)  # none where a value is NaN
            self.new = select(self.own)
        elif mode == "multiply":
            self._multiply(x, full, select, put)

    def _multiply(self, x: Node, full: Node, select: Select, put: Put) -> None:
        """The factor of a value is the product of all others at its place, also where some are 0."""
        zero, one = as_node(0, full.dtype), as_node(1, full.dtype)
        is_zero = ops.equal(full, zero)
        safe = ops.where(is_zero, one, full)
        ones, nothing = full_like(x, 1), full_like(x, 0, dtypes.int64)
        self.own = put(ones, full, "multiply")
        rest = select(put(ones, safe, "multiply")) / safe
        zeros = select(put(nothing, ops.cast(is_zero, dtype=dtypes.int64), "add"))
        others = zeros - ops.cast(is_zero, dtype=dtypes.int64)
        self.new = select(x) * ops.where(ops.equal(others, as_node(0, dtypes.int64)), rest, zero)

    def of_own(self, t: Node, conjugate: bool) -> Node:
        """Multiply by the share of what was there."""
        return _weighted(t, self.own_mask, self.own, conjugate)

    def of_new(self, t: Node, conjugate: bool) -> Node:
        """Multiply by the share of the updates."""
        return _weighted(t, self.new_mask, self.new, conjugate)


def _weighted(t: Node, mask: Node | None, factor: Node | None, conjugate: bool) -> Node:
    if factor is not None:
        t = t * (ops.conj(factor) if conjugate and dtypes.is_complex(factor.dtype) else factor)
    return t if mask is None else ops.where(mask, t, as_node(0, t.dtype))


def _push(tangents: Sequence[Node | None], x: Node, full: Node, shares: Shares, put: Put) -> Node | None:
    """Forward mode of an update; the tangent of the updates broadcasts to the selected shape."""
    tx, tu = tangents
    if tx is None and tu is None:
        return None
    own = zeros_like(x) if tx is None else shares.of_own(tx, False)
    return own if tu is None else put(own, shares.of_new(widened(tu, full), False), "add")


def widened(updates: Node, like: Node) -> Node:
    """Broadcast updates to the selected shape."""
    return broadcast_to(updates, sizes_of(like))


def counted(sizes: Sequence[Any]) -> Node:
    """Return the numbers 0, 1, 2 ... in row-major order in a shape given by sizes."""
    total: Any = 1
    for size in sizes:
        total = size * total
    static, dynamic = split_sizes((total,))
    return reshape(record(ops.iota, dynamic, (static, 0, dtypes.int64)), tuple(sizes))


# along an axis


def _along_shape(x: Shape, indices: Shape, *, axis: int) -> Shape:
    if len(x) != len(indices):
        raise ShapeError(
            f"indices need the rank of x: they have {len(indices)} axes, x has {len(x)}",
            marks=[(1, i) for i in range(len(indices))], hint="st.take(x, indices, axis=axis) selects whole rows",
        )  # fmt: skip
    result = []
    for i, (size, own) in enumerate(zip(x, indices, strict=True)):
        if i != axis and size != own and 1 not in (size, own) and None not in (size, own):
            raise ShapeError(f"axis {i} of x has size {size}, of the indices {own}", marks=[(0, i), (1, i)])
        result.append(own if i == axis or size in (1, None) else size)
    return tuple(result)


def _along_key(x: np.ndarray, indices: np.ndarray, axis: int) -> tuple[Any, ...]:
    shape: Any = _along_shape(x.shape, indices.shape, axis=axis)
    grid: list[Any] = []
    for i, size in enumerate(x.shape):
        if i == axis:
            grid.append(np.broadcast_to(check_range(indices, size, axis), shape))
        else:
            own = np.zeros(1, np.int64) if size == 1 else np.arange(size)
            grid.append(own.reshape([-1 if j == i else 1 for j in range(x.ndim)]))
    return tuple(grid)


def _batch_along(is_batched: Sequence[bool], x: Node, indices: Node, axis: int) -> Node:
    x, indices = (
        v if mark else reshape(v, (1, *sizes_of(v))) for v, mark in zip((x, indices), is_batched, strict=True)
    )
    return take_along_axis(x, indices, axis=axis + 1)


def _along_gradient(g: Node, y: Node, x: Node, indices: Node, axis: int) -> tuple[Node, None]:
    wide = [
        own if size == 1 and i != axis else size
        for i, (size, own) in enumerate(zip(sizes_of(x), sizes_of(indices), strict=True))
    ]  # x is repeated where the indices are more
    into = zeros_like(x) if tuple(wide) == x.shape else broadcast_to(as_node(0, x.dtype), tuple(wide))
    return sum_to(scatter_along_axis(into, indices, g, axis=axis, mode="add"), x), None


take_along_axis: Op = card(
    "take_along_axis", "x indices", params={"axis": -1}, kind=OTHER,
    param_docs={"axis": "The axis that is indexed."},
    summary="Select one element for each index along an axis; other axes are matched and broadcast.",
    notes="Negative indices count from the end; an index out of range is an error.", canonical=_take_canonical,
    shape=_along_shape, dtype=index_dtype, linear="first", batch=_batch_along,
    gradient=_along_gradient,
    reference=lambda x, indices, axis: x[_along_key(x, indices, axis)],
    cases=[Case((3, 4), np.array([[0], [3], [-1]]), axis=1), Case((3, 4), np.array([[2, 0, 1, 1]]), axis=0),
           Case((4,), np.array([1, 1, 0])), Case((1, 4), np.array([[0, 1], [2, 3]]), axis=1),
           Case((3, 0), np.zeros((3, 0), np.int64), axis=0)],
    bad=[BadCase((3, 4), np.array([[4]]), axis=1, error=IndexOutOfRangeError, match="index 4 at position (0, 0)"),
         BadCase((3, 4), np.array([0]), axis=1, error=ShapeError, match="need the rank of x"),
         BadCase((3, 4), np.zeros((2, 1), int), axis=1, error=ShapeError, match="axis 0 of x has size 3"),
         BadCase((3,), (3,), error=DTypeError, match="indices must be integers")],
)  # fmt: skip


def _scatter_along_dtype(x: DType, indices: DType, updates: DType, axis: int, mode: str) -> Any:
    check_indices((indices,))
    check_mode(mode, x)
    return (x, indices, x), x


def _check_updates(updates: Shape, selected: Shape, position: int) -> None:
    """Refuse updates that do not broadcast to what they meet."""
    offset = len(selected) - len(updates)
    bad = [
        (position, axis)
        for axis, size in enumerate(updates)
        if offset >= 0 and size not in (1, None, selected[offset + axis]) and selected[offset + axis] is not None
    ]
    if offset < 0 or bad:
        marks = bad or [(position, axis) for axis in range(-offset)]
        raise ShapeError(
            f"updates of shape {shape_text(updates)} do not broadcast to the selected shape {shape_text(selected)}",
            marks=marks,
        )


def _scatter_along_shape(x: Shape, indices: Shape, updates: Shape, axis: int, mode: str) -> Shape:
    selected = _along_shape(x, indices, axis=axis)
    for i, (size, own) in enumerate(zip(x, indices, strict=True)):
        if i != axis and size == 1 and own not in (1, None):
            raise ShapeError(f"axis {i} of x has size 1, of the indices {own}", marks=[(0, i), (1, i)])
    _check_updates(updates, selected, 2)
    return x


def _scatter_along_reference(
    x: np.ndarray, indices: np.ndarray, updates: np.ndarray, axis: int, mode: str
) -> np.ndarray:
    _scatter_along_shape(x.shape, indices.shape, updates.shape, axis, mode)
    return combine(x, _along_key(x, indices, axis), updates, mode)


def _along_shares(y: Node, x: Node, indices: Node, updates: Node, axis: int, mode: str) -> tuple[Any, ...]:
    def select(t: Node) -> Node:
        return take_along_axis(t, indices, axis=axis)

    def put(t: Node, u: Node, how: str) -> Node:
        return scatter_along_axis(t, indices, u, axis=axis, mode=how)

    like = select(x)
    full = widened(updates, like)
    number = counted([size if i == axis else 1 for i, size in enumerate(sizes_of(indices))])
    return select, put, full, Shares(y, x, full, mode, select, put, number)


def _scatter_along_gradient(g: Node, y: Node, x: Node, indices: Node, updates: Node, axis: int, mode: str) -> Any:
    select, _, _, shares = _along_shares(y, x, indices, updates, axis, mode)
    return shares.of_own(g, True), None, sum_to(shares.of_new(select(g), True), updates)


def _scatter_along_tangent(t: Any, y: Node, x: Node, indices: Node, updates: Node, axis: int, mode: str) -> Node | None:
    _, put, full, shares = _along_shares(y, x, indices, updates, axis, mode)
    return _push((t[0], t[2]), x, full, shares, put)


def _batch_scatter_along(
    is_batched: Sequence[bool], x: Node, indices: Node, updates: Node, axis: int, mode: str
) -> Node:
    size = batch_size(is_batched, (x, indices, updates))
    rank = x.ndim - is_batched[0]
    x = x if is_batched[0] else repeated(x, size)
    indices = indices if is_batched[1] else reshape(indices, (1, *sizes_of(indices)))
    updates = lift_rank(updates, rank) if is_batched[2] else updates
    return scatter_along_axis(x, indices, updates, axis=axis + 1, mode=mode)


scatter_along_axis: Op = card(
    "scatter_along_axis", "x indices updates", params={"axis": -1, "mode": "set"}, kind=OTHER,
    aliases=["put_along_axis"], param_docs={"axis": "The axis that is indexed.", "mode": MODE_DOCS},
    summary="Put values in at one index each along an axis.", notes=MODE_NOTES, canonical=lambda types, axis, mode: {
        "axis": check_axis(axis, types[0].ndim), "mode": mode},
    shape=_scatter_along_shape, dtype=_scatter_along_dtype, reference=_scatter_along_reference,
    gradient=_scatter_along_gradient, tangent=_scatter_along_tangent, batch=_batch_scatter_along,
    cases=[Case((3, 4), np.array([[0], [3], [-1]]), (3, 1), axis=1),
           Case((3, 4), np.array([[2, 0, 1, 1]]), (1, 4), axis=0, mode="add"),
           Case((4,), np.array([1, 3, 1]), (3,), mode="add"), Case((4,), np.array([1, 3, 1]), (3,)),
           Case((4,), np.array([1, 3]), (2,), mode="max"),
           Case((3, 2), np.array([[1], [0], [1]]), (), axis=1, mode="min"),
           Case((4,), np.array([1, 3, 1]), (3,), mode="multiply"), Case((2, 3), np.zeros((2, 0), int), (2, 0), axis=1)],
    bad=[BadCase((4,), np.array([4]), (1,), error=IndexOutOfRangeError, match="index 4"),
         BadCase((4,), np.array([1]), (1,), mode="mean", error=ArgumentError, match="mode 'mean' does not exist"),
         BadCase((4,), np.array([1]), (2,), error=ShapeError, match="do not broadcast to the selected shape (1,)"),
         BadCase((1, 4), np.array([[1], [1]]), (), axis=1, error=ShapeError, match="axis 0 of x has size 1"),
         BadCase(np.ones(2, np.complex64), np.array([1]), (1,), mode="max", error=DTypeError, match="needs an order")],
)  # fmt: skip


# several index tensors at once


def _check_axes(types: tuple[TensorType, ...], axes: Any, extra: int) -> tuple[int, ...]:
    found = tuple(check_axis(axis, types[0].ndim, "axes") for axis in axes)
    if not found or len(set(found)) != len(found) or len(found) != len(types) - extra:
        raise ArgumentError(f"axes {axes} must name one axis for each of the {len(types) - extra} index tensors")
    return found


def _gather_shape(x: Shape, *indices: Shape, axes: tuple[int, ...]) -> Shape:
    return (*broadcast(*indices), *[size for i, size in enumerate(x) if i not in axes])


def _gather_key(
    x: np.ndarray, indices: Sequence[np.ndarray], axes: tuple[int, ...]
) -> tuple[np.ndarray, tuple[Any, ...]]:
    front = np.moveaxis(x, axes, range(len(axes)))
    return front, tuple(check_range(i, x.shape[a], a) for i, a in zip(indices, axes, strict=True))


def _gather_reference(x: np.ndarray, *indices: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    front, key = _gather_key(x, indices, axes)
    return front[key]


def _batch_gather(is_batched: Sequence[bool], x: Node, *indices: Node, axes: tuple[int, ...]) -> Node:
    marks = is_batched[1:]
    rank = max(i.ndim - mark for i, mark in zip(indices, marks, strict=True))
    if not any(marks):
        y = gather(x, *indices, axes=tuple(a + 1 for a in axes))  # (indices..., B, others)
        return moved(y, (rank, *range(rank), *range(rank + 1, y.ndim)))
    aligned = [lift_rank(i, rank) if mark else i for i, mark in zip(indices, marks, strict=True)]
    if not is_batched[0]:
        return gather(x, *aligned, axes=axes)
    return gather(x, batch_rows(sizes_of(x)[0], rank), *aligned, axes=(0, *[a + 1 for a in axes]))


gather: Op = card(
    "gather", "x *indices", params={"axes": REQUIRED}, kind=OTHER, public=False,
    param_docs={"axes": "The axis of x that each index tensor selects from."},
    summary="Select by several integer tensors, broadcast together; their axes come first in the result.",
    notes="Negative indices count from the end; an index out of range is an error.",
    canonical=lambda types, axes: {"axes": _check_axes(types, axes, 1)}, shape=_gather_shape, dtype=index_dtype,
    reference=_gather_reference, linear="first", batch=_batch_gather,
    gradient=lambda g, y, x, *indices, axes: (
        scatter(zeros_like(x), g, *indices, axes=axes, mode="add"), *[None] * len(indices)),
    cases=[Case((3, 4), np.array([0, 2]), np.array([1, -1]), axes=(0, 1)),
           Case((3, 4, 2), np.array([[0], [1]]), np.array([1, 2]), axes=(2, 0)),
           Case((3, 4), np.array(1), axes=(1,)), Case((3, 0), np.zeros((0, 2), int), axes=(0,))],
    bad=[BadCase((3, 4), np.array([3]), axes=(0,), error=IndexOutOfRangeError, match="index 3"),
         BadCase((3, 4), np.array([0, 1]), np.array([0, 1, 2]), axes=(0, 1), error=ShapeError,
                 match="do not broadcast"),
         BadCase((3, 4), np.array([0]), axes=(0, 0), error=ArgumentError, match="one axis for each")],
)  # fmt: skip


def _scatter_canonical(types: tuple[TensorType, ...], axes: Any, mode: str) -> dict[str, Any]:
    return {"axes": _check_axes(types, axes, 2), "mode": mode}


def _scatter_shape(x: Shape, updates: Shape, *indices: Shape, axes: tuple[int, ...], mode: str) -> Shape:
    _check_updates(updates, _gather_shape(x, *indices, axes=axes), 1)
    return x


def _scatter_dtype(x: DType, updates: DType, *indices: DType, axes: Any, mode: str) -> Any:
    check_indices(indices, 2)
    check_mode(mode, x)
    return update_dtype(x, updates, *indices)


def _scatter_reference(
    x: np.ndarray, updates: np.ndarray, *indices: np.ndarray, axes: tuple[int, ...], mode: str
) -> np.ndarray:
    front, key = _gather_key(x, indices, axes)
    _check_updates(updates.shape, _gather_shape(x.shape, *[i.shape for i in indices], axes=axes), 1)
    return np.moveaxis(combine(front, key, updates, mode), range(len(axes)), axes)


def _scatter_shares(
    y: Node, x: Node, updates: Node, indices: Sequence[Node], axes: tuple[int, ...], mode: str
) -> tuple[Any, ...]:
    def select(t: Node) -> Node:
        return gather(t, *indices, axes=axes)

    def put(t: Node, u: Node, how: str) -> Node:
        return scatter(t, u, *indices, axes=axes, mode=how)

    like = select(x)
    full = widened(updates, like)
    others = x.ndim - len(axes)
    number = counted([*sizes_of(like)[: like.ndim - others], *[1] * others])
    return select, put, full, Shares(y, x, full, mode, select, put, number)


def _scatter_gradient(g: Node, y: Node, x: Node, updates: Node, *indices: Node, axes: Any, mode: str) -> Any:
    if mode == "add":
        return g, sum_to(gather(g, *indices, axes=axes), updates), *[None] * len(indices)
    select, _, _, shares = _scatter_shares(y, x, updates, indices, axes, mode)
    return shares.of_own(g, True), sum_to(shares.of_new(select(g), True), updates), *[None] * len(indices)


def _scatter_tangent(t: Any, y: Node, x: Node, updates: Node, *indices: Node, axes: Any, mode: str) -> Node | None:
    _, put, full, shares = _scatter_shares(y, x, updates, indices, axes, mode)
    return _push(t[:2], x, full, shares, put)


def _batch_scatter(is_batched: Sequence[bool], x: Node, updates: Node, *indices: Node, axes: Any, mode: str) -> Node:
    size = batch_size(is_batched, (x, updates, *indices))
    marks = is_batched[2:]
    x = x if is_batched[0] else repeated(x, size)
    rank = max(i.ndim - mark for i, mark in zip(indices, marks, strict=True))
    aligned = [lift_rank(i, rank) if mark else i for i, mark in zip(indices, marks, strict=True)]
    if is_batched[1]:
        updates = lift_rank(updates, rank + x.ndim - 1 - len(axes))
    return scatter(x, updates, batch_rows(size, rank), *aligned, axes=(0, *[a + 1 for a in axes]), mode=mode)


scatter: Op = card(
    "scatter", "x updates *indices", params={"axes": REQUIRED, "mode": "set"}, kind=OTHER, public=False,
    param_docs={"axes": "The axis of x that each index tensor selects.", "mode": MODE_DOCS},
    summary="Put values in at positions given by several integer tensors, broadcast together.", notes=MODE_NOTES,
    canonical=_scatter_canonical, shape=_scatter_shape, dtype=_scatter_dtype, reference=_scatter_reference,
    gradient=_scatter_gradient, tangent=_scatter_tangent, batch=_batch_scatter,
    cases=[Case((3, 4), (2,), np.array([0, 2]), np.array([1, -1]), axes=(0, 1)),
           Case((3, 4), (2, 4), np.array([0, 0]), axes=(0,), mode="add"),
           Case((3, 4), (2, 4), np.array([0, 0]), axes=(0,)),
           Case((3, 4), (), np.array([1]), axes=(1,), mode="max"),
           Case((4,), (3,), np.array([1, 1, 0]), axes=(0,), mode="min"),
           Case((2, 3), (2, 1, 2), np.array([[0], [0]]), axes=(1,), mode="multiply"),
           Case((2,), (0,), np.zeros(0, int), axes=(0,))],
    bad=[BadCase((3, 4), (4,), np.array([3]), axes=(0,), error=IndexOutOfRangeError, match="index 3"),
         BadCase((3, 4), (5,), np.array([1]), axes=(0,), error=ShapeError, match="do not broadcast"),
         BadCase((3, 4), (1, 1, 4), np.array([1]), axes=(0,), error=ShapeError, match="selected shape (1, 4)"),
         BadCase((3, 4), (4,), np.array([1]), axes=(0,), mode="mean", error=ArgumentError, match="does not exist")],
)  # fmt: skip
