"""Tracing: running a Python function on symbols to get its graph, with the variables that it reads and updates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from septet.graph.context import SYMBOLIC, changes, context
from septet.graph.graph import Graph
from septet.graph.node import Node


class Note:
    """A piece of Python state that a traced function has read, with its value then.

    What was traced holds for that value only: `compile` traces again when it differs. Whoever owns such state calls
    `note` when it is read and `note_change` when it gets another value. A subclass says how to read it.

    Parameters
    ----------
    owner : object
        Whose state it is; a note keeps it alive.

    Attributes
    ----------
    value : object
        The state when the note was made.
    place : tuple of str
        The path of layers under way then: where people look for the owner.
    """

    __slots__ = ("owner", "place", "value")

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.place = context.layers
        self.value = self.read()

    def read(self) -> Any:
        """Return the present state."""
        raise NotImplementedError

    def holds(self) -> bool:
        """Tell whether the state is what it was."""
        return bool(self.read() == self.value)

    def settle(self) -> None:
        """Take in what the traced function itself made of the state, where that is what the next call will find."""

    @classmethod
    def describe(cls, changed: Sequence[Any]) -> list[str]:
        """Say in phrases what has changed since notes of this kind were made: ``model: training -> evaluation``."""
        raise NotImplementedError


def note(kind: type[Note], owner: Any) -> None:
    """Note, in every trace under way, that state is read now; the first reading counts."""
    trace = context.trace
    while trace is not None:
        slot = kind, id(owner)
        if slot not in trace.notes:
            trace.notes[slot] = kind(owner)
        trace = trace.outer


def note_change(kind: type[Note], owner: Any) -> None:
    """Say that state has got another value. What a trace reads after that is its own doing, and not noted any more."""
    changes.stamp = object()
    trace = context.trace
    while trace is not None:
        trace.notes.setdefault((kind, id(owner)), None)
        trace = trace.outer


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
    notes : dict of (type, int) to (Note or None)
        The Python state that was read, by kind and identity of its owner; None where the function set it first.
    """

    def __init__(self) -> None:
        self.leaves: dict[Any, Node] = {}
        self.updates: dict[Any, Node] = {}
        self.effects: list[Node] = []
        self.gradients: dict[Any, Any] = {}
        self.handles: list[Any] = []
        self.notes: dict[tuple[type[Note], int], Note | None] = {}
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

    def settled_notes(self) -> list[Note]:
        """Return what has been noted; what the function made of the state by itself is taken in."""
        notes = [note for note in self.notes.values() if note is not None]
        for note in notes:
            note.settle()
        return notes

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
