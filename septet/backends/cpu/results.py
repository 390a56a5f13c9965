"""Memory for results: arrays whose memory comes back to be used again.

Fresh memory from the operating system costs a page fault for every 4 KB that is written for the first time, more than
computing what is written. So large results take memory that earlier ones have left, and give it back when Python drops
the last array that shows it. What comes back is bounded.

An array may go at any moment: while Python collects garbage inside of a function of this module, or when Ctrl-C has just
been pressed, which would be lost if it were to be raised inside of a `__del__`. So nothing but a C function runs then.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import threading
from collections import deque
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


class _Loan(functools.partial[None]):
    """Memory on loan to arrays; where the last of them goes, the loan's ticket is put among those that have ended."""

    __array_interface__: dict[str, Any]
    block: Any

    __del__ = vars(functools.partial)["__call__"]


class _Pool:
    """Blocks that lie idle, and the loans whose blocks will.

    The ticket of a loan is a list of block and size. Together with the idle ones, they take up to `IDLE` bytes: beyond,
    the oldest loans lose their claim, and their tickets are emptied. The handler of a signal may come here in the midst
    of what its own thread does here.
    """

    def __init__(self) -> None:
        self.lock = forks.hold(threading.RLock())
        self.idle: dict[int, list[Any]] = {}  # size -> blocks
        self.running: dict[int, list[Any]] = {}  # tickets of loans, by identity, the oldest first
        self.ended: deque[list[Any]] = deque()
        self.claimed = 0  # bytes of both

    def take(self, size: int) -> Any:
        """Return a block, an idle one where there is one."""
        with self.lock:
            try:
                self._sort_in()
                blocks = self.idle.get(size)
                if blocks:
                    self.claimed -= size
                    return blocks.pop()
            except BaseException:  # Ctrl-C
                self._count()
                raise
        block = mmap.mmap(-1, size, **_PRIVATE)
        if size >= HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
            block.madvise(mmap.MADV_HUGEPAGE)
        return block

    def lend(self, block: Any, size: int) -> _Loan:
        """Return a loan of a block."""
        with self.lock:
            try:
                ticket = [block, size] if size <= IDLE else []
                loan = _Loan(self.ended.append, ticket)
                if ticket:
                    self._make_room(size)
                    self.running[id(ticket)] = ticket
                    self.claimed += size
            except BaseException:
                self._count()
                raise
        loan.block = block
        return loan

    def _sort_in(self) -> None:
        while self.ended:
            ticket = self.ended.popleft()
            if ticket and self.running.pop(id(ticket), None) is not None:  # not if Ctrl-C has come while it was made
                self.idle.setdefault(ticket[1], []).append(ticket[0])

    def _make_room(self, size: int) -> None:
        while self.claimed + size > IDLE and self.running:
            ticket = self.running.pop(next(iter(self.running)))
            self.claimed -= ticket[1]
            ticket.clear()
        while self.claimed + size > IDLE and self.idle:
            other, blocks = next(iter(self.idle.items()))
            if blocks:
                blocks.pop()
                self.claimed -= other
            else:
                del self.idle[other]

    def _count(self) -> None:
        idle = sum([size * len(blocks) for size, blocks in self.idle.items()])
        self.claimed = idle + sum([ticket[1] for ticket in self.running.values() if ticket])

    def release(self) -> int:
        """Give idle memory back to the operating system, and return how many bytes it was."""
        with self.lock:
            self._sort_in()
            freed = sum([size * len(blocks) for size, blocks in self.idle.items()])
            self.idle.clear()
            self._count()
        return freed


_pool = _Pool()


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
    block = _pool.take(rounded)
    loan = _pool.lend(block, rounded)
    address = ctypes.addressof(ctypes.c_char.from_buffer(block))
    loan.__array_interface__ = {"data": (address, False), "shape": shape, "typestr": dtype.str, "version": 3}
    return np.asarray(loan)


def release() -> int:
    """Give all idle memory back to the operating system; return how many bytes it was."""
    return _pool.release()
