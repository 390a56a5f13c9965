"""What a backend is: it turns a graph into a program, and a program turns arrays into arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from septet.graph.graph import Graph
from septet.tensor.variable import go_through, storing

if TYPE_CHECKING:
    from septet.backends.base_work import Description, Made, Tell


class Program(Protocol):
    """A graph made ready to run."""

    graph: Graph
    deciding: Sequence[int]
    """The inputs whose values, and not only their shapes, decide what runs."""
    tell: Callable[[Made], None] | None
    """Where values decide: is told about everything that is made for a call."""

    @property
    def made(self) -> Sequence[Made]:
        """What was made so far, for each combination of shapes that needed something of its own."""

    def make_ready(self, shapes: Sequence[tuple[int, ...]]) -> Made | None:
        """Do at once what a first call with inputs of some shapes would do before it runs; return what that took."""

    def __call__(self, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the values of the graph's roots (outputs, new values, effects) for values of its inputs.

        Variables are read when the call starts, and keep their values. A result may be a view of an argument.
        """

    def step(self, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Do the same, and give variables their new values: all, or none where something is raised (Ctrl-C, too).

        No result is a view of an argument.
        """

    def observe(self, arguments: Sequence[np.ndarray], tell: Tell) -> list[np.ndarray]:
        """Run one work after the other, and say how long each took. Variables keep the arrays that they have."""

    def describe(self, arguments: Sequence[np.ndarray]) -> Description:
        """Return what runs for some inputs, and what memory it takes; nothing is run."""


def owned(results: Sequence[Any], arguments: Sequence[np.ndarray]) -> list[Any]:
    """Copy each result that is a view of an argument, which its owner may write to."""
    return [_own(value) if _is_view(value, arguments) else value for value in results]


def _is_view(value: Any, arrays: Sequence[np.ndarray]) -> bool:
    return isinstance(value, np.ndarray) and any([np.may_share_memory(value, array) for array in arrays])


def _own(value: np.ndarray) -> np.ndarray:
    value = value.copy()
    value.flags.writeable = False
    return value


def store(graph: Graph, results: Sequence[Any]) -> None:
    """Give the variables of a graph their new values, which are among its results."""
    if graph.updates:
        variables = [variable for variable, _ in graph.updates]
        count = len(graph.outputs)
        values = results[count : count + len(variables)]
        for variable, value in zip(variables, values, strict=True):
            variable.check(value)
            value.setflags(write=False)
        go_through(storing(variables, values))


class Backend(Protocol):
    """A way to run graphs."""

    name: str

    def compile(self, graph: Graph, **options: Any) -> Program:
        """Return a program for a graph whose only free leaves are its inputs, constants and variables."""
