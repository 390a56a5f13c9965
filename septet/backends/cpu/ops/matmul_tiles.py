"""Products of matrices by the tiles of our own convolutions: a product is a convolution with a window of one pixel.

The second matrix is put into panels first. Inside of a loop, one that is the same in each step is put into panels once,
before the loop; a library does it for each product, which takes as long as a product with few rows.
"""

from __future__ import annotations

from septet.backends.cpu import direct
from septet.backends.cpu.direct_kernels import kernel_name
from septet.backends.cpu.direct_tiles import machine
from septet.backends.cpu.layouts import Convolution, Layout
from septet.backends.cpu.memory import INPUT, Strided
from septet.backends.cpu.ops.conv_parts import Panels, emit_panels, held_blocks, memory_of_threads, threads_for
from septet.backends.cpu.planner import Planner
from septet.base.sizes import make, of_sizes
from septet.graph.node import Node

ROWS = 64
"""Rows from which panels that are used once pay: `benchmarks/products.py` compares with OpenBLAS."""
WIDTH = 4
"""Columns for each row up to which they do."""
LINE = 128
"""Rows that are taken as a line of an image, at most: a task of a convolution takes whole lines."""


def is_unchanged(planner: Planner, there: Strided) -> bool:
    """Tell whether a matrix is the same in each step of the loop around."""
    return there.memory.kind == INPUT and there.memory.number in planner.unchanged


def plan_tiles(planner: Planner, node: Node, a: Strided, b: Strided, c: Strided, base: Strided | None) -> bool:
    """Plan c = a b (+ base) for matrices, where our own tiles are the best way; False where they are not.

    The elements of a row of c, and of base, are neighbours.
    """
    (m, k), n = a.shape, b.shape[1]
    own = machine(node.dtype.name, n)
    is_constant = is_unchanged(planner, b)
    if a.strides[1] != 1 or n < own.panel or not (is_constant or (m >= ROWS and n <= WIDTH * m)):
        return False
    line = _line(m)
    x, y = [Layout((m // line, s.shape[1], line), (s.strides[0] * line, 1, s.strides[0])) for s in (a, c)]
    kernel = Layout((n, k, 1), (b.strides[1], b.strides[0], 0))
    sizes = Convolution(x, kernel, y, (1,), ((0, 0),), (1,))
    made = make(direct.products, "conv", sizes, own)
    packing = Panels(made)

    def pack(around: Planner, user: Node, matrix: Strided, panels: Strided) -> None:
        emit_panels(around, user, "pack_task", own, packing, packing.args(matrix.place, panels.place), matrix, panels)

    if is_constant:
        panels = planner.prepare(b, packing.size, pack)
    else:
        panels = planner.scratch((packing.size,), node.dtype)
        pack(planner, node, b, panels)
    own_memory = made.number(lambda plan: plan.memory)
    memory = memory_of_threads(planner, own_memory)
    args = [a.place, panels.place, c.place, memory.place, own_memory, made.later(lambda plan: len(plan.blocks))]
    if base is not None and base.strides[0] not in (0, c.strides[0]):
        base = planner.copied(base, c)
    added = [base.place, int(base.strides[0] != 0)] if base is not None else [0, 0]
    tasks, blocks = made.number(lambda plan: plan.tasks), made.later(held_blocks)
    args = [tasks, 1, threads_for(planner, sizes), *args, blocks, *added]
    reads = [a, panels, *([base] if base is not None else [])]
    planner.tasks(node.op.name, kernel_name("product_task", own), args, reads, [c, memory], node, base)
    return True


@of_sizes
def _line(rows: int) -> int:
    """Return how many rows are taken as a line of an image: as many as can be, all lines alike."""
    return next(size for size in range(min(rows, LINE), 0, -1) if rows % size == 0)
