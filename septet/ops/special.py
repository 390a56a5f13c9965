"""Special functions: error functions, the gamma function and its derivatives, sinc, and guarded logarithms.

The references work in float64 on published approximations; the tests hold them to about 1e-14 of high-precision values.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base.dtypes import DType
from septet.base.errors import ArgumentError
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, REQUIRED, BadCase, Case, Op, as_nodes, card, function, ops
from septet.graph.types import TensorType
from septet.ops.elementwise import (
    BAD_COMPLEX,
    BAD_COMPLEXES,
    BAD_PAIRS,
    PAIRS,
    REAL_FLOATING,
    SINGLES,
    one_of,
    square,
    zero_of,
)
from septet.ops.rules import broadcasting, same_shape

Array = np.ndarray
_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


def in_float64(reference: Callable[..., Array]) -> Callable[..., Array]:
    """Compute in float64."""

    def compute(*arrays: Array, **params: Any) -> Array:
        return reference(*[x.astype(np.float64) for x in arrays], **params)

    return compute


@functools.cache
def quadrature() -> tuple[tuple[float, float], ...]:
    """Return the 64 nodes of Gauss-Legendre on [0, 1] with their weights; importing their origin takes milliseconds."""
    nodes, weights = np.polynomial.legendre.leggauss(64)
    return tuple(zip((0.5 * (nodes + 1)).tolist(), (0.5 * weights).tolist(), strict=True))


def _special(
    name: str, summary: str, reference: Any, slope: Any, *properties: str, domain: Any = (-2.0, 2.0),
    cases: Sequence[Case] = (), **more: Any,
) -> Op:  # fmt: skip
    """Make the card of a real function of one variable from its derivative ``slope(y, x)``."""
    return card(
        name, "x", kind=ELEMENTWISE, summary=summary, shape=same_shape, dtype=REAL_FLOATING,
        reference=in_float64(reference), gradient=lambda g, y, x: (g * slope(y, x),),
        properties=(*properties, "transcendental"), domain=domain, cases=[*SINGLES, *cases], bad=[BAD_COMPLEX], **more,
    )  # fmt: skip


# The error function and its inverse.

# Rational approximations of Cody 1969, highest power first.
_ERF_SMALL = (  # erf(x) / x in x^2, up to |x| = 0.46875
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
_ERFC_MIDDLE = (  # erfc(x) exp(x^2) in x, up to 4
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
     3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip
_ERFC_LARGE = (  # (1 / sqrt(pi) - x erfc(x) exp(x^2)) x^2 in 1 / x^2, from 4 on
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
     1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242e0, 1.87295284992346047e0, 5.27905102951428412e-1, 6.05183413124413191e-2,
     2.33520497626869185e-3),
)  # fmt: skip
_ERF_LIMIT = 0.46875


def _rational(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    over, under = coefficients
    return np.polyval(over, x) / np.polyval(under, x)


def _erf_small(x: Array) -> Array:
    return x * _rational(_ERF_SMALL, x * x)


def _erfc_positive(x: Array) -> Array:
    """erfc of numbers from 0.46875 on."""
    inverse = 1 / (x * x)
    large = (1 / math.sqrt(math.pi) - inverse * _rational(_ERFC_LARGE, inverse)) / x
    scaled = np.where(x <= 4, _rational(_ERFC_MIDDLE, np.minimum(x, 4.0)), large)
    head = np.floor(x * 16) / 16  # a short square is exact: exp(-x^2) keeps its digits
    bell = np.exp(-head * head) * np.exp(-(x - head) * (x + head))
    return np.where(x > 27, np.where(np.isnan(x), x, 0.0), bell * scaled)  # erfc(27) = 5e-319


def erf_value(x: Array) -> Array:
    """Return erf in float64."""
    size = np.abs(x)
    tail = 1 - _erfc_positive(np.maximum(size, _ERF_LIMIT))
    return np.where(size <= _ERF_LIMIT, _erf_small(np.copysign(np.minimum(size, _ERF_LIMIT), x)), np.copysign(tail, x))


def erfc_value(x: Array) -> Array:
    """Return erfc in float64."""
    size = np.abs(x)
    tail = _erfc_positive(np.maximum(size, _ERF_LIMIT))
    small = 1 - _erf_small(np.clip(x, -_ERF_LIMIT, _ERF_LIMIT))
    return np.where(size <= _ERF_LIMIT, small, np.where(x < 0, 2 - tail, tail))


def erfinv_value(y: Array) -> Array:
    """Return the inverse of erf in float64: a first guess (Winitzki 2008), then Halley's steps on erfc or erf."""
    size = np.abs(y)
    inside = size < 1
    safe = np.where(inside, size, 0.0)
    logarithm = np.log1p(-safe) + np.log1p(safe)
    a = 0.147
    first = 2 / (math.pi * a) + logarithm / 2
    x = np.sqrt(np.maximum(np.sqrt(first * first - logarithm / a) - first, 0.0))
    is_tail = safe > 0.5
    for _ in range(3):
        error = np.where(is_tail, (1 - safe) - erfc_value(x), erf_value(x) - safe)
        step = error * np.exp(x * x) / _TWO_OVER_ROOT_PI
        x = x - step / (1 + x * step)
    edge = np.where(size == 1, np.inf, np.nan)
    return np.copysign(np.where(inside, x, edge), y)


_CODY = "DLMF 7.2; reference: Cody, Rational Chebyshev approximations for the error function, 1969"


def _bell(x: Node) -> Node:
    return ops.exp(-square(x))


erf: Op = _special(
    "erf", "Return the error function.", erf_value, lambda y, x: _bell(x) * _TWO_OVER_ROOT_PI, "odd", "monotone",
    source=_CODY, methods=["erf"], cases=[Case((3, 4), domain=(-6.0, 6.0))],
)  # fmt: skip
erfc: Op = _special(
    "erfc", "Return 1 - erf(x), without cancellation.", erfc_value, lambda y, x: _bell(x) * -_TWO_OVER_ROOT_PI,
    "positive", source=_CODY, cases=[Case((3, 4), domain=(-6.0, 6.0))],
)  # fmt: skip
erfinv: Op = _special(
    "erfinv", "Return the inverse of the error function.", erfinv_value,
    lambda y, x: ops.exp(square(y)) * (1 / _TWO_OVER_ROOT_PI), "odd", "monotone", domain=(-0.9, 0.9),
    notes="Infinite at -1 and 1, NaN outside.",
    source="DLMF 7.17; first guess: Winitzki, A handy approximation for the error function and its inverse, 2008",
)  # fmt: skip

# The gamma function: logarithm and derivatives.


def _lgamma(x: float) -> float:
    if math.isinf(x):
        return math.inf
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):  # a pole; beyond the largest float
        return math.inf


def gammaln_value(x: Array) -> Array:
    """Return log |gamma(x)| in float64, by the C library's lgamma."""
    return np.asarray(np.frompyfunc(_lgamma, 1, 1)(x), np.float64)


_BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510]  # B_2, B_4, ... B_16
LARGEST_ORDER = 100


def _above_half(n: int, x: Array) -> Array:
    """The n-th derivative of digamma from 0.5 on: recurrence upwards, then the asymptotic series (DLMF 5.15.8)."""
    start = 12 + n
    sign, factorial = (-1.0) ** (n + 1), float(math.factorial(n))
    z, total = x.copy(), np.zeros_like(x)
    for _ in range(start):
        is_low = z < start
        total += np.where(is_low, z ** -(n + 1.0), 0.0)
        z = np.where(is_low, z + 1, z)
    if n == 0:
        series = sum(b / (2 * k) * z ** (-2 * k) for k, b in enumerate(_BERNOULLI, 1))
        return np.log(z) - 0.5 / z - series - total
    series = (n / 2 / z + 1) / n * z ** -float(n) + sum(
        b * (math.factorial(2 * k + n - 1) / (math.factorial(2 * k) * math.factorial(n))) * z ** -(2.0 * k + n)
        for k, b in enumerate(_BERNOULLI, 1)
    )
    return sign * factorial * (total + series)


def _cotangent_derivative(n: int, x: Array) -> Array:
    """The n-th derivative of pi cot(pi x): a polynomial in the cotangent, since cot' = -(1 + cot^2)."""
    polynomial = np.polynomial.Polynomial([0.0, 1.0])
    for _ in range(n):
        polynomial = polynomial.deriv() * np.polynomial.Polynomial([-1.0, 0.0, -1.0])
    angle = math.pi * (x - np.round(x))  # the argument in half a period, exactly
    return math.pi ** (n + 1.0) * polynomial(np.cos(angle) / np.sin(angle))


def polygamma_value(n: int, x: Array) -> Array:
    """Return the n-th derivative of digamma in float64; below 0.5 by reflection (DLMF 5.5.4)."""
    x = np.asarray(x, np.float64)
    is_low = x < 0.5
    direct = _above_half(n, np.where(is_low, 1 - x, x))
    if not is_low.any():
        return direct
    with np.errstate(all="ignore"):
        result = np.where(is_low, (-1.0) ** n * direct - _cotangent_derivative(n, x), direct)
        # at the poles both sides agree for odd n, and at 0 the sign of the zero chooses a side
        pole = np.inf if n % 2 else np.where(x == 0, np.copysign(np.inf, -x), np.nan)
    return np.where(is_low & (x == np.floor(x)), np.where(np.isinf(x), np.nan, pole), result)


gammaln: Op = _special(
    "gammaln", "Return the logarithm of the absolute value of the gamma function.", gammaln_value,
    lambda y, x: digamma(x), domain=(0.3, 4.0), aliases=["lgamma"], source="DLMF 5.2.1",
    notes="Infinite at 0 and the negative whole numbers.", cases=[Case((3,), domain=(-0.8, -0.3))],
)  # fmt: skip
digamma: Op = _special(
    "digamma", "Return the logarithmic derivative of the gamma function.", lambda x: polygamma_value(0, x),
    lambda y, x: polygamma(x, n=1), domain=(0.3, 4.0), source="DLMF 5.2.2",
    notes="NaN at the negative whole numbers.", cases=[Case((3,), domain=(-0.8, -0.3))],
)  # fmt: skip


def _order(types: tuple[TensorType, ...], **words: Any) -> dict[str, Any]:
    ((name, order),) = words.items()
    if not isinstance(order, (int, np.integer)) or isinstance(order, bool) or not 0 <= order <= LARGEST_ORDER:
        raise ArgumentError(f"{name} is a whole number from 0 to {LARGEST_ORDER}, got {order!r}")
    return {name: int(order)}


def _order_dtype(x: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    return REAL_FLOATING(x)


polygamma: Op = card(
    "polygamma", "x", params={"n": REQUIRED}, kind=ELEMENTWISE, param_docs={"n": "The order, from 0 to 100."},
    summary="Return the n-th derivative of digamma.", shape=same_shape, dtype=_order_dtype, canonical=_order,
    reference=in_float64(lambda x, n: polygamma_value(n, x)),
    gradient=lambda g, y, x, n: (g * polygamma(x, n=n + 1),), domain=(0.3, 4.0), source="DLMF 5.15", public=False,
    properties=["transcendental"],
    cases=[Case((3, 4), n=0), Case((3,), n=1), Case((2, 2), n=3), Case((), n=2), Case((0, 3), n=1),
           Case((3,), n=1, domain=(-0.8, -0.3))],
    bad=[BadCase((2,), n=-1, error=ArgumentError, match="n is a whole number from 0 to 100, got -1"),
         BadCase((2,), n=1.5, error=ArgumentError, match="got 1.5")],
)  # fmt: skip


@function(name="polygamma")
def polygamma_of(n: int, x: Any) -> Node:
    """Return the n-th derivative of digamma.

    Parameters
    ----------
    n : int
        The order, from 0 (digamma itself) to 100.
    x : tensor
        Real.

    Gradient
    --------
    ``polygamma(n + 1, x)``.

    Source
    ------
    DLMF 5.15
    """
    return polygamma(x, n=n)


@function()
def trigamma(x: Any) -> Node:
    """Return the second derivative of the logarithm of the gamma function.

    Parameters
    ----------
    x : tensor
        Real.
    """
    return polygamma(x, n=1)


@function()
def betaln(a: Any, b: Any) -> Node:
    """Return the logarithm of the absolute value of the beta function.

    Parameters
    ----------
    a, b : tensor
        Real.

    Source
    ------
    DLMF 5.12.1
    """
    a, b = as_nodes((a, b))
    return gammaln(a) + gammaln(b) - gammaln(a + b)


# sin(pi x) / (pi x).


def _sinc(x: Array, order: int) -> Array:
    """The derivative of some order: by t f_n + n f_(n-1) = sin^(n) for large t = pi x, by Taylor's series for small."""
    if order == 0:
        return np.sinc(x)
    t = math.pi * x
    limit = max(1.5, float(order))
    small, large = np.where(np.abs(t) < limit, t, 0.0), np.where(np.abs(t) < limit, limit, t)
    series = np.zeros_like(t)
    for k in range((order + 1) // 2, order + 30):
        power = 2 * k - order
        series += (-1.0) ** k / ((2 * k + 1) * math.factorial(power)) * small**power
    forward = np.sin(large) / large
    for n in range(1, order + 1):
        forward = (np.sin(large + n * math.pi / 2) - n * forward) / large
    forward = np.where(np.isinf(large), 0.0, forward)
    return math.pi ** float(order) * np.where(np.abs(t) < limit, series, forward)


sinc: Op = card(
    "sinc", "x", params={"order": 0}, kind=ELEMENTWISE, shape=same_shape, dtype=_order_dtype, canonical=_order,
    param_docs={"order": "Which derivative; 0 for the function itself."},
    summary="Return sin(pi x) / (pi x), and 1 at 0; or a derivative of it.",
    reference=in_float64(_sinc), gradient=lambda g, y, x, order: (g * sinc(x, order=order + 1),),
    properties=["transcendental"],
    cases=[*SINGLES, Case(np.array([0.0, 1e-9, -1.0, 30.25])), Case((3, 4), order=1), Case((4,), order=2)],
    bad=[BAD_COMPLEX, BadCase((2,), order=-1, error=ArgumentError, match="order is a whole number from 0 to 100")],
)  # fmt: skip

# Guarded logarithms.


def _logit(p: Array) -> Array:
    inner = 2 * np.arctanh(2 * np.clip(p, 0.25, 0.75) - 1)  # 2 p - 1 is exact there, so zero keeps its digits
    return np.where(np.abs(p - 0.5) <= 0.25, inner, np.log(p) - np.log1p(-p))


logit: Op = _special(
    "logit", "Return log(p / (1 - p)), the inverse of the sigmoid.", _logit,
    lambda y, x: ops.reciprocal(x * (1 - x)), "monotone", domain=(0.05, 0.95),
    notes="-inf at 0, inf at 1, NaN outside.",
)  # fmt: skip


def _guarded(logarithm: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    def compute(x: Array, y: Array) -> Array:
        return np.where((x == 0) & ~np.isnan(y), 0.0, x * logarithm(y))

    return in_float64(compute)


def _guarded_gradient(g: Node, x: Node, y: Node, argument: Node) -> tuple[Node, Node]:
    """Where x is 0 and the argument of the logarithm not positive, both derivatives are 0."""
    is_open = ops.logical_and(ops.equal(x, zero_of(x)), ops.less_equal(argument, zero_of(argument)))
    safe = ops.where(is_open, one_of(argument), argument)
    return g * ops.log(safe) if argument is y else g * ops.log1p(ops.where(is_open, zero_of(y), y)), g * x / safe


xlogy: Op = card(
    "xlogy", "x y", kind=ELEMENTWISE, summary="Return x * log(y), and 0 where x is 0.", shape=broadcasting,
    notes="NaN where y is NaN. Where x is 0 and y is not positive, the gradient is 0.", dtype=REAL_FLOATING,
    reference=_guarded(np.log), gradient=lambda g, r, x, y: _guarded_gradient(g, x, y, y),
    domain=[(0.2, 2.0), (0.2, 3.0)], cases=[*PAIRS, Case(np.zeros(2), np.array([0.0, 2.0]), gradient=False)],
    properties=["transcendental"], bad=[*BAD_PAIRS, BAD_COMPLEXES],
)  # fmt: skip
xlog1py: Op = card(
    "xlog1py", "x y", kind=ELEMENTWISE, summary="Return x * log(1 + y), and 0 where x is 0.", shape=broadcasting,
    notes="NaN where y is NaN. Where x is 0 and y is at most -1, the gradient is 0.", dtype=REAL_FLOATING,
    reference=_guarded(np.log1p), gradient=lambda g, r, x, y: _guarded_gradient(g, x, y, 1 + y),
    domain=[(0.2, 2.0), (-0.5, 2.0)], cases=[*PAIRS, Case(np.zeros(2), np.array([-1.0, 2.0]), gradient=False)],
    properties=["transcendental"], bad=[*BAD_PAIRS, BAD_COMPLEXES],
)  # fmt: skip
