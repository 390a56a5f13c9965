"""The ops that are computed by themselves, by libraries or by plans inside the plan: the tables of `ops`, put together.

What plans them is imported with the first of a kind: a program of elementwise ops does without.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from septet.backends.cpu.planner import Library, Planner
from septet.graph.node import Node
from septet.graph.op import ITEM

PRODUCTS = ("dot_general",)
CONVOLUTIONS = ("conv", "conv_input", "conv_kernel")
BLOCKS = ("in_blocks",)
ASSEMBLING = ("concatenate", "update_slice", "pad")
CONTROL = ("scan", "cond", "while_loop")
INDEXING = ("scatter", "dynamic_update_slice")
RANDOM = ("random_bits", "fold_in", "split_state")
POOLINGS = ("max_pool", "sum_pool", "max_pool_gradient", "sum_pool_transpose")
ORDERED = (*PRODUCTS, *CONVOLUTIONS, *BLOCKS, *POOLINGS)
"""Ops that choose the order of their results in memory."""


def family_of(name: str) -> ModuleType | None:
    """Return the module that plans an op of those above; None for other ops."""
    if name in ASSEMBLING:
        from septet.backends.cpu.ops import assembling

        return assembling
    if name in CONTROL:
        from septet.backends.cpu.ops import control

        return control
    if name in INDEXING:
        from septet.backends.cpu.ops import indexing

        return indexing
    if name in RANDOM:
        from septet.backends.cpu.ops import random

        return random
    if name in PRODUCTS:
        from septet.backends.cpu.ops import matmul

        return matmul
    if name in BLOCKS:
        from septet.backends.cpu.ops import blocks

        return blocks
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
    name = node.inputs[0].op.name if node.op is ITEM else node.op.name
    family = family_of(name) if name in ORDERED else None
    found: tuple[int, ...] | None = None
    if family is not None and name in family.ORDERS:
        found = family.ORDERS[name](node, users)
    return found


def adds(node: Node) -> bool:
    """Tell whether what plans a node can add its result to a tensor."""
    family = family_of(node.op.name) if node.op.name in PRODUCTS else None
    return family is not None and bool(family.is_planned(node))


LIBRARY = Library(
    dict.fromkeys((*ORDERED, *ASSEMBLING, *CONTROL, *INDEXING, *RANDOM), plan_later),
    order,
    adds,
)  # fmt: skip
