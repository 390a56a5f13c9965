"""What the tests made from the cards share: recording a case, evaluating it, and finding its float arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

import septet  # noqa: F401  (registers everything)
from septet.base import dtypes
from septet.base.dtypes import DType
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


def is_random(op: Op, case: Case, position: int) -> bool:
    """Tell whether an argument of a case is an array of random floats (not of random integers, nor a given value)."""
    arg = case.args[position]
    if not (type(arg) is tuple and all(type(size) is int for size in arg)):
        return False
    domain = case.domain or op.domain
    own = domain[position] if isinstance(domain, list) else domain
    return len(own) != 3


def floats_of(op: Op, case: Case) -> list[int]:
    """The positions of the arguments that are random floats."""
    return [position for position in range(len(case.args)) if is_random(op, case, position)]


def draw(op: Op, case: Case, dtype: DType, seed: int = 0) -> list[Any]:
    """The arguments of a case with its random floats in a dtype: rounded and not negative for integers and booleans."""
    if dtypes.is_differentiable(dtype):
        return case.arrays(op, dtype, seed)
    chosen = floats_of(op, case)
    arrays = case.arrays(op, dtypes.float64, seed)
    return [np.abs(np.round(a)).astype(dtype) if i in chosen else a for i, a in enumerate(arrays)]


def scaled_difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference, in units of the largest finite element of `b` (at least 1); inf and NaN must agree."""
    wide = np.complex128 if np.iscomplexobj(b) else np.float64
    a, b = np.asarray(a).astype(wide), np.asarray(b).astype(wide)
    assert a.shape == b.shape
    finite = np.isfinite(b)
    np.testing.assert_array_equal(a[~finite], b[~finite])
    scale = max(1.0, float(np.max(np.abs(b[finite]), initial=0.0)))
    return float(np.max(np.abs(a[finite] - b[finite]), initial=0.0)) / scale
