"""Arithmetic against NumPy on edge values, in every dtype and with Python numbers; gradients of delicate formulas."""

from __future__ import annotations

import math
import operator

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import septet.run.eager as eager
from septet.base.errors import ArgumentError, DTypeError
from septet.graph.node import Node, constant, symbol
from septet.graph.op import as_node, ops
from septet.graph.types import tensor_type
from septet.ops import elementwise as e
from septet.transform.vjp import grad, vjp

EDGES = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 7.25, np.inf, -np.inf, np.nan])
GRID = [np.array(m) for m in np.meshgrid(EDGES, EDGES)]


def value(node: Node) -> np.ndarray:
    eager.evaluate(node)
    assert node.value is not None
    return node.value


def tracked(data: object, dtype: str = "float64") -> Node:
    node = constant(np.array(data, dtype))
    node.flags |= 1
    return node


def slope(call, *data) -> list[np.ndarray]:
    """Gradients of the sum."""
    nodes = [tracked(d) for d in data]
    return [value(g) for g in grad(ops.sum(call(*nodes)), nodes)]


@pytest.mark.parametrize(
    "name",
    [
        "add",
        "subtract",
        "multiply",
        "divide",
        "floor_divide",
        "remainder",
        "fmod",
        "power",
        "maximum",
        "minimum",
        "hypot",
        "copysign",
    ],
)
def test_edges_are_numpys(name):
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(*GRID)
        if name == "floor_divide":  # NumPy has NaN for inf // 2, the array standard the floor of the quotient
            expected = np.where(np.isinf(GRID[0]) | np.isinf(GRID[1]), np.floor(GRID[0] / GRID[1]), expected)
    found = value(ops.__getattr__(name)(*map(constant, GRID)))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found[expected == 0]), np.signbit(expected[expected == 0]))


@pytest.mark.parametrize(
    "name", ["negative", "square", "abs", "sign", "reciprocal", "floor", "ceil", "trunc", "signbit"]
)
def test_edges_of_one_are_numpys(name):
    reference = {"abs": np.abs}.get(name) or getattr(np, name)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(value(ops.__getattr__(name)(constant(EDGES.copy()))), reference(EDGES))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64"])
def test_integers_wrap_and_divide_like_numpy(dtype):
    info = np.iinfo(dtype)
    a = np.array([info.min, info.max, 7, 3, 0], dtype)[:, None]
    b = np.array([1, 2, 3, info.max, 0], dtype)
    for name in ("add", "subtract", "multiply", "floor_divide", "remainder", "fmod", "power", "maximum"):
        if name == "power" and info.min < 0:
            b = np.abs(b)
        with np.errstate(all="ignore"):
            expected = getattr(np, name)(a, b)
        found = value(ops.__getattr__(name)(constant(a), constant(b)))
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, expected)


def test_integer_division_gives_the_default_float():
    node = e.divide(np.array([1, 2]), np.array([4, 0]))
    assert node.dtype == "float32"
    np.testing.assert_array_equal(value(node), [0.25, np.inf])


OPERATORS = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"]


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_both_ways_with_numbers(name):
    call = getattr(operator, name)
    x = np.array([1.5, 2.0, 4.0], np.float32)
    for a, b in ((constant(x), 2), (2, constant(x)), (constant(x), 0.5), (constant(x), constant(x))):
        node = call(a, b)
        assert isinstance(node, Node) and node.dtype == "float32"
        raw = [n.value if isinstance(n, Node) else n for n in (a, b)]
        np.testing.assert_allclose(value(node), call(*raw), rtol=1e-6)


def test_operators_of_one():
    x = constant(np.array([-1.5, 2.0]))
    np.testing.assert_array_equal(value(-x), [1.5, -2.0])
    np.testing.assert_array_equal(value(+x), [-1.5, 2.0])
    np.testing.assert_array_equal(value(abs(x)), [1.5, 2.0])
    np.testing.assert_array_equal(value(math.floor(x)), [-2.0, 2.0])
    np.testing.assert_array_equal(value(math.ceil(x)), [-1.0, 2.0])
    np.testing.assert_array_equal(value(math.trunc(x)), [-1.0, 2.0])
    np.testing.assert_array_equal(value(round(x)), [-2.0, 2.0])


def test_booleans_beside_numbers():
    mask = constant(np.array([True, False]))
    for node, expected in ((1 - mask, [0, 1]), (mask - 1.0, [0, -1]), (mask % 2, [1, 0]), (2**mask, [2, 1])):
        np.testing.assert_array_equal(value(node), expected)
    with pytest.raises(DTypeError, match="subtract: is not defined for dtype bool"):
        mask - mask


def test_negative_integer_power_is_an_error_with_the_whole_report():
    with pytest.raises(ArgumentError) as caught:
        value(e.power(constant(np.array([2, 3])), constant(np.array([1, -1]))))
    text = str(caught.value)
    assert text.startswith("power: an integer cannot be raised to a negative integer power")
    assert "int64[2]" in text and "convert one to a float" in text and "test_elementwise.py" in text
    assert value(e.power(constant(np.array([2, 3])), constant(np.array([3, 0])))).tolist() == [8, 1]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_one_exponent_for_all_is_as_good_as_one_for_each(dtype):
    bases = EDGES.astype(e.dtypes.as_dtype(dtype))
    for exponent in bases:
        with np.errstate(all="ignore"):
            one = value(e.power(constant(bases), constant(np.array(exponent))))
            each = value(e.power(constant(bases), constant(np.full_like(bases, exponent))))
            exact = np.power(bases.astype(np.longdouble), exponent.astype(np.longdouble))
            # numbers may end in other bits (a root is rounded correctly, not every power is), but not in worse ones
            is_better = np.abs(one - exact) <= np.abs(each - exact)
        is_number = np.isfinite(each) & (each != 0)
        assert is_better[is_number].all(), str(exponent)
        np.testing.assert_array_equal(one[~is_number].astype(float), each[~is_number].astype(float), str(exponent))
        np.testing.assert_array_equal(np.signbit(one), np.signbit(each), str(exponent))
    half = value(e.power(constant(bases), as_node(0.5, bases.dtype)))
    assert half[1] == 0 and not np.signbit(half[1]) and half[8] == np.inf  # of -0.0 and minus infinity: IEEE 754, pow


def test_power_gradient_at_zero():
    for exponent, expected in ((0, 0.0), (1, 1.0), (2, 0.0), (3, 0.0), (0.5, np.inf)):
        (fixed,) = slope(lambda x, n=exponent: x**n, [0.0])
        both = slope(e.power, [0.0], [float(exponent)])
        np.testing.assert_array_equal(fixed, [expected])
        np.testing.assert_array_equal(both[0], [expected])
        np.testing.assert_array_equal(both[1], [0.0])
    of_negative = slope(e.power, [-2.0], [3.0])
    np.testing.assert_allclose(of_negative[0], [12.0])
    assert np.isnan(of_negative[1]).all()


@pytest.mark.parametrize("exponent", [0, 1, 2, 3])
def test_power_second_derivative_at_zero(exponent):
    x = tracked(0.0)
    (first,) = grad(x**exponent, [x])
    if not first.is_tracked:
        assert exponent < 2
        return
    (second,) = grad(first, [x])
    assert value(second) == (2.0 if exponent == 2 else 0.0)


def test_a_fixed_exponent_records_no_logarithm():
    x = tracked([1.0, 2.0])
    (g,) = grad(ops.sum(x**2), [x])
    names, pending = set(), [g]
    while pending:
        node = pending.pop()
        names.add(node.op.name)
        pending += node.inputs
    assert not names & {"log", "where", "power"}


@pytest.mark.parametrize("call", [e.remainder, e.fmod])
def test_gradient_of_remainders_where_the_quotient_is_nearly_whole(call):
    a, b = np.array([0.3, 0.7, -0.9, 1e6]), np.array([0.1, 0.1, 0.3, 0.1])
    quotient = np.round((a - value(call(constant(a), constant(b)))) / b)
    in_a, in_b = slope(call, a, b)
    np.testing.assert_array_equal(in_a, np.ones(4))
    np.testing.assert_array_equal(in_b, -quotient)


@given(
    hnp.arrays(np.float64, 5, elements=st.floats(-1e6, 1e6)),
    hnp.arrays(np.float64, 5, elements=st.floats(0.01, 1e3) | st.floats(-1e3, -0.01)),
)
def test_division_and_remainder_belong_together(a, b):
    q, r = value(constant(a) // constant(b)), value(constant(a) % constant(b))
    np.testing.assert_allclose(q * b + r, a, rtol=1e-9, atol=1e-6)
    assert np.all((r == 0) | (np.sign(r) == np.sign(b)))


def test_maximum_and_minimum_share_ties_and_propagate_nan():
    a, b = [1.0, 2.0, 3.0], [2.0, 2.0, 2.0]
    for call, first in ((e.maximum, [0.0, 0.5, 1.0]), (e.minimum, [1.0, 0.5, 0.0])):
        in_a, in_b = slope(call, a, b)
        np.testing.assert_array_equal(in_a, first)
        np.testing.assert_array_equal(in_a + in_b, np.ones(3))
    large = slope(lambda x, y: e.maximum(x, y) * np.inf, [1.0], [2.0])
    np.testing.assert_array_equal(large, [[0.0], [np.inf]])


def test_clip():
    x = np.array([-1.0, 0.25, 3.0, np.nan])
    np.testing.assert_array_equal(value(e.clip(x, 0, 1)), np.clip(x, 0, 1))
    np.testing.assert_array_equal(value(e.clip(x, None, 1)), np.clip(x, None, 1))
    np.testing.assert_array_equal(value(e.clip(x, [0, 0, 0, 0], np.array(2.0))), np.clip(x, 0, 2))
    np.testing.assert_array_equal(value(e.clip(x, 5, 1)), np.clip(x, 5, 1))  # crossing bounds: the upper one wins
    np.testing.assert_array_equal(value(e.clip(x)), x)
    small = e.clip(constant(np.array([1, 100], np.int8)), max=constant(np.array(300)))
    assert small.dtype == "int8" and value(small).tolist() == [1, 100]
    wide = e.clip(constant(np.array([1.0], np.float32)), min=constant(np.array(1.5)))
    assert wide.dtype == "float32" and value(wide).tolist() == [1.5]
    lifted = e.clip(constant(np.array([0, 3], np.int32)), 0.5, 2)
    assert lifted.dtype.kind == "f" and value(lifted).tolist() == [0.5, 2.0]
    np.testing.assert_array_equal(slope(lambda v: e.clip(v, 0, 1), [-1.0, 0.5, 2.0, 1.0])[0], [0, 1, 0, 0.5])


def test_round():
    x = np.array([0.5, 1.5, -2.5, 2.345, 125.0])
    for decimals in (0, 1, 2, -1):
        np.testing.assert_allclose(value(e.round_to(x, decimals)), np.round(x, decimals), rtol=1e-12)
    whole = np.array([125, 135, -15, 144, -146, 0], np.int64)
    for decimals in (1, -1, -2):
        found = e.round_to(constant(whole), decimals)
        assert found.dtype == "int64"
        np.testing.assert_array_equal(value(found), np.round(whole, decimals))
    np.testing.assert_array_equal(value(e.round_to(np.array([1.5 + 2.5j]))), [2 + 2j])
    with pytest.raises(ArgumentError, match="decimals is an int"):
        e.round_to(x, 0.5)


def test_steps_have_a_zero_gradient():
    for name in ("floor", "ceil", "trunc", "round", "sign"):
        np.testing.assert_array_equal(slope(ops.__getattr__(name), [0.3, -1.7])[0], [0.0, 0.0])
    np.testing.assert_array_equal(slope(e.floor_divide, [0.3, -1.7], [2.0, 2.0])[0], [0.0, 0.0])
    x = tracked([1.0, -2.0])
    (first,) = grad(ops.sum(abs(x)), [x])
    np.testing.assert_array_equal(value(grad(ops.sum(first * x), [x])[0]), value(first))


def test_gradients_at_zero_are_finite():
    np.testing.assert_array_equal(slope(e.absolute, [0.0])[0], [0.0])
    np.testing.assert_array_equal(slope(e.hypot, [0.0], [0.0]), [[0.0], [0.0]])
    z = constant(np.array([0j, 3 + 4j]))
    z.flags |= 1
    found = value(grad(ops.sum(e.absolute(z)), [z])[0])
    np.testing.assert_allclose(found, [0, 0.6 + 0.8j])
    assert np.isfinite(value(vjp([e.sign(z)], [constant(np.ones(2, complex))], [z])[0])).all()


def complex_differences(call, z: np.ndarray, w: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """The gradient of Re(conj(w) f(z)) for the real and the imaginary part of z, by differences."""

    def number(moved: np.ndarray) -> float:
        return float(np.sum(np.real(np.conj(w) * value(call(constant(moved))))))

    result = np.zeros_like(z)
    for index in np.ndindex(z.shape):
        for unit in (1.0, 1j):
            up, down = z.copy(), z.copy()
            up[index] += step * unit
            down[index] -= step * unit
            result[index] += unit * (number(up) - number(down)) / (2 * step)
    return result


@pytest.mark.parametrize(
    "call",
    [e.absolute, e.sign, e.real, e.imag, e.conj, e.angle, e.square, e.reciprocal, lambda z: z**3, lambda z: 2 / z,
     lambda z: z**z, lambda z: z * (2 - 1j), lambda z: e.make_complex(e.imag(z), e.real(z) * 2)],
)  # fmt: skip
def test_complex_gradients(call):
    z = np.array([1 + 2j, -0.5 + 0.25j, 3 - 1j])
    node = constant(z.copy())
    node.flags |= 1
    y = call(node)
    w = np.array([0.5 + 1j, 2 - 1j, 1.0])
    w = w if y.dtype.kind == "c" else w.real
    (g,) = vjp([y], [constant(w.copy())], [node])
    assert g is not None and g.dtype == "complex128"
    np.testing.assert_allclose(value(g), complex_differences(call, z, w), rtol=1e-6, atol=1e-6)


def test_complex_parts():
    z = value(e.make_complex(np.array([1.0, np.inf]), np.array([[np.nan], [2.0]])))
    assert z.shape == (2, 2) and z.dtype == "complex128"
    assert np.isnan(z[0].imag).all() and z[0, 1].real == np.inf
    assert e.make_complex(np.ones(1, np.float16), np.ones(1, ml_dtypes.bfloat16)).dtype == "complex64"
    assert value(e.imag(constant(np.ones(2, np.float32)))).tolist() == [0, 0]
    np.testing.assert_allclose(value(e.angle(np.array([1j, -1.0, 1 - 1j]))), [np.pi / 2, np.pi, -np.pi / 4])
    np.testing.assert_allclose(value(e.angle(np.array([1.0, -1.0]))), [0, np.pi])
    np.testing.assert_allclose(value(e.sign(np.array([3 + 4j, 0]))), [0.6 + 0.8j, 0])


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16, "float32"])
def test_nextafter_moves_by_one_unit(dtype):
    x = np.array([1.0, -1.0, 0.0], dtype)
    up = value(e.nextafter(constant(x), constant(np.array(np.inf, dtype))))
    assert np.all(up > x)
    back = value(e.nextafter(constant(up), constant(x)))
    np.testing.assert_array_equal(back, x)


def test_unknown_sizes():
    x, y = symbol(tensor_type(np.dtype("float64"), (None, 3))), symbol(tensor_type(np.dtype("float64"), (3,)))
    for node in (x + y, x / y, e.maximum(x, y), e.clip(x, 0, y), x**2, e.round_to(x, 2)):
        assert node.shape == (None, 3)


def test_weak_numbers_keep_the_dtype():
    for dtype in ("float16", ml_dtypes.bfloat16, "float32"):
        x = constant(np.ones(2, dtype))
        for node in (x + 1, 2.5 * x, x / 3, x**2, e.maximum(x, 0), e.clip(x, 0, 0.5), e.round_to(x, 1)):
            assert node.dtype == np.dtype(dtype)
    assert (as_node(np.array([1, 2])) * 1.5).dtype.kind == "f"
    assert (constant(np.ones(2, np.float32)) * 1j).dtype == "complex64"
