"""Batching: a graph over one example becomes a graph over many, op by op, from the cards' batching rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.shapes import check_axis
from septet.graph.node import Node, symbol
from septet.graph.op import as_node, ops
from septet.graph.types import tensor_type
from septet.ops.shaping import broadcast_to, reshape, sizes_of
from septet.tensor import tree
from septet.tensor.tensor import Tensor
from septet.transform.batch import batch_nodes


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
