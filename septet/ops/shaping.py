"""Shapes: reshape, broadcast, transpose, and asking for a size.

A size that is not known before the graph runs is None in the parameter `shape`, and comes as one more scalar input, in
order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, AxisError, ShapeError
from septet.base.shapes import Shape, as_shape, broadcast, check_axis, count
from septet.base.text import shape_text
from septet.graph.node import VARIABLE, Node
from septet.graph.op import MOVEMENT, REQUIRED, BadCase, Case, Op, as_node, card, function, ops, record
from septet.graph.types import TensorType


def is_read_later(x: Node, node: Node) -> bool:
    """Tell whether a place or size for a symbolic tensor follows from a variable, which is read when the graph runs."""
    pending = [node] if x.is_symbolic else []
    seen = set(pending)
    while pending:
        each = pending.pop()
        if each.op is VARIABLE:
            return True
        if each.value is None:
            pending += [source for source in each.inputs if source not in seen]
            seen.update(each.inputs)
    return False


def split_sizes(sizes: Any, name: str = "shape", x: Node | None = None) -> tuple[Shape, tuple[Node, ...]]:
    """Split sizes, of which some may be nodes, into the parameter (None for a node) and the nodes.

    A node whose value is known is a number, unless it is read later than now, for the tensor `x`.

    Raises
    ------
    ArgumentError
        If a size is neither an int nor an integer scalar node.
    """
    if not isinstance(sizes, (tuple, list)):
        sizes = (sizes,)
    static: list[int | None] = []
    dynamic: list[Node] = []
    for size in sizes:
        if isinstance(size, Node):
            if size.tensor_type.shape != () or not dtypes.is_integer(size.dtype):
                raise ArgumentError(f"{name}: a size is an integer scalar, got {size.type!r}")
            if size.value is not None and (x is None or not is_read_later(x, size)):
                static.append(int(size.value))
            else:
                static.append(None)
                dynamic.append(size)
        else:
            static.extend(as_shape((size,), name) if size != -1 else (-1,))
    return tuple(static), tuple(dynamic)


def fill_sizes(shape: Sequence[int | None], sizes: Sequence[Any]) -> tuple[int, ...]:
    """Put the values of the size inputs where the parameter has None (for references)."""
    rest = iter(sizes)
    return tuple(int(next(rest)) if size is None else size for size in shape)


def sized_dtype(x: DType, *sizes: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    """The dtype rule of ops whose further inputs are sizes."""
    return (x, *sizes), x


size_of: Op = card(
    "size_of", "x", params={"axis": REQUIRED}, param_docs={"axis": "The axis."},
    summary="Return the size of one axis as an int64 scalar.",
    canonical=lambda types, axis: {"axis": check_axis(axis, types[0].ndim)},
    shape=lambda x, axis: (), dtype=lambda x, axis: ((x,), dtypes.int64), public=False,
    reference=lambda x, axis: np.asarray(x.shape[axis], np.int64), no_gradient="a size is an integer",
    batch=lambda is_batched, x, axis: size_of(x, axis=axis + 1),
    cases=[Case((3, 4), axis=1)], bad=[BadCase((3, 4), axis=2, error=AxisError, match="out of range")],
)  # fmt: skip


def sizes_of(x: Node) -> tuple[int | Node, ...]:
    """Return the shape with a `size_of` node where a size is not known."""
    return tuple([size_of(x, axis=axis) if size is None else size for axis, size in enumerate(x.shape)])


# reshape


def _reshape_canonical(types: tuple[TensorType, ...], shape: Any) -> dict[str, Any]:
    shape = tuple(shape)
    if shape.count(-1) > 1:
        raise ArgumentError(f"shape {shape_text(shape)} leaves more than one size open (-1)")
    total = types[0].size
    if -1 in shape:
        rest = count([size for size in shape if size != -1])
        if total is not None and rest is not None:
            if rest == 0 or total % rest:
                raise _unfilled(total, shape, types[0].ndim)
            shape = tuple(total // rest if size == -1 else size for size in shape)
    elif None not in shape and total is not None and count(shape) != total:
        raise _unfilled(total, shape, types[0].ndim)
    return {"shape": shape}


def _unfilled(total: int, shape: Shape, rank: int) -> ShapeError:
    has = "" if -1 in shape else f", which has {count(shape)}"
    return ShapeError(
        f"{total} elements do not fill the shape {shape_text(shape)}{has}", marks=[(0, axis) for axis in range(rank)]
    )


def _reshape_reference(x: np.ndarray, *sizes: Any, shape: Shape) -> np.ndarray:
    target = fill_sizes(shape, sizes)
    try:
        return x.reshape(target)
    except ValueError:
        raise _unfilled(x.size, target, x.ndim) from None


def _batch_reshape(is_batched: Sequence[bool], x: Node, *sizes: Node, shape: Shape) -> Node:
    if any(is_batched[1:]):
        raise ArgumentError("reshape: sizes cannot differ within a batch")
    if -1 in shape and x.tensor_type.is_known:
        rest = count([size for size in shape if size != -1])
        own = count(x.shape[1:])
        if own is not None and rest:
            shape = tuple(own // rest if size == -1 else size for size in shape)
    batch = x.shape[0]
    if batch is None:
        return reshape_op(x, size_of(x, axis=0), *sizes, shape=(None, *shape))
    return reshape_op(x, *sizes, shape=(batch, *shape))


def _reshape_gradient(g: Node, y: Node, x: Node, *sizes: Node, shape: Shape) -> tuple[Any, ...]:
    return reshape(g, sizes_of(x)), *[None] * len(sizes)


reshape_op: Op = card(
    "reshape", "x *sizes", params={"shape": REQUIRED}, kind=MOVEMENT, public=False, sizes="shape", properties=["view"],
    param_docs={"shape": "The new sizes; one may be -1, which is worked out from the others; None takes a size input."},
    summary="Give the elements, in row-major order, another shape.",
    canonical=_reshape_canonical,
    shape=lambda x, *sizes, shape: tuple(None if size == -1 else size for size in shape),
    dtype=sized_dtype, reference=_reshape_reference, linear="first",
    gradient=_reshape_gradient,
    tangent=lambda t, y, x, *sizes, shape: reshape_op(t[0], *sizes, shape=shape),
    batch=_batch_reshape,
    cases=[Case((3, 4), shape=(2, 6)), Case((3, 4), shape=(-1,)), Case((0, 3), shape=(3, 0)), Case((), shape=(1, 1))],
    bad=[BadCase((3, 4), shape=(5, 2), error=ShapeError, match="12 elements"),
         BadCase((3, 4), shape=(-1, -1), error=ArgumentError, match="more than one")],
)  # fmt: skip


@function(methods=["reshape"])
def reshape(x: Any, shape: Any, *more: Any, copy: bool | None = None) -> Node:
    """Give the elements, in row-major order, another shape.

    Parameters
    ----------
    x : tensor
    shape : int or tuple of (int or integer scalar tensor)
        One size may be -1: it is worked out from the others. As a method, sizes may also be separate arguments.
    copy : bool, optional
        Accepted for the array standard; a tensor's data never changes, so that it makes no difference.

    Returns
    -------
    tensor

    Raises
    ------
    ShapeError
        If the number of elements differs.
    """
    x = as_node(x)
    static, dynamic = split_sizes((shape, *more) if more else shape, x=x)
    if static == x.shape and not dynamic:
        return x
    return record(reshape_op, (x, *dynamic), (static,))


# broadcast_to


def _broadcast_shape(x: Shape, *sizes: Shape, shape: Shape) -> Shape:
    offset = len(shape) - len(x)
    bad = [
        (0, axis)
        for axis, size in enumerate(x)
        if offset >= 0 and size not in (1, None, shape[offset + axis]) and shape[offset + axis] is not None
    ]
    if offset < 0 or bad:
        raise ShapeError(
            f"shape {shape_text(x)} does not broadcast to {shape_text(shape)}",
            marks=bad or [(0, axis) for axis in range(-offset)],
        )
    return shape


def _broadcast_reference(x: np.ndarray, *sizes: Any, shape: Shape) -> np.ndarray:
    target = fill_sizes(shape, sizes)
    _broadcast_shape(x.shape, shape=target)
    return np.broadcast_to(x, target)


def _batch_broadcast(is_batched: Sequence[bool], x: Node, *sizes: Node, shape: Shape) -> Node:
    if any(is_batched[1:]):
        raise ArgumentError("broadcast_to: sizes cannot differ within a batch")
    own = sizes_of(x)
    aligned = reshape(x, (own[0], *[1] * (len(shape) - (x.ndim - 1)), *own[1:]))
    if isinstance(own[0], Node):
        return broadcast_op(aligned, own[0], *sizes, shape=(None, *shape))
    return broadcast_op(aligned, *sizes, shape=(own[0], *shape))


broadcast_op: Op = card(
    "broadcast_to", "x *sizes", params={"shape": REQUIRED}, kind=MOVEMENT, public=False, properties=["view"],
    sizes="shape",
    param_docs={"shape": "The shape to repeat to; None takes a size input."},
    summary="Repeat along new axes and axes of size 1.",
    canonical=lambda types, shape: {"shape": tuple(shape)},
    shape=_broadcast_shape, dtype=sized_dtype, reference=_broadcast_reference, linear="first",
    gradient=lambda g, y, x, *sizes, shape: (sum_to(g, x), *[None] * len(sizes)),
    tangent=lambda t, y, x, *sizes, shape: broadcast_op(t[0], *sizes, shape=shape),
    batch=_batch_broadcast,
    cases=[Case((3, 1), shape=(2, 3, 4)), Case((), shape=(2, 2)), Case((3,), shape=(3,)), Case((1,), shape=(0,))],
    bad=[BadCase((3, 4), shape=(3, 5), error=ShapeError, match="does not broadcast"),
         BadCase((3, 4), shape=(4,), error=ShapeError, match="does not broadcast")],
)  # fmt: skip


@function(methods=["broadcast_to"])
def broadcast_to(x: Any, shape: Any) -> Node:
    """Repeat along new axes and axes of size 1, without computing anything per element.

    Parameters
    ----------
    x : tensor
    shape : tuple of (int or integer scalar tensor)

    Raises
    ------
    ShapeError
        If a size of `x` is neither 1 nor the size asked for.
    """
    x = as_node(x)
    static, dynamic = split_sizes(shape, x=x)
    if static == x.shape and not dynamic:
        return x
    return record(broadcast_op, (x, *dynamic), (static,))


@function()
def broadcast_arrays(*arrays: Any) -> tuple[Node, ...]:
    """Broadcast tensors to the one shape that NumPy's rule gives for all of them.

    Parameters
    ----------
    *arrays : tensor

    Returns
    -------
    tuple of tensor

    Raises
    ------
    ShapeError
        If the shapes do not broadcast.
    """
    given = [as_node(array) for array in arrays]
    target: list[int | Node | None] = list(broadcast(*[x.shape for x in given]))
    for x in given:
        for axis, size in enumerate(sizes_of(x), len(target) - x.ndim):
            if target[axis] is None and isinstance(size, Node):
                target[axis] = size
    return tuple([broadcast_to(x, target) for x in given])


# transpose


def _transpose_canonical(types: tuple[TensorType, ...], axes: Any) -> dict[str, Any]:
    rank = types[0].ndim
    if axes is None:
        return {"axes": tuple(range(rank))[::-1]}
    axes = tuple(check_axis(axis, rank, "axes") for axis in axes)
    if sorted(axes) != list(range(rank)):
        raise ArgumentError(f"axes {axes} are not a permutation of the {rank} axes")
    return {"axes": axes}


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(axis) for axis in np.argsort(axes))


transpose: Op = card(
    "transpose", "x", params={"axes": None}, kind=MOVEMENT, methods=["transpose"], aliases=["permute"],
    properties=["view"],
    param_docs={"axes": "The old axis for each new one; None reverses the axes."},
    summary="Permute the axes.", canonical=_transpose_canonical,
    shape=lambda x, axes: tuple(x[axis] for axis in axes), dtype=lambda x, axes: ((x,), x),
    reference=lambda x, axes: x.transpose(axes), linear="all",
    gradient=lambda g, y, x, axes: (transpose(g, axes=_inverse(axes)),),
    batch=lambda is_batched, x, axes: transpose(x, axes=(0, *[axis + 1 for axis in axes])),
    cases=[Case((2, 3, 4)), Case((2, 3, 4), axes=(1, 2, 0)), Case((0, 3), axes=(-1, 0)), Case(())],
    bad=[BadCase((2, 3), axes=(0, 0), error=ArgumentError, match="permutation"),
         BadCase((2, 3), axes=(0, 2), error=AxisError, match="out of range")],
)  # fmt: skip


# helpers of gradients


def full_like(x: Node, value: int | float, dtype: DType | None = None) -> Node:
    """Return a tensor of a node's shape filled with a number."""
    return broadcast_to(as_node(value, dtype or x.dtype), sizes_of(x))


def zeros_like(x: Node) -> Node:
    """Return zeros of a node's shape and dtype."""
    return full_like(x, 0)


def ones_like(x: Node) -> Node:
    """Return ones of a node's shape and dtype."""
    return full_like(x, 1)


def sum_to(g: Node, like: Node) -> Node:
    """Sum over the axes along which `like`'s shape was repeated to get `g`'s: the transpose of broadcasting."""
    if g.shape == like.shape:
        return g
    extra = g.ndim - like.ndim
    axes = [*range(extra)]
    axes += [axis + extra for axis, size in enumerate(like.shape) if size == 1 and g.shape[axis + extra] != 1]
    if axes:
        g = ops.sum(g, axis=tuple(axes), keepdims=True)
    if extra:
        g = reshape(g, sizes_of(g)[extra:])
    return g
