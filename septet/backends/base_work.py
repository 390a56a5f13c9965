"""What a program does, as data: its works in the order of a run, and the memory that they need.

Every backend can describe its programs so; explaining, profiling and looking at memory need nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from septet.graph.node import Node

ARGUMENT, STATE, CONSTANT, NEW, OUTPUT, VALUE, SCRATCH = (
    "argument", "state", "constant", "new value", "output", "value", "scratch",
)  # fmt: skip
"""What a piece of memory is for: an argument of the call; the present value of a variable; data in the graph; the new
value of a variable; a result; a value on the way; memory that only one work needs."""


class Work(NamedTuple):
    """One thing that a program does at a run.

    Attributes
    ----------
    kind : str
        KERNEL, LIBRARY, PYTHON or NODE: see `base.watch`.
    name : str
    nodes : tuple of Node
        What it computes.
    domain : tuple of int
        For a kernel, the sizes of the loops; the shape of the result otherwise.
    form : str
        How it is computed, in words.
    reason : str
        For what runs in Python, why.
    inside : tuple of Work
        What a loop or a branch consists of.
    """

    kind: str
    name: str
    nodes: tuple[Node, ...]
    domain: tuple[int, ...] = ()
    form: str = ""
    reason: str = ""
    inside: tuple[Work, ...] = ()


class Piece(NamedTuple):
    """A piece of memory.

    Attributes
    ----------
    kind : str
        One of the constants of this module.
    size : int
        Bytes.
    first, last : int
        The works before and after which nobody needs it.
    node : Node or None
        What it holds.
    name : str
        Of the argument, the variable or the work.
    """

    kind: str
    size: int
    first: int
    last: int
    node: Node | None
    name: str = ""


class Change(NamedTuple):
    """What a backend did to the graph before it made works of it.

    Attributes
    ----------
    name : str
    nodes : int
        How many there are afterwards.
    fired : dict of str to int
        How often each rule replaced a node.
    seconds : float
    """

    name: str
    nodes: int
    fired: dict[str, int]
    seconds: float


class Made(NamedTuple):
    """What it took to make a program ready for some shapes.

    Attributes
    ----------
    shapes : tuple of tuple of int
        Of the inputs.
    nodes : int
    seconds : float
        For works, memory and machine code.
    kernels : int
        Functions of machine code that were not in the process yet.
    new : int
        Those of them that were compiled; the others were found on disk.
    how : str
        Where there are other plans: whether one of them was adapted, or why it could not be.
    decided : tuple of (str, int)
        Sizes that values have decided: what takes them, and how large they are.
    """

    shapes: tuple[tuple[int, ...], ...]
    nodes: int
    seconds: float
    kernels: int = 0
    new: int = 0
    how: str = ""
    decided: tuple[tuple[str, int], ...] = ()


class Description(NamedTuple):
    """A program for some shapes.

    Attributes
    ----------
    backend : str
    threads : int
    works : list of Work
    pieces : list of Piece
    arena : int
        Bytes that the program keeps for its values on the way.
    changes : list of Change
    made : Made or None
    is_optimized : bool
        Whether the changes begin with what the optimizer did.
    """

    backend: str
    threads: int
    works: Sequence[Work]
    pieces: Sequence[Piece]
    arena: int
    changes: Sequence[Change] = ()
    made: Made | None = None
    is_optimized: bool = False


Tell = Callable[[int, int, int], None]
"""Takes the number of a work, and the nanoseconds when it began and ended."""
