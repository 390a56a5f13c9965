"""Special functions: error functions, gamma and its logarithmic derivatives, and guarded logarithms.

The references use the C library's erf, erfc and lgamma where Python offers them, and published series for the rest, in
float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import BOOL, FLOAT, INTEGER
from septet.base.errors import ArgumentError, ShapeError
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, REQUIRED, BadCase, Case, Op, as_node, card, function, ops
from septet.ops.elementwise import BAD_COMPLEX, BAD_PAIRS, PAIRS, square
from septet.ops.rules import broadcasting, promoting, same_shape

_REAL = promoting(BOOL, INTEGER, FLOAT, to_float=True)
_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


def _exact(function_of_float: Callable[[float], float]) -> Callable[[np.ndarray], np.ndarray]:
    """Apply a function of Python floats to each element, in float64."""
    over = np.frompyfunc(function_of_float, 1, 1)

    def compute(x: np.ndarray) -> np.ndarray:
        return np.asarray(over(x.astype(np.float64)), np.float64)

    return compute


def _special(
    name: str, summary: str, reference: Any, slope: Any, *properties: str, domain: Any = (-2.0, 2.0), **more: Any
) -> Op:
    return card(
        name, "x", kind=ELEMENTWISE, summary=summary, shape=same_shape, dtype=_REAL, reference=reference,
        gradient=lambda g, y, x: (g * slope(y, x),), properties=properties, domain=domain,
        cases=[Case((3, 4)), Case(()), Case((2, 0, 3))], bad=[BAD_COMPLEX], **more,
    )  # fmt: skip


def _bell(x: Node) -> Node:
    return ops.exp(-square(x))


erf: Op = _special(
    "erf", "Return the error function.", _exact(math.erf), lambda y, x: _bell(x) * _TWO_OVER_ROOT_PI, "odd", "monotone",
    source="DLMF 7.2.1", methods=["erf"],
)  # fmt: skip
erfc: Op = _special(
    "erfc", "Return 1 - erf(x), without cancellation.", _exact(math.erfc), lambda y, x: _bell(x) * -_TWO_OVER_ROOT_PI,
    "positive", source="DLMF 7.2.2",
)  # fmt: skip


def _erfinv(y: np.ndarray) -> np.ndarray:
    """A rational first guess (Winitzki 2008), then Newton's and Halley's steps on erf or, near the ends, on erfc."""
    y = y.astype(np.float64)
    inside = np.abs(y) < 1
    safe = np.where(inside, y, 0.0)
    logarithm = np.log1p(-safe * safe)
    first = 2 / (math.pi * 0.147) + logarithm / 2
    x = np.sign(safe) * np.sqrt(np.sqrt(first * first - logarithm / 0.147) - first)
    for _ in range(3):
        tail = np.abs(safe) > 0.5
        error = np.where(
            tail, np.sign(safe) * ((1 - np.abs(safe)) - _exact(math.erfc)(np.abs(x))), _exact(math.erf)(x) - safe
        )
        step = error / (_TWO_OVER_ROOT_PI * np.exp(-x * x))
        x = x - step / (1 + x * step)
    edge = np.where(np.abs(y) == 1, np.copysign(np.inf, y), np.nan)
    return np.where(inside, x, edge)


erfinv: Op = _special(
    "erfinv", "Return the inverse of the error function.", _erfinv,
    lambda y, x: ops.exp(square(y)) * (1 / _TWO_OVER_ROOT_PI), "odd", "monotone", domain=(-0.9, 0.9),
    notes="Infinite at -1 and 1, NaN outside.", source="DLMF 7.17; first guess: Winitzki 2008",
)  # fmt: skip


def _lgamma(x: float) -> float:
    if math.isinf(x):
        return math.inf
    try:
        return math.lgamma(x)
    except ValueError:  # a pole
        return math.inf


gammaln: Op = _special(
    "gammaln", "Return the logarithm of the absolute value of the gamma function.", _exact(_lgamma),
    lambda y, x: digamma(x), domain=(0.3, 4.0), aliases=["lgamma"], source="DLMF 5.2.1",
)  # fmt: skip

_BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510]  # B_2, B_4, ... B_16


def polygamma_value(n: int, x: np.ndarray) -> np.ndarray:
    """Return the n-th derivative of digamma in float64: recurrence up to 20, then the asymptotic series (DLMF 5.15.8)."""
    x = np.asarray(x, np.float64)
    reflected = x < 0.5
    if n > 0 and reflected.any() and (x[reflected] <= 0).any():
        return _polygamma_reflected(n, x)
    z = np.where(reflected & (n == 0), 1 - x, x)
    total = np.zeros_like(z)
    sign, factorial = (-1.0) ** (n + 1), math.factorial(n)
    for _ in range(20):
        low = z < 20
        total += np.where(low, sign * factorial / np.where(low, z, 1.0) ** (n + 1), 0.0)
        z = np.where(low, z + 1, z)
    if n == 0:
        series = np.log(z) - 0.5 / z - sum(b / (2 * k * z ** (2 * k)) for k, b in enumerate(_BERNOULLI, 1))
        result = total + series
        with np.errstate(all="ignore"):
            mirrored = result - math.pi / np.tan(math.pi * x)
        result = np.where(reflected, mirrored, result)
        return np.where((x <= 0) & (x == np.floor(x)), np.nan, result)
    series = math.factorial(n - 1) / z**n + factorial / (2 * z ** (n + 1))
    series = series + sum(
        b * math.factorial(2 * k + n - 1) / (math.factorial(2 * k) * z ** (2 * k + n))
        for k, b in enumerate(_BERNOULLI, 1)
    )
    return total + sign * series


def _polygamma_reflected(n: int, x: np.ndarray) -> np.ndarray:
    """Arguments at or below 0: recurrence upwards into the positive numbers."""
    z, total = x.copy(), np.zeros_like(x)
    sign, factorial = (-1.0) ** (n + 1), math.factorial(n)
    while (z <= 0.5).any():
        low = z <= 0.5
        with np.errstate(divide="ignore"):
            total += np.where(low, sign * factorial / np.where(low, z, 1.0) ** (n + 1), 0.0)
        z = np.where(low, z + 1, z)
        if (z < -1e4).any():
            raise ArgumentError("polygamma below -10,000 is not supported")
    return total + polygamma_value(n, z)


digamma: Op = _special(
    "digamma", "Return the logarithmic derivative of the gamma function.", lambda x: polygamma_value(0, x),
    lambda y, x: polygamma(x, n=1), domain=(0.3, 4.0), source="DLMF 5.2.2",
)  # fmt: skip

polygamma: Op = card(
    "polygamma", "x", params={"n": REQUIRED}, kind=ELEMENTWISE, param_docs={"n": "The order, at least 0."},
    summary="Return the n-th derivative of digamma.", shape=lambda x, n: x, dtype=lambda x, n: _REAL(x),
    canonical=lambda types, n: {"n": _order(n)}, reference=lambda x, n: polygamma_value(n, x),
    gradient=lambda g, y, x, n: (g * polygamma(x, n=n + 1),), domain=(0.3, 4.0), source="DLMF 5.15", public=False,
    cases=[Case((3, 4), n=0), Case((3,), n=1), Case((2, 2), n=3)],
    bad=[BadCase((2,), n=-1, error=ArgumentError, match="order")],
)  # fmt: skip


def _order(n: Any) -> int:
    if not isinstance(n, int) or n < 0:
        raise ArgumentError(f"the order of polygamma is a whole number of at least 0, got {n!r}")
    return n


@function(name="polygamma")
def polygamma_of(n: int, x: Any) -> Node:
    """Return the n-th derivative of digamma.

    Parameters
    ----------
    n : int
    x : tensor
    """
    return polygamma(x, n=n)


def _guarded(product: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def compute(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.where((x == 0) & ~np.isnan(y), np.zeros((), x.dtype), x * product(y))

    return compute


def _zero_where_zero(x: Node, value: Node) -> Node:
    return ops.where(ops.equal(x, as_node(0, x.dtype)), as_node(0, value.dtype), value)


xlogy: Op = card(
    "xlogy", "x y", kind=ELEMENTWISE, summary="Return x * log(y), and 0 where x is 0.", shape=broadcasting, dtype=_REAL,
    reference=_guarded(np.log), gradient=lambda g, r, x, y: (g * ops.log(y), g * _zero_where_zero(x, x / y)),
    domain=[(0.2, 2.0), (0.2, 3.0)], cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip
xlog1py: Op = card(
    "xlog1py", "x y", kind=ELEMENTWISE, summary="Return x * log(1 + y), and 0 where x is 0.", shape=broadcasting,
    dtype=_REAL, reference=_guarded(np.log1p),
    gradient=lambda g, r, x, y: (g * ops.log1p(y), g * _zero_where_zero(x, x / (y + 1))),
    domain=[(0.2, 2.0), (-0.5, 3.0)], cases=PAIRS, bad=[BadCase((3, 4), (5,), error=ShapeError, match="do not broadcast")],
)  # fmt: skip


@function()
def logit(p: Any) -> Node:
    """Return log(p / (1 - p)), the inverse of the sigmoid."""
    p = as_node(p)
    return ops.log(p) - ops.log1p(-p)


@function()
def sinc(x: Any) -> Node:
    """Return sin(pi x) / (pi x), and 1 at 0."""
    x = as_node(x) * math.pi
    is_zero = ops.equal(x, as_node(0, x.dtype))
    safe = ops.where(is_zero, as_node(1, x.dtype), x)
    return ops.where(is_zero, 1 - square(x) * (1 / 6), ops.sin(safe) / safe)


@function()
def betaln(a: Any, b: Any) -> Node:
    """Return the logarithm of the beta function (DLMF 5.12.1)."""
    a, b = as_node(a), as_node(b)
    return gammaln(a) + gammaln(b) - gammaln(a + b)
