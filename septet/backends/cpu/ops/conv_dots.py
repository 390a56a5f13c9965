"""Convolutions of few windows, in the plan: dot products with the kernel as it lies."""

from __future__ import annotations

from septet.backends.cpu import dots
from septet.backends.cpu.direct_tiles import machine
from septet.backends.cpu.held import Held
from septet.backends.cpu.ops.conv_parts import channels_last, emit_tasks, sizes_of, target_of, threads_for
from septet.backends.cpu.planner import Planner
from septet.base.sizes import make
from septet.graph.node import Node


def plan_product(planner: Planner, node: Node) -> None:
    """Plan `conv`."""
    source, kernel = (planner.look(operand) for operand in node.inputs)
    result = planner.allocate(node, channels_last(node.ndim))
    target = target_of(planner, result)
    sizes = sizes_of(node, source, kernel, target)
    lanes = machine(node.dtype.name, result.shape[1]).lanes
    made = make(dots.plan, sizes)
    threads = threads_for(planner, sizes)
    count, length = made.number(lambda plan: plan.windows), made.number(lambda plan: plan.length)
    windows = planner.scratch((count, length), node.dtype)
    sources = made.later(lambda plan: Held(plan.sources.ctypes.data, plan))
    targets = made.later(lambda plan: Held(plan.targets.ctypes.data, plan))
    args = [source.place, windows.place, sources, made.later(lambda plan: plan.sources.shape[1])]
    args = [count, 1, threads, *args, made.later(lambda plan: plan.channels), source.strides[1]]
    emit_tasks(planner, node, "windows_task", dots.kernel_name("windows_task", lanes), args, [source], [windows])
    args = [kernel.place, windows.place, count, length, target.place, targets]
    args = [made.number(lambda plan: plan.tasks), 1, threads, *args]
    emit_tasks(planner, node, "dots_task", dots.kernel_name("dots_task", lanes), args, [kernel, windows], [target])
    if target is not result:
        planner.copied(target, result)
