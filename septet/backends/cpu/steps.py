"""The entries of a plan, and what stands among their arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from septet.backends.cpu.memory import Memory, Strided
from septet.graph.node import Node
from septet.graph.reference import compute

if TYPE_CHECKING:
    from septet.backends.cpu.planner import Planner


class Step(NamedTuple):
    """One entry of a plan.

    Attributes
    ----------
    name : str
        To tell users.
    code : Kernel, str or callable
        A kernel; the name of a native function (see `library`); or, for what runs in Python, ``code(views)``.
    args : tuple
        Numbers and places.
    reads, writes : tuple of Memory
    nodes : tuple of Node
        What it computes.
    call : Call or None
        For a kernel: what it is called with.
    added : Memory or None
        For another function: what it reads in the places in which it writes its result, each before it is written.
    """

    name: str
    code: Any
    args: tuple[Any, ...]
    reads: tuple[Memory, ...]
    writes: tuple[Memory, ...]
    nodes: tuple[Node, ...]
    call: Any = None
    added: Memory | None = None

    def is_in_place(self, old: Memory, new: Memory) -> bool:
        """Tell whether `old`, of which it reads, may be the same memory as `new`, which it writes.

        So it is where it computes element by element, from what lies in the same place or in a part that it writes nothing
        to at another point.
        """
        if self.call is None:
            return self.added is old
        call = self.call
        rows = [
            (strides, there.offset, own)
            for there, strides, own in zip(call.buffers, call.strides, call.kernel.buffers, strict=True)
            if there.memory in (old, new)
        ]
        if call.kernel.inner or any(own.indices for _, _, own in rows) or len({strides for strides, _, _ in rows}) != 1:
            return False
        reads = [offset for _, offset, own in rows if not own.is_written]
        writes = [offset for _, offset, own in rows if own.is_written]
        return all(a == b or _are_apart(abs(a - b), rows[0][0], call.sizes) for a in reads for b in writes)

    @property
    def may_fail(self) -> bool:
        """Whether it can find an error in values."""
        return any(arg is STATUS or isinstance(arg, Nested) for arg in self.args) or callable(self.code)

    @property
    def is_native(self) -> bool:
        """Whether no Python runs in it."""
        nested = all(step.is_native for arg in self.args if isinstance(arg, Nested) for step in arg.planner.steps)
        return not callable(self.code) and nested


def _are_apart(distance: int, strides: tuple[int, ...], sizes: tuple[int, ...]) -> bool:
    """Tell whether two boxes of elements share none: between rows of one lie those of the other."""
    axes = sorted((abs(stride), size) for stride, size in zip(strides, sizes, strict=True))
    step, span = axes[-1][0], sum(stride * (size - 1) for stride, size in axes[:-1])
    return step > 0 and span < distance % step < step - span


class Unit(NamedTuple):
    """What was planned together: a fused group, or a node by itself.

    Attributes
    ----------
    nodes : tuple of Node
    first, end : int
        Its steps.
    """

    nodes: tuple[Node, ...]
    first: int
    end: int


class Function(NamedTuple):
    """The address of a native function, as an argument."""

    name: str


class Prepared(NamedTuple):
    """What a loop makes of a constant before it begins, for its body: see `Planner.prepare`."""

    source: Strided
    there: Strided
    make: Callable[..., Any]


class Nested(NamedTuple):
    """A plan inside a plan, as an argument: it expands to what `native.LOOP` takes.

    Attributes
    ----------
    planner : Planner
    arena : Strided
        Memory of the plan around for the arena of the nested one.
    """

    planner: Planner
    arena: Strided


class _Status:
    """Stands for the address of the status word among arguments."""

    def __repr__(self) -> str:
        return "STATUS"


STATUS = _Status()


class Host:
    """A node that is computed in Python, between native steps."""

    def __init__(self, node: Node, sources: list[Strided], results: list[Strided | None]) -> None:
        self.node = node
        self.sources = sources
        self.results = results

    def __call__(self, view: Callable[[Strided], np.ndarray], run: Any) -> None:
        arrays = []
        for source in self.sources:
            array = view(source)
            array.flags.writeable = False
            arrays.append(array)
        values = compute(self.node, arrays, run)
        if not isinstance(self.node.type, tuple):
            values = (values,)
        for value, there in zip(values, self.results, strict=True):
            if there is not None:
                view(there)[...] = value
