"""Ops that are computed by themselves, by libraries or by kernels of their own: which function plans each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.graph.node import Node

TABLE: dict[str, Callable[[Any, Node], bool]] = {}
"""Op -> ``plan(planner, node) -> bool``: False where it declines, so that the node is computed in Python."""


def order(node: Node) -> tuple[int, ...] | None:
    """Return the order in memory of the axes of a result that is computed by itself; None for that of its shape."""
    return None
