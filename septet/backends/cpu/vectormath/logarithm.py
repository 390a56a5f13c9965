"""Logarithms, softplus and logaddexp.

x = m 2**n, sqrt(1/2) <= m < sqrt(2); log(m) by a polynomial in m - 1 (float) or in s = (m - 1) / (m + 1) (double).
"""

from __future__ import annotations

from septet.backends.cpu.vectormath import coefficients
from septet.backends.cpu.vectormath.exponential import LN2_HIGH, LN2_LOW, exp_of_negative_term
from septet.backends.cpu.vectormath.steps import (
    BIAS,
    FRACTION_BITS,
    INFINITY,
    NAN,
    Term,
    at_least,
    exact_fma,
    fma,
    magnitude,
    polynomial,
    vectorized,
    where,
)

SMALLEST_NORMAL = {"float": 2.0**-126, "double": 2.0**-1022}
HALF_ROOT_BITS = {"float": 0x3F3504F3, "double": 0x3FE6A09E667F3BCD}  # the bits of sqrt(1/2)
LOG_IN_BASE = {"2": coefficients.LOG2_FLOAT, "10": coefficients.LOG10_FLOAT}
TINY_CHANCE = {"float": 2.0**-100, "double": 2.0**-900}  # below, 1 / p may overflow, and 1 does not count beside it
# 1 / log(base) in two parts, each rounded to the format.
INVERSE_LOG = {
    "2": {
        "float": (1.4426950216293335, 1.925963033500011e-08),
        "double": (1.4426950408889634, 2.0355273740931033e-17),
    },
    "10": {
        "float": (0.4342944920063019, -1.0103049952192578e-08),
        "double": (0.4342944819032518, 1.098319650216765e-17),
    },
}
# log10(2) in two parts, the first cut after 16 (float) or 32 bits (double), so that n times it is exact.
LOG10_2 = {
    "float": (0.30103302001953125, -3.024355464731343e-06),
    "double": (0.3010299956658855, -1.9043128467164274e-12),
}


def split(x: Term, *, denormals: bool = True) -> tuple[Term, Term, Term]:
    """Return m and n with x = m 2**n, and n's bits where the exponent stands; for x > 0 and finite.

    With `denormals` false, x must be 0 or normal.
    """
    kind = x.kind
    places = FRACTION_BITS[kind]
    if denormals:
        tiny = x < SMALLEST_NORMAL[kind]
        x = where(tiny, x * 2.0**places, x)
    bits = x.bits()
    # Subtracting the bits of sqrt(1/2) carries into the exponent exactly where m would be sqrt(2) or more.
    high = (bits - HALF_ROOT_BITS[kind]) & -(1 << places)
    m = (bits - high).real()
    n = exponent_to_real(high, kind)
    if denormals:
        n = where(tiny, n - float(places), n)
    return m, n, high


def exponent_to_real(high: Term, kind: str) -> Term:
    """Convert the signed integer that stands in the exponent's place to a float or double."""
    places = FRACTION_BITS[kind]
    if kind == "float":
        return high.shift_signed(places).convert("sitofp", "float")
    # Before AVX-512 there is neither this shift nor this conversion for i64: write n + bias behind the point of 2**52.
    biased = (high + (BIAS[kind] << places)) >> places
    return (biased | (0x433 << places)).real() - (2.0**52 + BIAS[kind])


def log_of_one_plus_parts(f: Term) -> tuple[Term, Term]:
    """Return f and a remainder whose sum is log(1 + f), in double.

    log(1 + f) = f - (f**2 / 2 - s (f**2 / 2 + R)), s = f / (2 + f), R = 2 artanh(s) / s - 2 as a polynomial in s**2.
    Source: fdlibm, e_log.c; the polynomial is our own.
    """
    s = f / (f + 2.0)
    z = s * s
    half_square = 0.5 * f * f
    rest = polynomial(z, coefficients.LOG_DOUBLE) * z
    return f, fma(s, half_square + rest, -half_square)


def add_exponent(n: Term, high: Term, low: Term) -> Term:
    """Return n ln 2 + high + low."""
    return fma(n, LN2_HIGH[n.kind], high + fma(n, LN2_LOW[n.kind], low))


def settle(result: Term, x: Term) -> Term:
    """Put in what a logarithm of x is at the edges: -inf at 0, NaN below, and x itself at infinity and NaN."""
    outside = where(x.equals(0.0), result.like(-INFINITY), NAN)
    return where(x < INFINITY, where(x > 0.0, result, outside), x)


def log_of_split(n: Term, f: Term) -> Term:
    """Return n ln 2 + log(1 + f)."""
    if f.kind == "float":
        rest = fma(polynomial(f, coefficients.LOG_FLOAT), f * f, n * LN2_LOW["float"])
        return fma(n, LN2_HIGH["float"], rest + f)
    return add_exponent(n, *log_of_one_plus_parts(f))


def log_term(x: Term) -> Term:
    """Return the natural logarithm."""
    m, n, _ = split(x)
    return settle(log_of_split(n, m - 1.0), x)


@vectorized
def log(x: Term) -> Term:
    """Write the natural logarithm."""
    return log_term(x)


def log_in_base(x: Term, base: str) -> Term:
    """Return the logarithm in base 2 or 10.

    log(1 + f) / log(base) without a product that is rounded: f / log(base) is taken in two parts.
    """
    kind = x.kind
    high, low = INVERSE_LOG[base][kind]
    m, n, _ = split(x)
    f = m - 1.0
    if kind == "float":
        rest = fma(polynomial(f, LOG_IN_BASE[base]), f * f, f * low)
        if base == "2":
            return settle(n + fma(f, high, rest), x)
        exact, more = LOG10_2[kind]
        return settle(fma(n, exact, fma(f, high, fma(n, more, rest))), x)
    first, second = log_of_one_plus_parts(f)
    product = first * high
    rest = exact_fma(first, high, -product) + fma(first, low, second * high)
    if base == "10":
        exact, more = LOG10_2[kind]
        rest = fma(n, more, rest)
        n = n * exact  # without rounding
    total = n + product
    return settle(total + ((n - total) + product + rest), x)


@vectorized
def log2(x: Term) -> Term:
    """Write the logarithm in base 2; exact for powers of 2."""
    return log_in_base(x, "2")


@vectorized
def log10(x: Term) -> Term:
    """Write the logarithm in base 10."""
    return log_in_base(x, "10")


def log1p_core(x: Term, *, largest: int | None = None, doublings: Term | None = None) -> Term:
    """Return log(1 + x) for finite x > -1, where |x| is not below 2**-100 (then the result is x) or `largest` is given.

    `largest` is a bound on the exponent of 1 + x: with it, 2**-n is known to be a normal number. With `doublings`, a
    whole number k, the result is log((1 + x) 2**k).
    """
    u = x + 1.0
    lost = x - (u - 1.0)  # what rounding took from 1 + x: exact, or without weight where x > 2**FRACTION_BITS
    m, n, high = split(u, denormals=False)
    # lost / 2**n joins m - 1. For the largest n, 2**-n is not a normal number, but 2**(2 - n) is.
    if largest is None:
        f = fma(lost * 0.25, (x.like(4.0).bits() - high).real(), m - 1.0)
    else:
        f = fma(lost, (x.like(1.0).bits() - high).real(), m - 1.0)
    if doublings is not None:
        n = n + doublings
    return log_of_split(n, f)


def log1p_term(x: Term) -> Term:
    """Return log(1 + x)."""
    result = settle(log1p_core(x), x + 1.0)
    return where(magnitude(x) < 2.0**-100, x, result)


@vectorized
def log1p(x: Term) -> Term:
    """Write log(1 + x), exact to the last places near 0 too."""
    return log1p_term(x)


@vectorized
def logit(p: Term) -> Term:
    """Write log(p / (1 - p)) as log(1 + |1 - 2 p| / d) with the sign of p - 1/2, d the smaller of p and 1 - p.

    1 - 2 p is exact where it is small, and so is 1 - p where that is the smaller. -inf at 0, inf at 1, NaN outside.
    """
    is_low = p < 0.5
    smaller = where(is_low, p, 1.0 - p)
    is_tiny = smaller < TINY_CHANCE[p.kind]
    quotient = (1.0 - 2.0 * smaller) / where(is_tiny, smaller * 2.0**64, smaller)
    result = log1p_core(quotient, doublings=where(is_tiny, smaller.like(64.0), 0.0))
    result = where(magnitude(quotient) < 2.0**-100, quotient, result)
    result = where(smaller > 0.0, result, where(smaller.equals(0.0), smaller.like(INFINITY), NAN))
    return where(is_low, -result, result)


@vectorized
def xlogy(x: Term, y: Term) -> Term:
    """Write x log(y), and 0 where x is 0, unless y is NaN."""
    return where(x.equals(0.0) & y.equals(y), 0.0, x * log_term(y))


@vectorized
def xlog1py(x: Term, y: Term) -> Term:
    """Write x log(1 + y), and 0 where x is 0, unless y is NaN."""
    return where(x.equals(0.0) & y.equals(y), 0.0, x * log1p_term(y))


@vectorized
def softplus(x: Term) -> Term:
    """Write log(1 + e**x) as max(x, 0) + log(1 + e**-|x|): nothing overflows, small results keep all their places."""
    return at_least(x, 0.0) + log1p_core(exp_of_negative_term(magnitude(x)), largest=1)


@vectorized
def logaddexp(a: Term, b: Term) -> Term:
    """Write log(e**a + e**b) as max(a, b) + log(1 + e**-|a - b|)."""
    difference = where(a.equals(b), 0.0, a - b)  # equal infinities too
    larger = where(a > b, a, b)
    return larger + log1p_core(exp_of_negative_term(magnitude(difference)), largest=1)
