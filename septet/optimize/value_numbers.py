"""Value numbers: nodes with equal numbers have equal values, also in different graphs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from septet.graph.assemble import has_effect
from septet.graph.node import CONSTANT, SYMBOL, VARIABLE, Node
from septet.graph.params import exact
from septet.graph.rewrite import SMALL


class Numbers:
    """A table from what is computed to numbers."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}

    def of(self, slot: Any) -> int:
        """Return the number of anything hashable."""
        return self._numbers.setdefault(slot, len(self._numbers))

    def walk(self, nodes: Iterable[Node], known: dict[Node, int]) -> dict[Node, int]:
        """Return the numbers of nodes, inputs before users; those of symbols are in `known`, or they equal no other."""
        found = dict(known)
        for node in nodes:
            if node not in found:
                found[node] = self.of(self._slot(node, found))
        return found

    def _slot(self, node: Node, found: dict[Node, int]) -> Any:
        op = node.op
        if op is CONSTANT and isinstance(node.value, np.ndarray):
            return CONSTANT, node.type, node.value.tobytes() if node.value.size <= SMALL else id(node.value)
        if op is VARIABLE:
            return VARIABLE, id(node.params[0])
        if op is SYMBOL or op is CONSTANT or has_effect(node):
            return node
        inputs = [found[source] for source in node.inputs]
        if len(inputs) == 2 and "commutative" in op.properties:
            inputs.sort()
        return op, tuple(inputs), exact(node.params) if node.params else (), node.type
