"""How long NumPy would take for a graph, and compiling it: whether to compile at once what came for the first time.

The estimates look at kinds of ops and sizes alone: whether a graph is compiled must not depend on what the machine is
doing, since native code and NumPy differ in last bits. Figures are nanoseconds, in round numbers: of the first steps of
models from a perceptron to ResNet-18, of which they tell those that take longer than compiling.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt

from septet.graph.graph import Graph
from septet.graph.node import Node
from septet.graph.op import CONTRACTION, ELEMENTWISE, MOVEMENT, REDUCTION, ops
from septet.graph.resolution import Resolution
from septet.graph.types import TensorType
from septet.transform.pullback import Pullback

SIMPLE = 2.0
"""For each element of a result: three passes over memory, one of them over memory that is new to the process."""
TRANSCENDENTAL = 6.0
READ = 0.7
"""For each element that is reduced."""
WINDOW = 0.05
"""For each multiplication of a convolution, over the square root of the taps: laying out windows takes most of it."""
OTHER = 5.0

COMPILE_FIRST = 0.2e9
COMPILE_NODE = 2e6
"""What compiling takes: loading the compiler, and for each node of the forward and the backward pass."""

WORTH_WAITING = 0.1e9
"""What NumPy must take before it is better to wait for the compiler than to compute beside it, which slows both."""


def of_nodes(nodes: Iterable[Node]) -> float:
    """Estimate the nanoseconds that NumPy takes for the nodes that have no value.

    Products of matrices do not count: compiled, they would take as long.
    """
    total = 0.0
    for node in nodes:
        if node.value is not None:
            continue
        if node.resolution is not None:
            total += _of_resolution(node.resolution)
        elif node.params and isinstance(node.params[0], Pullback):
            total += sum(of_graph(row[0].graph) for row in node.params[0].rows if row[0].graph is not None)
    return total


def of_graph(graph: Graph) -> float:
    """Estimate the nanoseconds for a graph."""
    return of_nodes(graph.nodes)


def of_compiling(count: int) -> float:
    """Estimate the nanoseconds for compiling a graph of so many nodes."""
    return COMPILE_FIRST + COMPILE_NODE * count


def _of_resolution(resolution: Resolution) -> float:
    op, type_ = resolution.op, resolution.type
    if "view" in op.properties or op is ops.dot_general or op.is_higher_order or not isinstance(type_, TensorType):
        return 0.0
    size = type_.size or 0
    if op.kind in (ELEMENTWISE, MOVEMENT):
        return size * (TRANSCENDENTAL if "transcendental" in op.properties else SIMPLE)
    if op.kind == REDUCTION:
        return READ * sum(operand.size or 0 for operand in resolution.operands)
    if op.kind == CONTRACTION:
        product = float(size)
        for operand in resolution.operands:
            product *= operand.size or 0
        return WINDOW * sqrt(product)
    return OTHER * size
