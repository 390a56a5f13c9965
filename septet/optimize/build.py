"""What the builders of rules share."""

from __future__ import annotations

from typing import Any

from septet.graph.node import Node
from septet.graph.op import as_node, ops
from septet.graph.types import TensorType
from septet.ops.shaping import broadcast_to, reshape, sizes_of


def fit(node: Node, root: Node) -> Node | None:
    """Bring a node to the type of what it replaces, where that is a known repetition of it; else None."""
    if node.type is root.type:
        return node
    if not isinstance(root.type, TensorType) or node.dtype != root.dtype or not root.type.is_known:
        return None
    if not node.type.is_known or node.ndim > root.ndim:
        return None
    return broadcast_to(node, root.shape)


def same_type(name: str) -> Any:
    """A builder: the node bound to a name, if it has the root's type or can be repeated to it."""
    return lambda m: fit(m[name], m.root)


def filled(value: Any, root: Node, *operands: Node) -> Node | None:
    """Return a constant of the root's type; unknown sizes are those of the operand that has the root's shape."""
    number = as_node(value, root.dtype)
    if number.dtype != root.dtype:
        return None
    if root.type.is_known:
        return broadcast_to(number, root.shape)
    for operand in operands:
        if operand.shape == root.shape:
            return broadcast_to(number, sizes_of(operand))
    return None


def drops_no_check(root: Node, *dropped: Node) -> bool:
    """Tell whether leaving operands out cannot hide that sizes disagree when the graph runs."""
    return root.type.is_known or all(node.type.is_known or node.type is root.type for node in dropped)


def squeeze(x: Node, axes: tuple[int, ...]) -> Node:
    """Drop axes of size 1."""
    return reshape(x, tuple(size for axis, size in enumerate(sizes_of(x)) if axis not in axes))


def again(node: Node, *inputs: Node) -> Node:
    """Apply a node's op, with its parameters, to other inputs."""
    return getattr(ops, node.op.name)(*inputs, **node.keywords())
