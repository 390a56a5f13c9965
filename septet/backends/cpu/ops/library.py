"""The ops that are computed by themselves, by libraries or by plans inside the plan: the tables of `ops`, put together."""

from __future__ import annotations

from collections.abc import Sequence

from septet.backends.cpu.ops import assembling, control, conv, indexing, matmul, pool, random
from septet.backends.cpu.planner import Library
from septet.graph.node import Node


def order(node: Node, users: Sequence[Node]) -> tuple[int, ...] | None:
    """Return the order in memory of the axes of a result that is computed by itself; None for that of its shape."""
    rule = ORDERS.get(node.op.name)
    return None if rule is None else rule(node, users)


ORDERS = {**conv.ORDERS, **matmul.ORDERS, **pool.ORDERS}

LIBRARY = Library(
    {
        **assembling.TABLE, **control.TABLE, **conv.TABLE, **indexing.TABLE, **matmul.TABLE, **pool.TABLE, **random.TABLE,
    },
    order,
)  # fmt: skip
