"""Special functions against 40 digits, at poles and limits, with their derivatives."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import scipy.special

import septet.run.eager as eager
from septet.base.errors import ArgumentError, DTypeError
from septet.graph.node import Node, constant, symbol
from septet.graph.op import ops
from septet.graph.types import tensor_type
from septet.ops import special as s
from septet.transform.vjp import grad

RANDOM = np.random.default_rng(0)
SPREAD = np.concatenate([RANDOM.uniform(-6, 6, 60), 10.0 ** RANDOM.uniform(-12, 0, 20), [0.46875, 4.0, 10.0, 26.0]])
NAN, INF = np.nan, np.inf


def value(node: Node) -> np.ndarray:
    eager.evaluate(node)
    assert node.value is not None
    return node.value


def of(call, *data, **params) -> np.ndarray:
    return value(call(*[constant(np.array(d, np.float64)) for d in data], **params))


def slope(call, *data) -> list[np.ndarray]:
    """Gradients of the sum."""
    nodes = [constant(np.array(d, np.float64)) for d in data]
    for node in nodes:
        node.flags |= 1
    return [value(g) for g in grad(ops.sum(call(*nodes)), nodes)]


def exact(call, *data) -> np.ndarray:
    with mpmath.workdps(40):
        columns = np.broadcast_arrays(*data)
        return np.array([float(call(*[mpmath.mpf(float(v)) for v in row])) for row in zip(*columns)])


def test_error_functions():
    np.testing.assert_allclose(of(s.erf, SPREAD), exact(mpmath.erf, SPREAD), rtol=2e-15)
    np.testing.assert_allclose(of(s.erfc, SPREAD), exact(mpmath.erfc, SPREAD), rtol=2e-15)
    edges = [30.0, INF, -INF, NAN, 0.0, -0.0]
    np.testing.assert_array_equal(of(s.erf, edges), [1, 1, -1, NAN, 0, 0])
    np.testing.assert_array_equal(np.signbit(of(s.erf, [0.0, -0.0])), [False, True])
    np.testing.assert_array_equal(of(s.erfc, edges), [0, 0, 2, NAN, 1, 1])
    np.testing.assert_array_equal(slope(s.erf, [INF, -INF])[0], [0, 0])


def test_inverse_error_function():
    y = np.concatenate([RANDOM.uniform(-1, 1, 60), 1 - 10.0 ** -RANDOM.uniform(0, 15.9, 30), [1e-12, -0.5, 0.5]])
    np.testing.assert_allclose(of(s.erfinv, y), exact(mpmath.erfinv, y), rtol=2e-15)
    np.testing.assert_array_equal(of(s.erfinv, [1, -1, 0, 2, NAN]), [INF, -INF, 0, NAN, NAN])
    x = np.linspace(-3, 3, 50)
    np.testing.assert_allclose(of(s.erfinv, of(s.erf, x)), x, rtol=1e-9)


def test_gammaln():
    x = np.concatenate([RANDOM.uniform(-8, 40, 60), 10.0 ** RANDOM.uniform(-9, 12, 20)])
    np.testing.assert_allclose(of(s.gammaln, x), exact(lambda v: mpmath.log(abs(mpmath.gamma(v))), x), rtol=1e-12)
    edges = [0.0, -1.0, -20.0, INF, -INF, NAN, 1.0, 2.0, 1e306]
    np.testing.assert_array_equal(
        of(s.gammaln, edges), [INF, INF, INF, INF, INF, NAN, 0, 0, scipy.special.gammaln(1e306)]
    )
    assert of(s.gammaln, [1.7e308]) == INF


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7])
def test_polygamma(n):
    x = np.concatenate([RANDOM.uniform(-8, 30, 60), RANDOM.uniform(0, 1, 10), 10.0 ** RANDOM.uniform(-8, 10, 20)])
    found, expected = of(s.polygamma, x, n=n), exact(lambda v: mpmath.psi(n, v), x)
    np.testing.assert_allclose(found, expected, rtol=3e-14, atol=2e-15 if n == 0 else 0)  # digamma has a zero at 1.46
    np.testing.assert_array_equal(value(s.polygamma_of(n, constant(x))), found)


def test_digamma_far_below_zero():
    x = np.array([-1000.25, -123456.5, -1e6 - 0.125])
    np.testing.assert_allclose(of(s.digamma, x), exact(lambda v: mpmath.psi(0, v), x), rtol=1e-13)


def test_polygamma_at_poles_and_infinity():
    np.testing.assert_array_equal(of(s.digamma, [0.0, -0.0, -1.0, INF, -INF, NAN]), [-INF, INF, NAN, INF, NAN, NAN])
    np.testing.assert_array_equal(value(s.trigamma(np.array([0.0, -1.0, INF, NAN]))), [INF, INF, 0, NAN])
    np.testing.assert_array_equal(of(s.polygamma, [0.0, -1.0, INF], n=2), [-INF, NAN, 0])


@pytest.mark.parametrize("n", [-1, 101, 1.0, True])
def test_polygamma_orders(n):
    with pytest.raises(ArgumentError, match="polygamma: n is a whole number from 0 to 100, got"):
        s.polygamma_of(n, constant(np.ones(2)))


def test_betaln():
    a, b = np.array([0.5, 3.0, 1e-3]), np.array([2.0, 0.25, 1e-3])
    np.testing.assert_allclose(of(s.betaln, a, b), scipy.special.betaln(a, b), rtol=1e-13)
    np.testing.assert_allclose(value(s.betaln(a, 0.1)), scipy.special.betaln(a, 0.1), rtol=1e-13)  # not float32's 0.1


@pytest.mark.parametrize("order", [0, 1, 2, 3, 6])
def test_sinc_derivatives(order):
    x = np.concatenate([RANDOM.uniform(-3, 3, 25), [0.25, 1.0, -2.0, 30.25]])
    expected = exact(lambda v: mpmath.diff(mpmath.sincpi, v, order), x)
    np.testing.assert_allclose(of(s.sinc, x, order=order), expected, atol=1e-14 * np.pi**order)


def test_sinc_at_zero_and_infinity():
    x = np.array([0.0, 1e-9])
    for order, expected in ((0, 1.0), (1, 0.0), (2, -(np.pi**2) / 3), (3, 0.0), (4, np.pi**4 / 5)):
        np.testing.assert_allclose(
            of(s.sinc, x, order=order), [expected, expected], rtol=1e-12, atol=1e-6 * (order % 2)
        )
    assert of(s.sinc, [0.0], order=1) == 0
    np.testing.assert_array_equal(of(s.sinc, [INF, NAN], order=1), [0, NAN])


def test_logit():
    p = np.concatenate(
        [RANDOM.uniform(0, 1, 40), 10.0 ** -RANDOM.uniform(1, 300, 10), 0.5 + 10.0 ** -np.arange(1.0, 15)]
    )
    np.testing.assert_allclose(of(s.logit, p), exact(lambda v: mpmath.log(v / (1 - v)), p), rtol=1e-15)
    np.testing.assert_array_equal(of(s.logit, [0, 1, 0.5, 2, -1, NAN]), [-INF, INF, 0, NAN, NAN, NAN])


EDGES = [0.0, 1.0, -1.0, 0.5, INF, NAN]
GRID = [np.array(m).ravel() for m in np.meshgrid(EDGES, EDGES)]


@pytest.mark.parametrize("name", ["xlogy", "xlog1py"])
def test_guarded_logarithms(name):
    call, reference = getattr(s, name), getattr(scipy.special, name)
    np.testing.assert_array_equal(of(call, *GRID), reference(*GRID))


def test_gradients_of_guarded_logarithms_at_zero():
    x, y = [0.0, 0.0, 0.0, 2.0], [0.0, -1.0, 3.0, 4.0]
    in_x, in_y = slope(s.xlogy, x, y)
    np.testing.assert_allclose(in_x, [0, 0, np.log(3), np.log(4)])
    np.testing.assert_allclose(in_y, [0, 0, 0, 0.5])
    in_x, in_y = slope(s.xlog1py, x, np.array(y) - 1)
    np.testing.assert_allclose(in_x, [0, 0, np.log(3), np.log(4)])
    np.testing.assert_allclose(in_y, [0, 0, 0, 0.5])


def test_mixed_second_derivative_of_xlogy_at_zero():
    x, y = constant(np.array(0.0)), constant(np.array(4.0))
    for node in (x, y):
        node.flags |= 1
    (in_y,) = grad(s.xlogy(x, y), [y])
    assert value(grad(in_y, [x])[0]) == 0.25


def test_types():
    assert s.erf(constant(np.array([1, 2]))).dtype == "float32"
    assert s.polygamma_of(1, constant(np.ones(2, np.float16))).dtype == "float16"
    assert s.gammaln(symbol(tensor_type(np.dtype("float32"), (None,)))).shape == (None,)
    assert of(s.digamma, np.ones((0, 3))).shape == (0, 3)
    with pytest.raises(DTypeError, match="erf: is not defined for dtype complex128"):
        s.erf(np.array([1j]))
