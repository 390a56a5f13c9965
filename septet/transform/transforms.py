"""What the rules of cards that hold graphs are given to transform those graphs with.

The three transforms call such rules, and such rules call the transforms. A rule does so while it is applied, so that is
when the transform is looked up: no module has to import in a circle, and none waits for a transform that it never uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from septet.base.forks import work
from septet.graph.graph import Graph
from septet.graph.node import Node


@cache
def _transform(module: str, name: str) -> Callable[..., Any]:
    """Return a function of a module of this folder."""
    with work:
        function: Callable[..., Any] = getattr(import_module(f"septet.transform.{module}"), name)
    return function


class Transforms:
    """The transforms of nodes and graphs.

    Parameters
    ----------
    batch_size : int, optional
        The size of the batches that `vmap` makes graphs for, where it is known.
    """

    __slots__ = ("batch_size",)

    def __init__(self, batch_size: int | None = None) -> None:
        self.batch_size = batch_size

    def vjp(self, outputs: Sequence[Node], cotangents: Sequence[Node | None], wrt: Sequence[Node]) -> list[Node | None]:
        """Return the cotangents of `wrt`, given those of the outputs; None is zero."""
        return _transform("vjp", "vjp")(outputs, cotangents, wrt)

    def jvp(self, outputs: Sequence[Node], wrt: Sequence[Node], tangents: Sequence[Node | None]) -> list[Node | None]:
        """Return the tangents of the outputs, given those of `wrt`; None is zero."""
        return _transform("jvp", "jvp")(outputs, wrt, tangents)

    def vmap(self, graph: Graph, is_batched: Sequence[bool]) -> tuple[Graph, list[bool]]:
        """Return the graph for batches on axis 0 of some inputs, and which of its outputs are batches."""
        return _transform("batch", "batch_graph")(graph, is_batched, self.batch_size)


TRANSFORMS = Transforms()
