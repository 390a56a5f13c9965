"""Sizes that have become known: a graph for inputs of open sizes, made one for inputs of given shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.base.errors import SeptetError
from septet.base.shapes import Shape
from septet.graph.assemble import apart
from septet.graph.graph import Graph, rebuild
from septet.graph.node import CONSTANT, VARIABLE, Node, constant, symbol
from septet.graph.op import Op, record
from septet.graph.reference import compute, explain_run

SIZES = "*sizes"  # the last input of a card that takes sizes, one for each None in a parameter that is a shape


def with_shapes(graph: Graph, shapes: Sequence[tuple[int, ...]]) -> Graph:
    """Return the graph for inputs of known shapes, with every size that follows from them known too.

    Parameters
    ----------
    graph : Graph
    shapes : sequence of tuple of int
        Of the inputs.

    Returns
    -------
    Graph
        The given one, where nothing was open. A size that depends on values stays open.

    Raises
    ------
    SeptetError
        If sizes do not fit, as if they had been known when the node was recorded.
    """
    if not has_open_sizes(graph):
        return graph
    moved: dict[Node, Node] = {}
    with apart():
        for node, shape in zip(graph.inputs, shapes, strict=True):
            moved[node] = symbol(node.tensor_type.with_shape(shape), node.params[0])
        for node in graph.nodes:
            if node not in moved:
                inputs = tuple([moved[source] for source in node.inputs])
                try:
                    moved[node] = _settled(node, inputs, moved)
                except SeptetError as error:  # about the user's node, not about the one that was made here
                    raise explain_run(error, node, [source.type for source in inputs]) from error.__cause__
    n_out, n_up = len(graph.outputs), len(graph.updates)
    roots = [moved[node] for node in graph.roots]
    updates = [(v, n) for (v, _), n in zip(graph.updates, roots[n_out : n_out + n_up], strict=True)]
    return Graph([moved[n] for n in graph.inputs], roots[:n_out], updates, roots[n_out + n_up :], graph.name)


def has_open_sizes(graph: Graph) -> bool:
    """Tell whether a size in a graph is not known."""
    for node in graph.nodes:
        types = node.type if isinstance(node.type, tuple) else (node.type,)
        if not all(type_.is_known for type_ in types):
            return True
    return False


def _settled(node: Node, inputs: tuple[Node, ...], moved: dict[Node, Node]) -> Node:
    """Return a node for other inputs: sizes are computed, and become parameters of the ops that take them."""
    op = node.op
    if node.op is VARIABLE or not isinstance(op, Op):
        return node
    if op.name == "size_of":
        size = inputs[0].shape[node.param("axis")]
        if size is not None:
            return constant(np.array(size, node.dtype))
    if op.input_names and op.input_names[-1] == SIZES and len(inputs) >= len(op.input_names):
        settled = _with_sizes(node, op, inputs)
        if settled is not None:
            return settled
    is_size = inputs and node.type and not isinstance(node.type, tuple) and node.shape == () and node.dtype.kind in "iu"
    if is_size and all(source.op is CONSTANT and source.shape == () for source in inputs):
        return constant(compute(node, [source.value for source in inputs], None))
    return rebuild(node, inputs)


def _with_sizes(node: Node, op: Op, inputs: tuple[Node, ...]) -> Node | None:
    """Put sizes that are constants into the parameter that leaves them open."""
    first = len(op.input_names) - 1
    given = inputs[first:]
    if not all(source.op is CONSTANT for source in given):
        return None
    words = dict(zip(op.param_names, node.params, strict=True))
    open_shapes = [n for n, value in words.items() if isinstance(value, tuple) and value.count(None) == len(given)]
    if not open_shapes:
        return None  # the size is no part of a shape
    rest = iter(given)
    shape = words[open_shapes[0]]
    filled: Shape = tuple(int(next(rest).value) if size is None else size for size in shape)  # type: ignore[arg-type]
    words[open_shapes[0]] = filled
    fresh: Any = record(op, inputs[:first], tuple(words[own] for own in op.param_names))
    fresh.source, fresh.layers, fresh.hooks = node.source, node.layers, node.hooks
    fresh.flags &= node.flags
    return fresh
