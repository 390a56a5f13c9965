"""Putting tensors together and taking them apart: concatenate, stack, split, pad, flip, tile, repeat, roll."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, ShapeError
from septet.base.shapes import Shape, check_axes, check_axis
from septet.graph.node import Node
from septet.graph.op import (
    MOVEMENT,
    REQUIRED,
    BadCase,
    Case,
    Op,
    as_node,
    as_nodes,
    card,
    explain_call,
    function,
    ops,
    record,
)
from septet.graph.pending import evaluate
from septet.graph.types import TensorType
from septet.ops.rules import promoting
from septet.ops.shaping import broadcast_to, is_read_later, reshape, sizes_of, split_sizes, transpose
from septet.ops.slicing import batch_size, repeated


def _concat_shape(*shapes: Shape, axis: int) -> Shape:
    if not shapes:
        raise ArgumentError("concatenate needs at least one tensor")
    first = list(shapes[0])
    total: int | None = 0
    for position, shape in enumerate(shapes):
        if len(shape) != len(first):
            raise ShapeError(f"ranks differ: argument 0 has {len(first)} axes, argument {position} has {len(shape)}")
        for i, size in enumerate(shape):
            if i == axis:
                total = None if total is None or size is None else total + size
            elif first[i] is None:
                first[i] = size
            elif size is not None and size != first[i]:
                raise ShapeError(
                    f"sizes differ on axis {i}: {first[i]} in argument 0, {size} in argument {position}",
                    marks=[(0, i), (position, i)],
                )
    first[axis] = total
    return tuple(first)


def _concat_gradient(g: Node, y: Node, *parts: Node, axis: int) -> list[Node]:
    found, start = [], 0
    if all(part.shape[axis] is not None for part in parts):
        for part in parts:
            stop = start + (part.shape[axis] or 0)
            found.append(_piece(g, axis, start, stop))
            start = stop
        return found
    first: Any = as_node(0, dtypes.int64)  # where a part starts is not known before the graph runs
    for part in parts:
        starts = [as_node(0, dtypes.int64)] * g.ndim
        starts[axis] = first
        static, dynamic = split_sizes(sizes_of(part))
        found.append(ops.dynamic_slice(g, *starts, *dynamic, sizes=static))
        first = first + sizes_of(part)[axis]
    return found


def _batch_concat(is_batched: Sequence[bool], *parts: Node, axis: int) -> Node:
    size = batch_size(is_batched, parts)
    full = [part if mark else repeated(part, size) for part, mark in zip(parts, is_batched, strict=True)]
    return concatenate_op(*full, axis=axis + 1)


def _concat_canonical(types: tuple[TensorType, ...], axis: Any) -> dict[str, Any]:
    if not types:
        raise ArgumentError("concatenate needs at least one tensor")
    return {"axis": check_axis(axis, types[0].ndim)}


def _concat_dtype(*given: DType, **_: Any) -> Any:
    return promoting()(*given)


concatenate_op: Op = card(
    "concatenate", "*tensors", params={"axis": 0}, kind=MOVEMENT, public=False, summary="Join tensors along an axis.",
    param_docs={"axis": "The axis along which they are joined."}, canonical=_concat_canonical, shape=_concat_shape,
    dtype=_concat_dtype, reference=lambda *x, axis: np.concatenate(x, axis=axis), gradient=_concat_gradient,
    linear="all",
    batch=_batch_concat,
    cases=[Case((2, 3), (1, 3)), Case((2, 3), (2, 2), (2, 0), axis=1), Case((4,))],
    bad=[BadCase((2, 3), (2, 4), error=ShapeError, match="sizes differ on axis 1"),
         BadCase((2, 3), (2,), error=ShapeError, match="ranks differ")],
)  # fmt: skip


@function("concat")
def concatenate(tensors: Sequence[Any], /, axis: int | None = 0) -> Node:
    """Join tensors along an axis; all other sizes agree.

    Parameters
    ----------
    tensors : sequence of tensor
    axis : int or None
        None joins the flattened tensors.
    """
    nodes = as_nodes(tensors if type(tensors) is tuple else tuple(tensors))
    if axis is None:
        nodes, axis = tuple(reshape(n, (-1,)) for n in nodes), 0
    if len(nodes) == 1:
        check_axis(axis, nodes[0].ndim)
        return nodes[0]
    return record(concatenate_op, nodes, (axis,))


@function(methods=["expand_dims"])
def expand_dims(x: Any, /, axis: Any = 0) -> Node:
    """Insert axes of size 1 at the given places of the result."""
    x = as_node(x)
    axes = (axis,) if not isinstance(axis, (tuple, list)) else tuple(axis)
    places = check_axes(axes, x.ndim + len(axes))
    sizes = iter(sizes_of(x))
    return reshape(x, tuple(1 if i in places else next(sizes) for i in range(x.ndim + len(axes))))


@function(methods=["squeeze"])
def squeeze(x: Any, /, axis: Any = None) -> Node:
    """Remove axes of size 1."""
    x = as_node(x)
    if axis is None:
        axes: tuple[int, ...] = tuple(i for i, size in enumerate(x.shape) if size == 1)
    else:
        axes = check_axes(axis if isinstance(axis, (tuple, list)) else (axis,), x.ndim)
    wrong = [i for i in axes if x.shape[i] not in (1, None)]
    if wrong:
        message = f"axis {wrong[0]} has size {x.shape[wrong[0]]}, only axes of size 1 can go"
        raise explain_call(ShapeError(message, marks=[(0, i) for i in wrong]), "squeeze", ("x",), (x,))
    return reshape(x, tuple(size for i, size in enumerate(sizes_of(x)) if i not in axes))


@function()
def stack(tensors: Sequence[Any], /, axis: int = 0) -> Node:
    """Join tensors of one shape along a new axis.

    Parameters
    ----------
    tensors : sequence of tensor
    axis : int
        Where the new axis goes in the result.

    Raises
    ------
    ShapeError
        If the shapes differ; they are not broadcast.
    """
    nodes = as_nodes(list(tensors))
    if not nodes:
        raise ArgumentError("stack needs at least one tensor")
    for position, node in enumerate(nodes):
        first = nodes[0].shape
        if node.ndim != len(first):
            message = f"ranks differ: argument 0 has {len(first)} axes, argument {position} has {node.ndim}"
            raise explain_call(ShapeError(message), "stack", ("*tensors",), nodes)
        for i, (a, b) in enumerate(zip(first, node.shape, strict=True)):
            if a != b and None not in (a, b):
                error = ShapeError(
                    f"sizes differ on axis {i}: {a} in argument 0, {b} in argument {position}",
                    marks=[(0, i), (position, i)],
                )
                raise explain_call(error, "stack", ("*tensors",), nodes)
    place = check_axis(axis, nodes[0].ndim + 1)
    return concatenate([expand_dims(n, place) for n in nodes], axis=place)


@function(methods=["split"])
def split(x: Any, sections: Any, axis: int = 0) -> tuple[Node, ...]:
    """Cut a tensor along an axis.

    Parameters
    ----------
    x : tensor
    sections : int or sequence of int
        The number of equal parts, or the sizes of the parts.
    axis : int

    Returns
    -------
    tuple of tensor

    Raises
    ------
    ShapeError
        If the axis does not divide into equal parts, or the sizes do not add up to that of the axis.
    """
    x = as_node(x)
    axis = check_axis(axis, x.ndim)
    size = x.shape[axis]
    is_count = not isinstance(sections, (tuple, list, np.ndarray))
    if is_count and size is None:
        return _split_unknown(x, operator.index(sections), axis)
    if is_count:
        count = operator.index(sections)
        if count < 1 or size % count:
            raise _split_error(x, axis, f"size {size} on axis {axis} does not divide into {count} equal parts")
        sizes = [size // count] * count
    else:
        sizes = [operator.index(s) for s in sections]
        if size is None:
            raise _split_error(x, axis, "parts of given sizes need a known size of the axis")
        if sum(sizes) != size or min(sizes, default=0) < 0:
            raise _split_error(x, axis, f"the parts {sizes} add up to {sum(sizes)}, axis {axis} has size {size}")
    ends = np.cumsum([0, *sizes]).tolist()
    return tuple(_piece(x, axis, a, b) for a, b in pairwise(ends))


def _split_error(x: Node, axis: int, message: str) -> Exception:
    return explain_call(ShapeError(message, marks=[(0, axis)]), "split", ("x",), (x,))


def _split_unknown(x: Node, count: int, axis: int) -> tuple[Node, ...]:
    """Cut an axis of unknown size into equal parts; the graph checks when it runs that it divides."""
    if count < 1:
        raise _split_error(x, axis, f"an axis does not divide into {count} equal parts")
    sizes = sizes_of(x)
    part = ops.floor_divide(sizes[axis], count)
    apart = reshape(x, (*sizes[:axis], count, part, *sizes[axis + 1 :]))
    return tuple(squeeze(_piece(apart, axis, i, i + 1), axis) for i in range(count))


@function()
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Node, ...]:
    """Take a tensor apart along an axis, which goes.

    Raises
    ------
    ShapeError
        If the size of the axis is not known: it is the number of results.
    """
    x = as_node(x)
    axis = check_axis(axis, x.ndim)
    size = x.shape[axis]
    if size is None:
        error = ShapeError("the size of the axis must be known", marks=[(0, axis)])
        raise explain_call(error, "unstack", ("x",), (x,))
    return tuple(squeeze(_piece(x, axis, i, i + 1), axis) for i in range(size))


def _piece(x: Node, axis: int, start: int, stop: int) -> Node:
    return ops.slice(x, slices=tuple((start, stop, 1) if i == axis else (None, None, 1) for i in range(x.ndim)))


def _pad_canonical(types: tuple[TensorType, ...], widths: Any, value: Any) -> dict[str, Any]:
    widths = tuple((operator.index(low), operator.index(high)) for low, high in widths)
    if len(widths) != types[0].ndim:
        raise ArgumentError(f"pad takes one (low, high) for each of the {types[0].ndim} axes, got {len(widths)}")
    return {"widths": widths, "value": value}


def _pad_shape(x: Shape, widths: Any, value: Any) -> Shape:
    result = tuple(None if n is None else n + low + high for n, (low, high) in zip(x, widths, strict=True))
    for axis, size in enumerate(result):
        if size is not None and size < 0:
            raise ShapeError(f"cropping {widths[axis]} from axis {axis} of size {x[axis]} leaves less than nothing",
                             marks=[(0, axis)])  # fmt: skip
    return result


def _pad_reference(x: np.ndarray, widths: Any, value: Any) -> np.ndarray:
    _pad_shape(x.shape, widths, value)
    if not widths:
        return x
    wide = np.pad(x, [(max(low, 0), max(high, 0)) for low, high in widths], constant_values=value)
    return wide[
        tuple(slice(max(-low, 0), n - max(-high, 0)) for n, (low, high) in zip(wide.shape, widths, strict=True))
    ]


pad_op: Op = card(
    "pad", "x", params={"widths": REQUIRED, "value": 0}, kind=MOVEMENT, public=False,
    param_docs={"widths": "(low, high) for each axis; negative widths crop.", "value": "What is put there."},
    summary="Put a constant around a tensor.", canonical=_pad_canonical, shape=_pad_shape,
    dtype=lambda x, **_: ((x,), x), reference=_pad_reference,
    gradient=lambda g, y, x, widths, value: (pad_op(g, widths=tuple((-a, -b) for a, b in widths)),),
    tangent=lambda t, y, x, widths, value: pad_op(t[0], widths=widths),
    batch=lambda is_batched, x, widths, value: pad_op(x, widths=((0, 0), *widths), value=value),
    cases=[Case((2, 3), widths=((1, 0), (2, 1))), Case((4,), widths=((-1, 2),), value=5.0),
           Case((3,), widths=((0, 0),)), Case((2,), widths=((-3, 2),)), Case((), widths=())],
    bad=[BadCase((2,), widths=((-2, -2),), error=ShapeError, match="less than nothing"),
         BadCase((2, 2), widths=((1, 1),), error=ArgumentError, match="each of the 2 axes")],
)  # fmt: skip


def _widths(width: Any, ndim: int) -> tuple[tuple[int, int], ...]:
    """Read what `pad` takes as widths."""
    if isinstance(width, int):
        return ((width, width),) * ndim
    if len(width) == 2 and all(isinstance(w, int) for w in width):
        return (tuple(width),) * ndim
    return tuple((w, w) if isinstance(w, int) else tuple(w) for w in width)


PAD_MODES = ("constant", "edge", "reflect", "wrap")


def _pad_places(places: Any, size: Any, mode: str) -> Any:
    """Return which element stands at places that are counted from the first one, for sizes that may be nodes."""
    if mode == "edge":
        return ops.minimum(ops.maximum(places, as_node(0, dtypes.int64)), size - 1)
    if mode == "wrap":
        return ops.remainder(places, size)
    period = ops.maximum(as_node(size, dtypes.int64) * 2 - 2, as_node(1, dtypes.int64))
    return ops.abs(ops.remainder(places + (size - 1), period) - (size - 1))


@function(methods=["pad"])
def pad(x: Any, width: Any, mode: str = "constant", value: float = 0) -> Node:
    """Put elements around a tensor.

    Parameters
    ----------
    x : tensor
    width : int, (int, int) or one (low, high) for each axis
        Negative widths crop.
    mode : str
        "constant", "edge" (the last element again), "reflect" (mirrored, without the edge), "wrap" (circular).
    value : number
        For "constant".

    Raises
    ------
    ShapeError
        If an axis is cropped to less than nothing, or a mode other than "constant" finds an empty axis.
    """
    x = as_node(x)
    widths = _widths(width, x.ndim)
    if mode == "constant":
        return pad_op(x, widths=widths, value=value)
    if mode not in PAD_MODES:
        error = ArgumentError(f"mode {mode!r} does not exist; the modes are {', '.join(PAD_MODES)}")
        raise explain_call(error, "pad", ("x",), (x,))
    words = _pad_canonical((x.tensor_type,), widths, value)
    try:
        _pad_shape(x.shape, **words)
    except ShapeError as error:
        raise explain_call(error, "pad", ("x",), (x,)) from None
    for axis, (low, high) in enumerate(words["widths"]):
        size = sizes_of(x)[axis]
        if (low, high) == (0, 0):
            continue
        if x.shape[axis] == 0:
            empty = ShapeError(f"mode {mode!r} has nothing to repeat on axis {axis}", marks=[(0, axis)])
            raise explain_call(empty, "pad", ("x",), (x,))
        places = counting(size + (low + high)) - low
        x = ops.take(x, _pad_places(places, size, mode), axis=axis)
    return x


def counting(size: Any) -> Any:
    """Return 0, 1, 2 ... up to a size that may be a node: a constant where it is known and small."""
    static, dynamic = split_sizes((size,))
    if not dynamic and (static[0] or 0) <= FOLDED:
        return as_node(np.arange(static[0] or 0))
    return record(ops.iota, dynamic, (static, 0, dtypes.int64))


FOLDED = 1 << 12  # elements up to which positions are stored in the graph instead of computed: 32 KiB


@function(methods=["flip"])
def flip(x: Any, /, *, axis: Any = None) -> Node:
    """Reverse the order along axes (all, if None)."""
    x = as_node(x)
    axes = check_axes(axis, x.ndim)
    return ops.slice(x, slices=tuple((None, None, -1 if i in axes else 1) for i in range(x.ndim)))


@function(methods=["roll"])
def roll(x: Any, /, shift: Any, *, axis: Any = None) -> Node:
    """Shift elements along axes; what leaves at one end comes in at the other.

    Parameters
    ----------
    x : tensor
    shift : int, integer scalar tensor, or a sequence of them
        One for each axis, or one for all.
    axis : int or sequence of int, optional
        None shifts the flattened tensor.
    """
    x = as_node(x)
    if axis is None:
        return reshape(roll(reshape(x, (-1,)), shift, axis=0), sizes_of(x))
    axes = list(axis) if isinstance(axis, (tuple, list)) else [axis]
    shifts = list(shift) if isinstance(shift, (tuple, list)) else [shift]
    axes, shifts = axes * (len(shifts) if len(axes) == 1 else 1), shifts * (len(axes) if len(shifts) == 1 else 1)
    if len(axes) != len(shifts):
        error = ArgumentError(f"{len(shifts)} shifts for {len(axes)} axes")
        raise explain_call(error, "roll", ("x",), (x,))
    for one, by in zip(axes, shifts, strict=True):
        place = check_axis(one, x.ndim)
        size = x.shape[place]
        if isinstance(by, Node) and by.value is not None:
            by = int(by.value)
        if size is None or isinstance(by, Node):
            whole = sizes_of(x)[place]
            x = ops.take(x, ops.remainder(counting(whole) - by, whole), axis=place)
        elif size and operator.index(by) % size:
            cut = size - operator.index(by) % size
            x = concatenate([_piece(x, place, cut, size), _piece(x, place, 0, cut)], axis=place)
    return x


@function()
def tile(x: Any, repetitions: Any, /) -> Node:
    """Repeat the whole tensor along axes.

    Parameters
    ----------
    x : tensor
    repetitions : int or tuple of (int or integer scalar tensor)
        For each axis, the last first.
    """
    x = as_node(x)
    counts = tuple(repetitions) if isinstance(repetitions, (tuple, list)) else (repetitions,)
    ndim = max(x.ndim, len(counts))
    counts = (1,) * (ndim - len(counts)) + counts
    sizes = (1,) * (ndim - x.ndim) + sizes_of(x)
    interleaved = reshape(x, tuple(s for size in sizes for s in (1, size)))
    wide = broadcast_to(interleaved, tuple(s for n, size in zip(counts, sizes, strict=True) for s in (n, size)))
    return reshape(wide, tuple(n * size for n, size in zip(counts, sizes, strict=True)))


@function()
def repeat(x: Any, repeats: Any, /, *, axis: int | None = None) -> Node:
    """Repeat each element along an axis (of the flattened tensor, if None).

    Parameters
    ----------
    x : tensor
    repeats : int, integer scalar tensor, or sequence of int
        The same for all, or one for each element.
    axis : int, optional
    """
    x = as_node(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    axis = check_axis(axis, x.ndim)
    node = as_node(repeats)
    if not dtypes.is_integer(node.dtype) or node.ndim > 1:
        error: Exception = ArgumentError(f"counts are an int or one int for each element, got {node.type!r}")
        raise explain_call(error, "repeat", ("x",), (x,))  # type: ignore[arg-type]
    is_later = is_read_later(x, node)
    if node.value is None and not node.is_symbolic and not is_later:
        evaluate(node)  # the shape of the result depends on it
    counts, size = None if is_later else node.value, x.shape[axis]
    if counts is None and node.ndim == 0:
        return _repeat_each(x, node, axis)
    message = ""
    if counts is None:
        message = "the counts depend on a symbol, so that the size of the result is not known"
    elif (counts < 0).any():
        message = f"counts must not be negative, got {int(counts.min())}"
    elif counts.size != 1 and size is None:
        message = f"one count for each element needs a known size of axis {axis}"
    elif counts.size != 1 and counts.size != size:
        message = f"{counts.size} counts for axis {axis} of size {size}"
    if message:
        raise explain_call(ShapeError(message, marks=[(0, axis)]), "repeat", ("x",), (x,))
    assert counts is not None
    if counts.size == 1:
        return _repeat_each(x, int(counts.reshape(())), axis)
    return ops.take(x, as_node(np.repeat(np.arange(size), counts)), axis=axis)


def _repeat_each(x: Node, count: int | Node, axis: int) -> Node:
    """Repeat every element the same number of times: a broadcast, without indices."""
    sizes = sizes_of(x)
    apart = reshape(x, (*sizes[: axis + 1], 1, *sizes[axis + 1 :]))
    wide = broadcast_to(apart, (*sizes[: axis + 1], count, *sizes[axis + 1 :]))
    return reshape(wide, (*sizes[:axis], sizes[axis] * count, *sizes[axis + 1 :]))


@function("movedim")
def moveaxis(x: Any, source: Any, destination: Any, /) -> Node:
    """Move axes to other places; the others keep their order."""
    x = as_node(x)
    pair = [(a,) if isinstance(a, int) else tuple(a) for a in (source, destination)]
    start, end = ([check_axis(a, x.ndim) for a in axes] for axes in pair)
    if len(start) != len(end) or len(set(start)) != len(start) or len(set(end)) != len(end):
        raise ArgumentError(f"moveaxis: source {source} and destination {destination} must be distinct axes, as many")
    order = [i for i in range(x.ndim) if i not in start]
    for place, axis in sorted(zip(end, start, strict=True)):
        order.insert(place, axis)
    return transpose(x, axes=tuple(order))


@function(methods=["swapaxes"])
def swapaxes(x: Any, first: int, second: int) -> Node:
    """Exchange two axes."""
    x = as_node(x)
    order = list(range(x.ndim))
    a, b = check_axis(first, x.ndim), check_axis(second, x.ndim)
    order[a], order[b] = order[b], order[a]
    return transpose(x, axes=tuple(order))


@function()
def matrix_transpose(x: Any, /) -> Node:
    """Exchange the last two axes."""
    x = as_node(x)
    if x.ndim < 2:
        raise explain_call(ShapeError("needs at least two axes"), "matrix_transpose", ("x",), (x,))
    return swapaxes(x, -2, -1)


@function(methods=["permute_dims"])
def permute_dims(x: Any, /, axes: Any) -> Node:
    """Permute the axes: the old axis for each new one."""
    return transpose(as_node(x), axes=tuple(axes))


@function("ravel", methods=["flatten", "ravel"])
def flatten(x: Any) -> Node:
    """Return the elements, in row-major order, along one axis."""
    return reshape(as_node(x), (-1,))


@function()
def tril(x: Any, /, *, k: int = 0) -> Node:
    """Keep the lower triangle (at and below diagonal `k`) of matrices; zeros elsewhere."""
    return ops.band_part(as_node(x), upper=k)


@function()
def triu(x: Any, /, *, k: int = 0) -> Node:
    """Keep the upper triangle (at and above diagonal `k`) of matrices; zeros elsewhere."""
    return ops.band_part(as_node(x), lower=-k)


def _at_least(arrays: tuple[Any, ...], rank: int) -> Any:
    """Add axes of size 1 as NumPy does: in front, but for the third axis, which goes behind."""
    found = []
    for array in arrays:
        x = as_node(array)
        sizes = sizes_of(x)
        if x.ndim < min(rank, 2):
            sizes = (*[1] * (min(rank, 2) - x.ndim), *sizes)
        found.append(reshape(x, (*sizes, *[1] * (rank - len(sizes)))))
    return found[0] if len(found) == 1 else tuple(found)


@function()
def atleast_1d(*arrays: Any) -> Any:
    """Return scalars as tensors of rank 1, and all others as they are; a tuple for several."""
    return _at_least(arrays, 1)


@function()
def atleast_2d(*arrays: Any) -> Any:
    """Return tensors of rank 2 or more: new axes come in front, so that a vector becomes a row."""
    return _at_least(arrays, 2)


@function()
def atleast_3d(*arrays: Any) -> Any:
    """Return tensors of rank 3 or more: a vector becomes (1, n, 1), a matrix (m, n, 1)."""
    return _at_least(arrays, 3)
