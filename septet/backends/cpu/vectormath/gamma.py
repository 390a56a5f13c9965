"""The logarithm of the gamma function, and its derivative.

Up to BORDER by quotients of polynomials with the zeros taken out, beyond by Stirling's series with fitted coefficients,
for negative numbers by reflection. All in double: floats are converted.
"""

from __future__ import annotations

from septet.backends.cpu.vectormath import coefficients
from septet.backends.cpu.vectormath.logarithm import log_term
from septet.backends.cpu.vectormath.steps import (
    INFINITY,
    NAN,
    Term,
    fma,
    in_double,
    magnitude,
    polynomial,
    vectorized,
    where,
)

BORDER = 3.0
PI = 3.141592653589793
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


@vectorized
@in_double
def digamma(x: Term) -> Term:
    """Write the derivative of log gamma(x); NaN at the negative whole numbers, infinite against the sign of x at 0."""
    is_negative = x < 0.0
    a = where(is_negative, 1.0 - x, x)  # digamma(x) = digamma(1 - x) - pi cot(pi x)
    is_small = a < 1.0
    u = where(is_small, a, a - 1.0)  # digamma(a) = digamma(a + 1) - 1 / a
    quotient = polynomial(u, coefficients.DIGAMMA) / polynomial(u, coefficients.DIGAMMA_BELOW)
    inverse = 1.0 / a
    near = ((u - (DIGAMMA_ROOT[0] - 1.0)) - DIGAMMA_ROOT[1]) * quotient
    near = where(is_small, near - inverse, near)
    square = inverse * inverse
    far = log_term(a) - fma(square, polynomial(square, coefficients.DIGAMMA_FAR), 0.5 * inverse)
    result = where(a < BORDER, near, far)
    sine, cosine = sin_cos_of_pi(magnitude(x))
    reflected = result + PI * (cosine / sine)
    reflected = where(sine.equals(0.0), NAN, reflected)
    return where(is_negative, reflected, result)
