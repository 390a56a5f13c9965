"""Plans of one function for different sizes: they take turns in the same memory, and one is adapted to be another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from septet.backends.cpu.arenas import Arena
from septet.base.config import config
from septet.base.sizes import Formulas, Numbers
from septet.base.threads import thread_count
from septet.graph.graph import Graph
from septet.optimize.open_sizes import Opened, numbers_for

if TYPE_CHECKING:
    from septet.backends.cpu.program import Plan

MOST = 4
"""Plans that are kept to be adapted; the one used least recently goes first."""

ADAPTED = "adapted"
"""What is said of a plan that was made of another one."""

Shapes = tuple[tuple[int, ...], ...]


class Source(NamedTuple):
    """A graph with open sizes, and what the optimizer has made of it.

    Attributes
    ----------
    opened : Opened
    formulas : Formulas
        How everything follows from the sizes, and what was decided by them.
    until : (int, int)
        How many of the decisions are the optimizer's.
    graph : Graph
        As it is planned.
    settings : tuple
        See `surroundings`.
    """

    opened: Opened
    formulas: Formulas
    until: tuple[int, int]
    graph: Graph
    settings: tuple[Any, ...]


class Model(NamedTuple):
    """A plan that can be adapted.

    Attributes
    ----------
    source : Source
    formulas : Formulas
        Those of the source, or, where it was planned for other sizes, of that alone.
    plan : Plan
    """

    source: Source
    formulas: Formulas
    plan: Plan


class Found(NamedTuple):
    """What there is for a graph: a plan that can be adapted, with its sizes; or what it would be made of, with these.

    Attributes
    ----------
    plan : Plan or None
    source : Source or None
    numbers : Numbers or None
        Of the plan, or of the source.
    values : sequence of int
        Of the symbols.
    how : str
        The same, for people.
    """

    plan: Plan | None
    source: Source | None
    numbers: Numbers | None
    values: Sequence[int]
    how: str


def surroundings() -> tuple[Any, ...]:
    """Return what plans depend on besides the graph."""
    return thread_count(), config.convolution


class Family:
    """What the plans of one function share.

    Attributes
    ----------
    arena : Arena
    """

    def __init__(self) -> None:
        self.arena = Arena()
        self._models: list[Model] = []
        self._seen: list[Shapes] = []

    def open_axes(self, graph: Graph, shapes: Shapes) -> Iterator[list[list[int]]]:
        """Yield for each input the axes whose sizes may be others the next time: the best guess, and further ones.

        Where the graph leaves sizes open, these: but one that is the size of something else by chance stands in the way of
        all, and the first axes are more likely to change. Otherwise those that have been others before, or, at first,
        that of the batch.
        """
        own = [[axis for axis, size in enumerate(node.shape) if size is None] for node in graph.inputs]
        if any(own):
            yield own
            firsts = [axes[:1] for axes in own]
            if firsts != own:
                yield firsts
            return
        before = [seen for seen in self._seen if list(map(len, seen)) == list(map(len, shapes))]
        self._seen = [*self._seen[-MOST:], shapes]
        if not before:
            yield [[0] if shape else [] for shape in shapes]
            return
        yield [
            [axis for axis, size in enumerate(shape) if any([seen[number][axis] != size for seen in before])]
            for number, shape in enumerate(shapes)
        ]

    def add(self, model: Model) -> None:
        """Keep a plan that can be adapted, where it is one."""
        if model.plan.is_native:
            self._models = [model, *self._models[: MOST - 1]]

    def find(self, graph: Graph, decided: Sequence[int] = ()) -> Found:
        """Return what there is for a graph, some sizes of which values have decided."""
        why = ""
        known: dict[int, Numbers | None] = {}  # of sources that were compared
        again: Source | None = None
        for model in self._models:
            source = model.source
            if source.settings != surroundings():
                why = why or "other settings"
                continue
            if id(source) not in known:
                numbers = numbers_for(source.opened, source.formulas, graph, decided)
                is_same = numbers is not None and source.formulas.holds(numbers, source.until)
                why = "decisions that depend on sizes" if numbers is not None else why or "another graph"
                known[id(source)] = numbers if is_same else None
            numbers = known[id(source)]
            if numbers is None:
                continue
            again = again or source
            if model.formulas is not source.formulas:
                numbers = Numbers(model.formulas, numbers.symbols)
            if model.formulas.holds(numbers):
                self._models = [model, *[own for own in self._models if own is not model]]  # other threads look, too
                return Found(model.plan, source, numbers, numbers.symbols, ADAPTED)
        if again is None:
            return Found(None, None, None, (), f"planned anew: {why}" if why else "")
        own = known[id(again)]
        assert own is not None
        return Found(None, again, own, own.symbols, f"planned anew, not optimized: {why}")
