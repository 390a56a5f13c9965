"""Gamma, beta, Dirichlet and Poisson variates against SciPy; the derivative of gamma variates against exact values."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats

import septet.run.eager as eager
from septet.base import random as philox
from septet.base.errors import ArgumentError, DTypeError, GradientError, ShapeError
from septet.graph.graph import Graph
from septet.graph.node import Node, constant, symbol
from septet.graph.op import as_node, ops
from septet.graph.types import tensor_type
from septet.ops import gamma as gammas
from septet.transform.transforms import TRANSFORMS
from septet.transform.vjp import vjp

N = 10_000
ONE = np.array(1.0)


def state(seed: int = 1) -> Node:
    return constant(philox.make_state(seed))


def value(node: Node) -> np.ndarray:
    eager.evaluate(node)
    return node.value


def tracked(data: object) -> Node:
    node = constant(np.array(data, np.float64))
    node.flags |= 1
    return node


@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0, 3.0, 1e4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gamma(alpha, dtype):
    found = value(gammas.gamma(state(), alpha, 2.0, (N,), dtype))
    assert found.dtype == dtype
    law = scipy.stats.gamma(alpha, scale=2)
    assert scipy.stats.kstest(found.astype(np.float64), law.cdf).pvalue > 1e-3
    np.testing.assert_allclose(found.mean(dtype=np.float64), law.mean(), atol=5 * law.std() / np.sqrt(N))


def test_elements_do_not_depend_on_each_other():
    alpha = np.linspace(0.1, 5, 40)
    whole = value(gammas.log_gamma(state(), as_node(alpha)))
    np.testing.assert_array_equal(whole[:13], value(gammas.log_gamma(state(), as_node(alpha[:13]))))
    changed = alpha.copy()
    changed[5] = 100.0
    other = value(gammas.log_gamma(state(), as_node(changed)))
    assert (other != whole).sum() == 1


def test_logarithms_do_not_underflow_and_edges():
    found = value(gammas.log_gamma(state(), 1e-3, (N,), "float32"))
    assert np.isfinite(found).all()
    assert found.min() < -1000
    edges = value(gammas.gamma(state(), as_node(np.array([0.0, -1.0, np.nan, np.inf]))))
    np.testing.assert_array_equal(edges, [0.0, np.nan, np.nan, np.inf])


def test_batches():
    states = philox.split(philox.make_state(3), 2)
    s, a = symbol(tensor_type(np.dtype("uint64"), (2,))), symbol(tensor_type(np.dtype("float64"), (3,)))
    graph = Graph([s, a], [gammas.log_gamma(s, a), gammas.poisson(s, a)])
    alpha = np.array([[0.5, 1.0, 20.0], [2.0, 3.0, 4.0]])
    for marks in ((True, True), (True, False), (False, True)):
        batched, _ = TRANSFORMS.vmap(graph, list(marks))
        given = [states if marks[0] else states[0], alpha if marks[1] else alpha[0]]
        found = batched(*map(constant, map(np.array, given)))
        for index in range(2):
            own = [constant(np.array(x[index] if mark else x)) for x, mark in zip(given, marks)]
            for got, expected in zip(found, (gammas.log_gamma(*own), gammas.poisson(*own))):
                np.testing.assert_array_equal(value(got)[index], value(expected))


def exact_slope(alpha: float, x: float) -> float:
    """d log x / d alpha from the incomplete gamma function, in 40 digits."""
    with mpmath.workdps(40):
        a, t = mpmath.mpf(alpha), mpmath.mpf(x)
        moved = mpmath.diff(lambda b: mpmath.gammainc(b, 0, t, regularized=True), a, h=mpmath.mpf(10) ** -15)
        density = t ** (a - 1) * mpmath.e ** (-t) / mpmath.gamma(a)
        return float(-moved / density / t)


@pytest.mark.parametrize("alpha", [0.01, 0.3, 1.0, 1.99, 2.5, 30.0, 1000.0])
def test_slope_is_exact(alpha):
    for z in (-6, -2, -0.5, 0, 1, 3, 6):
        x = float(scipy.stats.gamma(alpha).ppf(scipy.stats.norm.cdf(z)))
        if x > 1e-290:
            found = gammas._slope(np.array([alpha]), np.array([np.log(x)]))[0]
            assert found == pytest.approx(exact_slope(alpha, x), rel=1e-11)


def test_slope_is_smooth_where_the_methods_meet():
    alpha = np.array([0.1, 1.0, 2.0, 10.0, 50.0])
    below, above = [gammas._slope(alpha, np.full(5, np.log(2.0)) + shift) for shift in (-1e-12, 1e-12)]
    np.testing.assert_allclose(below, above, rtol=1e-10)


def test_slope_of_a_large_alpha_is_that_of_the_normal_distribution():
    alpha, z = 1e8, 1.5  # x = alpha + z sqrt(alpha) + ..., so d log x / d alpha = 1 / alpha - z / (2 alpha^1.5) + ...
    x = scipy.special.gammaincinv(alpha, scipy.stats.norm.cdf(z))
    found = gammas._slope(np.array([alpha]), np.array([np.log(x)]))[0]
    assert found * alpha == pytest.approx(1 - z / (2 * np.sqrt(alpha)), abs=1e-7)


@pytest.mark.parametrize("alpha", [0.3, 2.0, 40.0])
def test_gradient_of_the_mean(alpha):
    """The mean of gamma(alpha) is alpha and of its square alpha (alpha + 1): the derivatives are 1 and 2 alpha + 1."""
    a = tracked(alpha)
    x = gammas.gamma(state(), a, shape=(N,))
    (first,) = vjp([ops.sum(x)], [as_node(ONE)], [a])
    (second,) = vjp([ops.sum(x * x)], [as_node(ONE)], [a])
    scale = 6 * np.sqrt(alpha + 1) / np.sqrt(N)
    assert value(first) / N == pytest.approx(1, abs=scale)
    assert value(second) / N == pytest.approx(2 * alpha + 1, abs=20 * scale * (alpha + 1))
    (forward,) = TRANSFORMS.jvp([ops.sum(x)], [a], [as_node(ONE)])
    assert value(forward) == pytest.approx(value(first))


def test_beta_and_its_gradient():
    a, b = tracked(0.5), tracked(2.0)
    x = gammas.beta(state(), a, b, (N,))
    assert scipy.stats.kstest(value(x), scipy.stats.beta(0.5, 2).cdf).pvalue > 1e-3
    g_a, g_b = vjp([ops.sum(x)], [as_node(ONE)], [a, b])  # the mean is a / (a + b)
    assert value(g_a) / N == pytest.approx(2 / 2.5**2, abs=0.02)
    assert value(g_b) / N == pytest.approx(-0.5 / 2.5**2, abs=0.02)


def test_dirichlet_and_its_gradient():
    alpha = tracked([1.0, 2.0, 3.0])
    x = gammas.dirichlet(state(), alpha, (N,))
    assert x.shape == (N, 3)
    found = value(x)
    np.testing.assert_allclose(found.sum(-1), 1)
    np.testing.assert_allclose(found.mean(0), [1 / 6, 2 / 6, 3 / 6], atol=0.01)
    assert scipy.stats.kstest(found[:, 0], scipy.stats.beta(1, 5).cdf).pvalue > 1e-3
    (g,) = vjp([ops.sum(x * as_node(np.array([1.0, 0.0, 0.0])))], [as_node(ONE)], [alpha])
    np.testing.assert_allclose(value(g) / N, [5 / 36, -1 / 36, -1 / 36], atol=0.01)
    tiny = value(gammas.dirichlet(state(), as_node(np.full((5, 3), 1e-3, np.float32))))
    np.testing.assert_allclose(tiny.sum(-1), 1, rtol=1e-6)


def test_second_derivative_is_refused():
    a = tracked(2.0)
    (g,) = vjp([gammas.log_gamma(state(), a)], [as_node(ONE)], [a])
    with pytest.raises(GradientError, match="a second one is not defined"):
        vjp([g], [as_node(ONE)], [a])


@pytest.mark.parametrize("rate", [0.3, 5.0, 9.99, 10.0, 50.0])
def test_poisson(rate):
    found = value(gammas.poisson(state(5), rate, (N,)))
    assert found.dtype == np.int64
    law = scipy.stats.poisson(rate)
    low, high = int(law.ppf(0.01)), int(law.ppf(0.99))
    expected = law.pmf(np.arange(low, high + 1)) * N
    observed = np.array([(found == k).sum() for k in range(low, high + 1)])
    expected = np.append(expected, N - expected.sum())
    observed = np.append(observed, N - observed.sum())
    assert scipy.stats.chisquare(observed, expected).pvalue > 1e-3


def test_poisson_of_large_rates_and_edges():
    for rate in (1e4, 1e9, 1e15):
        found = value(gammas.poisson(state(), rate, (N,))).astype(np.float64)
        z = (found - rate) / np.sqrt(rate)
        assert scipy.stats.kstest(z, scipy.stats.norm.cdf).pvalue > 1e-3
    assert not value(gammas.poisson(state(), 0.0, (100,))).any()
    assert value(gammas.poisson(state(), 3.0, (4,), "uint8")).dtype == np.uint8


def test_log_factorial():
    k = np.concatenate([np.arange(300.0), [1e4, 1e9]])
    np.testing.assert_allclose(gammas._log_factorial(k), scipy.special.gammaln(k + 1), rtol=1e-12, atol=1e-12)


def test_errors():
    with pytest.raises(ArgumentError, match="between 0 and"):
        value(gammas.poisson(state(), as_node(np.array([1.0, -2.0]))))
    with pytest.raises(ArgumentError, match="between 0 and"):
        gammas.poisson(state(), -1.0, (3,))
    with pytest.raises(DTypeError, match="integer dtype, got float32"):
        gammas.poisson(state(), 1.0, (3,), "float32")
    with pytest.raises(ShapeError, match="alpha is a scalar"):
        gammas.dirichlet(state(), as_node(1.0))
