"""Products of matrices whose tasks put their operands into panels themselves: see `septet.backends.cpu.dense`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from septet.backends.cpu.dense import FIELDS, kernel_name, memory_of_task, panel_pitch
from septet.backends.cpu.direct_tiles import Machine, machine
from septet.backends.cpu.held import Held
from septet.backends.cpu.memory import INPUT, Place, Strided
from septet.backends.cpu.ops.conv_parts import memory_of_threads
from septet.backends.cpu.planner import Planner
from septet.base.sizes import of_sizes
from septet.graph.node import Node

if TYPE_CHECKING:
    from septet.backends.cpu.ops.matmul import Matrix

ROWS = 128
"""Rows of a task, at most: with `DEPTH`, their strips take 96 KB."""
COLUMNS = 256
"""Columns of a task, at most: with `DEPTH`, their panels take 192 KB of the second cache."""
DEPTH = 192
"""Elements of the summed dimension that are taken at a time: a panel of them takes 12 KB of the first cache."""
TASKS = 8
"""Tasks wanted, where they are large enough: fewer are larger, and put less into panels twice."""
LEAST = 1 << 20
"""Multiplications of a task at least."""
FEW = 256
"""Rows up to which a matrix with neighbouring elements in its rows is multiplied as one block: it stays in the second
cache while the columns go by, so that each element of the second matrix is put into panels once."""
NARROW, WIDE = 32, 64
"""Columns of a task then: where there are enough tasks, wide ones read the first matrix less often. Panels of `LONG`
elements take at most 256 KB."""
SHARES = 16
"""Tasks that are enough: threads get even shares."""
LONG = 1024
"""Elements of the summed dimension that are taken at a time then."""
SLIGHT = 1 << 18
"""Multiplications of a task at least then."""
PIECE = 256
"""Elements of the summed dimension that are taken at a time where the panels are ready: those of one take 16 KB."""
SMALL = 1 << 19
"""Multiplications below which one thread does everything."""


def plan_dense(
    planner: Planner, node: Node, a: Matrix, b: Matrix, c: Matrix, base: Matrix | None,
    levels: Sequence[tuple[int, tuple[int, ...]]], m: int, n: int, k: int,
) -> None:  # fmt: skip
    """Plan c = a b (+ base) for a batch of matrices of at most two levels; the elements of a row of c are neighbours."""
    own = machine(node.dtype.name, n)
    (outer, outer_strides), (inner, inner_strides) = levels
    if outer * inner == 1 and a.column == 1 and m <= FEW:
        rows, columns, most = m, narrow(m, n, k, own.panel), LONG
    else:
        (rows, columns), most = tile(m, n, k, outer * inner, own.panel), DEPTH
    ready = _panels_of_whole(planner, own, b, n, k)
    if ready is not None:
        (rows, columns), most = (m, n), PIECE
    depth = -(-k // -(-k // most))
    n_m, n_n = -(-m // rows), -(-n // columns)
    parts = memory_of_task(own, rows, columns, depth)
    size = sum(parts if ready is None else parts[1:]) * node.dtype.itemsize
    memory = memory_of_threads(planner, -(-size // 64) * 64)
    values: dict[str, Any] = {
        "a": a.there.place, "b": b.there.place, "c": c.there.place, "memory": memory.place, "own": -(-size // 64) * 64,
        "m": m, "n": n, "k": k, "a_row": a.row, "a_column": a.column, "b_row": b.row, "b_column": b.column,
        "c_row": c.row, "rows": rows, "columns": columns, "depth": depth, "n_m": n_m, "n_n": n_n, "inner": inner,
        "base": 0, "base_row": 0, "base_outer": 0, "base_inner": 0, "pitch": 0,
    }  # fmt: skip
    second = b.there
    if ready is not None:
        second, values["pitch"] = ready
        values["b"] = second.place
    for index, name in enumerate("abc"):
        values[f"{name}_outer"], values[f"{name}_inner"] = outer_strides[index], inner_strides[index]
    reads, added = [a.there, second], None
    if base is not None:
        values |= {"base": base.there.place, "base_row": base.row}
        values |= {f"base_{level}": values[f"c_{level}"] for level in ("outer", "inner")}
        added = base.there
        reads.append(base.there)
    tasks = outer * inner * n_m * n_n
    threads = planner.threads_for(outer * inner * m * n * k, SMALL)
    args = [tasks, 1, threads, *[values[name] for name in FIELDS]]
    planner.tasks(node.op.name, kernel_name(own), args, reads, [c.there, memory], node, added)


def _panels_of_whole(planner: Planner, own: Machine, b: Matrix, n: int, k: int) -> tuple[Strided, int] | None:
    """Return the panels of a second matrix, and the elements from one to the next, where it is the same for all parts.

    They hold all columns of the whole, of which a part may need the first ones alone.
    """
    there = b.there
    if planner.part is None or there.memory.kind != INPUT or there.memory.number not in planner.part.columns:
        return None
    axis, size = planner.part.columns[there.memory.number]
    if b.row == planner.part.inputs[there.memory.number][axis]:
        k = size
    else:
        n = size
    pitch: Any = panel_pitch(own, k)
    total = -(-n // own.panel) * pitch

    def pack(matrix: Place, panels: Place, step: int, places: Held) -> tuple[str, list[Any]]:
        return kernel_name(own, "dense_pack"), [matrix, b.row, b.column, k, n, panels, pitch, step, places]

    return planner.prepare(there, total, pack), pitch


@of_sizes
def narrow(m: int, n: int, k: int, panel: int) -> int:
    """Return the columns of a task that takes all rows: whole panels, worth waking a thread for."""
    columns = max(min(n // SHARES, WIDE), NARROW, -(-SLIGHT // (m * k)))
    return min(-(-columns // panel) * panel, n)


@of_sizes
def tile(m: int, n: int, k: int, batch: int, panel: int) -> tuple[int, int]:
    """Cut a result into at least as many tiles as tasks are wanted, so that as little as can be is packed twice."""
    wanted = min(TASKS, batch * m * n * k // LEAST) / batch
    best, least = (min(m, ROWS), min(n, COLUMNS)), float("inf")
    for n_m in range(-(-m // ROWS), max(-(-m // ROWS), TASKS) + 1):
        n_n = max(-(-n // COLUMNS), -(-int(wanted) // n_m))
        rows, columns = -(-m // n_m), -(-n // n_n)
        columns = min(-(-columns // panel) * panel, n)
        cost = 1 / rows + 1 / columns
        if cost < least:
            best, least = (rows, columns), cost
    return best
