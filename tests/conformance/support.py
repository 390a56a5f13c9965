"""What the tests made from the cards share: recording a case, evaluating it, and its float64 arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

import septet  # noqa: F401  (registers everything)
from septet.base import dtypes
from septet.graph.context import TRACKED
from septet.graph.node import Node, constant
from septet.graph.op import ITEM, Case, Op, all_ops, as_array, items
from septet.run import eager

CARDS = [op for op in all_ops() if op is not ITEM]
CASES = [(op, case) for op in CARDS for case in op.cases]


def case_id(pair: tuple[Op, Case]) -> str:
    """A readable test id."""
    op, case = pair
    return f"{op.name}-{list(op.cases).index(case)}"


def leaf(value: Any, is_tracked: bool = False) -> Node:
    """A node of an argument; floats can be tracked."""
    node = constant(as_array(np.asarray(value)))
    if is_tracked and dtypes.is_differentiable(node.dtype):
        node.flags |= TRACKED
    return node


def outputs_of(node: Node) -> list[Node]:
    """The results of a node."""
    return list(items(node)) if isinstance(node.type, tuple) else [node]


def value(node: Node) -> np.ndarray:
    """The value of a node, computed now."""
    if node.value is None:
        eager.evaluate(node)
    return node.value


def call(op: Op, arrays: list[Any], params: dict[str, Any]) -> list[np.ndarray]:
    """The values of a card's results for some arguments."""
    return [value(n) for n in outputs_of(op(*[leaf(a) for a in arrays], **params))]
