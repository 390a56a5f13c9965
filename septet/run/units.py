"""Units: the kinds of work that define-by-run graphs are made of, each computed with NumPy until it is compiled.

A unit is what all nodes with the same op, parameters and input types have in common; or all backward steps of such
nodes; or all calls of one graph. It is computed with the references of the cards at first. When it has been used a few
times, it is compiled off the main thread, and from then on it is a step of a native program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.backends.reference.program import ReferenceProgram
from septet.base.errors import LibraryError
from septet.base.forks import work
from septet.graph.assemble import apart
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.op import items, ops, record
from septet.graph.resolution import Resolution
from septet.graph.types import TensorType
from septet.run import compiler
from septet.run.programs import begin_piece, get_ready
from septet.transform.pull import Pull, offset

HOT = 2  # evaluations that have use for a unit before it is compiled
CHANGE = 8  # that from which it runs natively, the same in every run of a program; the compiler is waited for
RECENT = 256  # evaluations within which there must be use for it again


class Unit:
    """One kind of work.

    Parameters
    ----------
    make : callable
        Returns the graph; called when it is first needed.

    Attributes
    ----------
    piece : Piece or None
        The compiled unit, when its time has come.
    error : Exception or None
        Why it could not be compiled: NumPy goes on.
    offset : int or None
        Where the result begins in the input, in bytes, if it is a part of it in one piece.
    """

    __slots__ = ("_begun", "_count", "_graph", "_job", "_last", "_make", "_program", "error", "offset", "piece")

    def __init__(self, make: Callable[[], Graph]) -> None:
        self._make = make
        self._graph: Graph | None = None
        self._program: ReferenceProgram | None = None
        self._count = 0
        self._last = 0
        self._job: compiler.Job | None = None
        self._begun: Callable[[], Any] | None = None
        self.piece: Any = None
        self.offset: int | None = None
        self.error: Exception | None = None

    @property
    def graph(self) -> Graph:
        """What it computes."""
        if self._graph is None:
            self._graph = self._make()
        return self._graph

    @property
    def is_new(self) -> bool:
        """Whether no evaluation had use for it yet."""
        return self._count == 0

    def want(self, evaluation: int) -> Any:
        """Note that an evaluation, by number, has use for the unit; return the piece where its time has come."""
        if self._last != evaluation and self._count >= 0:
            self._count = self._count + 1 if evaluation - self._last <= RECENT else 1
            self._last = evaluation
            if self._job is None:
                if self._count >= HOT:
                    get_ready()
                    self._job = compiler.ask(self._compile)
            elif self._count >= CHANGE:
                self._job.wait()
                self._finish()
                if self.piece is None:
                    self.stays_interpreted()
                    if isinstance(self.error, LibraryError):
                        self.error.warn("define-by-run code is computed with NumPy, op by op")
        return self.piece

    def stays_interpreted(self) -> None:
        """Never compile it."""
        self._count = -1

    def _compile(self) -> None:
        try:
            with work:
                self._begun = begin_piece(self.graph)
        except Exception as error:  # NumPy goes on, and reports what is wrong when it meets it
            self.error = error

    def _finish(self) -> None:
        """Take the piece; wait for the compiler, or help it."""
        if self._begun is None:
            return
        try:
            with work:
                self.piece = self._begun()
        except Exception as error:
            self.error = error
        self._begun = None

    def run(self, arrays: Sequence[np.ndarray]) -> list[Any]:
        """Compute it with NumPy."""
        if self._program is None:
            self._program = ReferenceProgram(self.graph)
        return self._program(arrays)


def unit_of(resolution: Resolution) -> Unit:
    """Return the unit of a node with a resolution."""
    unit: Unit | None = resolution.unit
    if unit is None:
        unit = resolution.unit = Unit(lambda: _node_graph(resolution))
        type_ = resolution.type
        if isinstance(type_, TensorType) and type_.is_known:
            unit.offset = offset(resolution)
        if resolution.op.has_effect or resolution.op.is_higher_order:
            unit.stays_interpreted()
    return unit


def _node_graph(resolution: Resolution) -> Graph:
    with apart():
        inputs = [symbol(type_) for type_ in resolution.operands]
        node = record(resolution.op, tuple(inputs), resolution.params)
        outputs = [node] if isinstance(node.type, TensorType) else items(node)
    return Graph(inputs, outputs, name=resolution.op.name)


def unit_of_graph(holder: Graph | Pull) -> Unit:
    """Return the unit of the calls of a graph, or of the graph of a pull."""
    unit: Unit | None = holder.unit
    if unit is None:
        graph = holder.graph if isinstance(holder, Pull) else holder
        assert graph is not None
        unit = holder.unit = Unit(lambda: graph)
    return unit


sums: dict[TensorType, Unit] = {}
"""The units that add two tensors of a type, see `sum_of`."""


def sum_of(type_: TensorType) -> Unit:
    """Return the unit that adds two tensors of a type."""
    unit = sums.get(type_)
    if unit is None:
        unit = sums[type_] = Unit(lambda: _sum_graph(type_))
    return unit


def _sum_graph(type_: TensorType) -> Graph:
    with apart():
        a, b = symbol(type_), symbol(type_)
        return Graph([a, b], [record(ops.add, (a, b))], name="add")
