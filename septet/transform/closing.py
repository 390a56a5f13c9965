"""Closing what was recorded: nodes that depend on some arguments become a graph, with everything else as operands."""

from __future__ import annotations

from collections.abc import Sequence

from septet.base.errors import GraphError
from septet.graph.graph import Graph, substitute
from septet.graph.node import CONSTANT, SYMBOL, VARIABLE, Node, symbol
from septet.graph.op import ITEM, Op
from septet.tensor.capture import SMALL
from septet.tensor.trace import Trace


def close(outputs: Sequence[Node], arguments: Sequence[Node], start: int, name: str) -> tuple[Graph, list[Node]]:
    """Return the graph from arguments, and operands found on the way, to outputs; and the operands.

    What was recorded before `start` is an operand, and so are variables, large constants and results of ops with
    effects, which have happened already.

    Parameters
    ----------
    outputs : sequence of Node
    arguments : sequence of Node
        The nodes that stand for the arguments: symbols or probes.
    start : int
        The serial number at which recording began.
    name : str

    Raises
    ------
    GraphError
        If the outputs depend on a symbol that was made since and is none of the arguments.
    """
    mapping = {node: symbol(node.tensor_type) for node in arguments}
    for node, own in mapping.items():
        own.hooks = node.hooks
    operands: list[Node] = []
    seen: set[Node] = set()
    pending = list(reversed(outputs))
    while pending:
        node = pending.pop()
        if node in seen or node in mapping:
            continue
        seen.add(node)
        if _is_operand(node, start):
            mapping[node] = symbol(node.tensor_type)
            operands.append(node)
        elif node.op is SYMBOL:
            raise GraphError(f"{name}: the result depends on {node!r}, which belongs to a transform that is over")
        else:
            pending.extend(reversed(node.inputs))
    inputs = [mapping[node] for node in (*arguments, *operands)]
    with Trace():
        return Graph(inputs, substitute(outputs, mapping), name=name), operands


def _is_operand(node: Node, start: int) -> bool:
    if node.op is CONSTANT:
        is_shared = node.key != hash(("constant", node.type)) and node.key != hash((CONSTANT.name, node.type))
        if isinstance(node.type, tuple) or is_shared:  # the constant of a Python number belongs to everybody
            return False
        return node.serial < start or node.value.size > SMALL
    if node.op is VARIABLE:
        return True
    if node.op is ITEM:
        return node.inputs[0].op is CONSTANT or _is_operand(node.inputs[0], start)
    return node.serial < start or (isinstance(node.op, Op) and node.op.has_effect)
