"""Convolutions by minimal filtering, in the plan. The channels of all images are neighbours."""

from __future__ import annotations

from septet.backends.cpu import winograd
from septet.backends.cpu.direct_tiles import machine
from septet.backends.cpu.ops.conv_parts import (
    SMALL_KERNEL,
    Panels,
    channels_last,
    emit_panels,
    emit_tasks,
    held_block,
    memory_of_threads,
    sizes_of,
    target_of,
    with_neighbours,
)
from septet.backends.cpu.planner import Planner
from septet.backends.cpu.winograd_kernels import kernel_name
from septet.base.sizes import make
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
    made = make(winograd.products, node.op.name, sizes, own)
    panels, taps = Panels(made), made.first.taps
    packing = panels.args(kernel.place, 0)
    spread = kernel
    size = made.number(lambda plan: plan.size)
    if size:
        spread = planner.scratch((size,), node.dtype)
        own_packed = made.number(lambda plan: plan.packed)
        packed = memory_of_threads(planner, own_packed)
        args = [spread.place, made.later(lambda plan: plan.channels), made.later(lambda plan: plan.step)]
        args += [packed.place, own_packed, *packing]
        args = [panels.count, 1, planner.threads_for(size, SMALL_KERNEL), *args]
        task = "winograd_spread_task"
        emit_tasks(planner, node, task, kernel_name(task, own, taps), args, [kernel], [spread, packed])
    own_memory = made.number(lambda plan: plan.memory)
    memory = memory_of_threads(planner, own_memory)
    args = [source.place, spread.place, target.place, memory.place, own_memory, made.later(held_block)]
    args = [made.number(lambda plan: plan.tasks), 1, planner.threads, *args, *packing]
    task = "winograd_product_task"
    reads = [source, kernel, spread]
    emit_tasks(planner, node, task, kernel_name(task, own, taps), args, reads, [target, memory])
    if target is not result:
        planner.copied(target, result)


def plan_conv_kernel(planner: Planner, node: Node) -> None:
    """Plan `conv_kernel`."""
    x, y = (with_neighbours(planner, planner.look(source)) for source in node.inputs)
    kernel = planner.allocate(node)
    sizes = sizes_of(node, x, kernel, y)
    own = machine(node.dtype.name, y.shape[1])
    made = make(winograd.kernels, sizes, own)
    panels, own_memory = Panels(made), made.number(lambda plan: plan.memory)
    parts = made.number(lambda plan: plan.parts)
    partial = planner.scratch((parts, panels.size), node.dtype)
    memory = memory_of_threads(planner, own_memory)
    args = [x.place, y.place, partial.place, memory.place, own_memory, made.later(held_block)]
    task = "winograd_kernel_task"
    args = [made.number(lambda plan: plan.tasks), 1, planner.threads, *args]
    emit_tasks(planner, node, task, kernel_name(task, own, made.first.taps), args, [x, y], [partial, memory])
    args = [*panels.args(kernel.place, partial.place), parts, panels.size]
    emit_panels(planner, node, "unpack_task", own, panels, args, partial, kernel)
