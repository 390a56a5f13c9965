"""FunctionGraph: a graph from inputs to outputs, as programs walk over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.dialects.theano.gof.graph import Apply, Variable, clone, io_toposort, variables


class MissingInputError(Exception):
    """A graph that depends on a variable that is neither an input nor has a value."""


class InconsistencyError(Exception):
    """A graph that contradicts itself."""


class CachedConstantError(Exception):
    """A constant that belongs to several graphs."""


class FunctionGraph:
    """A graph from inputs to outputs.

    Parameters
    ----------
    inputs, outputs : sequence of Variable
    clone : bool
        Whether the graph is of copies.
    """

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        features: Any = None,
        clone: bool = True,
        **_: Any,
    ) -> None:
        if clone:
            inputs, outputs = _clone(inputs, outputs)
        self.inputs = list(inputs)
        self.outputs = list(outputs)

    def toposort(self) -> list[Apply]:
        """Return the applications, each after those that it depends on."""
        return io_toposort(self.inputs, self.outputs)

    @property
    def apply_nodes(self) -> set[Apply]:
        return set(self.toposort())

    @property
    def variables(self) -> set[Variable]:
        return set(variables(self.inputs, self.outputs))

    def clients(self, variable: Variable) -> list[tuple[Any, int]]:
        """Return who uses a variable: (application or "output", place)."""
        found: list[tuple[Any, int]] = []
        for node in self.toposort():
            found += [(node, place) for place, given in enumerate(node.inputs) if given is variable]
        return found + [("output", place) for place, own in enumerate(self.outputs) if own is variable]

    def clone(self, check_integrity: bool = True) -> FunctionGraph:
        return FunctionGraph(self.inputs, self.outputs)

    def __str__(self) -> str:
        from septet.dialects.theano.gof.graph import as_string

        return f"[{', '.join(as_string(self.inputs, self.outputs))}]"


_clone = clone
