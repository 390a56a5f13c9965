"""Inverse trigonometric functions."""

from __future__ import annotations

from septet.backends.cpu.vectormath import coefficients
from septet.backends.cpu.vectormath.steps import Term, fma, magnitude, polynomial, vectorized, where, with_sign

# Numbers and their remainders, each rounded to the format.
PI_HIGH = {"float": 3.1415927410125732, "double": 3.141592653589793}
PI_LOW = {"float": -8.742277657347586e-08, "double": 1.2246467991473532e-16}
HALF_PI_HIGH = {"float": 1.5707963705062866, "double": 1.5707963267948966}
HALF_PI_LOW = {"float": -4.371138828673793e-08, "double": 6.123233995736766e-17}
ASIN = {"float": coefficients.ASIN_FLOAT, "double": coefficients.ASIN_DOUBLE}
ATAN = {"float": coefficients.ATAN_FLOAT, "double": coefficients.ATAN_DOUBLE}


def asin_parts(x: Term) -> tuple[Term, Term, Term]:
    """Return where |x| > 1/2, and s and a remainder whose sum is asin(s).

    s is |x|, or sqrt((1 - |x|) / 2), because asin(x) = pi/2 - 2 asin(sqrt((1 - x) / 2)). NaN for |x| > 1.
    """
    a = magnitude(x)
    is_large = a > 0.5
    z = where(is_large, fma(a, -0.5, 0.5), a * a)
    s = where(is_large, z.call("sqrt"), a)
    return is_large, s, polynomial(z, ASIN[x.kind]) * (z * s)


@vectorized
def asin(x: Term) -> Term:
    """Write the inverse sine; NaN outside [-1, 1]."""
    is_large, s, rest = asin_parts(x)
    far = HALF_PI_HIGH[x.kind] - (2.0 * s - (HALF_PI_LOW[x.kind] - 2.0 * rest))
    return with_sign(where(is_large, far, s + rest), x)


@vectorized
def acos(x: Term) -> Term:
    """Write the inverse cosine; NaN outside [-1, 1].

    pi/2 - asin(x) for |x| <= 1/2, 2 asin(s) for larger x, and pi - 2 asin(s) for smaller.
    """
    kind = x.kind
    is_large, s, rest = asin_parts(x)
    is_negative = x < 0.0
    near = HALF_PI_HIGH[kind] - (with_sign(s, x) - (HALF_PI_LOW[kind] - with_sign(rest, x)))
    twice = 2.0 * s
    far = where(is_negative, PI_HIGH[kind] - (twice - (PI_LOW[kind] - 2.0 * rest)), fma(rest, 2.0, twice))
    return where(is_large, far, near)


def atan_rest(t: Term) -> Term:
    """Return atan(t) - t for 0 <= t <= 1."""
    z = t * t
    return polynomial(z, ATAN[t.kind]) * (z * t)


@vectorized
def atan(x: Term) -> Term:
    """Write the inverse tangent: pi/2 - atan(1 / |x|) where |x| > 1."""
    a = magnitude(x)
    is_large = a > 1.0
    t = where(is_large, 1.0 / a, a)
    rest = atan_rest(t)
    far = HALF_PI_HIGH[x.kind] - (t - (HALF_PI_LOW[x.kind] - rest))
    return with_sign(where(is_large, far, t + rest), x)


@vectorized
def atan2(y: Term, x: Term) -> Term:
    """Write the angle of the point (x, y), with C's results for zeros and infinities."""
    kind = x.kind
    a, b = magnitude(y), magnitude(x)
    is_steep = a > b
    high, low = where(is_steep, a, b), where(is_steep, b, a)
    t = low / high
    t = where(low.equals(high), 1.0, t)  # both infinite
    t = where((a + b).equals(0.0), 0.0, t)  # both zero, and not one NaN
    rest = atan_rest(t)
    steep = HALF_PI_HIGH[kind] - (t - (HALF_PI_LOW[kind] - rest))  # in the first quadrant
    steep_left = HALF_PI_HIGH[kind] + (t + (HALF_PI_LOW[kind] + rest))
    flat_left = PI_HIGH[kind] - (t - (PI_LOW[kind] - rest))
    is_left = x.bits() < 0  # the sign of zero counts
    result = where(is_left, where(is_steep, steep_left, flat_left), where(is_steep, steep, t + rest))
    return with_sign(result, y)
