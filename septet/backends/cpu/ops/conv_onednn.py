"""Convolutions by oneDNN, with the channels of images next to each other.

The batch is cut into tasks that threads take one by one. A gradient of the kernel sums over the batch: it is taken in
parts, whose number depends on the sizes alone, and the parts are added up.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.backends.cpu import onednn
from septet.backends.cpu.layouts import Convolution, Layout
from septet.backends.cpu.loops import REDUCE
from septet.backends.cpu.memory import Strided, strides_of
from septet.backends.cpu.onednn_tasks import Row, Tasks, convolution_tasks
from septet.backends.cpu.planner import Planner
from septet.backends.cpu.regions import Region
from septet.backends.cpu.steps import STATUS
from septet.graph.node import Node
from septet.optimize.fuse import Group

PARTS = 16
"""Parts of the batch over which gradients of a kernel are summed; each needs memory for the kernel, which is small."""


def plan_product(planner: Planner, node: Node) -> None:
    """Plan `conv` or `conv_input`: the kernel is put into the order that oneDNN asks for first."""
    source = _images(planner, planner.look(node.inputs[0]))
    kernel = _forward(planner, planner.look(node.inputs[1]))
    order = _order(node.ndim)
    result = planner.allocate(node, order)
    target = result if _is_dense(result) else planner.scratch_in(result.shape, result.dtype, order)
    is_forward = node.op.name == "conv"
    x, y = (source, target) if is_forward else (target, source)
    tasks = convolution_tasks(node.op.name, _sizes(node, _layout(x), Layout(kernel.shape), _layout(y)))
    wanted = tasks.rows[0].primitive.arguments["kernel"]
    own_order = planner.scratch((wanted.size // 4,), np.dtype(np.float32))
    _reorder(planner, node, _described(node, kernel), wanted, kernel, own_order)
    names = ("x", "y") if is_forward else ("x_gradient", "y_gradient")
    operands = {**dict(zip(names, (x, y), strict=True)), "kernel": own_order}
    _emit(planner, node, tasks, operands, target)
    if target is not result:
        planner.copied(target, result)


def plan_conv_kernel(planner: Planner, node: Node) -> None:
    """Plan `conv_kernel`, in parts of the batch."""
    x, y = (_images(planner, planner.look(source)) for source in node.inputs)
    there = planner.allocate(node)
    batch = x.shape[0]
    length = -(-batch // min(batch, PARTS))
    parts = batch // length  # of equal size, so that oneDNN stores the gradients of all in one order
    whole = _sizes(node, _layout(x), Layout(there.shape), _layout(y))
    rows = [_part(whole, part * length, length) for part in range(parts)]
    made = rows[0].primitive.arguments["kernel_gradient"]
    if parts * length < batch:
        rest = _part(whole, parts * length, batch - parts * length)
        if rest.primitive.arguments["kernel_gradient"].equals(made):
            rows.append(rest)
        else:
            rows = [_part(whole, 0, batch)]
            made = rows[0].primitive.arguments["kernel_gradient"]
    rows = [row._replace(offsets={**row.offsets, "kernel_gradient": n * made.size}) for n, row in enumerate(rows)]
    gradients = planner.scratch((len(rows), made.size // 4), np.dtype(np.float32))
    _emit(planner, node, Tasks(rows), {"x": x, "y_gradient": y, "kernel_gradient": gradients}, gradients)
    total = gradients
    if len(rows) > 1:
        total = planner.scratch((made.size // 4,), np.dtype(np.float32))
        _add_up(planner, gradients, total)
    _reorder(planner, node, made, _described(node, there), total, there)


def _part(sizes: Convolution, start: int, images: int) -> Row:
    own = sizes._replace(x=_cut(sizes.x, images), y=_cut(sizes.y, images))
    assert own.x.strides is not None and own.y.strides is not None
    offsets = {"x": start * own.x.strides[0] * 4, "y_gradient": start * own.y.strides[0] * 4}
    return Row(onednn.convolution("conv_kernel", own, threads=1), offsets)


def _cut(layout: Layout, images: int) -> Layout:
    return layout._replace(shape=(images, *layout.shape[1:]))


def _sizes(node: Node, x: Layout, kernel: Layout, y: Layout) -> Convolution:
    param = node.param
    return Convolution(x, kernel, y, param("stride"), param("padding"), param("dilation"), param("groups"))


def _emit(planner: Planner, node: Node, tasks: Tasks, operands: dict[str, Strided], target: Strided) -> None:
    """Add tasks to the plan."""
    scratch = planner.scratch((planner.threads * max(tasks.scratchpad, 64),), np.dtype(np.uint8))
    places = {name: there.place for name, there in operands.items()}
    args: list[Any] = [len(tasks.rows), 1, planner.threads, *tasks.args(places, scratch.place, STATUS)]
    read = [there for there in operands.values() if there is not target]
    planner.tasks(node.op.name, "onednn_task", args, read, [target, scratch], node)


def _described(node: Node, kernel: Strided) -> onednn.Descriptor:
    return onednn.describe(Layout(kernel.shape, kernel.strides), node.param("groups"))


def _reorder(
    planner: Planner, node: Node, source: onednn.Descriptor, target: onednn.Descriptor, there: Strided, goal: Strided
) -> None:
    """Copy a kernel from one order of its elements to another."""
    tasks = Tasks([Row(onednn.reorder(source, target, threads=1), {})])
    _emit(planner, node, tasks, {"x": there, "y": goal}, goal)


def _add_up(planner: Planner, parts: Strided, total: Strided) -> None:
    group = Group(-1, parts.shape, (1, 0), True)
    group.inner = (0,)
    group.order = (0, 1)
    region = Region(group, lambda node: parts, planner.constant)
    value = region.add(REDUCE, (region.load(parts, parts.strides),), "add", "float32")
    region.store(value, total, (1,))
    planner.emit(region.call((), None, {}), "sum of parts")


def _layout(there: Strided) -> Layout:
    return Layout(there.shape, there.strides)


def _order(rank: int) -> tuple[int, ...]:
    return (0, *range(2, rank), 1)


def _is_dense(there: Strided) -> bool:
    """Whether images lie with their channels next to each other and without gaps, down to axes of size 1."""
    return there.strides == strides_of(there.shape, _order(len(there.shape)))


def _forward(planner: Planner, kernel: Strided) -> Strided:
    """Return a kernel whose elements do not lie backwards, as those of a flipped one do: oneDNN does not read these."""
    if all(stride >= 0 for stride in kernel.strides):
        return kernel
    return planner.copied(kernel)


def _images(planner: Planner, there: Strided) -> Strided:
    """Return images with their channels next to each other, without gaps."""
    own = strides_of(there.shape, _order(len(there.shape)))
    if all(n == 1 or s == t for n, s, t in zip(there.shape, there.strides, own, strict=True)):
        return there._replace(strides=own)
    return planner.copied(there, planner.scratch_in(there.shape, there.dtype, _order(len(there.shape))))
