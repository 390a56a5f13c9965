"""Random bits and states."""

from __future__ import annotations

import math

from septet.backends.cpu.memory import Strided
from septet.backends.cpu.philox import UNIT
from septet.backends.cpu.planner import Planner
from septet.base.random import FOLD_TAG, SPLIT_TAG
from septet.graph.node import Node

CHUNK = 256  # units that a thread takes at a time: some 5 microseconds


def _dense(planner: Planner, source: Strided) -> Strided:
    return source if source.is_contiguous else planner.copied(source)


def plan_random_bits(planner: Planner, node: Node) -> bool:
    """Fill the result unit by unit; threads share them."""
    if 0 in node.shape or len(node.inputs) > 1:
        return False
    states = _dense(planner, planner.look(node.inputs[0]))
    there = planner.allocate(node)
    draws = math.prod(states.shape[:-1])
    size = math.prod(there.shape) * there.dtype.itemsize // draws
    units = -(-size // UNIT)
    total = draws * units
    args = [total, CHUNK, planner.threads_for(total, 2 * CHUNK), there.place, states.place, size, units]
    planner.tasks(node.op.name, "philox", args, [states], [there], node)
    return True


def _plan_derived(planner: Planner, node: Node, states: Strided, numbers: Strided | None, each: int, tag: int) -> bool:
    states = _dense(planner, states)
    there = planner.allocate(node)
    reads = [states] if numbers is None else [states, numbers]
    place = 0 if numbers is None else numbers.place
    args = [there.place, states.place, place, math.prod(there.shape) // 2, each, tag]
    planner.native(node.op.name, "philox_derive", args, reads, [there], node)
    return True


def plan_fold_in(planner: Planner, node: Node) -> bool:
    """Derive one state of each pair of a state and a number."""
    if 0 in node.shape:
        return False
    states, numbers = (planner.look(source) for source in node.inputs)
    shape: tuple[int, ...] = node.shape  # type: ignore[assignment]
    numbers = _dense(planner, numbers.broadcast(shape[:-1]))
    return _plan_derived(planner, node, states.broadcast(shape), numbers, 1, FOLD_TAG)


def plan_split(planner: Planner, node: Node) -> bool:
    """Derive several states of each."""
    if 0 in node.shape:
        return False
    return _plan_derived(planner, node, planner.look(node.inputs[0]), None, node.param("count"), SPLIT_TAG)


TABLE = {"random_bits": plan_random_bits, "fold_in": plan_fold_in, "split_state": plan_split}
