"""What the tests of the optimizer share."""

from __future__ import annotations

from typing import Any

import numpy as np

import septet.ops  # noqa: F401  (registration)
from septet.backends.reference.program import ReferenceProgram
from septet.base import dtypes
from septet.graph.graph import Graph
from septet.graph.node import Node, symbol
from septet.graph.op import ops
from septet.graph.types import tensor_type

F = dtypes.float64


def sym(*shape: int | None, name: str = "x", dtype: Any = F) -> Node:
    """A symbol."""
    return symbol(tensor_type(dtypes.as_dtype(dtype), shape), name)


def inputs_of(*roots: Node) -> list[Node]:
    """The symbols that nodes depend on, in the order of making."""
    return [node for node in Graph([], roots).nodes if node.op.name == "symbol"]


def graph_of(*roots: Node) -> Graph:
    """The graph from the symbols that nodes depend on."""
    return Graph(inputs_of(*roots), roots)


def draw(graph: Graph, seed: int = 0, low: float = -2.0, high: float = 2.0) -> list[np.ndarray]:
    """Random values for a graph's inputs; an unknown size is 3."""
    generator = np.random.default_rng(seed)
    found = []
    for node in graph.inputs:
        shape = tuple(3 if size is None else size for size in node.shape)
        values = generator.uniform(low, high, shape)
        if dtypes.is_complex(node.dtype):
            values = values + 1j * generator.uniform(low, high, shape)
        elif node.dtype == dtypes.bool_:
            values = values > 0
        elif dtypes.is_integer(node.dtype):
            values = np.abs(values * 4) if node.dtype in dtypes.UNSIGNED else values * 4
        found.append(values.astype(node.dtype))
    return found


def run(graph: Graph, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Run a graph on the reference backend."""
    return ReferenceProgram(graph)(arrays)


def names(graph: Graph) -> list[str]:
    """The names of the ops in a graph, sorted."""
    return sorted(node.op.name for node in graph.nodes if not getattr(node.op, "is_leaf", False))


__all__ = ["F", "draw", "graph_of", "inputs_of", "names", "ops", "run", "sym"]
