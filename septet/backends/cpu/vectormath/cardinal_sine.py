"""sin(pi x) / (pi x) and its derivatives; float in double.

With t = pi x and f = sin(t) / t, t f' + f = cos(t), and the derivatives follow from t f_n + n f_(n-1) = sin_n(t), where
sin_n is the n-th derivative of the sine. For small t that subtracts nearly equal numbers: there, Taylor's series.
"""

from __future__ import annotations

import math

from septet.backends.cpu.builder import Builder, Value
from septet.backends.cpu.vectormath.gamma import PI, sin_cos_of_pi
from septet.backends.cpu.vectormath.steps import INFINITY, Term, in_double, magnitude, polynomial, where

LIMIT = 1.5  # up to here, and up to the order, the series
NEGLIGIBLE = 1e-18


def series_of(order: int, limit: float) -> list[float]:
    """Return the coefficients of the n-th derivative of sin(t) / t, in powers of t**2, without a factor t of odd orders."""
    coefficients: list[float] = []
    k = (order + 1) // 2
    while True:
        power = 2 * k - order
        coefficient = (-1) ** k / ((2 * k + 1) * math.factorial(power))
        coefficients.append(coefficient)
        if power > limit and abs(coefficient) * limit**power < NEGLIGIBLE / (order + 1):
            return coefficients
        k += 1


def sinc_term(x: Term, order: int) -> Term:
    """Return the derivative of some order of a double."""
    size = magnitude(x)
    sine, cosine = sin_cos_of_pi(size)  # |sin|, and the cosine with a sign that goes with it
    half = size.call("floor") * 0.5
    is_turned = magnitude(half - half.call("rint")) > 0.0  # the sine is negative
    sine, cosine = (where(is_turned, -part, part) for part in (sine, cosine))
    t = size * PI
    limit = max(LIMIT, float(order))
    inverse = 1.0 / where(t < limit, t.like(limit), t)
    turns = (sine, cosine, -sine, -cosine)
    far = sine * inverse
    for n in range(1, order + 1):
        far = (turns[n % 4] - float(n) * far) * inverse
    if order:  # the function itself has no value at infinity, as in NumPy
        far = where(size.equals(INFINITY), 0.0, far)
    near = polynomial(t * t, series_of(order, limit))
    if order % 2:
        near = near * t
    result = where(t < limit, near, far) * PI**order
    return where(x < 0.0, -result, result) if order % 2 else result


def sinc(b: Builder, x: Value, order: int = 0) -> Value:
    """Write sin(pi x) / (pi x), or a derivative of it."""
    return in_double(lambda term: sinc_term(term, order))(Term(b, x)).value
