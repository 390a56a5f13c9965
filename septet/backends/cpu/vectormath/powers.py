"""Powers and roots: power, cbrt, rsqrt, hypot.

a**b = 2**(b log2|a|). The logarithm needs ten more bits than the result (in double), because b log2|a| goes up to 1075:
float computes in double, double in pairs of doubles, `high + low`.
"""

from __future__ import annotations

from septet.backends.cpu.vectormath import coefficients
from septet.backends.cpu.vectormath.logarithm import settle, split
from septet.backends.cpu.vectormath.steps import (
    INFINITY,
    NAN,
    Term,
    at_least,
    at_most,
    exact_fma,
    fma,
    magnitude,
    nearest_halves,
    nearest_power,
    polynomial,
    vectorized,
    where,
    with_sign,
)

# 2 / ln 2 and a third of it, each in two parts.
TWO_OVER_LN2 = (2.8853900817779268, 4.0710547481862066e-17)
THIRD_OF_IT = (0.9617966939259756, 5.0577616648125907e-17)
FLOAT_EXPONENTS = (-152.0, 130.0)  # beyond, floats are 0 and infinite
DOUBLE_EXPONENTS = (-1080.0, 1030.0)


def power_of_floats(a: Term, b: Term) -> Term:
    """Return a**b for a >= 0, in double, for rounding to float."""
    m, n, _ = split(a, denormals=False)  # floats are never denormal as doubles
    f = m - 1.0
    exponent = b * settle(fma(f, polynomial(f, coefficients.LOG2_POWER), n), a)
    exponent = at_most(at_least(exponent, FLOAT_EXPONENTS[0]), FLOAT_EXPONENTS[1])
    n, factor = nearest_power(exponent, 1.0)
    return polynomial(exponent - n, coefficients.EXP2_POWER) * factor


def log2_parts(a: Term) -> tuple[Term, Term]:
    """Return high and low, log2(a) = high + low to about 2**-65 of it, for a > 0 and finite.

    log2(m) = 2 artanh(s) / ln 2 = s (c (1 + z / 3) + z**2 q(z)), s = (m - 1) / (m + 1), z = s**2, c = 2 / ln 2.
    """
    m, n, _ = split(a)
    f = m - 1.0
    below = m + 1.0
    below_low = f - (below - 2.0)
    inverse = 1.0 / below
    s = f * inverse
    s_low = (exact_fma(s, -below, f) - s * below_low) * inverse
    z = s * s
    z_low = fma(s, 2.0 * s_low, exact_fma(s, s, -z))
    # v = c z / 3 + z**2 q(z)
    third = z * THIRD_OF_IT[0]
    third_low = exact_fma(z, THIRD_OF_IT[0], -third) + fma(z_low, THIRD_OF_IT[0], z * THIRD_OF_IT[1])
    rest = z * z * polynomial(z, coefficients.LOG2_POWER_DOUBLE)
    v = third + rest
    v_low = (third - v) + rest + third_low
    # g = c + v
    g = v + TWO_OVER_LN2[0]
    g_low = (TWO_OVER_LN2[0] - g) + v + (v_low + TWO_OVER_LN2[1])
    # n + s g
    product = s * g
    product_low = exact_fma(s, g, -product) + fma(s, g_low, s_low * g)
    total = n + product
    total_low = (n - total) + product + product_low
    high = total + total_low
    return high, (total - high) + total_low


def power_of_doubles(a: Term, b: Term) -> Term:
    """Return a**b for a >= 0."""
    high, low = log2_parts(a)
    high = settle(high, a)
    exponent = b * high
    rest = exact_fma(b, high, -exponent) + b * low
    rest = where(magnitude(exponent) < 2000.0, rest, 0.0)  # not a number where the exponent is infinite
    exponent = at_most(at_least(exponent, DOUBLE_EXPONENTS[0]), DOUBLE_EXPONENTS[1])
    n, first, second = nearest_halves(exponent, 1.0)
    r = (exponent - n) + rest
    return fma(polynomial(r, coefficients.EXP2_DOUBLE), r, 1.0) * first * second


@vectorized
def power(a: Term, b: Term) -> Term:
    """Write a**b with C's results at the edges: 1 for b = 0 and for a = 1, NaN for a < 0 and b not whole."""
    size = magnitude(a)
    if a.kind == "float":
        wide = power_of_floats(size.convert("fpext", "double"), b.convert("fpext", "double"))
        result = wide.convert("fptrunc", "float")
    else:
        result = power_of_doubles(size, b)
    # |a| = 1 and infinite b: 0 times infinity above
    result = where(size.equals(1.0), where(b.is_nan(), b, 1.0), result)
    half = b * 0.5
    is_whole = b.equals(b.call("rint"))  # infinities are, and even
    is_odd = is_whole & (magnitude(half - half.call("rint")) > 0.0)
    below = where(is_odd, -result, where(is_whole | a.equals(-INFINITY), result, NAN))
    result = where(a < 0.0, below, result)
    zero = where(is_odd, with_sign(result, a), result)  # zeros and their inverses keep a sign for odd b
    result = where(a.equals(0.0), zero, result)
    return where(b.equals(0.0), 1.0, where(a.equals(1.0), 1.0, result))


@vectorized
def cbrt(x: Term) -> Term:
    """Write the cube root: a polynomial, then Halley's steps, the last with an exact residual."""
    size = magnitude(x)
    m, n, _ = split(size)
    third, factor = nearest_power(n, 1.0 / 3.0)
    left = fma(third, -3.0, n)  # -1, 0 or 1
    m = m * where(left > 0.5, 2.0, where(left < -0.5, left.like(0.5), 1.0))
    y = polynomial(m, coefficients.CBRT)  # to 2**-9; each step triples that
    if x.kind == "double":
        cube = y * y * y
        y = y - y * (cube - m) / fma(cube, 2.0, m)
    square = y * y
    residual = fma(exact_fma(y, y, -square), y, exact_fma(square, y, -m))
    y = y - y * residual / fma(square, 2.0 * y, m)
    result = with_sign(y * factor, x)
    return where(size > 0.0, where(size < INFINITY, result, x), x)


@vectorized
def rsqrt(x: Term) -> Term:
    """Write 1 / sqrt(x)."""
    return 1.0 / x.call("sqrt")


@vectorized
def hypot(a: Term, b: Term) -> Term:
    """Write sqrt(a**2 + b**2) without overflow on the way; infinite where one is, the other NaN or not."""
    a, b = magnitude(a), magnitude(b)
    if a.kind == "float":  # squares of floats are exact as doubles
        x, y = a.convert("fpext", "double"), b.convert("fpext", "double")
        result = fma(x, x, y * y).call("sqrt").convert("fptrunc", "float")
    else:
        larger, smaller = where(a > b, a, b), where(a > b, b, a)
        is_large, is_small = larger > 2.0**500, larger < 2.0**-450
        factor = where(is_large, 2.0**-600, where(is_small, larger.like(2.0**600), 1.0))
        inverse = where(is_large, 2.0**600, where(is_small, larger.like(2.0**-600), 1.0))
        larger, smaller = larger * factor, smaller * factor
        result = fma(larger, larger, smaller * smaller).call("sqrt") * inverse
    return where(a.equals(INFINITY) | b.equals(INFINITY), INFINITY, result)
