"""Borders of one value around the last axes of a variable."""

from __future__ import annotations

from typing import Any

import septet.dialects.theano.tensor as T
from septet.dialects.lasagne.utils import int_types


def widths_of(width: Any, ndim: int, batch_ndim: int) -> list[tuple[int, int]]:
    """Return how wide the border is at both ends of each axis."""
    given = [width] * (ndim - batch_ndim) if isinstance(width, int_types) else list(width)
    ends = [(own, own) if isinstance(own, int_types) else tuple(own) for own in given]
    return ([(0, 0)] * batch_ndim + ends + [(0, 0)] * ndim)[:ndim]


def pad(x: Any, width: Any, val: Any = 0, batch_ndim: int = 1) -> Any:
    """Return a variable with a border."""
    ends = widths_of(width, x.ndim, batch_ndim)
    shape = [x.shape[axis] + low + high for axis, (low, high) in enumerate(ends)]
    border = T.ones(shape) * val if val else T.zeros(shape)
    inner = tuple(
        slice(low, low + x.shape[axis]) if low or high else slice(None) for axis, (low, high) in enumerate(ends)
    )
    return T.set_subtensor(border[inner], x)
