"""A plan in words and numbers, for people: what each step does, what runs in Python and why, what lies in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from septet.backends.base_work import (
    ARGUMENT,
    CONSTANT,
    NEW,
    OUTPUT,
    SCRATCH,
    STATE,
    VALUE,
    Piece,
    Work,
)
from septet.backends.cpu import elements, memory, native
from septet.backends.cpu.loops import LOAD, REDUCE, Kernel
from septet.backends.cpu.memory import Memory
from septet.backends.cpu.ops.library import LIBRARY
from septet.backends.cpu.planner import Planner
from septet.backends.cpu.steps import Function, Host, Nested, Step
from septet.base.sizes import plain
from septet.base.text import listing, type_text
from septet.base.watch import KERNEL, PYTHON
from septet.base.watch import LIBRARY as BY_LIBRARY
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE

LOOPS = {"loop": "loop of {} steps", "branch": "one of two branches", "while": "loop while a condition holds"}
KINDS = {
    memory.INPUT: ARGUMENT, memory.READ: STATE, memory.WRITTEN: NEW, memory.OUTPUT: OUTPUT, memory.CONSTANT: CONSTANT,
}  # fmt: skip


def works_of(planner: Planner) -> list[Work]:
    """Return what a plan does, step by step."""
    return [_work(step) for step in planner.steps]


def _work(step: Step) -> Work:
    if isinstance(step.code, Kernel):
        form = ", ".join([*_forms(step), *_threads(step.args)])
        return Work(KERNEL, step.name, step.nodes, plain(step.call.domain), form)
    shape = _shape(step.nodes)
    if isinstance(step.code, Host):
        return Work(PYTHON, step.name, step.nodes, shape, "NumPy, by the reference of its card", reason(step.code.node))
    nested = [arg for arg in step.args if isinstance(arg, Nested)]
    if nested:
        plans = [arg.planner for arg in nested]
        if step.code in LOOPS:
            form = LOOPS[step.code].format(step.args[0])
        else:  # threads have the same plans, and those of blocks of other sizes have the same steps
            plans, form = plans[:1], ", ".join(["blocks of rows", *_threads(step.args[1:])])
        inside = [work for plan in plans for work in works_of(plan)]
        return Work(KERNEL, step.name, step.nodes, shape, form, "", tuple(inside))
    functions = [arg.name for arg in step.args if isinstance(arg, Function)]
    maker = native.maker(functions[0] if functions else step.code)
    form = ", ".join([maker, *_threads(step.args[1:])]) if functions else maker
    return Work(BY_LIBRARY if maker in native.LIBRARIES else KERNEL, step.name, step.nodes, shape, form)


def _shape(nodes: Sequence[Node]) -> tuple[Any, ...]:
    known = [node.shape for node in nodes[:1] if not isinstance(node.type, tuple)]
    return plain(known[0]) if known else ()


def _forms(step: Step) -> Iterator[str]:
    """Say how a kernel goes over its domain."""
    kernel, call = step.code, step.call
    reduces = [term for term in kernel.terms if term.form == REDUCE]
    accumulates = [store for store in kernel.stores if store.how and not store.indices]
    gathers = any(term.form == LOAD and term.args for term in kernel.terms)
    if step.name == "copy":
        yield "copy"
    elif any(store.indices for store in kernel.stores):
        yield "to places by index, in order"
    elif reduces:
        length = 1
        for size in call.sizes[kernel.outer :]:
            length *= size
        yield f"rows of {length}"
    elif not accumulates:
        yield "elementwise"
    if accumulates:
        yield "totals row by row"
    if gathers:
        yield "from places by index"
    if kernel.split >= 0 and call.sizes[0] > 1:
        yield f"in {call.sizes[0]} pieces"


def _threads(args: Sequence[Any]) -> list[str]:
    """Say how many threads share a step, from its total, its chunk, and the threads that there are."""
    total, chunk, threads = args[:3]
    used = min(threads, -(-total // chunk))
    return [f"{used} threads"] if used > 1 else []


def reason(node: Node) -> str:
    """Say why a node is computed in Python."""
    types = [source.type for source in node.inputs if not isinstance(source.type, tuple)]
    dtypes = [type_.dtype.name for type_ in types]
    result = node.type[0] if isinstance(node.type, tuple) else node.type
    name = node.op.name
    if node.op.has_effect or name in ("callback", "effect_callback"):
        return "it calls Python"
    if 0 in result.shape or any(0 in type_.shape for type_ in types):
        return "nothing to compute: a size is 0"
    known = elements.reason(name, dtypes, result.dtype.name)
    if known is not None:
        return known
    if name in LIBRARY.table:
        shown = listing(dict.fromkeys(type_text(type_) for type_ in types))
        return f"its native form does not take {shown}" if shown else "its native form declines"
    if node.op.kind == ELEMENTWISE and name in elements.TABLE:
        return f"kernels do not compute it for {listing(dict.fromkeys(dtypes))}"
    return "it has no native form yet"


def pieces_of(planner: Planner, in_place: Sequence[int]) -> list[Piece]:
    """Return the memory of a plan; `in_place` says for each update which variable's memory it may overwrite, or -1."""
    end = max(len(planner.steps) - 1, 0)
    found = []
    for own in planner.memories:
        if own.kind == memory.ARENA:
            if own.first >= 0 and own.size:
                kind = SCRATCH if own.node is None else VALUE
                name = planner.steps[own.first].name
                found.append(Piece(kind, plain(own.size), own.first, own.last, own.node, name))
            continue
        is_kept = own.kind == memory.WRITTEN and in_place[own.number] >= 0
        size = 0 if is_kept else plain(own.size)
        found.append(Piece(KINDS[own.kind], size, 0, end, own.node, _name(planner, own)))
    return found


def _name(planner: Planner, own: Memory) -> str:
    if own.kind == memory.INPUT:
        return planner.graph.inputs[own.number].params[0] or f"input {own.number}"
    if own.kind == memory.READ:
        return list(planner.variables)[own.number].name
    if own.kind == memory.WRITTEN:
        return planner.graph.updates[own.number][0].name
    return f"output {own.number}" if own.kind == memory.OUTPUT else ""
