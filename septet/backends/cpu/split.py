"""Graphs of which some sizes are known only while they run, as those behind a mask: what does not depend on such a size
runs natively first, the rest by the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from septet.backends.base import Program, owned, store
from septet.backends.base_work import ARGUMENT, OUTPUT, STATE, VALUE, Description, Made, Tell
from septet.graph.assemble import has_effect
from septet.graph.graph import Graph, substitute
from septet.graph.node import Node, symbol
from septet.graph.op import CONTRACTION, Op

WORTH = 8
"""Operations from which on it is worth it to run them natively; of loops and products, one is enough."""


class Parts(NamedTuple):
    """A graph in two.

    Attributes
    ----------
    first : Graph
        Of known sizes: it gives what the rest needs.
    rest : Graph
        Takes the inputs of the whole graph, and the outputs of the first part.
    """

    first: Graph
    rest: Graph


def split(graph: Graph) -> Parts | None:
    """Return the two parts of a graph; None where the first would not be worth it, or the order of effects matters."""
    if any([has_effect(node) for node in graph.nodes]):
        return None
    late: set[Node] = set()
    for node in graph.nodes:
        types = node.type if isinstance(node.type, tuple) else (node.type,)
        is_open = not all([type_.is_known for type_ in types])
        if is_open or not late.isdisjoint(node.inputs):
            late.add(node)
    early = [node for node in graph.nodes if node not in late and isinstance(node.op, Op)]
    if len(early) < WORTH and not any([node.op.is_higher_order or node.op.kind == CONTRACTION for node in early]):
        return None
    needed = {source for node in late for source in node.inputs} | set(graph.roots)
    given = [node for node in early if node in needed and not isinstance(node.type, tuple)]
    symbols = [symbol(node.tensor_type, is_tracked=node.is_tracked) for node in given]
    roots = substitute(graph.roots, dict(zip(given, symbols, strict=True)))
    count = len(graph.outputs)
    updates = [(variable, node) for (variable, _), node in zip(graph.updates, roots[count:], strict=True)]
    rest = Graph([*graph.inputs, *symbols], roots[:count], updates, (), graph.name)
    return Parts(Graph(graph.inputs, given, (), (), graph.name), rest)


class SplitProgram:
    """A graph in two parts, ready to run.

    Parameters
    ----------
    graph : Graph
        The whole.
    first : Program
    rest : Program
    reason : str
        Why the rest does not run natively.
    """

    deciding: Sequence[int] = ()
    tell: Callable[[Made], None] | None = None

    def __init__(self, graph: Graph, first: Program, rest: Program, reason: str) -> None:
        self.graph = graph
        self.first = first
        self.rest = rest
        self._reason = reason

    @property
    def made(self) -> Sequence[Made]:
        """What the native part took."""
        return [self._noted(made) for made in self.first.made]

    def make_ready(self, shapes: Sequence[tuple[int, ...]]) -> Made | None:
        """Make the plan of the native part."""
        made = self.first.make_ready(shapes)
        return None if made is None else self._noted(made)

    def _noted(self, made: Made) -> Made:
        return made._replace(how=f"in part, the rest interpreted: {self._reason}")

    def __call__(self, arguments: Sequence[np.ndarray]) -> list[Any]:
        """Run, and return the values of the roots; variables keep their values."""
        return self.rest([*arguments, *self.first(list(arguments))])

    def step(self, arguments: Sequence[np.ndarray]) -> list[Any]:
        """Run, give variables their new values, and return the values of the roots."""
        results = owned(self(arguments), arguments)
        store(self.graph, results)
        return results

    def observe(self, arguments: Sequence[np.ndarray], tell: Tell) -> list[Any]:
        """Run step by step; variables are not overwritten."""
        count = len(self.first.describe(arguments).works)
        values = self.first.observe(arguments, tell)
        return self.rest.observe([*arguments, *values], lambda number, start, end: tell(count + number, start, end))

    def describe(self, arguments: Sequence[np.ndarray]) -> Description:
        """Return what runs for some inputs, and what memory it takes."""
        first = self.first.describe(arguments)
        given = [np.broadcast_to(np.zeros((), node.dtype), node.shape) for node in self.first.graph.outputs]  # type: ignore[arg-type]
        rest = self.rest.describe([*arguments, *given])
        count, states = len(first.works), {piece.name for piece in first.pieces if piece.kind == STATE}
        end = max(count + len(rest.works) - 1, 0)
        pieces = [piece._replace(kind=VALUE, last=end) if piece.kind == OUTPUT else piece for piece in first.pieces]
        for piece in rest.pieces:
            if piece.kind != ARGUMENT and not (piece.kind == STATE and piece.name in states):
                pieces.append(piece._replace(first=count + piece.first, last=count + piece.last))
        works = [*first.works, *[work._replace(reason=self._reason) for work in rest.works]]
        arena = first.arena + rest.arena
        return first._replace(works=works, pieces=pieces, arena=arena)
