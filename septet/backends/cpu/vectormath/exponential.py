"""Powers of e and 2, and the functions made of them: exp, exp2, expm1, tanh, sigmoid.

x = n ln 2 + r, |r| <= ln(2) / 2; e**r by a polynomial; 2**n by writing the exponent's bits.
"""

from __future__ import annotations

from collections.abc import Sequence

from septet.backends.cpu.vectormath import coefficients
from septet.backends.cpu.vectormath.steps import (
    Term,
    at_least,
    at_most,
    fma,
    magnitude,
    nearest_halves,
    nearest_power,
    polynomial,
    polynomial_by_pairs,
    vectorized,
    where,
)

LOG2_E = 1.4426950408889634  # log2(e)
# ln 2 in two parts. The first has trailing zeros, so that n times it is exact even without a fused multiply-add.
# Source: the constants of fdlibm (e_exp.c) and of its float version (e_expf.c).
LN2_HIGH = {"float": 0.693145751953125, "double": 6.93147180369123816490e-01}
LN2_LOW = {"float": 1.428606765330187e-06, "double": 1.90821492927058770002e-10}

LN2 = 0.6931471805599453
HALF_LN2 = 0.34657359027997264

# Arguments beyond these round to 0 and to infinity; clamped, n stays where two powers of two can make it up.
EXP_LOWEST = {"float": -104.0, "double": -746.0}
EXP_HIGHEST = {"float": 89.0, "double": 710.0}
EXP2_LOWEST = {"float": -151.0, "double": -1076.0}
EXP2_HIGHEST = {"float": 128.5, "double": 1024.5}
# expm1 is -1 below the first (less than half a unit in the last place away).
EXPM1_LOWEST = {"float": -18.0, "double": -38.0}
# tanh is 1 above: 2 exp(-2 x) is less than half a unit in the last place of 1.
TANH_HIGHEST = {"float": 9.5, "double": 20.0}
# sigmoid is 1 above, from 18 and 38 on; these are twice those of tanh, so that registers hold one number for both.
SIGMOID_HIGHEST = {"float": 19.0, "double": 40.0}
# 2**(n + this) is a normal number for all n of results that are not large: down to -150 and -1076.
RAISED = {"float": 24, "double": 54}

COEFFICIENTS = {"float": coefficients.EXP_FLOAT, "double": coefficients.EXP_DOUBLE}
COEFFICIENTS_UPWARDS = {"float": coefficients.TANH_FLOAT, "double": coefficients.TANH_DOUBLE}
COEFFICIENTS_2 = {"float": coefficients.EXP2_FLOAT, "double": coefficients.EXP2_DOUBLE}


def rest_of_power(r: Term, coefficients: Sequence[float]) -> Term:
    """Return e**r - 1 by a polynomial q: r + r**2 q(r)."""
    q = polynomial_by_pairs(r, coefficients) if r.kind == "float" else polynomial(r, coefficients)
    return fma(q, r * r, r)


def rest_beyond_ln2(x: Term, n: Term, low: Term | None = None) -> Term:
    """Return e**r - 1, where x (+ low, far smaller) = n ln 2 + r and n is the nearest integer."""
    r = fma(n, -LN2_HIGH[x.kind], x)
    if low is not None:
        r = r + low
    return rest_of_power(fma(n, -LN2_LOW[x.kind], r), COEFFICIENTS[x.kind])


def exp_term(x: Term) -> Term:
    """Return e**x.

    2**n is applied in two halves, the first without rounding: results below the normal numbers are rounded once.
    """
    x = at_most(at_least(x, EXP_LOWEST[x.kind]), EXP_HIGHEST[x.kind])
    n, first, second = nearest_halves(x, LOG2_E)
    return fma(rest_beyond_ln2(x, n), first, first) * second


def exp_of_negative_term(x: Term) -> Term:
    """Return e**-x for x that is not below 0, or NaN: nothing overflows, so that a constant makes up for small numbers."""
    return exp_raised(-at_most(x, -EXP_LOWEST[x.kind])) * 2.0 ** -RAISED[x.kind]


def exp_raised(x: Term) -> Term:
    """Return e**x times 2**RAISED for x from EXP_LOWEST up to a limit of at most 38: a normal number, also where e**x is not."""
    n, power = nearest_power(x, LOG2_E, RAISED[x.kind])
    return fma(rest_beyond_ln2(x, n), power, power)


@vectorized
def exp(x: Term) -> Term:
    """Write e**x. Largest error: below 1 unit in the last place."""
    return exp_term(x)


@vectorized
def exp_of_negative(x: Term) -> Term:
    """Write e**-x for x that is not below 0, or NaN: the bits of `exp`, in fewer instructions."""
    return exp_of_negative_term(x)


@vectorized
def exp2(x: Term) -> Term:
    """Write 2**x; exact for integers."""
    x = at_most(at_least(x, EXP2_LOWEST[x.kind]), EXP2_HIGHEST[x.kind])
    n, first, second = nearest_halves(x, 1.0)
    r = x - n
    return fma(polynomial(r, COEFFICIENTS_2[x.kind]), r, 1.0) * first * second


@vectorized
def expm1(x: Term) -> Term:
    """Write e**x - 1, exact to the last places near 0 too."""
    limited = at_most(at_least(x, EXPM1_LOWEST[x.kind]), EXP_HIGHEST[x.kind])
    n, half = nearest_power(limited, LOG2_E, -1)  # because 2**n overflows before the result does; n >= -54 here
    result = 2.0 * fma(rest_beyond_ln2(limited, n), half, half - 0.5)
    return where(magnitude(x) < 2.0**-60, x, result)  # also for -0, and where half of x may not be a number


def reduce_upwards(x: Term, raised: int = 0) -> tuple[Term, Term]:
    """Return e**r - 1 and 2**(n + raised), where x = n ln 2 + r and r is not below 0 (but for rounding).

    With it, e**x - 1 = 2**n (e**r - 1) + 2**n - 1 subtracts nothing of its own size, for x >= 0.
    """
    n, power = nearest_power(x - HALF_LN2, LOG2_E, raised)
    r = fma(n, -LN2_LOW[x.kind], fma(n, -LN2_HIGH[x.kind], x))
    return rest_of_power(r, COEFFICIENTS_UPWARDS[x.kind]), power


def tanh_term(x: Term) -> Term:
    """Return tanh(x) = (e**r - 2**-n) / (e**r + 2**-n) with the sign of x, where 2 |x| = n ln 2 + r."""
    size = magnitude(x)
    twice = at_most(size + size, 2.0 * TANH_HIGHEST[x.kind])
    if x.kind == "float":
        m, power = nearest_power(twice, -LOG2_E)  # m = -n
        rest = rest_of_power(
            fma(m, LN2, twice), COEFFICIENTS[x.kind]
        )  # m is above -28: the rounded ln 2 is near enough
    else:
        m, power = nearest_power(twice - HALF_LN2, -LOG2_E)
        r = fma(m, LN2_LOW[x.kind], fma(m, LN2_HIGH[x.kind], twice))
        rest = rest_of_power(r, COEFFICIENTS_UPWARDS[x.kind])
    above = rest + (1.0 - power)
    quotient = above / (
        above + (power + power)
    )  # what rounding took from the upper part is taken from the lower one too
    return (quotient.bits() | (x.bits() ^ size.bits())).real()


@vectorized
def tanh(x: Term) -> Term:
    """Write the hyperbolic tangent."""
    return tanh_term(x)


@vectorized
def sigmoid(x: Term) -> Term:
    """Write 1 / (1 + e**-x) as e**x / (1 + e**x): small results keep all their places, nothing overflows."""
    limited = at_most(at_least(x, EXP_LOWEST[x.kind]), SIGMOID_HIGHEST[x.kind])
    power = exp_raised(limited)
    return power / (power + 2.0 ** RAISED[x.kind])
