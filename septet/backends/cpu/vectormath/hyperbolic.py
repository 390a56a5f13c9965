"""Hyperbolic sine and cosine, and the inverse hyperbolic functions."""

from __future__ import annotations

from septet.backends.cpu.vectormath.exponential import reduce_upwards
from septet.backends.cpu.vectormath.logarithm import log1p_core, settle
from septet.backends.cpu.vectormath.steps import (
    NAN,
    Term,
    at_most,
    fma,
    magnitude,
    vectorized,
    where,
    with_sign,
)

HIGHEST = {"float": 90.0, "double": 711.0}  # sinh and cosh are infinite from before here on
TINY = 2.0**-60  # odd functions return their argument below
HUGE = {"float": 2.0**30, "double": 2.0**60}  # x**2 + 1 has long been x**2


@vectorized
def sinh(x: Term) -> Term:
    """Write the hyperbolic sine as (e + e / (e + 1)) / 2, e = expm1(|x|)."""
    rest, quarter = reduce_upwards(at_most(magnitude(x), HIGHEST[x.kind]), -2)  # 2**n overflows before the result does
    e = fma(rest, quarter, quarter - 0.25)
    result = 2.0 * (e + e / fma(e, 4.0, 1.0))
    return with_sign(where(magnitude(x) < TINY, x, result), x)


@vectorized
def cosh(x: Term) -> Term:
    """Write the hyperbolic cosine as (e + 1 / e) / 2, e = exp(|x|)."""
    rest, quarter = reduce_upwards(at_most(magnitude(x), HIGHEST[x.kind]), -2)
    e = fma(rest, quarter, quarter)
    return 2.0 * (e + 0.0625 / e)


@vectorized
def asinh(x: Term) -> Term:
    """Write the inverse hyperbolic sine as log(1 + (a + a**2 / (1 + sqrt(a**2 + 1)))), a = |x|."""
    a = magnitude(x)
    is_huge = a > HUGE[x.kind]
    square = a * a
    u = a + square / (1.0 + (square + 1.0).call("sqrt"))
    result = settle(log1p_core(where(is_huge, a, u), doublings=where(is_huge, a.like(1.0), 0.0)), a + 1.0)
    return with_sign(where(a < TINY, x, result), x)


@vectorized
def acosh(x: Term) -> Term:
    """Write the inverse hyperbolic cosine as log(1 + (t + sqrt(2 t + t**2))), t = x - 1; NaN below 1."""
    is_huge = x > HUGE[x.kind]
    t = x - 1.0
    u = t + fma(t, t, 2.0 * t).call("sqrt")
    result = settle(log1p_core(where(is_huge, x, u), doublings=where(is_huge, x.like(1.0), 0.0)), x)
    return where(x < 1.0, NAN, where(x.equals(1.0), 0.0, result))


@vectorized
def atanh(x: Term) -> Term:
    """Write the inverse hyperbolic tangent as log(1 + 2 a / (1 - a)) / 2, a = |x|; NaN outside [-1, 1]."""
    a = magnitude(x)
    u = 2.0 * a / (1.0 - a)
    result = 0.5 * settle(log1p_core(u), u + 1.0)
    return where(a < TINY, x, with_sign(result, x))
