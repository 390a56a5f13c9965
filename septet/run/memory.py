"""Memory of a call before it runs: what it takes in all, and the largest tensors at its peak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from septet.backends.base_work import (
    ARGUMENT,
    CONSTANT,
    NEW,
    OUTPUT,
    SCRATCH,
    STATE,
    VALUE,
    Description,
    Piece,
)
from septet.base.text import bytes_text
from septet.graph.types import NodeType
from septet.run.places import layers_text, lines_text, pass_of
from septet.run.sheets import Sheet, Shown, cut
from septet.run.target import Target

MOST = 10
"""Tensors that are listed."""


class Alive(NamedTuple):
    """A tensor that is in memory at the peak.

    Attributes
    ----------
    size : int
        Bytes.
    kind : str
        What it is for: argument, state (of a variable), new value, constant, output, value (on the way), scratch.
    type : TensorType or None
        Dtype and shape; None for memory that a step only works with.
    name : str
        Of the argument, variable or output, or of the op.
    line : str
        The user's line.
    layer : str
    direction : str
        ``back`` for what differentiation has made.
    """

    size: int
    kind: str
    type: NodeType | None
    name: str
    line: str
    layer: str
    direction: str = ""


class Memory(Shown):
    """The memory of a call.

    Attributes
    ----------
    peak : int
        Bytes in all: arguments, state, constants, new values, outputs, and the arena. Not among them: what libraries
        keep for themselves, and machine code.
    arguments, state, constants, new_values, outputs : int
        Bytes of the arguments; of variables (parameters, statistics, states of optimizers); of data in the graph; of
        new values of variables that are not written over the old ones; of results.
    arena : int
        Bytes that the program keeps between calls for the values on the way. They take turns in it.
    values : int
        Bytes that these would take, each by itself.
    largest : list of Alive
        The ten largest tensors at the peak.
    at : str
        The step at which most values on the way are alive.
    """

    def __init__(self, target: Target, description: Description | None = None) -> None:
        found = target.describe() if description is None else description
        self.call = target.call
        self.backend = found.backend
        pieces = found.pieces
        totals = {kind: sum(p.size for p in pieces if p.kind == kind) for kind in KINDS}
        self.arguments, self.state, self.constants = totals[ARGUMENT], totals[STATE], totals[CONSTANT]
        self.new_values, self.outputs = totals[NEW], totals[OUTPUT]
        self.values = totals[VALUE] + totals[SCRATCH]
        self.arena = found.arena
        self.peak = self.arguments + self.state + self.constants + self.new_values + self.outputs + self.arena
        number = _fullest(pieces, len(found.works))
        self.at = f"step {number}, {found.works[number].name}" if found.works else ""
        alive = [p for p in pieces if p.size and (p.kind not in (VALUE, SCRATCH) or p.first <= number <= p.last)]
        alive.sort(key=lambda p: -p.size)
        self.largest = [_alive(piece, found) for piece in alive[:MOST]]

    def heading(self) -> str:
        """Return the call and its peak."""
        return f"memory of {self.call} on {self.backend}: {bytes_text(self.peak)} at the peak"

    def sheets(self) -> list[Sheet]:
        """Return the totals, and the largest tensors."""
        return [self.totals(), self.tensors()]

    def totals(self) -> Sheet:
        """Return the table of what is for what."""
        reuse = ""
        if self.arena and self.values > self.arena:
            reuse = f"{bytes_text(self.values)} of values take turns in it"
        sizes = (self.arguments, self.state, self.constants, self.new_values, self.outputs, self.arena)
        rows = [
            ("arguments", bytes_text(self.arguments), ""),
            ("parameters and state", bytes_text(self.state), ""),
            ("constants", bytes_text(self.constants), ""),
            ("new values", bytes_text(self.new_values), "of variables that cannot be written over"),
            ("outputs", bytes_text(self.outputs), ""),
            ("arena", bytes_text(self.arena), reuse),
        ]
        rows = [*[row for row, size in zip(rows, sizes, strict=True) if size], ("in all", bytes_text(self.peak), "")]
        return Sheet("", ("memory", "size", ""), rows, "lrl", {2: "end"})

    def tensors(self) -> Sheet:
        """Return the table of the largest tensors."""
        rows = [
            (bytes_text(own.size), own.kind, _type_text(own.type), own.name, own.line, own.direction, own.layer)
            for own in self.largest
        ]
        title = f"the largest at the peak, {cut(self.at, 50)}" if self.at else ""
        headers = ("size", "kind", "type", "name or op", "line", "pass", "layer")
        return Sheet(title, headers, rows, "rllllll", {2: "end", 3: "end", 4: "start", 6: "start"}, spare=(5, 6))


KINDS = (ARGUMENT, STATE, CONSTANT, NEW, OUTPUT, VALUE, SCRATCH)


def _type_text(type_: Any) -> str:
    if isinstance(type_, tuple):
        return ", ".join([repr(part) for part in type_])
    return "" if type_ is None else repr(type_)


def _fullest(pieces: Sequence[Piece], steps: int) -> int:
    """Return the step at which the values on the way take most."""
    change = [0] * (steps + 1)
    for piece in pieces:
        if piece.kind in (VALUE, SCRATCH):
            change[piece.first] += piece.size
            change[piece.last + 1] -= piece.size
    best, most, now = 0, -1, 0
    for number in range(steps):
        now += change[number]
        if now > most:
            best, most = number, now
    return best


def _alive(piece: Piece, found: Description) -> Alive:
    node = piece.node
    nodes = [node] if node is not None else []
    if piece.kind == SCRATCH:
        nodes = list(found.works[piece.first].nodes)
    elif piece.kind == CONSTANT and node is not None and not node.ndim:
        nodes = []  # equal numbers are one node, whichever line of whichever program wrote them first
    is_on_the_way = piece.kind == VALUE and node is not None
    name = node.op.name if is_on_the_way and node is not None else piece.name
    type_ = node.type if node is not None else None
    return Alive(piece.size, piece.kind, type_, name, lines_text(nodes), layers_text(nodes), pass_of(nodes))
