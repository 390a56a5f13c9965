"""The graph: a function from inputs to outputs, with updates of variables, as a set of nodes that no one changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from septet.base.errors import GraphError
from septet.graph.context import TRACKED
from septet.graph.node import CONSTANT, SYMBOL, VARIABLE, Node, make_node
from septet.graph.op import ITEM, Op, get, item, record
from septet.graph.params import exact
from septet.graph.types import NodeType


def order(roots: Iterable[Node], *, stop: Callable[[Node], bool] | None = None) -> list[Node]:
    """Return the nodes that the roots depend on, roots included, inputs before users.

    Parameters
    ----------
    roots : iterable of Node
    stop : callable, optional
        Where it returns True, the node is listed but its inputs are not followed.
    """
    seen: set[Node] = set()
    found: list[Node] = []
    pending = list(roots)
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        found.append(node)
        if stop is None or not stop(node):
            pending.extend(node.inputs)
    found.sort(key=_serial)
    return found


_serial = attrgetter("serial")


def _is_variable(node: Node) -> bool:
    """A graph reads a variable when it runs, so how a pending value of it was made is none of its business."""
    return node.op is VARIABLE


class Graph:
    """Inputs, outputs and updates.

    Parameters
    ----------
    inputs : sequence of Node
        Symbols, in the order of the call.
    outputs : sequence of Node
    updates : sequence of (Variable, Node)
        New values that variables take after a run.
    effects : sequence of Node
        Nodes that are computed for what they do (printing, checks), in this order.
    name : str

    Attributes
    ----------
    unit : object or None
        How a call of the graph is computed: see `run.units`.

    Raises
    ------
    GraphError
        If an input is not a symbol or appears twice.
    """

    __slots__ = ("_hash", "_nodes", "_signature", "effects", "inputs", "name", "outputs", "unit", "updates")

    def __init__(
        self, inputs: Sequence[Node], outputs: Sequence[Node], updates: Sequence[tuple[Any, Node]] = (),
        effects: Sequence[Node] = (), name: str = "",
    ) -> None:  # fmt: skip
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.updates = tuple(updates)
        self.effects = tuple(effects)
        self.name = name
        self.unit: Any = None
        self._nodes: tuple[Node, ...] | None = None
        self._signature: tuple[Any, ...] | None = None
        self._hash: int | None = None
        for node in self.inputs:
            if node.op is not SYMBOL:
                raise GraphError(f"a graph's inputs are symbols; {node!r} is a {node.op.name}")
        if len(set(self.inputs)) != len(self.inputs):
            raise GraphError("a graph's inputs must be distinct; one symbol appears twice")

    @property
    def roots(self) -> tuple[Node, ...]:
        """Everything that a run must compute: outputs, new values of variables, effects."""
        return (*self.outputs, *(node for _, node in self.updates), *self.effects)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes that the roots need, inputs before users; leaves included."""
        if self._nodes is None:
            self._nodes = tuple(order(self.roots, stop=_is_variable))
        return self._nodes

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def free_symbols(self) -> list[Node]:
        """Return the symbols that are needed but not among the inputs."""
        own = set(self.inputs)
        return [node for node in self.nodes if node.op is SYMBOL and node not in own]

    def variables(self) -> list[Any]:
        """Return the variables that are read or updated, each once."""
        found: dict[int, Any] = {}
        for node in self.nodes:
            if node.op is VARIABLE:
                found.setdefault(id(node.params[0]), node.params[0])
        for variable, _ in self.updates:
            found.setdefault(id(variable), variable)
        return list(found.values())

    def users(self) -> dict[Node, list[Node]]:
        """Return, for every node, the nodes that have it as an input."""
        found: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for source in dict.fromkeys(node.inputs):
                found[source].append(node)
        return found

    def with_roots(
        self, outputs: Sequence[Node], updates: Sequence[Node] | None = None, effects: Sequence[Node] | None = None
    ) -> Graph:
        """Return the graph with other outputs, new values and effects, for the same inputs and variables."""
        new_updates = self.updates
        if updates is not None:
            new_updates = tuple((v, n) for (v, _), n in zip(self.updates, updates, strict=True))
        return Graph(self.inputs, outputs, new_updates, self.effects if effects is None else effects, self.name)

    def replace(self, mapping: Mapping[Node, Node]) -> Graph:
        """Return the graph with nodes replaced, and the inputs that became symbols of the mapping kept in place."""
        moved = substitute(self.roots, mapping)
        inputs = [mapping.get(node, node) for node in self.inputs]
        n_out, n_up = len(self.outputs), len(self.updates)
        updates = [(v, n) for (v, _), n in zip(self.updates, moved[n_out : n_out + n_up], strict=True)]
        return Graph(inputs, moved[:n_out], updates, moved[n_out + n_up :], self.name)

    def __call__(self, *args: Node) -> tuple[Node, ...]:
        """Record the graph's outputs for other inputs (the body, inlined)."""
        if len(args) != len(self.inputs):
            raise GraphError(f"the graph takes {len(self.inputs)} inputs, got {len(args)}")
        given = [_as_input(old, new) for old, new in zip(self.inputs, args, strict=True)]
        return tuple(substitute(self.outputs, dict(zip(self.inputs, given, strict=True))))

    def signature(self) -> tuple[Any, ...]:
        """Return a hashable description that is equal for graphs that compute the same thing the same way."""
        if self._signature is None:
            numbers = {node: index for index, node in enumerate(self.inputs)}
            rows: list[Any] = [tuple((node.type, _hooks_key(node)) for node in self.inputs)]
            for node in self.nodes:
                if node in numbers:
                    continue
                numbers[node] = len(numbers)
                data: Any = None
                if node.op is CONSTANT:
                    is_small = isinstance(node.value, np.ndarray) and node.value.size <= 64  # not a tuple of results
                    data = (node.value.tobytes(),) if is_small else (id(node.value),)
                elif node.op is SYMBOL:
                    data = (id(node),)
                tracked = node.flags & TRACKED  # `no_grad` inside is part of what the graph means
                inputs = tuple(numbers[i] for i in node.inputs)
                params = exact(node.params) if node.params else ()
                rows.append((node.op.name, inputs, params, node.type, tracked, data, _hooks_key(node)))
            rows.append(tuple(numbers[node] for node in self.roots))
            rows.append(tuple(id(v) for v, _ in self.updates))
            self._signature = tuple(rows)
        return self._signature

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self.signature())
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Graph) and hash(self) == hash(other) and self.signature() == other.signature()

    def __repr__(self) -> str:
        takes = ", ".join(repr(node.type) for node in self.inputs)
        gives = ", ".join(repr(node.type) for node in self.outputs)
        return f"<Graph {self.name or 'unnamed'}({takes}) -> ({gives}), {len(self)} nodes>"


def _hooks_key(node: Node) -> int | None:
    """What tells the gradient hooks of a node from others: graphs with different hooks have different gradients."""
    return None if node.hooks is None else id(node.hooks)


def _as_input(formal: Node, node: Node) -> Node:
    """Return what takes the place of an input; hooks of the input are about what flows back through it alone."""
    if not formal.hooks:
        return node
    own = record(get("identity"), (node,))
    own.hooks = formal.hooks
    return own


def rebuild(node: Node, inputs: tuple[Node, ...]) -> Node:
    """Return the node with other inputs; types are worked out anew, the source and the layer path are kept."""
    if inputs == node.inputs:
        return node
    if node.op is ITEM:
        fresh = item(inputs[0], node.params[0])
    elif isinstance(node.op, Op):
        fresh = record(node.op, inputs, node.params)
    else:  # a snapshot of a variable whose value is still pending
        fresh = make_node(node.op, inputs, node.params, node.type, node.key, node.flags, node.value, node.source)
    fresh.source = node.source
    fresh.layers = node.layers
    fresh.hooks = node.hooks
    if not node.flags & TRACKED and any(i.flags & TRACKED for i in node.inputs):
        fresh.flags &= ~TRACKED  # recorded under `no_grad`: the path stays cut
    return fresh


def substitute(roots: Sequence[Node], mapping: Mapping[Node, Node]) -> list[Node]:
    """Return the roots with nodes replaced wherever they occur; what does not depend on them is shared, not copied."""
    moved: dict[Node, Node] = dict(mapping)
    for node in order(roots, stop=lambda n: n in mapping):
        if node in moved:
            continue
        moved[node] = rebuild(node, tuple([moved[i] for i in node.inputs]))
    return [moved[node] for node in roots]


def is_same_value(a: np.ndarray, b: np.ndarray) -> bool:
    """Tell whether two arrays are the same bit for bit."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def types_of(nodes: Iterable[Node]) -> tuple[NodeType, ...]:
    """Return the types of some nodes."""
    return tuple(node.type for node in nodes)
