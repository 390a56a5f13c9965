"""The incomplete gamma functions against 30 digits over the whole plane, at limits, and their gradients."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import scipy.special

import septet.run.eager as eager
from septet.base.errors import GradientError
from septet.graph.node import Node, constant
from septet.graph.op import ops
from septet.ops import incomplete as i
from septet.transform.vjp import grad

RANDOM = np.random.default_rng(1)
NAN, INF = np.nan, np.inf


def value(node: Node) -> np.ndarray:
    eager.evaluate(node)
    assert node.value is not None
    return node.value


def spread(count: int, low: float, high: float) -> np.ndarray:
    return 10.0 ** RANDOM.uniform(low, high, count)


def near(a: np.ndarray, widths: float) -> tuple[np.ndarray, np.ndarray]:
    return a, np.abs(a + RANDOM.normal(0, widths, a.size) * np.sqrt(a))


REGIONS = {
    "small and middle": (spread(40, -1, 1.3), spread(40, -2, 1.6)),
    "tiny": (spread(30, -8, 0), spread(30, -8, 0.05)),
    "tiny a": (spread(30, -6, 0), RANDOM.uniform(0.9, 3, 30)),
    "large, near x = a": near(spread(40, 1.301, 4.5), 2.0),
    "large, far from x = a": near(spread(30, 1.301, 3), 8.0),
}


@pytest.mark.parametrize("region", REGIONS)
def test_both_keep_their_own_digits(region):
    a, x = REGIONS[region]
    with mpmath.workdps(30):
        pairs = [(mpmath.mpf(float(u)), mpmath.mpf(float(v))) for u, v in zip(a, x)]
        lower = [float(mpmath.gammainc(u, 0, v, regularized=True)) for u, v in pairs]
        upper = [float(mpmath.gammainc(u, v, regularized=True)) for u, v in pairs]
    np.testing.assert_allclose(value(i.gammainc(a, x)), lower, rtol=1e-13)
    np.testing.assert_allclose(value(i.gammaincc(a, x)), upper, rtol=1e-13)


def test_very_large_parameters():
    a = np.array([1e6, 1e8])
    x = a + np.array([1.0, -2.0]) * np.sqrt(a)
    np.testing.assert_allclose(value(i.gammainc(a, x)), scipy.special.gammainc(a, x), rtol=1e-12)


def test_limits():
    a = np.array([0, 0, 1, 1, INF, INF, 1, -1, 1, NAN])
    x = np.array([0, 1, 0, INF, 1, INF, -1, 1, NAN, 1.0])
    np.testing.assert_array_equal(value(i.gammainc(a, x)), scipy.special.gammainc(a, x))
    np.testing.assert_array_equal(value(i.gammaincc(a, x)), scipy.special.gammaincc(a, x))


@pytest.mark.parametrize("sign, call", [(1, i.gammainc), (-1, i.gammaincc)])
def test_gradients(sign, call):
    a, x = np.array([0.7, 2.0, 5.0, 1.0]), np.array([0.3, 2.5, 3.0, 0.0])
    nodes = [constant(a), constant(x)]
    for node in nodes:
        node.flags |= 1
    in_a, in_x = grad(ops.sum(call(*nodes)), nodes)
    with mpmath.workdps(30):

        def exact(u, v):
            return mpmath.gammainc(u, 0, v, regularized=True)

        for_a = [float(mpmath.diff(lambda u, v=v: exact(u, v), u)) if v else 0.0 for u, v in zip(a, x)]
        for_x = [float(v ** (u - 1) * mpmath.exp(-v) / mpmath.gamma(u)) for u, v in zip(a, x)]
    np.testing.assert_allclose(value(in_a), sign * np.array(for_a), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(value(in_x), sign * np.array(for_x), rtol=1e-13)


def test_second_derivative_for_x_only():
    a, x = constant(np.array(2.0)), constant(np.array(1.5))
    x.flags |= 1
    (first,) = grad(i.gammainc(a, x), [x])
    assert value(grad(first, [x])[0]) == pytest.approx(np.exp(-1.5) * (1 - 1.5), rel=1e-12)
    a.flags |= 1
    (first,) = grad(i.gammainc(a, x), [a])
    with pytest.raises(GradientError, match="a second one is not defined"):
        grad(first, [a])


def test_broadcasting_and_short_floats():
    found = i.gammainc(constant(np.ones((2, 1), np.float16)), constant(np.ones(3, np.float16)))
    assert found.dtype == "float16" and found.shape == (2, 3)
    np.testing.assert_allclose(value(found), 1 - np.exp(-1), rtol=1e-3)
    assert value(i.gammaincc(np.ones((0, 1)), 2.0)).shape == (0, 1)
