"""Slices: of fixed places, or of a fixed size at places that are tensors; and putting them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, DTypeError, IndexOutOfRangeError, ShapeError
from septet.base.shapes import Shape, cut
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import MOVEMENT, OTHER, REQUIRED, BadCase, Case, Op, as_node, card, function, ops, record
from septet.graph.types import TensorType
from septet.ops.shaping import broadcast_to, fill_sizes, reshape, sizes_of, split_sizes, zeros_like

Slices = tuple[tuple[int | None, int | None, int], ...]

# What batching rules of movements share.


def batch_size(is_batched: Sequence[bool], inputs: Sequence[Node]) -> int | Node:
    """Return the size of the batch: an int, or a node where it is not known."""
    return next(sizes_of(x)[0] for x, mark in zip(inputs, is_batched, strict=True) if mark)


def repeated(x: Node, size: int | Node) -> Node:
    """Repeat along a new first axis."""
    return broadcast_to(reshape(x, (1, *sizes_of(x))), (size, *sizes_of(x)))


def batch_rows(size: int | Node, rank: int) -> Node:
    """Return the numbers of the examples, with the batch on axis 0 and `rank` axes of size 1 behind it."""
    static, dynamic = split_sizes((size,))
    line = record(ops.iota, dynamic, (static, 0, dtypes.int64))
    return reshape(line, (size, *[1] * rank))


def lift_rank(x: Node, rank: int) -> Node:
    """Give a batched tensor axes of size 1 behind the batch, up to a rank without it: it broadcasts as before."""
    sizes = sizes_of(x)
    return x if x.ndim == rank + 1 else reshape(x, (sizes[0], *[1] * (rank + 1 - x.ndim), *sizes[1:]))


# slice


def _slice_canonical(types: tuple[TensorType, ...], slices: Any) -> dict[str, Any]:
    shape = types[0].shape
    if len(slices) != len(shape):
        raise ArgumentError(f"takes one (start, stop, step) for each of the {len(shape)} axes, got {len(slices)}")
    found: list[Any] = []
    for (start, stop, step), size in zip(slices, shape, strict=True):
        step = 1 if step is None else step
        if step == 0:
            raise ArgumentError("a slice's step cannot be 0")
        if size is None:
            found.append((start, stop, step))
            continue
        first, last, step, count = cut(start, stop, step, size)
        if count == 0:
            found.append((0, 0, 1))
        elif step < 0 and last < 0:
            found.append((first, None, step))  # up to and with the first element
        else:
            found.append((first, last, step))
    return {"slices": tuple(found)}


def _slice_shape(x: Shape, *_: Shape, slices: Slices) -> Shape:
    return tuple(None if size is None else cut(*each, size)[3] for size, each in zip(x, slices, strict=True))


def _key(slices: Slices) -> tuple[slice, ...]:
    return tuple([slice(*each) for each in slices])


def _one_further(slices: Slices) -> Slices:
    return ((None, None, 1), *slices)


slice_op: Op = card(
    "slice", "x", params={"slices": REQUIRED}, kind=MOVEMENT, public=False, properties=["view"],
    param_docs={"slices": "For each axis (start, stop, step), with the meaning of Python's slices."},
    summary="Select a slice on each axis.", canonical=_slice_canonical, shape=_slice_shape,
    dtype=lambda x, slices: ((x,), x), reference=lambda x, slices: x[_key(slices)], linear="all",
    gradient=lambda g, y, x, slices: (update_slice(zeros_like(x), g, slices=slices),),
    batch=lambda is_batched, x, slices: slice_op(x, slices=_one_further(slices)),
    cases=[Case((5, 4), slices=((1, 4, 2), (None, None, None))), Case((5,), slices=((None, None, -1),)),
           Case((5,), slices=((3, 0, -2),)), Case((5,), slices=((-2, -9, -1),)), Case((4,), slices=((2, 2, 1),)),
           Case((0, 2), slices=((None, None, -1), (1, None, 1))), Case((), slices=())],
    bad=[BadCase((5,), slices=((0, 2, 0),), error=ArgumentError, match="step cannot be 0"),
         BadCase((5, 2), slices=((0, 2, 1),), error=ArgumentError, match="each of the 2 axes")],
)  # fmt: skip


# update_slice


def _check_fits(update: Shape, selected: Shape) -> None:
    """Refuse an update that does not have the shape of what it replaces."""
    if len(update) != len(selected):
        raise ShapeError(f"an update of rank {len(update)} does not replace a slice of shape {shape_text(selected)}")
    bad = [
        (1, axis)
        for axis, (a, b) in enumerate(zip(update, selected, strict=True))
        if a != b and None not in (a, b)
    ]  # fmt: skip
    if bad:
        raise ShapeError(
            f"an update of shape {shape_text(update)} does not replace a slice of shape {shape_text(selected)}",
            marks=bad,
        )


def _update_shape(x: Shape, update: Shape, slices: Slices) -> Shape:
    _check_fits(update, _slice_shape(x, slices=slices))
    return x


def _update_reference(x: np.ndarray, update: np.ndarray, slices: Slices) -> np.ndarray:
    result = x.copy()
    key: Any = (*_key(slices), ...)
    part = result[key]  # the dots: a view, for scalars too
    _check_fits(update.shape, part.shape)
    part[...] = update
    return result


def _batch_update(is_batched: Sequence[bool], x: Node, update: Node, slices: Slices) -> Node:
    size = batch_size(is_batched, (x, update))
    x, update = (v if mark else repeated(v, size) for v, mark in zip((x, update), is_batched, strict=True))
    return update_slice(x, update, slices=_one_further(slices))


def update_dtype(x: DType, update: DType, *others: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    """The dtype rule of updates: the new values are converted to the dtype of what they go into."""
    return (x, x, *others), x


update_slice: Op = card(
    "update_slice", "x update", params={"slices": REQUIRED}, kind=MOVEMENT, public=False,
    param_docs={"slices": "For each axis (start, stop, step), with the meaning of Python's slices."},
    summary="Replace a slice on each axis.", canonical=_slice_canonical, shape=_update_shape, dtype=update_dtype,
    reference=_update_reference, linear="all", batch=_batch_update,
    gradient=lambda g, y, x, update, slices: (
        update_slice(g, zeros_like(update), slices=slices), slice_op(g, slices=slices)),
    cases=[Case((5, 4), (2, 4), slices=((1, 4, 2), (None, None, 1))), Case((5,), (5,), slices=((None, None, -1),)),
           Case((5,), (2,), slices=((3, 0, -2),)), Case((4,), (0,), slices=((2, 2, 1),)), Case((), (), slices=())],
    bad=[BadCase((5,), (3,), slices=((0, 2, 1),), error=ShapeError, match="does not replace a slice of shape (2,)"),
         BadCase((5,), (), slices=((0, 2, 1),), error=ShapeError, match="of rank 0"),
         BadCase((5,), (2,), slices=(), error=ArgumentError, match="each of the 1 axes")],
)  # fmt: skip


# dynamic_slice: fixed sizes, places that are tensors


def _check_scalars(names: str, given: Sequence[DType], offset: int) -> None:
    for position, dtype in enumerate(given):
        if not dtypes.is_integer(dtype):
            raise DTypeError(
                f"{names} must be integers, argument {position + offset} is {dtype.name}",
                hint="convert with .astype(int)",
            )


def _check_starts(starts: Sequence[Shape], rank: int, offset: int) -> None:
    if len(starts) != rank:
        raise ArgumentError(f"takes one start for each of the {rank} axes, got {len(starts)}")
    for position, start in enumerate(starts):
        if start != ():
            raise ShapeError(
                f"a start is a scalar, that of axis {position} has shape {shape_text(start)}",
                marks=[(position + offset, 0)],
            )


def _dynamic_canonical(types: tuple[TensorType, ...], sizes: Any) -> dict[str, Any]:
    sizes = tuple(sizes)
    if len(sizes) != types[0].ndim:
        raise ArgumentError(f"takes one size for each of the {types[0].ndim} axes, got {len(sizes)}")
    return {"sizes": sizes}


def _dynamic_shape(x: Shape, *scalars: Shape, sizes: Shape) -> Shape:
    _check_starts(scalars[: len(scalars) - sizes.count(None)], len(x), 1)
    for axis, (size, own) in enumerate(zip(sizes, x, strict=True)):
        if size is not None and own is not None and size > own:
            raise ShapeError(f"size {size} is more than axis {axis} has ({own})", marks=[(0, axis)])
    return sizes


def _dynamic_dtype(x: DType, *scalars: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    _check_scalars("starts and sizes", scalars, 1)
    return (x, *scalars), x


def _places(shape: Sequence[int], starts: Sequence[Any], sizes: Sequence[int]) -> tuple[slice, ...]:
    """Return the slices that begin at some starts.

    Raises
    ------
    IndexOutOfRangeError
        If one does not lie inside its axis as a whole.
    """
    found = []
    for axis, (whole, start, size) in enumerate(zip(shape, starts, sizes, strict=True)):
        start = int(start)
        first = start + whole if start < 0 else start
        if first < 0 or size < 0 or first + size > whole:
            allowed = f"-{whole} to {whole - size}" if 0 <= size <= whole else "none"
            raise IndexOutOfRangeError(
                f"a slice of {size} from {start} leaves axis {axis} with size {whole} (starts allowed: {allowed})",
                marks=[(0, axis)],
            )
        found.append(slice(first, first + size))
    return tuple(found)


def _dynamic_reference(x: np.ndarray, *scalars: np.ndarray, sizes: Shape) -> np.ndarray:
    starts, rest = scalars[: x.ndim], scalars[x.ndim :]
    return x[_places(x.shape, starts, fill_sizes(sizes, rest))]


def _dynamic_gradient(g: Node, y: Node, x: Node, *scalars: Node, sizes: Shape) -> tuple[Node | None, ...]:
    return dynamic_update_slice(zeros_like(x), g, *scalars[: x.ndim]), *[None] * len(scalars)


def _grid(
    starts: Sequence[Node], is_batched: Sequence[bool], x_sizes: Sequence[Any], sizes: Sequence[Any]
) -> list[Node]:
    """Return the indices, for each axis, of slices whose starts differ within a batch: (B, 1, .., size, .., 1)."""
    rank, found = len(sizes), []
    for axis, (start, mark, whole, size) in enumerate(zip(starts, is_batched, x_sizes, sizes, strict=True)):
        start = ops.cast(start, dtype=dtypes.int64)
        own = ops.where(ops.less(start, as_node(0, dtypes.int64)), start + whole, start)
        # a start before the first element goes behind the last one, where it is an error too and not one from the end
        own = ops.where(ops.less(own, as_node(0, dtypes.int64)), own * 0 + whole, own)
        static, dynamic = split_sizes((size,))
        line = record(ops.iota, dynamic, (static, 0, dtypes.int64))
        line = reshape(line, tuple(size if i == axis else 1 for i in range(rank)))
        found.append(line + (reshape(own, (sizes_of(own)[0], *[1] * rank)) if mark else own))
    return found


def _batch_dynamic(is_batched: Sequence[bool], x: Node, *scalars: Node, sizes: Shape) -> Node:
    rank = len(sizes)
    starts, rest = scalars[:rank], scalars[rank:]
    marks = is_batched[1 : rank + 1]
    if any(is_batched[rank + 1 :]):
        raise ArgumentError("dynamic_slice: sizes cannot differ within a batch")
    if not any(marks):
        size = sizes_of(x)[0]
        static, dynamic = split_sizes((size,))
        return dynamic_slice(x, as_node(0, dtypes.int64), *starts, *dynamic, *rest, sizes=(*static, *sizes))
    given = iter(rest)
    wanted = [next(given) if size is None else size for size in sizes]
    whole = sizes_of(x)[1:] if is_batched[0] else sizes_of(x)
    grid = _grid(starts, marks, whole, wanted)
    if not is_batched[0]:
        return ops.gather(x, *grid, axes=tuple(range(rank)))
    return ops.gather(x, batch_rows(sizes_of(x)[0], rank), *grid, axes=tuple(range(rank + 1)))


dynamic_slice: Op = card(
    "dynamic_slice", "x *scalars", params={"sizes": REQUIRED}, kind=OTHER, public=False, sizes="sizes",
    param_docs={"sizes": "The size on each axis; None takes a size input after the starts."},
    summary="Select a block of fixed size at starts that are tensors.",
    notes="A negative start counts from the end. A block that leaves the tensor is an error: it is never moved.",
    canonical=_dynamic_canonical, shape=_dynamic_shape, dtype=_dynamic_dtype, reference=_dynamic_reference,
    gradient=_dynamic_gradient, linear="first", batch=_batch_dynamic,
    tangent=lambda t, y, x, *scalars, sizes: None if t[0] is None else dynamic_slice(t[0], *scalars, sizes=sizes),
    cases=[Case((5, 4), np.array(2), np.array(0), sizes=(3, 2)), Case((5,), np.array(-3), sizes=(2,)),
           Case((5,), np.array(5), sizes=(0,)), Case((), sizes=()),
           Case((5,), np.array(1), np.array(2), sizes=(None,))],
    bad=[BadCase((5,), np.array(4), sizes=(2,), error=IndexOutOfRangeError, match="a slice of 2 from 4 leaves axis 0"),
         BadCase((5,), np.array(-6), sizes=(2,), error=IndexOutOfRangeError, match="starts allowed: -5 to 3"),
         BadCase((5,), np.array(0), sizes=(6,), error=ShapeError, match="size 6 is more than axis 0 has"),
         BadCase((5, 2), np.array(0), sizes=(1, 1), error=ArgumentError, match="one start for each of the 2 axes"),
         BadCase((5,), np.array(0.5), sizes=(1,), error=DTypeError, match="must be integers")],
)  # fmt: skip


# dynamic_update_slice


def _dynamic_update_shape(x: Shape, update: Shape, *starts: Shape) -> Shape:
    _check_starts(starts, len(x), 2)
    if len(update) != len(x):
        raise ShapeError(f"an update of rank {len(update)} does not go into a tensor of rank {len(x)}")
    for axis, (size, own) in enumerate(zip(update, x, strict=True)):
        if size is not None and own is not None and size > own:
            raise ShapeError(f"size {size} is more than axis {axis} has ({own})", marks=[(0, axis), (1, axis)])
    return x


def _dynamic_update_dtype(x: DType, update: DType, *starts: DType) -> tuple[tuple[DType, ...], DType]:
    _check_scalars("starts", starts, 2)
    return update_dtype(x, update, *starts)


def _dynamic_update_reference(x: np.ndarray, update: np.ndarray, *starts: np.ndarray) -> np.ndarray:
    result = x.copy()
    result[_places(x.shape, starts, update.shape)] = update
    return result


def _dynamic_update_gradient(g: Node, y: Node, x: Node, update: Node, *starts: Node) -> tuple[Node | None, ...]:
    static, dynamic = split_sizes(sizes_of(update))
    taken = dynamic_slice(g, *starts, *dynamic, sizes=static)
    return dynamic_update_slice(g, zeros_like(update), *starts), taken, *[None] * len(starts)


def _dynamic_update_tangent(t: Sequence[Node | None], y: Node, x: Node, update: Node, *starts: Node) -> Node | None:
    if t[0] is None and t[1] is None:
        return None
    return dynamic_update_slice(
        zeros_like(x) if t[0] is None else t[0], zeros_like(update) if t[1] is None else t[1], *starts
    )


def _batch_dynamic_update(is_batched: Sequence[bool], x: Node, update: Node, *starts: Node) -> Node:
    size = batch_size(is_batched, (x, update, *starts))
    x, update = (v if mark else repeated(v, size) for v, mark in zip((x, update), is_batched[:2], strict=True))
    if not any(is_batched[2:]):
        return dynamic_update_slice(x, update, as_node(0, dtypes.int64), *starts)
    rank = x.ndim - 1
    grid = _grid(starts, is_batched[2:], sizes_of(x)[1:], sizes_of(update)[1:])
    return ops.scatter(x, update, batch_rows(size, rank), *grid, axes=tuple(range(rank + 1)))


dynamic_update_slice: Op = card(
    "dynamic_update_slice", "x update *starts", kind=OTHER, public=False,
    summary="Replace a block at starts that are tensors.",
    notes="A negative start counts from the end. A block that leaves the tensor is an error: it is never moved.",
    shape=_dynamic_update_shape, dtype=_dynamic_update_dtype, reference=_dynamic_update_reference,
    gradient=_dynamic_update_gradient, tangent=_dynamic_update_tangent, batch=_batch_dynamic_update,
    cases=[Case((5, 4), (3, 2), np.array(2), np.array(0)), Case((5,), (2,), np.array(-3)),
           Case((5,), (0,), np.array(5)),
           Case((), ())],
    bad=[BadCase((5,), (2,), np.array(4), error=IndexOutOfRangeError, match="a slice of 2 from 4 leaves axis 0"),
         BadCase((5,), (6,), np.array(0), error=ShapeError, match="size 6 is more than axis 0 has"),
         BadCase((5,), (1, 1), np.array(0), error=ShapeError, match="rank 2 does not go into a tensor of rank 1"),
         BadCase((5,), (1,), np.array(0.5), error=DTypeError, match="must be integers")],
)  # fmt: skip


def _starts(starts: Any) -> list[Node]:
    """Return starts as nodes: a sequence of scalars, or one tensor that holds them."""
    if isinstance(starts, (tuple, list)):
        return [as_node(start) for start in starts]
    starts = as_node(starts)
    if starts.ndim == 0:
        return [starts]
    if starts.ndim != 1 or starts.shape[0] is None:
        raise ShapeError(f"starts are scalars or a tensor of rank 1 and known size, got {starts.type!r}")
    count = starts.shape[0]
    return [reshape(slice_op(starts, slices=((axis, axis + 1, 1),)), ()) for axis in range(count)]


@function(name="dynamic_slice")
def dynamic_slice_of(x: Any, starts: Any, sizes: Any, /) -> Node:
    """Select a block of fixed size at a place that is a tensor.

    Parameters
    ----------
    x : tensor
    starts : sequence of int scalars, or tensor of rank 1
        The first index on each axis; a negative one counts from the end.
    sizes : sequence of (int or integer scalar tensor)
        The size on each axis.

    Raises
    ------
    IndexOutOfRangeError
        If the block does not lie inside the tensor as a whole; it is never moved.
    """
    x = as_node(x)
    static, dynamic = split_sizes(sizes, x=x)
    return dynamic_slice(x, *_starts(starts), *dynamic, sizes=static)


@function(name="dynamic_update_slice")
def dynamic_update_slice_of(x: Any, update: Any, starts: Any, /) -> Node:
    """Return a tensor with a block replaced, at a place that is a tensor.

    Parameters
    ----------
    x : tensor
    update : tensor
        Of the rank of x; converted to its dtype.
    starts : sequence of int scalars, or tensor of rank 1
        The first index on each axis; a negative one counts from the end.

    Raises
    ------
    IndexOutOfRangeError
        If the block does not lie inside the tensor as a whole; it is never moved.
    """
    x = as_node(x)
    return dynamic_update_slice(x, as_node(update, x.dtype), *_starts(starts))
