"""Rules about loops: what is always the same, or there twice, is made a constant, or one."""

from __future__ import annotations

import numpy as np

from septet.graph.graph import substitute
from septet.graph.node import CONSTANT, Node, constant
from septet.graph.rewrite import SMALL, fill_value
from septet.ops.shaping import broadcast_to, reshape, sizes_of
from septet.optimize.loop_parts import Loop, Scan


def no_steps(scan: Scan) -> int:
    """Take the first values for the last ones of a loop without steps."""
    if scan.steps != 0 or any(None in node.shape for node in scan.results):
        return 0
    if any(a.type is not b.type for a, b in zip(scan.initial, scan.finals, strict=True)):
        return 0
    for final, first in zip(scan.finals, scan.initial, strict=True):
        scan.settle(final, first)
    for stack in scan.stacks:
        scan.settle(stack, broadcast_to(constant(np.zeros((), stack.dtype)), stack.shape))
    scan.is_gone = True
    return 1


def one_step(scan: Scan) -> int:
    """Write a loop of one step out."""
    if scan.steps != 1:
        return 0
    inner = {own: reshape(stack, sizes_of(stack)[1:]) for own, stack in zip(scan.elements, scan.sequences, strict=True)}
    inner |= dict(zip(scan.carried, scan.initial, strict=True))
    inner |= dict(zip(scan.fixed, scan.constants, strict=True))
    found = substitute([*scan.after, *scan.results], inner)
    count = len(scan.after)
    stacks = [reshape(node, (1, *sizes_of(node))) for node in found[count:]]
    places = [*scan.finals, *scan.stacks]
    if any(a.type is not b.type for a, b in zip(places, (*found[:count], *stacks), strict=True)):
        return 0
    for place, node in zip(places, (*found[:count], *stacks), strict=True):
        scan.settle(place, node)
    scan.is_gone = True
    return 1


def unchanged_carry(loop: Loop) -> int:
    """Make constants of carried values that no step changes."""
    fired = 0
    for index in reversed(range(len(loop.carried))):
        own, first = loop.carried[index], loop.initial[index]
        if loop.after[index] is own and first.type is loop.finals[index].type is own.type:
            loop.settle(loop.finals[index], first)
            loop.replace({own: loop.constant(first)})
            loop.drop_carry(index)
            fired += 1
    return fired


def equal_operand(loop: Loop) -> int:
    """Let one operand do for several that are the same."""
    mapping: dict[Node, Node] = {}
    for symbols, outers in ((loop.elements, loop.sequences), (loop.fixed, loop.constants)):
        first: dict[tuple[Node, object], Node] = {}
        for own, outer in zip(symbols, outers, strict=True):
            one = first.setdefault((outer, own.type), own)
            if one is not own:
                mapping[own] = one
    fired = _used(loop, mapping)
    if fired:
        loop.replace(mapping)
    return fired


def _used(loop: Loop, mapping: dict[Node, Node]) -> int:
    """How many of some symbols the body uses."""
    nodes = set(loop.nodes())
    return sum(own in nodes for own in mapping)


def constant_operand(loop: Loop) -> int:
    """Put numbers into the body."""
    mapping: dict[Node, Node] = {}
    for own, outer in zip(loop.fixed, loop.constants, strict=True):
        if outer.type is own.type and _is_small(outer):
            mapping[own] = outer
    for own, outer in zip((*loop.fixed, *loop.elements), (*loop.constants, *loop.sequences), strict=True):
        source = _filling(outer)
        if own not in mapping and source is not None and own.type.is_known:  # else its sizes come from outside
            mapping[own] = broadcast_to(source, own.shape)
    fired = _used(loop, mapping)
    if fired:
        loop.replace(mapping)
    return fired


def _is_small(node: Node) -> bool:
    return node.op is CONSTANT and getattr(node.value, "size", SMALL + 1) <= SMALL


def _filling(node: Node) -> Node | None:
    """Return the scalar constant that a node is filled with."""
    value = fill_value(node)
    if value is None:
        return None
    while node.op is not CONSTANT:
        node = node.inputs[0]
    return node if node.shape == () else None


def repeated_sequence(scan: Scan) -> int:
    """Make constants of sequences whose elements are all the same."""
    fired = 0
    for own, outer in list(zip(scan.elements, scan.sequences, strict=True)):
        if outer.op.name != "broadcast_to" or len(outer.inputs) > 1 or own not in scan.nodes():
            continue
        (source,) = outer.inputs
        if not (outer.type.is_known and source.type.is_known):
            continue
        if source.ndim == outer.ndim:
            if source.shape[0] != 1:
                continue
            source = reshape(source, source.shape[1:])
        scan.replace({own: scan.constant(broadcast_to(source, own.shape))})
        fired += 1
    return fired


def known_result(scan: Scan) -> int:
    """Take results that are there already, or the same in each step, from outside."""
    fired = 0
    first: dict[Node, Node] = {}
    for own, stack in zip(scan.results, scan.stacks, strict=True):
        if stack in scan.known:
            continue
        outer = _outside(scan, own, stack)
        if outer is not None:
            if outer.type is stack.type:
                scan.settle(stack, outer)
                fired += 1
            continue
        one = first.setdefault(own, stack)
        if one is not stack and one.type is stack.type:
            scan.settle(stack, one)
            fired += 1
    return fired


def _outside(scan: Scan, own: Node, stack: Node) -> Node | None:
    """Return the stack of a value that comes from outside, or is a number."""
    if own in scan.elements:
        return scan.sequences[scan.elements.index(own)]
    if own in scan.fixed and stack.type.is_known:
        return broadcast_to(scan.constants[scan.fixed.index(own)], stack.shape)
    source = _filling(own)
    return broadcast_to(source, stack.shape) if source is not None and stack.type.is_known else None
