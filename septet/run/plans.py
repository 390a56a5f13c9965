"""Plans: what a compiled function keeps of each trace, when it can be used again, and why another one was needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from septet.backends.base import Program
from septet.base.config import Config
from septet.graph.context import TRACKED, changes
from septet.graph.graph import Graph
from septet.graph.types import TensorType
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Note
from septet.tensor.tree import Structure
from septet.tensor.variable import Variable

SETTINGS = ("default_float", "default_int", "optimize", "backend")
"""Settings that a traced graph, or the program made of it, depends on."""

surroundings: Callable[[Config], tuple[Any, ...]] = attrgetter(*SETTINGS)
"""Returns the values of `SETTINGS`."""


class Call(NamedTuple):
    """What a plan was made for: everything about a call and its surroundings that is compared at each call.

    Attributes
    ----------
    structure : Structure
        How arguments are nested.
    slots : tuple
        For each leaf its type (a tensor) or its value (static).
    tracked : tuple of (bool or None)
        For each leaf whether a gradient can flow through it; None where it is static.
    mask : int
        Whether gradients are on: see `context`.
    settings : tuple
        The values of `SETTINGS`.
    """

    structure: Structure
    slots: tuple[Any, ...]
    tracked: tuple[bool | None, ...]
    mask: int
    settings: tuple[Any, ...]

    @classmethod
    def of(cls, key: tuple[Any, ...], leaves: Sequence[Any], structure: Structure) -> Call:
        """Return the call that a key is made of: structure, mask, settings, and a pair for each leaf.

        A pair is the type of a tensor and its TRACKED flag, or a stand-in for a static value and its class.
        """
        _, mask, settings, *pairs = key
        tracked = [bool(mark) if isinstance(mark, int) else None for mark in pairs[1::2]]
        slots = [leaf if mark is None else slot for leaf, slot, mark in zip(leaves, pairs[::2], tracked, strict=True)]
        return cls(structure, tuple(slots), tuple(tracked), mask, settings)


class Plan:
    """A compiled graph, how its results go back into the shape of the function's result, and what it is valid for.

    Parameters
    ----------
    graph : Graph
        As it was traced.
    program : Program
    rebuild : callable
        Puts the outputs back into the structure of the result.
    is_single : bool
        Whether the result is one tensor.
    count : int
        The number of outputs.
    call : Call
        The call that it was made for.
    names : sequence of str
        The names of the leaves.
    notes : iterable of Note
        The Python state that the traced function has read.
    """

    __slots__ = ("_checked", "call", "count", "graph", "is_single", "names", "notes", "program", "rebuild", "types")

    def __init__(
        self, graph: Graph, program: Program, rebuild: Callable[[list[Any]], Any], is_single: bool,
        count: int, call: Call, names: Sequence[str], notes: Iterable[Note],
    ) -> None:  # fmt: skip
        self.graph = graph
        self.program = program
        self.rebuild = rebuild
        self.is_single = is_single
        self.count = count
        self.types = [node.type if node.tensor_type.is_known else None for node in graph.outputs]
        self.call = call
        self.names = tuple(names)
        self.notes = tuple(notes)
        self._checked: object = None  # the stamp of changes at which the notes were last found to hold

    def holds(self) -> bool:
        """Tell whether all noted state is what it was; costs one comparison as long as no such state changes."""
        stamp = changes.stamp
        if self._checked is stamp:
            return True
        if not all([note.holds() for note in self.notes]):
            return False
        self._checked = stamp
        return True


class Plans:
    """The plans of a function: for each key those for different states of the modules and variables involved."""

    MOST = 8
    """Plans kept for one key; the one used least recently goes first."""
    COMPARED = 64
    """Plans that a new call is compared with, to say what is new about it: the newest ones."""

    def __init__(self) -> None:
        self._plans: dict[tuple[Any, ...], list[Plan]] = {}

    def find(self, key: tuple[Any, ...]) -> Plan | None:
        """Return the plan for a key in the present state, if there is one."""
        found = self._plans.get(key)
        if found is None:
            return None
        plan = found[0]
        if plan.holds():
            return plan
        for index, plan in enumerate(found):
            if plan.holds():
                found.insert(0, found.pop(index))
                return plan
        return None

    def add(self, key: tuple[Any, ...], plan: Plan) -> None:
        """Keep a plan."""
        found = self._plans.setdefault(key, [])
        found.insert(0, plan)
        del found[self.MOST :]

    @property
    def latest(self) -> Program | None:
        """The program of the plan that was used last among those for the newest key."""
        groups = [*self._plans.values()]
        return groups[-1][0].program if groups else None

    def reason(self, call: Call, names: Sequence[str]) -> str:
        """Say what is new about a call for which there is no plan: its differences from the nearest one."""
        plans = [plan for group in reversed(self._plans.values()) for plan in group]
        if not plans:
            return "first call"
        alike = [plan for plan in plans if plan.call.structure == call.structure]
        found = min((_differences(plan, call, names) for plan in (alike or plans)[: self.COMPARED]), key=len)
        return "; ".join(found[:4]) + (f"; and {len(found) - 4} more" if len(found) > 4 else "")


def slot_text(slot: Any) -> str:
    """Write the type of a tensor, or a static value."""
    if isinstance(slot, Variable):
        return f"variable {slot.name!r}, {slot.variable_type!r}"
    text = repr(slot)
    return text if isinstance(slot, TensorType) or len(text) <= 60 else text[:57] + "..."


def arguments_text(names: Sequence[str], slots: Sequence[Any]) -> str:
    """Write the arguments of a call: ``images: float32[64, 10], is_last: True``."""
    return ", ".join(f"{name}: {slot_text(slot)}" for name, slot in zip(names, slots, strict=True))


def _differences(plan: Plan, call: Call, names: Sequence[str]) -> list[str]:
    """Return how a call differs from the one that a plan was made for, as phrases."""
    old = plan.call
    before = dict(zip(plan.names, zip(map(slot_text, old.slots), old.tracked, strict=True), strict=True))
    after = dict(zip(names, zip(map(slot_text, call.slots), call.tracked, strict=True), strict=True))
    found = []
    for name, (text, tracked) in after.items():
        if name not in before:
            found.append(f"{name}: {text} is new")
            continue
        old_text, was_tracked = before[name]
        if old_text != text:
            found.append(f"{name}: {old_text} -> {text}")
        if None not in (was_tracked, tracked) and was_tracked != tracked:
            found.append(f"{name}: {_gradient(was_tracked)} -> {_gradient(tracked)}")
    found += [f"{name}: left out" for name in before if name not in after]
    if not found and old.structure != call.structure:
        found.append(f"arguments of another structure: {old.structure!r} -> {call.structure!r}")
    elif not found:  # values that are written alike
        pairs = zip(names, old.slots, call.slots, call.tracked, strict=True)
        found += [f"{name}: another {type(b).__name__}" for name, a, b, mark in pairs if mark is None and _differ(a, b)]
    if old.mask != call.mask:
        found.append(f"gradients: {_switch(old.mask)} -> {_switch(call.mask)}")
    settings = zip(SETTINGS, old.settings, call.settings, strict=True)
    found += [f"setting {name}: {a} -> {b}" for name, a, b in settings if a != b]
    changed: dict[type[Note], list[Note]] = {}
    for note in plan.notes:
        if not note.holds():
            changed.setdefault(type(note), []).append(note)
    for kind, notes in changed.items():
        found += kind.describe(notes)
    return found


def _differ(a: Any, b: Any) -> bool:
    """Tell whether two static values are not the same; tensors, compared element by element, are when they are one."""
    return a is not b and (isinstance(a, Tensor) or bool(a != b))


def _switch(mask: int) -> str:
    return "on" if mask & TRACKED else "off"


def _gradient(is_tracked: bool | None) -> str:
    return "with gradient" if is_tracked else "without gradient"
