"""The regularised incomplete gamma functions.

Three methods share the plane, each where it converges fast and subtracts nothing large: the power series below
x = a + 1, Legendre's continued fraction above, and for a from 20 on an integral over the tail by Gauss's rule.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, Case, Op, card, ops
from septet.ops.elementwise import BAD_COMPLEXES, BAD_PAIRS, REAL_FLOATING, replace_zero
from septet.ops.rules import broadcasting
from septet.ops.special import gammaln, gammaln_value, in_float64, quadrature, xlogy

Array = np.ndarray

LARGE = 20.0  # from this `a` on, the tail is integrated
_DEPTH = 40.0  # exp(-40) = 4e-18: what lies beyond does not count
_EULER = 0.5772156649015329
_STEPS = 500  # no method needs more than 200


@functools.cache
def _gauss_rule(points: int) -> tuple[Array, Array]:
    """Nodes and weights of Gauss's rule. NumPy loads its module of polynomials when it is first asked for."""
    return np.polynomial.legendre.leggauss(points)


@functools.cache
def _zeta(s: int) -> float:
    """Riemann's zeta function, by summation and Euler and Maclaurin's remainder (DLMF 25.2.9)."""
    n = 100.0
    remainder = n**-s * (n / (s - 1) + 0.5 + s / (12 * n) * (1 - (s + 1) * (s + 2) / (60 * n * n)))
    return sum(float(k) ** -s for k in range(1, 100)) + remainder


def _power(a: Array, x: Array) -> Array:
    """x^a exp(-x) / gamma(a + 1) for a below 20, by multiplication."""
    return x**a * np.exp(-x) / np.exp(_gammaln_1p(a))


def _gammaln_1p(a: Array) -> Array:
    """log gamma(1 + a); below 0.4 by Taylor's series, so that it keeps its digits."""
    small = np.where(a < 0.4, a, 0.0)
    series = -_EULER * small
    for s in range(2, 45):
        series += _zeta(s) / s * (-small) ** s
    return np.where(a < 0.4, series, gammaln_value(1 + a))


def _series(a: Array, x: Array) -> Array:
    """P by its power series (DLMF 8.11.4)."""
    term = np.ones_like(a)
    total = term.copy()
    for n in range(1, _STEPS):
        term = term * (x / (a + n))
        total = total + term
        if not np.any(term > 1e-17 * total):
            break
    return _power(a, x) * total


def _small(a: Array, x: Array) -> Array:
    """Q where a < 1 and x is small: 1 - P with the leading 1 taken away analytically."""
    term, total = np.ones_like(a), np.zeros_like(a)
    for n in range(1, 40):
        term = term * (-x / n)
        total = total + term * (a / (a + n))
    exponent = a * np.log(x) - _gammaln_1p(a)  # log(x^a / gamma(a + 1))
    return -np.expm1(exponent) - np.exp(exponent) * total


def _fraction(a: Array, x: Array) -> Array:
    """Q by the continued fraction (DLMF 8.9.2), evaluated forwards by Lentz's method."""
    b = x + 1 - a
    c, d = np.full_like(a, 1e300), 1 / b
    h = d
    for n in range(1, _STEPS):
        factor = -n * (n - a)
        b = b + 2
        d = 1 / (factor * d + b)
        c = b + factor / c
        h = h * (c * d)
        if not np.any(np.abs(c * d - 1) > 1e-16):
            break
    return _power(a, x) * a * h


def _log1p_minus(u: Array) -> Array:
    """log(1 + u) - u; by its series near 0."""
    small = np.where(np.abs(u) < 0.25, u, 0.0)
    series = sum((-1.0) ** (k + 1) / k * small**k for k in range(2, 30))
    return np.where(np.abs(u) < 0.25, series, np.log1p(u) - u)


def _tail(a: Array, x: Array) -> Array:
    """The smaller of P and Q (below or above x = a) for large a: the integral of t^(a-1) exp(-t) from x outwards."""
    square = 1 / (a * a)
    stirling = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))) / a
    density = np.sqrt(a / (2 * math.pi)) * np.exp(a * _log1p_minus((x - a) / a) - stirling)  # x^a exp(-x) / gamma(a)
    side = np.where(x < a, -1.0, 1.0)

    def exponent(w: Array) -> Array:  # of the integrand at t = x (1 + side w), relative to w = 0
        return (a - 1) * (_log1p_minus(side * w) + side * w) - side * w * x

    low, high = np.zeros_like(a), np.where(side < 0, 1.0, 64.0)
    for _ in range(40):  # halve until the integrand is small enough: the width need not be exact
        middle = (low + high) / 2
        is_deep = exponent(middle) < -_DEPTH
        low, high = np.where(is_deep, low, middle), np.where(is_deep, middle, high)
    total = np.zeros_like(a)
    for node, weight in quadrature():
        total = total + weight * np.exp(exponent(high * node))
    return density * total * high


def _both(a: Array, x: Array) -> tuple[Array, Array]:
    """P and Q, each with its own relative accuracy."""
    a, x = np.broadcast_arrays(a, x)
    p, q = np.full(a.shape, np.nan), np.full(a.shape, np.nan)

    def fill(where: Array, method: Callable[[Array, Array], Array], is_lower: Array | bool) -> None:
        if np.any(where):
            found = method(a[where], x[where])
            lower = np.broadcast_to(is_lower, a.shape)[where]
            p[where], q[where] = np.where(lower, found, 1 - found), np.where(lower, 1 - found, found)

    with np.errstate(all="ignore"):
        inside = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
        is_large = inside & (a >= LARGE)
        is_tiny = inside & (a < 1) & (x < 1.1)
        is_low = inside & ~is_large & ~is_tiny & (x < a + 1)
        fill(is_large, _tail, x < a)
        fill(is_low, _series, True)
        fill(inside & ~is_large & ~is_tiny & ~is_low, _fraction, False)
        if np.any(is_tiny):
            p[is_tiny], q[is_tiny] = _series(a[is_tiny], x[is_tiny]), _small(a[is_tiny], x[is_tiny])
    is_none = ((a > 0) & (x == 0)) | ((a == np.inf) & (x >= 0) & np.isfinite(x))
    is_all = ((a == 0) & (x > 0)) | ((a >= 0) & np.isfinite(a) & (x == np.inf))
    p = np.where(is_none, 0.0, np.where(is_all, 1.0, p))
    q = np.where(is_none, 1.0, np.where(is_all, 0.0, q))
    return p, q


def _slopes(g: Node, a: Node, x: Node) -> tuple[Node, Node]:
    """The derivatives of P. That for `a` follows from the one of a gamma variate at a fixed P."""
    density = ops.exp(xlogy(a - 1, x) - x - gammaln(a))
    mass = ops.exp(xlogy(a, x) - x - gammaln(a))  # the density times x, finite at 0
    return -g * mass * ops.log_gamma_slope(a, ops.log(replace_zero(x))), g * density


def _upper_slopes(g: Node, y: Node, a: Node, x: Node) -> tuple[Node, Node]:
    return _slopes(-g, a, x)


_CASES = [
    Case(np.array([[1, 2, 5]]), (4, 3)), Case(np.array(3), ()), Case(np.array([2, 7]), (0, 2)),
    Case(np.array([25, 40]), (2, 2), domain=(15.0, 50.0)),
    Case(np.array([0.5, 2.5]), np.array([0.3, 4.0]), gradient=False),
]  # fmt: skip
_SHARED: dict[str, Any] = {
    "kind": ELEMENTWISE, "shape": broadcasting, "dtype": REAL_FLOATING, "domain": (0.3, 6.0), "cases": _CASES,
    "notes": "NaN where a or x is negative. The gradient with respect to `a` is of first order only.",
    "source": "DLMF 8.2.4; gradient for a: Figurnov, Mohamed and Mnih, Implicit reparameterization gradients, 2018",
    "properties": ["transcendental"], "bad": [*BAD_PAIRS, BAD_COMPLEXES],
}  # fmt: skip

gammainc: Op = card(
    "gammainc", "a x", summary="Return the lower regularised incomplete gamma function P(a, x).",
    reference=in_float64(lambda a, x: _both(a, x)[0]), gradient=lambda g, y, a, x: _slopes(g, a, x), **_SHARED,
)  # fmt: skip
gammaincc: Op = card(
    "gammaincc", "a x", summary="Return the upper regularised incomplete gamma function Q(a, x) = 1 - P(a, x).",
    reference=in_float64(lambda a, x: _both(a, x)[1]), gradient=_upper_slopes, **_SHARED,
)  # fmt: skip
