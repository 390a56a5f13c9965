"""Joining, padding, and replacing parts: copies into one piece of memory."""

from __future__ import annotations

from septet.backends.cpu.planner import Planner, as_slice
from septet.graph.node import Node


def plan_concatenate(planner: Planner, node: Node) -> bool:
    """Copy each tensor into its part of the result, unless it was computed there."""
    if not planner.can_copy(node):
        return False
    axis = node.param("axis")
    sources = [planner.look(source) for source in node.inputs]
    there = planner.places.get(node) or planner.allocate(node)
    start = 0
    for source in sources:
        size = source.shape[axis]
        part = [slice(None)] * node.ndim
        part[axis] = slice(start, start + size)
        start += size
        own = there.sliced(part)
        if source != own:
            planner.copied(source, own)
    return True


def plan_update_slice(planner: Planner, node: Node) -> bool:
    """Copy the tensor, unless nobody needs it afterwards, and the new values over a part of it."""
    x, update = node.inputs
    if not planner.can_copy(node, x, update):
        return False
    source = planner.look(update)
    there = planner.reuse(x, node) or planner.copied(planner.look(x), planner.allocate(node))
    planner.copied(source, there.sliced([as_slice(cut) for cut in node.param("slices")]))
    return True


def plan_pad(planner: Planner, node: Node) -> bool:
    """Fill the result, and copy what is not cropped into its place."""
    (x,) = node.inputs
    if not planner.can_copy(node, x):
        return False
    source, there = planner.look(x), planner.allocate(node)
    widths = node.param("widths")
    planner.filled(there, node.param("value"))
    planner.copied(
        source.sliced([slice(max(-low, 0), size - max(-high, 0)) for size, (low, high) in zip(source.shape, widths)]),
        there.sliced([slice(max(low, 0), size - max(high, 0)) for size, (low, high) in zip(there.shape, widths)]),
    )
    return True


TABLE = {"concatenate": plan_concatenate, "update_slice": plan_update_slice, "pad": plan_pad}
