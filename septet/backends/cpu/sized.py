"""Graphs whose sizes follow from values of small inputs: a program for each combination of sizes.

A call begins with what decides sizes, a few operations in Python's integers (`optimize.size_values`); the rest is the
native program of a graph of known sizes, as any other. It is the same for all calls with the same sizes, wherever their
slices begin.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from septet.backends.base import Backend, Program
from septet.backends.base_work import Description, Made, Tell
from septet.backends.cpu.program import OPEN_SIZES, CpuProgram, Settled
from septet.base import forks
from septet.base.errors import SeptetError
from septet.graph.graph import Graph
from septet.graph.node import Node
from septet.optimize.pipeline import optimize
from septet.optimize.size_values import Branch, Undecided, Walk, find
from septet.optimize.sizes import with_shapes

EAGER = 32
"""Programs up to which sizes have one when they first come; afterwards, when they come again."""
MOST = 128
"""Programs that are kept."""
IDLE = 512
"""Calls after which a program that was not used makes room for another one."""
SEEN = 1024
"""Sizes without a program that are remembered."""
SHAPES = 64
"""Combinations of the shapes of inputs that are remembered."""
NOTED = 1024
"""What was made, so far as it is remembered."""


class _Leaf:
    """What there is for a combination of sizes.

    Attributes
    ----------
    program : Program
    branch : Branch
        Where it hangs.
    used : int
        The number of the last call.
    """

    __slots__ = ("branch", "program", "used")

    def __init__(self, program: Program, branch: Branch) -> None:
        self.program = program
        self.branch = branch
        self.used = 0


class SizedProgram:
    """A graph whose sizes follow from values.

    Parameters
    ----------
    graph : Graph
    leaves : collection of Node
        The inputs and variables whose values decide.
    reference, beside, is_resized
        As for `CpuProgram`.

    Attributes
    ----------
    deciding : list of int
        The inputs whose values decide.
    made : list of Made
        What each program took.
    tell : callable or None
        Is told about each of these.
    """

    def __init__(
        self, graph: Graph, leaves: Collection[Node], reference: Backend, beside: Program | None = None,
        is_resized: bool = False,
    ) -> None:  # fmt: skip
        self.deciding = [number for number, node in enumerate(graph.inputs) if node in leaves]
        self._given = graph
        self._graph: Graph | None = None if is_resized else graph
        self._is_resized = is_resized
        self._reference = reference
        self._beside = beside
        self._roots: dict[Any, Branch] = {}  # by the shapes of the inputs
        self._leaves: list[_Leaf] = []
        self._seen: dict[tuple[Branch, int], None] = {}
        self._calls = 0
        self._interpreter: Program | None = None
        self.made: list[Made] = []
        self.tell: Callable[[Made], None] | None = None

    @property
    def graph(self) -> Graph:
        """The graph, optimized as far as that goes while sizes are open."""
        if self._graph is None:
            self._graph = optimize(self._given)
        return self._graph

    @property
    def interpreter(self) -> Program:
        """What runs the graph while sizes are open."""
        if self._interpreter is None:
            self._interpreter = self._reference.compile(self.graph)
        return self._interpreter

    def make_ready(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """Do nothing: shapes do not tell the sizes."""

    def __call__(self, arguments: Sequence[np.ndarray]) -> list[Any]:
        """Run, and return the values of the roots; variables keep their values."""
        return self._program(arguments)(arguments)

    def step(self, arguments: Sequence[np.ndarray]) -> list[Any]:
        """Run, give variables their new values, and return the values of the roots."""
        return self._program(arguments).step(arguments)

    def observe(self, arguments: Sequence[np.ndarray], tell: Tell) -> list[Any]:
        """Run step by step; variables are not overwritten."""
        return self._program(arguments, True).observe(arguments, tell)

    def describe(self, arguments: Sequence[np.ndarray]) -> Description:
        """Return what runs for some inputs, and what memory it takes."""
        program = self._program(arguments, True)
        found = program.describe(arguments)
        if program is self._interpreter:
            return found._replace(works=[work._replace(reason=OPEN_SIZES) for work in found.works])
        return found

    def _program(self, arguments: Sequence[np.ndarray], is_asked: bool = False) -> Program:
        """Return what runs for some inputs: their sizes have come before, or it is made, at once where it is asked about."""
        key = tuple([array.shape for array in arguments])
        root = self._roots.get(key)
        try:
            if root is not None:
                branch, value = find(root, arguments)
                leaf: _Leaf | None = branch.leaf
                if leaf is not None:
                    self._calls += 1
                    leaf.used = self._calls
                    return leaf.program
                if value is not None and not is_asked and self._has_to_wait(branch, value):
                    return self.interpreter
            with forks.work:
                return self._settle(key, arguments)
        except Undecided:
            return self.interpreter

    def _has_to_wait(self, branch: Branch, value: int) -> bool:
        """Tell whether there are too many sizes for a new one to have a program before it comes again."""
        if len(self._leaves) < EAGER:
            return False
        if (branch, value) in self._seen:
            return not self._has_room()
        if len(self._seen) >= SEEN:
            self._seen.clear()
        self._seen[branch, value] = None
        return True

    def _has_room(self) -> bool:
        """Tell whether another program is kept, in the place of one that was not used for long where there are many."""
        if len(self._leaves) < MOST:
            return True
        oldest = min(self._leaves, key=lambda leaf: leaf.used)
        if self._calls - oldest.used < IDLE:
            return False
        self._leaves.remove(oldest)
        oldest.branch.remove()
        return True

    def _settle(self, key: tuple[tuple[int, ...], ...], arguments: Sequence[np.ndarray]) -> Program:
        """Make the program for the sizes of a call.

        Raises
        ------
        Undecided
            If they are none, or do not fit: the reference says why.
        """
        start = perf_counter()
        if len(self._roots) >= SHAPES and key not in self._roots:
            self._roots.clear()
            self._leaves.clear()
        root = self._roots.setdefault(key, Branch({}))
        walk = Walk(root, arguments)
        try:
            graph = with_shapes(self._given, key, walk)
        except SeptetError as error:
            raise Undecided from error
        branch = walk.branch
        decided = branch.decided()
        settled = Settled(self._given, tuple([size for _, size in decided]), perf_counter() - start)
        program = CpuProgram(graph, self._reference, self._beside, self._is_resized, settled)
        made = program.make_ready(key)
        if made is None:  # more than a few small values decide sizes, whatever these are
            self._note(Made(key, len(self.graph), perf_counter() - start, how=f"interpreted: {OPEN_SIZES}"))
            root = self._roots[key] = Branch({})
            root.leaf = _Leaf(self.interpreter, root)
            return self.interpreter
        self._beside = program
        self._note(made._replace(seconds=perf_counter() - start, decided=decided))
        branch.leaf = _Leaf(program, branch)
        self._leaves.append(branch.leaf)
        return program

    def _note(self, made: Made) -> None:
        """Remember what was made."""
        self.made = [*self.made[1 - NOTED :], made]
        if self.tell is not None:
            self.tell(made)
