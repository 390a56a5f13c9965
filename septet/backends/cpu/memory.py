"""Where values lie while a program runs: pieces of memory, and tensors as strided views of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from septet.base.dtypes import DType
from septet.base.shapes import cut
from septet.base.sizes import of_sizes, plain, scope_of

ARENA, INPUT, READ, WRITTEN, OUTPUT, CONSTANT = "arena", "input", "read", "written", "output", "constant"
ALIGNMENT = 64  # a cache line, and the widest vector


class Memory:
    """A piece of memory that a program reads or writes.

    Attributes
    ----------
    kind : str
        ARENA: the program's own, for values on the way. INPUT, READ, WRITTEN, OUTPUT: an argument, the present and the
        new value of a variable, a result; their addresses differ from call to call. CONSTANT: the array of `value`.
    size : int
        Bytes.
    number : int
        Which input, variable or output.
    value : ndarray or None
    sizes : tuple or None
        What the value is a quotient of, where it follows from sizes.
    first, last : int
        The steps that write it first and use it last.
    offset : int
        Where it lies in the arena, in bytes.
    node : Node or None
        What it holds, to tell users.
    """

    __slots__ = ("first", "kind", "last", "node", "number", "offset", "size", "sizes", "value")

    def __init__(self, kind: str, size: int, number: int = -1, value: Any = None, node: Any = None) -> None:
        self.kind = kind
        self.size = size
        self.number = number
        self.value = value
        self.node = node
        self.first = -1
        self.last = -1
        self.offset = 0
        self.sizes: Any = None

    def __repr__(self) -> str:
        return f"<{self.kind} memory, {self.size} bytes>"


class Place(NamedTuple):
    """An address inside a piece of memory."""

    memory: Memory
    offset: int


class Strided(NamedTuple):
    """A tensor in memory.

    Attributes
    ----------
    memory : Memory
    dtype : numpy.dtype
    shape, strides : tuple of int
        Strides in elements.
    offset : int
        Of the first element, in elements.
    """

    memory: Memory
    dtype: DType
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @property
    def place(self) -> Place:
        """The address of the first element."""
        return Place(self.memory, self.offset * self.dtype.itemsize)

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements lie one after the other in the order of the axes."""
        return all(n == 1 or s == own for n, s, own in zip(self.shape, self.strides, strides_of(self.shape)))

    def as_bits(self) -> Strided:
        """Return a view of the same bytes as integers, for what only moves elements."""
        size = self.dtype.itemsize
        if size <= 8:
            return self._replace(dtype=np.dtype(f"int{8 * size}"))
        half = size // 8
        strides = (*[stride * half for stride in self.strides], 1)
        return Strided(self.memory, np.dtype(np.int64), (*self.shape, half), strides, self.offset * half)

    def transposed(self, axes: Sequence[int]) -> Strided:
        """Return a view with the axes in another order."""
        return self._replace(shape=tuple(self.shape[a] for a in axes), strides=tuple(self.strides[a] for a in axes))

    def broadcast(self, shape: tuple[int, ...]) -> Strided:
        """Return a view that repeats axes of size 1."""
        more = len(shape) - len(self.shape)
        strides = [0] * more
        strides += [s if n == m else 0 for n, m, s in zip(self.shape, shape[more:], self.strides)]
        return self._replace(shape=shape, strides=tuple(strides))

    def sliced(self, slices: Sequence[slice]) -> Strided:
        """Return a view of a part."""
        shape, strides, offset = [], [], self.offset
        for size, stride, own in zip(self.shape, self.strides, slices):
            start, _, step, count = cut(own.start, own.stop, own.step, size)
            shape.append(count)
            strides.append(stride * step)
            offset += start * stride if shape[-1] else 0
        return self._replace(shape=tuple(shape), strides=tuple(strides), offset=offset)

    def reshaped(self, shape: tuple[int, ...]) -> Strided | None:
        """Return a view with other axes, or None where the elements would have to move."""
        if scope_of((shape, self.shape, self.strides)) is not None:
            strides = _reshaped(self.shape, self.strides, shape)
            return None if strides is None else self._replace(shape=shape, strides=strides)
        dummy = np.lib.stride_tricks.as_strided(_ANY, self.shape, self.strides)
        try:
            view = dummy.reshape(shape, copy=False)
        except ValueError:
            return None
        return self._replace(shape=shape, strides=view.strides)


Spans = tuple[tuple[int, int, int], ...]
"""Sizes of pieces of memory, with their first and last steps."""

_ANY = np.empty(1, np.int8)  # never looked at: NumPy works out strides on it


def _reshaped(old: tuple[int, ...], old_strides: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the strides of a view with other axes as NumPy does, which does not know open sizes."""
    strides = [0] * len(new)
    if 0 in old:
        return tuple(strides)
    axes = [(size, stride) for size, stride in zip(old, old_strides, strict=True) if size != 1]
    position = 0
    while position < len(new):
        if new[position] == 1:
            strides[position] = axes[0][1] * axes[0][0] if axes else 1
            position += 1
            continue
        some, begin = 1, position  # old axes and new ones with as many elements
        total, count = axes[0][0], new[position]
        while total != count:
            if total < count:
                total, some = total * axes[some][0], some + 1
            else:
                position += 1
                count = count * new[position]
        for (_, outer), (size, inner) in pairwise(axes[:some]):
            if outer != inner * size:
                return None
        step = axes[some - 1][1]
        for axis in range(position, begin - 1, -1):
            strides[axis] = step
            step = step * new[axis]
        axes = axes[some:]
        position += 1
    return tuple(strides)


def strides_of(shape: Sequence[int], order: Sequence[int] | None = None) -> tuple[int, ...]:
    """Return the strides of a tensor without gaps, its axes from slow to fast in the given order."""
    strides = [0] * len(shape)
    step = 1
    for axis in reversed(range(len(shape)) if order is None else order):
        strides[axis] = step
        step *= max(shape[axis], 1)
    return tuple(strides)


def arrange(memories: Sequence[Memory]) -> int:
    """Give every piece of the arena its offset, so that pieces in use at the same time do not overlap.

    Returns
    -------
    int
        The size of the arena in bytes.
    """
    spans = tuple([(memory.size, memory.first, memory.last) for memory in memories])
    known = _arranged(plain(spans))
    if scope_of(spans) is not None:
        known = _arranged_again(spans, (plain(spans), known))
    total, *offsets = known
    for memory, offset in zip(memories, offsets, strict=True):
        memory.offset = offset
    return total


@of_sizes
def _arranged_again(spans: Spans, before: tuple[Spans, tuple[int, ...]]) -> tuple[int, ...]:
    """Return an arrangement for other sizes: that of before, where no piece has become larger."""
    fits = all([size <= own for (size, _, _), (own, _, _) in zip(spans, before[0], strict=True)])
    return before[1] if fits else _arranged(spans)


def _arranged(spans: Spans) -> tuple[int, ...]:
    """Return the size of an arena and the offsets of its pieces, given their sizes, first and last steps."""
    total = 0
    found = [0] * len(spans)
    placed = np.empty((4, len(spans)), np.int64)  # offset, end, first, last: by offset
    order = sorted(range(len(spans)), key=lambda n: (-spans[n][0], spans[n][1]))
    for count, number in enumerate(order):  # first fit, decreasing
        size, first, last = spans[number]
        size = -(-size // ALIGNMENT) * ALIGNMENT
        offsets, ends, firsts, lasts = placed[:, :count]
        beside = (firsts <= last) & (lasts >= first)
        starts, room = offsets[beside], np.maximum.accumulate(ends[beside])
        begins = np.concatenate(([0], room))  # where it could lie before each of those beside it, and behind them all
        fits = np.flatnonzero(begins[:-1] + size <= starts)
        found[number] = start = int(begins[fits[0] if fits.size else -1])
        place = int(np.searchsorted(offsets, start))
        placed[:, place + 1 : count + 1] = placed[:, place:count]
        placed[:, place] = start, start + size, first, last
        total = max(total, start + size)
    return (total, *found)


def arena_of(memories: Sequence[Memory]) -> int:
    """Arrange the arena's pieces among all memories of a plan and return its size in bytes."""
    return arrange([memory for memory in memories if memory.kind == ARENA and memory.first >= 0])
