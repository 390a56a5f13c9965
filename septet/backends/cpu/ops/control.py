"""Control flow: sub-graphs become plans inside the plan, run by native loops."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from septet.backends.cpu.memory import INPUT, OUTPUT, Memory, Place, Strided, arena_of, strides_of
from septet.backends.cpu.planner import Planner
from septet.backends.cpu.steps import STATUS, Nested, Step
from septet.graph.graph import Graph
from septet.graph.node import Node


def plan_scan(planner: Planner, node: Node) -> bool:
    """Plan a scan: its body is planned once, pointers move along the sequences, carried values change places."""
    body: Graph = node.param("body")
    carries, sequences = node.param("carries"), node.param("sequences")
    length = node.param("length")
    if length is None or len(node.inputs) != len(body.inputs):
        return False  # the number of steps is known only when the graph runs
    items = planner.graph_items(node)
    histories = _histories(planner, node, items) if length else {}
    stacked = [number for own in histories.values() for number in own]
    nested = _nested(planner, body, range(carries + sequences, len(node.inputs)), stacked)
    if nested is None:
        return False
    inner = nested.planner
    is_reverse = node.param("reverse")
    binds: list[Any] = []
    advances: list[int] = []
    swaps: list[int] = []
    reads: list[Strided] = []
    writes: list[Strided] = []
    ends: list[tuple[Node, Strided]] = []
    for index in range(carries):
        first = planner.look(node.inputs[index])
        if index in histories:
            rows = planner.scratch((length + 1, *first.shape), first.dtype)
            step = rows.strides[0] * rows.dtype.itemsize * (-1 if is_reverse else 1)
            at, end = (length, 0) if is_reverse else (0, length)
            planner.copied(first, _row(rows, at))
            reading, writing = base_of(inner, INPUT, index), base_of(inner, OUTPUT, index)
            following = _row(rows, at - 1 if is_reverse else at + 1)
            binds += [reading, _row(rows, at).place, writing, following.place]
            advances += [reading, step, writing, step]
            writes.append(rows)
            for number in histories[index]:
                is_before = body.outputs[number] is body.inputs[index]
                low = int(is_before == is_reverse)
                item = items[number]
                assert item is not None
                planner.places[item] = rows.sliced([slice(low, low + length), *[slice(None)] * len(first.shape)])
            if items[index] is not None:
                ends.append((items[index], _row(rows, end)))
            continue
        a = planner.copied(first)
        b = planner.scratch(first.shape, first.dtype)
        reading, writing = base_of(inner, INPUT, index), base_of(inner, OUTPUT, index)
        binds += [reading, a.place, writing, b.place]
        swaps += [reading, writing]
        writes += [a, b]
        if items[index] is not None:
            ends.append((items[index], a if length % 2 == 0 else b))
    for index in range(carries, carries + sequences):
        xs = _contiguous(planner, planner.look(node.inputs[index]))
        step = xs.strides[0] * xs.dtype.itemsize
        binds += [base_of(inner, INPUT, index), _first(xs, length, step, is_reverse)]
        advances += [base_of(inner, INPUT, index), -step if is_reverse else step]
        reads.append(xs)
    for index in range(carries + sequences, len(node.inputs)):
        constant = _contiguous(planner, planner.look(node.inputs[index]))
        binds += [base_of(inner, INPUT, index), constant.place]
        reads.append(constant)
        for own in inner.prepared:
            if own.source.memory.number == index:
                made = planner.scratch(own.there.shape, own.there.dtype)
                own.make(
                    planner,
                    node,
                    own.source._replace(memory=constant.memory, offset=constant.offset + own.source.offset),
                    made,
                )
                binds += [base_of(inner, INPUT, own.there.memory.number), made.place]
                reads.append(made)
    for index in range(carries, len(body.outputs)):
        if index in stacked:
            continue
        own = body.outputs[index]
        item = items[index]
        if item is None:
            row = planner.scratch(own.shape, own.dtype)  # type: ignore[arg-type]
            binds += [base_of(inner, OUTPUT, index), row.place]
            writes.append(row)
            continue
        stack = _taken_over(planner, node, item, inner, index) or planner.allocate(item)
        step = strides_of(stack.shape)[0] * stack.dtype.itemsize
        binds += [base_of(inner, OUTPUT, index), _first(stack, length, step, is_reverse)]
        advances += [base_of(inner, OUTPUT, index), -step if is_reverse else step]
        writes.append(stack)
    args = [length, nested, len(binds) // 2, len(advances) // 2, len(swaps) // 2, *binds, *advances, *swaps]
    _step(planner, "loop", args, reads, [*writes, nested.arena], node)
    for item, there in ends:
        planner.copied(there, planner.allocate(item))
    return True


def _histories(planner: Planner, node: Node, items: Sequence[Node | None]) -> dict[int, list[int]]:
    """Return the results that stack what a carried value was before each step, or after it, by the value.

    These are not copied: the carried value goes from row to row of memory in which both stacks lie.
    """
    body: Graph = node.param("body")
    carries = node.param("carries")
    found: dict[int, list[int]] = {}
    for number in range(carries, len(body.outputs)):
        item, own = items[number], body.outputs[number]
        if item is None or planner.is_goal(item):
            continue
        for index in range(carries):
            if own is body.inputs[index] or own is body.outputs[index]:
                found.setdefault(index, []).append(number)
                break
    return found


def _taken_over(planner: Planner, node: Node, item: Node, inner: Planner, number: int) -> Strided | None:
    """Let the stack of a result take over the memory of a sequence that nobody else reads, where each step has read what it
    needs of its row by then."""
    carries, sequences = node.param("carries"), node.param("sequences")
    for index in range(carries, carries + sequences):
        source = node.inputs[index]
        if source.type is not item.type or node.inputs.count(source) > 1:
            continue
        if inner.may_overwrite(inner.inputs[index], inner.outputs[number]):
            there = planner.reuse(source, item, node)
            if there is not None:
                return there
    return None


def plan_cond(planner: Planner, node: Node) -> bool:
    """Plan a choice between two graphs."""
    branches = [_nested(planner, node.param(name)) for name in ("then_graph", "else_graph")]
    if branches[0] is None or branches[1] is None:
        return False
    predicate = _contiguous(planner, planner.look(node.inputs[0]))
    operands = [_contiguous(planner, planner.look(source)) for source in node.inputs[1:]]
    results = _results(planner, node)
    halves = [_once(nested, operands, results) for nested in branches if nested is not None]
    args = [predicate.place, 2 + _length(halves[0]), *halves[0], *halves[1]]
    arenas = [nested.arena for nested in branches if nested is not None]
    _step(planner, "branch", args, [predicate, *operands], [*results, *arenas], node)
    return True


def plan_while(planner: Planner, node: Node) -> bool:
    """Plan a loop that runs as long as a graph says so."""
    condition, body = _nested(planner, node.param("condition")), _nested(planner, node.param("body"))
    if condition is None or body is None:
        return False
    carries = node.param("carries")
    truth = planner.scratch((), np.dtype(bool))
    values = [planner.copied(planner.look(source)) for source in node.inputs[:carries]]
    constants = [_contiguous(planner, planner.look(source)) for source in node.inputs[carries:]]
    inner = body.planner
    for index in range(carries):  # when all is read, the new values take the place of the old ones
        after, before = inner.result(index), inner.argument(index)
        inner.copied(after, before)
    inner.arena_size = arena_of(inner.memories)
    body = body._replace(arena=planner.scratch((max(inner.arena_size, 1),), np.dtype(np.uint8)))
    following = [planner.scratch(value.shape, value.dtype) for value in values]
    test = _once(condition, [*values, *constants], [truth])
    run = _once(body, [*values, *constants], following)
    args = [truth.place, 3 + _length(test), STATUS, *test, *run]
    _step(planner, "while", args, constants, [truth, *values, *following, condition.arena, body.arena], node)
    for item, value in zip(planner.graph_items(node), values, strict=True):
        if item is not None:
            planner.copied(value, planner.allocate(item))
    return True


def _nested(
    planner: Planner, graph: Graph, unchanged: Collection[int] = (), stacked: Collection[int] = ()
) -> Nested | None:
    """Plan a sub-graph; None where a part of it would have to run in Python."""
    if graph.effects or graph.updates or not all(node.tensor_type.is_known for node in graph.inputs):
        return None
    if not all(isinstance(n.type, tuple) or n.tensor_type.is_known for n in graph.nodes):
        return None
    inner = Planner(graph, planner.library, unchanged, stacked)
    if not all(step.is_native for step in inner.steps) or inner.reads:
        return None
    arena = planner.scratch((max(inner.arena_size, 1),), np.dtype(np.uint8))
    return Nested(inner, arena)


def base_of(inner: Planner, kind: str, number: int) -> int:
    """The position in the nested plan's bases."""
    return 1 + number + (len(inner.inputs) + len(inner.reads) + len(inner.written) if kind == OUTPUT else 0)


def _contiguous(planner: Planner, there: Strided) -> Strided:
    return there if there.is_contiguous else planner.copied(there)


def _row(rows: Strided, number: int) -> Strided:
    """Return one element along the first axis."""
    shape, strides = rows.shape[1:], rows.strides[1:]
    return rows._replace(shape=shape, strides=strides, offset=rows.offset + number * rows.strides[0])


def _first(there: Strided, length: int, step: int, is_reverse: bool) -> Place:
    """The address of the first element that the loop comes to."""
    place = there.place
    return place._replace(offset=place.offset + (length - 1) * step) if is_reverse and length else place


def _results(planner: Planner, node: Node) -> list[Strided]:
    """Return places for the results of a node, also for those that nobody needs."""
    assert isinstance(node.type, tuple)
    found = []
    for item, type_ in zip(planner.graph_items(node), node.type, strict=True):
        found.append(planner.scratch(type_.shape, type_.dtype) if item is None else planner.allocate(item))
    return found


def _once(nested: Nested, operands: Sequence[Strided], results: Sequence[Strided]) -> list[Any]:
    """Return the arguments of a loop that runs a nested plan once."""
    binds: list[Any] = []
    for index, there in enumerate(operands):
        binds += [base_of(nested.planner, INPUT, index), there.place]
    for index, there in enumerate(results):
        binds += [base_of(nested.planner, OUTPUT, index), there.place]
    return [1, nested, len(binds) // 2, 0, 0, *binds]


def _length(args: Sequence[Any]) -> int:
    """The number of slots that arguments take."""
    return sum(9 if isinstance(arg, Nested) else 1 for arg in args)


def _step(
    planner: Planner, name: str, args: list[Any], reads: Sequence[Strided], writes: Sequence[Strided], node: Node
) -> None:
    memories: tuple[tuple[Memory, ...], tuple[Memory, ...]] = (
        tuple(there.memory for there in reads), tuple(there.memory for there in writes),
    )  # fmt: skip
    planner.append(Step(node.op.name, name, tuple(args), *memories, (node,)))


TABLE = {"scan": plan_scan, "cond": plan_cond, "while_loop": plan_while}
