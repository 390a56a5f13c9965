"""What one loop has computed is read by another one, instead of computed again.

The gradient of a scan is a scan that runs the body again, from the carried values that the first one has kept, to have
what the chain rule asks for. Where both are in one graph, the nodes of the second body that compute the same as nodes
of the first one are found by value numbers; of these, the values are kept that are cheapest to keep (`cut`): never is a
product of matrices computed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from septet.graph.graph import order, substitute
from septet.graph.node import Node
from septet.graph.op import ITEM, Op
from septet.optimize.costs import KEEP, NEVER, bytes_of, cost_of
from septet.optimize.cut import values_to_keep
from septet.optimize.fuse import is_view
from septet.optimize.loop_parts import FIXED, Loop, Scan
from septet.optimize.value_numbers import Numbers


def join(loops: Mapping[Node, Loop]) -> Iterator[tuple[int, Scan, Scan]]:
    """Make one loop of two, of which the first carries all that the second one does."""
    users: dict[Node, list[Scan]] = {}  # by what decides the carried values
    for scan in _scans(loops):
        needed = _carried_from(scan)
        for other in min((users.get(node, []) for node in needed), key=len, default=()):
            pairs = _carries_in(other, scan)
            if pairs is not None:
                _join(other, scan, pairs)
                yield 1, other, scan
                break
        else:
            for node in needed:
                users.setdefault(node, []).append(scan)


def _carried_from(scan: Scan) -> set[Node]:
    """Return the operands that decide the carried values of a loop."""
    reached = set(order(scan.after))
    symbols, operands = (*scan.elements, *scan.fixed), (*scan.sequences, *scan.constants)
    return {*scan.initial, *[outer for own, outer in zip(symbols, operands, strict=True) if own in reached]}


def _scans(loops: Mapping[Node, Loop]) -> list[Scan]:
    return [loop for loop in loops.values() if isinstance(loop, Scan) and not loop.is_gone]


def _carries_in(first: Scan, second: Scan) -> dict[int, int] | None:
    """Return which carried values of the first loop those of the second one equal; None where they do not."""
    if first.reverse != second.reverse or not _is_as_long(first, second):
        return None
    free: dict[tuple[Node, object], list[int]] = {}
    for index, (outer, own) in enumerate(zip(first.initial, first.carried, strict=True)):
        free.setdefault((outer, own.type), []).append(index)
    pairs: dict[int, int] = {}
    for index, (outer, own) in enumerate(zip(second.initial, second.carried, strict=True)):
        places = free.get((outer, own.type))
        if not places:
            return None
        pairs[index] = places.pop(0)
    if not pairs:
        return None
    numbers = Numbers()
    there = numbers.walk(first.nodes(), _known(first, numbers, {}))
    own_numbers = _known(second, numbers, {index: place for index, place in pairs.items()})
    here = numbers.walk(second.nodes(), own_numbers)
    is_same = all(here[second.after[index]] == there[first.after[place]] for index, place in pairs.items())
    return pairs if is_same else None


def _is_as_long(first: Scan, second: Scan) -> bool:
    if first.steps is not None or second.steps is not None:
        return first.steps == second.steps
    if first.length is not None or second.length is not None:
        return first.length is second.length
    return any(stack in first.sequences for stack in second.sequences)


def _known(scan: Scan, numbers: Numbers, places: Mapping[int, int]) -> dict[Node, int]:
    """Return numbers for the symbols of a body: by operand, or by the place among the carried values."""
    known = {
        own: numbers.of(("sequence", outer, own.type)) for own, outer in zip(scan.elements, scan.sequences, strict=True)
    }
    known |= {
        own: numbers.of(("constant", outer, own.type)) for own, outer in zip(scan.fixed, scan.constants, strict=True)
    }
    known |= {own: numbers.of(("carry", places.get(n, n))) for n, own in enumerate(scan.carried)}
    return known


def _join(first: Scan, second: Scan, pairs: Mapping[int, int]) -> None:
    mapping = {second.carried[index]: first.carried[place] for index, place in pairs.items()}
    for own, outer in zip(second.elements, second.sequences, strict=True):
        mapping[own] = first.element(outer, own.tensor_type)
    for own, outer in zip(second.fixed, second.constants, strict=True):
        mapping[own] = first.constant(outer, own.tensor_type)
    stacks = [first.result(node) for node in substitute(second.results, mapping)]
    finals = [first.finals[pairs[index]] for index in range(len(second.finals))]
    for own, there in zip((*second.finals, *second.stacks), (*finals, *stacks), strict=True):
        second.settle(own, there)
        if own in second.outside:
            first.asked.add(there)
    second.is_gone = True


def read(loops: Mapping[Node, Loop]) -> Iterator[tuple[int, Scan, Scan]]:
    """Let loops read what earlier ones have computed."""
    owners: dict[Node, Scan] = {}
    for scan in _scans(loops):
        for earlier in _read_from(scan, loops, owners):
            count = _read(earlier, scan, loops, owners)
            owners.update(dict.fromkeys(earlier.stacks, earlier))
            yield count, earlier, scan
        owners.update(dict.fromkeys(scan.stacks, scan))


def _placeholder(stack: Node, loops: Mapping[Node, Loop]) -> Node | None:
    """Return what stands for a sequence, if it is a result of a loop of this graph."""
    if stack.op is not ITEM:
        return stack
    owner = loops.get(stack.inputs[0])
    place = None if owner is None else owner.outside[stack.params[0]]
    while owner is not None and place in owner.known:
        place = owner.known[place]
    return place


def _read_from(scan: Scan, loops: Mapping[Node, Loop], owners: Mapping[Node, Scan]) -> list[Scan]:
    """Return the loops whose results a loop has among its sequences, those with the most of them first."""
    counts: dict[Scan, int] = {}
    for stack in scan.sequences:
        place = _placeholder(stack, loops)
        if place in owners:
            counts[owners[place]] = counts.get(owners[place], 0) + 1
    return sorted(counts, key=lambda own: -counts[own])


def _read(first: Scan, second: Scan, loops: Mapping[Node, Loop], owners: Mapping[Node, Scan]) -> int:
    """Let the second loop read what it would compute like the first one; return how many values."""
    numbers = Numbers()
    there = numbers.walk(first.nodes(), _known(first, numbers, {}))
    mine = _known(second, numbers, {n: -1 - n for n in range(len(second.carried))})
    at_hand: dict[int, Node] = {}
    for own, outer in zip(second.elements, second.sequences, strict=True):
        place = _placeholder(outer, loops)
        if place in owners and owners[place] is first:
            node = first.results[first.stacks.index(place)]
            if node.type is own.type:
                mine[own] = there[node]
        at_hand.setdefault(mine[own], own)
    here = numbers.walk(second.nodes(), mine)
    by_number = {number: node for node, number in there.items()}
    levels = second.levels()
    pairs = {
        node: by_number[here[node]]
        for node in second.nodes()
        if isinstance(node.op, Op) and levels[node] != FIXED and here[node] in by_number
        and by_number[here[node]].type == node.type
    }  # fmt: skip
    wanted = dict.fromkeys(own for own in (*second.after, *second.results) if own in pairs)
    for node in second.nodes():
        if node not in pairs:
            wanted.update(dict.fromkeys(source for source in node.inputs if source in pairs))
    if not wanted:
        return 0
    keep: dict[Node, float] = {}
    for node, other in pairs.items():
        if here[node] in at_hand:
            keep[node] = 0
        elif isinstance(node.type, tuple):
            keep[node] = 2 * NEVER
        elif other in first.results:
            keep[node] = bytes_of(node)
        else:
            keep[node] = bytes_of(node) * (KEEP + 2 * is_view(node))  # a view is copied: rather keep what it looks at
    inputs = {node: [source for source in node.inputs if source in pairs] for node in pairs}
    chosen = values_to_keep(inputs, {node: cost_of(node) for node in pairs}, keep, list(wanted))
    mapping: dict[Node, Node] = {}
    for node in chosen:
        own = at_hand.get(here[node])
        if own is None:
            stack = first.result(pairs[node])
            first.asked.add(stack)
            own = second.element(stack, node.tensor_type)
        mapping[node] = own
    second.replace(mapping)
    return len(mapping)
