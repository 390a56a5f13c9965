"""Logic, bits and choices against NumPy."""

from __future__ import annotations

import operator

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import septet.run.eager as eager
from septet.base.errors import DTypeError
from septet.graph.node import Node, constant, symbol
from septet.graph.op import ops
from septet.graph.types import tensor_type
from septet.ops import logic
from septet.transform.jvp import jvp
from septet.transform.vjp import vjp


def value(node: Node) -> np.ndarray:
    eager.evaluate(node)
    assert node.value is not None
    return node.value


@pytest.mark.parametrize("name", ["logical_and", "logical_or", "logical_xor"])
def test_logic_takes_any_dtype(name):
    a, b = np.array([0, 0, 2, 3]), np.array([0, 1, 0, 5])
    for dtype in ("bool", "int8", "uint64", "float16", ml_dtypes.bfloat16, "float64", "complex64"):
        x, y = a.astype(dtype), b.astype(dtype)
        found = value(ops.__getattr__(name)(constant(x), constant(y)))
        np.testing.assert_array_equal(found, getattr(np, name)(a.astype(bool), b.astype(bool)))
        np.testing.assert_array_equal(value(logic.logical_not(constant(x))), a == 0)
    assert value(logic.logical_or(np.nan, False))


BITS = [operator.and_, operator.or_, operator.xor]


@pytest.mark.parametrize("call", BITS)
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64"])
def test_bit_operators(call, dtype):
    a, b = np.array([0, 1, 5, 100]).astype(dtype), np.array([3, 1, 0, 77]).astype(dtype)
    np.testing.assert_array_equal(value(call(constant(a), constant(b))), call(a, b))
    number = True if dtype == "bool" else 6
    np.testing.assert_array_equal(value(call(number, constant(a))), call(number, a))
    np.testing.assert_array_equal(value(~constant(a)), ~a)


@given(st.integers(-128, 127), st.integers(0, 20))
def test_shifts_by_more_than_the_width(x, n):
    a, b = np.array([x], np.int8), np.array([n], np.int8)
    left = ((x << n) + 128) % 256 - 128
    assert value(constant(a) << constant(b)).tolist() == [left]
    assert value(constant(a) >> constant(b)).tolist() == [x >> n]
    assert value(5 << constant(b)).dtype == "int8"


def test_bits_are_for_integers():
    x = constant(np.ones(2))
    for call in (operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift):
        with pytest.raises(DTypeError, match="is not defined for dtype float64"):
            call(x, x)
    with pytest.raises(DTypeError, match="bitwise_invert: is not defined for dtype float64"):
        ~x


def test_where_promotes_its_branches_only():
    condition, x = np.array([True, False]), constant(np.ones(2, np.float16))
    assert logic.where_of(condition, x, 0).dtype == "float16"
    assert logic.where_of(condition, 2.5, x).dtype == "float16"
    assert logic.where_of(condition, x, constant(np.ones(2))).dtype == "float64"
    assert logic.where_of(condition, 1, 0).dtype == "int64"
    assert logic.where_of(condition, 1.0, 0).dtype == "float32"
    assert logic.where_of(condition, True, False).dtype == "bool"
    assert logic.where_of(condition, 1j, x).dtype == "complex64"
    with pytest.raises(DTypeError) as caught:
        logic.where_of(np.array([1.0, 0.0]), x, x)
    assert "the condition must be bool, got float64" in str(caught.value) and "x != 0" in str(caught.value)


def test_where_keeps_the_other_branchs_nan_out_of_gradients():
    x = constant(np.array([-1.0, 4.0]))
    x.flags |= 1
    y = logic.where_of(x > 0, x, 0.0)
    (g,) = vjp([y], [constant(np.array([np.inf, 3.0]))], [x])
    assert g is not None and value(g).tolist() == [0, 3]


def test_where_in_forward_mode_broadcasts():
    a, b = constant(np.array(2.0)), constant(np.array([[np.inf, 1.0]]))
    for node in (a, b):
        node.flags |= 1
    y = logic.where(np.array([[True], [False]]), a, b)
    (t,) = jvp([y], [a], [constant(np.array(5.0))])
    assert t is not None and value(t).tolist() == [[5, 5], [0, 0]]


def test_where_of_unknown_sizes():
    x = symbol(tensor_type(np.dtype("float32"), (None, 3)))
    assert logic.where_of(x > 0, x, -1).shape == (None, 3)


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16, "float32", "float64"])
def test_nan_to_num(dtype):
    x = np.array([np.nan, np.inf, -np.inf, 2.0], dtype)
    found = value(logic.nan_to_num(constant(x)))
    info = ml_dtypes.finfo(dtype)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.array([0, info.max, info.min, 2], dtype))
    assert value(logic.nan_to_num(x, 1.0, 2.0, 3.0)).tolist() == [1, 2, 3, 2]


def test_nan_to_num_of_complex_numbers_and_integers():
    z = np.array([complex(np.nan, 1), complex(2, -np.inf), 3 + 4j])
    np.testing.assert_array_equal(value(logic.nan_to_num(z)), np.nan_to_num(z))
    whole = constant(np.array([1, 2]))
    assert logic.nan_to_num(whole) is whole
    x = constant(np.array([np.nan, 1.0]))
    x.flags |= 1
    (g,) = vjp([logic.nan_to_num(x)], [constant(np.ones(2))], [x])
    assert g is not None and value(g).tolist() == [0, 1]
