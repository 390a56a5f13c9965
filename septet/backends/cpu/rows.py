"""How a kernel goes through its rows: what it keeps from one pass to the next, and how many rows it computes together."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from septet.backends.cpu import elements
from septet.backends.cpu.loops import OP, REDUCE, Facts, Kernel, Store
from septet.base.dtypes import BY_NAME

BLOCK = 8
"""Rows of a block: lanes of a register for float32, of two for float64."""
BLOCK_BYTES = 1 << 15
"""Bytes of the rows of a block, which later passes read again: a first-level cache."""
CACHED_BYTES = 1 << 21
"""Bytes that lie in a cache. Numbers from memory should come evenly: not for a block at once, with passes between (measured:
layer normalization of 16 MB takes 1.1 to 2 times as long in blocks, of 64 KB 0.8 times)."""
VALUES = 8
"""Half of the registers hold totals and numbers of rows; the others, operands."""
DEAR = 8
"""What a function of many instructions takes, in simple ones."""
SAVED = 60
"""What is saved, in simple instructions, where one number goes through such a function together with seven others."""
RUN = 128
"""Steps of a loop along long rows that are summed by themselves: what is added to the total of many others loses the digits
by which that is larger (the sum of 4 million float32 in `test_rows.py` was 335 units in the last place off, and is 1)."""
WORTH = 1 / 16
"""The part of a row's work from which on it is worth to compute rows together."""


def block_of(kernel: Kernel, sizes: Sequence[int]) -> int:
    """Return how many rows a kernel should compute together, 1 for none; see `lowering`.

    It pays where functions of many instructions take one number of each row. How many rows there are does not count: the
    kernel of a batch is also that of a smaller one.
    """
    facts, axis = Facts(kernel), kernel.outer - 1
    if not kernel.lane_is_inner or axis < (1 if kernel.split == 1 else 0) or kernel.split == kernel.outer:
        return 1
    if facts.passes == 1 or any(store.indices for store in kernel.stores):
        return 1
    if any(term.form == REDUCE and axis not in facts.axes[n] for n, term in enumerate(kernel.terms)):
        return 1
    row = prod(sizes[kernel.outer :])
    if row * bytes_per_point(kernel) * BLOCK > BLOCK_BYTES:
        return 1
    work = saved = 0.0
    for number, term in enumerate(kernel.terms):
        is_dear = term.form == OP and term.data[0] in elements.DEAR
        if facts.is_inner(number) and term.form == OP:
            work += row / BLOCK * (DEAR if is_dear else 1)
        elif is_dear and axis in facts.axes[number]:
            saved += SAVED
    return BLOCK if saved and saved >= WORTH * work else 1


def bytes_per_point(kernel: Kernel) -> int:
    """Return how many bytes a kernel reads for each point of its rows, of what is another one in each row."""
    return sum(
        BY_NAME[buffer.dtype].itemsize
        for buffer in kernel.buffers
        if buffer.strides[kernel.outer - 1] and any(buffer.strides[kernel.outer :]) and not buffer.is_written
    )


def is_total_of_rows(kernel: Kernel, store: Store) -> bool:
    """Tell whether a store adds rows up, element by element."""
    strides = kernel.buffers[store.buffer].strides
    return bool(store.how) and not strides[kernel.outer - 1] and any(strides[kernel.outer :])


def rows_in_loop(
    kernel: Kernel, facts: Facts, needed: Sequence[int], own: int, reductions: Sequence[int], stores: Sequence[Store]
) -> int:
    """Return how many rows of a block share a loop over the inner axes.

    Several where they share operands, or are added up; so many that registers hold their totals and numbers.

    Parameters
    ----------
    needed : sequence of int
        The values that the loop is for.
    own : int
        How many numbers of each row it takes.
    """
    axis, pending, seen, is_shared = kernel.outer - 1, list(needed), set(), False
    while pending:
        number = pending.pop()
        if number in seen or not facts.is_inner(number):
            continue
        seen.add(number)
        term = kernel.terms[number]
        if axis not in facts.axes[number]:
            is_shared = True
        elif term.form == OP and term.data[0] in elements.DEAR:
            return 1
        pending.extend(term.args)
    if not is_shared and not any(is_total_of_rows(kernel, store) for store in stores):
        return 1
    rows = kernel.rows
    while rows > 1 and rows * max(own + 4 * len(reductions), 1) > VALUES:
        rows //= 2
    return rows


def rows_to_keep(kernel: Kernel, facts: Facts) -> dict[int, int]:
    """Return values along the inner axes that are dear to compute and needed in several passes, with their first pass."""
    dear: list[bool] = []
    for term in kernel.terms:
        is_dear = term.form == OP and term.data[0] in elements.DEAR
        dear.append(is_dear or (term.form == OP and any(dear[a] and facts.is_inner(a) for a in term.args)))
    first: dict[int, int] = {}
    kept: dict[int, int] = {}
    for stage in range(facts.passes):
        pending = [
            term.args[0] for n, term in enumerate(kernel.terms) if term.form == REDUCE and facts.stages[n] == stage + 1
        ]
        pending += [s.value for s in kernel.stores if facts.stages[s.value] == stage and facts.is_inner(s.value)]
        seen: set[int] = set()
        while pending:
            number = pending.pop()
            if number in seen or not facts.is_inner(number):
                continue
            seen.add(number)
            if dear[number] and first.setdefault(number, stage) != stage:
                kept[number] = first[number]
                continue
            if kernel.terms[number].form != REDUCE:
                pending.extend(kernel.terms[number].args)
    return kept
