"""Making nodes without recording them: nothing happens, nothing is evaluated, no trace takes notice.

Passes, parsers and readers of files use this. The recorder (`graph.op.record`) is for the user's program: it evaluates
effects at once, notes them in the trace under way, and evaluates a pending graph that grows past its limit.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from septet.base.dtypes import is_differentiable
from septet.base.errors import GraphError
from septet.base.source import Source
from septet.graph.context import SYMBOLIC, TRACKED, context
from septet.graph.graph import Graph
from septet.graph.node import Node, make_node, operation_key
from septet.graph.op import ITEM, Op, item
from septet.graph.types import NodeType, TensorType


@contextmanager
def apart() -> Iterator[None]:
    """Keep what is recorded inside apart from the user's program: no trace, no layer path, no evaluation by itself."""
    before = context.trace, context.layers, context.limit, context.mask
    context.trace, context.layers, context.limit, context.mask = None, (), sys.maxsize, TRACKED | SYMBOLIC
    try:
        yield
    finally:
        context.trace, context.layers, context.limit, context.mask = before


def assemble(
    op: Op, inputs: tuple[Node, ...], params: tuple[Any, ...], type: NodeType, flags: int, source: Source | None = None,
    layers: tuple[str, ...] = (),
) -> Node:  # fmt: skip
    """Return the node of an op whose parameters are canonical and whose type is known; nothing is checked."""
    keys = inputs[0].key if len(inputs) == 1 else tuple([node.key for node in inputs])  # as `record` makes them
    key = hash((operation_key(op.name, params, type), keys))
    return make_node(op, inputs, params, type, key, flags, None, source, layers)


def with_inputs(node: Node, inputs: tuple[Node, ...]) -> Node:
    """Return a node with other inputs of the same types; source, layer path and flags stay."""
    if inputs == node.inputs:
        return node
    return assemble(node.op, inputs, node.params, node.type, node.flags, node.source, node.layers)


def with_params(node: Node, params: tuple[Any, ...], inputs: tuple[Node, ...] | None = None) -> Node:
    """Return a node with other parameters (and inputs); the type is worked out anew."""
    return apply(node.op, node.inputs if inputs is None else inputs, params, node.source, node.layers, node.flags)


def apply(
    op: Op, inputs: tuple[Node, ...], params: tuple[Any, ...], source: Source | None = None,
    layers: tuple[str, ...] = (), flags: int | None = None,
) -> Node:  # fmt: skip
    """Return the node of an op with the type that its rules say.

    Raises
    ------
    GraphError
        If the inputs would have to be converted first, or one of several results is selected that does not exist.
    SeptetError
        What the rules raise.
    """
    is_given = flags is not None
    if flags is None:
        flags = 0
        for node in inputs:
            flags |= node.flags
        if op.has_effect:
            flags |= SYMBOLIC
    if op is ITEM:
        (results,) = inputs
        (index,) = params
        if not isinstance(results.type, tuple) or not 0 <= index < len(results.type):
            raise GraphError(f"item {index} of {results!r} does not exist")
        node = item(results, index)
        node.source, node.layers, node.flags, node.value = source, layers, flags & node.flags, None
        return node
    if any(isinstance(node.type, tuple) for node in inputs):
        raise GraphError(f"{op.name} takes one of several results: select it with item")
    found = op.resolve(inputs, params)
    if found.casts is not None:
        raise GraphError(f"the inputs of {op.name} have dtypes that its rule converts: {[n.type for n in inputs]}")
    if not is_given and isinstance(found.type, TensorType) and not is_differentiable(found.type.dtype):
        flags &= ~TRACKED
    return assemble(op, inputs, found.params, found.type, flags, source, layers)


def graphs_in(params: tuple[Any, ...]) -> list[Graph]:
    """Return the sub-graphs among parameters, also those in tuples."""
    found: list[Graph] = []
    for value in params:
        if isinstance(value, Graph):
            found.append(value)
        elif isinstance(value, tuple):
            found.extend(graphs_in(value))
    return found


_effects: dict[int, tuple[Graph, bool]] = {}


def has_effect(node: Node) -> bool:
    """Tell whether a node does something besides computing, itself or in a sub-graph."""
    op = node.op
    if not isinstance(op, Op):
        return False
    return op.has_effect or (op.is_higher_order and any(graph_has_effect(graph) for graph in graphs_in(node.params)))


def graph_has_effect(graph: Graph) -> bool:
    """Tell whether running a graph does something besides computing."""
    known = _effects.get(id(graph))
    if known is not None and known[0] is graph:
        return known[1]
    found = bool(graph.effects) or bool(graph.updates) or any(has_effect(node) for node in graph.nodes)
    if len(_effects) >= 256:
        _effects.clear()
    _effects[id(graph)] = graph, found
    return found
