"""The ordered list of passes, and what each of them did."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from septet.base.config import config
from septet.base.errors import ArgumentError
from septet.base.text import nearest, table
from septet.base.watch import OPTIMIZE, span
from septet.graph.graph import Graph
from septet.graph.op import Op
from septet.graph.rewrite import Outcome
from septet.optimize.canonicalize import canonicalize
from septet.optimize.constants import fold_constants
from septet.optimize.cse import merge
from septet.optimize.dead import with_sub_graphs
from septet.optimize.simplify import simplify
from septet.optimize.stabilize import stabilize


class Pass:
    """A pass.

    Attributes
    ----------
    name : str
    run : callable
        ``run(graph) -> Outcome``.
    reason : str
        Why it is there, and why in this place.
    """

    __slots__ = ("name", "reason", "run")

    def __init__(self, name: str, run: Callable[[Graph], Outcome], reason: str) -> None:
        self.name = name
        self.run = run
        self.reason = reason

    def __repr__(self) -> str:
        return f"<Pass {self.name}>"


class Step:
    """What one pass did.

    Attributes
    ----------
    name : str
        Of the pass; "" for the graph that was given.
    graph : Graph
        The graph afterwards.
    fired : dict of str to int
        How often each rule replaced a node.
    seconds : float
    """

    __slots__ = ("fired", "graph", "name", "seconds")

    def __init__(self, name: str, graph: Graph, fired: dict[str, int], seconds: float) -> None:
        self.name = name
        self.graph = graph
        self.fired = fired
        self.seconds = seconds

    def __repr__(self) -> str:
        rules = ", ".join(f"{name} {count}" for name, count in self.fired.items())
        return f"<Step {self.name or 'given'}: {len(self.graph)} nodes{f', {rules}' if rules else ''}>"


class History(list[Step]):
    """The steps of one optimization, the given graph first; printed as a table."""

    def __str__(self) -> str:
        rows = [
            (step.name or "given", len(step.graph), f"{1e3 * step.seconds:.1f}",
             ", ".join(f"{name} {count}" for name, count in sorted(step.fired.items())))
            for step in self
        ]  # fmt: skip
        return table(rows, ("pass", "nodes", "ms", "rules that fired"), align="lrrl")


def _inner(graph: Graph) -> Graph:
    """Optimize a graph inside of a node."""
    return optimize(graph, [own for own in PASSES if own.run is not _branches])


def _sub_graphs(graph: Graph) -> Outcome:
    return with_sub_graphs(graph, _inner)


def _loops(graph: Graph) -> Outcome:
    if not any(isinstance(node.op, Op) and node.op.is_higher_order for node in graph.nodes):
        return Outcome(graph, {}, True)
    from septet.optimize.loops import improve

    return improve(graph, _inner)


def _branches(graph: Graph) -> Outcome:
    if not any(isinstance(node.op, Op) and node.op.is_higher_order for node in graph.nodes):
        return Outcome(graph, {}, True)
    from septet.optimize.branches import move_into_branches

    return move_into_branches(graph)


PASSES = (
    Pass("control_flow", _sub_graphs, "sub-graphs first: what they do not need is not computed outside either"),
    Pass("merge", merge, "rules that ask whether two inputs are the same node need equal nodes to be one"),
    Pass("loops", _loops, "when bodies are optimized and equal operands are one; what it moves out is optimized here"),
    Pass("canonicalize", canonicalize, "one spelling, so that the later passes need to know one only"),
    Pass("stabilize", stabilize, "before the algebra, which could break up the forms that it looks for"),
    Pass("simplify", simplify, "fewer and cheaper ops"),
    Pass("constants", fold_constants, "the algebra leaves constants behind, and merges once more"),
    Pass("branches", _branches, "of the whole graph, last: loops have moved out of their bodies what does not change"),
)
_BY_NAME = {own.name: own for own in PASSES}


def passes_named(names: Iterable[str]) -> tuple[Pass, ...]:
    """Return passes by name.

    Raises
    ------
    ArgumentError
        If there is no pass of a name.
    """
    found = []
    for name in names:
        if name not in _BY_NAME:
            near = nearest(name, _BY_NAME)
            raise ArgumentError(
                f"there is no pass {name!r}; the passes are {', '.join(_BY_NAME)}",
                hint=f"did you mean {near!r}?" if near else None,
            )
        found.append(_BY_NAME[name])
    return tuple(found)


def optimize(graph: Graph, passes: Sequence[Pass | str] | None = None, trace: list[Step] | None = None) -> Graph:
    """Return a graph that computes the same with less work and better numbers.

    Differentiate first: the result is for running, gradients do not see where `no_grad` cut a path any more.

    Parameters
    ----------
    graph : Graph
    passes : sequence of Pass or str, optional
        By default all of `PASSES`.
    trace : list, optional
        Takes a `Step` for the graph as given and for each pass.

    Returns
    -------
    Graph
        With the same inputs, and outputs, updates and effects in the same order and of the same types.

    Raises
    ------
    GraphError
        With the setting ``verify``: if the graph, before or after a pass, is not legal.
    """
    chosen = PASSES if passes is None else [passes_named([p])[0] if isinstance(p, str) else p for p in passes]
    checks = config.verify
    if checks:
        from septet.graph.verify import verify

        verify(graph)
    if trace is not None:
        trace.append(Step("", graph, {}, 0.0))
    for own in chosen:
        start = time.perf_counter()
        with span(OPTIMIZE, own.name):
            outcome = own.run(graph)
        if checks and outcome.graph is not graph:
            verify(outcome.graph, after=f"the pass {own.name}")
        graph = outcome.graph
        if trace is not None:
            trace.append(Step(own.name, graph, outcome.fired, time.perf_counter() - start))
    return graph


def history(graph: Graph, passes: Sequence[Pass | str] | None = None) -> History:
    """Optimize a graph and return every step on the way, to look at.

    Parameters
    ----------
    graph : Graph
    passes : sequence of Pass or str, optional

    Returns
    -------
    History
        A list of `Step`; ``print`` shows it as a table.
    """
    steps = History()
    optimize(graph, passes, steps)
    return steps
