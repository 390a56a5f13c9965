"""FunctionGraph: a graph from inputs to outputs, as programs walk over it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from septet.dialects.theano.gof.graph import Apply, Constant, Variable, ancestors, clone, io_toposort, variables
from septet.dialects.theano.gof.graph import inputs as leaves

SPECIALIZED: dict[type, Callable[[Apply], Variable | None]] = {}
"""Classes of ops to what functions show in place of an application: a variable of the same value, or None."""


def specialized(outputs: Sequence[Variable]) -> list[Variable]:
    """Return outputs as functions show them: by the ops whose names say how a step is computed."""
    memo: dict[Any, Any] = {}
    written = set(ancestors(outputs))
    for node in io_toposort([], outputs):
        given = [memo.get(v, v) for v in node.inputs]
        fresh = node if given == node.inputs else node.clone_with_new_inputs(given)
        special = SPECIALIZED.get(type(node.op))
        found = None if special is None else special(fresh)
        for old, new in zip(node.outputs, fresh.outputs if found is None else [found], strict=True):
            if new is not old:
                memo[old] = new
                if new not in written:
                    new.name = old.name
    return [memo.get(v, v) for v in outputs]


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

    Raises
    ------
    MissingInputError
        If an output depends on a variable without a value that is not among the inputs.
    """

    def __init__(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], features: Any = None, clone: bool = True,
        update_mapping: Any = None,
    ) -> None:  # fmt: skip
        for leaf in leaves(outputs, blockers=inputs):
            if leaf not in inputs and not isinstance(leaf, Constant):
                raise MissingInputError("Undeclared input", leaf)
        if clone:
            inputs, outputs = _clone(inputs, outputs)
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        for part in (*self.variables, *self.apply_nodes):
            part.fgraph = self

    def toposort(self) -> list[Apply]:
        """Return the applications, each after those that it depends on."""
        return io_toposort(self.inputs, self.outputs)

    @property
    def apply_nodes(self) -> set[Apply]:
        return set(self.toposort())

    @property
    def variables(self) -> set[Variable]:
        return set(variables(self.inputs, self.outputs))

    @functools.cached_property
    def _clients(self) -> dict[Variable, list[tuple[Any, int]]]:
        users = [(node, place, given) for node in self.toposort() for place, given in enumerate(node.inputs)]
        found: dict[Variable, list[tuple[Any, int]]] = {}
        for user, place, given in (*users, *[("output", place, own) for place, own in enumerate(self.outputs)]):
            found.setdefault(given, []).append((user, place))
        return found

    def clients(self, variable: Variable) -> list[tuple[Any, int]]:
        """Return who uses a variable: (application or "output", place)."""
        return self._clients.get(variable, [])

    def clone(self, check_integrity: bool = True) -> FunctionGraph:
        return FunctionGraph(self.inputs, self.outputs)

    def __str__(self) -> str:
        from septet.dialects.theano.gof.graph import as_string

        return f"[{', '.join(as_string(self.inputs, self.outputs))}]"


_clone = clone
