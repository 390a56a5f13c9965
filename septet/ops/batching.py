"""One node for many: the batching rule of a card, applied to a node whose inputs have become batches on axis 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.base.errors import NotSupportedError
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, ITEM, Op, item, items, record
from septet.graph.report import report
from septet.ops.shaping import reshape, sizes_of


def has_batch(op: Any) -> bool:
    """Tell whether a node's op has a batching rule."""
    return isinstance(op, Op) and (op.batch is not None or op.kind == ELEMENTWISE or op is ITEM)


def batch(node: Node, marks: Sequence[bool], inputs: Sequence[Any], transforms: Any = None) -> Any:
    """Return the node for a batch; several results come as a tuple.

    Parameters
    ----------
    node : Node
        For one example.
    marks : sequence of bool
        Which of the inputs are batches; at least one is.
    inputs : sequence of Node
    transforms : object, optional
        What the rules of ops that hold graphs are given.

    Raises
    ------
    NotSupportedError
        If the card has no batching rule; the message gives its reason.
    """
    op = node.op
    if op is ITEM:
        own = inputs[0]
        return own[node.params[0]] if isinstance(own, tuple) else item(own, node.params[0])
    assert isinstance(op, Op)
    if op.batch is None and op.kind == ELEMENTWISE:
        return record(op, _align(node, marks, inputs), node.params)
    if op.batch is None:
        error = NotSupportedError(
            f"vmap cannot batch it: {op.no_batch}", hint="st.map(function, examples) loops over the examples instead"
        )
        raise error.locate(
            report(error, op.name, op.input_names, node.inputs, node.keywords(), node.layers, node.source)
        )
    words = node.keywords()
    if op.is_higher_order:
        words["transforms"] = transforms
    result = op.batch(marks, *inputs, **words)
    if isinstance(result, Node):
        return items(result) if isinstance(result.type, tuple) else result
    return tuple(result)


def _align(node: Node, marks: Sequence[bool], inputs: Sequence[Node]) -> tuple[Node, ...]:
    """Give batched operands of lower rank axes of size 1 after the batch, so that they broadcast as before."""
    rank = max(source.ndim for source in node.inputs)
    result = []
    for is_batched, new, old in zip(marks, inputs, node.inputs, strict=True):
        if is_batched and old.ndim < rank:
            sizes = sizes_of(new)
            new = reshape(new, (sizes[0], *[1] * (rank - old.ndim), *sizes[1:]))
        result.append(new)
    return tuple(result)
