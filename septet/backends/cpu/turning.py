"""A matrix transposed into other memory, a square of a vector's width at a time.

A matrix whose columns are neighbours is read badly by tiles that walk along its rows: each step is another line of the
cache. Where it is large and used often, it is turned once. Rows of the turned matrix are a line further from each other
than needed: a power of two between them would let them meet in few sets of the cache.
"""

from __future__ import annotations

from septet.backends.cpu import jit
from septet.backends.cpu.direct_panels import transpose
from septet.backends.cpu.direct_tiles import Machine
from septet.backends.cpu.writing import Block, Writer, module_text

FIELDS = ("source", "target", "source_row", "target_row", "rows", "columns", "tall", "wide", "n_wide")
"""The arguments, in order: addresses; elements from row to row of the source and of the target; rows and columns of the
source; those of a task, and how many tasks lie side by side."""

TALL, WIDE = 128, 128
"""Rows and columns of the source that a task turns: 64 KB of float32. Asking for what comes next made it slower."""
LINE = 64  # bytes that the cache fetches at a time


def turned_row(rows: int, item: int) -> int:
    """Return the elements from row to row of a turned matrix."""
    line = LINE // item
    return -(-rows // line) * line + line


def _turn(machine: Machine) -> Writer:
    """Write the kernel. Args: `FIELDS`."""
    w = Writer("turn", [("args", "ptr"), ("begin", "i64"), ("end", "i64")])
    b, kind, lanes = w.b, machine.kind, machine.lanes
    f = Block(w, w.pointer("args"), FIELDS)
    source, target = w.to_pointer(f.source), w.to_pointer(f.target)
    source_row, target_row, tall, wide = f.source_row, f.target_row, f.tall, f.wide
    with w.range(w.parameter("begin"), w.parameter("end")) as task:
        top, left = task // f.n_wide * tall, task % f.n_wide * wide
        rows, columns = (f.rows - top).min(tall), (f.columns - left).min(wide)
        own = w.at(source, top * source_row + left, kind)
        there = w.at(target, left * target_row + top, kind)
        even_rows, even_columns = rows - rows % lanes, columns - columns % lanes
        with w.range(0, even_columns, lanes) as column, w.range(0, even_rows, lanes) as row:
            places = [w.at(own, (row + i) * source_row + column, kind) for i in range(lanes)]
            for i, value in enumerate(transpose(b, [b.load(place, kind, lanes) for place in places])):
                b.store(value, w.at(there, (column + i) * target_row + row, kind))
        for first_column, last_column, first_row in ((0, even_columns, even_rows), (even_columns, columns, 0)):
            with w.range(first_column, last_column) as column, w.range(first_row, rows) as row:
                value = b.load(w.at(own, row * source_row + column, kind), kind)
                b.store(value, w.at(there, column * target_row + row, kind))
    return w


def module(name: str) -> jit.Module:
    """Return the module of the kernel, by its `kernel_name`."""
    _, kind, lanes = name.split("-")
    return jit.Module("turn", module_text([_turn(Machine(kind, int(lanes), 1, 1))]))


def kernel_name(machine: Machine) -> str:
    """Return the name of the kernel, for `module`."""
    return f"turn-{machine.kind}-{machine.lanes}"
