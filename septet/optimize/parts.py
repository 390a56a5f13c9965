"""Tensors made of parts: what reverse mode makes of slices, put together without adding zeros."""

from __future__ import annotations

from septet.graph.node import Node
from septet.graph.op import as_node, ops
from septet.graph.rewrite import Match, P, Rule
from septet.optimize.facts import is_minus_zero, is_never_minus_zero, number

Box = tuple[tuple[int, int], ...]
"""Where a part lies: for each axis the first position, and the one behind the last."""


def _parts(node: Node) -> tuple[Node, list[tuple[Box, Node]]] | None:
    """Return zeros and what was put over parts of them, where that is what a node is."""
    found: list[tuple[Box, Node]] = []
    while node.op.name == "update_slice":
        box = _box(node)
        if box is None:
            return None
        base, update = node.inputs
        found.insert(0, (box, update))
        node = base
    value = number(node)
    return (node, found) if found and value is not None and value == 0 and not is_minus_zero(value) else None


def _box(node: Node) -> Box | None:
    rows = []
    for size, (start, stop, step) in zip(node.shape, node.param("slices"), strict=True):
        if size is None or step != 1:
            return None
        rows.append((start, stop))
    return tuple(rows)


def _is_apart(a: Box, b: Box) -> bool:
    return any(p[1] <= q[0] or q[1] <= p[0] for p, q in zip(a, b, strict=True))


def _joined(a: tuple[Box, Node], b: tuple[Box, Node]) -> tuple[Box, Node] | None:
    """Return two parts as one, where they lie side by side."""
    different = [axis for axis, (p, q) in enumerate(zip(a[0], b[0], strict=True)) if p != q]
    if len(different) != 1:
        return None
    (axis,) = different
    first, second = (a, b) if a[0][axis][1] == b[0][axis][0] else (b, a)
    if first[0][axis][1] != second[0][axis][0]:
        return None
    box = tuple(
        (p[0], q[1]) if index == axis else p for index, (p, q) in enumerate(zip(first[0], second[0], strict=True))
    )
    return box, ops.concatenate(first[1], second[1], axis=axis)


def _plus_zero(node: Node) -> Node:
    """Add the zero that the other side has there: it makes +0.0 of -0.0."""
    return node if is_never_minus_zero(node) else ops.add(node, as_node(0, node.dtype))


def _sum_of_parts(m: Match) -> Node | None:
    sides = [_parts(node) for node in m.root.inputs]
    if sides[0] is None or sides[1] is None or any(node.type is not m.root.type for node in m.root.inputs):
        return None
    zeros, left = sides[0]
    right = sides[1][1]
    if not all(_is_apart(a, b) for a, _ in left for b, _ in right):
        return None
    parts = [(box, _plus_zero(node)) for box, node in (*left, *right)]
    while True:
        pairs = ((i, j, _joined(parts[i], parts[j])) for j in range(len(parts)) for i in range(j))
        pair = next((own for own in pairs if own[2] is not None), None)
        if pair is None:
            break
        i, j, both = pair
        assert both is not None
        parts = [part for n, part in enumerate(parts) if n not in (i, j)] + [both]
    if len(parts) == 1 and parts[0][0] == tuple((0, size) for size in m.root.shape):
        return parts[0][1]
    result = zeros
    for box, node in parts:
        result = ops.update_slice(result, node, slices=tuple((*row, 1) for row in box))
    return result


def _concatenate_of_concatenate(m: Match) -> Node | None:
    axis = m.root.param("axis")
    found: list[Node] = []
    for node in m.root.inputs:
        is_same = node.op is m.root.op and node.param("axis") == axis
        found.extend(node.inputs if is_same else (node,))
    return ops.concatenate(*found, axis=axis) if len(found) > len(m.root.inputs) else None


RULES = [
    Rule("sum_of_parts", P("add", P("update_slice"), P("update_slice")), _sum_of_parts,
         "parts that lie apart are put side by side; of the zeros around them only one is added to each"),
    Rule("concatenate_of_concatenate", P("concatenate"), _concatenate_of_concatenate, "all are joined at once"),
]  # fmt: skip
