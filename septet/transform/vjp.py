"""Reverse mode: vector-Jacobian products of recorded nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.base import dtypes
from septet.base.errors import GradientError
from septet.base.source import source_text
from septet.graph.context import TRACKED, context
from septet.graph.derived import derived
from septet.graph.graph import order
from septet.graph.node import VARIABLE, Node
from septet.graph.op import ELEMENTWISE, ITEM, Op, items, ops
from septet.ops.shaping import ones_like, size_of, zeros_like
from septet.transform.hooks import hooked
from septet.transform.pull import apply
from septet.transform.transforms import TRANSFORMS


def vjp(outputs: Sequence[Node], cotangents: Sequence[Node | None], wrt: Sequence[Node]) -> list[Node | None]:
    """Return the cotangents of `wrt`, given those of the outputs.

    Only tracked nodes are followed. The result is a graph like any other, so it can be differentiated again.

    Parameters
    ----------
    outputs : sequence of Node
    cotangents : sequence of Node or None
        One for each output, of its shape; None stands for zero.
    wrt : sequence of Node
        Any nodes, leaves or not.

    Returns
    -------
    list of Node or None
        None where no gradient flows.

    Raises
    ------
    GradientError
        If the path runs through an op that has no gradient.
    """
    targets = set(wrt)
    nodes = order(outputs, stop=lambda node: not node.flags & TRACKED)
    reaches: set[Node] = set()  # nodes that depend on a target by a tracked path
    for node in nodes:
        if node in targets or (node.flags & TRACKED and any(i in reaches for i in node.inputs)):
            reaches.add(node)
    collected: dict[Node, Any] = {}
    for output, cotangent in zip(outputs, cotangents, strict=True):
        if cotangent is not None and output in reaches:
            _collect(collected, output, cotangent)
    found: dict[Node, Node] = {}
    for node in reversed(nodes):
        g = collected.pop(node, None)
        if g is None or node not in reaches:
            continue
        if node.hooks or node.op is VARIABLE:
            g = hooked(node, g)
        if node in targets:
            found[node] = g
        needed = [source in reaches for source in node.inputs]
        if not any(needed):
            continue
        before = context.layers
        context.layers = derived(node)
        try:
            for source, cotangent in zip(node.inputs, pull(node, g, needed), strict=True):
                if cotangent is not None:
                    _collect(collected, source, _fitting(node, source, cotangent))
        finally:
            context.layers = before
    return [found.get(node) for node in wrt]


def _fitting(node: Node, source: Node, g: Any) -> Any:
    """Return the cotangent of an operand, checked when it runs where an open size of the operand may turn out 1.

    Over an axis of size 1 that was repeated the cotangent is a sum; over an open one it was recorded without.
    """
    op = node.op
    if not (isinstance(op, Op) and op.kind == ELEMENTWISE) or None not in source.shape or source.shape != g.shape:
        return g
    opposite = [other.shape for other in node.inputs if other is not source]
    axes = [
        axis
        for axis, size in enumerate(source.shape)
        if size is None
        and any(source.ndim - axis <= len(shape) and shape[axis - source.ndim] != 1 for shape in opposite)
    ]
    if not axes:
        return g
    shape = tuple([None if axis in axes else -1 for axis in range(source.ndim)])
    sizes = [size_of(source, axis=axis) for axis in axes]
    return ops.ensure_shape(g, *sizes, shape=shape, caller=f"the gradient of {op.name}")


def _collect(collected: dict[Node, Any], node: Node, g: Any) -> None:
    """Add a cotangent to what a node has received so far."""
    if isinstance(node.type, tuple):  # g is a dict from result index to cotangent
        into = collected.setdefault(node, {})
        for index, part in g.items():
            into[index] = into[index] + part if index in into else part
        return
    before = collected.get(node)
    collected[node] = g if before is None else before + g


def pull(node: Node, g: Any, needed: Sequence[bool]) -> Sequence[Any]:
    """Apply a node's gradient rule.

    Parameters
    ----------
    node : Node
    g : Node, or dict of int to Node
        The cotangent of the node; those of its results by number, where it has several.
    needed : sequence of bool
        Which inputs' cotangents are asked for.

    Returns
    -------
    sequence of (Node or None)
        One cotangent for each input; None where it is zero or not needed.
    """
    op = node.op
    if op is ITEM:
        return ({node.params[0]: g},)  # it is asked for only where its one input is needed
    if not isinstance(op, Op):  # a snapshot of a variable ends every path
        return (None,) * len(node.inputs)
    if op.gradient is None:
        raise GradientError(
            f"{op.name} has no gradient: {op.no_gradient}\n  recorded at {source_text(node.source)}",
            hint="st.stop_gradient(x) or x.detach() says that this path carries none",
        )
    words = node.keywords()
    if op.is_higher_order:
        words["transforms"] = TRANSFORMS
    y: Any = node
    if isinstance(node.type, tuple):
        y = items(node)
        g = tuple(g.get(index, None) for index in range(len(y)))
        g = tuple(zeros_like(part) if given is None else given for part, given in zip(y, g, strict=True))
    return apply(op, g, y, node.inputs, words, needed)


def grad(cost: Node, wrt: Sequence[Node], *, allow_unused: bool = False) -> list[Node]:
    """Return the gradients of a real scalar.

    Parameters
    ----------
    cost : Node
        A real scalar.
    wrt : sequence of Node
    allow_unused : bool
        Whether a node that the cost does not depend on gets zeros instead of an error.

    Raises
    ------
    GradientError
        If the cost is not a real scalar, or does not depend on a node.
    """
    if (cost.tensor_type.is_known and cost.tensor_type.size != 1) or cost.ndim > 0:
        raise GradientError(
            f"a gradient needs a scalar cost, this one is {cost.type!r} ({cost.op.name})",
            hint="reduce it with .sum() or .mean(), or use st.vjp or st.jacobian",
        )
    if not dtypes.is_float(cost.dtype):
        raise GradientError(
            f"a gradient needs a real floating-point cost, this one is {cost.type!r} ({cost.op.name})",
            hint="convert with .astype, or take .real or abs() of a complex cost",
        )
    found = vjp([cost], [ones_like(cost)], wrt)
    result = []
    for position, (node, g) in enumerate(zip(wrt, found, strict=True)):
        if g is None:
            if not allow_unused:
                raise GradientError(
                    f"the cost does not depend on variable number {position} ({node.op.name} {node.type!r}, made at "
                    f"{source_text(node.source)}) by a path that carries gradients",
                    hint="allow_unused=True gives zeros; no_grad, detach and integer conversions cut paths",
                )
            g = zeros_like(node)
        result.append(g)
    return result
