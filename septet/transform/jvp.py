"""Forward mode: Jacobian-vector products of recorded nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.base import dtypes
from septet.base.errors import GradientError
from septet.base.source import source_text
from septet.graph.context import TRACKED
from septet.graph.graph import order, substitute
from septet.graph.node import Node, symbol
from septet.graph.op import ELEMENTWISE, ITEM, Op, items, ops
from septet.ops.shaping import broadcast_to, sizes_of, zeros_like
from septet.transform.vjp import Transforms, pull


def jvp(outputs: Sequence[Node], wrt: Sequence[Node], tangents: Sequence[Node | None]) -> list[Node | None]:
    """Return the tangents of the outputs, given those of `wrt`.

    Parameters
    ----------
    outputs : sequence of Node
    wrt : sequence of Node
        Any nodes, leaves or not.
    tangents : sequence of Node or None
        One for each, of its shape; None stands for zero.

    Returns
    -------
    list of Node or None
        None where the output does not depend on a node with a tangent.

    Raises
    ------
    GradientError
        If the path runs through an op that has no derivative.
    """
    found: dict[Node, Any] = dict(zip(wrt, tangents, strict=True))
    for node in order(outputs, stop=lambda n: n in found or not n.flags & TRACKED):
        if node in found:
            continue
        own = [found.get(source) for source in node.inputs]
        if not node.flags & TRACKED or all(t is None for t in own):
            found[node] = None
            continue
        found[node] = push(node, own)
    return [found.get(node) for node in outputs]


def push(node: Node, tangents: Sequence[Any]) -> Any:
    """Apply a node's rule of forward mode: the tangent of its result (a tuple for several), None for zero."""
    op = node.op
    if op is ITEM:
        return None if tangents[0] is None else tangents[0][node.params[0]]
    if not isinstance(op, Op):
        return None
    if not isinstance(node.type, tuple) and not dtypes.is_differentiable(node.dtype):
        return None
    if op.tangent is not None:
        words = node.keywords()
        if op.is_higher_order:
            words["transforms"] = Transforms
        y = items(node) if isinstance(node.type, tuple) else node
        result = op.tangent(tangents, y, *node.inputs, **words)
        if isinstance(result, Node) and isinstance(result.type, tuple):
            return items(result)
        return _fit(result, node)
    if op.linear:
        return _fit(_linear(node, tangents), node)
    if op.gradient is None:
        raise GradientError(f"{op.name} has no derivative: {op.no_gradient}\n  recorded at {source_text(node.source)}")
    if op.kind == ELEMENTWISE:
        return _diagonal(node, tangents)
    return _transposed_twice(node, tangents)


def _fit(t: Any, node: Node) -> Any:
    """Bring a tangent to the shape and the dtype of the result."""
    if not isinstance(t, Node) or isinstance(node.type, tuple):
        return t
    if t.dtype != node.dtype:
        t = ops.cast(t, dtype=node.dtype)
    return t if t.shape == node.shape else broadcast_to(t, sizes_of(node))


def _linear(node: Node, tangents: Sequence[Any]) -> Any:
    """The op itself, applied to the tangents."""
    op: Op = node.op
    words = node.keywords()
    if op.linear == "first":
        return None if tangents[0] is None else op(tangents[0], *node.inputs[1:], **words)
    if op.linear == "all":
        return op(*[zeros_like(x) if t is None else t for x, t in zip(node.inputs, tangents, strict=True)], **words)
    total: Any = None
    for position, t in enumerate(tangents):
        if t is not None:
            part = op(*[t if i == position else x for i, x in enumerate(node.inputs)], **words)
            total = part if total is None else total + part
    return total


def _diagonal(node: Node, tangents: Sequence[Any]) -> Any:
    """Elementwise ops: the gradient rule multiplies by the conjugate of the derivative."""
    total: Any = None
    for position, t in enumerate(tangents):
        if t is None:
            continue
        is_complex = dtypes.is_complex(node.dtype) or dtypes.is_complex(t.dtype)
        wide = broadcast_to(ops.conj(t) if is_complex else t, sizes_of(node)) if t.shape != node.shape else (
            ops.conj(t) if is_complex else t
        )  # fmt: skip
        pulled = node.op.gradient(wide, node, *node.inputs, **node.keywords())[position]
        if pulled is not None:
            pulled = ops.conj(pulled) if is_complex else pulled
            total = pulled if total is None else total + pulled
    return _fit(total, node)


def _transposed_twice(node: Node, tangents: Sequence[Any]) -> Any:
    """Forward mode from reverse mode: the pull-back is linear in its cotangent, and its transpose is the push-forward."""
    types = node.type if isinstance(node.type, tuple) else (node.type,)
    dummies = [symbol(type_, "cotangent") for type_ in types]
    g: Any = dict(enumerate(dummies)) if isinstance(node.type, tuple) else dummies[0]
    pulled = pull(node, g)
    pairs = [(p, t) for p, t in zip(pulled, tangents, strict=True) if p is not None and t is not None]
    if not pairs:
        return None
    found = Transforms.vjp([p for p, _ in pairs], [_fit(t, p) for p, t in pairs], dummies)
    # what is linear in the dummies leaves none of them behind, but a rule may have recorded them: zeros take their place
    present = [f for f in found if f is not None]
    zeros = {
        d: zeros_like(item)
        for d, item in zip(dummies, items(node) if isinstance(node.type, tuple) else [node], strict=True)
    }
    cleaned = iter(substitute(present, zeros))
    result = [None if f is None else next(cleaned) for f in found]
    return tuple(result) if isinstance(node.type, tuple) else result[0]


Transforms.jvp = staticmethod(jvp)  # type: ignore[attr-defined]
