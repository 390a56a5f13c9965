"""The backward pass of a recorded graph as one node: its nodes are recorded when somebody needs to see them.

A loop that trains records the same backward pass in each step, several nodes for each node of the forward pass. So
`backward` records a `call` of a graph that is not written down: rows say which pull (see `transform.pull`) goes with
each node of the forward pass. Who evaluates may go through the rows; who compiles asks for the nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from septet.base.source import Source, here
from septet.graph.assemble import apart
from septet.graph.context import SYMBOLIC, context
from septet.graph.derived import derived_of
from septet.graph.graph import Graph
from septet.graph.node import VARIABLE, Node, make_node, symbol
from septet.graph.op import item
from septet.graph.types import TensorType
from septet.ops.call import call
from septet.transform.pull import Pull, pull_of

Row = tuple[Pull, int, tuple[int, ...], tuple[int, ...]]
"""The pull of a node, the node's number, the numbers of the inputs that receive a cotangent (as in `gives`), and where
among the arguments the values are that the pull takes (as in `takes`; 0 for the node's cotangent)."""

Origin = tuple[str, tuple[str, ...], Source | None]


class Pullback(Graph):
    """From the cotangent of a result, and the values on the way to it, to the cotangents of leaves.

    Nodes on the way have numbers, inputs before users. The first argument is the cotangent, the others are the values
    that pulls take.

    Parameters
    ----------
    types : tuple of TensorType
        Of the nodes.
    arguments : tuple of TensorType
    rows : tuple of Row
        One for each node on the way that is computed.
    targets : tuple of int
        The nodes whose cotangents are the results.
    origins : tuple of Origin
        For each row, the op, the layers and the line of the node that it is the gradient of.
    source : tuple or None
        Where the user asked for the gradient.
    """

    __slots__ = ("_graph", "_shared", "arguments", "origins", "rows", "source", "targets", "types")

    def __init__(
        self, types: tuple[TensorType, ...], arguments: tuple[TensorType, ...], rows: tuple[Row, ...],
        targets: tuple[int, ...], origins: tuple[Origin, ...], source: Source | None,
    ) -> None:  # fmt: skip
        self.types = types
        self.arguments = arguments
        self.rows = rows
        self.targets = targets
        self.origins = origins
        self.source = source
        self._shared: set[TensorType] | None = None
        self.name = "backward"
        self.unit = None
        self._nodes = None
        self._signature = None
        self._hash = None
        self._graph: Graph | None = None

    @property
    def results(self) -> tuple[TensorType, ...]:
        """The types of the results."""
        return tuple([self.types[target] for target in self.targets])

    @property
    def shared(self) -> set[TensorType]:
        """Types of values that receive more than one cotangent."""
        if self._shared is None:
            once: set[int] = set()
            self._shared = set()
            for _, _, goals, _ in self.rows:
                for number in goals:
                    if number in once:
                        self._shared.add(self.types[number])
                    once.add(number)
        return self._shared

    def walk(self, seed: Any, pull: Callable[[Row, Any], Any], add: Callable[[int, Any, Any], Any]) -> list[Any]:
        """Go through the rows, users before inputs.

        Parameters
        ----------
        seed : Any
            The cotangent of the result.
        pull : callable
            ``pull(row, cotangent)`` returns the cotangents that the row's node gives.
        add : callable
            ``add(number, before, cotangent)`` returns the sum of two cotangents of one value.

        Returns
        -------
        list
            The cotangents of the targets.
        """
        collected: dict[int, Any] = {self.rows[-1][1]: seed}
        for row in reversed(self.rows):
            g = collected.pop(row[1], None)
            if g is None:
                continue
            for number, own in zip(row[2], pull(row, g), strict=True):
                before = collected.get(number)
                collected[number] = own if before is None else add(number, before, own)
        return [collected[target] for target in self.targets]

    def __call__(self, *args: Node) -> tuple[Node, ...]:
        """Record the backward pass for given nodes."""

        origins = {row[1]: node for row, node in zip(self.rows, self.origins, strict=True)}

        def pull(row: Row, g: Node) -> list[Any]:
            own, y, _, takes = row
            results: tuple[Node, ...] = ()
            context.layers = derived_of(*origins[y])
            if own.graph is not None:
                results = own.write([args[i] if i else g for i in takes], self.source)
            return own.spread(g, results)

        before = context.layers
        try:
            return tuple(self.walk(args[0], pull, lambda number, before, own: before + own))
        finally:
            context.layers = before

    @property
    def _written(self) -> Graph:
        """The graph with its nodes."""
        if self._graph is None:
            with apart():
                inputs = [symbol(type_) for type_ in self.arguments]
                self._graph = Graph(inputs, self(*inputs), name=self.name)
        return self._graph

    @property
    def inputs(self) -> tuple[Node, ...]:  # type: ignore[override]
        """Symbols, one for each of `arguments`."""
        return self._written.inputs

    @property
    def outputs(self) -> tuple[Node, ...]:  # type: ignore[override]
        """The cotangents of the targets, with all nodes on the way."""
        return self._written.outputs

    updates = ()
    effects = ()


def defer(path: Sequence[Node], cotangent: Node, leaves: Sequence[Node]) -> list[Node] | None:
    """Return the cotangents of leaves as results of one node.

    Parameters
    ----------
    path : sequence of Node
        All tracked nodes that the result depends on, inputs before users; the result is the last.
    cotangent : Node
        Of the result.
    leaves : sequence of Node
        Variables among them.

    Returns
    -------
    list of Node, or None
        None where the backward pass has to be recorded at once: a gradient rule of the user's own or a hook is called
        when the gradient is asked for, and some rules need to see more than types.
    """
    if context.trace is not None or path[-1].flags & SYMBOLIC:
        return None
    numbers: dict[Node, int] = {}  # variables where they are first used: see `run.walk.signature`
    arguments: dict[Node, int] = {cotangent: 0}
    rows: list[Row] = []
    origins: list[Origin] = []
    start = 0
    while start < len(path):
        if _note_rows is not None:
            start = _note_rows(path, start, numbers, arguments, rows, origins)
            if start == len(path):
                break
        if not _note_row(path[start], numbers, arguments, rows, origins):
            return None
        start += 1
    if not rows:
        return None
    targets = tuple([numbers[leaf] for leaf in leaves])
    line = here(3)
    types = tuple([node.type for node in numbers])
    takes_types = tuple([node.type for node in arguments])
    graph = Pullback(types, takes_types, tuple(rows), targets, tuple(origins), line)  # type: ignore[arg-type]
    key = hash((graph.name, path[-1].key, graph.rows, targets))
    results = tuple([leaf.type for leaf in leaves])
    node = make_node(call, tuple(arguments), (graph,), results, key, 0, None, line)  # type: ignore[arg-type]
    return [item(node, index) for index in range(len(leaves))]


_note_rows: Any = None


def use(note_rows: Any = None) -> None:
    """Have another function note the rows of most nodes; without an argument, all are noted in Python."""
    global _note_rows
    _note_rows = note_rows


def _note_row(
    node: Node, numbers: dict[Node, int], arguments: dict[Node, int], rows: list[Row], origins: list[Origin]
) -> bool:
    """Note the row of a node on the path; False where it has none."""
    if node.hooks:
        return False
    if node.op is VARIABLE:
        return not node.params[0].hooks
    pull = pull_of(node)
    if pull is None or not pull.is_whole:
        return False
    inputs = node.inputs
    takes: tuple[int, ...] = ()
    if pull.graph is not None:
        takes = tuple([
            arguments.setdefault(node if i == 1 else inputs[i - 2], len(arguments)) if i else 0 for i in pull.takes
        ])  # fmt: skip
    goals = tuple([numbers.setdefault(inputs[i], len(numbers)) for i in pull.gives])
    own = numbers[node] = len(numbers)
    rows.append((pull, own, goals, takes))
    origins.append((node.op.name, node.layers, node.source))
    return True
