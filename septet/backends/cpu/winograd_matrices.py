"""Minimal filtering (Winograd): a short convolution as fewer multiplications between sums of its operands.

F(m, r) computes m neighbouring results of a filter with r taps from m + r - 1 elements with as many multiplications,
instead of m * r: results = output @ ((kernel @ taps) * (data @ elements)). In two dimensions the matrices are applied along
both axes, so a tile of 4 x 4 results of a 3 x 3 kernel takes 36 multiplications instead of 144.

Source: A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308, with the matrices of Toom
and Cook: polynomials are evaluated at points, multiplied there, and interpolated. Their points are 0, 1, -1, 2, -2 and
infinity; ours lie closer together, which halves the error: it is about twice that of the plain sum of products.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import NamedTuple

SIZE = 6
"""Elements that a tile sees along an axis. Larger ones save more and lose digits: 8 would lose one more."""
POINTS = (Fraction(0), Fraction(5, 8), Fraction(-5, 8), Fraction(3, 2), Fraction(-3, 2))
"""Where polynomials are evaluated, and at infinity. Of all a, b in eighths and sixteenths these lose the least in
F(4, 3), F(2, 5) and their gradients."""

Matrix = tuple[tuple[Fraction, ...], ...]


class Filter(NamedTuple):
    """The matrices of F(m, r).

    Attributes
    ----------
    data : tuple of tuple of Fraction
        (m + r - 1, m + r - 1). Depends on m + r alone.
    kernel : tuple of tuple of Fraction
        (m + r - 1, r)
    output : tuple of tuple of Fraction
        (m, m + r - 1)
    """

    data: Matrix
    kernel: Matrix
    output: Matrix


@cache
def filtering(results: int, taps: int) -> Filter:
    """Return the matrices of F(results, taps), for results + taps - 1 equal to `SIZE`."""
    assert results + taps - 1 == SIZE
    one = Fraction(1)
    rows, kernel = [], []
    for point in POINTS:
        others = [other for other in POINTS if other != point]
        divisor = one
        for other in others:
            divisor *= point - other
        rows.append((*_polynomial(others), Fraction(0)))
        kernel.append(tuple(point**power / divisor for power in range(taps)))
    rows.append(_polynomial(POINTS))
    kernel.append((*[Fraction(0)] * (taps - 1), one))
    output = [(*[point**power for point in POINTS], Fraction(power == results - 1)) for power in range(results)]
    return Filter(tuple(rows), tuple(kernel), tuple(output))


def _polynomial(roots: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Return the coefficients of the product of all x - root, from the lowest power on."""
    found = [Fraction(1)]
    for root in roots:
        found = [
            before - root * after for before, after in zip([Fraction(0), *found], [*found, Fraction(0)], strict=True)
        ]
    return tuple(found)
