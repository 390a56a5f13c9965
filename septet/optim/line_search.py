"""Line search: how far to go in a direction so that the strong Wolfe conditions hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Point(NamedTuple):
    """A point on the line: how far, the value there, its slope along the line, the whole gradient."""

    distance: float
    value: float
    slope: float
    gradient: Any


def strong_wolfe(
    look: Callable[[float], Point], start: Point, first: float, *, decrease: float = 1e-4, curvature: float = 0.9,
    most: int = 25,
) -> tuple[Point, int]:  # fmt: skip
    """Find a point where the value has decreased enough and the slope is flat enough.

    Parameters
    ----------
    look : callable
        From a distance to the point there.
    start : Point
        At distance 0; its slope is negative.
    first : float
        The distance to try first.
    decrease, curvature : float
        The constants of the two conditions, ``f(t) <= f(0) + decrease t f'(0)`` and ``|f'(t)| <= curvature |f'(0)|``.
    most : int
        How often to look at most; then the best point seen is taken.

    Returns
    -------
    (Point, int)
        The point, and how often it was looked.

    Source
    ------
    J. Nocedal, S. J. Wright, "Numerical Optimization", 2006, algorithms 3.5 and 3.6, with minima of cubics (equation
    3.59).
    """

    def is_too_high(point: Point) -> bool:
        return not point.value <= start.value + decrease * point.distance * start.slope

    def is_flat(point: Point) -> bool:
        return abs(point.slope) <= -curvature * start.slope

    before, distance, low, high = start, first, None, None
    best = start
    for count in range(1, most + 1):
        point = look(distance)
        if point.value < best.value:
            best = point
        if low is None:  # the interval is still open: go on until it holds a minimum
            if is_too_high(point) or (before is not start and point.value >= before.value):
                low, high = before, point
            elif is_flat(point):
                return point, count
            elif point.slope >= 0:
                low, high = point, before
            else:
                step = point.distance - before.distance
                distance = _minimum(before, point, point.distance + 0.1 * step, point.distance + 9 * step)
                before = point
                continue
        elif is_too_high(point) or point.value >= low.value:
            high = point
        else:
            if is_flat(point):
                return point, count
            if point.slope * (high.distance - low.distance) >= 0:
                high = low
            low = point
        left, right = sorted((low.distance, high.distance))
        margin = 0.1 * (right - left)
        if margin <= 1e-16 * max(right, 1e-300):
            break
        distance = _minimum(low, high, left + margin, right - margin)
    return best, count


def _minimum(a: Point, b: Point, least: float, most: float) -> float:
    """Return the minimum of the cubic through two points with their slopes, kept inside of an interval."""
    width = b.distance - a.distance
    with np.errstate(all="ignore"):
        first = a.slope + b.slope - 3 * (b.value - a.value) / width
        second = np.sign(width) * np.sqrt(np.float64(first * first - a.slope * b.slope))
        found = b.distance - width * (b.slope + second - first) / np.float64(b.slope - a.slope + 2 * second)
    if not np.isfinite(found):
        return 0.5 * (least + most)
    return float(min(max(found, least), most))
