"""Diagonals against NumPy, with known and with unknown sizes."""

from __future__ import annotations

import numpy as np
import pytest

import septet  # noqa: F401  (registers everything)
from septet.backends.reference.program import run_graph
from septet.base.errors import ArgumentError, ShapeError
from septet.graph.context import TRACKED
from septet.graph.graph import Graph
from septet.graph.node import Node, constant, symbol
from septet.graph.op import as_node
from septet.graph.types import tensor_type
from septet.ops import diagonals as d
from septet.ops.assembling import atleast_1d, atleast_2d, atleast_3d
from septet.run import eager
from septet.transform.vjp import vjp

X = np.random.default_rng(0).normal(size=(3, 4, 5))


def value(node: Node) -> np.ndarray:
    """The value of a node, computed now."""
    if node.value is None:
        eager.evaluate(node)
    return node.value


@pytest.mark.parametrize("axes", [(0, 1), (1, 0), (2, 0), (-1, -2), (0, -1)])
@pytest.mark.parametrize("offset", [-3, -1, 0, 2, 4])
def test_diagonal_and_trace(axes: tuple[int, int], offset: int) -> None:
    """Any two axes, in either order."""
    expected = np.diagonal(X, offset, *axes)
    np.testing.assert_array_equal(value(d.diagonal(X, offset, *axes)), expected)
    np.testing.assert_allclose(value(d.trace(X, offset, *axes)), np.trace(X, offset, *axes), rtol=1e-12)
    x = symbol(tensor_type(X.dtype, (None, None, None)))
    found = run_graph(Graph([x], [d.diagonal(x, offset, *axes)]), [X])[0]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("k", [-2, 0, 1, 7])
def test_diag_both_ways(k: int) -> None:
    """From a vector, from a matrix, and there and back."""
    line, matrix = X[0, 0], X[0]
    np.testing.assert_array_equal(value(d.diag(line, k)), np.diag(line, k))
    np.testing.assert_array_equal(value(d.diag(matrix, k)), np.diag(matrix, k))
    np.testing.assert_array_equal(value(d.diag(d.diag(line, k), k)), line)
    x = symbol(tensor_type(X.dtype, (None,)))
    np.testing.assert_array_equal(run_graph(Graph([x], [d.diag(x, k)]), [line])[0], np.diag(line, k))


def test_trace_in_another_dtype() -> None:
    """The sum is taken in the dtype asked for."""
    x = np.full((2, 2), 100, np.int8)
    assert value(d.trace(x)).item() == 200
    assert value(d.trace(x, dtype="int8")).item() == np.trace(x, dtype=np.int8)


def test_gradient_of_trace() -> None:
    """Ones on the diagonal."""
    x = constant(X[0])
    x.flags |= TRACKED
    (g,) = vjp([d.trace(x, 1)], [constant(np.ones(()))], [x])
    assert g is not None
    np.testing.assert_array_equal(value(g), np.eye(4, 5, 1))


@pytest.mark.parametrize("rank", range(5))
def test_at_least(rank: int) -> None:
    """Every rank, as in NumPy."""
    x = np.ones((2, 3, 4, 5)[:rank])
    for call, expected in ((atleast_1d, np.atleast_1d), (atleast_2d, np.atleast_2d), (atleast_3d, np.atleast_3d)):
        assert call(as_node(x)).shape == expected(x).shape
        assert [node.shape for node in call(x, 1.0)] == [array.shape for array in expected(x, 1.0)]


def test_errors_say_what_is_wrong() -> None:
    """Ranks and axes."""
    with pytest.raises(ShapeError, match="needs two axes, got rank 1"):
        d.diagonal(np.ones(3))
    with pytest.raises(ArgumentError, match="both axis 1"):
        d.diagonal(X, 0, 1, -2)
    with pytest.raises(ShapeError, match="takes a vector or a matrix, got rank 3"):
        d.diag(X)
    with pytest.raises(ArgumentError, match="axis2 3 is out of range"):
        d.diagonal(X, 0, 0, 3)
