"""Comparison against NumPy on edge values, operators, tolerance, and whole tensors."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import septet as st
import septet.run.eager as eager
from septet.base.errors import DTypeError, NotSupportedError
from septet.graph.node import Node, constant, symbol
from septet.graph.op import ops
from septet.graph.types import tensor_type
from septet.ops import compare as c
from septet.transform.vjp import vjp

EDGES = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan])
GRID = [np.array(m) for m in np.meshgrid(EDGES, EDGES)]


def value(node: Node) -> np.ndarray:
    eager.evaluate(node)
    assert node.value is not None
    return node.value


@pytest.mark.parametrize("name", ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"])
def test_edges_are_numpys(name):
    found = ops.__getattr__(name)(*map(constant, GRID))
    assert found.dtype == "bool"
    np.testing.assert_array_equal(value(found), getattr(np, name)(*GRID))


@pytest.mark.parametrize("name", ["isnan", "isinf", "isfinite"])
def test_tests_are_numpys(name):
    call = ops.__getattr__(name)
    for x in (
        EDGES,
        np.array([1j, complex(0, np.nan), complex(np.inf, 1)]),
        EDGES.astype("float16"),
        np.arange(3),
        np.array([True]),
    ):
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(value(call(constant(x))), getattr(np, name)(x))


def test_operators_of_nodes():
    x = constant(np.array([1.0, 2.0, 3.0]))
    for call in (operator.lt, operator.le, operator.gt, operator.ge):
        np.testing.assert_array_equal(value(call(x, 2)), call(np.array([1, 2, 3]), 2))
        np.testing.assert_array_equal(value(call(2, x)), call(2, np.array([1, 2, 3])))


def test_equality_of_nodes_is_identity_and_of_tensors_elementwise():
    x, same = constant(np.ones(2)), constant(np.ones(2))
    assert (x == same) is False and (x == x) is True and len({x, same}) == 2
    a = st.tensor([1.0, 2.0])
    assert (a == st.tensor([1.0, 3.0])).tolist() == [True, False]
    assert (a != 2).tolist() == [True, False]


def test_complex_numbers_have_no_order():
    with pytest.raises(DTypeError, match="less: is not defined for dtype complex128"):
        c.less(np.array([1j]), np.array([1.0]))
    assert value(c.equal(np.array([1j, 2]), np.array([1j, 2j]))).tolist() == [True, False]


def test_no_gradient_flows_through_a_comparison():
    x = constant(np.array([1.0, -2.0]))
    x.flags |= 1
    y = ops.where(x > 0, x, x * 10)
    (g,) = vjp([y], [constant(np.ones(2))], [x])
    assert g is not None and value(g).tolist() == [1, 10]


@pytest.mark.parametrize("equal_nan", [False, True])
def test_isclose_is_numpys(equal_nan):
    a = np.concatenate([GRID[0].ravel(), [1.0, 1.0, 1e-9, 100.0]])
    b = np.concatenate([GRID[1].ravel(), [1.0 + 9e-6, 1.0 + 2e-5, 0.0, 100.1]])
    np.testing.assert_array_equal(value(c.isclose(a, b, equal_nan=equal_nan)), np.isclose(a, b, equal_nan=equal_nan))
    np.testing.assert_array_equal(value(c.isclose(a, b, 1e-2, 0.5)), np.isclose(a, b, 1e-2, 0.5))


def test_isclose_of_other_types():
    x = np.array([0.1, 0.2])
    assert value(c.isclose(x, 0.1, 0.0, 0.0)).tolist() == [True, False]  # 0.1 is not rounded to float32 on the way
    assert value(c.isclose(np.array([2**40, 3]), np.array([2**40 + 1, 4]))).tolist() == [True, False]
    assert value(c.isclose(np.array([1 + 1j]), np.array([1 + 1.000001j]))).tolist() == [True]
    assert value(c.isclose(np.array([True, False]), np.array([True, True]))).tolist() == [True, False]
    assert value(c.allclose(x, x)) and not value(c.allclose(x, x + 1)) and value(c.allclose(np.ones(0), 3.0))


def test_array_equal():
    a = np.array([[1.0, np.nan]])
    assert not value(c.array_equal(a, a)) and value(c.array_equal(a, a, equal_nan=True))
    assert value(c.array_equal([1, 2], [1.0, 2.0])) and not value(c.array_equal([1, 2], [[1, 2]]))
    assert not value(c.array_equal([1, 1], [1]))
    assert value(c.array_equal(np.ones((0, 2)), np.ones((0, 2)))) and not value(
        c.array_equal(np.ones(0), np.ones((0, 2)))
    )


def test_array_equal_of_unknown_sizes():
    x, y = [st.symbol(name, (None,)) for name in "xy"]
    same = st.array_equal(x, y)
    assert same.eval({x: [1.0, 2.0], y: [1.0, 2.0]}) and not same.eval({x: [1.0, 1.0], y: [1.0]})


def test_array_equal_in_a_batch():
    a, b = np.array([[1.0, 2.0], [3.0, np.nan]]), np.array([3.0, np.nan])
    for words, expected in (({}, [False, False]), ({"equal_nan": True}, [False, True])):
        found = st.vmap(lambda x, w=words: st.array_equal(x, st.tensor(b), **w))(st.tensor(a))
        assert found.tolist() == expected
    assert st.vmap(lambda x: st.array_equal(x, st.tensor([1.0])))(st.tensor(a)).tolist() == [False, False]
    x = symbol(tensor_type(np.dtype("float64"), (2, None)))
    with pytest.raises(NotSupportedError, match="a batch needs known sizes"):
        c.array_equal.batch([True, True], x, x, equal_nan=False)
