"""Borders of one value around the last axes of a variable."""

from __future__ import annotations

from typing import Any

import septet.dialects.theano.tensor as T
from septet.dialects.lasagne.utils import int_types


def widths_of(width: Any, ndim: int, batch_ndim: int) -> list[tuple[int, int]]:
    """Return how wide the border is at both ends of each axis.

    Parameters
    ----------
    width : int, or iterable of int or (int, int)
        For all axes but the first ones, or for each of them, or for both ends of each.
    ndim : int
    batch_ndim : int
        How many axes at the start get no border.
    """
    given = [width] * (ndim - batch_ndim) if isinstance(width, int_types) else list(width)
    ends = [(own, own) if isinstance(own, int_types) else tuple(own) for own in given]
    return ([(0, 0)] * batch_ndim + ends + [(0, 0)] * ndim)[:ndim]


def pad(x: Any, width: Any, val: Any = 0, batch_ndim: int = 1) -> Any:
    """Return a variable with a border.

    Parameters
    ----------
    x : variable
    width : int, or iterable of int or (int, int)
        How wide the border is: on all sides, or for each axis, or for both ends of each axis.
    val : number
    batch_ndim : int
        How many axes at the start get no border.
    """
    ends = widths_of(width, x.ndim, batch_ndim)
    shape = [x.shape[axis] + low + high for axis, (low, high) in enumerate(ends)]
    border = T.ones(shape) * val if val else T.zeros(shape)
    inner = tuple(slice(low, low + x.shape[axis]) if low or high else slice(None) for axis, (low, high) in enumerate(ends))
    return T.set_subtensor(border[inner], x)
