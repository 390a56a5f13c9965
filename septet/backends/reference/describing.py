"""A program of the reference backend in words and numbers: its nodes in order, and the memory of their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from septet.backends.base_work import (
    ARGUMENT,
    CONSTANT,
    NEW,
    OUTPUT,
    STATE,
    VALUE,
    Description,
    Piece,
    Work,
)
from septet.base.watch import NODE
from septet.graph.node import SYMBOL, VARIABLE, Node
from septet.graph.op import ITEM, Op
from septet.graph.types import TensorType

if TYPE_CHECKING:
    from septet.backends.reference.program import ReferenceProgram


def describe(program: ReferenceProgram, shapes: Sequence[tuple[int, ...]]) -> Description:
    """Return the nodes in the order in which they are computed, and their values; one of open sizes counts nothing."""
    works = [_work(node) for node, *_ in program.steps if node.op is not ITEM]
    pieces = _Pieces(program, shapes).found
    arena = max([0, *[sum(p.size for p in pieces if p.kind == VALUE and p.first <= number <= p.last)
                      for number in range(len(works))]])  # fmt: skip
    return Description("reference", 1, works, pieces, arena)


def _work(node: Node) -> Work:
    shape: Any = node.shape if isinstance(node.type, TensorType) else ()
    return Work(NODE, node.op.name, (node,), shape, "NumPy, by the reference of its card")


class _Pieces:
    """The memory that a run takes: what NumPy only looks at in another way takes none of its own."""

    def __init__(self, program: ReferenceProgram, shapes: Sequence[tuple[int, ...]]) -> None:
        self.found: list[Piece] = []
        graph = program.graph
        numbers: dict[Node, int] = {}
        count = 0
        for node, *_ in program.steps:
            numbers[node] = count if node.op is not ITEM else numbers[node.inputs[0]]
            count += node.op is not ITEM
        end = max(count - 1, 0)
        for node, shape in zip(graph.inputs, shapes, strict=True):
            size = node.tensor_type.with_shape(tuple(shape)).size or 0
            self.found.append(Piece(ARGUMENT, size * node.dtype.itemsize, 0, end, node, node.params[0]))
        for node in graph.nodes:
            if node.op is VARIABLE:
                self.found.append(Piece(STATE, _bytes(node.type), 0, end, node, node.params[0].name))
            elif node.value is not None and not node.inputs and node.op is not SYMBOL:
                self.found.append(Piece(CONSTANT, _bytes(node.type), 0, end, node))
        last: dict[Node, int] = {}
        for node in numbers:
            for source in node.inputs:
                last[_base(source)] = numbers[node]
        kinds: dict[Node, tuple[str, str]] = {}
        for index, node in enumerate(graph.outputs):
            kinds.setdefault(_base(node), (OUTPUT, f"output {index}"))
        for variable, node in graph.updates:
            kinds.setdefault(_base(node), (NEW, variable.name))
        for node, number in numbers.items():
            if _base(node) is not node:
                continue
            kind, name = kinds.get(node, (VALUE, node.op.name))
            until = last.get(node, number) if kind == VALUE else end
            self.found.append(Piece(kind, _bytes(node.type), number, until, node, name))


def _base(node: Node) -> Node:
    """Return the node whose memory a result shows."""
    while node.op is ITEM or (len(node.inputs) == 1 and isinstance(node.op, Op) and "view" in node.op.properties):
        node = node.inputs[0]
    return node


def _bytes(type_: Any) -> int:
    if isinstance(type_, tuple):
        return sum(_bytes(part) for part in type_)
    return (type_.size or 0) * int(type_.dtype.itemsize)
