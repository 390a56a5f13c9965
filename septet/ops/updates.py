"""``x[key] = value`` as a function: the tensor with the selected elements replaced, or combined with a value."""

from __future__ import annotations

from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, SeptetError, ShapeError
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import as_node, cast_to, explain_call, function, ops
from septet.ops.indexing import moved, scatter
from septet.ops.keys import (
    INDEX,
    NEW,
    Plan,
    Range,
    cut_range,
    fitted_mask,
    index_sizes,
    is_flag,
    is_mask,
    key_items,
    plan,
)
from septet.ops.shaping import broadcast_to, reshape, sizes_of, transpose
from septet.ops.slicing import dynamic_update_slice, slice_op, update_slice

_MEET = {"add": "add", "max": "maximum", "min": "minimum", "multiply": "multiply"}


def _met(old: Node, new: Node, mode: str) -> Node:
    """Combine what is there with a value."""
    return new if mode == "set" else getattr(ops, _MEET[mode])(old, new)


def _trimmed(value: Node, rank: int, shape: Any) -> Node:
    """Drop leading axes of size 1 that the selected shape does not have."""
    extra = value.ndim - rank
    if extra <= 0:
        return value
    if any(size != 1 for size in value.shape[:extra]):
        raise _misfit(value, shape)
    return reshape(value, sizes_of(value)[extra:])


def _misfit(value: Node, shape: Any) -> ShapeError:
    known = tuple(None if isinstance(size, Node) else size for size in shape)
    return ShapeError(
        f"a value of shape {shape_text(value.shape)} does not broadcast to the selected shape {shape_text(known)}",
        marks=[(1, axis) for axis in range(value.ndim)],
    )


def _spread(value: Node, sizes: tuple[Any, ...]) -> Node:
    """Broadcast a value to the selected shape."""
    value = _trimmed(value, len(sizes), sizes)
    offset = len(sizes) - value.ndim
    for axis, size in enumerate(value.shape):
        own = sizes[offset + axis]
        if size not in (1, None) and not isinstance(own, Node) and size != own:
            raise _misfit(value, sizes)
    return broadcast_to(value, sizes)


def _update(p: Plan, value: Node, mode: str) -> Node:
    """Record the update of a plan, from the inside out: index tensors, ranges, slices."""
    x = p.x
    inner = slice_op(x, slices=tuple(p.slices)) if p.is_sliced else x
    stages: list[tuple[Node, int, Range]] = []  # tensors before each range is cut, the axis, the range
    part = inner
    for axis, bounds in p.ranges.items():
        found = Range(sizes_of(part)[axis], bounds)
        stages.append((part, axis, found))
        part = cut_range(part, axis, found)
    part = _update_part(p, part, value, mode)
    for before, axis, found in reversed(stages):
        if type(found.step) is not int or found.step != 1:
            order = [axis, *[other for other in range(part.ndim) if other != axis]]
            part = scatter(before, moved(part, order), found.places(), axes=(axis,), mode="set")
            continue
        starts = [as_node(0, dtypes.int64)] * before.ndim
        starts[axis] = found.start
        part = dynamic_update_slice(before, part, *starts)
    return update_slice(x, part, slices=tuple(p.slices)) if p.is_sliced else part


def _update_part(p: Plan, part: Node, value: Node, mode: str) -> Node:
    """Update what the slices of a plan have cut out."""
    own = sizes_of(part)
    order = p.order()
    line = index_sizes(tuple(p.tensors.values())) if p.tensors else ()
    selected: list[Any] = []  # the sizes of x[key]
    labels: list[Any] = []  # the axes of x[key] without new ones
    kept: list[Any] = []  # their sizes
    for kind, axis in order:
        sizes = line if kind == INDEX else (1,) if kind == NEW else (own[axis],)
        selected += sizes
        if kind != NEW:
            kept += sizes
            labels += [(INDEX, i) for i in range(len(line))] if kind == INDEX else [axis]
    value = _spread(value, tuple(selected))
    value = reshape(value, (*kept, *[1] * len(p.points)))
    labels += p.points
    rest = [axis for axis in range(part.ndim) if axis not in p.tensors]
    wanted = [*[(INDEX, i) for i in range(len(line))], *rest]
    if labels != wanted:
        value = transpose(value, axes=tuple(labels.index(label) for label in wanted))
    if p.tensors:
        return scatter(part, value, *p.tensors.values(), axes=tuple(p.tensors), mode=mode)
    return _met(part, value, mode)


def _masked(x: Node, key: Any, value: Node, mode: str) -> Node | None:
    """Record an update by one mask as a choice between two tensors; None where it takes indices instead."""
    given = key_items(key)
    masks = [item for item in given if is_mask(item) or is_flag(item)]
    if len(masks) != 1 or not all(
        item is Ellipsis or item is masks[0] or (isinstance(item, slice) and item == slice(None)) for item in given
    ):
        return None
    mask = as_node(masks[0])
    place = next(i for i, item in enumerate(given) if item is masks[0])
    after = given[place + 1 :]
    axis = place if Ellipsis not in given[:place] else x.ndim - mask.ndim - len(after)
    if sum(item is Ellipsis for item in given) > 1 or axis < 0 or axis + mask.ndim > x.ndim:
        return None  # an error, which the plan of the key explains
    behind = x.ndim - axis - mask.ndim
    if value.ndim > behind and any(size != 1 for size in value.shape[: value.ndim - behind]):
        # one row of the value for each selected place, or values that differ in front of the mask
        if mask.value is None and mask.is_symbolic:
            raise ArgumentError(
                "which row of the value goes where depends on a symbolic mask",
                hint="st.where(mask, values, x) takes values in the shape of x",
            )
        return None
    value = _trimmed(value, behind, sizes_of(x)[x.ndim - behind :])
    mask = fitted_mask(mask, x, axis)
    mask = reshape(mask, (*sizes_of(mask), *[1] * behind))
    return ops.where(mask, _met(x, _spread(value, sizes_of(x)), mode), x)


def update(x: Any, key: Any, value: Any, mode: str) -> Node:
    """Return a tensor with a value put in at a key; `mode` says how it meets what is there."""
    x = as_node(x)
    value = as_node(value, x.dtype)
    try:
        if mode in ("max", "min") and dtypes.is_complex(x.dtype):
            raise DTypeError(f"{mode} needs an order, which {x.dtype.name} does not have")
        value = cast_to(value, x.dtype)
        chosen = _masked(x, key, value, mode)
        if chosen is not None:
            return chosen
        p = plan(x, key)
        y = _update(p, value, mode)
        return y if p.x is x else reshape(y, sizes_of(x))
    except SeptetError as error:
        if error.is_located:
            raise
        raise explain_call(error, "x[key] = value", ("x", "value"), (x, value)) from None


@function()
def set_item(x: Any, key: Any, value: Any) -> Node:
    """Return `x` with ``x[key]`` replaced by a value.

    Parameters
    ----------
    x : tensor
    key : int, slice, None, Ellipsis, tensor of int or bool, or a tuple of them
        As in ``x[key]``; of repeated indices the last one counts.
    value : tensor or number
        Broadcast to the shape of ``x[key]``, and converted to the dtype of x.

    Raises
    ------
    IndexOutOfRangeError
        If an index is out of range.
    ShapeError
        If the value does not broadcast to the selected shape.

    Gradient
    --------
    The value's is that of the elements that it became; those that it replaced have none.
    """
    return update(x, key, value, "set")


index_set = function(name="index_set")(set_item)


@function()
def index_add(x: Any, key: Any, value: Any) -> Node:
    """Return `x` with a value added at ``x[key]``; repeated indices add up. See `set_item`."""
    return update(x, key, value, "add")


@function()
def index_multiply(x: Any, key: Any, value: Any) -> Node:
    """Return `x` multiplied by a value at ``x[key]``; repeated indices multiply again. See `set_item`."""
    return update(x, key, value, "multiply")


@function()
def index_max(x: Any, key: Any, value: Any) -> Node:
    """Return `x` with the maximum of a value and what is at ``x[key]``. See `set_item`."""
    return update(x, key, value, "max")


@function()
def index_min(x: Any, key: Any, value: Any) -> Node:
    """Return `x` with the minimum of a value and what is at ``x[key]``. See `set_item`."""
    return update(x, key, value, "min")
