"""Convolutions by our own tiles, in the plan: for every stride, dilation, group and dtype.

They read x in any order, and write a kernel's gradient in any order; of what they read or write in vectors, the channels
are neighbours.
"""

from __future__ import annotations

from septet.backends.cpu import direct
from septet.backends.cpu.direct_kernels import kernel_name
from septet.backends.cpu.direct_tiles import machine
from septet.backends.cpu.ops.conv_parts import (
    Panels,
    channels_last,
    emit_panels,
    emit_tasks,
    held_block,
    held_blocks,
    memory_of_threads,
    sizes_of,
    target_of,
    threads_for,
    with_neighbours,
)
from septet.backends.cpu.planner import Planner
from septet.base.sizes import make
from septet.graph.node import Node


def plan_product(planner: Planner, node: Node) -> None:
    """Plan `conv` or `conv_input`."""
    source, kernel = (planner.look(operand) for operand in node.inputs)
    result = planner.allocate(node, channels_last(node.ndim))
    target = target_of(planner, result)
    is_forward = node.op.name == "conv"
    sizes = sizes_of(node, source if is_forward else target, kernel, target if is_forward else source)
    own = machine(node.dtype.name, result.shape[1] // sizes.groups)
    made = make(direct.products, node.op.name, sizes, own)
    packing, own_memory = Panels(made), made.number(lambda plan: plan.memory)
    packed = planner.scratch((packing.size,), node.dtype)
    args = packing.args(kernel.place, packed.place)
    emit_panels(planner, node, "pack_task", own, packing, args, kernel, packed)
    memory = memory_of_threads(planner, own_memory)
    args = [source.place, packed.place, target.place, memory.place, own_memory]
    args += [made.later(lambda plan: len(plan.blocks)), made.later(held_blocks), 0, 0]
    args = [made.number(lambda plan: plan.tasks), 1, threads_for(planner, sizes), *args]
    name = kernel_name("product_task", own)
    emit_tasks(planner, node, "product_task", name, args, [source, packed], [target, memory])
    if target is not result:
        planner.copied(target, result)


def plan_conv_kernel(planner: Planner, node: Node) -> None:
    """Plan `conv_kernel`."""
    x, y = (planner.look(source) for source in node.inputs)
    y = with_neighbours(planner, y)
    kernel = planner.allocate(node)
    sizes = sizes_of(node, x, kernel, y)
    own = machine(node.dtype.name, y.shape[1] // sizes.groups)
    made = make(direct.kernels, sizes, own)
    packing, own_memory = Panels(made), made.number(lambda plan: plan.memory)
    parts = made.number(lambda plan: plan.parts)
    partial = planner.scratch((parts, packing.size), node.dtype)
    memory = memory_of_threads(planner, own_memory)
    args = [x.place, y.place, partial.place, memory.place, own_memory, made.later(held_block)]
    args = [made.number(lambda plan: plan.tasks), 1, threads_for(planner, sizes), *args]
    emit_tasks(planner, node, "kernel_task", kernel_name("kernel_task", own), args, [x, y], [partial, memory])
    args = [*packing.args(kernel.place, partial.place), parts, packing.size]
    emit_panels(planner, node, "unpack_task", own, packing, args, partial, kernel)
