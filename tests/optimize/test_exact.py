"""The arbiter knows what floats know, and decides what they cannot."""

from __future__ import annotations

import numpy as np
import pytest

from tests.optimize.exact import ELEMENTWISE, REDUCTIONS, run_exactly
from tests.optimize.random_graphs import random_graph
from tests.optimize.support import graph_of, ops, run, sym

SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-310])


def exactly(build, *arrays):
    """Build a graph on symbols for arrays, and run it."""
    inputs = [sym(*np.shape(array), name=f"x{index}") for index, array in enumerate(arrays)]
    return run_exactly(graph_of(build(*inputs)), [np.asarray(array, float) for array in arrays])[0]


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_random_graphs_come_out_as_in_floats(first):
    for seed in range(first, first + 100):
        graph, arrays = random_graph(seed)
        for exact, plain in zip(run_exactly(graph, arrays), run(graph, arrays), strict=True):
            np.testing.assert_allclose(exact, plain, rtol=1e-9, atol=1e-12, err_msg=f"graph {seed}")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_special_values_are_those_of_the_references(name):
    op = getattr(ops, name)
    x = SPECIAL[:, None] if len(op.input_names) == 2 else SPECIAL
    given = (x, SPECIAL)[: len(op.input_names)]
    inputs = [sym(*array.shape, name=f"x{index}") for index, array in enumerate(given)]
    graph = graph_of(op(*inputs))
    (plain,) = run(graph, list(given))
    (exact,) = run_exactly(graph, list(given))
    np.testing.assert_allclose(exact, plain, rtol=1e-14)
    np.testing.assert_array_equal(np.signbit(exact) | np.isnan(exact), np.signbit(plain) | np.isnan(plain))


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_of_special_values_and_of_nothing(name):
    op = getattr(ops, name)
    rows = [[0.0, -0.0], [np.inf, 1.0], [-np.inf, 2.0], [np.nan, 0.0], [np.inf, -np.inf], [1.5, -1.5]]
    with np.errstate(all="ignore"):
        for keepdims in (False, True):
            graph = graph_of(op(sym(6, 2), axis=1, keepdims=keepdims))
            np.testing.assert_allclose(run_exactly(graph, [np.array(rows)])[0], run(graph, [np.array(rows)])[0])
        if name not in ("max", "min"):
            graph = graph_of(op(sym(0, 2), axis=0))
            np.testing.assert_array_equal(run_exactly(graph, [np.ones((0, 2))])[0], run(graph, [np.ones((0, 2))])[0])


def test_what_is_equal_in_theory_is_equal():
    x = np.random.default_rng(1).uniform(0.1, 2.0, 50)
    assert not exactly(lambda x: ops.where(ops.log1p(ops.expm1(x)) < x, 1.0, 0.0), x).any()
    assert not exactly(lambda x: ops.where(ops.not_equal(ops.exp(ops.log(x)), x), 1.0, 0.0), x).any()
    assert not exactly(lambda x: ops.sqrt(x) * ops.sqrt(x) - x, x).any()
    whole = np.arange(1.0, 50.0)
    np.testing.assert_array_equal(exactly(lambda x: ops.floor(ops.log(ops.exp(x))), whole), whole)
    np.testing.assert_array_equal(
        exactly(lambda x: ops.round(ops.sqrt(ops.square(x))), whole + 0.5), np.round(whole + 0.5)
    )
    np.testing.assert_array_equal(
        exactly(lambda x: ops.power(-2.0, ops.log(ops.exp(x))), [2.0, 3.0, -1.0]), [4.0, -8.0, -0.5]
    )


def test_what_differs_in_theory_differs():
    x = np.array([1e-300, 1e-20, 1.0])
    np.testing.assert_array_equal(exactly(lambda x: (1 + x) - 1, x), x)
    assert exactly(lambda x: ops.where(1 + x > 1, 1.0, 0.0), x).all()
    assert exactly(lambda x: ops.floor(3.0 - x), x).tolist() == [2.0, 2.0, 2.0]
    assert exactly(lambda x: ops.floor(ops.tanh(x)), [40.0]) == 0  # which rounds to 1 in float64


def test_numbers_beyond_the_range_of_floats():
    x = np.array([1000.0, -1000.0, 5000.0])
    np.testing.assert_allclose(exactly(lambda x: ops.log(1 + ops.exp(x)), x), np.logaddexp(0, x))
    np.testing.assert_allclose(exactly(lambda x: ops.exp(x + 1) / ops.exp(x), x), np.full(3, np.e))
    np.testing.assert_allclose(exactly(lambda x: 1 - ops.sigmoid(x), [700.0]), np.exp([-700.0]))
    assert exactly(ops.exp, [20000.0, -20000.0]).tolist() == [np.inf, 0.0]
    assert exactly(lambda x: ops.square(ops.square(x)), [1e200]) == np.inf  # rounded at the end


def test_products():
    generator = np.random.default_rng(2)
    for shapes in (((2, 3), (3, 2)), ((3,), (3,)), ((3,), (3, 2)), ((2, 1, 3), (3, 2)), ((2, 0), (0, 3))):
        x, y = (generator.uniform(-2, 2, shape) for shape in shapes)
        found = exactly(lambda x, y: ops.dot_general(x, y, contracting=((x.ndim - 1,), (0,))), x, y)
        np.testing.assert_allclose(found, np.tensordot(x, y, 1), rtol=1e-12)
