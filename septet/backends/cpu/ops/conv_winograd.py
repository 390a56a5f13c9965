"""Convolutions by minimal filtering, in the plan. The channels of all images are neighbours."""

from __future__ import annotations

from septet.backends.cpu import winograd
from septet.backends.cpu.direct_tiles import machine
from septet.backends.cpu.held import Held
from septet.backends.cpu.ops.conv_parts import (
    SMALL_KERNEL,
    channels_last,
    emit_panels,
    emit_tasks,
    memory_of_threads,
    sizes_of,
    target_of,
    with_neighbours,
)
from septet.backends.cpu.planner import Planner
from septet.backends.cpu.winograd_kernels import kernel_name
from septet.graph.node import Node


def plan_product(planner: Planner, node: Node) -> None:
    """Plan `conv` or `conv_input`."""
    source, kernel = (planner.look(operand) for operand in node.inputs)
    source = with_neighbours(planner, source)
    result = planner.allocate(node, channels_last(node.ndim))
    target = target_of(planner, result)
    is_forward = node.op.name == "conv"
    sizes = sizes_of(node, source if is_forward else target, kernel, target if is_forward else source)
    own = machine(node.dtype.name, result.shape[1])
    plan = winograd.products(node.op.name, sizes, own)
    packing = plan.packing.args(kernel.place, 0)
    spread = kernel
    if plan.size:
        spread = planner.scratch((plan.size,), node.dtype)
        packed = memory_of_threads(planner, plan.packed)
        args = [spread.place, plan.channels, plan.step, packed.place, plan.packed, *packing]
        threads = planner.threads if plan.size > SMALL_KERNEL else 1
        args = [len(plan.packing.table), 1, threads, *args]
        task = "winograd_spread_task"
        emit_tasks(planner, node, task, kernel_name(task, own, plan.taps), args, [kernel], [spread, packed])
    memory = memory_of_threads(planner, plan.memory)
    args = [source.place, spread.place, target.place, memory.place, plan.memory, Held(plan.block.ctypes.data, plan)]
    args = [plan.tasks, 1, planner.threads, *args, *packing]
    task = "winograd_product_task"
    reads = [source, kernel, spread]
    emit_tasks(planner, node, task, kernel_name(task, own, plan.taps), args, reads, [target, memory])
    if target is not result:
        planner.copied(target, result)


def plan_conv_kernel(planner: Planner, node: Node) -> None:
    """Plan `conv_kernel`."""
    x, y = (with_neighbours(planner, planner.look(source)) for source in node.inputs)
    kernel = planner.allocate(node)
    sizes = sizes_of(node, x, kernel, y)
    own = machine(node.dtype.name, y.shape[1])
    plan = winograd.kernels(sizes, own)
    partial = planner.scratch((plan.parts, plan.packing.size), node.dtype)
    memory = memory_of_threads(planner, plan.memory)
    args = [x.place, y.place, partial.place, memory.place, plan.memory, Held(plan.block.ctypes.data, plan)]
    task = "winograd_kernel_task"
    args = [plan.tasks, 1, planner.threads, *args]
    emit_tasks(planner, node, task, kernel_name(task, own, plan.taps), args, [x, y], [partial, memory])
    args = [*plan.packing.args(kernel.place, partial.place), plan.parts, plan.packing.size]
    emit_panels(planner, node, "unpack_task", own, plan.packing, args, partial, kernel)
