"""Batching: a graph over one example becomes a graph over many, op by op, from the cards' batching rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from septet.base.errors import ArgumentError, NotSupportedError, ShapeError
from septet.base.shapes import check_axis
from septet.base.source import source_text
from septet.graph.graph import Graph, order, rebuild
from septet.graph.node import VARIABLE, Node, symbol
from septet.graph.op import ELEMENTWISE, ITEM, Op, as_node, item, items, ops
from septet.graph.types import tensor_type
from septet.ops.shaping import broadcast_to, reshape, sizes_of
from septet.tensor import tree
from septet.tensor.tensor import Tensor
from septet.transform.vjp import Transforms


def batch_nodes(roots: Sequence[Node], mapping: dict[Node, Node]) -> tuple[list[Node], list[bool]]:
    """Return the roots with some leaves replaced by batches of them, and whether each came out batched (on axis 0).

    Raises
    ------
    NotSupportedError
        If an op on the way has no batching rule; the message gives the card's reason.
    """
    batched: dict[Node, Any] = dict(mapping)  # nodes that depend on a batch
    shared: dict[Node, Node] = {}  # nodes that depend on no more than the size of an example
    for node in order(roots, stop=lambda n: n in mapping or n.op is VARIABLE):
        if node in batched:
            continue
        if not any(source in batched for source in node.inputs):
            if any(source in shared for source in node.inputs):
                shared[node] = rebuild(node, tuple(shared.get(source, source) for source in node.inputs))
            continue
        inputs = [batched.get(source, shared.get(source, source)) for source in node.inputs]
        result = _batch(node, [source in batched for source in node.inputs], inputs)
        if isinstance(result, Node) and result.ndim == node.ndim:
            shared[node] = result
        else:
            batched[node] = result
    return [batched.get(node, shared.get(node, node)) for node in roots], [node in batched for node in roots]


def _batch(node: Node, marks: Sequence[bool], inputs: Sequence[Any]) -> Any:
    """Apply the batching rule of one node; several results come as a tuple."""
    op = node.op
    if op is ITEM:
        own = inputs[0]
        return own[node.params[0]] if isinstance(own, tuple) else item(own, node.params[0])
    assert isinstance(op, Op)
    words = node.keywords()
    if op.batch is None and op.kind == ELEMENTWISE:
        return op(*_align(node, marks, inputs), **words)
    if op.batch is None:
        raise NotSupportedError(
            f"vmap: {op.name} has no batching rule: {op.no_batch or 'none was given'}\n  recorded at {source_text(node.source)}",
            hint="st.map(function, examples) loops over the examples instead",
        )
    if op.is_higher_order:
        words["transforms"] = Transforms
    result = op.batch(marks, *inputs, **words)
    if isinstance(result, Node) and isinstance(result.type, tuple):
        return items(result)
    return result


def _align(node: Node, marks: Sequence[bool], inputs: Sequence[Node]) -> list[Node]:
    """Give batched operands of lower rank axes of size 1 after the batch, so that they broadcast as before."""
    rank = max(source.ndim for source in node.inputs)
    result = []
    for is_batched, new, old in zip(marks, inputs, node.inputs, strict=True):
        if is_batched and old.ndim < rank:
            sizes = sizes_of(new)
            new = reshape(new, (sizes[0], *[1] * (rank - old.ndim), *sizes[1:]))
        result.append(new)
    return result


def vmap_graph(graph: Graph, is_batched: Sequence[bool]) -> tuple[Graph, list[bool]]:
    """Return the graph with batched inputs (axis 0, of one unknown size), and which outputs came out batched."""
    mapping: dict[Node, Node] = {}
    inputs: list[Node] = []
    for old, flag in zip(graph.inputs, is_batched, strict=True):
        if flag:
            type_ = old.tensor_type
            new = symbol(tensor_type(type_.dtype, (None, *type_.shape)), old.params[0], is_tracked=old.is_tracked)
            mapping[old] = new
            inputs.append(new)
        else:
            inputs.append(old)
    outputs, marks = batch_nodes(graph.outputs, mapping)
    return Graph(inputs, outputs, name=graph.name), marks


def vmap(call: Callable[..., Any], in_axes: Any = 0, out_axes: int = 0) -> Callable[..., Any]:
    """Return a function over batches made of a function over one example.

    Parameters
    ----------
    call : callable
        Takes and returns tensors, or nested structures of them. It is run once, on symbols of the types of one example.
    in_axes : int, None or tuple of (int or None)
        The batch axis of each positional argument; None for one that all examples share.
    out_axes : int
        Where the batch axis goes in the results.

    Raises
    ------
    ShapeError
        If the sizes of the batch axes differ.
    TracedValueError
        If the function asks Python for the value of an example.

    Examples
    --------
    >>> import septet as st
    >>> st.vmap(lambda a, b: (a * b).sum())(st.ones((4, 3)), st.ones((4, 3)))
    tensor([3., 3., 3., 3.], dtype=float32)
    """

    def function(*args: Any) -> Any:
        axes = tuple(in_axes) if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ArgumentError(f"vmap: in_axes has {len(axes)} entries for {len(args)} arguments")
        mapping: dict[Node, Node] = {}
        replaced = []
        size: Any = None
        for number, (arg, axis) in enumerate(zip(args, axes, strict=True)):
            if axis is None:
                replaced.append(arg)
                continue
            leaves, structure = tree.flatten(arg)
            handles = []
            for leaf in leaves:
                node = _front(leaf, axis, number)
                if size is None:
                    size = node.shape[0]
                elif node.shape[0] != size and None not in (node.shape[0], size):
                    raise ShapeError(
                        f"vmap: argument {number} has a batch of {node.shape[0]}, the ones before of {size}"
                    )
                one = symbol(tensor_type(node.dtype, node.shape[1:]), f"example of argument {number}")
                mapping[one] = node
                handles.append(Tensor(one))
            replaced.append(tree.unflatten(structure, handles))
        if not mapping:
            raise ArgumentError("vmap: no argument has a batch axis")
        result = call(*replaced)
        leaves, structure = tree.flatten(result)
        outputs, marks = batch_nodes([as_node(_node(leaf)) for leaf in leaves], mapping)
        first = next(iter(mapping.values()))
        full = [n if m else broadcast_to(reshape(n, (1, *sizes_of(n))), (sizes_of(first)[0], *sizes_of(n)))
                for n, m in zip(outputs, marks, strict=True)]  # fmt: skip
        return tree.unflatten(structure, [Tensor(_back(node, out_axes)) for node in full])

    function.__name__ = f"vmap({getattr(call, '__name__', 'function')})"
    return function


def _node(leaf: Any) -> Any:
    return leaf.node if isinstance(leaf, Tensor) else leaf


def _front(leaf: Any, axis: int, number: int) -> Node:
    node = as_node(_node(leaf))
    if node.ndim == 0:
        raise ShapeError(f"vmap: argument {number} is a scalar and has no batch axis")
    place = check_axis(axis, node.ndim, "in_axes")
    return ops.transpose(node, axes=(place, *[i for i in range(node.ndim) if i != place])) if place else node


def _back(node: Node, axis: int) -> Node:
    place = check_axis(axis, node.ndim, "out_axes")
    if not place:
        return node
    return ops.transpose(node, axes=(*range(1, place + 1), 0, *range(place + 1, node.ndim)))


Transforms.vmap = staticmethod(vmap_graph)  # type: ignore[attr-defined]
