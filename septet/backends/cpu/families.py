"""Plans of one function for different sizes: they take turns in the same memory, and one is adapted to be another."""

from __future__ import annotations

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


class Model(NamedTuple):
    """A plan that can be adapted.

    Attributes
    ----------
    opened : Opened
        The graph that it was made for, with open sizes.
    formulas : Formulas
        How everything in it follows from these, and what was decided by them.
    plan : Plan
    settings : tuple
        See `surroundings`.
    """

    opened: Opened
    formulas: Formulas
    plan: Plan
    settings: tuple[Any, ...]


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

    def open_axes(self, graph: Graph, shapes: Shapes) -> list[list[int]]:
        """Return for each input the axes whose sizes may be others the next time.

        Where the graph leaves sizes open, these; otherwise those that have been others before, or, at first, that of the
        batch.
        """
        own = [[axis for axis, size in enumerate(node.shape) if size is None] for node in graph.inputs]
        if any(own):
            return own
        before = [seen for seen in self._seen if list(map(len, seen)) == list(map(len, shapes))]
        self._seen = [*self._seen[-MOST:], shapes]
        if not before:
            return [[0] if shape else [] for shape in shapes]
        return [
            [axis for axis, size in enumerate(shape) if any([seen[number][axis] != size for seen in before])]
            for number, shape in enumerate(shapes)
        ]

    def add(self, model: Model) -> None:
        """Keep a plan that can be adapted, where it is one."""
        if model.plan.is_native:
            self._models = [model, *self._models[: MOST - 1]]

    def find(self, graph: Graph) -> tuple[tuple[Plan, Numbers] | None, str]:
        """Return a plan that can be adapted to a graph, and the sizes that it has then; or None, and why there is none."""
        why = ""
        for model in self._models:
            if model.settings != surroundings():
                why = why or "other settings"
                continue
            numbers = numbers_for(model.opened, model.formulas, graph)
            if numbers is None:
                why = why or "another graph"
                continue
            if not model.formulas.holds(numbers):
                why = "decisions that depend on sizes"
                continue
            self._models.remove(model)
            self._models.insert(0, model)
            return (model.plan, numbers), ADAPTED
        return None, f"planned anew: {why}" if why else ""
