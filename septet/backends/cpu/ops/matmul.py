"""Contractions: matrix products by our own tiles (`matmul_tiles`), or by OpenBLAS, cut into tasks of fixed sizes that
threads take one by one.

The dimension that is summed is never cut, so results do not depend on the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from septet.backends.cpu import openblas, turning
from septet.backends.cpu.direct_tiles import machine
from septet.backends.cpu.memory import Strided, strides_of
from septet.backends.cpu.ops.matmul_dense import FEW, plan_dense
from septet.backends.cpu.ops.matmul_tiles import is_unchanged, plan_tiles
from septet.backends.cpu.planner import Planner
from septet.base.sizes import of_sizes
from septet.graph.node import Node

WORK = 1 << 22
"""Multiplications of a task at least: 0.1 ms, beside which waking a thread is little."""
TASKS = 8
"""Tasks that a product is cut into, where it is large enough: fewer are larger, and pack less of their operands twice."""
SIDE = 1024  # rows and columns of a task at most
MOST = 1 << 33  # multiplications of a task at most, about: a quarter of a second, after which Ctrl-C comes through
SMALL = 1 << 21  # multiplications and additions below which one thread does everything
DEPTH = 128
"""Elements that are summed up to which `matmul_dense` beats the library for transposed matrices
(`benchmarks/products.py turned`)."""
TALL = 1024
"""Rows from which it does so whatever is summed, where there are at most half as many columns."""
LEAST = 32
"""Rows, columns and elements that are summed from which it does so, for batches of matrices, too."""
SLIM = 8
"""Rows, pairs of columns and elements that are summed from which it does so for at most `matmul_dense.FEW` rows that lie one
by one in memory."""

BROAD = 64
"""Rows of a transposed matrix from which it is turned first, where there are at most `matmul_dense.FEW`, and as many columns
of the result: then the product, whose tasks all read the whole matrix, is 1 to 1.3 times as fast, turning included."""
SMALL_MATRIX = 1 << 15  # elements below which one thread turns all


class Matrix(NamedTuple):
    """A batch of matrices in memory.

    Attributes
    ----------
    there : Strided
    batch : tuple of int
        Strides of the batch axes, in elements.
    row, column : int
        Strides, in elements.
    """

    there: Strided
    batch: tuple[int, ...]
    row: int
    column: int


def is_planned(node: Node) -> bool:
    """Tell whether a product is planned here, and not computed in Python."""
    is_empty = 0 in node.shape or any(0 in n.shape for n in node.inputs)
    return node.dtype.name in ("float32", "float64") and not is_empty


def plan_dot(planner: Planner, node: Node) -> bool:
    """Plan `dot_general` for float32 and float64, and the sum of its result and something else where that is all that
    happens to it."""
    if not is_planned(node):
        return False
    (left_sum, right_sum), (left_batch, right_batch) = node.param("contracting"), node.param("batch")
    a, b = (planner.look(source) for source in node.inputs)
    left = [i for i in range(len(a.shape)) if i not in left_sum and i not in left_batch]
    right = [i for i in range(len(b.shape)) if i not in right_sum and i not in right_batch]
    n_batch = len(left_batch)
    a = a.transposed([*left_batch, *left, *left_sum])
    b = b.transposed([*right_batch, *right_sum, *right])
    batch = a.shape[:n_batch]
    m, k = _size(a.shape[n_batch : n_batch + len(left)]), _size(a.shape[n_batch + len(left) :])
    n = _size(b.shape[n_batch + len(right_sum) :])
    result, other = planner.sums.get(node, (node, None))
    c = planner.allocate(result, planner.orders.get(node))
    first = _matrix(a, n_batch, len(left)) or _matrix(planner.copied(a), n_batch, len(left))
    second = _matrix(b, n_batch, len(right_sum)) or _matrix(planner.copied(b), n_batch, len(right_sum))
    third = _matrix(c, n_batch, len(left))
    target = c
    if third is None:
        target = planner.scratch(c.shape, c.dtype)
        third = _matrix(target, n_batch, len(left))
    assert first is not None and second is not None and third is not None
    levels = _levels(batch, (first.batch, second.batch, third.batch))
    if len(levels) > 2:
        first, second = (
            _matrix(planner.copied(a), n_batch, len(left)),
            _matrix(planner.copied(b), n_batch, len(right_sum)),
        )
        target = planner.scratch(c.shape, c.dtype)
        third = _matrix(target, n_batch, len(left))
        assert first is not None and second is not None and third is not None
        levels = _levels(batch, (first.batch, second.batch, third.batch))
    base = third if planner.adds(node) else None
    if other is not None:
        there = planner.look(other).broadcast(c.shape)
        base = None if levels else _summand(there, third, len(left))
        if base is None:
            planner.copied(there, target)
            base = third
    _emit(planner, node, first, second, third, base, levels, m, n, k)
    if target is not c:
        planner.copied(target, c)
    return True


def _size(sizes: Sequence[int]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total


def _matrix(there: Strided, n_batch: int, n_rows: int) -> Matrix | None:
    """Return a tensor as a batch of matrices, one of whose strides is 1; None where elements would have to move."""
    rows = _merged(there.shape[n_batch : n_batch + n_rows], there.strides[n_batch : n_batch + n_rows])
    columns = _merged(there.shape[n_batch + n_rows :], there.strides[n_batch + n_rows :])
    if rows is None or columns is None:
        return None
    (m, row), (n, column) = rows, columns
    if n == 1 and (column == 1 or row != 1):
        column = 1
    elif m == 1 and row != 1 and column != 1:
        row = 1
    batch = tuple(s if size != 1 else 0 for size, s in zip(there.shape[:n_batch], there.strides))
    if column == 1 and (row >= n or m == 1):
        return Matrix(there, batch, max(row, n) if m == 1 else row, 1)
    if row == 1 and (column >= m or n == 1):
        return Matrix(there, batch, 1, max(column, m) if n == 1 else column)
    return None


def _summand(there: Strided, c: Matrix, n_rows: int) -> Matrix | None:
    """Return what is added to a matrix: elements are neighbours where those of the matrix are, or rows all the same."""
    rows = _merged(there.shape[:n_rows], there.strides[:n_rows])
    columns = _merged(there.shape[n_rows:], there.strides[n_rows:])
    if rows is None or columns is None or (columns if c.column == 1 else rows)[1] != 1:
        return None
    return Matrix(there, (), rows[1], columns[1])


def _merged(shape: Sequence[int], strides: Sequence[int]) -> tuple[int, int] | None:
    """Return size and stride of axes taken as one."""
    total, step = 1, 0
    for size, stride in zip(reversed(shape), reversed(strides)):
        if size == 1:
            continue
        if total == 1:
            step = stride
        elif stride != step * total:
            return None
        total *= size
    return total, step if total > 1 else 1


def _levels(batch: Sequence[int], strides: Sequence[Sequence[int]]) -> list[tuple[int, tuple[int, ...]]]:
    """Merge batch axes where all operands run on: rows of (size, strides)."""
    levels: list[tuple[int, tuple[int, ...]]] = []
    for axis, size in enumerate(batch):
        if size == 1:
            continue
        own = tuple(s[axis] for s in strides)
        if levels and all(before == now * size for before, now in zip(levels[-1][1], own)):
            levels[-1] = (levels[-1][0] * size, own)
        else:
            levels.append((size, own))
    return levels


def _emit(
    planner: Planner, node: Node, a: Matrix, b: Matrix, c: Matrix, base: Matrix | None,
    levels: list[tuple[int, tuple[int, ...]]], m: int, n: int, k: int,
) -> None:  # fmt: skip
    if c.column != 1:  # column by column: the product of the transposes
        a, b, c = (Matrix(x.there, x.batch, x.column, x.row) for x in (b, a, c))
        base = base and Matrix(base.there, base.batch, base.column, base.row)
        levels = [(size, (s[1], s[0], s[2])) for size, s in levels]
        m, n = n, m
    is_part = planner.part is not None
    is_few = not levels and m <= FEW and all(size >= SLIM for size in (m, n // 2, k))
    if is_few and a.column != 1 and BROAD <= m <= n and k >= DEPTH and not is_part:
        a = _turned(planner, node, a, m, k)
    is_short = is_few and a.column == 1
    if not levels and not is_part and not (is_short and not is_unchanged(planner, b.there)):
        own_base = base and _flat(base, m, n)
        if plan_tiles(planner, node, _flat(a, m, k), _flat(b, k, n), _flat(c, m, n), own_base):
            return
    item = node.dtype.itemsize
    is_batch = bool(levels)
    while len(levels) < 2:
        levels.insert(0, (1, (0, 0, 0)))
    is_turned = a.column != 1 and (k <= DEPTH or (m >= TALL and m >= 2 * n))
    if is_short or is_part or ((is_batch or is_turned) and all(size >= LEAST for size in (m, n, k))):
        plan_dense(planner, node, a, b, c, base, levels, m, n, k)
        return
    if base is not None and base.there is not c.there:
        planner.copied(_flat(base, m, n), _flat(c, m, n))
    (outer, outer_strides), (inner, inner_strides) = levels
    work = outer * inner * m * n * k
    m_task, n_task = _tile(m, n, k, outer * inner)
    n_m, n_n = -(-m // m_task), -(-n // n_task)
    tasks = outer * inner * n_m * n_n
    args: list[Any] = [tasks, 1, planner.threads_for(work, SMALL)]
    args += [a.there.place, b.there.place, c.there.place, m, n, k]
    args += [0 if a.column == 1 else 1, 0 if b.column == 1 else 1]
    args += [a.row if a.column == 1 else a.column, b.row if b.column == 1 else b.column, c.row]
    args += [m_task, n_task, n_m, n_n, inner]
    for index in range(3):
        args += [outer_strides[index] * item, inner_strides[index] * item]
    args += [
        a.row * item,
        b.column * item,
        c.row * item,
        item,
        openblas.bits(1.0),
        openblas.bits(float(base is not None)),
    ]
    name = "sgemm_task" if item == 4 else "dgemm_task"
    planner.tasks(node.op.name, name, args, [a.there, b.there], [c.there], node)


def _flat(x: Matrix, rows: int, columns: int) -> Strided:
    """Return a matrix as a tensor of two axes."""
    return x.there._replace(shape=(rows, columns), strides=(x.row, x.column))


def _turned(planner: Planner, node: Node, a: Matrix, m: int, k: int) -> Matrix:
    """Copy a matrix along whose columns elements are neighbours, so that they are along its rows."""
    own = machine(node.dtype.name, m)
    row = turning.turned_row(k, own.item)
    there = planner.scratch((m, row), node.dtype)._replace(shape=(m, k))
    n_wide = -(-m // turning.WIDE)
    args = [-(-k // turning.TALL) * n_wide, 1, planner.threads_for(m * k, SMALL_MATRIX)]
    args += [a.there.place, there.place, a.column, row, k, m, turning.TALL, turning.WIDE, n_wide]
    planner.tasks(f"{node.op.name}: turn", turning.kernel_name(own), args, [a.there], [there], node)
    return Matrix(there, (), row, 1)


@of_sizes
def _tile(m: int, n: int, k: int, batch: int) -> tuple[int, int]:
    """Cut results into as many tiles as tasks are worth it, as square as can be: what is packed goes with their
    circumference."""
    tasks, side = min(TASKS, batch * m * n * k // WORK) / batch, min(SIDE, math.isqrt(MOST // k))
    best = (m, n)
    least = float("inf")
    for rows in range(-(-m // side), max(-(-m // side), TASKS) + 1):
        columns = max(-(-n // side), math.ceil(tasks / rows))
        tile = min(_share(m, rows), m), min(_share(n, columns), n)
        cost = 1 / tile[0] + 1 / tile[1] + max(0, rows * columns - TASKS) * 1e-3
        if cost < least:
            best, least = tile, cost
    return best


def _share(size: int, parts: int) -> int:
    """Return the length of equal parts, in whole vectors."""
    share = -(-size // parts)
    return -(-share // 16) * 16


def order_of_dot(node: Node, users: Sequence[Node]) -> tuple[int, ...] | None:
    """Store a product in the order in which its one user looks at it, where BLAS can write that."""
    if len(users) != 1 or users[0].op.name != "transpose" or node.dtype.name not in ("float32", "float64"):
        return None
    order = tuple(users[0].param("axes"))
    n_batch = len(node.param("batch")[0])
    n_left = node.inputs[0].ndim - n_batch - len(node.param("contracting")[0])
    shape = node.shape
    if None in shape:
        return None
    strides = strides_of(shape, order)  # type: ignore[arg-type]
    rows = _merged(shape[n_batch : n_batch + n_left], strides[n_batch : n_batch + n_left])  # type: ignore[arg-type]
    columns = _merged(shape[n_batch + n_left :], strides[n_batch + n_left :])  # type: ignore[arg-type]
    if rows is None or columns is None or 1 not in (rows[1], columns[1]):
        return None
    return order


TABLE = {"dot_general": plan_dot}
ORDERS = {"dot_general": order_of_dot}
