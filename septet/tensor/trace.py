"""Tracing: running a Python function on symbols to get its graph, with the variables that it reads and updates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from septet.graph.context import SYMBOLIC, context
from septet.graph.graph import Graph
from septet.graph.node import Node


class Trace:
    """What happens while a function runs on symbols.

    Attributes
    ----------
    updates : dict of Variable to Node
        The new value of every variable that was assigned to.
    effects : list of Node
        Nodes that print, check or call back, in order.
    gradients : dict of Variable to Tensor
        What `backward` has accumulated inside the trace.
    handles : list of HookHandle
        Hooks on variables that the function has registered.
    """

    def __init__(self) -> None:
        self.leaves: dict[Any, Node] = {}
        self.updates: dict[Any, Node] = {}
        self.effects: list[Node] = []
        self.gradients: dict[Any, Any] = {}
        self.handles: list[Any] = []
        self.outer: Any = None

    def __enter__(self) -> Trace:
        self.outer = context.trace
        context.trace = self
        return self

    def __exit__(self, *error: object) -> None:
        context.trace = self.outer
        for handle in self.handles:
            if self.outer is None:
                handle.remove()
            else:
                self.outer.keep(handle)

    def keep(self, handle: Any) -> None:
        """Take over a hook on a variable, which lasts as long as the outermost trace."""
        self.handles.append(handle)

    def read(self, variable: Any) -> Node:
        """Return the node of a variable: its update so far, or the leaf that stands for its value at run time."""
        node = self.updates.get(variable)
        if node is None:
            node = self.leaves.get(variable)
        if node is None:
            node = self.leaves[variable] = variable.new_leaf((), None, SYMBOLIC)
        return node

    def assign(self, variable: Any, node: Node) -> None:
        """Note the new value of a variable."""
        self.updates[variable] = node

    def graph(self, inputs: Sequence[Node], outputs: Sequence[Node], name: str = "") -> Graph:
        """Return what was recorded as a graph."""
        return Graph(inputs, outputs, list(self.updates.items()), self.effects, name)


def trace_nodes(call: Callable[..., Any], inputs: Sequence[Node], name: str = "") -> tuple[Graph, Any]:
    """Run a function of nodes on symbols; return its graph and its result with all nodes in the graph's outputs.

    The result may be a node or a tuple or list of nodes.
    """
    with Trace() as trace:
        result = call(*inputs)
    outputs = list(result) if isinstance(result, (tuple, list)) else [result]
    return trace.graph(inputs, outputs, name), result
