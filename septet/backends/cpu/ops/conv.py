"""Convolutions: by our own tiles, or by oneDNN where each channel is convolved by itself.

Images are kept with their channels next to each other, through the graph. Our own tiles read x in any order, and write a
kernel's gradient in any order; of what they read or write in vectors, the channels are neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.backends.cpu import direct, onednn
from septet.backends.cpu.direct_kernels import kernel_name
from septet.backends.cpu.direct_tiles import Machine, machine
from septet.backends.cpu.held import Held
from septet.backends.cpu.layouts import Convolution, Layout
from septet.backends.cpu.memory import Strided, strides_of
from septet.backends.cpu.ops import conv_onednn
from septet.backends.cpu.planner import Planner
from septet.graph.node import Node

SMALL = 1 << 19  # multiplications below which one thread does everything
SMALL_KERNEL = 1 << 15  # elements of a kernel that one thread puts into panels
FEW_CHANNELS = 4
"""Channels of a group up to which oneDNN is faster: tiles have 8 or more, and the others would be zeros."""


def order_of_images(node: Node, users: Sequence[Node]) -> tuple[int, ...] | None:
    """Store images with their channels next to each other."""
    return channels_last(node.ndim) if _is_supported(node) else None


def channels_last(rank: int) -> tuple[int, ...]:
    """Return the axes of images from slow to fast: batch, spatial axes, channels."""
    return (0, *range(2, rank), 1)


def plan_conv(planner: Planner, node: Node) -> bool:
    """Plan `conv`: y from x and kernel."""
    return _is_supported(node) and _product(planner, node)


def plan_conv_input(planner: Planner, node: Node) -> bool:
    """Plan `conv_input`: the gradient of x from that of y, and kernel."""
    return _is_supported(node) and _product(planner, node)


def plan_conv_kernel(planner: Planner, node: Node) -> bool:
    """Plan `conv_kernel`: the gradient of the kernel from x and that of y."""
    if not _is_supported(node):
        return False
    x, y = (planner.look(source) for source in node.inputs)
    if choose(sizes_of(node, x, _shaped(node), y)) == "onednn":
        conv_onednn.plan_conv_kernel(planner, node)
        return True
    y = _with_neighbours(planner, y)
    kernel = planner.allocate(node)
    sizes = sizes_of(node, x, kernel, y)
    own = machine(node.dtype.name, y.shape[1] // sizes.groups)
    plan = direct.kernels(sizes, own)
    partial = planner.scratch((plan.parts, plan.packing.size), node.dtype)
    memory = _memory(planner, plan.memory)
    args = [x.place, y.place, partial.place, memory.place, plan.memory, Held(plan.block.ctypes.data, plan)]
    threads = _threads(planner, sizes)
    _tasks(planner, node, "kernel_task", own, [plan.tasks, 1, threads, *args], [x, y], [partial, memory])
    args = [*plan.packing.args(kernel.place, partial.place), plan.parts, plan.packing.size]
    _panels(planner, node, "unpack_task", own, plan.packing, args, partial, kernel)
    return True


def _product(planner: Planner, node: Node) -> bool:
    """Plan one of the two ops that take a kernel."""
    source, kernel = (planner.look(operand) for operand in node.inputs)
    order = channels_last(node.ndim)
    is_forward = node.op.name == "conv"
    shaped = _shaped(node)
    if choose(sizes_of(node, source if is_forward else shaped, kernel, shaped if is_forward else source)) == "onednn":
        conv_onednn.plan_product(planner, node)
        return True
    result = planner.allocate(node, order)
    target = result
    if result.strides[1] != 1 and result.shape[1] > 1:
        target = planner.scratch_in(result.shape, result.dtype, order)
    sizes = sizes_of(node, source if is_forward else target, kernel, target if is_forward else source)
    own = machine(node.dtype.name, result.shape[1] // sizes.groups)
    plan = direct.products(node.op.name, sizes, own)
    packed = planner.scratch((plan.packing.size,), node.dtype)
    args = plan.packing.args(kernel.place, packed.place)
    _panels(planner, node, "pack_task", own, plan.packing, args, kernel, packed)
    memory = _memory(planner, plan.memory)
    args = [source.place, packed.place, target.place, memory.place, plan.memory, len(plan.blocks)]
    args = [plan.tasks, 1, _threads(planner, sizes), *args, Held(plan.blocks.ctypes.data, plan)]
    _tasks(planner, node, "product_task", own, args, [source, packed], [target, memory])
    if target is not result:
        planner.copied(target, result)
    return True


def choose(sizes: Convolution) -> str:
    """Return which implementation computes a convolution.

    Our own tiles are as fast as oneDNN's forward and 1.3 to 2.5 times as fast elsewhere (benchmarks/convolutions.py),
    take float64 too, and need no order of their own. Where groups have few channels most of a tile would be zeros.

    Returns
    -------
    str
        ``direct`` or ``onednn``.
    """
    channels = max(sizes.kernel.shape[1], sizes.kernel.shape[0] // sizes.groups)
    is_narrow = sizes.groups > 1 and channels <= FEW_CHANNELS
    if is_narrow and sizes.x.dtype == "float32" and onednn.available():
        return "onednn"
    return "direct"


def sizes_of(node: Node, x: Strided, kernel: Strided, y: Strided) -> Convolution:
    """Return the sizes and layouts of one of the three ops."""
    a, b, c = [Layout(there.shape, there.strides, there.dtype.name) for there in (x, kernel, y)]
    param = node.param
    return Convolution(a, b, c, param("stride"), param("padding"), param("dilation"), param("groups"))


def _is_supported(node: Node) -> bool:
    """Tell whether native code computes it: floats of one kind, with elements."""
    names = {node.dtype.name, *[source.dtype.name for source in node.inputs[:2]]}
    sizes = (*node.shape, *node.inputs[0].shape, *node.inputs[1].shape)
    return len(names) == 1 and names <= {"float32", "float64"} and len(node.inputs) == 2 and 0 not in sizes


def _shaped(node: Node) -> Strided:
    """Return a tensor of the result's shape that lies nowhere yet."""
    shape: Any = node.shape
    return Strided(None, node.dtype, shape, strides_of(shape, channels_last(node.ndim)))  # type: ignore[arg-type]


def _with_neighbours(planner: Planner, there: Strided) -> Strided:
    """Return images whose channels are neighbours."""
    if there.strides[1] == 1 or there.shape[1] == 1:
        return there
    order = channels_last(len(there.shape))
    return planner.copied(there, planner.scratch_in(there.shape, there.dtype, order))


def _memory(planner: Planner, size: int) -> Strided:
    """Return memory for each of the threads."""
    return planner.scratch((planner.threads * size,), np.dtype(np.uint8))


def _threads(planner: Planner, sizes: Convolution) -> int:
    return planner.threads if sizes.work > SMALL else 1


def _panels(
    planner: Planner, node: Node, task: str, own: Machine, packing: direct.Packing, args: list[Any], source: Strided,
    target: Strided,
) -> None:  # fmt: skip
    """Put a kernel into panels, or take its gradient out of them."""
    threads = planner.threads if packing.size > SMALL_KERNEL else 1
    _tasks(planner, node, task, own, [len(packing.table), 1, threads, *args], [source], [target])


def _tasks(
    planner: Planner, node: Node, task: str, own: Machine, args: list[Any], reads: list[Strided], writes: list[Strided]
) -> None:
    planner.tasks(f"{node.op.name}: {task}", kernel_name(task, own), args, reads, writes, node)


TABLE: dict[str, Callable[[Planner, Node], bool]] = {
    "conv": plan_conv, "conv_input": plan_conv_input, "conv_kernel": plan_conv_kernel,
}  # fmt: skip
ORDERS = {"conv": order_of_images, "conv_input": order_of_images}
