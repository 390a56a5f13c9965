"""What computing a node costs, in floating-point operations, as its card says."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, ITEM, OTHER, REDUCTION, Op
from septet.graph.types import TensorType


def flops(node: Node) -> int:
    """Return how many floating-point operations a node takes; sizes that are not known count as 1.

    A multiplication and an addition count as two, an elementwise op as one for each element of its result (whatever the
    function), a reduction as one for each element that it reads; moving data is free. What costs more says so with the
    field `flops` of its card.

    Parameters
    ----------
    node : Node

    Returns
    -------
    int

    Examples
    --------
    >>> import septet as st
    >>> flops((st.ones((2, 3)) @ st.ones((3, 4))).node)
    48
    """
    op = node.op
    if not isinstance(op, Op) or op is ITEM:
        return 0
    inputs = [_sizes(source.type) for source in node.inputs]
    results = _sizes(node.type)
    if op.flops is not None:
        return int(op.flops(results, *inputs, **node.keywords()))
    if op.kind in (ELEMENTWISE, OTHER):
        return count(results)
    return count(inputs[0]) if op.kind == REDUCTION and inputs else 0


def total(nodes: Iterable[Node]) -> int:
    """Return the floating-point operations of some nodes together."""
    return sum(map(flops, nodes))


def count(sizes: Any) -> int:
    """Return the number of elements of a shape, or of a list of shapes."""
    return sum(map(count, sizes)) if isinstance(sizes, list) else math.prod(sizes)


def _sizes(type_: Any) -> Any:
    """Return a shape in which unknown sizes are 1; a list of them for an op with several results."""
    if isinstance(type_, TensorType):
        return tuple(1 if size is None else size for size in type_.shape)
    return [_sizes(each) for each in type_]
