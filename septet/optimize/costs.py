"""What computing and keeping costs, estimated from the kinds of ops: bytes that move through memory.

These are for choosing between two ways to the same values. Figures are from kernels of the CPU backend: a
transcendental function takes about as long as moving two float32; other elementwise ops are fused into loops and take
next to nothing.
"""

from __future__ import annotations

from septet.graph.assemble import graphs_in
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, LEAF, MOVEMENT, REDUCTION, Op
from septet.graph.types import TensorType

UNKNOWN = 32
"""What an unknown size counts as."""
NEVER = 1 << 60
"""The cost of what is never computed twice: a contraction, a loop, a decomposition."""
KEEP = 3
"""Keeping a value: it is written, which fetches the memory first, and read again."""
TRANSCENDENTAL = 8
CHEAP = 4
"""Bytes that count as one, for other elementwise ops."""

MOST_WORK = 256
"""The work of a group of fused nodes from which it is full: compiling a long kernel takes more than in proportion;
several are compiled side by side, and often they are the same."""
DEAR = 16
"""The work of an op that takes many instructions; that of others is 1."""


def work_of(node: Node) -> int:
    """Return how much an op adds to the length of a kernel."""
    return DEAR if "transcendental" in node.op.properties else 1


def elements_of(node: Node) -> int:
    """Return how many elements a node has; a number to compare with others where sizes are not known."""
    total = 0
    for type_ in node.type if isinstance(node.type, tuple) else (node.type,):
        size = 1
        for own in type_.shape:
            size *= UNKNOWN if own is None else own
        total += size
    return total


def bytes_of(node: Node) -> int:
    """Return how large the value of a node with one result is."""
    return elements_of(node) * node.dtype.itemsize


def cost_of(node: Node) -> int:
    """Return what computing a node from its inputs costs."""
    op = node.op
    if not isinstance(op, Op) or op.kind in (MOVEMENT, LEAF):
        return 0
    if not isinstance(node.type, TensorType) or op.kind not in (ELEMENTWISE, REDUCTION) or graphs_in(node.params):
        return NEVER
    if op.kind == REDUCTION:  # nothing that is fused with it can be computed before it has ended
        return bytes_of(node.inputs[0])
    if "transcendental" in op.properties:
        return TRANSCENDENTAL * elements_of(node)
    return bytes_of(node) // CHEAP
