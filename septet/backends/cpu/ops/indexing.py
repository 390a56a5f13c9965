"""Putting values in at computed places."""

from __future__ import annotations

from septet.backends.cpu.planner import Planner
from septet.backends.cpu.regions import Region, start_of
from septet.base.dtypes import accumulator_of
from septet.graph.node import Node
from septet.optimize.fuse import Group

HOW = {"set": "set", "add": "add", "multiply": "multiply", "max": "max", "min": "min"}


def plan_scatter(planner: Planner, node: Node) -> bool:
    """Go through the indices one after the other, so that the last of equal ones wins; threads share the other axes."""
    x, updates, *indices = node.inputs
    axes = node.param("axes")
    mode = HOW.get(node.param("mode"))
    if mode is None or not planner.can_copy(node, x, updates, *indices):
        return False
    there_x, there_updates = planner.look(x), planner.look(updates)
    there_indices = [planner.look(index) for index in indices]
    rank = max(index.ndim for index in indices)
    counted: list[int] = [1] * rank
    for index in there_indices:
        for axis, size in enumerate(index.shape):
            place = rank - len(index.shape) + axis
            counted[place] = max(counted[place], size)
    others = [axis for axis in range(x.ndim) if axis not in axes]
    points = (*counted, *[there_x.shape[axis] for axis in others])
    wide_dtype = accumulator_of(node.dtype) if mode in ("add", "multiply") else node.dtype  # of the short floats
    if wide_dtype == node.dtype:
        there = planner.reuse(x, node) or planner.copied(there_x, planner.allocate(node))
    else:
        there = planner.copied(there_x, planner.scratch(there_x.shape, wide_dtype))
    big = [axis for axis, size in enumerate(points) if size != 1]
    group = Group(-1, tuple(points[a] for a in big), tuple(range(len(big))), True)
    group.inner = tuple(n for n, axis in enumerate(big) if axis < rank)
    region = Region(group, planner.look, planner.constant)
    wide = there_updates.broadcast(points)
    value = region.load(wide, tuple(wide.strides[a] for a in big))
    if there.dtype != wide.dtype:
        value = region.op("cast", value, dtype=there.dtype.name)
    places = []
    for axis, index in zip(axes, there_indices, strict=True):
        own = index.broadcast(tuple(counted))
        strides = tuple(own.strides[a] if a < rank else 0 for a in big)
        checked = region.check(region.load(own, strides), there.shape[axis])
        places.append((checked, there.strides[axis]))
    strides = tuple(there.strides[others[a - rank]] if a >= rank else 0 for a in big)
    region.put(value, there, strides, mode, places)
    planner.emit(region.call((node,), None, {}), node.op.name)
    if wide_dtype != node.dtype:
        planner.copied(there, planner.allocate(node))
    return True


def plan_block(planner: Planner, node: Node) -> bool:
    """Write a block over what is there, at starts that are read from memory."""
    x, update, *starts = node.inputs
    if not planner.can_copy(node, x, update, *starts):
        return False
    if not starts:
        planner.copied(planner.look(update), planner.allocate(node))
        return True
    there = planner.reuse(x, node) or planner.copied(planner.look(x), planner.allocate(node))
    big = [axis for axis, size in enumerate(update.shape) if size != 1]
    domain = tuple([update.shape[axis] for axis in big])
    group = Group(-1, domain, tuple(range(len(big))), True)  # type: ignore[arg-type]
    region = Region(group, planner.look, planner.constant)
    given = planner.look(update)
    value = region.load(given, tuple([given.strides[axis] for axis in big]))
    places = []
    for axis, (start, whole, size) in enumerate(zip(starts, there.shape, given.shape, strict=True)):
        first = region.load(planner.look(start), (0,) * len(big))
        places.append((start_of(region, first, whole, size), there.strides[axis]))
    region.put(value, there, tuple([there.strides[axis] for axis in big]), "set", places)
    planner.emit(region.call((node,), None, {}), node.op.name)
    return True


TABLE = {"scatter": plan_scatter, "dynamic_update_slice": plan_block}
