"""Selecting by position: slices, integer indices along an axis, and NumPy's general indexing as primitives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, DTypeError, IndexOutOfRangeError, ShapeError
from septet.base.shapes import Shape, broadcast, check_axis
from septet.graph.node import Node
from septet.graph.op import MOVEMENT, OTHER, REQUIRED, BadCase, Case, card, ops
from septet.graph.types import TensorType
from septet.ops.shaping import sum_to, zeros_like

_FLOAT_INDEX = BadCase((3, 4), (2,), error=DTypeError, match="indices must be integers")


def index_dtype(x: DType, *indices: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    """The first input's dtype; all others are integers."""
    for dtype in indices:
        if not dtypes.is_integer(dtype):
            raise DTypeError(
                f"indices must be integers, got {dtype.name}",
                hint="a boolean mask selects in x[mask]; convert with astype",
            )
    return (x, *indices), x


def check_range(indices: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Return the indices counted from the front.

    Raises
    ------
    IndexOutOfRangeError
        Naming the first offending index and where it stands.
    """
    wrong = (indices < -size) | (indices >= size)
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        at = f" at position {position if len(position) > 1 else position[0]}" if position else ""
        allowed = f"-{size} to {size - 1}" if size else "none: the axis is empty"
        raise IndexOutOfRangeError(
            f"index {int(indices[position])}{at} is out of range for axis {axis} with size {size} (allowed: {allowed})",
            marks=[(0, axis)],
        )
    return np.where(indices < 0, indices.astype(np.int64) + size, indices.astype(np.int64))


# slice


def _slice_canonical(types: tuple[TensorType, ...], slices: Any) -> dict[str, Any]:
    shape = types[0].shape
    if len(slices) != len(shape):
        raise ArgumentError(f"slice takes one (start, stop, step) for each of the {len(shape)} axes, got {len(slices)}")
    found: list[Any] = []
    for (start, stop, step), size in zip(slices, shape, strict=True):
        step = 1 if step is None else step
        if step == 0:
            raise ArgumentError("a slice's step cannot be 0")
        if size is None:
            found.append((start, stop, step))
            continue
        first, last, step = slice(start, stop, step).indices(size)
        count = len(range(first, last, step))
        if step < 0 and last < 0:
            last = None  # beyond the first element
        found.append((first, last, step) if count else (0, 0, 1))
    return {"slices": tuple(found)}


def _slice_shape(x: Shape, slices: Any) -> Shape:
    return tuple(
        None if size is None else len(range(*slice(*each).indices(size))) for size, each in zip(x, slices, strict=True)
    )


def _slice_gradient(g: Node, y: Node, x: Node, slices: Any) -> tuple[Node]:
    return (slice_transpose(g, x, slices=slices),)


def _one_further(slices: Any) -> Any:
    return ((None, None, 1), *slices)


def _slices(x: Shape, slices: Any) -> tuple[slice, ...]:
    return tuple(slice(*each) for each in slices)


slice_op = card(
    "slice", "x", params={"slices": REQUIRED}, kind=MOVEMENT, public=False,
    param_docs={"slices": "For each axis (start, stop, step), as Python's slices."}, summary="Select a slice on each axis.",
    canonical=_slice_canonical, shape=_slice_shape, dtype=lambda x, slices: ((x,), x), linear="all",
    reference=lambda x, slices: x[_slices(x.shape, slices)], gradient=_slice_gradient,
    batch=lambda is_batched, x, slices: slice_op(x, slices=_one_further(slices)),
    cases=[Case((5, 4), slices=((1, 4, 2), (None, None, None))), Case((5,), slices=((None, None, -1),)),
           Case((5,), slices=((3, 0, -2),)), Case((4,), slices=((2, 2, 1),)), Case((), slices=())],
    bad=[BadCase((5,), slices=((0, 2, 0),), error=ArgumentError, match="step cannot be 0"),
         BadCase((5, 2), slices=((0, 2, 1),), error=ArgumentError, match="each of the 2 axes")],
)  # fmt: skip


def _slice_transpose_reference(g: np.ndarray, x: np.ndarray, slices: Any) -> np.ndarray:
    result = np.zeros(x.shape, g.dtype)
    result[_slices(x.shape, slices)] = g
    return result


def _batch_slice_transpose(is_batched: Sequence[bool], g: Node, x: Node, slices: Any) -> Node:
    if not is_batched[1]:  # x gives nothing but its shape
        x = ops.broadcast_to(ops.reshape(x, shape=(1, *x.shape)), shape=(g.shape[0], *x.shape))
    if not is_batched[0]:
        return ops.broadcast_to(slice_transpose(g, ops.take(x, np.int64(0), axis=0), slices=slices), shape=x.shape)
    return slice_transpose(g, x, slices=_one_further(slices))


slice_transpose = card(
    "slice_transpose", "g x", params={"slices": REQUIRED}, kind=MOVEMENT, public=False,
    param_docs={"slices": "For each axis (start, stop, step)."},
    summary="Put a slice back into zeros of the shape of x: the transpose of `slice`.",
    shape=lambda g, x, slices: x, dtype=lambda g, x, slices: ((g, x), g), reference=_slice_transpose_reference,
    gradient=lambda g, y, s, x, slices: (slice_op(g, slices=slices), None),
    tangent=lambda t, y, g, x, slices: None if t[0] is None else slice_transpose(t[0], x, slices=slices),
    batch=_batch_slice_transpose,
    cases=[Case((2, 4), (5, 4), slices=((1, 4, 2), (None, None, 1))), Case((5,), (5,), slices=((None, None, -1),))],
    bad=[BadCase((2,), slices=(), error=ArgumentError, match="takes 2 inputs")],
)  # fmt: skip


# take: whole rows along one axis


def _take_canonical(types: tuple[TensorType, ...], axis: Any) -> dict[str, Any]:
    return {"axis": check_axis(axis, types[0].ndim)}


def _take_reference(x: np.ndarray, indices: np.ndarray, axis: int) -> np.ndarray:
    return np.take(x, check_range(indices, x.shape[axis], axis), axis=axis)


def _take_gradient(g: Node, y: Node, x: Node, indices: Node, axis: int) -> tuple[Node, None]:
    return take_transpose(g, indices, x, axis=axis), None


def _batch_take(is_batched: Sequence[bool], x: Node, indices: Node, axis: int) -> Node:
    if not is_batched[1]:
        return take(x, indices, axis=axis + 1)
    if not is_batched[0]:
        y = take(x, indices, axis=axis)
        return ops.transpose(y, axes=(axis, *[i for i in range(y.ndim) if i != axis]))
    key = [ops.iota(shape=(x.shape[0],), axis=0, dtype=dtypes.int64), indices]
    rest = indices.ndim - 1
    rows = ops.reshape(key[0], shape=(x.shape[0], *[1] * rest))
    moved = ops.transpose(x, axes=(0, axis + 1, *[i for i in range(1, x.ndim) if i != axis + 1]))
    y = gather(moved, rows, indices, axes=(0, 1))  # (B, indices..., others)
    front = list(range(rest + 1, rest + 1 + axis))
    return ops.transpose(y, axes=(0, *front, *range(1, rest + 1), *range(rest + 1 + axis, y.ndim)))


take = card(
    "take", "x indices", params={"axis": REQUIRED}, kind=MOVEMENT, public=False,
    param_docs={"axis": "The axis that is indexed."},
    summary="Select rows along an axis by integer indices of any shape.",
    notes="Negative indices count from the end; an index out of range is an error.", canonical=_take_canonical,
    shape=lambda x, indices, axis: (*x[:axis], *indices, *x[axis + 1 :]), dtype=index_dtype,
    reference=_take_reference, gradient=_take_gradient, linear="first", batch=_batch_take,
    cases=[Case((5, 3), np.array([0, 2, -1, 2]), axis=0), Case((2, 4), np.array([[1, 0], [3, 3]]), axis=1),
           Case((4,), np.array(2), axis=0), Case((4, 2), np.zeros((0,), np.int64), axis=0)],
    bad=[BadCase((3, 4), np.array([0, 3]), axis=0, error=IndexOutOfRangeError, match="index 3 at position 1"),
         BadCase((3, 4), (2,), axis=0, error=DTypeError, match="indices must be integers"),
         BadCase((3, 4), np.array([0]), axis=2, error=ArgumentError, match="out of range")],
)  # fmt: skip


def _take_transpose_reference(g: np.ndarray, indices: np.ndarray, x: np.ndarray, axis: int) -> np.ndarray:
    result = np.zeros(x.shape, dtypes.accumulator_of(g.dtype))
    moved = np.moveaxis(result, axis, 0)
    rows = check_range(indices, x.shape[axis], axis).reshape(-1)
    count = indices.ndim
    g = np.moveaxis(g, range(axis, axis + count), range(count)).reshape(rows.shape[0], *moved.shape[1:])
    np.add.at(moved, rows, g)
    return result


def _batch_take_transpose(is_batched: Sequence[bool], g: Node, indices: Node, x: Node, axis: int) -> Node:
    size = next(n.shape[0] for n, flag in zip((g, indices, x), is_batched, strict=True) if flag)

    def full(node: Node, flag: bool) -> Node:
        if flag:
            return node
        return ops.broadcast_to(ops.reshape(node, shape=(1, *node.shape)), shape=(size, *node.shape))

    g, indices, x = (full(n, f) for n, f in zip((g, indices, x), is_batched, strict=True))
    rest = indices.ndim - 1
    rows = ops.reshape(ops.iota(shape=(size,), axis=0, dtype=dtypes.int64), shape=(size, *[1] * rest))
    order = (0, axis + 1, *[i for i in range(1, x.ndim) if i != axis + 1])
    moved = ops.transpose(x, axes=order)
    inner = tuple(range(1 + axis, 1 + axis + rest))
    g = ops.transpose(g, axes=(0, *inner, *[i for i in range(1, g.ndim) if i not in inner]))
    y = scatter(zeros_like(moved), g, rows, indices, axes=(0, 1), mode="add")
    return ops.transpose(y, axes=tuple(int(i) for i in np.argsort(order)))


take_transpose = card(
    "take_transpose", "g indices x", params={"axis": REQUIRED}, kind=OTHER, public=False,
    param_docs={"axis": "The axis that was indexed."},
    summary="Add rows into zeros of the shape of x: the transpose of `take`.", canonical=lambda types, axis: {"axis": axis},
    shape=lambda g, indices, x, axis: x, dtype=lambda g, indices, x, axis: ((g, indices, x), g),
    reference=_take_transpose_reference, gradient=lambda t, y, g, indices, x, axis: (take(t, indices, axis=axis), None, None),
    tangent=lambda t, y, g, indices, x, axis: None if t[0] is None else take_transpose(t[0], indices, x, axis=axis),
    batch=_batch_take_transpose,
    cases=[Case((4, 3), np.array([0, 2, -1, 2]), (5, 3), axis=0), Case((2, 2, 2), np.array([[1, 0], [3, 3]]), (2, 4), axis=1)],
    bad=[BadCase((2, 2), np.array([0, 9]), (3, 2), axis=0, error=IndexOutOfRangeError, match="index 9 at position 1")],
)  # fmt: skip


# along an axis


def _along_shape(x: Shape, indices: Shape, *_: Shape, axis: int, **__: Any) -> Shape:
    if len(x) != len(indices):
        raise ShapeError(f"indices need the rank of x: {len(indices)} against {len(x)}")
    result = []
    for i, (size, own) in enumerate(zip(x, indices, strict=True)):
        if i != axis and size != own and 1 not in (size, own) and None not in (size, own):
            raise ShapeError(f"axis {i} of x has size {size}, of the indices {own}", marks=[(0, i), (1, i)])
        result.append(own if i == axis or size in (1, None) else size)
    return tuple(result)


def _along_key(x: np.ndarray, indices: np.ndarray, axis: int) -> tuple[Any, ...]:
    shape = [max(a, b) if i != axis else b for i, (a, b) in enumerate(zip(x.shape, indices.shape, strict=True))]
    shape = [
        0 if 0 in (a, b) and i != axis else s
        for i, (s, a, b) in enumerate(zip(shape, x.shape, indices.shape, strict=True))
    ]
    grid: list[Any] = []
    for i, size in enumerate(x.shape):
        if i == axis:
            grid.append(np.broadcast_to(check_range(indices, size, axis), shape))
        else:
            own = np.zeros(1, np.int64) if size == 1 else np.arange(size)
            grid.append(own.reshape([-1 if j == i else 1 for j in range(x.ndim)]))
    return tuple(grid)


def _batch_along(is_batched: Sequence[bool], x: Node, indices: Node, axis: int) -> Node:
    x = x if is_batched[0] else ops.reshape(x, shape=(1, *x.shape))
    indices = indices if is_batched[1] else ops.reshape(indices, shape=(1, *indices.shape))
    return take_along_axis(x, indices, axis=axis + 1)


def _along_gradient(g: Node, y: Node, x: Node, indices: Node, axis: int) -> tuple[Node, None]:
    return scatter_along_axis(zeros_like(x), indices, g, axis=axis, mode="add"), None


take_along_axis = card(
    "take_along_axis", "x indices", params={"axis": -1}, kind=OTHER,
    param_docs={"axis": "The axis that is indexed."},
    summary="Select one element for each index along an axis; other axes are matched and broadcast.",
    notes="Negative indices count from the end; an index out of range is an error.", canonical=_take_canonical,
    shape=_along_shape, dtype=index_dtype, linear="first", gradient=_along_gradient, batch=_batch_along,
    reference=lambda x, indices, axis: x[_along_key(x, indices, axis)],
    cases=[Case((3, 4), np.array([[0], [3], [-1]]), axis=1), Case((3, 4), np.array([[2, 0, 1, 1]]), axis=0),
           Case((4,), np.array([1, 1, 0]))],
    bad=[BadCase((3, 4), np.array([[4]]), axis=1, error=IndexOutOfRangeError, match="index 4 at position (0, 0)"),
         BadCase((3, 4), np.array([0]), axis=1, error=ShapeError, match="need the rank of x")],
)  # fmt: skip

MODES = ("set", "add", "max", "min")
_UFUNCS: dict[str, Any] = {"add": np.add, "max": np.maximum, "min": np.minimum}


def check_mode(mode: Any) -> None:
    """Refuse a way of combining that does not exist."""
    if mode not in MODES:
        raise ArgumentError(f"mode {mode!r} does not exist; the modes are {', '.join(MODES)}")


def combine(target: np.ndarray, key: Any, values: np.ndarray, mode: str) -> np.ndarray:
    """Return a copy of `target` with values put in at `key`."""
    wide = dtypes.accumulator_of(target.dtype) if mode == "add" else target.dtype
    result = target.astype(wide)
    if mode == "set":
        result[key] = values
    else:
        _UFUNCS[mode].at(result, key, values)
    return result


def _scatter_along_dtype(x: DType, indices: DType, updates: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    index_dtype(x, indices)
    return (x, indices, x), x


def _scatter_along_shape(x: Shape, indices: Shape, updates: Shape, axis: int, mode: str) -> Shape:
    selected = _along_shape(x, indices, axis=axis)
    if broadcast(selected, updates) != selected and None not in (*selected, *updates):
        raise ShapeError(
            f"updates {updates} do not broadcast to the selected {selected}", marks=[(2, 0)] if updates else []
        )
    return x


def _scatter_along_canonical(types: tuple[TensorType, ...], axis: Any, mode: str) -> dict[str, Any]:
    check_mode(mode)
    return {"axis": check_axis(axis, types[0].ndim), "mode": mode}


def scatter_pull(g: Node, y: Node, x: Node, updates: Node, select: Any, put_zero: Any, mode: str) -> tuple[Node, Node]:
    """The gradients of a scatter with respect to the target and the updates, the latter before summing broadcasts."""
    if mode == "add":
        return g, select(g)
    if mode == "set":
        return put_zero(g), select(g)
    zero = g * 0
    from_x = ops.where(ops.equal(x, y), g, zero)
    chosen = select(g)
    return from_x, ops.where(ops.equal(select(y), updates), chosen, chosen * 0)


def _scatter_along_gradient(g: Node, y: Node, x: Node, indices: Node, updates: Node, axis: int, mode: str) -> Any:
    gx, gu = scatter_pull(
        g, y, x, updates, lambda t: take_along_axis(t, indices, axis=axis),
        lambda t: scatter_along_axis(t, indices, updates * 0, axis=axis, mode="set"), mode,
    )  # fmt: skip
    return gx, None, sum_to(gu, updates)


def _batch_scatter_along(
    is_batched: Sequence[bool], x: Node, indices: Node, updates: Node, axis: int, mode: str
) -> Node:
    size = next(n.shape[0] for n, flag in zip((x, indices, updates), is_batched, strict=True) if flag)
    if not is_batched[0]:
        x = ops.broadcast_to(ops.reshape(x, shape=(1, *x.shape)), shape=(size, *x.shape))
    indices = indices if is_batched[1] else ops.reshape(indices, shape=(1, *indices.shape))
    missing = x.ndim - updates.ndim - (0 if is_batched[2] else 1)
    if is_batched[2]:
        updates = ops.reshape(updates, shape=(size, *[1] * missing, *updates.shape[1:]))
    return scatter_along_axis(x, indices, updates, axis=axis + 1, mode=mode)


scatter_along_axis = card(
    "scatter_along_axis", "x indices updates", params={"axis": -1, "mode": "set"}, kind=OTHER, aliases=["put_along_axis"],
    param_docs={"axis": "The axis that is indexed.", "mode": "set, add, max or min: how a value meets what is there."},
    summary="Put values in at one index each along an axis.",
    notes="Repeated indices: add, max and min take all of them, set the last one.",
    canonical=_scatter_along_canonical, shape=_scatter_along_shape, dtype=_scatter_along_dtype,
    reference=lambda x, indices, updates, axis, mode: combine(x, _along_key(x, indices, axis), updates, mode),
    gradient=_scatter_along_gradient, batch=_batch_scatter_along,
    cases=[Case((3, 4), np.array([[0], [3], [-1]]), (3, 1), axis=1), Case((3, 4), np.array([[2, 0, 1, 1]]), (1, 4), axis=0, mode="add"),
           Case((4,), np.array([1, 3, 1]), (3,), mode="add"), Case((4,), np.array([1, 3]), (2,), mode="max")],
    bad=[BadCase((4,), np.array([4]), (1,), error=IndexOutOfRangeError, match="index 4"),
         BadCase((4,), np.array([1]), (1,), mode="mean", error=ArgumentError, match="mode 'mean' does not exist")],
)  # fmt: skip


# several index arrays at once


def _check_axes_param(types: tuple[TensorType, ...], axes: Any, extra: int) -> tuple[int, ...]:
    found = tuple(check_axis(axis, types[0].ndim, "axes") for axis in axes)
    if len(set(found)) != len(found) or len(found) != len(types) - extra:
        raise ArgumentError(f"axes {axes} must name one axis for each of the {len(types) - extra} index tensors")
    return found


def _gather_shape(x: Shape, *indices: Shape, axes: tuple[int, ...]) -> Shape:
    return (*broadcast(*indices), *[size for i, size in enumerate(x) if i not in axes])


def _gather_key(
    x: np.ndarray, indices: Sequence[np.ndarray], axes: tuple[int, ...]
) -> tuple[np.ndarray, tuple[Any, ...]]:
    moved = np.moveaxis(x, axes, range(len(axes)))
    return moved, tuple(check_range(i, x.shape[a], a) for i, a in zip(indices, axes, strict=True))


def _gather_reference(x: np.ndarray, *indices: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    moved, key = _gather_key(x, indices, axes)
    return moved[key]


def _batch_gather(is_batched: Sequence[bool], x: Node, *indices: Node, axes: tuple[int, ...]) -> Node:
    rank = max(i.ndim - flag for i, flag in zip(indices, is_batched[1:], strict=True))
    sizes = [i.shape[0] for i, flag in zip((x, *indices), is_batched, strict=True) if flag]
    aligned = [
        ops.reshape(i, shape=(i.shape[0], *[1] * (rank + 1 - i.ndim), *i.shape[1:])) if flag else i
        for i, flag in zip(indices, is_batched[1:], strict=True)
    ]
    if not is_batched[0]:
        return gather(x, *aligned, axes=axes)
    rows = ops.reshape(ops.iota(shape=(sizes[0],), axis=0, dtype=dtypes.int64), shape=(sizes[0], *[1] * rank))
    return gather(x, rows, *aligned, axes=(0, *[a + 1 for a in axes]))


gather = card(
    "gather", "x *indices", params={"axes": REQUIRED}, kind=OTHER, public=False,
    param_docs={"axes": "The axis of x that each index tensor selects from."},
    summary="Select by several integer tensors, broadcast together; their axes come first in the result.",
    canonical=lambda types, axes: {"axes": _check_axes_param(types, axes, 1)}, shape=_gather_shape, dtype=index_dtype,
    reference=_gather_reference, linear="first", batch=_batch_gather,
    gradient=lambda g, y, x, *indices, axes: (
        scatter(zeros_like(x), g, *indices, axes=axes, mode="add"), *[None] * len(indices)),
    cases=[Case((3, 4), np.array([0, 2]), np.array([1, -1]), axes=(0, 1)), Case((3, 4, 2), np.array([[0], [1]]), np.array([1, 2]), axes=(2, 0))],
    bad=[BadCase((3, 4), np.array([3]), axes=(0,), error=IndexOutOfRangeError, match="index 3"),
         BadCase((3, 4), np.array([0]), axes=(0, 0), error=ArgumentError, match="one axis for each")],
)  # fmt: skip


def _scatter_canonical(types: tuple[TensorType, ...], axes: Any, mode: str) -> dict[str, Any]:
    check_mode(mode)
    return {"axes": _check_axes_param(types, axes, 2), "mode": mode}


def _scatter_shape(x: Shape, updates: Shape, *indices: Shape, axes: tuple[int, ...], mode: str) -> Shape:
    selected = _gather_shape(x, *indices, axes=axes)
    if len(updates) > len(selected) or broadcast(selected, updates) != selected and None not in (*selected, *updates):
        raise ShapeError(
            f"updates {updates} do not broadcast to the selected {selected}", marks=[(1, 0)] if updates else []
        )
    return x


def _scatter_rule(x: DType, updates: DType, *indices: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    index_dtype(x, *indices)
    return (x, x, *indices), x


def _scatter_reference(
    x: np.ndarray, updates: np.ndarray, *indices: np.ndarray, axes: tuple[int, ...], mode: str
) -> np.ndarray:
    moved, key = _gather_key(x, indices, axes)
    return np.moveaxis(combine(moved, key, updates, mode), range(len(axes)), axes)


def _scatter_gradient(g: Node, y: Node, x: Node, updates: Node, *indices: Node, axes: Any, mode: str) -> Any:
    gx, gu = scatter_pull(
        g, y, x, updates, lambda t: gather(t, *indices, axes=axes),
        lambda t: scatter(t, updates * 0, *indices, axes=axes, mode="set"), mode,
    )  # fmt: skip
    return gx, sum_to(gu, updates), *[None] * len(indices)


def _batch_scatter(is_batched: Sequence[bool], x: Node, updates: Node, *indices: Node, axes: Any, mode: str) -> Node:
    size = next(n.shape[0] for n, flag in zip((x, updates, *indices), is_batched, strict=True) if flag)
    if not is_batched[0]:
        x = ops.broadcast_to(ops.reshape(x, shape=(1, *x.shape)), shape=(size, *x.shape))
    rank = max(i.ndim - flag for i, flag in zip(indices, is_batched[2:], strict=True))
    rows = ops.reshape(ops.iota(shape=(size,), axis=0, dtype=dtypes.int64), shape=(size, *[1] * rank))
    aligned = [
        ops.reshape(i, shape=(i.shape[0], *[1] * (rank + 1 - i.ndim), *i.shape[1:])) if flag else i
        for i, flag in zip(indices, is_batched[2:], strict=True)
    ]
    if is_batched[1]:
        full = rank + x.ndim - 1 - len(axes)
        updates = ops.reshape(updates, shape=(size, *[1] * (full + 1 - updates.ndim), *updates.shape[1:]))
    return scatter(x, updates, rows, *aligned, axes=(0, *[a + 1 for a in axes]), mode=mode)


scatter = card(
    "scatter", "x updates *indices", params={"axes": REQUIRED, "mode": "set"}, kind=OTHER, public=False,
    param_docs={"axes": "The axis of x that each index tensor selects.", "mode": "set, add, max or min."},
    summary="Put values in at positions given by several integer tensors, broadcast together.",
    notes="Repeated positions: add, max and min take all of them, set the last one.", canonical=_scatter_canonical,
    shape=_scatter_shape, dtype=_scatter_rule, reference=_scatter_reference, gradient=_scatter_gradient,
    batch=_batch_scatter,
    cases=[Case((3, 4), (2,), np.array([0, 2]), np.array([1, -1]), axes=(0, 1)), Case((3, 4), (2, 4), np.array([0, 0]), axes=(0,), mode="add"),
           Case((3, 4), (), np.array([1]), axes=(1,), mode="max")],
    bad=[BadCase((3, 4), (4,), np.array([3]), axes=(0,), error=IndexOutOfRangeError, match="index 3"),
         BadCase((3, 4), (5,), np.array([1]), axes=(0,), error=ShapeError, match="do not broadcast")],
)  # fmt: skip
