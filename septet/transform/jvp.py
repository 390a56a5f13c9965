"""Forward mode: Jacobian-vector products of recorded nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.base import dtypes
from septet.base.errors import GradientError
from septet.base.source import source_text
from septet.graph.context import TRACKED, context
from septet.graph.derived import derived
from septet.graph.graph import order, rebuild
from septet.graph.node import Node, symbol
from septet.graph.op import ELEMENTWISE, ITEM, Op, items, ops, record
from septet.graph.types import TensorType
from septet.ops.cast import cast
from septet.ops.shaping import broadcast_to, sizes_of, zeros_like
from septet.transform.transforms import TRANSFORMS
from septet.transform.vjp import pull, vjp


def jvp(outputs: Sequence[Node], wrt: Sequence[Node], tangents: Sequence[Node | None]) -> list[Node | None]:
    """Return the tangents of the outputs, given those of `wrt`.

    As in reverse mode, only tracked nodes are followed, and integers and booleans carry nothing.

    Parameters
    ----------
    outputs : sequence of Node
    wrt : sequence of Node
        Any nodes, leaves or not; they are moved independently, even where one is computed from another.
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
    nodes = order(outputs, stop=lambda n: n in found or not n.flags & TRACKED)
    needed = set(outputs)
    for node in reversed(nodes):
        if node in needed and node.flags & TRACKED and is_smooth(node):
            needed.update(node.inputs)
    for node in nodes:
        if node in found:
            continue
        own = [found.get(source) for source in node.inputs]
        moves = node in needed and node.flags & TRACKED and is_smooth(node) and any(t is not None for t in own)
        if not moves:
            found[node] = None
            continue
        before = context.layers
        context.layers = derived(node, "tangent")
        try:
            found[node] = push(node, own)
        finally:
            context.layers = before
    return [found.get(node) for node in outputs]


def is_smooth(node: Node) -> bool:
    """Tell whether a result of a node can carry a tangent."""
    types = node.type if isinstance(node.type, tuple) else (node.type,)
    return any(dtypes.is_differentiable(type_.dtype) for type_ in types)


def push(node: Node, tangents: Sequence[Any]) -> Any:
    """Apply a node's rule of forward mode: the tangent of its result (a tuple for several), None for zero."""
    op = node.op
    if op is ITEM:
        return None if tangents[0] is None else tangents[0][node.params[0]]
    if not isinstance(op, Op):  # a snapshot of a variable ends every path
        return None
    if op.tangent is not None:
        words = node.keywords()
        if op.is_higher_order:
            words["transforms"] = TRANSFORMS
        return _fit_all(op.tangent(tangents, _results(node), *node.inputs, **words), node)
    if op.gradient is None and not op.linear:
        raise GradientError(
            f"{op.name} has no derivative: {op.no_gradient}\n  recorded at {source_text(node.source)}",
            hint="st.stop_gradient(x) or x.detach() says that this path carries none",
        )
    is_partial = any(t is None for t in tangents)
    if op.linear and not (is_partial and op.kind == ELEMENTWISE and op.gradient is not None):
        if op.linear != "first" or all(t is None for t in tangents[1:]):
            return _fit_all(_linear(node, tangents), node)
    if op.kind == ELEMENTWISE and _is_diagonal(node):
        return _diagonal(node, tangents)
    return _transposed_twice(node, tangents)


def _results(node: Node) -> Any:
    return items(node) if isinstance(node.type, tuple) else node


def _fit_all(found: Any, node: Node) -> Any:
    """Bring what a rule gave to one tangent for each result."""
    if isinstance(found, Node) and isinstance(found.type, tuple):
        found = items(found)
    if isinstance(node.type, tuple):
        if found is None:
            return None
        return tuple([_fit(t, type_, y) for t, type_, y in zip(found, node.type, items(node), strict=True)])
    return _fit(found, node.tensor_type, node)


def _fit(t: Node | None, type_: TensorType, like: Node) -> Node | None:
    """Bring a tangent to the dtype and the shape of the result."""
    if t is None or not dtypes.is_differentiable(type_.dtype):
        return None
    if t.dtype != type_.dtype:
        if dtypes.is_complex(t.dtype) and not dtypes.is_complex(type_.dtype):
            t = ops.real(t)
        t = t if t.dtype == type_.dtype else cast(t, dtype=type_.dtype)
    return t if t.shape == type_.shape else broadcast_to(t, sizes_of(like))


def _linear(node: Node, tangents: Sequence[Any]) -> Any:
    """The op itself, applied to the tangents."""
    op: Op = node.op
    inputs = node.inputs
    if op.linear == "first":
        return record(op, (tangents[0], *inputs[1:]), node.params)
    if op.linear == "all":
        moved = [
            t if t is not None else zeros_like(x) if dtypes.is_differentiable(x.dtype) else x
            for x, t in zip(inputs, tangents, strict=True)
        ]
        return record(op, tuple(moved), node.params)
    total: Any = None
    for position, t in enumerate(tangents):
        if t is not None:
            part = record(op, (*inputs[:position], t, *inputs[position + 1 :]), node.params)
            total = part if total is None else ops.add(total, part)
    return total


def _is_diagonal(node: Node) -> bool:
    """Tell whether the gradient rule of an elementwise op determines the derivative by one number for each element.

    A complex result of a real input does not: its cotangent's imaginary part is lost.
    """
    return not dtypes.is_complex(node.dtype) or all(dtypes.is_complex(x.dtype) for x in node.inputs)


def _diagonal(node: Node, tangents: Sequence[Any]) -> Node | None:
    """Elementwise ops: the gradient rule multiplies by the conjugate of the derivative."""
    total: Any = None
    words = node.keywords()
    for position, t in enumerate(tangents):
        if t is None:
            continue
        is_complex = dtypes.is_complex(t.dtype)
        assert node.op.gradient is not None
        pulled = node.op.gradient(ops.conj(t) if is_complex else t, node, *node.inputs, **words)[position]
        if pulled is not None:
            pulled = ops.conj(pulled) if is_complex else pulled
            total = pulled if total is None else ops.add(total, pulled)
    return _fit(total, node.tensor_type, node)


def _transposed_twice(node: Node, tangents: Sequence[Any]) -> Any:
    """Forward mode from reverse mode: the pull-back is linear in its cotangent; its transpose is the push-forward."""
    is_tuple = isinstance(node.type, tuple)
    results = items(node) if is_tuple else (node,)
    seeds = [symbol(y.tensor_type, "cotangent") for y in results]
    g: Any = {i: s for i, s in enumerate(seeds) if s.is_tracked} if is_tuple else seeds[0]
    pulled = pull(node, g, [t is not None for t in tangents])
    pairs = [(p, t) for p, t in zip(pulled, tangents, strict=True) if p is not None and t is not None]
    if not pairs:
        return None
    found = vjp([p for p, _ in pairs], [_fit(t, p.tensor_type, p) for p, t in pairs], seeds)
    found = _without(found, dict(zip(seeds, results, strict=True)))
    return tuple(found) if is_tuple else found[0]


def _without(roots: Sequence[Node | None], mapping: dict[Node, Node]) -> list[Node | None]:
    """Replace the seeds, of which only the sizes can be left, by the results that have the same sizes."""
    first = min(seed.serial for seed in mapping)
    moved: dict[Node, Node] = dict(mapping)
    for node in order([r for r in roots if r is not None], stop=lambda n: n.serial <= first):
        if any(source in moved for source in node.inputs):
            moved[node] = rebuild(node, tuple([moved.get(source, source) for source in node.inputs]))
    return [None if r is None else moved.get(r, r) for r in roots]
