"""Sine, cosine and tangent.

x = n pi/2 + r, |r| <= pi/4, and polynomials of r. Up to LIMIT, r comes of subtracting n times pi/2 in three parts (Cody
and Waite, Software Manual for the Elementary Functions, 1980). Beyond, `reduction` multiplies by enough bits of 2/pi;
a branch goes around that as long as no lane needs it.
"""

from __future__ import annotations

from septet.backends.cpu.vectormath import coefficients
from septet.backends.cpu.vectormath.reduction import reduce_huge
from septet.backends.cpu.vectormath.steps import (
    FRACTION_BITS,
    Term,
    exact_fma,
    fma,
    magnitude,
    nearest,
    polynomial,
    rarely,
    vectorized,
    where,
)

TWO_OVER_PI = 0.6366197723675814
# pi/2 in three parts, each what the ones before leave, rounded to the format. n times the first, subtracted from x with
# one rounding, is exact: the difference is a multiple of the first part's last place and below 2.
HALF_PI = {
    "float": (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
    "double": (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
}
# Up to here, n is exact enough for |r| to stay below 1.01 pi/4, and r's error is that of its rounding.
LIMIT = {"float": 2.0**17, "double": 2.0**22}

SIN = {"float": coefficients.SIN_FLOAT, "double": coefficients.SIN_DOUBLE}
COS = {"float": coefficients.COS_FLOAT, "double": coefficients.COS_DOUBLE}


def reduce_by_half_pi(x: Term, *, needs_low: bool) -> tuple[Term, Term | None, Term]:
    """Return r, if needed what its rounding took, and an integer whose last two bits are those of n."""
    first, second, third = HALF_PI[x.kind]
    n, bits = nearest(x, TWO_OVER_PI)
    r = exact_fma(n, -first, x)
    is_huge = magnitude(x) > LIMIT[x.kind]
    if not needs_low:
        r = exact_fma(n, -third, exact_fma(n, -second, r))
        r, bits = rarely(is_huge, (r, bits), lambda: reduce_huge(x)[::2])
        return r, None, bits
    product = n * second
    lost = exact_fma(n, second, -product)
    high = r - product
    moved = r - high  # the exact difference of r and product is high + low, whichever is larger (Knuth's two-sum)
    low = (r - (high + moved)) + (moved - product)
    low = low - exact_fma(n, third, lost)
    high, low, bits = rarely(is_huge, (high, low, bits), lambda: reduce_huge(x))
    return high, low, bits


def sin_cos_of_small(r: Term, low: Term | None) -> tuple[Term, Term]:
    """Return the sine and the cosine of r + low for |r| <= pi/4."""
    z = r * r
    cube = z * r
    sine = polynomial(z, SIN[r.kind])
    cosine = polynomial(z, COS[r.kind])
    half = 0.5 * z
    rough = 1.0 - half
    rest = (1.0 - rough) - half  # what the rounding of 1 - z/2 took
    if low is None:
        return fma(sine, cube, r), rough + fma(cosine, z * z, rest)
    # sin(r + low) = sin(r) + low cos(r), cos(r + low) = cos(r) - low sin(r). Source: fdlibm, k_sin.c and k_cos.c.
    sine_rest = fma(sine, cube, low * rough)
    cosine_rest = fma(cosine, z * z, rest - r * low)
    return r + sine_rest, rough + cosine_rest


def turn(a: Term, b: Term, quadrant: Term) -> Term:
    """Return a in even quadrants and b in odd ones, negated in the third and fourth."""
    shift = FRACTION_BITS[a.kind] + {"float": 7, "double": 10}[a.kind]  # moves bit 1 of n to where the sign stands
    chosen = where((quadrant & 1).equals(0), a, b)
    return (chosen.bits() ^ ((quadrant & 2) << shift)).real()


@vectorized
def sin(x: Term) -> Term:
    """Write the sine."""
    r, low, bits = reduce_by_half_pi(x, needs_low=x.kind == "double")
    sine, cosine = sin_cos_of_small(r, low)
    return where(magnitude(x) < 2.0**-60, x, turn(sine, cosine, bits))  # -0 stays


@vectorized
def cos(x: Term) -> Term:
    """Write the cosine."""
    r, low, bits = reduce_by_half_pi(x, needs_low=x.kind == "double")
    sine, cosine = sin_cos_of_small(r, low)
    return turn(sine, cosine, bits + 1)  # cos(x) = sin(x + pi/2)


@vectorized
def tan(x: Term) -> Term:
    """Write the tangent, as the quotient of sine and cosine."""
    r, low, bits = reduce_by_half_pi(x, needs_low=True)
    sine, cosine = sin_cos_of_small(r, low)
    is_even = (bits & 1).equals(0)
    result = where(is_even, sine, -cosine) / where(is_even, cosine, sine)
    return where(magnitude(x) < 2.0**-60, x, result)
