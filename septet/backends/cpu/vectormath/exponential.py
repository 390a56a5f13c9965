"""Powers of e and 2, and the functions made of them: exp, exp2, expm1, tanh, sigmoid.

x = n ln 2 + r, |r| <= ln(2) / 2; e**r by a polynomial; 2**n by writing the exponent's bits.
"""

from __future__ import annotations

from septet.backends.cpu.vectormath import coefficients
from septet.backends.cpu.vectormath.steps import (
    FRACTION_BITS,
    Term,
    at_least,
    at_most,
    fma,
    magnitude,
    nearest,
    polynomial,
    power_of_two,
    vectorized,
    where,
    with_sign,
)

LOG2_E = 1.4426950408889634  # log2(e)
# ln 2 in two parts. The first has trailing zeros, so that n times it is exact even without a fused multiply-add.
# Source: the constants of fdlibm (e_exp.c) and of its float version (e_expf.c).
LN2_HIGH = {"float": 0.693145751953125, "double": 6.93147180369123816490e-01}
LN2_LOW = {"float": 1.428606765330187e-06, "double": 1.90821492927058770002e-10}

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
# sigmoid is 1 above.
SIGMOID_HIGHEST = {"float": 18.0, "double": 38.0}
# 2**n times this is a normal number for all n that `exp_scaled` meets: from -150 to 26, and from -1076 to 55.
SCALE = {"float": 2.0**24, "double": 2.0**54}

COEFFICIENTS = {"float": coefficients.EXP_FLOAT, "double": coefficients.EXP_DOUBLE}
COEFFICIENTS_UPWARDS = {"float": coefficients.TANH_FLOAT, "double": coefficients.TANH_DOUBLE}
COEFFICIENTS_2 = {"float": coefficients.EXP2_FLOAT, "double": coefficients.EXP2_DOUBLE}


def reduce_by_ln2(x: Term, low: Term | None = None) -> tuple[Term, Term]:
    """Return e**r - 1 and the bits of n, where x (+ low, far smaller) = n ln 2 + r."""
    n, bits = nearest(x, LOG2_E)
    r = fma(n, -LN2_HIGH[x.kind], x)
    if low is not None:
        r = r + low
    r = fma(n, -LN2_LOW[x.kind], r)
    return fma(polynomial(r, COEFFICIENTS[x.kind]), r * r, r), bits


def scale(p: Term, bits: Term) -> Term:
    """Return p * 2**n for p near 1 and n that may lie beyond the normal numbers' exponents, up to twice as far.

    2**n is applied in two halves, the first without rounding: results below the normal numbers are rounded once.
    """
    shift = FRACTION_BITS[p.kind]
    one = p.like(1.0).bits()
    whole, half = bits << shift, (bits >> 1) << shift
    return p * (half + one).real() * (whole - half + one).real()


def exp_term(x: Term) -> Term:
    """Return e**x."""
    x = at_most(at_least(x, EXP_LOWEST[x.kind]), EXP_HIGHEST[x.kind])
    power, bits = reduce_by_ln2(x)
    return scale(power + 1.0, bits)


def exp_scaled(x: Term, highest: float) -> Term:
    """Return e**x times SCALE for x up to a limit of at most 38: a normal number, also where e**x is not."""
    x = at_most(at_least(x, EXP_LOWEST[x.kind]), highest)
    power, bits = reduce_by_ln2(x)
    factor = x.like(SCALE[x.kind]).bits() + (bits << FRACTION_BITS[x.kind])
    return (power + 1.0) * factor.real()


@vectorized
def exp(x: Term) -> Term:
    """Write e**x. Largest error: below 1 unit in the last place."""
    return exp_term(x)


@vectorized
def exp2(x: Term) -> Term:
    """Write 2**x; exact for integers."""
    x = at_most(at_least(x, EXP2_LOWEST[x.kind]), EXP2_HIGHEST[x.kind])
    n, bits = nearest(x, 1.0)
    r = x - n
    return scale(fma(polynomial(r, COEFFICIENTS_2[x.kind]), r, 1.0), bits)


@vectorized
def expm1(x: Term) -> Term:
    """Write e**x - 1, exact to the last places near 0 too."""
    limited = at_most(at_least(x, EXPM1_LOWEST[x.kind]), EXP_HIGHEST[x.kind])
    power, bits = reduce_by_ln2(limited)
    # 2**(n - 1), because 2**n overflows before the result does; n >= -54 here.
    half = power_of_two(bits - 1)
    result = 2.0 * fma(power, half, half - 0.5)
    return where(magnitude(x) < 2.0**-60, x, result)  # also for -0, and where half of x may not be a number


def reduce_upwards(x: Term) -> tuple[Term, Term]:
    """Return e**r - 1 and the bits of n, where x = n ln 2 + r and r is not below 0 (but for rounding).

    With it, e**x - 1 = 2**n (e**r - 1) + 2**n - 1 subtracts nothing of its own size, for x >= 0.
    """
    n, bits = nearest(x - HALF_LN2, LOG2_E)
    r = fma(n, -LN2_LOW[x.kind], fma(n, -LN2_HIGH[x.kind], x))
    return fma(polynomial(r, COEFFICIENTS_UPWARDS[x.kind]), r * r, r), bits


def tanh_term(x: Term) -> Term:
    """Return tanh(x) = expm1(2 |x|) / (expm1(2 |x|) + 2) with the sign of x."""
    power, bits = reduce_upwards(at_most(magnitude(x) * 2.0, 2.0 * TANH_HIGHEST[x.kind]))
    scale_ = power_of_two(bits)
    above = fma(power, scale_, scale_ - 1.0)
    return with_sign(above / (above + 2.0), x)


@vectorized
def tanh(x: Term) -> Term:
    """Write the hyperbolic tangent."""
    return tanh_term(x)


@vectorized
def sigmoid(x: Term) -> Term:
    """Write 1 / (1 + e**-x) as e**x / (1 + e**x): small results keep all their places, nothing overflows."""
    power = exp_scaled(x, SIGMOID_HIGHEST[x.kind])
    return power / (power + SCALE[x.kind])
