"""What a legal graph is, as a program: each rule here is a sentence of the contract between the floors.

The stages
    recorded    what the recorder makes, and every pass between two passes
    closed      like recorded, and every symbol is among the inputs: a backend can run it
    optimized   like closed, and nothing is computed twice
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from septet.base import dtypes
from septet.base.errors import GraphError, SeptetError
from septet.base.sizes import Size
from septet.base.source import source_text
from septet.base.text import shape_text, type_text
from septet.graph.assemble import graphs_in, has_effect
from septet.graph.context import SYMBOLIC
from septet.graph.derived import lines_about
from septet.graph.graph import Graph
from septet.graph.node import CONSTANT, SYMBOL, VARIABLE, Node
from septet.graph.op import ITEM, Op, get
from septet.graph.params import exact
from septet.graph.types import TensorType

STAGES = ("recorded", "closed", "optimized")


def verify(graph: Graph, stage: str = "recorded", *, after: str = "") -> None:
    """Check that a graph is legal.

    Parameters
    ----------
    graph : Graph
    stage : str
        "recorded", "closed" or "optimized"; see this module.
    after : str
        What made the graph (the name of a pass), for the message.

    Raises
    ------
    GraphError
        Naming the first node at fault, the rule that it breaks, and where it was made.
    """
    if stage not in STAGES:
        raise GraphError(f"there is no stage {stage!r}; the stages are {', '.join(STAGES)}")
    _Verifier(stage, after).graph(graph, ())


class _Verifier:
    """One walk over a graph and its sub-graphs."""

    def __init__(self, stage: str, after: str) -> None:
        self.stage = stage
        self.after = after
        self.seen: set[int] = set()
        self.resolved: dict[Any, Any] = {}

    def fail(self, rule: str, node: Node | None = None, path: tuple[str, ...] = ()) -> NoReturn:
        """Raise the error."""
        lines = [f"illegal graph{f' after {self.after}' if self.after else ''}: {rule}"]
        if path:
            lines.append(f"  in the sub-graph {' / '.join(path)}")
        if node is not None:
            lines.append(f"  node: {node!r}")
            lines += lines_about(node.layers)
            lines.append(f"  made at {source_text(node.source) or 'an unknown place'}")
        raise GraphError("\n".join(lines))

    def graph(self, graph: Graph, path: tuple[str, ...]) -> None:
        """Check a graph; `path` leads to it from the outermost one."""
        if id(graph) in self.seen:
            return
        self.seen.add(id(graph))
        own = set(graph.inputs)
        for node in graph.inputs:
            if node.op is not SYMBOL:
                self.fail("an input is not a symbol", node, path)
            self.leaf(node, path)
        made: dict[Any, Node] = {}
        for node in graph.nodes:
            self.types_legal(node, path)
            if isinstance(node.op, Op):
                self.node(node, path)
                if self.stage == "optimized" and not has_effect(node):
                    slot = node.op.name, node.inputs, exact(node.params)
                    if slot in made:
                        self.fail(f"the same as {made[slot]!r} is computed twice", node, path)
                    made[slot] = node
            else:
                self.leaf(node, path)
                is_open = node.op is SYMBOL and node not in own
                if is_open and (path or self.stage != "recorded"):
                    self.fail("a symbol is needed that is not among the inputs", node, path)
                if node.op is VARIABLE and path:
                    self.fail("a sub-graph reads a variable; values come in through inputs", node, path)
        if path and graph.updates:
            self.fail("a sub-graph updates variables; it returns new values as outputs", None, path)
        for variable, node in graph.updates:
            own_type = variable.variable_type
            if not isinstance(node.type, TensorType) or not _fits(node.type, own_type):
                self.fail(f"the update of variable {variable.name!r} ({own_type!r}) has type {node.type!r}", node, path)
        for node in (*graph.outputs, *(node for _, node in graph.updates)):
            if not isinstance(node.type, TensorType):
                self.fail("an output has several results; it must be one of them, selected with item", node, path)

    def types_legal(self, node: Node, path: tuple[str, ...]) -> None:
        """Check that every dtype is one that tensors have, and every size a size."""
        for type_ in node.type if isinstance(node.type, tuple) else (node.type,):
            if not isinstance(type_, TensorType):
                self.fail(f"the type is {type_!r}", node, path)
            if type_.dtype not in dtypes.KIND:
                self.fail(f"dtype {type_.dtype} is not one that tensors have", node, path)
            if any(size is not None and (type(size) not in (int, Size) or size < 0) for size in type_.shape):
                self.fail(f"shape {shape_text(type_.shape)} has a size that is none", node, path)

    def leaf(self, node: Node, path: tuple[str, ...]) -> None:
        """Check a constant, a symbol or a variable."""
        if node.op is CONSTANT:
            if node.inputs:
                self.fail("a constant has inputs", node, path)
            parts = (node.value, node.type) if isinstance(node.type, tuple) else ((node.value,), (node.type,))
            for value, type_ in zip(*parts, strict=True):
                if not isinstance(value, np.ndarray):
                    self.fail(f"the value of a constant is {type(value).__name__}, not an array", node, path)
                if value.dtype != type_.dtype or not _fits_value(value, type_):
                    self.fail(f"a constant of type {type_!r} holds {type_text(value)}", node, path)
        elif node.op is SYMBOL:
            if node.inputs or node.value is not None:
                self.fail("a symbol has inputs or a value", node, path)
            if not node.flags & SYMBOLIC:
                self.fail("a symbol is not marked as symbolic", node, path)
            if len(node.params) != 1 or not isinstance(node.params[0], str):
                self.fail("a symbol has a name and no other parameter", node, path)
        elif node.op is VARIABLE:
            if node.type is not node.params[0].variable_type:
                self.fail(f"a variable of type {node.params[0].variable_type!r} is read as {node.type!r}", node, path)
        else:
            self.fail(f"{node.op!r} is neither an op with a card nor a leaf", node, path)

    def node(self, node: Node, path: tuple[str, ...]) -> None:
        """Check the application of an op."""
        op = node.op
        try:
            registered = get(op.name)
        except SeptetError:
            registered = None
        if registered is not op:
            self.fail(f"the op is not the registered {op.name}", node, path)
        symbolic = 0
        for source in node.inputs:
            if source.serial >= node.serial:
                self.fail(f"the input {source!r} was made after its user", node, path)
            symbolic |= source.flags & SYMBOLIC
        if symbolic and not node.flags & SYMBOLIC:
            self.fail("an input depends on a symbol, the node is not marked so", node, path)
        if len(node.params) != len(op.param_names):
            self.fail(f"{op.name} has the parameters {op.param_names}, the node {node.params!r}", node, path)
        try:
            hash(node.params)
        except TypeError:
            self.fail(f"the parameters {node.params!r} are not hashable", node, path)
        for graph in graphs_in(node.params):
            self.graph(graph, (*path, f"{op.name} {graph.name}".strip()))
        if op is ITEM:
            self.item(node, path)
        else:
            self.resolution(node, path)

    def item(self, node: Node, path: tuple[str, ...]) -> None:
        """Check the selection of one of several results."""
        if len(node.inputs) != 1 or not isinstance(node.inputs[0].type, tuple):
            self.fail("item selects from a node with several results", node, path)
        results = node.inputs[0].type
        index = node.params[0]
        if type(index) is not int or not 0 <= index < len(results):
            self.fail(f"item {index!r} of {len(results)} results", node, path)
        if node.type is not results[index]:
            self.fail(f"item {index} has type {results[index]!r}, the node says {node.type!r}", node, path)

    def resolution(self, node: Node, path: tuple[str, ...]) -> None:
        """Check that type and parameters are what the card's rules say."""
        op = node.op
        for source in node.inputs:
            if not isinstance(source.type, TensorType):
                self.fail(f"the input {source!r} has several results; select one with item", node, path)
        if not op.is_variadic and len(node.inputs) != len(op.input_names):
            self.fail(f"{op.name} takes {len(op.input_names)} inputs, the node has {len(node.inputs)}", node, path)
        slot = op.name, exact(node.params), tuple([source.type for source in node.inputs])
        found = self.resolved.get(slot)
        if found is None:
            try:
                found = op.resolve(node.inputs, node.params)
            except SeptetError as error:
                self.fail(f"the rules of {op.name} refuse the inputs: {error.message}", node, path)
            self.resolved[slot] = found
        if found.casts is not None:
            given = ", ".join(repr(source.type) for source in node.inputs)
            self.fail(f"{op.name} would convert its inputs ({given}) first", node, path)
        if exact(found.params) != exact(node.params):
            self.fail(f"the parameters {node.params!r} are not canonical: {found.params!r}", node, path)
        if found.type != node.type:
            self.fail(f"the rules of {op.name} say {found.type!r}, the node {node.type!r}", node, path)
        if node.value is not None:
            values, types = (node.value, node.type) if isinstance(node.type, tuple) else ((node.value,), (node.type,))
            for value, type_ in zip(values, types, strict=True):
                if value.dtype != type_.dtype or not _fits_value(value, type_):
                    self.fail(f"the known value is {type_text(value)}", node, path)


def _fits(type_: TensorType, wanted: TensorType) -> bool:
    """Tell whether a value of one type can be a value of the other when the graph runs."""
    return (
        type_.dtype == wanted.dtype
        and type_.ndim == wanted.ndim
        and all(a is None or b is None or a == b for a, b in zip(type_.shape, wanted.shape, strict=True))
    )


def _fits_value(value: np.ndarray, type_: TensorType) -> bool:
    return value.ndim == type_.ndim and all(s is None or s == n for s, n in zip(type_.shape, value.shape, strict=True))
