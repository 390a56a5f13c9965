"""The logarithm of the gamma function, and its derivatives.

Up to BORDER by quotients of polynomials with the zeros taken out, beyond by Stirling's series with fitted coefficients,
for negative numbers by reflection. All in double: floats are converted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from septet.backends.cpu.builder import Builder, Value
from septet.backends.cpu.vectormath import coefficients
from septet.backends.cpu.vectormath.exponential import LN2_HIGH, LN2_LOW
from septet.backends.cpu.vectormath.logarithm import log_of_one_plus_parts, log_term, split
from septet.backends.cpu.vectormath.steps import (
    INFINITY,
    NAN,
    Term,
    exact_fma,
    fma,
    in_double,
    magnitude,
    polynomial,
    vectorized,
    where,
)

BORDER = 3.0
PI, PI_REST = 3.141592653589793, 1.2246467991473532e-16  # in two parts
LOG_PI = 1.1447298858494002
STIRLING = 0.4189385332046727  # log(2 pi) / 2 - 1/2
DIGAMMA_ROOT = (1.4616321449683622, 9.549995429965697e-17)  # in two parts


def sin_cos_of_pi(a: Term) -> tuple[Term, Term]:
    """Return |sin(pi a)|, and cos(pi a) times the sign of sin(pi a), for a >= 0."""
    w = a - a.call("rint")  # exact; half a period
    size = magnitude(w)
    is_steep = size > 0.25
    angle = where(is_steep, 0.5 - size, size) * PI
    z = angle * angle
    sine = fma(polynomial(z, coefficients.SIN_DOUBLE), z * angle, angle)
    cosine = fma(polynomial(z, coefficients.COS_DOUBLE), z * z, fma(z, -0.5, 1.0))
    quotient_sign = where(is_steep, sine, cosine).call("copysign", w)
    return where(is_steep, cosine, sine), quotient_sign


@vectorized
@in_double
def gammaln(x: Term) -> Term:
    """Write log |gamma(x)|; infinite at 0 and the negative whole numbers."""
    a = magnitude(x)
    log_a = log_term(a)
    # log gamma(1 + u) = u (u - 1) p(u) / q(u). Below 1: gamma(a) = gamma(a + 1) / a.
    is_small = a < 1.0
    u = where(is_small, a, a - 1.0)
    near = u * (u - 1.0) * (polynomial(u, coefficients.GAMMALN) / polynomial(u, coefficients.GAMMALN_BELOW))
    near = where(is_small, near - log_a, near + 0.0)  # no negative zero
    # (a - 1/2) log(a) - a + log(2 pi) / 2, in terms that are all positive
    inverse = 1.0 / a
    series = polynomial(inverse * inverse, coefficients.GAMMALN_FAR) * inverse
    far = fma(a - 0.5, log_a - 1.0, series + STIRLING)
    result = where(a < BORDER, near, where(a < INFINITY, far, a))
    # gamma(-a) gamma(a) = -pi / (a sin(pi a))
    sine, _ = sin_cos_of_pi(a)
    reflected = -(log_term(sine * (1.0 / PI)) + log_a) - result
    reflected = where(sine > 0.0, reflected, INFINITY)  # NaN too, but only that of minus infinity
    return where(x < 0.0, reflected, result)


def cotangent_of_pi(a: Term) -> tuple[Term, Term]:
    """Return pi cot(pi a) for a >= 0 as a sum of two terms, the second far below the last place of the first.

    At whole numbers the first is infinite.
    """
    w = a - a.call("rint")  # exact; half a period
    size = magnitude(w)
    is_steep = size > 0.25  # cot(pi/2 - t) = tan(t)
    t = where(is_steep, 0.5 - size, size)
    angle = t * PI
    lost = fma(t, PI_REST, exact_fma(t, PI, -angle))
    z = angle * angle
    sine = two_parts(angle, fma(polynomial(z, coefficients.SIN_DOUBLE), z * angle, fma(lost, -0.5 * z, lost)))
    lost = fma(angle, lost, 0.5 * exact_fma(angle, angle, -z))
    cosine = two_parts(t.like(1.0), fma(polynomial(z, coefficients.COS_DOUBLE), z * z, -0.5 * z) - lost)
    over, over_rest = (where(is_steep, s, c) for s, c in zip(sine, cosine, strict=True))
    below, below_rest = (where(is_steep, c, s) for s, c in zip(sine, cosine, strict=True))
    quotient = over / below
    rest = (exact_fma(-quotient, below, over) + fma(-quotient, below_rest, over_rest)) / below
    high = quotient * PI
    low = fma(rest, PI, fma(quotient, PI_REST, exact_fma(quotient, PI, -high)))
    low = where(magnitude(high) < INFINITY, low, 0.0)
    is_turned = w < 0.0
    return where(is_turned, -high, high), where(is_turned, -low, low)


def two_parts(high: Term, low: Term) -> tuple[Term, Term]:
    """Return the sum of two terms, rounded, and what rounding took from it; |high| >= |low|."""
    total = high + low
    return total, low - (total - high)


@vectorized
@in_double
def digamma(x: Term) -> Term:
    """Write the derivative of log gamma(x); NaN at the negative whole numbers, infinite against the sign of x at 0.

    For negative numbers, the two large terms of the reflection may cancel: they are added in two parts each.
    """
    is_negative = x < 0.0
    a = where(is_negative, 1.0 - x, x)  # digamma(x) = digamma(1 - x) - pi cot(pi x)
    is_small = a < 1.0
    u = where(is_small, a, a - 1.0)  # digamma(a) = digamma(a + 1) - 1 / a
    quotient = polynomial(u, coefficients.DIGAMMA) / polynomial(u, coefficients.DIGAMMA_BELOW)
    inverse = 1.0 / a
    near = ((u - (DIGAMMA_ROOT[0] - 1.0)) - DIGAMMA_ROOT[1]) * quotient
    near = where(is_small, near - inverse, near)
    square = inverse * inverse
    series = fma(square, polynomial(square, coefficients.DIGAMMA_FAR), 0.5 * inverse)
    m, n, _ = split(a)
    first, second = log_of_one_plus_parts(m - 1.0)
    is_far = a >= BORDER
    high = where(is_far, n * LN2_HIGH["double"], near)  # n ln 2 without rounding
    low = where(is_far, first + (fma(n, LN2_LOW["double"], second) - series), 0.0)
    result = where(a < INFINITY, high + low, a)
    turned, turned_low = cotangent_of_pi(magnitude(x))
    total = high + turned
    back = total - high
    lost = (high - (total - back)) + (turned - back)  # exact
    reflected = where(magnitude(total) < INFINITY, total + (lost + (low + turned_low)), total)
    reflected = where(x.equals(x.call("rint")), NAN, reflected)
    return where(is_negative, reflected, result)


BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)  # B_2, B_4, ... B_16
SERIES_FROM = 12  # plus the order: from there on the series is exact to the last places


def whole_power(x: Term, exponent: int) -> Term:
    """Return x to a power from 1 on, by squaring."""
    if exponent == 1:
        return x
    half = whole_power(x, exponent // 2)
    return half * half * x if exponent % 2 else half * half


def polygamma_upwards(n: int, x: Term) -> Term:
    """Return the n-th derivative of digamma over (-1)**(n + 1) n!, for x >= 1/2, n >= 1.

    The sum of (x + k)**-(n + 1) up to x + k = 12 + n, and the asymptotic series there (DLMF 5.15.5, 5.15.8).
    """
    b, start = x.builder, float(SERIES_FROM + n)

    def goes_on(carried: Sequence[Value]) -> Value:
        return b.any_lane((Term(b, carried[0]) < start).value)

    def step(carried: Sequence[Value]) -> list[Value]:
        z, total = (Term(b, value) for value in carried)
        is_low = z < start
        total = where(is_low, total + whole_power(1.0 / z, n + 1), total)
        return [where(is_low, z + 1.0, z).value, total.value]

    z, total = (Term(b, value) for value in b.repeat([x.value, x.like(0.0).value], goes_on, step))
    inverse = 1.0 / z
    series = polynomial(
        inverse * inverse,
        [
            number * math.factorial(2 * k + n - 1) / (math.factorial(2 * k) * math.factorial(n))
            for k, number in enumerate(BERNOULLI, 1)
        ],
    )
    head = fma(inverse, n / 2, 1.0) * (1 / n) + series * inverse * inverse
    return fma(head, whole_power(inverse, n), total)


def cotangent_derivative(n: int) -> list[float]:
    """Return the coefficients of the n-th derivative of cot(t) in powers of cot(t): the derivative is -(1 + cot(t)**2)."""
    coefficients_of = [0.0, 1.0]
    for _ in range(n):
        slope = [k * c for k, c in enumerate(coefficients_of)][1:]
        coefficients_of = [
            -(below + above) for below, above in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope], strict=True)
        ]
    return coefficients_of


def polygamma_term(n: int, x: Term) -> Term:
    """Return the n-th derivative of digamma of a double; below 1/2 by reflection (DLMF 5.15.6)."""
    is_low = x < 0.5
    sign = -1.0 if n % 2 == 0 else 1.0
    direct = polygamma_upwards(n, where(is_low, 1.0 - x, x)) * (sign * math.factorial(n))
    sine, cosine = sin_cos_of_pi(magnitude(x))
    cotangent = where(x < 0.0, -(cosine / sine), cosine / sine)
    turned = polynomial(cotangent, cotangent_derivative(n)) * PI ** (n + 1)
    reflected = (-direct if n % 2 else direct) - turned
    # At the poles both sides agree for odd n; else the sign of the zero chooses one.
    pole = x.like(INFINITY) if n % 2 else where(x.equals(0.0), x.like(INFINITY).call("copysign", -x), NAN)
    reflected = where(sine.equals(0.0), where(x.equals(-INFINITY), NAN, pole), reflected)
    return where(is_low, reflected, direct)


def polygamma(b: Builder, x: Value, n: int = 1) -> Value:
    """Write the n-th derivative of digamma."""
    if n == 0:
        return digamma(b, x)
    return in_double(lambda term: polygamma_term(n, term))(Term(b, x)).value
