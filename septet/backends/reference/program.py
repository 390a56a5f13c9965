"""A graph as a list of instructions over slots, with each value dropped after its last use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.backends.reference.kernels import compute
from septet.base.errors import GraphError
from septet.graph.graph import Graph
from septet.graph.node import SYMBOL, VARIABLE, Node
from septet.graph.op import ITEM


class ReferenceProgram:
    """A graph made ready to run on NumPy.

    Parameters
    ----------
    graph : Graph
    observe : callable, optional
        ``observe(node, value)`` is called after each node: for checking and profiling.
    """

    owns_results = False

    def __init__(self, graph: Graph, observe: Any = None) -> None:
        self.graph = graph
        self.observe = observe
        free = graph.free_symbols()
        if free:
            names = ", ".join(repr(node.params[0] or node.type) for node in free)
            raise GraphError(f"the graph depends on symbols that are not among its inputs: {names}")
        self.slots: dict[Node, int] = {node: index for index, node in enumerate(graph.inputs)}
        self.constants: list[tuple[int, Any]] = []
        self.variables: list[tuple[int, Any]] = []
        self.steps: list[tuple[Node, tuple[int, ...], int, tuple[int, ...]]] = []
        body = []
        for node in graph.nodes:
            if node in self.slots:
                continue
            slot = self.slots[node] = len(self.slots)
            if node.op is VARIABLE:
                self.variables.append((slot, node.params[0]))
            elif node.op is not SYMBOL and node.value is not None and not node.inputs:
                self.constants.append((slot, node.value))
            else:
                body.append(node)
        last: dict[int, int] = {}
        for index, node in enumerate(body):
            for source in node.inputs:
                last[self.slots[source]] = index
        keep = {self.slots[node] for node in graph.roots}
        for index, node in enumerate(body):
            sources = tuple(self.slots[source] for source in node.inputs)
            dead = tuple({s for s in sources if last[s] == index and s not in keep})
            self.steps.append((node, sources, self.slots[node], dead))
        self.roots = [self.slots[node] for node in graph.roots]

    def __call__(self, arguments: Sequence[np.ndarray]) -> list[Any]:
        """Run, and return the values of the roots."""
        values: list[Any] = [None] * len(self.slots)
        values[: len(arguments)] = arguments
        for slot, value in self.constants:
            values[slot] = value
        for slot, variable in self.variables:
            values[slot] = variable.current()
        for node, sources, target, dead in self.steps:
            if node.op is ITEM:
                value = values[sources[0]][node.params[0]]
            else:
                value = compute(node, [values[s] for s in sources], run_graph)
            values[target] = value
            if self.observe is not None:
                self.observe(node, value)
            for slot in dead:
                values[slot] = None
        return [values[slot] for slot in self.roots]


def run_graph(graph: Graph, arrays: Sequence[np.ndarray]) -> list[Any]:
    """Run a sub-graph; its program is made once and kept while the graph lives."""
    program = _programs.get(id(graph))
    if program is None or program.graph is not graph:
        if len(_programs) >= 256:
            _programs.clear()
        program = _programs[id(graph)] = ReferenceProgram(graph)
    return program(arrays)


_programs: dict[int, ReferenceProgram] = {}


class ReferenceBackend:
    """Runs graphs with NumPy."""

    name = "reference"

    def compile(self, graph: Graph, **options: Any) -> ReferenceProgram:
        """Return the program of a graph."""
        return ReferenceProgram(graph, **options)
