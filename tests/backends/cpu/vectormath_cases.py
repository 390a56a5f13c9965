"""The functions of the vector mathematics with more exact ones, for the tests and for tools/measure_ulp.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mpmath
import numpy as np
from scipy import special

from septet.ops.special import polygamma_value

Array = np.ndarray
PI = np.longdouble(2) * np.arccos(np.longdouble(0))
WIDE = {"float": np.dtype(np.float64), "double": np.dtype(np.longdouble)}


def sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def logit(p: Array) -> Array:
    with np.errstate(all="ignore"):
        near = np.log1p((2 * p - 1) / (1 - p))
        return np.where(p < 0.25, np.log(p) - np.log1p(-p), np.where(p < 0, np.nan, near))


def sinc(x: Array) -> Array:
    """Of the argument in half a period, so that zeros are where they belong."""
    size = np.abs(x)
    turns = np.rint(size)
    with np.errstate(all="ignore"):
        sine = np.where(turns % 2, -1, 1) * np.sin(PI.astype(x.dtype) * (size - turns))
        return np.where(x == 0, 1, sine / (PI.astype(x.dtype) * size))


def guarded(logarithm: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    """Return x times a logarithm, and 0 where x is 0."""
    return lambda x, y: np.where((x == 0) & ~np.isnan(y), 0, x * logarithm(y))


def trigamma(x: mpmath.mpf) -> mpmath.mpf:
    if x == mpmath.floor(x) and x <= 0:
        return mpmath.nan if mpmath.isinf(x) else mpmath.inf
    if x < 0.5:
        return (mpmath.pi / mpmath.sinpi(x)) ** 2 - trigamma(1 - x)
    return mpmath.psi(1, x) if x < 1e30 else 1 / x


def floor_divide(a: Array, b: Array) -> Array:
    quotient = a / b
    is_plain = np.isfinite(a) & np.isfinite(b) & (b != 0)
    return np.where(is_plain, np.floor_divide(a, b), np.floor(quotient))


def erfc(x: mpmath.mpf) -> mpmath.mpf:
    return mpmath.erfc(x) if abs(x) < 30 or x != x else mpmath.mpf(1 - mpmath.sign(x))  # mpmath gives up on huge ones


def digamma(x: mpmath.mpf) -> mpmath.mpf:
    if (x == mpmath.floor(x) and x <= 0) or x == -mpmath.inf:
        return mpmath.nan
    return mpmath.digamma(x)


def gammaln(x: mpmath.mpf) -> mpmath.mpf:
    if (x == mpmath.floor(x) and x <= 0) or mpmath.isinf(x):
        return mpmath.inf
    return mpmath.loggamma(x).real


def erfinv(x: mpmath.mpf) -> mpmath.mpf:
    """Newton's steps on log(erfc(y)): mpmath's own erfinv is slow next to 1."""
    if not abs(x) < 1:
        return mpmath.sign(x) * mpmath.inf if abs(x) == 1 else mpmath.nan
    y = mpmath.mpf(float(special.erfinv(float(x))))
    for _ in range(3):
        slope = 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(y**2))
        y -= (mpmath.erf(y) - x if abs(x) < 0.5 else x / abs(x) * ((1 - abs(x)) - mpmath.erfc(abs(y)))) / slope
    return y


def by_mpmath(function: Callable[..., mpmath.mpf]) -> Callable[..., Array]:
    """Return a function of arrays that computes element by element in 40 digits."""

    def apply(*arrays: Array) -> Array:
        results = []
        with mpmath.workdps(40):
            for numbers in zip(*arrays):
                value = function(*(mpmath.mpf(x) for x in numbers))
                high = float(value)
                results.append(np.longdouble(high) + (np.longdouble(float(value - high)) if np.isfinite(high) else 0))
        return np.array(results, np.longdouble)

    return apply


@dataclass(frozen=True)
class Case:
    """A function, a more exact one, where it is sampled densely, and the largest distance that is allowed.

    `slow` is the more exact one for double where long double has none: fewer samples are taken then.
    `absolute`, times the spacing of numbers at 1, is allowed as well: for sums of terms that may cancel.
    """

    name: str
    exact: Callable[..., Array]
    ranges: Sequence[tuple[float, float]]
    limits: tuple[float, float]  # float, double
    arity: int = 1
    slow: Callable[..., Array] | None = None
    absolute: float = 0.0


CASES = [
    Case("acos", np.arccos, [(-1, 1)], (1.3, 1.3)),
    Case("acosh", np.arccosh, [(1, 1.1), (1, 10)], (2.3, 2.3)),
    Case("asin", np.arcsin, [(-1, 1)], (1.8, 1.8)),
    Case("asinh", np.arcsinh, [(-1, 1), (-10, 10)], (1.9, 1.9)),
    Case("atan", np.arctan, [(-1, 1), (-10, 10)], (1.4, 1.4)),
    Case("atan2", np.arctan2, [(-1, 1), (-10, 10)], (1.9, 1.9), arity=2),
    Case("atanh", np.arctanh, [(-1, 1)], (2.2, 2.2)),
    Case("cbrt", np.cbrt, [(-1, 1), (-1e6, 1e6)], (0.6, 0.6)),
    Case("cos", np.cos, [(-4, 4), (-1e5, 1e5), (-1e8, 1e8)], (1.6, 0.9)),
    Case("cosh", np.cosh, [(-1, 1), (-90, 90), (-711, 711)], (1.8, 2.0)),
    Case(
        "digamma",
        special.digamma,
        [(0, 4), (0, 100), (-3, 0), (-200, 0), (-1e6, 0), (-1e15, 0)],
        (0.6, 2.0),
        slow=lambda x: np.where(x == 0, special.digamma(x), by_mpmath(digamma)(x)),
        absolute=3.0,
    ),
    Case("erf", special.erf, [(-1, 1), (-4, 4), (-6, 6)], (1.2, 1.2), slow=by_mpmath(mpmath.erf)),
    Case("erfc", special.erfc, [(-1, 1), (-4, 10.1), (-6, 27.3)], (3.5, 3.5), slow=by_mpmath(erfc)),
    Case(
        "erfinv", lambda x: np.copysign(special.erfinv(x), x), [(-1, 1), (0.999, 1)], (0.6, 5.0), slow=by_mpmath(erfinv)
    ),
    Case("exp", np.exp, [(-1, 1), (-104, 89), (-746, 710)], (1.1, 1.0)),
    Case("exp2", np.exp2, [(-1, 1), (-151, 129), (-1076, 1025)], (0.9, 0.9)),
    Case("expm1", np.expm1, [(-1, 1), (-20, 89), (-40, 710)], (1.6, 1.9)),
    Case(
        "gammaln",
        lambda x: np.where(np.isinf(x), np.inf, special.gammaln(x)),
        [(0, 4), (0, 100), (-3, 0)],
        (0.6, 4.0),
        slow=by_mpmath(gammaln),
        absolute=4.0,
    ),
    Case("hypot", np.hypot, [(-1, 1), (-1e6, 1e6)], (0.6, 1.1), arity=2),
    Case("log", np.log, [(0.5, 2), (0, 10)], (0.9, 0.9)),
    Case("log10", np.log10, [(0.5, 2), (0, 1000)], (1.0, 1.2)),
    Case("log1p", np.log1p, [(-1, 1), (-1, 10)], (1.6, 1.6)),
    Case("log2", np.log2, [(0.5, 2), (0, 1000)], (1.0, 1.3)),
    Case("logaddexp", np.logaddexp, [(-4, 4), (-100, 100)], (1.6, 1.6), arity=2, absolute=1.0),
    Case("logit", logit, [(0, 1), (0.4, 0.6)], (2.3, 2.3)),
    Case(
        "polygamma",
        lambda x: polygamma_value(1, x),
        [(0, 4), (0, 100), (-3, 0)],
        (0.6, 30.0),
        slow=by_mpmath(trigamma),
    ),
    Case("power", np.power, [(0, 4), (-20, 20), (-120, 120)], (0.6, 1.2), arity=2),
    Case("rsqrt", lambda x: 1 / np.sqrt(x), [(0, 4), (0, 1e6)], (1.5, 1.5)),
    Case("sigmoid", sigmoid, [(-4, 4), (-104, 20), (-746, 40)], (2.5, 2.5)),
    Case("sin", np.sin, [(-4, 4), (-1e5, 1e5), (-1e8, 1e8)], (1.6, 0.9)),
    Case("sinc", sinc, [(-1, 1), (-20, 20)], (0.6, 8.0)),
    Case("sinh", np.sinh, [(-1, 1), (-90, 90), (-711, 711)], (2.3, 2.3)),
    Case("softplus", softplus, [(-4, 4), (-104, 20), (-746, 40)], (1.8, 1.8)),
    Case("tan", np.tan, [(-4, 4), (-1e5, 1e5), (-1e8, 1e8)], (2.3, 2.3)),
    Case("tanh", np.tanh, [(-1, 1), (-10, 10), (-20, 20)], (2.5, 2.5)),
    Case("xlog1py", guarded(np.log1p), [(-0.9, 4)], (2.3, 2.3), arity=2),
    Case("xlogy", guarded(np.log), [(0, 4)], (1.9, 1.9), arity=2),
]

# Functions whose results are those of NumPy to the last bit.
EXACT: dict[str, Callable[[Array, Array], Array]] = {
    "floor_divide": floor_divide, "fmod": np.fmod, "remainder": np.remainder,
}  # fmt: skip
