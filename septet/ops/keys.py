"""``x[key]`` and ``x[key] = value``: NumPy's indexing, taken apart into primitives."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, IndexOutOfRangeError, SeptetError, ShapeError
from septet.graph.node import Node
from septet.graph.op import as_array, as_node, cast_to, evaluate, explain_call, function, ops
from septet.ops.shaping import broadcast_to, reshape, sizes_of, transpose


class Plan:
    """A key taken apart: first slices, then integer tensors on some axes, then new axes.

    Attributes
    ----------
    slices : list of (start, stop, step)
        One for each axis of x; a plain integer is a slice of one element whose axis goes.
    dropped : list of int
        Axes that an integer removes.
    tensors : dict of int to Node
        Axes that integer tensors select from.
    layout : list
        The result's axes in order: ("axis", i), ("new",), or ("tensors",) for the axes of the index tensors.
    """

    def __init__(self) -> None:
        self.slices: list[Any] = []
        self.dropped: list[int] = []
        self.tensors: dict[int, Node] = {}
        self.layout: list[tuple[Any, ...]] = []

    @property
    def is_basic(self) -> bool:
        """Whether the key holds no tensor of indices."""
        return not self.tensors


def _is_bool(item: Any) -> bool:
    if isinstance(item, (bool, np.bool_)):
        return True
    return isinstance(item, (Node, np.ndarray)) and item.dtype == np.bool_


def _consumed(item: Any) -> int:
    """How many axes of x an item of a key takes."""
    if item is None or isinstance(item, (bool, np.bool_)):
        return 0
    if isinstance(item, (Node, np.ndarray)) and item.dtype == np.bool_:
        return item.ndim
    return 1


def _bound(value: Any, what: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, Node):
        if value.value is None:
            raise ArgumentError(
                f"the {what} of a slice depends on a symbol", hint="st.dynamic_slice(x, starts, sizes) takes starts that are tensors"
            )
        value = value.value.item()
    try:
        return operator.index(value)
    except TypeError:
        raise DTypeError(f"the {what} of a slice must be an integer, got {value!r}") from None


def plan(x: Node, key: Any) -> Plan:
    """Take a key apart for a tensor.

    Raises
    ------
    IndexOutOfRangeError
        If an integer is out of range, or the key has more items than x has axes.
    DTypeError
        If an index is neither an integer, a slice, None, Ellipsis, nor a tensor of integers or booleans.
    ShapeError
        If a boolean mask does not have the sizes of the axes that it covers.
    """
    items = list(key) if isinstance(key, tuple) else [key]
    items = [as_array(item) if isinstance(item, list) else item for item in items]
    items = [np.asarray(i, np.int64) if isinstance(i, np.ndarray) and i.size == 0 and i.dtype != bool else i for i in items]
    count = sum(_consumed(item) for item in items if item is not Ellipsis)
    if sum(item is Ellipsis for item in items) > 1:
        raise ArgumentError("a key can have only one ...")
    if count > x.ndim:
        raise IndexOutOfRangeError(f"{count} indices for a tensor of rank {x.ndim}", marks=[(0, i) for i in range(x.ndim)])
    place = next((i for i, item in enumerate(items) if item is Ellipsis), len(items))
    fill = [slice(None)] * (x.ndim - count)
    items = [*items[:place], *fill, *items[place + 1 :]]
    found, axis = Plan(), 0
    for item in items:
        axis = _place(found, x, item, axis)
    return found


def _place(found: Plan, x: Node, item: Any, axis: int) -> int:
    """Enter one item of a key; return the next axis of x."""
    if item is None:
        found.layout.append(("new",))
        return axis
    if _is_bool(item):
        mask = np.asarray(item) if not isinstance(item, Node) else _mask_value(item)
        if mask.shape != tuple(x.shape[axis : axis + mask.ndim]):
            raise ShapeError(
                f"a boolean mask of shape {mask.shape} selects from axes {axis} to {axis + mask.ndim - 1} of shape "
                f"{tuple(x.shape[axis : axis + mask.ndim])}", marks=[(0, axis + i) for i in range(mask.ndim) if axis + i < x.ndim],
            )  # fmt: skip
        if mask.ndim == 0:
            raise ArgumentError("a single boolean is no index", hint="x[None] adds an axis; st.where chooses")
        for offset, places in enumerate(np.nonzero(mask)):
            found.slices.append((None, None, 1))
            found.tensors[axis + offset] = as_node(places)
            found.layout.append(("tensors",))
        return axis + mask.ndim
    if isinstance(item, slice):
        step = _bound(item.step, "step")
        found.slices.append((_bound(item.start, "start"), _bound(item.stop, "stop"), 1 if step is None else step))
        found.layout.append(("axis", axis))
        return axis + 1
    if isinstance(item, (Node, np.ndarray)):
        node = as_node(item)
        if not dtypes.is_integer(node.dtype):
            raise DTypeError(f"indices must be integers or booleans, got {node.dtype.name}", hint="convert with .astype(int)")
        if node.ndim == 0 and node.value is not None and not node.flags:
            return _place(found, x, int(node.value), axis)
        found.slices.append((None, None, 1))
        found.tensors[axis] = node
        found.layout.append(("tensors",))
        return axis + 1
    try:
        index = operator.index(item)
    except TypeError:
        raise DTypeError(f"indices must be integers, slices, ..., None or tensors, got {item!r}") from None
    size = x.shape[axis]
    if size is not None and not -size <= index < size:
        allowed = f"-{size} to {size - 1}" if size else "none: the axis is empty"
        raise IndexOutOfRangeError(
            f"index {index} is out of range for axis {axis} with size {size} (allowed: {allowed})", marks=[(0, axis)]
        )
    if size is None:
        found.slices.append((None, None, 1))
        found.tensors[axis] = as_node(index)
        found.layout.append(("tensors",))
        return axis + 1
    found.slices.append((index % size, index % size + 1, 1))
    found.dropped.append(axis)
    return axis + 1


def _mask_value(mask: Node) -> np.ndarray:
    if mask.value is None:
        if mask.is_symbolic:
            raise ArgumentError(
                "the number of elements that a symbolic boolean mask selects is not known",
                hint="st.where(mask, x, 0) keeps the shape; x[mask] = value works too",
            )
        evaluate(mask)
    return mask.value


def _is_full(slices: list[Any]) -> bool:
    return all(each == (None, None, 1) for each in slices)


def _order(p: Plan, rank: int) -> tuple[list[tuple[Any, ...]], bool]:
    """Return the layout with the index tensors' axes as one entry, and whether they stay in the middle."""
    places = [i for i, entry in enumerate(p.layout) if entry == ("tensors",)]
    is_adjacent = bool(places) and places == list(range(places[0], places[-1] + 1))
    rest = [entry for entry in p.layout if entry != ("tensors",)]
    at = places[0] if is_adjacent else 0
    return [*rest[:at], ("tensors",), *rest[at:]], is_adjacent


def select(x: Node, p: Plan) -> Node:
    """Record the primitives of a key."""
    y = x if _is_full(p.slices) else ops.slice(x, slices=tuple(p.slices))
    if p.is_basic:
        if p.dropped or ("new",) in p.layout:
            sizes = sizes_of(y)
            y = reshape(y, tuple(1 if entry == ("new",) else sizes[entry[1]] for entry in p.layout))
        return y
    axes = tuple(p.tensors)
    tensors = list(p.tensors.values())
    rank = max(t.ndim for t in tensors)
    if len(axes) == 1:
        y = ops.take(y, tensors[0], axis=axes[0])
        if axes[0]:
            moved = (*range(axes[0], axes[0] + rank), *range(axes[0]), *range(axes[0] + rank, y.ndim))
            y = transpose(y, axes=moved)
    else:
        y = ops.gather(y, *tensors, axes=axes)
    # y: (index axes, other axes of x in order); dropped ones have size 1
    others = [i for i in range(x.ndim) if i not in axes]
    layout, _ = _order(p, rank)
    at = layout.index(("tensors",))
    kept = [entry[1] for entry in layout if entry[0] == "axis"]
    before = [entry[1] for entry in layout[:at] if entry[0] == "axis"]
    position = {axis: rank + i for i, axis in enumerate(others)}
    order = [*[position[a] for a in before], *range(rank), *[position[a] for a in kept if a not in before]]
    order += [position[a] for a in others if a in p.dropped]
    if order != sorted(order):
        y = transpose(y, axes=tuple(order))
    if p.dropped or ("new",) in p.layout:
        rest = iter(sizes_of(y))
        final: list[Any] = []
        for entry in layout:
            if entry == ("new",):
                final.append(1)
            elif entry == ("tensors",):
                final.extend(next(rest) for _ in range(rank))
            else:
                final.append(next(rest))
        y = reshape(y, tuple(final))
    return y


@function(name="get_item")
def get_item(x: Any, key: Any) -> Node:
    """Return ``x[key]`` with NumPy's rules; the result is a copy, never a view.

    Parameters
    ----------
    x : tensor
    key : int, slice, None, Ellipsis, tensor of int or bool, or a tuple of them
    """
    x = as_node(x)
    try:
        p = plan(x, key)
    except SeptetError as error:
        raise explain_call(error, "x[key]", ("x",), (x,)) from None
    return select(x, p)


def _update(x: Any, key: Any, value: Any, mode: str) -> Node:
    x = as_node(x)
    value = cast_to(as_node(value, x.dtype), x.dtype)
    mask = key[0] if isinstance(key, tuple) and len(key) == 1 else key
    if _is_bool(mask) and isinstance(mask, (Node, np.ndarray)) and mask.shape == x.shape and value.ndim == 0:
        return ops.where(as_node(mask), _met(x, value, mode), x)
    try:
        p = plan(x, key)
        if p.is_basic and _is_full(p.slices) and not p.dropped and ("new",) not in p.layout and mode == "set":
            return broadcast_to(value, sizes_of(x))
        return _scatter(x, p, value, mode)
    except SeptetError as error:
        if error.is_located:
            raise
        raise explain_call(error, "x[key] = value", ("x", "value"), (x, value)) from None


def _met(x: Node, value: Node, mode: str) -> Node:
    if mode == "set":
        return value
    return {"add": ops.add, "max": ops.maximum, "min": ops.minimum}[mode](x, value)


def _scatter(x: Node, p: Plan, value: Node, mode: str) -> Node:
    """Put a value in at a key: every selected element has one place in the flattened tensor."""
    if not x.tensor_type.is_known:
        raise ShapeError("an update needs known sizes", marks=[(0, i) for i, s in enumerate(x.shape) if s is None])
    if all(t.value is not None for t in p.tensors.values()):
        places = select(as_node(np.arange(x.tensor_type.size or 0).reshape(x.shape)), p)
        if places.value is None:
            evaluate(places)
        index = as_node(places.value)
    else:
        index = select(ops.reshape(ops.iota(shape=(x.tensor_type.size,)), shape=x.shape), p)
    if value.ndim > index.ndim:
        extra = value.ndim - index.ndim
        if any(size != 1 for size in value.shape[:extra]):
            raise ShapeError(f"a value of shape {value.shape} does not fit the selected shape {index.shape}")
        value = reshape(value, value.shape[extra:])
    try:
        value = broadcast_to(value, sizes_of(index))
    except ShapeError:
        raise ShapeError(f"a value of shape {value.shape} does not fit the selected shape {index.shape}") from None
    flat = ops.scatter(reshape(x, (-1,)), reshape(value, (-1,)), reshape(index, (-1,)), axes=(0,), mode=mode)
    return reshape(flat, x.shape)


@function(name="set_item")
def set_item(x: Any, key: Any, value: Any) -> Node:
    """Return `x` with ``x[key]`` replaced by a value, which is broadcast and converted to x's dtype."""
    return _update(x, key, value, "set")


index_set = function(name="index_set")(set_item)


@function()
def index_add(x: Any, key: Any, value: Any) -> Node:
    """Return `x` with a value added at ``x[key]``; repeated indices add up."""
    return _update(x, key, value, "add")


@function()
def index_max(x: Any, key: Any, value: Any) -> Node:
    """Return `x` with the maximum of a value and what is at ``x[key]``."""
    return _update(x, key, value, "max")


@function()
def index_min(x: Any, key: Any, value: Any) -> Node:
    """Return `x` with the minimum of a value and what is at ``x[key]``."""
    return _update(x, key, value, "min")


@function(name="take")
def take_rows(x: Any, indices: Any, /, *, axis: int | None = None) -> Node:
    """Select along an axis by integer indices of any shape; an index out of range is an error.

    Parameters
    ----------
    x : tensor
    indices : tensor of int
    axis : int, optional
        May be left out for a tensor of rank 1.
    """
    x = as_node(x)
    if axis is None:
        if x.ndim != 1:
            raise ArgumentError(f"take needs an axis for a tensor of rank {x.ndim}")
        axis = 0
    return ops.take(x, indices, axis=axis)


@function()
def one_hot(indices: Any, size: int, *, axis: int = -1, dtype: Any = None) -> Node:
    """Return 1 at each index and 0 elsewhere, along a new axis.

    Parameters
    ----------
    indices : tensor of int
        An index outside 0 to size - 1 gives zeros only.
    size : int
    axis : int
        Where the new axis goes.
    dtype : dtype, optional
        By default the default float.
    """
    node = as_node(indices)
    if not dtypes.is_integer(node.dtype):
        raise DTypeError(f"one_hot: indices must be integers, got {node.dtype.name}")
    place = axis % (node.ndim + 1)
    sizes = sizes_of(node)
    wide = reshape(node, (*sizes[:place], 1, *sizes[place:]))
    line = reshape(as_node(np.arange(size)), tuple(size if i == place else 1 for i in range(node.ndim + 1)))
    return ops.cast(ops.equal(ops.cast(wide, dtype=dtypes.int64), line), dtype=dtypes.as_dtype(float if dtype is None else dtype))
