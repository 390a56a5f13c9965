"""Products of matrices that are no work for a matrix library: with a vector, or with nothing to sum.

They move as many numbers as they multiply, so they belong into loops with what surrounds them: as a product element by
element, and a sum. For graphs whose sizes are all known.
"""

from __future__ import annotations

import math

from septet.graph.node import Node
from septet.graph.op import ops
from septet.graph.rewrite import Match, P, Rule, RuleSet
from septet.ops.shaping import reshape, transpose
from septet.optimize.build import fit

MOST = 1 << 24
"""Points of a product that is still written as a sum: beyond, its operands could not be fused and would be stored."""


def _spread(m: Match) -> Node | None:
    node = m.root
    a, b = node.inputs
    if node.dtype.name not in ("float32", "float64") or None in (*a.shape, *b.shape) or 0 in (*a.shape, *b.shape):
        return None
    (left_sum, right_sum), (left_batch, right_batch) = node.param("contracting"), node.param("batch")
    left = [axis for axis in range(a.ndim) if axis not in left_sum and axis not in left_batch]
    right = [axis for axis in range(b.ndim) if axis not in right_sum and axis not in right_batch]
    rows, columns = _size(a, left), _size(b, right)
    inner = _size(a, left_sum)
    if rows > 1 and columns > 1 and inner > 1:
        return None
    if _size(a, left_batch) * rows * columns * inner > MOST:
        return None
    shared = [a.shape[axis] for axis in left_batch]
    summed = [a.shape[axis] for axis in left_sum]
    kept = [a.shape[axis] for axis in left], [b.shape[axis] for axis in right]
    a = transpose(a, axes=(*left_batch, *left, *left_sum))
    b = transpose(b, axes=(*right_batch, *right, *right_sum))
    a = reshape(a, (*shared, *kept[0], *[1] * len(right), *summed))  # type: ignore[arg-type]
    b = reshape(b, (*shared, *[1] * len(left), *kept[1], *summed))  # type: ignore[arg-type]
    product = ops.multiply(a, b)
    axes = tuple(range(product.ndim - len(summed), product.ndim))
    return fit(ops.sum(product, axis=axes, keepdims=False) if axes else product, node)


def _size(node: Node, axes: list[int] | tuple[int, ...]) -> int:
    return math.prod(node.shape[axis] for axis in axes)  # type: ignore[misc]


RULES = RuleSet(
    [Rule("spread_product", P("dot_general"), _spread, "a vector passes by once; loops around it can be fused with it")]
)
