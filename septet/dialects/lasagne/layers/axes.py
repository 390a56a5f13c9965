"""Parameters that are shared along some axes of a layer's input: their shapes, and how they are laid over it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from septet.dialects.lasagne.utils import int_types


def shared_axes_of(axes: Any, ndim: int) -> tuple[int, ...]:
    """Return axes as a tuple: "auto" are all but the second, "all" are all, a number is that one."""
    if isinstance(axes, str):
        if axes == "auto":
            return (0, *range(2, ndim))
        if axes == "all":
            return tuple(range(ndim))
    return (axes,) if isinstance(axes, int_types) else axes


def unshared_shape(input_shape: Iterable[int | None], shared: Iterable[int], message: str) -> list[int]:
    """Return the sizes of the axes that are not shared; they must be known."""
    shape = [size for axis, size in enumerate(input_shape) if axis not in shared]
    if any(size is None for size in shape):
        raise ValueError(message)
    return shape  # type: ignore[return-value]


def laid_over(param: Any, ndim: int, shared: Iterable[int]) -> Any:
    """Return a parameter with axes of size 1 where it is shared."""
    own = iter(range(param.ndim))
    return param.dimshuffle(["x" if axis in shared else next(own) for axis in range(ndim)])


def size_of(sizes: Iterable[int | None]) -> int | None:
    """Return the product of sizes, None where one is not known."""
    sizes = list(sizes)
    return None if any(size is None for size in sizes) else int(np.prod(sizes))  # type: ignore[arg-type]
