"""The ops that are computed by themselves, by libraries or by plans inside the plan: the tables of `ops`, put together.

What plans products, convolutions and pooling is imported with the first of them: a program of elementwise ops does without.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from septet.backends.cpu.ops import assembling, control, indexing, random
from septet.backends.cpu.planner import Library, Planner
from septet.graph.node import Node

PRODUCTS = ("dot_general",)
CONVOLUTIONS = ("conv", "conv_input", "conv_kernel")
POOLINGS = ("max_pool", "sum_pool", "max_pool_gradient", "sum_pool_transpose")


def family_of(name: str) -> ModuleType | None:
    """Return the module that plans an op of those above; None for other ops."""
    if name in PRODUCTS:
        from septet.backends.cpu.ops import matmul

        return matmul
    if name in CONVOLUTIONS:
        from septet.backends.cpu.ops import conv

        return conv
    if name in POOLINGS:
        from septet.backends.cpu.ops import pool

        return pool
    return None


def plan_later(planner: Planner, node: Node) -> bool:
    """Plan an op whose family is imported now."""
    family = family_of(node.op.name)
    assert family is not None
    planned: bool = family.TABLE[node.op.name](planner, node)
    return planned


def order(node: Node, users: Sequence[Node]) -> tuple[int, ...] | None:
    """Return the order in memory of the axes of a result that is computed by itself; None for that of its shape."""
    family = family_of(node.op.name)
    found: tuple[int, ...] | None = None
    if family is not None and node.op.name in family.ORDERS:
        found = family.ORDERS[node.op.name](node, users)
    return found


LIBRARY = Library(
    {
        **assembling.TABLE, **control.TABLE, **indexing.TABLE, **random.TABLE,
        **dict.fromkeys((*PRODUCTS, *CONVOLUTIONS, *POOLINGS), plan_later),
    },
    order,
)  # fmt: skip
