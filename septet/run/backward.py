"""Backward passes of define-by-run graphs, put on the list of native calls row by row.

What is written here in Python says what they do; when code is hot, a native function does most rows (see
`run.recorder`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from septet.graph.node import Node
from septet.graph.types import TensorType
from septet.run.units import Unit, sum_of, unit_of_graph
from septet.transform.pullback import Pullback, Row


class NotReady(Exception):
    """A unit of a backward pass is not compiled."""


MOST_SHARED = 1 << 16
"""Bytes of a cotangent whose parts are handed on without a copy: its memory is not used again in this evaluation."""


def _bytes_of(type_: TensorType) -> int:
    assert type_.size is not None
    return type_.size * type_.dtype.itemsize


def want_all(graph: Pullback, evaluation: int) -> bool:
    """Note that all units of a backward pass are wanted; tell whether their time has come."""
    is_ready = True
    for own, y, _, _ in graph.rows:
        if own.region is not None:
            unit = sum_of(graph.types[y])
        elif own.graph is not None and (own.views is None or _bytes_of(graph.types[y]) > MOST_SHARED):
            unit = own.unit or unit_of_graph(own)
        else:
            continue
        if unit.piece is None and unit.want(evaluation) is None:
            is_ready = False
    for type_ in graph.shared:
        unit = sum_of(type_)
        if unit.piece is None and unit.want(evaluation) is None:
            is_ready = False
    return is_ready


class NativePull:
    """Puts the calls of a backward pass on the list of an evaluation.

    Cotangents are known by where they lie. One that only a single value has received so far is `single`: what comes
    later may be added in its place, and its memory is used again when it is done with.

    Attributes
    ----------
    collected : dict of int to int
        By the number of a value, where what it has received so far lies.
    single : dict of int to int
        The bytes of those places that are `single`.
    """

    __slots__ = ("calls", "collected", "evaluation", "graph", "inputs", "single")

    quick: ClassVar[Any] = None
    """The native form of what `run` does for most rows, where there is one: see `run.recorder`."""

    def __init__(self, evaluation: Any, inputs: Sequence[Node], graph: Pullback) -> None:
        self.evaluation = evaluation
        self.calls = evaluation.calls
        self.inputs = inputs
        self.graph = graph
        self.collected: dict[int, int] = {}
        self.single: dict[int, int] = {}

    def run(self) -> list[tuple[int, int]]:
        """Return where the results lie, and bytes to give back (0 where it is not known that nobody else has them).

        Raises
        ------
        NotReady
            If a unit is not compiled; what is on the list then is of no use.
        """
        rows, quick = self.graph.rows, NativePull.quick
        self.collected[rows[-1][1]] = self._value(0)
        number = len(rows) - 1
        while number >= 0:
            if quick is not None:
                number = quick(self, number)
                if number < 0:
                    break
            self._pull(rows[number])
            number -= 1
        found = [self.collected[target] for target in self.graph.targets]
        return [(place, self.single.pop(place, 0)) for place in found]

    def _pull(self, row: Row) -> None:
        """Put the calls of a row on the list."""
        own, y, goals, takes = row
        g = self.collected.pop(y, None)
        if g is None:
            return
        single, passes = self.single, own.passes
        if passes:
            passed = [goal for i, goal in zip(own.gives, goals, strict=True) if i in passes]
            goals = tuple([goal for i, goal in zip(own.gives, goals, strict=True) if i not in passes])
        if own.region is not None:
            self._fill(goals[0], own.region, y, g)
        elif own.views is not None and single.get(g, 0) <= MOST_SHARED:
            single.pop(g, None)
            for goal, start in zip(goals, own.views, strict=True):
                self._collect(goal, g + start)
        elif own.graph is not None:
            self._call(own.unit, goals, takes, g)
        if len(passes) > 1:  # more than one value has it from now on
            single.pop(g, None)
        if passes:
            for goal in passed:
                self._collect(goal, g)
        elif g in single:
            self.calls.give(g, single.pop(g))

    def _value(self, number: int) -> int:
        """Return where an input lies."""
        node = self.inputs[number]
        place: int = self.evaluation.places.get(node) or self.evaluation._locate(node)
        return place

    def _call(self, unit: Unit | None, goals: Sequence[int], takes: Sequence[int], g: int) -> None:
        """Call the unit of a pull."""
        calls, single, collected = self.calls, self.single, self.collected
        piece = unit and unit.piece
        if piece is None:
            raise NotReady
        if piece.arena > calls.arena:
            calls.arena = piece.arena
        flat = calls.list
        flat.append(piece.address)
        for i in takes:
            flat.append(self._value(i) if i else g)
        added = []
        for goal, size in zip(goals, piece.sizes, strict=True):
            free = calls.free.get(size)
            place = free.pop() if free else calls.take(size)
            flat.append(place)
            single[place] = size
            if goal in collected:
                added.append((goal, place))
            else:
                collected[goal] = place
        for goal, place in added:
            self._collect(goal, place)

    def _collect(self, number: int, g: int) -> None:
        """Add a cotangent to what a value has received so far."""
        collected = self.collected
        before = collected.get(number)
        if before is None:
            collected[number] = g
            return
        calls, single = self.calls, self.single
        piece = self._sum(self.graph.types[number])
        if before not in single:
            (size,) = piece.sizes
            collected[number] = goal = calls.take(size)
            single[goal] = size
        calls.list += (piece.address, before, g, collected[number])
        if g in single and g != before:
            calls.give(g, single.pop(g))

    def _fill(self, number: int, start: int, y: int, g: int) -> None:
        """Add a cotangent to the part of a value that a slice is."""
        calls = self.calls
        before = self.collected.get(number)
        place = before
        if before is None or before not in self.single:
            type_ = self.graph.types[number]
            place, size = calls.zeros(_bytes_of(type_))
            self.single[place] = size
            self.collected[number] = place
            if before is not None:
                calls.list += (self._sum(type_).address, before, place, place)
        part = place + start
        calls.list += (self._sum(self.graph.types[y]).address, part, g, part)

    def _sum(self, type_: TensorType) -> Any:
        """Return the piece that adds two tensors of a type."""
        piece = sum_of(type_).piece
        if piece is None:
            raise NotReady
        self.calls.arena = max(self.calls.arena, piece.arena)
        return piece
