"""The error function, its complement and its inverse."""

from __future__ import annotations

from septet.backends.cpu.vectormath import coefficients
from septet.backends.cpu.vectormath.exponential import LOG2_E, rest_beyond_ln2
from septet.backends.cpu.vectormath.logarithm import log_term
from septet.backends.cpu.vectormath.steps import (
    INFINITY,
    Term,
    at_most,
    exact_fma,
    fma,
    in_double,
    magnitude,
    nearest_halves,
    nearest_power,
    polynomial,
    vectorized,
    where,
    with_sign,
)

BORDER = 0.875  # between the two ways of erf
ERFC_HIGHEST = {"float": 10.1, "double": 27.3}  # erfc rounds to 0 from here on
ERF_HIGHEST = 4.0  # in float, erf rounds to 1 from 3.92 on
ERFINV_BORDER = 0.75
ERFINV_SHIFT = 1.125
ERFCX = {"float": coefficients.ERFCX_FLOAT, "double": coefficients.ERFCX_DOUBLE}
NEAR_ZERO = {"float": coefficients.ERF_FLOAT, "double": coefficients.ERF_DOUBLE}


def erfc_of_positive(x: Term) -> Term:
    """Return erfc(x) for x >= 0.

    erfc(x) = e**(-x**2) t p(1 - 2 t), t = 3 / (x + 3): one polynomial for the whole half line. Such a variable is that
    of Shepherd and Laframboise, Chebyshev approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < infinity,
    Mathematics of Computation 36 (1981); variable and polynomial are our own.
    """
    x = at_most(x, ERFC_HIGHEST[x.kind])
    square = x * x
    rest = exact_fma(x, x, -square)  # what rounding took from the square
    n, first, second = nearest_halves(-square, LOG2_E)
    power = rest_beyond_ln2(-square, n, -rest)
    sum_ = x + 3.0
    t = 3.0 / sum_
    # Errors of t would come out more than doubled: t (1 + more) is far closer to 3 / (x + 3).
    more = (exact_fma(t, -sum_, 3.0) - t * (x - (sum_ - 3.0))) * (1.0 / 3.0)
    scaled = t * polynomial(fma(t, -2.0, 1.0) - 2.0 * t * more, ERFCX[x.kind])
    scaled = fma(scaled, more, scaled)
    return fma(power, scaled, scaled) * first * second


def erf_near_zero(x: Term) -> Term:
    """Return erf(x) for |x| <= BORDER."""
    return fma(polynomial(x * x, NEAR_ZERO[x.kind]), x, x)


@vectorized
def erfc(x: Term) -> Term:
    """Write 1 - erf(x), exact to the last places for large x too."""
    a = magnitude(x)
    far = erfc_of_positive(a)
    return where(a < 0.7, 1.0 - erf_near_zero(x), where(x < 0.0, 2.0 - far, far))


@vectorized
def erf(x: Term) -> Term:
    """Write the error function: a polynomial times x near 0, and 1 - erfc(|x|) beyond."""
    a = magnitude(x)
    near = erf_near_zero(x)
    if x.kind == "float":
        a = at_most(a, ERF_HIGHEST)
        exponent = polynomial(a, coefficients.ERF_LARGE_FLOAT)  # erfc = 2**-exponent
        n, factor = nearest_power(exponent, -1.0)
        r = -exponent - n
        power = fma(polynomial(r, coefficients.EXP2_FLOAT), r, 1.0)
        far = fma(power, -factor, 1.0)
    else:
        far = 1.0 - erfc_of_positive(a)
    return where(a > BORDER, with_sign(far, x), near)


@vectorized
@in_double
def erfinv(x: Term) -> Term:
    """Write the inverse of erf: quotients of polynomials of x**2 near 0, of sqrt(-log(1 - |x|)) beyond; float in double."""
    a = magnitude(x)
    is_tail = a > ERFINV_BORDER
    u = ERFINV_BORDER**2 - a * a
    t = (-log_term(1.0 - a)).call("sqrt") - ERFINV_SHIFT
    above = where(is_tail, polynomial(t, coefficients.ERFINV_TAIL), a * polynomial(u, coefficients.ERFINV))
    below = where(is_tail, polynomial(t, coefficients.ERFINV_TAIL_BELOW), polynomial(u, coefficients.ERFINV_BELOW))
    return with_sign(where(a.equals(1.0), INFINITY, above / below), x)
