"""Placeholders: tensors that stand for what a model will be applied to, and the calls of layers on them.

`nn.Input` makes the first ones. A layer that is called on a placeholder, or on anything computed from one, is applied
once to learn the shapes; its results are placeholders again, which remember the call. `nn.Model` reads the calls off
the placeholders that it is made of. Ops between the layers are ordinary nodes of the graph.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from septet.graph.context import SYMBOLIC
from septet.graph.node import Node, symbol
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Trace
from septet.tensor.tree import Structure, flatten, unflatten


class Call:
    """One call of a layer on placeholders.

    Attributes
    ----------
    layer : Module
    leaves, structure
        The arguments, ``(inputs, words)``, taken apart.
    """

    __slots__ = ("layer", "leaves", "structure")

    def __init__(self, layer: Any, leaves: list[Any], structure: Structure) -> None:
        self.layer = layer
        self.leaves = leaves
        self.structure = structure

    def nodes(self) -> list[Node]:
        """Return the nodes among the arguments."""
        return [leaf.node for leaf in self.leaves if isinstance(leaf, Tensor)]

    def arguments(self, leaves: Iterable[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return arguments nested like these."""
        inputs, words = unflatten(self.structure, leaves)
        return inputs, words


PLACEHOLDERS: WeakKeyDictionary[Node, tuple[Call | None, int]] = WeakKeyDictionary()
"""The symbols that are placeholders: the call whose result each is, and which; None for an `Input`."""


def placeholder(like: Node, name: str, call: Call | None = None, index: int = 0) -> Tensor:
    """Make a placeholder of the type of a node."""
    node = symbol(like.tensor_type, name)
    PLACEHOLDERS[node] = (call, index)
    return Tensor(node)


def is_placed(values: Iterable[Any]) -> bool:
    """Tell whether a placeholder is among some arguments, or what one of them was computed from."""
    nodes: list[Node] = []
    for value in values:
        if isinstance(value, Tensor):
            node = value.node
            if node.flags & SYMBOLIC:
                nodes.append(node)
        elif isinstance(value, (list, tuple, dict)):
            leaves = flatten(value)[0]
            nodes.extend(leaf.node for leaf in leaves if isinstance(leaf, Tensor) and leaf.node.flags & SYMBOLIC)
    seen: set[Node] = set()
    while nodes:
        node = nodes.pop()
        if node in PLACEHOLDERS:
            return True
        if node not in seen:
            seen.add(node)
            nodes.extend(source for source in node.inputs if source.flags & SYMBOLIC)
    return False


def place(layer: Any, inputs: tuple[Any, ...], words: dict[str, Any]) -> Any:
    """Apply a layer to placeholders: once, in evaluation mode, for the shapes. Return placeholders of its results."""
    leaves, structure = flatten((inputs, words))
    with layer.evaluating(), Trace():
        results, nesting = flatten(layer(*inputs, **words))
    call, name = Call(layer, leaves, structure), layer.label.partition(":")[0]
    return unflatten(
        nesting,
        [
            placeholder(result.node, name, call, index) if isinstance(result, Tensor) else result
            for index, result in enumerate(results)
        ],
    )
