"""Convolutions by oneDNN, with channels as the fastest axis of images, kept so through the graph.

The batch is cut into tasks that threads take one by one. A gradient of the kernel sums over the batch: it is taken in
parts, whose number depends on the sizes alone, and the parts are added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.backends.cpu import onednn
from septet.backends.cpu.loops import REDUCE
from septet.backends.cpu.memory import Strided, strides_of
from septet.backends.cpu.onednn import Convolution, Layout, Primitive
from septet.backends.cpu.onednn_tasks import Row, Tasks, images_of_part
from septet.backends.cpu.planner import STATUS, Planner
from septet.backends.cpu.regions import Region
from septet.graph.node import Node
from septet.optimize.fuse import Group

PARTS = 4
"""Parts of the batch over which gradients of a kernel are summed; each needs memory for the kernel."""
LARGE_KERNEL = 1 << 18  # elements of a kernel of which only two parts are held
ANY = None  # an order of a kernel's elements that oneDNN chooses


def order_of_images(node: Node, users: Sequence[Node]) -> tuple[int, ...] | None:
    """Store images with their channels next to each other."""
    return _channels_last(node.ndim) if _is_supported(node) else None


def plan_conv(planner: Planner, node: Node) -> bool:
    """Plan `conv`: y from x and kernel."""
    if not _is_supported(node):
        return False
    x = _images(planner, planner.look(node.inputs[0]))
    kernel = planner.look(node.inputs[1])
    y = planner.allocate(node, _channels_last(node.ndim))
    target = y if _is_channels_last(y) else planner.scratch_in(y.shape, y.dtype, _channels_last(node.ndim))
    _run_forward(planner, node, "conv", x, kernel, target, {"x": x, "y": target})
    if target is not y:
        planner.copied(target, y)
    return True


def plan_conv_input(planner: Planner, node: Node) -> bool:
    """Plan `conv_input`: the gradient of x from that of y, and kernel."""
    if not _is_supported(node):
        return False
    y = _images(planner, planner.look(node.inputs[0]))
    kernel = planner.look(node.inputs[1])
    x = planner.allocate(node, _channels_last(node.ndim))
    target = x if _is_channels_last(x) else planner.scratch_in(x.shape, x.dtype, _channels_last(node.ndim))
    _run_forward(planner, node, "conv_input", target, kernel, y, {"x_gradient": target, "y_gradient": y})
    if target is not x:
        planner.copied(target, x)
    return True


def plan_conv_kernel(planner: Planner, node: Node) -> bool:
    """Plan `conv_kernel`: the gradient of the kernel from x and that of y, in parts of the batch."""
    if not _is_supported(node):
        return False
    x = _images(planner, planner.look(node.inputs[0]))
    y = _images(planner, planner.look(node.inputs[1]))
    there = planner.allocate(node)
    batch = x.shape[0]
    parts = min(batch, 2 if int(np.prod(there.shape)) > LARGE_KERNEL else PARTS)
    length = -(-batch // parts)
    parts = -(-batch // length)
    whole = _sizes(node, _layout(x), Layout(there.shape, ANY), _layout(y))
    rows = []
    for part in range(parts):
        images = min(length, batch - part * length)
        own = whole._replace(x=_cut(whole.x, images), y=_cut(whole.y, images))
        primitive = onednn.convolution("conv_kernel", own, threads=1)
        size = primitive.arguments["kernel_gradient"].size
        offsets = {
            "x": part * length * x.strides[0] * 4, "y_gradient": part * length * y.strides[0] * 4,
            "kernel_gradient": part * size,
        }  # fmt: skip
        rows.append(Row(primitive, offsets))
    first = rows[0].primitive.arguments["kernel_gradient"]
    if not all(row.primitive.arguments["kernel_gradient"].equals(first) for row in rows):
        return _whole_kernel(planner, node, whole, x, y, there)
    gradients = planner.scratch((parts, first.size // 4), np.dtype(np.float32))
    _emit(planner, node, Tasks(rows), {"x": x, "y_gradient": y, "kernel_gradient": gradients})
    total = gradients
    if parts > 1:
        total = planner.scratch((first.size // 4,), np.dtype(np.float32))
        _add_up(planner, gradients, total)
    _reorder(planner, node, first, onednn.describe(_layout(there), node.param("groups")), total, there)
    return True


def _whole_kernel(planner: Planner, node: Node, sizes: Convolution, x: Strided, y: Strided, there: Strided) -> bool:
    """One task for the whole batch, where oneDNN stores the parts in different orders."""
    primitive = onednn.convolution("conv_kernel", sizes, threads=1)
    made = primitive.arguments["kernel_gradient"]
    total = planner.scratch((made.size // 4,), np.dtype(np.float32))
    _emit(planner, node, Tasks([Row(primitive, {})]), {"x": x, "y_gradient": y, "kernel_gradient": total})
    _reorder(planner, node, made, onednn.describe(_layout(there), node.param("groups")), total, there)
    return True


def _is_supported(node: Node) -> bool:
    """Tell whether oneDNN computes it: float32, with elements."""
    names = [node.dtype.name, *[source.dtype.name for source in node.inputs[:2]]]
    sizes = (*node.shape, *node.inputs[0].shape, *node.inputs[1].shape)
    return set(names) == {"float32"} and len(node.inputs) == 2 and 0 not in sizes and onednn.available()


def _run_forward(
    planner: Planner, node: Node, kind: str, x: Strided, kernel: Strided, y: Strided, images: dict[str, Strided]
) -> None:
    """Cut the batch into tasks; the kernel is put into the order that oneDNN asks for first."""
    sizes = _sizes(node, _layout(x), Layout(kernel.shape, ANY), _layout(y))
    batch, part = x.shape[0], images_of_part(sizes)
    rows = []
    for start in range(0, batch, part):
        count = min(part, batch - start)
        own = sizes._replace(x=_cut(sizes.x, count), y=_cut(sizes.y, count))
        primitive = onednn.convolution(kind, own, threads=1)
        rows.append(Row(primitive, {name: start * there.strides[0] * 4 for name, there in images.items()}))
    wanted = rows[0].primitive.arguments["kernel"]
    if not all(row.primitive.arguments["kernel"].equals(wanted) for row in rows):  # one order for all parts
        sizes = sizes._replace(kernel=_layout(kernel))
        rows = [
            Row(onednn.convolution(kind, _parted(sizes, row.primitive, start, part, batch), threads=1), row.offsets)
            for row, start in zip(rows, range(0, batch, part), strict=True)
        ]
        wanted = rows[0].primitive.arguments["kernel"]
    groups = node.param("groups")
    own_order = planner.scratch((wanted.size // 4,), np.dtype(np.float32))
    given = kernel if kernel.is_contiguous else planner.copied(kernel)
    _reorder(planner, node, onednn.describe(_layout(given), groups), wanted, given, own_order)
    _emit(planner, node, Tasks(rows), {**images, "kernel": own_order})


def _parted(sizes: Convolution, before: Primitive, start: int, part: int, batch: int) -> Convolution:
    count = min(part, batch - start)
    return sizes._replace(x=_cut(sizes.x, count), y=_cut(sizes.y, count))


def _sizes(node: Node, x: Layout, kernel: Layout, y: Layout) -> Convolution:
    return Convolution(
        x, kernel, y, node.param("stride"), node.param("padding"), node.param("dilation"), node.param("groups")
    )


def _cut(layout: Layout, images: int) -> Layout:
    return layout._replace(shape=(images, *layout.shape[1:]))


def _emit(planner: Planner, node: Node, tasks: Tasks, operands: dict[str, Strided]) -> None:
    """Add the tasks to the plan."""
    scratch = planner.scratch((planner.threads * max(tasks.scratchpad, 64),), np.dtype(np.uint8))
    places = {name: there.place for name, there in operands.items()}
    args: list[Any] = [len(tasks.rows), 1, planner.threads, *tasks.args(places, scratch.place, STATUS)]
    written = [there for name, there in operands.items() if name in _WRITTEN[node.op.name]]
    read = [there for name, there in operands.items() if name not in _WRITTEN[node.op.name]]
    planner.tasks(node.op.name, "onednn_task", args, read, [*written, scratch], node)


_WRITTEN = {"conv": ("y",), "conv_input": ("x_gradient",), "conv_kernel": ("kernel_gradient",)}


def _reorder(planner: Planner, node: Node, source: Any, target: Any, there: Strided, goal: Strided) -> None:
    """Copy a kernel from one order of its elements to another."""
    primitive = onednn.reorder(source, target, threads=1)
    tasks = Tasks([Row(primitive, {})])
    scratch = planner.scratch((max(tasks.scratchpad, 64),), np.dtype(np.uint8))
    args: list[Any] = [1, 1, 1, *tasks.args({"x": there.place, "y": goal.place}, scratch.place, STATUS)]
    planner.tasks("reorder", "onednn_task", args, [there], [goal, scratch], node)


def _add_up(planner: Planner, parts: Strided, total: Strided) -> None:
    group = Group(-1, parts.shape, (1, 0), True)
    group.inner = (0,)
    group.order = (0, 1)
    region = Region(group, lambda node: parts, planner.constant)
    value = region.add(REDUCE, (region.load(parts, parts.strides),), "add", "float32")
    region.store(value, total, (1,))
    planner.emit(region.call((), None, {}), "sum of parts")


def _layout(there: Strided) -> Layout:
    return Layout(there.shape, _plain(there))


def _plain(there: Strided) -> tuple[int, ...]:
    """Strides as oneDNN likes them: axes of size 1 get those of the order that the others are in."""
    if len(there.shape) > 2 and _is_channels_last(there) and not there.is_contiguous:
        return strides_of(there.shape, _channels_last(len(there.shape)))
    return there.strides if not there.is_contiguous else strides_of(there.shape)


def _channels_last(rank: int) -> tuple[int, ...]:
    return (0, *range(2, rank), 1)


def _is_channels_last(there: Strided) -> bool:
    order = _channels_last(len(there.shape))
    own = strides_of(there.shape, order)
    return all(n == 1 or s == t for n, s, t in zip(there.shape, there.strides, own, strict=True))


def _images(planner: Planner, there: Strided) -> Strided:
    """Return images with their channels next to each other."""
    if _is_channels_last(there):
        return there._replace(strides=strides_of(there.shape, _channels_last(len(there.shape))))
    return planner.copied(there, planner.scratch_in(there.shape, there.dtype, _channels_last(len(there.shape))))


TABLE = {"conv": plan_conv, "conv_input": plan_conv_input, "conv_kernel": plan_conv_kernel}
ORDERS = {"conv": order_of_images, "conv_input": order_of_images}
