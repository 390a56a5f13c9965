"""Convolutions of few windows, in the plan: dot products with the kernel as it lies."""

from __future__ import annotations

from septet.backends.cpu import dots
from septet.backends.cpu.direct_tiles import machine
from septet.backends.cpu.held import Held
from septet.backends.cpu.ops.conv_parts import channels_last, emit_tasks, sizes_of, target_of, threads_for
from septet.backends.cpu.planner import Planner
from septet.graph.node import Node


def plan_product(planner: Planner, node: Node) -> None:
    """Plan `conv`."""
    source, kernel = (planner.look(operand) for operand in node.inputs)
    result = planner.allocate(node, channels_last(node.ndim))
    target = target_of(planner, result)
    sizes = sizes_of(node, source, kernel, target)
    lanes = machine(node.dtype.name, result.shape[1]).lanes
    plan = dots.plan(sizes)
    threads = threads_for(planner, sizes)
    windows = planner.scratch((plan.windows, plan.length), node.dtype)
    sources, targets = Held(plan.sources.ctypes.data, plan), Held(plan.targets.ctypes.data, plan)
    args = [source.place, windows.place, sources, plan.sources.shape[1], plan.channels, source.strides[1]]
    args = [plan.windows, 1, threads, *args]
    emit_tasks(planner, node, "windows_task", dots.kernel_name("windows_task", lanes), args, [source], [windows])
    args = [kernel.place, windows.place, plan.windows, plan.length, target.place, targets]
    args = [plan.tasks, 1, threads, *args]
    emit_tasks(planner, node, "dots_task", dots.kernel_name("dots_task", lanes), args, [kernel, windows], [target])
    if target is not result:
        planner.copied(target, result)
