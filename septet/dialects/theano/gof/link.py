"""Linkers: the objects that old programs made modes with. All compute the same; some call functions around each op."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class Thunk:
    """One application with its values, as monitoring functions see it: call it to compute.

    Attributes
    ----------
    inputs, outputs : list of [value]
    """

    def __init__(self, node: Any, compute: Callable[[], list[Any]], inputs: Sequence[Any]) -> None:
        self.node = node
        self._compute = compute
        self.inputs = [[value] for value in inputs]
        self.outputs: list[list[Any]] = [[None] for _ in node.outputs]

    def __call__(self) -> None:
        for cell, value in zip(self.outputs, self._compute(), strict=True):
            cell[0] = value


class WrapLinker:
    """Calls functions around each op: ``wrapper(i, node, thunk)`` has to call the thunk.

    Parameters
    ----------
    linkers : list
        Kept; all compute the same.
    wrapper : callable
    """

    def __init__(self, linkers: Any = (), wrapper: Any = None) -> None:
        self.linkers = linkers
        self.wrappers = [wrapper]


class WrapLinkerMany(WrapLinker):
    """The same with several functions, of which each one calls the thunk."""

    def __init__(self, linkers: Any = (), wrappers: Any = ()) -> None:
        self.linkers = linkers
        self.wrappers = list(wrappers)


class OpWiseCLinker:
    """A name that old programs hand to wrapping linkers."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass


PerformLinker = CLinker = DualLinker = Linker = LocalLinker = OpWiseCLinker


def wrapped(
    linker: WrapLinker, number: int, node: Any, compute: Callable[[], list[Any]], inputs: Sequence[Any]
) -> list[Any]:
    """Compute one application with a linker's functions around it."""
    thunk = Thunk(node, compute, inputs)
    for wrapper in linker.wrappers:
        wrapper(number, node, thunk)
    return [cell[0] for cell in thunk.outputs]
