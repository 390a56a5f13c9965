"""The memory of arrays: where lines of the cache begin; and giving what is free back to the system."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from septet.base.dtypes import DType

LINE = 64
"""Bytes of a line of the cache."""


def aligned(shape: tuple[int, ...], dtype: DType) -> np.ndarray:
    """Return an array in C order whose elements, which are not set, begin with a line of the cache.

    Where they begin elsewhere, as NumPy's do, loading a register may take two lines (measured: the product of a matrix
    and a vector takes 1.15 times as long).
    """
    count = math.prod(shape) * dtype.itemsize
    memory = np.empty(count + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    return memory[start : start + count].view(dtype).reshape(shape)


def give_back() -> bool:
    """Give free pages of the C library's heap back to the system; True where the library can.

    glibc keeps arrays that were freed for later ones. Where a program changes over to memory of another kind, it would
    hold both. Takes about 0.1 ms for each megabyte given back.
    """
    trim = _trim()
    return trim is not None and bool(trim(0))


@lru_cache(maxsize=1)
def _trim() -> Callable[[int], int] | None:
    """Return ``malloc_trim`` of glibc, or None where the C library is another one."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return None
