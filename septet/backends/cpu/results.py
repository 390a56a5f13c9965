"""Memory for results: arrays whose memory comes back to be used again.

Fresh memory from the operating system costs a page fault for every 4 KB that is written for the first time, more than
computing what is written. So large results take memory that earlier ones have left, and give it back when Python drops
the last array that shows it. What lies idle is bounded.
"""

from __future__ import annotations

import ctypes
import mmap
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from septet.base import forks
from septet.base.dtypes import DType

LARGE = 1 << 20
"""Bytes from which a result takes part; below, the allocator of the C library keeps memory by itself."""
IDLE = 1 << 28
"""Bytes that may lie idle; the rest goes back to the operating system."""

HUGE = 1 << 22
"""Bytes from which pages of 2 MB are asked for: fewer page faults, fewer misses in the table of pages."""

_PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
_idle: dict[int, list[Any]] = {}  # size -> blocks
_held = 0
_lock = forks.hold(threading.Lock())


class _Loan:
    """Memory on loan to arrays; the last of them that goes brings it back."""

    __slots__ = ("__array_interface__", "block", "size")

    def __init__(self, block: Any, address: int, size: int, shape: tuple[int, ...], dtype: DType) -> None:
        self.block = block
        self.size = size
        self.__array_interface__ = {"data": (address, False), "shape": shape, "typestr": dtype.str, "version": 3}

    def __del__(self) -> None:
        _give_back(self.block, self.size)


def maker(shape: tuple[int, ...], dtype: DType) -> Callable[[tuple[int, ...], DType], np.ndarray]:
    """Return what makes an array as `new` does, for one shape and dtype."""
    return np.empty if _is_small(shape, dtype) else new


def _is_small(shape: tuple[int, ...], dtype: DType) -> bool:
    """Tell whether the allocator of the C library keeps the memory of such arrays by itself."""
    count = dtype.itemsize
    for size in shape:
        count *= size
    return count < LARGE or dtype.isbuiltin != 1


def new(shape: tuple[int, ...], dtype: DType) -> np.ndarray:
    """Return an array whose elements are not set.

    Parameters
    ----------
    shape : tuple of int
    dtype : numpy.dtype

    Returns
    -------
    ndarray
        In C order; for large ones, beginning at a page.
    """
    count = dtype.itemsize
    for size in shape:
        count *= size
    if count < LARGE or dtype.isbuiltin != 1:  # as `_is_small`, without a call
        return np.empty(shape, dtype)
    rounded = -(-count // mmap.PAGESIZE) * mmap.PAGESIZE
    block = _take(rounded)
    address = ctypes.addressof(ctypes.c_char.from_buffer(block))
    return np.asarray(_Loan(block, address, rounded, shape, dtype))


def _take(size: int) -> Any:
    global _held
    with _lock:
        blocks = _idle.get(size)
        if blocks:
            _held -= size
            return blocks.pop()
    block = mmap.mmap(-1, size, **_PRIVATE)
    if size >= HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE)
    return block


def _give_back(block: Any, size: int) -> None:
    global _held
    if not _lock.acquire(blocking=False):  # a collection inside `_take` of this thread: the block goes
        return
    try:
        if _held + size <= IDLE:
            _idle.setdefault(size, []).append(block)
            _held += size
    finally:
        _lock.release()


def release() -> int:
    """Give all idle memory back to the operating system; return how many bytes it was."""
    global _held
    with _lock:
        freed, _held = _held, 0
        _idle.clear()
    return freed
