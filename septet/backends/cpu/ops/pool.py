"""Pooling: by native kernels where channels are neighbours; otherwise by loops with two axes for windows, their place and
the place inside of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.backends.cpu import pooling
from septet.backends.cpu.direct_tiles import machine
from septet.backends.cpu.held import Held
from septet.backends.cpu.layouts import Layout
from septet.backends.cpu.loops import Store, is_element, kind_of
from septet.backends.cpu.memory import Strided, strides_of
from septet.backends.cpu.ops.conv_parts import SMALL, channels_last, emit_tasks, target_of, with_neighbours
from septet.backends.cpu.planner import Planner
from septet.backends.cpu.pooling import Pooling
from septet.backends.cpu.regions import Region
from septet.base.dtypes import accumulator_of
from septet.base.sizes import decided, make
from septet.graph.node import Node
from septet.optimize.fuse import Group


class Windows:
    """The windows of one pooling over a tensor in memory.

    Attributes
    ----------
    x : Strided
        Surrounded by its padding.
    places : Strided
        A view of x: leading axes, places of windows, places inside a window.
    rank : int
        How many axes windows slide along.
    """

    def __init__(self, node: Node, x: Strided, result: tuple[int, ...]) -> None:
        window = node.param("window")
        self.rank = len(window)
        self.x = x
        lead = len(x.shape) - self.rank
        self.lead = lead
        self.window = tuple(window)
        steps = [s * k for s, k in zip(x.strides[lead:], node.param("stride"), strict=True)]
        inside = [s * d for s, d in zip(x.strides[lead:], node.param("dilation"), strict=True)]
        self.places = x._replace(
            shape=(*x.shape[:lead], *result[lead:], *window), strides=(*x.strides[:lead], *steps, *inside)
        )
        self.is_disjoint = all(
            d == 1 and s >= w
            for d, s, w in zip(node.param("dilation"), node.param("stride"), node.param("window"), strict=True)
        )

    def group(self) -> tuple[Group, dict[int, int]]:
        """Return the domain, windows as rows, and the axis of the domain for each axis of `places`."""
        shape = self.places.shape
        big = [axis for axis, size in enumerate(shape) if size != 1]
        numbers = {axis: index for index, axis in enumerate(big)}
        outer = sorted(
            [a for a in big if a < self.lead + self.rank], key=lambda a: -abs(self.places.strides[a])
        )  # fmt: skip
        inner = [a for a in big if a >= self.lead + self.rank]
        order = tuple(numbers[a] for a in (*inner, *outer))  # lanes along the outer axes
        group = Group(-1, tuple(shape[a] for a in big), order, True)
        group.inner = tuple(numbers[a] for a in inner)
        return group, numbers

    def strides(self, there: Strided, numbers: dict[int, int]) -> tuple[int, ...]:
        """Return the strides along the domain of a tensor that has all axes of `places`, or only the first."""
        found = [0] * len(numbers)
        for axis, stride in enumerate(there.strides):
            if axis in numbers:
                found[numbers[axis]] = stride
        return tuple(found)


def _supports(node: Node) -> bool:
    names = [node.dtype.name, *[source.dtype.name for source in node.inputs]]
    shapes = (*node.shape, *[size for source in node.inputs for size in source.shape])
    return all(is_element(name) for name in names) and 0 not in shapes


def _padded(planner: Planner, node: Node, x: Strided, fill: Any) -> Strided:
    """Return a tensor with its padding around it."""
    padding = node.param("padding")
    if not any(low or high for low, high in padding):
        return x
    lead = len(x.shape) - len(padding)
    spatial = zip(x.shape[lead:], padding, strict=True)
    shape = (*x.shape[:lead], *[size + low + high for size, (low, high) in spatial])
    order = sorted(range(len(shape)), key=lambda a: -abs(x.strides[a]))
    wide = planner.scratch_in(shape, x.dtype, tuple(order))
    planner.filled(wide, fill)
    planner.copied(x, _inside(wide, node))
    return wide


def _inside(wide: Strided, node: Node) -> Strided:
    """Return the part of a padded tensor without its padding."""
    padding = node.param("padding")
    cuts = [slice(None)] * (len(wide.shape) - len(padding))
    cuts += [slice(low, size - high) for size, (low, high) in zip(wide.shape[len(cuts) :], padding, strict=True)]
    return wide.sliced(cuts)


def _lowest(dtype: np.dtype[Any]) -> Any:
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


# By native kernels.


def _sizes(node: Node, x: Strided, y: Strided) -> Pooling:
    layouts = [Layout(there.shape, there.strides, there.dtype.name) for there in (x, y)]
    return Pooling(*layouts, *[node.param(name) for name in ("window", "stride", "padding", "dilation")])


def _emit(planner: Planner, node: Node, sizes: Pooling, x: Strided, y: Strided, to: Strided) -> None:
    """Add the tasks of a pooling, or of a gradient `to` of x from one of y."""
    kind = node.op.name
    own = machine(node.dtype.name, x.shape[1])
    made = make(pooling.plan, kind, sizes, Layout(to.shape, to.strides))
    threads = planner.threads_for(math.prod(sizes.y.shape) * math.prod(sizes.window), SMALL)
    tasks, block = made.number(lambda plan: plan.tasks), made.later(lambda plan: Held(plan.block.ctypes.data, plan))
    args = [tasks, 1, threads, x.place, y.place, to.place, block]
    reads, writes = ([x], [y]) if kind in ("max_pool", "sum_pool") else ([x, y], [to])
    emit_tasks(
        planner, node, "pooling_task", pooling.kernel_name(kind, own.kind, own.lanes, sizes.window), args, reads, writes
    )


def _reduce_natively(planner: Planner, node: Node) -> bool:
    """Plan `max_pool` or `sum_pool`; False where channels are no neighbours, or too few for a vector."""
    x = planner.look(node.inputs[0])
    names = {node.dtype.name, x.dtype.name}
    if len(names) > 1 or node.ndim < 3 or x.strides[1] != 1:
        return False
    shape: Any = node.shape
    planned = Strided(None, node.dtype, shape, strides_of(shape, channels_last(node.ndim)))  # type: ignore[arg-type]
    if not decided(pooling.is_possible, node.op.name, _sizes(node, x, planned)):
        return False
    if x.shape[1] < machine(node.dtype.name, x.shape[1]).lanes:
        return False
    y = planner.allocate(node, channels_last(node.ndim))
    target = target_of(planner, y)
    _emit(planner, node, _sizes(node, x, target), x, target, target)
    if target is not y:
        planner.copied(target, y)
    return True


def _spread_natively(planner: Planner, node: Node) -> bool:
    """Plan `max_pool_gradient` or `sum_pool_transpose`; channels become neighbours where they are not."""
    names = {node.dtype.name, *[source.dtype.name for source in node.inputs]}
    if len(names) > 1 or node.ndim < 3:
        return False
    shape: Any = node.shape
    order = channels_last(node.ndim)
    planned = Strided(None, node.dtype, shape, strides_of(shape, order))  # type: ignore[arg-type]
    g = planner.look(node.inputs[0])
    like = g._replace(strides=strides_of(g.shape, order))
    if not decided(pooling.is_possible, node.op.name, _sizes(node, planned, like)):
        return False
    g = with_neighbours(planner, g)
    x = with_neighbours(planner, planner.look(node.inputs[1])) if len(node.inputs) > 1 else planned
    to = planner.allocate(node, order)
    target = target_of(planner, to)
    if len(node.inputs) == 1:
        x = target
    _emit(planner, node, _sizes(node, x, g), x, g, target)
    if target is not to:
        planner.copied(target, to)
    return True


def plan_max_pool(planner: Planner, node: Node) -> bool:
    """Take the maximum along the places inside a window."""
    if not _supports(node):
        return False
    if _reduce_natively(planner, node):
        return True
    x = planner.look(node.inputs[0])
    return _reduce(planner, node, _padded(planner, node, x, _lowest(x.dtype)), "max")


def plan_sum_pool(planner: Planner, node: Node) -> bool:
    """Take the sum along the places inside a window."""
    if not _supports(node):
        return False
    if _reduce_natively(planner, node):
        return True
    return _reduce(planner, node, _padded(planner, node, planner.look(node.inputs[0]), 0), "add")


def _reduce(planner: Planner, node: Node, x: Strided, kind: str) -> bool:
    y = planner.allocate(node, _order(node, x))
    windows = Windows(node, x, y.shape)
    group, numbers = windows.group()
    region = Region(group, planner.look, planner.constant)
    value = region.load(windows.places, windows.strides(windows.places, numbers))
    dtype = accumulator_of(node.dtype).name if kind == "add" else node.dtype.name
    total = region.cast(region.reduce(kind, region.cast(value, dtype)), node.dtype.name)
    region.store(total, y, tuple(numbers.get(a) for a in range(node.ndim)))
    planner.emit(region.call((node,), None, {}), node.op.name)
    return True


def _order(node: Node, like: Strided) -> tuple[int, ...]:
    """The axes of a result in the order of the axes of an input."""
    return tuple(sorted(range(node.ndim), key=lambda a: (-abs(like.strides[a]), a)))


def order_of_pool(node: Node, users: Sequence[Node]) -> tuple[int, ...] | None:
    """Images that are pooled in between convolutions keep their channels next to each other.

    A gradient of pooling is between them, too, where what was pooled comes from a convolution.
    """
    return channels_last(node.ndim) if any(_is_image(source, node.ndim) for source in node.inputs) else None


def _is_image(source: Node, ndim: int) -> bool:
    """Tell whether a node is computed, in a few steps, from a convolution whose channels are next to each other."""
    seen = 0
    while seen < 8 and source.op.name not in ("conv", "conv_input") and source.inputs:
        if source.ndim != ndim:
            return False
        same = [s for s in source.inputs if s.op.name != "constant" and getattr(s.type, "ndim", None) == ndim]
        if not same:
            return False
        source = same[0]
        seen += 1
    return source.op.name in ("conv", "conv_input") and source.dtype.name in ("float32", "float64")


def plan_max_gradient(planner: Planner, node: Node) -> bool:
    """Find the first maximum of each window, then let the gradient into its place."""
    g, x = node.inputs
    if not _supports(node) or kind_of(x.dtype.name) != "f":
        return False
    if _spread_natively(planner, node):
        return True
    if any(low or high for low, high in node.param("padding")):
        return False  # it may hold the maximum of a window of -inf: the reference knows
    there_x, there_g = planner.look(x), planner.look(g)
    windows = Windows(node, there_x, there_g.shape)
    y = planner.allocate(node, _order(node, there_x))
    wide = y.dtype if windows.is_disjoint else accumulator_of(y.dtype)  # float32 for sums of short floats
    target = y if wide == y.dtype else planner.scratch_in(y.shape, wide, _order(node, y))
    _clear_gradient(planner, windows, target)
    group, numbers = windows.group()
    region = Region(group, planner.look, planner.constant)
    value = region.load(windows.places, windows.strides(windows.places, numbers))
    top = region.reduce("max", value)
    hit = region.op(
        "logical_or",
        region.op("equal", value, top, dtype="bool"),
        region.op("isnan", value, dtype="bool"),
        dtype="bool",
    )
    place = _place(region, windows, numbers)
    beyond = region.number(int(np.prod(windows.window)), "int64")
    first = region.reduce("min", region.op("where", hit, place, beyond, dtype="int64"))
    here = region.op("equal", place, first, dtype="bool")
    gradient = region.load(there_g, windows.strides(there_g, numbers))
    if windows.is_disjoint:
        into = Windows(node, target, there_g.shape).places
        share = region.op("where", here, gradient, region.number(0.0, g.dtype.name), dtype=g.dtype.name)
        region.stores.append(_all(region, share, into, windows.strides(into, numbers)))
        planner.emit(region.call((node,), None, {}), node.op.name)
        return True
    firsts = planner.scratch_in(there_g.shape, np.dtype(np.int64), _order(g, there_g))
    region.store(first, firsts, tuple(numbers.get(a) for a in range(node.ndim)))
    planner.emit(region.call((node,), None, {}), node.op.name)
    _spread(planner, node, windows, Windows(node, target, there_g.shape).places, there_g, firsts)
    if target is not y:
        planner.copied(target, y)
    return True


def plan_sum_transpose(planner: Planner, node: Node) -> bool:
    """Add each element of g everywhere in its window."""
    if not _supports(node) or len(node.inputs) != 1:
        return False
    if _spread_natively(planner, node):
        return True
    there_g = planner.look(node.inputs[0])
    lead = node.ndim - len(node.param("window"))
    spatial = zip(node.shape[lead:], node.param("padding"), strict=True)
    shape: Any = (*node.shape[:lead], *[size + low + high for size, (low, high) in spatial])  # type: ignore[operator]
    order = tuple(sorted(range(node.ndim), key=lambda a: (-abs(there_g.strides[a]), a)))
    y = planner.allocate(node, order)
    wide = accumulator_of(node.dtype)
    target = y if shape == y.shape and wide == node.dtype else planner.scratch_in(shape, wide, order)
    planner.filled(target, 0)
    windows = Windows(node, target, there_g.shape)
    _spread(planner, node, windows, windows.places, there_g, None)
    if target is not y:
        planner.copied(_inside(target, node), y)
    return True


def _clear_gradient(planner: Planner, windows: Windows, y: Strided) -> None:
    """Fill the place where gradients go with zeros, unless every element is written once."""
    covered = all(
        size == count * width
        for size, count, width in zip(
            y.shape[windows.lead :], windows.places.shape[windows.lead :], windows.window, strict=False
        )
    )
    if not (windows.is_disjoint and covered):
        planner.filled(y, 0)


def _spread(planner: Planner, node: Node, windows: Windows, into: Strided, g: Strided, firsts: Strided | None) -> None:
    """For each place inside a window, one pass: the same place of different windows never is the same element."""
    rank, lead = windows.rank, windows.lead
    for number, place in enumerate(itertools.product(*map(range, windows.window))):
        own = into.sliced([slice(None)] * (lead + rank) + [slice(p, p + 1) for p in place])
        own = own._replace(shape=own.shape[: lead + rank], strides=own.strides[: lead + rank])
        big = [a for a, size in enumerate(own.shape) if size != 1]
        order = sorted(big, key=lambda a: -abs(own.strides[a]))
        group = Group(-1, tuple(own.shape[a] for a in big), tuple(big.index(a) for a in order), True)
        region = Region(group, planner.look, planner.constant)
        old = region.load(own, tuple(own.strides[a] for a in big))
        share = region.cast(region.load(g, tuple(g.strides[a] for a in big)), into.dtype.name)
        if firsts is not None:
            first = region.load(firsts, tuple(firsts.strides[a] for a in big))
            here = region.op("equal", first, region.number(number, "int64"), dtype="bool")
            share = region.op("where", here, share, region.number(0.0, into.dtype.name), dtype=into.dtype.name)
        new = region.op("add", old, share)
        region.store(new, own, tuple(big.index(a) if a in big else None for a in range(lead + rank)))
        planner.emit(region.call((node,), None, {}), node.op.name)


def _place(region: Region, windows: Windows, numbers: dict[int, int]) -> int:
    """The number of the place inside a window."""
    found = region.number(0, "int64")
    for axis, size in enumerate(windows.window):
        number = numbers.get(windows.lead + windows.rank + axis)
        found = region.op("multiply", found, region.number(size, "int64"))
        if number is not None:
            found = region.op("add", found, region.position(number))
    return found


def _all(region: Region, value: int, there: Strided, strides: tuple[int, ...]) -> Any:
    return Store(region.buffer(there, strides, True), value)


TABLE = {
    "max_pool": plan_max_pool, "sum_pool": plan_sum_pool, "max_pool_gradient": plan_max_gradient,
    "sum_pool_transpose": plan_sum_transpose,
}  # fmt: skip
ORDERS = {
    "max_pool": order_of_pool, "sum_pool": order_of_pool, "max_pool_gradient": order_of_pool,
    "sum_pool_transpose": order_of_pool,
}  # fmt: skip
