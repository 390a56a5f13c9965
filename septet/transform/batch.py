"""Batching: recorded nodes for one example become nodes for many, op by op, from the cards' batching rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from septet.graph.context import TRACKED
from septet.graph.graph import Graph, order, rebuild
from septet.graph.node import VARIABLE, Node, symbol
from septet.graph.op import Op, record
from septet.graph.types import TensorType, tensor_type
from septet.ops.batching import batch
from septet.ops.shaping import broadcast_to, sizes_of
from septet.tensor.trace import Trace
from septet.transform.transforms import Transforms


def batch_nodes(roots: Sequence[Node], mapping: Mapping[Node, Node]) -> tuple[list[Node], list[bool]]:
    """Return the roots with some nodes replaced by batches of them, and whether each came out as a batch (on axis 0).

    What does not depend on them is shared, not copied. An op with effects is recorded anew all the same, so its effect
    happens where this function is called.

    Parameters
    ----------
    roots : sequence of Node
    mapping : mapping of Node to Node
        The node of one example to that of the batch, which has one axis more in front.

    Raises
    ------
    NotSupportedError
        If an op on the way has no batching rule; the message gives the card's reason.
    """
    sizes = {node.shape[0] for node in mapping.values() if isinstance(node, Node)}
    transforms = Transforms(sizes.pop() if len(sizes) == 1 else None)
    batched: dict[Node, Any] = dict(mapping)  # nodes that differ within the batch
    shared: dict[Node, Node] = {}  # nodes that are made anew, but are the same in the batch (sizes of an example)
    for node in order(roots, stop=lambda n: n in mapping or n.op is VARIABLE):
        if node in batched:
            continue
        marks = [source in batched for source in node.inputs]
        inputs = [batched.get(source, shared.get(source, source)) for source in node.inputs]
        if not any(marks):
            if isinstance(node.op, Op) and node.op.has_effect:
                shared[node] = _like(record(node.op, tuple(inputs), node.params), node)
            elif any(source in shared for source in node.inputs):
                shared[node] = rebuild(node, tuple(inputs))
            continue
        result = batch(node, marks, inputs, transforms)
        if isinstance(result, Node):
            result = _like(result, node)
            if node.hooks:
                result.hooks = [_batched_hooks(node, batched)]
            if isinstance(node.type, TensorType) and result.ndim == node.ndim:
                shared[node] = result
                continue
        batched[node] = result
    return [batched.get(node, shared.get(node, node)) for node in roots], [node in batched for node in roots]


def _like(fresh: Node, node: Node) -> Node:
    """Note where the node for one example was made; a path that `no_grad` cut stays cut."""
    fresh.source = node.source
    fresh.layers = node.layers
    if not node.flags & TRACKED and any(i.flags & TRACKED for i in node.inputs):
        fresh.flags &= ~TRACKED
    return fresh


def _batched_hooks(node: Node, batched: Mapping[Node, Any]) -> Callable[[Node], Node]:
    """Return the hook of a batch that does to each example's gradient what the hooks of the one example's node do."""

    def hook(g: Node) -> Node:
        one = symbol(tensor_type(g.dtype, g.shape[1:]), is_tracked=g.is_tracked)
        result = one
        for own in tuple(node.hooks or ()):
            result = own(result)
        (found,), (mark,) = batch_nodes([result], {**batched, one: g})
        return found if mark else broadcast_to(found, sizes_of(g))

    return hook


def batch_graph(graph: Graph, is_batched: Sequence[bool], size: int | None = None) -> tuple[Graph, list[bool]]:
    """Return the graph for batches of some inputs, and which outputs came out as batches.

    Parameters
    ----------
    graph : Graph
    is_batched : sequence of bool
        One for each input; a batch is on axis 0.
    size : int, optional
        The size of the batch, where it is known.
    """
    inputs = list(graph.inputs)
    mapping: dict[Node, Node] = {}
    for position, (old, mark) in enumerate(zip(graph.inputs, is_batched, strict=True)):
        if mark:
            type_ = tensor_type(old.dtype, (size, *old.shape))
            mapping[old] = inputs[position] = symbol(type_, old.params[0], is_tracked=old.is_tracked)
            if old.hooks:
                inputs[position].hooks = [_batched_hooks(old, mapping)]
    with Trace():  # effects that are recorded anew are this graph's, not those of a trace around
        roots, marks = batch_nodes([*graph.outputs, *graph.effects], mapping)
    count = len(graph.outputs)
    effects = [_effect(new, old.op) for new, old in zip(roots[count:], graph.effects, strict=True)]
    return Graph(inputs, roots[:count], effects=effects, name=graph.name), marks[:count]


def _effect(result: Any, op: Any) -> Node:
    """Return the node that has the effect: that of a sub-graph with effects lies below its batched results."""
    if isinstance(result, Node):
        return result
    return [node for node in order(result) if node.op is op][-1]
