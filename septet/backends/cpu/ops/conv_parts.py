"""What all implementations of convolution need: sizes, orders of memory, and the steps of a plan."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.backends.cpu.direct_kernels import kernel_name
from septet.backends.cpu.direct_tiles import Machine
from septet.backends.cpu.held import Held
from septet.backends.cpu.layouts import Convolution, Layout
from septet.backends.cpu.memory import Strided, strides_of
from septet.backends.cpu.planner import Planner
from septet.base.sizes import Made
from septet.graph.node import Node

SMALL = 1 << 19  # multiplications below which one thread does everything
SMALL_KERNEL = 1 << 15  # elements of a kernel that one thread puts into panels


def channels_last(rank: int) -> tuple[int, ...]:
    """Return the axes of images from slow to fast: batch, spatial axes, channels."""
    return (0, *range(2, rank), 1)


def sizes_of(node: Node, x: Strided, kernel: Strided, y: Strided) -> Convolution:
    """Return the sizes and layouts of one of the three ops."""
    a, b, c = [Layout(there.shape, there.strides, there.dtype.name) for there in (x, kernel, y)]
    param = node.param
    return Convolution(a, b, c, param("stride"), param("padding"), param("dilation"), param("groups"))


def shaped(node: Node) -> Strided:
    """Return a tensor of the result's shape that lies nowhere yet."""
    shape: Any = node.shape
    return Strided(None, node.dtype, shape, strides_of(shape, channels_last(node.ndim)))  # type: ignore[arg-type]


def with_neighbours(planner: Planner, there: Strided) -> Strided:
    """Return images whose channels are neighbours."""
    if there.strides[1] == 1 or there.shape[1] == 1:
        return there
    order = channels_last(len(there.shape))
    return planner.copied(there, planner.scratch_in(there.shape, there.dtype, order))


def target_of(planner: Planner, result: Strided) -> Strided:
    """Return where images are written whose channels are neighbours: the result itself, where it is such."""
    if result.strides[1] == 1 or result.shape[1] == 1:
        return result
    return planner.scratch_in(result.shape, result.dtype, channels_last(len(result.shape)))


def memory_of_threads(planner: Planner, size: int) -> Strided:
    """Return memory for each of the threads."""
    return planner.scratch((planner.threads * size,), np.dtype(np.uint8))


def threads_for(planner: Planner, sizes: Convolution) -> int:
    """Return how many threads a convolution is worth."""
    return planner.threads_for(sizes.work, SMALL)


class Panels:
    """The panels of a kernel, of a plan that may be made anew for other sizes.

    Attributes
    ----------
    size : int
        Elements of all panels.
    count : int
        How many tasks fill them.
    """

    def __init__(self, made: Made) -> None:
        self._made = made
        self.size = made.number(lambda plan: plan.packing.size)
        self.count = made.number(lambda plan: len(plan.packing.table))

    def args(self, kernel: Any, packed: Any) -> list[Any]:
        """Return the arguments of `pack_task`, and the first of those of `unpack_task`."""
        later = self._made.later
        rest = len(self._made.first.packing.args(0, 0)) - 2
        return [kernel, packed, *[later(lambda plan, n=n: plan.packing.args(0, 0)[2 + n]) for n in range(rest)]]


def held_blocks(plan: Any) -> Held:
    """Return where the blocks of a plan lie."""
    return Held(plan.blocks.ctypes.data, plan)


def held_block(plan: Any) -> Held:
    """Return where the block of a plan lies."""
    return Held(plan.block.ctypes.data, plan)


def emit_panels(
    planner: Planner, node: Node, task: str, own: Machine, packing: Panels, args: list[Any], source: Strided,
    target: Strided,
) -> None:  # fmt: skip
    """Put a kernel into panels (pack_task), or take its gradient out of them (unpack_task)."""
    args = [packing.count, 1, planner.threads_for(packing.size, SMALL_KERNEL), *args]
    emit_tasks(planner, node, task, kernel_name(task, own), args, [source], [target])


def emit_tasks(
    planner: Planner, node: Node, task: str, kernel: str, args: list[Any], reads: list[Strided], writes: list[Strided]
) -> None:
    """Add tasks to the plan: `args` begin with their number, how many at a time, and threads."""
    planner.tasks(f"{node.op.name}: {task}", kernel, args, reads, writes, node)
