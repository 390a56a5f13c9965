"""Random graphs give the same results optimized and not.

Without stabilization, results must agree to the last digits, with the same NaNs and infinities. Stabilization changes
results where the graph as written loses digits: there the arbiter is the graph as written, run in extended precision.
"""

from __future__ import annotations

import numpy as np
import pytest

from septet.base import dtypes
from septet.base.config import config
from septet.graph.graph import Graph
from septet.graph.node import CONSTANT, SYMBOL
from septet.graph.rewrite import RuleSet, rewrite
from septet.optimize import canonicalize, constants, simplify
from septet.optimize.pipeline import Pass, optimize
from tests.optimize.random_graphs import random_graph
from tests.optimize.support import run

ALGEBRA = RuleSet([constants.FOLD, *canonicalize.RULES, *simplify.RULES])
EXACT = [Pass("algebra", lambda graph: rewrite(graph, ALGEBRA), "everything but stabilization")]
LONG = np.longdouble
CHUNK = 250


def arbiter(graph: Graph, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Run a graph in extended precision: the references of the cards on long doubles."""
    values = {node: array.astype(LONG) for node, array in zip(graph.inputs, arrays, strict=True)}
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if node in values or node.op is SYMBOL:
                continue
            if node.op is CONSTANT:
                values[node] = node.value.astype(LONG) if node.dtype == dtypes.float64 else node.value
                continue
            given = [values[source] for source in node.inputs]
            try:
                result = np.asarray(node.op.reference(*given, **node.keywords()))
            except KeyError:  # the reference asks what kind of dtype it is
                given = [a.astype(np.float64) if a.dtype == LONG else a for a in given]
                result = np.asarray(node.op.reference(*given, **node.keywords()))
            values[node] = result.astype(LONG) if node.dtype == dtypes.float64 else result
    return [values[node] for node in graph.roots]


def same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where two results agree: equal, both NaN, or to the last digits."""
    with np.errstate(all="ignore"):
        return (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= 1e-11 * np.maximum(np.abs(a), 1e-3))


def check(seed: int) -> None:
    graph, arrays = random_graph(seed)
    before = run(graph, arrays)
    for a, b in zip(before, run(optimize(graph, EXACT), arrays), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape, f"graph {seed}"
        assert same(a, b).all(), f"graph {seed}: {a} became {b}"
    exact = None
    for index, (a, b) in enumerate(zip(before, run(optimize(graph), arrays), strict=True)):
        assert a.dtype == b.dtype and a.shape == b.shape, f"graph {seed}"
        agrees = same(a, b)
        if agrees.all():
            continue
        exact = exact or arbiter(graph, arrays)
        truth = exact[index].astype(np.float64)
        with np.errstate(all="ignore"):
            closer = np.abs(b - truth) <= np.abs(a - truth) + 1e-11 * np.abs(truth)
        undefined = ~np.isfinite(truth)  # an overflow, a division by zero: there is no exact value to be near to
        assert (agrees | closer | undefined | (~np.isfinite(a) & np.isfinite(b))).all(), f"graph {seed}: {a} became {b}"


@pytest.mark.parametrize("first", range(0, 1500, CHUNK))
def test_random_graphs(first):
    with config.override(verify=True):
        for seed in range(first, first + CHUNK):
            check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1500, 10000, CHUNK))
def test_many_random_graphs(first):
    for seed in range(first, first + CHUNK):
        check(seed)


def test_the_arbiter_is_more_exact():
    from tests.optimize.support import graph_of, ops, sym

    graph = graph_of(ops.log(1 + ops.exp(sym(2))))
    arrays = [np.array([1000.0, -30.0])]
    np.testing.assert_allclose(arbiter(graph, arrays)[0].astype(float), np.logaddexp(0, arrays[0]), rtol=1e-5)


def test_the_generator_reaches_many_ops():
    found: dict[str, int] = {}
    for seed in range(400):
        for node in random_graph(seed)[0].nodes:
            found[node.op.name] = found.get(node.op.name, 0) + 1
    assert len(found) > 45, sorted(found)
