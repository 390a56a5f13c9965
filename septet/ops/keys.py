"""``x[key]``: NumPy's indexing, taken apart into slices, integer tensors on some axes, and a last arrangement of axes.

A key is first read into a `Plan`, which `select` records; `septet.ops.updates` uses the same plan to put values in.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, IndexOutOfRangeError, SeptetError, ShapeError
from septet.base.shapes import Shape, broadcast, check_axis
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import as_array, as_node, cast_to, explain_call, function, items, ops, record
from septet.graph.pending import evaluate
from septet.ops.indexing import gather, moved, take
from septet.ops.shaping import broadcast_to, is_read_later, reshape, reshape_op, sizes_of, split_sizes
from septet.ops.slicing import dynamic_slice, slice_op

FULL = (None, None, 1)

# Entries of a plan's layout: what an item of the key leaves in the result.
AXIS, NEW, POINT, INDEX, DOTS = "axis", "new", "point", "index", "dots"


class Plan:
    """A key taken apart for one tensor.

    Attributes
    ----------
    x : Node
        The tensor; with one more axis of size 1 for each plain boolean of the key.
    slices : list of (start, stop, step)
        One for each axis; a plain integer is a slice of one element, whose axis goes.
    ranges : dict of int to slice
        Axes with slices whose bounds or steps are tensors without a value.
    tensors : dict of int to Node
        Axes that integer tensors select from.
    layout : list of (kind, axis)
        What the items of the key leave in the result, in order.
    """

    __slots__ = ("layout", "ranges", "slices", "tensors", "x")

    def __init__(self, x: Node) -> None:
        self.x = x
        self.slices: list[tuple[int | None, int | None, int]] = []
        self.ranges: dict[int, slice] = {}
        self.tensors: dict[int, Node] = {}
        self.layout: list[tuple[str, int]] = []

    @property
    def points(self) -> list[int]:
        """The axes that plain integers remove."""
        return [axis for kind, axis in self.layout if kind == POINT]

    @property
    def is_sliced(self) -> bool:
        """Whether any axis is cut."""
        return any(each != FULL for each in self.slices)

    def order(self) -> list[tuple[str, int]]:
        """Return the axes of the result: (AXIS, axis of x), (NEW, ...), one (INDEX, -1) for those of the index tensors.

        They stand where the first index stands if all indices (tensors and integers) stand side by side, else in front.
        """
        rest = [entry for entry in self.layout if entry[0] in (AXIS, NEW)]
        if not self.tensors:
            return rest
        places = [i for i, (kind, _) in enumerate(self.layout) if kind in (INDEX, POINT)]
        if places != list(range(places[0], places[-1] + 1)):
            return [(INDEX, -1), *rest]
        at = sum(kind in (AXIS, NEW) for kind, _ in self.layout[: places[0]])
        return [*rest[:at], (INDEX, -1), *rest[at:]]


# Reading a key.


def is_flag(item: Any) -> bool:
    """Tell whether an item of a key is one boolean."""
    return isinstance(item, (bool, np.bool_)) or (is_mask(item) and item.ndim == 0)


def is_mask(item: Any) -> bool:
    """Tell whether an item of a key is a tensor of booleans."""
    return isinstance(item, (Node, np.ndarray)) and item.dtype == np.bool_


def key_items(key: Any) -> list[Any]:
    """Return the items of a key; lists and other array-likes become arrays or nodes."""
    found = []
    for item in key if isinstance(key, tuple) else (key,):
        if item is None or item is Ellipsis or isinstance(item, (int, slice, Node, np.generic)):
            found.append(item)
            continue
        own = getattr(item, "node", None)  # a tensor handle
        if isinstance(own, Node):
            found.append(own)
            continue
        if not (isinstance(item, (list, tuple)) or hasattr(item, "__array__")):
            found.append(item)  # an object with __index__, or an error later on
            continue
        array: Any = item if isinstance(item, np.ndarray) else as_array(item)
        if array.size == 0 and not hasattr(item, "dtype"):
            array = array.astype(np.int64)  # an empty list selects nothing
        found.append(array)
    return found


def _consumed(item: Any) -> int:
    """How many axes of x an item of a key takes."""
    if item is None or item is Ellipsis or is_flag(item):
        return 0
    return item.ndim if is_mask(item) else 1


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
    given = key_items(key)
    count = sum([_consumed(item) for item in given])
    dots = [i for i, item in enumerate(given) if item is Ellipsis]
    if len(dots) > 1:
        raise ArgumentError("a key can have only one ...")
    if count > x.ndim:
        raise IndexOutOfRangeError(
            f"{count} indices for a tensor of rank {x.ndim}", marks=[(0, i) for i in range(x.ndim)]
        )
    found, axis = Plan(x), 0
    for item in given:
        if item is Ellipsis:
            found.layout.append((DOTS, -1))
            axis = _fill(found, axis, x.ndim - count)
        else:
            axis = _place(found, item, axis)
    if not dots:
        _fill(found, axis, x.ndim - count)
    return found


def _fill(found: Plan, axis: int, count: int) -> int:
    """Enter whole axes; return the next one."""
    found.slices += [FULL] * count
    found.layout += [(AXIS, axis + i) for i in range(count)]
    return axis + count


def _place(found: Plan, item: Any, axis: int) -> int:
    """Enter one item of a key; return the next axis of x."""
    if item is None:
        found.layout.append((NEW, -1))
        return axis
    if type(item) is int:
        return _place_integer(found, item, axis)
    if isinstance(item, slice):
        return _place_slice(found, item, axis)
    if is_flag(item):
        return _place_flag(found, item, axis)
    if is_mask(item):
        return _place_mask(found, item, axis)
    if isinstance(item, (Node, np.ndarray)):
        return _place_tensor(found, item, axis)
    try:
        return _place_integer(found, operator.index(item), axis)
    except TypeError:
        raise DTypeError(f"indices must be integers, slices, ..., None or tensors, got {item!r}") from None


def _place_integer(found: Plan, index: int, axis: int) -> int:
    size = found.x.shape[axis]
    if size is None:
        _enter_tensor(found, as_node(index, dtypes.int64), axis)
        return axis + 1
    if not -size <= index < size:
        allowed = f"-{size} to {size - 1}" if size else "none: the axis is empty"
        raise IndexOutOfRangeError(
            f"index {index} is out of range for axis {axis} with size {size} (allowed: {allowed})", marks=[(0, axis)]
        )
    index %= size
    found.slices.append((index, index + 1, 1))
    found.layout.append((POINT, axis))
    return axis + 1


def _enter_tensor(found: Plan, node: Node, axis: int) -> None:
    found.slices.append(FULL)
    found.tensors[axis] = node
    found.layout.append((INDEX, axis))


def _place_tensor(found: Plan, item: Node | np.ndarray, axis: int) -> int:
    node = as_node(item)
    if not dtypes.is_integer(node.dtype):
        raise DTypeError(
            f"indices must be integers or booleans, got {node.dtype.name}", hint="convert with .astype(int)"
        )
    if node.ndim == 0 and node.value is not None and not is_read_later(found.x, node):
        return _place_integer(found, int(node.value), axis)
    _enter_tensor(found, node, axis)
    return axis + 1


def _bound(x: Node, value: Any, what: str) -> int | Node | None:
    """Return a bound of a slice of a tensor: an int, or a node whose value is not known before the graph runs."""
    if value is None or type(value) is int:
        return value
    if isinstance(value, Node):
        if value.ndim != 0 or not dtypes.is_integer(value.dtype):
            raise DTypeError(f"the {what} of a slice must be an integer, got {value.type!r}")
        if is_read_later(x, value):
            return value
        if value.value is None and not value.is_symbolic:
            evaluate(value)  # the shape of the result depends on it
        return value if value.value is None else int(value.value)
    try:
        return operator.index(value)
    except TypeError:
        raise DTypeError(f"the {what} of a slice must be an integer, got {value!r}") from None


def _place_slice(found: Plan, item: slice, axis: int) -> int:
    ends = ((item.start, "start"), (item.stop, "stop"), (item.step, "step"))
    start, stop, step = [_bound(found.x, value, what) for value, what in ends]
    step = 1 if step is None else step
    if not isinstance(step, Node) and step == 0:
        raise ArgumentError("a slice's step cannot be 0")
    if isinstance(start, Node) or isinstance(stop, Node) or isinstance(step, Node):
        found.slices.append(FULL)
        found.ranges[axis] = slice(start, stop, step)
    else:
        found.slices.append((start, stop, step))
    found.layout.append((AXIS, axis))
    return axis + 1


def _place_flag(found: Plan, item: Any, axis: int) -> int:
    """A single boolean adds an axis, of size 1 where it is true and 0 where it is false."""
    if isinstance(item, Node):
        item = _known(item)
        if item is None:
            raise ArgumentError(
                "the shape of the result depends on a symbolic boolean", hint="st.where or st.cond choose by its value"
            )
    sizes = sizes_of(found.x)
    found.x = reshape(found.x, (*sizes[:axis], 1, *sizes[axis:]))
    _enter_tensor(found, as_node(np.zeros(int(bool(item)), np.int64)), axis)
    return axis + 1


def _known(node: Node) -> np.ndarray | None:
    """Return the value of a node, computed now; None where it depends on a symbol."""
    if node.value is None and not node.is_symbolic:
        evaluate(node)
    value: np.ndarray | None = node.value
    return value


def check_mask(mask: Shape, x: Shape, axis: int) -> None:
    """Refuse a mask whose sizes differ from those of the axes that it covers; a size of 0 selects nothing."""
    covered = x[axis : axis + len(mask)]
    bad = [i for i, (a, b) in enumerate(zip(mask, covered, strict=True)) if a not in (b, 0, None) and b is not None]
    if bad:
        many = f"axes {axis} to {axis + len(mask) - 1}" if len(mask) > 1 else f"axis {axis}"
        raise ShapeError(
            f"a boolean mask of shape {shape_text(mask)} selects from {many} of shape {shape_text(covered)}",
            marks=[(0, axis + i) for i in bad], hint="a mask has the sizes of the axes that it selects from",
        )  # fmt: skip


def fitted_mask(mask: Node, x: Node, axis: int) -> Node:
    """Return the mask, checked when the graph runs where a size is not known before."""
    check_mask(mask.shape, x.shape, axis)
    if mask.tensor_type.is_known and x.shape[axis : axis + mask.ndim] == mask.shape:
        return mask
    sizes = sizes_of(x)[axis : axis + mask.ndim]
    if 0 in mask.shape:
        return broadcast_to(as_node(np.zeros((), np.bool_)), sizes)
    # Broadcasting refuses sizes other than 1, reshaping other counts: what passes both has the same shape.
    return ops.logical_and(broadcast_to(mask, sizes), reshape(mask, sizes))


def _place_mask(found: Plan, item: Node | np.ndarray, axis: int) -> int:
    mask = fitted_mask(as_node(item), found.x, axis)
    value = _known(mask)
    if value is None:
        places: Sequence[Node] = items(ops.nonzero(mask))
    else:
        places = [as_node(line) for line in np.nonzero(value)]
    for offset, place in enumerate(places):
        _enter_tensor(found, place, axis + offset)
    return axis + mask.ndim


# Recording a key.


class Range:
    """A slice whose bounds are known when the graph runs: where it starts, and how many elements it has."""

    def __init__(self, size: int | Node, bounds: slice) -> None:
        whole, zero, one = (_integer(value) for value in (size, 0, 1))
        self.step: int | Node = bounds.step if type(bounds.step) is int else _integer(bounds.step)
        step = _integer(self.step)
        is_back = ops.less(step, zero) if isinstance(self.step, Node) else self.step < 0

        def by_way(forward: Node, back: Node) -> Node:
            return ops.where(is_back, back, forward) if isinstance(is_back, Node) else back if is_back else forward

        low = by_way(zero, -one)
        ends = [_clip(end, whole, low) if end is not None else None for end in (bounds.start, bounds.stop)]
        self.start: Node = by_way(zero, whole - one) if ends[0] is None else ends[0]
        stop = by_way(whole, -one) if ends[1] is None else ends[1]
        stride = by_way(step, -step)
        span = by_way(stop - self.start, self.start - stop)
        if isinstance(self.step, Node):  # a step of 0 is an error: it takes an element that is not there
            is_nothing = ops.equal(step, zero)
            self.start = ops.where(is_nothing, whole, self.start)
            span, stride = ops.where(is_nothing, one, span), ops.where(is_nothing, one, stride)
        self.count: Node = ops.maximum(ops.floor_divide(span + (stride - one), stride), zero)

    def places(self) -> Node:
        """Record the indices of the elements."""
        static, dynamic = split_sizes((self.count,))
        return self.start + record(ops.iota, dynamic, (static, 0, dtypes.int64)) * self.step


def _integer(value: Any) -> Node:
    return cast_to(as_node(value, dtypes.int64), dtypes.int64)


def _clip(bound: int | Node, whole: Node, low: Node) -> Node:
    """Count a bound from the front, and move one beyond an end to it, as Python's slices do."""
    own = _integer(bound)
    own = ops.where(ops.less(own, as_node(0, dtypes.int64)), own + whole, own)
    return ops.minimum(ops.maximum(own, low), whole + low)


def cut_range(x: Node, axis: int, found: Range) -> Node:
    """Record a slice whose bounds or step are tensors."""
    if type(found.step) is int and found.step == 1:
        sizes = list(sizes_of(x))
        starts = [as_node(0, dtypes.int64)] * x.ndim
        starts[axis], sizes[axis] = found.start, found.count
        static, dynamic = split_sizes(sizes)
        return dynamic_slice(x, *starts, *dynamic, sizes=static)
    return take(x, found.places(), axis=axis)


def cut(p: Plan) -> Node:
    """Record the slices of a plan."""
    y = slice_op(p.x, slices=tuple(p.slices)) if p.is_sliced else p.x
    for axis, bounds in p.ranges.items():
        y = cut_range(y, axis, Range(sizes_of(y)[axis], bounds))
    return y


def index_sizes(tensors: Sequence[Node]) -> tuple[Any, ...]:
    """Return the sizes that index tensors broadcast to; of several unknown ones, that which does not turn out to be 1.

    The places that a mask selects are as many as it has true elements, and that may be one.
    """
    sizes: list[Any] = list(broadcast(*[t.shape for t in tensors]))
    for i, size in enumerate(sizes):
        if size is None:
            place = i - len(sizes)
            unknown = [sizes_of(t)[place] for t in tensors if t.ndim >= -place and t.shape[place] is None]
            sizes[i] = functools.reduce(lambda a, b: ops.where(ops.equal(a, 1), b, a), unknown)
    return tuple(sizes)


def select(p: Plan) -> Node:
    """Record the primitives of a plan."""
    y = cut(p)
    rank = max([t.ndim for t in p.tensors.values()], default=0)
    labels: list[Any] = list(range(y.ndim))  # what each axis of y is: an axis of x, or ("index", i)
    if p.tensors:
        axes, tensors = tuple(p.tensors), tuple(p.tensors.values())
        line = [(INDEX, i) for i in range(rank)]
        if len(axes) == 1:
            y = take(y, tensors[0], axis=axes[0])
            labels[axes[0] : axes[0] + 1] = line
        else:
            y = gather(y, *tensors, axes=axes)
            labels = [*line, *[label for label in labels if label not in axes]]
    return _arrange(y, p, labels, rank)


def _arrange(y: Node, p: Plan, labels: list[Any], rank: int) -> Node:
    """Bring the axes into the order of the key, drop those of integers, and add new ones."""
    order = p.order()
    wanted: list[Any] = []
    for kind, axis in order:
        wanted += [(INDEX, i) for i in range(rank)] if kind == INDEX else [axis] if kind == AXIS else []
    points = p.points
    if [label for label in labels if label not in points] != wanted:
        y = moved(y, [labels.index(label) for label in [*wanted, *points]])
        labels = [*wanted, *points]
    if not points and all(kind != NEW for kind, _ in order):
        return y
    own = dict(zip(labels, sizes_of(y), strict=True))
    sizes: list[Any] = []
    for kind, axis in order:
        sizes += [own[INDEX, i] for i in range(rank)] if kind == INDEX else [1 if kind == NEW else own[axis]]
    return reshape(y, tuple(sizes))


_BOUNDS = (int, type(None))


def _quick(x: Node, key: Any) -> Node | None:
    """Record a key of integers and slices with the least work; None for any other key, and for one that is an error."""
    given = key if type(key) is tuple else (key,)
    shape = x.tensor_type.shape
    if len(given) > len(shape):
        return None
    slices: list[Any] = []
    kept: list[int] = []
    for axis, item in enumerate(given):
        if type(item) is int:
            size = shape[axis]
            if size is None or not -size <= item < size:
                return None
            item %= size
            slices.append((item, item + 1, 1))
        elif type(item) is slice:
            start, stop, step = item.start, item.stop, item.step
            if type(start) not in _BOUNDS or type(stop) not in _BOUNDS or type(step) not in _BOUNDS or step == 0:
                return None
            slices.append((start, stop, 1 if step is None else step))
            kept.append(axis)
        else:
            return None
    rest = len(shape) - len(slices)
    y = record(slice_op, (x,), ((*slices, *[FULL] * rest),))
    if len(kept) + rest == len(shape):
        return y
    kept += range(len(slices), len(shape))
    sizes = y.tensor_type.shape
    if None not in sizes:
        return record(reshape_op, (y,), (tuple([sizes[axis] for axis in kept]),))
    own = sizes_of(y)
    return reshape(y, tuple([own[axis] for axis in kept]))


@function(name="get_item")
def get_item(x: Any, key: Any) -> Node:
    """Return ``x[key]`` with NumPy's rules; the result is a copy, never a view.

    Parameters
    ----------
    x : tensor
    key : int, slice, None, Ellipsis, tensor of int or bool, or a tuple of them
        Bounds of slices may be integer scalar tensors. A boolean mask that depends on a symbol gives a size that is not
        known before the graph runs.

    Raises
    ------
    IndexOutOfRangeError
        If an index is out of range, or there are more than x has axes.
    DTypeError
        If an index is no integer, slice, None, Ellipsis or tensor of integers or booleans.
    ShapeError
        If a mask does not have the sizes of the axes that it covers, or index tensors do not broadcast together.

    Gradient
    --------
    Goes to the selected elements, and adds up for those that are selected more than once.
    """
    x = as_node(x)
    found = _quick(x, key)
    if found is not None:
        return found
    try:
        return select(plan(x, key))
    except SeptetError as error:
        if error.is_located:
            raise
        raise explain_call(error, "x[key]", ("x",), (x,)) from None


@function(name="take", methods=["take"])
def take_rows(x: Any, indices: Any, /, *, axis: int | None = None) -> Node:
    """Select along an axis by integer indices of any shape; an index out of range is an error.

    Parameters
    ----------
    x : tensor
    indices : tensor of int
        Negative ones count from the end.
    axis : int, optional
        May be left out for a tensor of rank 1.

    Raises
    ------
    IndexOutOfRangeError
        Naming the first offending index and its position.
    """
    x = as_node(x)
    if axis is None:
        if x.ndim != 1:
            error = ArgumentError(f"needs an axis for a tensor of rank {x.ndim}")
            raise explain_call(error, "take", ("x",), (x,))
        axis = 0
    return take(x, as_indices(indices), axis=axis)


def as_indices(indices: Any) -> Node:
    """Return indices as a node; an empty list is one of integers."""
    if isinstance(indices, (list, tuple)) and np.size(indices) == 0:
        return as_node(np.asarray(indices, np.int64))
    return as_node(indices)


@function()
def one_hot(indices: Any, size: Any, /, *, axis: int = -1, dtype: Any = None) -> Node:
    """Return 1 at each index and 0 elsewhere, along a new axis.

    Parameters
    ----------
    indices : tensor of int
        An index outside 0 to size - 1 gives zeros only.
    size : int or integer scalar tensor
    axis : int
        Where the new axis goes.
    dtype : dtype, optional
        By default the default float.
    """
    node = as_indices(indices)
    if not dtypes.is_integer(node.dtype):
        error = DTypeError(f"indices must be integers, got {node.dtype.name}", hint="convert with .astype(int)")
        raise explain_call(error, "one_hot", ("indices",), (node,))
    place = check_axis(axis, node.ndim + 1)
    sizes = sizes_of(node)
    wide = reshape(node, (*sizes[:place], 1, *sizes[place:]))
    static, dynamic = split_sizes((size,))
    line = record(ops.iota, dynamic, (static, 0, dtypes.int64))
    line = reshape(line, tuple(size if i == place else 1 for i in range(node.ndim + 1)))
    is_hot = ops.equal(cast_to(wide, dtypes.int64), line)
    return cast_to(is_hot, dtypes.as_dtype(float if dtype is None else dtype))
