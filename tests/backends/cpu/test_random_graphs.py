"""Random graphs natively, node by node: each value is what the reference makes of the native values of its inputs.

So a last bit that differs is not blown up by the ops behind it, and a wrong one is found where it is made. Sizes are
such that vectors are filled, and left over.

    python tests/backends/cpu/test_random_graphs.py 100000     tests that many graphs
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from septet.backends.cpu.program import CpuProgram
from septet.backends.reference.program import run_graph
from septet.base import dtypes
from septet.base.config import config
from septet.graph.graph import Graph
from septet.graph.node import Node
from septet.graph.op import Op
from septet.graph.reference import compute
from septet.run.programs import REFERENCE
from tests.optimize.random_graphs import random_graph

SIZES = ((2, 3), (19, 33), (4, 16), (65, 7), (5, 5))  # of equal sizes, axes could be taken for each other
CHUNK = 100


def check(seed: int) -> None:
    """Compare every node of one graph."""
    sizes = SIZES[seed % len(SIZES)]
    dtype = (dtypes.float64, dtypes.float32)[seed // len(SIZES) % 2]
    graph, arrays = random_graph(seed, sizes, dtype)
    nodes = [node for node in graph.nodes if isinstance(node.op, Op)]
    if not nodes:
        return
    every = Graph(graph.inputs, nodes)
    values: dict[Node, Any] = dict(zip(graph.inputs, arrays, strict=True))
    values.update(zip(nodes, CpuProgram(every, REFERENCE)(arrays), strict=True))
    for node in nodes:
        sources = [values.get(source, source.value) for source in node.inputs]
        expected = compute(node, sources, run_graph)
        found = values[node]
        assert found.dtype == expected.dtype and found.shape == expected.shape, f"graph {seed}: {node!r}"
        assert agrees(node, sources, found, expected), f"graph {seed}: {node!r} of {sources}: {found} for {expected}"
    alone = CpuProgram(graph, REFERENCE)(arrays)  # fused in another way
    for node, value in zip(graph.outputs, alone, strict=True):
        assert value.shape == node.shape and value.dtype == node.dtype


def agrees(node: Node, sources: list[np.ndarray], found: np.ndarray, expected: np.ndarray) -> bool:
    """Tell whether two values of a node are the same, up to the last bits of what went into it."""
    if expected.dtype.kind not in "fc":
        return bool((found == expected).all())
    with np.errstate(all="ignore"):
        same = (found == expected) | (np.isnan(found) & np.isnan(expected))
        precision = float(np.finfo(expected.dtype).eps)
        scale = np.abs(expected)
        if node.op.kind in ("reduction", "contraction"):  # rounding errors are those of the terms
            terms = [float(np.max(np.abs(s[np.isfinite(s)]), initial=0.0)) for s in sources]
            length = max(1, max(s.size for s in sources) // max(expected.size, 1))
            scale = np.maximum(scale, np.prod(terms, dtype=float) * length if node.op.name != "prod" else scale)
            precision *= 4 + np.sqrt(length)
        elif node.op.name == "logaddexp":  # near 0 it is what is left of its arguments
            scale = np.maximum(scale, max(float(np.max(np.abs(s[np.isfinite(s)]), initial=1.0)) for s in sources))
        tiny = float(np.finfo(expected.dtype).smallest_subnormal) * 4
        close = np.abs(found.astype(np.float64) - expected) <= 16 * precision * scale + tiny
        # one beyond the largest number, the other just below it
        top = float(np.finfo(expected.dtype).max) * (1 - 64 * precision)
        edge = (np.abs(found) >= top) & (np.abs(expected) >= top)
        if node.op.name == "prod":
            edge |= depends_on_the_order(node, sources[0])
    return bool((same | close | edge).all())


def depends_on_the_order(node: Node, factors: np.ndarray) -> np.ndarray:
    """Tell of which products some order of the factors goes through numbers that are too large, or too small."""
    sizes = np.abs(factors.astype(np.longdouble))
    limits = np.finfo(factors.dtype)
    axis, keepdims = node.param("axis"), node.param("keepdims")
    largest = np.prod(np.maximum(sizes, 1), axis=axis, keepdims=keepdims)
    smallest = np.prod(np.where(sizes == 0, 1, np.minimum(sizes, 1)), axis=axis, keepdims=keepdims)
    return (largest > limits.max) | (smallest < limits.tiny)


@pytest.mark.parametrize("first", range(0, 600, CHUNK))
def test_random_graphs(first: int) -> None:
    with config.override(verify=True):
        for seed in range(first, first + CHUNK):
            check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(600, 2000, CHUNK))
def test_many_random_graphs(first: int) -> None:
    for seed in range(first, first + CHUNK):
        check(seed)


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    start = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    failed = 0
    for number in range(start, start + wanted):
        try:
            check(number)
        except Exception as error:
            failed += 1
            print(f"graph {number}: {str(error)[:600]}")
        if number % 1000 == 999:
            print(f"{number + 1 - start} graphs, {failed} failed", flush=True)
    sys.exit(failed > 0)
