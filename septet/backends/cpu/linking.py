"""From the steps of a planner to data that the runner understands, with compiled kernels."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from septet.backends.cpu import jit, native
from septet.backends.cpu.loops import Kernel, verify
from septet.backends.cpu.lowering import lower
from septet.backends.cpu.memory import ALIGNMENT, ARENA, CONSTANT, INPUT, OUTPUT, READ, WRITTEN, Memory, Place
from septet.backends.cpu.planner import Planner
from septet.backends.cpu.steps import STATUS, Function, Host, Nested
from septet.base.config import config
from septet.base.sizes import Later, Numbers, Size, plain
from septet.optimize.open_sizes import number_of


class Linked:
    """Steps as data.

    Parameters
    ----------
    planner : Planner
    found : dict of str to int
        The addresses of native functions.
    kernels : dict of int to int
        The addresses of kernels, by their identities.
    status : ndarray
    numbers : Numbers, optional
        The sizes; by default those that were planned for.

    Attributes
    ----------
    planner : Planner
    bases : ndarray of int64
        Addresses: the arena, then inputs, variables, new values of variables, results.
    first : dict of str to int
        Where in `bases` each kind begins.
    arena_size : int
        Bytes.
    segments : list
        Native steps as (first, end), or a `Host` that runs in Python between them.
    """

    def __init__(
        self, planner: Planner, found: dict[str, int], kernels: dict[int, int], status: np.ndarray,
        numbers: Numbers | None = None,
    ) -> None:  # fmt: skip
        self.planner = planner
        self.found = found
        self.kernels = kernels
        self.numbers = numbers
        self.arena_size = plain(planner.arena_size, numbers)
        self.kept: list[Any] = []  # what arguments point to
        self.first = {ARENA: 0}
        position = 1
        for kind, memories in (
            (INPUT, planner.inputs), (READ, planner.reads), (WRITTEN, planner.written), (OUTPUT, planner.outputs)
        ):  # fmt: skip
            self.first[kind] = position
            position += len(memories)
        self.bases = np.zeros(position, np.int64)
        self.status = status
        self.nested: list[Linked] = []
        self._slots: list[int] = []
        self._moves: list[tuple[int, int, int]] = []
        self.segments: list[Any] = []
        rows: list[tuple[int, int]] = []
        start = 0
        for step in planner.steps:
            if isinstance(step.code, Host):
                if len(rows) > start:
                    self.segments.append((start, len(rows)))
                self.segments.append(step.code)
                start = len(rows)
                continue
            first = len(self._slots)
            if isinstance(step.code, Kernel):
                rows.append((found["parallel"], first))
                self._slots.append(kernels[id(step.code)])
            else:
                rows.append((found[step.code], first))
            for arg in step.args:
                if type(arg) is int:
                    self._slots.append(arg)
                else:
                    self._write(arg, found, kernels)
        if len(rows) > start:
            self.segments.append((start, len(rows)))
        self.slots = np.array(self._slots, np.int64)
        self.moves = np.array(self._moves, np.int64).reshape(-1, 3)
        self.rows = np.array(rows, np.int64).reshape(-1, 2)

    def _write(self, arg: Any, found: dict[str, int], kernels: dict[int, int]) -> None:
        """Append an argument to the slots."""
        slots, numbers = self._slots, self.numbers
        if type(arg) is Size:
            slots.append(plain(arg, numbers))
        elif type(arg) is Later:
            self._write(self._keep(arg.of(numbers)), found, kernels)
        elif isinstance(arg, Place):
            memory, offset = arg
            if type(offset) is Size:
                offset = plain(offset, numbers)
            if memory.kind == CONSTANT:
                slots.append(int(self._constant(memory).ctypes.data) + offset)
                return
            if memory.kind == ARENA:
                self._moves.append((len(slots), 0, plain(memory.offset, numbers) + offset))
            else:
                self._moves.append((len(slots), self.first[memory.kind] + memory.number, offset))
            slots.append(0)
        elif arg is STATUS:
            slots.append(int(self.status.ctypes.data))
        elif isinstance(arg, Function):
            slots.append(found[arg.name])
        elif isinstance(arg, Nested):
            own = Linked(arg.planner, found, kernels, self.status, numbers)
            self.nested.append(own)
            slots += [*own.addresses(), found[_runner(arg.planner)]]
            self._write(arg.arena.place, found, kernels)
        else:
            slots.append(int(arg))

    def _constant(self, memory: Memory) -> np.ndarray:
        """Return the value of a constant, which may follow from sizes."""
        value: np.ndarray = memory.value
        if memory.sizes is None or self.numbers is None:
            return value
        return self._keep(number_of(value.dtype, *plain(memory.sizes, self.numbers)))  # type: ignore[no-any-return]

    def _keep(self, value: Any) -> Any:
        self.kept.append(value)
        return value

    def for_sizes(self, status: np.ndarray, numbers: Numbers) -> Linked:
        """Return the same steps for other sizes."""
        return Linked(self.planner, self.found, self.kernels, status, numbers)

    def addresses(self) -> tuple[int, int, int, int, int, int, int]:
        """Return what `run` takes: bases, moves and how many, slots, steps and how many, status."""
        return (
            int(self.bases.ctypes.data), int(self.moves.ctypes.data), len(self.moves), int(self.slots.ctypes.data),
            int(self.rows.ctypes.data), len(self.rows), int(self.status.ctypes.data),
        )  # fmt: skip


def all_steps(planner: Planner, is_repeated: bool = False) -> Iterator[tuple[Any, bool]]:
    """Return the steps of a planner and of those nested in it, with whether a run takes them many times."""
    for step in planner.steps:
        yield step, is_repeated
        for nested in dict.fromkeys(arg.planner for arg in step.args if isinstance(arg, Nested)):
            yield from all_steps(nested, True)


def begin(planner: Planner) -> None:
    """Have the kernels of a planner compiled in another thread, before it is linked."""
    for name, kernel in _kernels(planner)[1].items():
        if name not in _addresses and name not in _begun:
            _begun[name] = _module(name, kernel)
            jit.begin([_begun[name]])


def link(planner: Planner, status: np.ndarray) -> Linked:
    """Compile the kernels of a planner, all at once, and write its steps down as data."""
    keys, kernels = _kernels(planner)
    names: dict[str, None] = {"parallel": None}
    for step, _ in all_steps(planner):
        if isinstance(step.code, str):
            names[step.code] = None
            names.update((arg.name, None) for arg in step.args if isinstance(arg, Function))
            names.update((_runner(arg.planner), None) for arg in step.args if isinstance(arg, Nested))
    found = {name: _addresses[name] for name in (*names, *kernels) if name in _addresses}
    # Kernels first: functions that all programs need are being made by another thread, where they are not there.
    modules = {
        name: _begun.pop(name, None) or _module(name, kernel) for name, kernel in kernels.items() if name not in found
    }
    new = dict(zip(modules, jit.addresses([*modules.values()])))
    modules = {name: native.module(name) for name in names if name not in found}
    new.update(zip(modules, jit.addresses([*modules.values()])))
    found.update(new)
    if len(_addresses) + len(new) > MOST_ADDRESSES:
        _addresses.clear()
    _addresses.update(new)
    return Linked(planner, found, {number: found[name] for number, name in keys.items()}, status)


def _runner(planner: Planner) -> str:
    """Return what runs the steps of a nested plan: a loop looks for signals anyway, between two runs of a few steps."""
    is_short = planner.part is not None or len(planner.steps) <= native.SHORT_ROW
    return "run" if is_short else "run_looking"


FEW = 64
"""Points of a kernel that is compiled lightly where it is not repeated: 5 ms less for the compiler, and below 0.1
microseconds more for a call. The results are the same to the last bit."""
LIGHT = "-light"


def _kernels(planner: Planner) -> tuple[dict[int, str], dict[str, Kernel]]:
    """Return the names of a planner's kernels by their identities, and the kernels by their names."""
    keys: dict[int, str] = {}
    kernels: dict[str, Kernel] = {}
    large: set[str] = set()
    for step, is_repeated in all_steps(planner):
        if isinstance(step.code, Kernel):
            name = keys[id(step.code)] = key(step.code)
            if config.verify and name not in kernels:
                verify(step.code)
            kernels[name] = step.code
            if is_repeated or name in _addresses or math.prod(plain(step.call.sizes)) > FEW:
                large.add(name)

    def own(name: str) -> str:
        return name if name in large else name + LIGHT

    return {number: own(name) for number, name in keys.items()}, {own(name): k for name, k in kernels.items()}


def _module(name: str, kernel: Kernel) -> jit.Module:
    """Return a kernel to compile."""
    return jit.Module("kernel", lower(kernel, "kernel"), level=jit.LIGHT if name.endswith(LIGHT) else jit.LEVEL)


def key(kernel: Kernel) -> str:
    """Return what tells kernels apart: their texts, for to Python 0.0 and -0.0 are equal, and so are 1 and True."""
    return hashlib.blake2b(kernel.text().encode(), digest_size=16).hexdigest()


_begun: dict[str, jit.Module] = {}
"""Kernels that `begin` has written down, by their keys."""
MOST_ADDRESSES = 16384
_addresses: dict[str, int] = {}
"""Of kernels by their keys, and of native functions by their names: writing one down for LLVM takes milliseconds. What
is dropped here is found by its text, for machine code stays in the process."""


def align(address: int) -> int:
    """Return the next address at which an arena may begin."""
    return -(-address // ALIGNMENT) * ALIGNMENT
