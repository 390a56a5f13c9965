"""Graphs of a few nodes, run many in a row by one native call: what define-by-run code is made of before it is compiled.

A piece is a plan whose operands and results lie wherever each call says. So a list of numbers is a program: for each
call the piece, and the addresses of its operands and results.
"""

from __future__ import annotations

import ctypes
from array import array
from functools import lru_cache
from typing import Any

import numpy as np

from septet.backends.cpu import jit, native
from septet.backends.cpu.calling import address_of
from septet.backends.cpu.linking import align
from septet.backends.cpu.memory import ALIGNMENT
from septet.backends.cpu.program import CpuProgram, Plan
from septet.backends.cpu.results import new
from septet.base.dtypes import DType

FIRST = 1 << 20
"""Bytes of working memory to begin with."""
KEPT = 1 << 26
"""Bytes of it that stay for the next evaluation."""


class Piece:
    """A compiled graph of known sizes, without variables.

    Attributes
    ----------
    address : int
        Where native code finds what it is.
    results : tuple of (shape, dtype)
    sizes : tuple of int
        Bytes of each result, in whole lines of the cache.
    size : int or None
        That of the one result; None where there are several.
    arena : int
        Bytes of working memory.
    """

    __slots__ = ("_plan", "_record", "address", "arena", "results", "size", "sizes")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        *where, status = plan.linked.addresses()
        bases, *rest = where
        self._record = np.array([bases, len(plan.bases) - 1, *rest, status], np.int64)
        self.address = address_of(self._record)
        self.results = tuple(plan.outputs)
        self.sizes = tuple([align(max(memory.size, 1)) for memory in plan.planner.outputs])
        self.size = self.sizes[0] if len(self.sizes) == 1 else None
        self.arena = plan.linked.arena_size


def piece_of(program: CpuProgram) -> Piece | None:
    """Return a program as a piece; None where it needs Python on the way."""
    plan = program.prepare([node.shape for node in program.graph.inputs])  # type: ignore[misc]
    if not isinstance(plan, Plan) or not plan.is_native or plan.reads or plan.updates:
        return None
    return Piece(plan)


class Calls:
    """A list of calls of pieces, and the memory that they work on.

    Attributes
    ----------
    list : list of int
        For each call the address of a piece, those of its operands, those of its results.
    free : dict of int to list of int
        Blocks that were given back, by size.
    arena : int
        The most bytes that a piece on the list works in.
    """

    __slots__ = ("_chunks", "_copies", "_end", "_held", "_next", "_scratch", "arena", "free", "list")

    def __init__(self) -> None:
        self.list: list[int] = []
        self._held: list[np.ndarray] = []  # what must stay alive until the calls have run
        self._copies: list[tuple[int, int, int]] = []  # to do after that: where to, where from, bytes
        self._chunks: list[np.ndarray] = []
        self.free: dict[int, list[int]] = {}
        self._next = 0
        self._end = 0
        self.arena = 0
        self._scratch = np.empty(0, np.uint8)

    # Working memory.

    def take(self, size: int) -> int:
        """Return the address of a block of working memory; its size is in whole lines of the cache."""
        found = self.free.get(size)
        if found:
            return found.pop()
        address = self._next
        if address + size > self._end:
            address = self._grow(size)
        self._next = address + size
        return address

    def zeros(self, count: int) -> tuple[int, int]:
        """Return the address and the size of a block of zeros, of some bytes, that no call on the list has used."""
        size = align(max(count, 1))
        address = self._next
        if address + size > self._end:
            address = self._grow(size)
        self._next = address + size
        ctypes.memset(address, 0, size)
        return address, size

    @staticmethod
    def home(array: np.ndarray) -> int:
        """Return where the elements of an array lie, 0 where they are not in C order; the caller keeps it alive."""
        return address_of(array) if array.flags.c_contiguous else 0

    def give(self, address: int, size: int) -> None:
        """Let calls that are put on the list from now on use a block."""
        self.free.setdefault(size, []).append(address)

    def _grow(self, size: int) -> int:
        whole = sum([chunk.nbytes for chunk in self._chunks])
        chunk = np.empty(max(size, whole, FIRST) + ALIGNMENT, np.uint8)
        self._chunks.append(chunk)
        start = align(address_of(chunk))
        self._end = address_of(chunk) + chunk.nbytes
        return start

    # Arrays.

    def address(self, array: np.ndarray) -> int:
        """Return where the elements of an array lie for the calls that are on the list when they run next."""
        if not array.flags.c_contiguous:
            array = np.ascontiguousarray(array)
        self._held.append(array)
        return address_of(array)

    def arrays(self, piece: Piece) -> list[np.ndarray]:
        """Put fresh arrays on the list for the results of a piece, and return them."""
        arrays = [new(shape, dtype) for shape, dtype in piece.results]
        self._held += arrays
        self.list += [address_of(array) for array in arrays]
        return arrays

    def filled(self, address: int, shape: tuple[int, ...], dtype: DType) -> np.ndarray:
        """Return an array that will have the elements of a block when the calls have run."""
        array = new(shape, dtype)
        self._held.append(array)
        self._copies.append((address_of(array), address, array.nbytes))
        return array

    def copy(self, address: int, shape: tuple[int, ...], dtype: DType) -> np.ndarray:
        """Return the elements of a block as they are now."""
        array = new(shape, dtype)
        ctypes.memmove(address_of(array), address, array.nbytes)
        return array

    # The whole list.

    def run(self) -> bool:
        """Run what is on the list, and empty it.

        Returns
        -------
        bool
            False where an error in values was found; what comes after it did not run.
        """
        is_right = True
        if self.list:
            if self.arena + ALIGNMENT > self._scratch.nbytes:  # apart from the blocks, which take turns with the calls
                self._scratch = np.empty(self.arena + ALIGNMENT, np.uint8)
            flat = array("q", self.list)
            is_right = _native()(flat.buffer_info()[0], len(flat), align(address_of(self._scratch))) == 0
            self.list.clear()
        for to, come, size in self._copies:
            ctypes.memmove(to, come, size)
        self._copies.clear()
        for own in self._held:
            own.setflags(write=False)
        self._held.clear()
        return is_right

    def end(self) -> None:
        """Forget everything; memory of a moderate size stays for the next evaluation."""
        self.list.clear()
        self._held.clear()
        self._copies.clear()
        self.free.clear()
        self.arena = self._next = self._end = 0
        if self._scratch.nbytes > KEPT:
            self._scratch = np.empty(0, np.uint8)
        self._chunks = [chunk for chunk in self._chunks[-1:] if chunk.nbytes <= KEPT]
        for chunk in self._chunks:
            self._next = align(address_of(chunk))
            self._end = address_of(chunk) + chunk.nbytes


@lru_cache(maxsize=1)
def begin() -> None:
    """Have another thread compile what runs pieces."""
    jit.begin([native.module("pieces")])


@lru_cache(maxsize=1)
def _native() -> Any:
    return native.callable_with_lock("pieces", 3)
