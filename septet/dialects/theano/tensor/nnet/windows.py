"""Windows of tensors whose sizes may be known only when the program runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import septet as st
from septet.ops.resize import cut

Sizes = Sequence[Any]
"""Ints and scalar tensors of integers, one for each of the last axes."""


def gathered(x: Any, counts: Sizes, windows: Sizes, strides: Sizes, dilations: Sizes | None = None) -> Any:
    """Return the windows that slide along the last axes.

    Shape
    -----
    x (..., H, W); result (..., windows along H, window height, windows along W, window width).
    """
    rank = len(counts)
    first = x.ndim - rank
    for number, (count, window, stride) in enumerate(zip(counts, windows, strides, strict=True)):
        axis = first + 2 * number
        dilation = 1 if dilations is None else dilations[number]
        places = st.expand_dims(st.arange(count) * stride, axis=1) + st.expand_dims(
            st.arange(window) * dilation, axis=0
        )
        lead, tail = x.shape[:axis], x.shape[axis + 1 :]
        x = st.reshape(st.take(x, st.reshape(places, (-1,)), axis=axis), (*lead, count, window, *tail))
    return x


def padded(x: Any, pads: Sequence[tuple[Any, Any]], value: Any = 0) -> Any:
    """Return a tensor with elements of one value before and after its last axes."""
    first = x.ndim - len(pads)
    for axis, pair in enumerate(pads, start=first):
        parts = [x]
        for position, width in enumerate(pair):
            if isinstance(width, int) and width == 0:
                continue
            sizes = (*x.shape[:axis], width, *x.shape[axis + 1 :])
            parts.insert(position * len(parts), st.full(sizes, value, dtype=x.dtype))
        x = st.concatenate(parts, axis=axis) if len(parts) > 1 else x
    return x


def resized(x: Any, axis: int, size: Any) -> Any:
    """Return a tensor with an axis cut off, or filled up with zeros, to a size."""
    return st.Tensor(cut(x.node, axis, size if isinstance(size, int) else size.node))


def is_known(sizes: Any) -> bool:
    """Tell whether sizes, or pairs of them, are ints."""
    return all(is_known(one) if isinstance(one, tuple) else isinstance(one, int) for one in sizes)
