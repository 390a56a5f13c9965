"""Keys of every kind that NumPy takes: what reading and updating by keys is tested with."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

SHAPE = (3, 4, 2)
KINDS = ["int", "slice", "all", "array", "scalar", "mask", "masks", "new"]


@st.composite
def keys(draw: Any, shape: tuple[int, ...] = SHAPE) -> tuple[Any, ...]:
    """A key for a shape: integers, slices, None, dots, booleans, integer arrays, masks of one and of two axes.

    Index arrays broadcast together; the places that masks select do not always, see `expected`.
    """
    count = draw(st.integers(0, len(shape)))
    is_end = draw(st.booleans())  # the items are for the last axes, after dots
    axes = range(len(shape) - count, len(shape)) if is_end else range(count)
    sizes = draw(st.sampled_from([(), (2,), (3, 1), (3, 2), (0,)]))
    items: list[Any] = []
    covered = -1  # the last axis that has its item already
    for axis in axes:
        if axis <= covered:
            continue
        size = shape[axis]
        kind = draw(st.sampled_from(KINDS))
        if kind == "new":
            items.append(None)
            kind = "int"
        if kind == "int":
            items.append(draw(st.integers(-size, size - 1)))
        elif kind == "all":
            items.append(slice(None))
        elif kind == "slice":
            bound = st.none() | st.integers(-size - 2, size + 2)
            items.append(slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, -1, -3]))))
        elif kind == "scalar":
            items.append(np.array(draw(st.integers(-size, size - 1))))
        elif kind in ("mask", "masks"):
            covered = axis + (kind == "masks" and axis < axes[-1])
            own = shape[axis : covered + 1]
            count = int(np.prod(own))
            items.append(np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count))).reshape(own))
        else:
            count = int(np.prod(sizes))
            flat = draw(st.lists(st.integers(-size, size - 1), min_size=count, max_size=count))
            items.append(np.array(flat, np.int64).reshape(sizes))
    if is_end:
        items.insert(0, ...)
    elif draw(st.booleans()):
        items.append(...)
    if draw(st.integers(0, 5)) == 0:
        items.insert(draw(st.integers(0, len(items))), draw(st.booleans()))
    return tuple(items)


def expected(x: np.ndarray, key: Any) -> np.ndarray:
    """What NumPy gives; keys whose index arrays do not broadcast are not what a test is about."""
    try:
        return x[key]
    except IndexError:
        assume(False)
        raise
