"""A graph as a list of instructions over slots, with each value dropped after its last use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import numpy as np

from septet.backends.base import owned, store
from septet.backends.reference.kernels import computer
from septet.base.errors import GraphError
from septet.base.watch import RUN, span
from septet.graph.graph import Graph
from septet.graph.node import SYMBOL, VARIABLE, Node
from septet.graph.op import ITEM

if TYPE_CHECKING:
    from septet.backends.base_work import Description, Made, Tell


class ReferenceProgram:
    """A graph made ready to run on NumPy.

    Parameters
    ----------
    graph : Graph
    observe : callable, optional
        ``observe(node, value)`` is called after each node, for looking at values.
    """

    made: Sequence[Made] = ()
    deciding: Sequence[int] = ()
    tell: Callable[[Made], None] | None = None

    def __init__(self, graph: Graph, observe: Any = None) -> None:
        self.graph = graph
        self.look = observe
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

    def __call__(self, arguments: Sequence[np.ndarray], given: Sequence[tuple[int, int]] = ()) -> list[Any]:
        """Run, and return the values of the roots."""
        with span(RUN, self.graph.name or "graph"):
            return self._run(arguments)

    def step(self, arguments: Sequence[np.ndarray]) -> list[Any]:
        """Run, give variables their new values, and return the values of the roots."""
        results = owned(self(arguments), arguments)
        store(self.graph, results)
        return results

    def make_ready(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """There is nothing to do."""

    def observe(self, arguments: Sequence[np.ndarray], tell: Tell) -> list[Any]:
        """Run, and say how long each node took; those that only select a result are not counted."""
        return self._run(arguments, tell)

    def _run(self, arguments: Sequence[np.ndarray], tell: Tell | None = None) -> list[Any]:
        values: list[Any] = [None] * len(self.slots)
        values[: len(arguments)] = arguments
        for slot, value in self.constants:
            values[slot] = value
        for slot, variable in self.variables:
            values[slot] = variable.current()
        compute = computer()
        number = 0
        for node, sources, target, dead in self.steps:
            if node.op is ITEM:
                value = values[sources[0]][node.params[0]]
            elif tell is None:
                value = compute(node, [values[s] for s in sources], run_graph)
            else:
                start = perf_counter_ns()
                value = compute(node, [values[s] for s in sources], run_graph)
                tell(number, start, perf_counter_ns())
                number += 1
            values[target] = value
            if self.look is not None:
                self.look(node, value)
            for slot in dead:
                values[slot] = None
        return [values[slot] for slot in self.roots]

    def describe(self, arguments: Sequence[np.ndarray]) -> Description:
        """Return the nodes in the order in which they are computed, and their values."""
        from septet.backends.reference.describing import describe  # only who looks at programs needs it

        return describe(self, [array.shape for array in arguments])


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
