"""The cheapest cut: which values to keep, so that others can be computed from them again.

A value that is wanted is either kept, or computed again from values that are themselves kept, computed again or at
hand. The choice with the least total cost is a minimum cut of a network (Ford and Fulkerson 1956), found here by the
algorithm of Dinic (1970).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from septet.base.sizes import decided
from septet.optimize.costs import NEVER


def values_to_keep(
    inputs: Mapping[Any, Sequence[Any]], again: Mapping[Any, int], keep: Mapping[Any, int], wanted: Sequence[Any]
) -> list[Any]:
    """Return the values to keep.

    Parameters
    ----------
    inputs : mapping
        Value to the values that it is computed from, without those that are at hand anyway; inputs before users.
    again : mapping
        What computing a value again costs, given its inputs.
    keep : mapping
        What keeping it costs.
    wanted : sequence
        The values that must be at hand.

    Returns
    -------
    list
        In the order of `inputs`. If there are several cheapest choices, the one closest to the wanted values.
    """
    place = {value: number for number, value in enumerate(inputs)}
    rows = [(again[value], keep[value], tuple([place[own] for own in inputs[value]])) for value in place]
    values = [*place]
    return [values[number] for number in decided(_numbers_to_keep, tuple(rows), tuple([place[own] for own in wanted]))]


Rows = tuple[tuple[int, int, tuple[int, ...]], ...]


def _numbers_to_keep(rows: Rows, wanted: tuple[int, ...]) -> tuple[int, ...]:
    """Do so for values that are numbers: for each its costs, and what it is computed from."""
    part = math.gcd(*[cost for again, keep, _ in rows for cost in (again, keep) if cost < NEVER]) or 1
    units = [tuple([cost if cost >= NEVER else cost // part for cost in row[:2]]) for row in rows]
    return _cheapest(tuple([(*unit, row[2]) for unit, row in zip(units, rows, strict=True)]), wanted)


@lru_cache(maxsize=256)
def _cheapest(rows: Rows, wanted: tuple[int, ...]) -> tuple[int, ...]:
    """Do so for costs without a common factor: those of another batch are often the same then."""
    source, sink = 2 * len(rows), 2 * len(rows) + 1
    network = _Network(2 * len(rows) + 2)
    for number, (again, keep, inputs) in enumerate(rows):  # 2 n: the value as computed, 2 n + 1: as it is at hand
        network.add(2 * number, 2 * number + 1, keep)
        if again:
            network.add(source, 2 * number, again)
        for own in inputs:
            network.add(2 * own + 1, 2 * number, NEVER)
    for number in wanted:
        network.add(2 * number + 1, sink, NEVER)
    network.fill(source, sink)
    beyond = network.reaching(sink)
    return tuple([n for n in range(len(rows)) if 2 * n + 1 in beyond and 2 * n not in beyond])


class _Network:
    """A network of edges with capacities, and how much flows."""

    def __init__(self, size: int) -> None:
        self.edges: list[list[int]] = [[] for _ in range(size)]  # of each node; the edge e ^ 1 leads back
        self.ends: list[int] = []
        self.left: list[int] = []

    def add(self, start: int, end: int, capacity: int) -> None:
        """Add an edge."""
        for a, b, size in ((start, end, capacity), (end, start, 0)):
            self.edges[a].append(len(self.ends))
            self.ends.append(b)
            self.left.append(size)

    def fill(self, source: int, sink: int) -> None:
        """Let as much flow as can."""
        while True:
            levels = self._levels(source)
            if sink not in levels:
                return
            nexts = [0] * len(self.edges)
            while self._push(source, sink, levels, nexts):
                pass

    def _levels(self, source: int) -> dict[int, int]:
        """Return how far the nodes are away from the source by edges with room."""
        levels = {source: 0}
        queue = [source]
        for node in queue:
            for edge in self.edges[node]:
                end = self.ends[edge]
                if self.left[edge] > 0 and end not in levels:
                    levels[end] = levels[node] + 1
                    queue.append(end)
        return levels

    def _push(self, source: int, sink: int, levels: dict[int, int], nexts: list[int]) -> bool:
        """Push along one path; tell whether there was one."""
        path: list[int] = []
        node = source
        while node != sink:
            if nexts[node] == len(self.edges[node]):
                if not path:
                    return False
                edge = path.pop()
                node = self.ends[edge ^ 1]
                nexts[node] += 1
                continue
            edge = self.edges[node][nexts[node]]
            end = self.ends[edge]
            if self.left[edge] > 0 and levels.get(end) == levels[node] + 1:
                path.append(edge)
                node = end
            else:
                nexts[node] += 1
        room = min(self.left[edge] for edge in path)
        for edge in path:
            self.left[edge] -= room
            self.left[edge ^ 1] += room
        return True

    def reaching(self, sink: int) -> set[int]:
        """Return the nodes from which more could flow to the sink."""
        found = {sink}
        queue = [sink]
        for node in queue:
            for edge in self.edges[node]:
                start = self.ends[edge]
                if self.left[edge ^ 1] > 0 and start not in found:
                    found.add(start)
                    queue.append(start)
        return found
