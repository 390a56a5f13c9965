"""Graphs as text, and back.

The text is stable: nodes are numbered in the order in which they run, so equal graphs have equal texts::

    graph cost(%0 x: float32[?, 3]) -> (%4) {
      %1 = variable @w: float32[3]
      %2 = multiply(%0, %1): float32[?, 3]
      %3 = constant 1.0: float32[]
      %4 = sum(%2, axis=(0, 1), keepdims=False): float32[]
      update @w = %2
    }

A large constant is written as a reference, ``constant @0``, and handed over beside the text; so is every variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import GraphError, SeptetError
from septet.base.source import place_text
from septet.base.text import listing, type_text
from septet.graph.assemble import apart, apply
from septet.graph.context import SYMBOLIC, TRACKED
from septet.graph.graph import Graph
from septet.graph.literals import (
    Reader,
    Token,
    array_text,
    literal,
    node_type_text,
    read_array,
    read_literal,
    read_type,
    unquote,
)
from septet.graph.node import CONSTANT, SYMBOL, VARIABLE, Node, constant, symbol
from septet.graph.op import get
from septet.graph.types import TensorType

INLINE = 16  # constants of at most this many elements are written out

_PLAIN = re.compile(r"[A-Za-z_]\w*\Z")
_PLAIN_REFERENCE = re.compile(r"[A-Za-z_][\w.]*\Z")


class Text:
    """A graph's text, with what it refers to.

    Attributes
    ----------
    text : str
    constants : list of ndarray
        ``@k`` stands for item k.
    variables : dict of str to Variable
        ``@name``; variables without a name of their own are given one.
    """

    __slots__ = ("constants", "text", "variables")

    def __init__(self, text: str, constants: list[np.ndarray], variables: dict[str, Any]) -> None:
        self.text = text
        self.constants = constants
        self.variables = variables

    def __str__(self) -> str:
        return self.text


def to_text(graph: Graph, *, sources: bool = False, layers: bool = False) -> Text:
    """Return a graph as text, with the constants and variables that it refers to.

    Parameters
    ----------
    graph : Graph
    sources : bool
        Whether to add, as comments, the line of the user's program that made each node.
    layers : bool
        Whether to add the path of the layer.

    Returns
    -------
    Text
    """
    writer = _Writer(sources, layers)
    for variable in graph.variables():
        writer.name_variable(variable)
    lines = writer.graph(graph, 0)
    return Text("\n".join(lines) + "\n", writer.constants, writer.variables)


def print_graph(graph: Graph, *, sources: bool = False, layers: bool = False) -> str:
    """Return the text of a graph; see `to_text` for the parameters."""
    return to_text(graph, sources=sources, layers=layers).text


class _Writer:
    """Writes one graph and its sub-graphs."""

    def __init__(self, sources: bool, layers: bool) -> None:
        self.sources = sources
        self.layers = layers
        self.constants: list[np.ndarray] = []
        self.places: dict[int, int] = {}  # id of an array -> its reference
        self.variables: dict[str, Any] = {}
        self.names: dict[int, str] = {}

    def name_variable(self, variable: Any) -> str:
        """Return the name of a variable, which no other one has."""
        known = self.names.get(id(variable))
        if known is not None:
            return known
        base = name = variable.name or "variable"
        count = 1
        while name in self.variables:
            count += 1
            name = f"{base}_{count}"
        self.variables[name] = variable
        self.names[id(variable)] = name
        return name

    def reference(self, variable: Any) -> str:
        """Return ``@name``, quoted where the name is not a plain word."""
        name = self.name_variable(variable)
        return f"@{name}" if _PLAIN_REFERENCE.match(name) else f"@{name!r}"

    def graph(self, graph: Graph, depth: int) -> list[str]:
        """Return the lines of a graph; the first one is not indented."""
        numbers: dict[Node, int] = {}
        for node in graph.inputs:
            numbers[node] = len(numbers)
        takes = ", ".join(self.input(node, number) for node, number in numbers.items())
        nodes = [node for node in graph.nodes if node not in numbers]
        for node in nodes:
            numbers[node] = len(numbers)
        gives = ", ".join(f"%{numbers[node]}" for node in graph.outputs)
        name = f" {graph.name if _PLAIN.match(graph.name) else repr(graph.name)}" if graph.name else ""
        lines = [f"graph{name}({takes}) -> ({gives}) {{"]
        pad = "  " * (depth + 1)
        for node in nodes:
            lines.append(f"{pad}%{numbers[node]} = {self.node(node, numbers, depth)}{self.comment(node)}")
        for variable, node in graph.updates:
            lines.append(f"{pad}update {self.reference(variable)} = %{numbers[node]}")
        for node in graph.effects:
            lines.append(f"{pad}effect %{numbers[node]}")
        lines.append("  " * depth + "}")
        return lines

    def input(self, node: Node, number: int) -> str:
        """Return one input with its name and type."""
        name = node.params[0]
        shown = f" {name if _PLAIN.match(name) else repr(name)}" if name else ""
        return f"%{number}{shown}: {node_type_text(node.type)}{_flags(node)}"

    def node(self, node: Node, numbers: Mapping[Node, int], depth: int) -> str:
        """Return the right side of one line."""
        end = f": {node_type_text(node.type)}{_flags(node)}"
        if node.op is CONSTANT:
            return f"constant {self.constant(node)}{end}"
        if node.op is VARIABLE:
            return f"variable {self.reference(node.params[0])}{end}"
        if node.op is SYMBOL:
            return f"symbol {node.params[0]!r}{end}"
        parts = [f"%{numbers[source]}" for source in node.inputs]
        for name, value in zip(node.op.param_names, node.params, strict=True):
            parts.append(f"{name}={literal(value, lambda graph: self.sub_graph(graph, depth))}")
        return f"{node.op.name}({', '.join(parts)}){end}"

    def sub_graph(self, graph: Graph, depth: int) -> str:
        """Return a parameter that is a graph."""
        return "\n".join(self.graph(graph, depth + 1))

    def constant(self, node: Node) -> str:
        """Return a small constant's elements, or a reference."""
        value = node.value
        if not isinstance(value, np.ndarray):
            raise GraphError(f"a constant with several values has no text: {node!r}")
        is_plain = value.size <= INLINE and not (dtypes.is_differentiable(value.dtype) and np.isnan(value).any())
        if is_plain:
            return array_text(value)
        place = self.places.get(id(value))
        if place is None:
            place = self.places[id(value)] = len(self.constants)
            self.constants.append(value)
        return f"@{place}"

    def comment(self, node: Node) -> str:
        """Return where a node comes from, as a comment."""
        parts = []
        if self.layers and node.layers:
            parts.append("/".join(node.layers))
        if self.sources and node.source is not None:
            parts.append(place_text(node.source))
        return f"  # {' at '.join(parts)}" if parts else ""


def _usual_flag(node: Node) -> int:
    """The TRACKED flag that a node has if nobody changed it."""
    if node.op is SYMBOL:
        return TRACKED if dtypes.is_differentiable(node.dtype) else 0
    if node.op is VARIABLE:
        return TRACKED if node.params[0].trainable else 0
    if isinstance(node.type, TensorType) and not dtypes.is_differentiable(node.dtype):
        return 0
    usual = 0
    for source in node.inputs:
        usual |= source.flags & TRACKED
    return usual


def _flags(node: Node) -> str:
    """A remark where gradients flow otherwise than the inputs let expect."""
    own = node.flags & TRACKED
    if own == _usual_flag(node):
        return ""
    return " tracked" if own else " untracked"


def parse(text: str, *, constants: Sequence[np.ndarray] = (), variables: Mapping[str, Any] | None = None) -> Graph:
    """Read a graph's text.

    Parameters
    ----------
    text : str
    constants : sequence of ndarray
        What ``@0``, ``@1`` ... stand for; read-only from now on.
    variables : dict of str to Variable, optional
        What ``@name`` stands for.

    Returns
    -------
    Graph
        Equal to the one that was printed, if the constants and the variables are the same objects.

    Raises
    ------
    GraphError
        With line and column, if the text is not that of a legal graph.
    """
    parser = _Parser(text, constants, variables or {})
    with apart():
        graph = parser.graph()
    if parser.reader.next.kind != "end":
        raise parser.reader.fail("the end")
    return graph


class _Parser:
    """Reads one graph and its sub-graphs."""

    def __init__(self, text: str, constants: Sequence[np.ndarray], variables: Mapping[str, Any]) -> None:
        self.reader = Reader(text)
        self.constants = constants
        self.variables = variables

    def graph(self) -> Graph:
        """Read a graph."""
        reader = self.reader
        reader.mark("graph")
        name = self.optional_name()
        nodes: dict[str, Node] = {}
        reader.mark("(")
        inputs = reader.sequence(")", lambda: self.input(nodes))
        reader.mark("->")
        reader.mark("(")
        outputs = reader.sequence(")", lambda: (reader.next, reader.take("node", "a node such as %0")))
        reader.mark("{")
        updates: list[tuple[Any, Node]] = []
        effects: list[Node] = []
        while not reader.skip("}"):
            if reader.skip("update"):
                variable = self.variable()
                reader.mark("=")
                updates.append((variable, self.known(nodes)))
            elif reader.skip("effect"):
                effects.append(self.known(nodes))
            else:
                self.line(nodes)
        found = []
        for token, number in outputs:
            if number not in nodes:
                raise reader.fail("a node that is made in this graph", token)
            found.append(nodes[number])
        return Graph(inputs, found, updates, effects, name)

    def optional_name(self) -> str:
        """Read a name, plain or quoted, if there is one."""
        reader = self.reader
        if reader.next.kind == "name":
            return reader.take("name")
        if reader.next.kind == "string":
            return unquote(reader.take("string"))
        return ""

    def input(self, nodes: dict[str, Node]) -> Node:
        """Read one input."""
        reader = self.reader
        number = reader.take("node", "an input such as %0")
        name = self.optional_name()
        reader.mark(":")
        token = reader.next
        type_ = read_type(reader)
        if isinstance(type_, tuple):
            raise reader.fail("one type", token)
        node = symbol(type_, name, is_tracked=not reader.skip("untracked"))
        nodes[number] = node
        return node

    def known(self, nodes: dict[str, Node]) -> Node:
        """Read a node that was made before."""
        token = self.reader.next
        number = self.reader.take("node", "a node such as %0")
        if number not in nodes:
            raise self.reader.fail("a node that was made before", token)
        return nodes[number]

    def variable(self) -> Any:
        """Read a reference to a variable."""
        token = self.reader.next
        text = self.reader.take("reference", "a variable such as @w")[1:]
        name = unquote(text) if text[:1] in ("'", '"') else text
        if name not in self.variables:
            known = listing(map(repr, self.variables)) or "none"
            raise GraphError(
                f"line {token.line}, column {token.column}: variable {name!r} was not given; given: {known}"
            )
        return self.variables[name]

    def line(self, nodes: dict[str, Node]) -> None:
        """Read one node."""
        reader = self.reader
        start = reader.next
        number = reader.take("node", "a node such as %0, 'update', 'effect' or '}'")
        if number in nodes:
            raise reader.fail("a number that is not taken", start)
        reader.mark("=")
        token = reader.next
        op = reader.take("name", "an op")
        if op == "constant":
            node = self.constant_node()
        elif op == "variable":
            variable = self.variable()
            reader.mark(":")
            self.check_type(variable.variable_type, token)
            node = variable.new_leaf((), None, SYMBOLIC)
        elif op == "symbol":
            name = unquote(reader.take("string"))
            reader.mark(":")
            type_ = read_type(reader)
            if isinstance(type_, tuple):
                raise reader.fail("one type", token)
            node = symbol(type_, name)
        else:
            node = self.application(op, token, nodes)
        if reader.skip("untracked"):
            node.flags &= ~TRACKED
        elif reader.skip("tracked"):
            node.flags |= TRACKED
        nodes[number] = node

    def constant_node(self) -> Node:
        """Read a constant."""
        reader = self.reader
        token = reader.next
        values: list[Any] | np.ndarray
        if token.kind == "reference":
            place = reader.take("reference")[1:]
            if not place.isdigit() or int(place) >= len(self.constants):
                raise reader.fail(f"one of the {len(self.constants)} constants given", token)
            values = self.constants[int(place)]
        elif reader.skip("["):
            values = reader.sequence("]", lambda: read_literal(reader, self.graph))
        else:
            values = [read_literal(reader, self.graph)]
        reader.mark(":")
        type_ = read_type(reader)
        if isinstance(type_, tuple):
            raise reader.fail("one type", token)
        if isinstance(values, np.ndarray):
            if values.dtype != type_.dtype or values.shape != type_.shape:
                raise reader.fail(f"a constant of type {node_type_text(type_)}, not {type_text(values)}", token)
            return constant(values)
        return constant(read_array(reader, type_, values, token))

    def application(self, name: str, token: Token, nodes: dict[str, Node]) -> Node:
        """Read an op's inputs and parameters, and apply it."""
        reader = self.reader
        try:
            op = get(name)
        except SeptetError as error:
            raise GraphError(f"line {token.line}, column {token.column}: {error.message}", hint=error.hint) from None
        reader.mark("(")
        inputs: list[Node] = []
        params: dict[str, Any] = {}

        def argument() -> None:
            if reader.next.kind == "node":
                inputs.append(self.known(nodes))
                return
            at = reader.next
            param = reader.take("name", "an input such as %0 or a parameter")
            if param not in op.param_names:
                raise reader.fail(f"a parameter of {name} ({', '.join(op.param_names) or 'it has none'})", at)
            reader.mark("=")
            params[param] = read_literal(reader, self.graph)

        reader.sequence(")", argument)
        reader.mark(":")
        missing = [param for param in op.param_names if param not in params]
        if missing:
            raise reader.fail(f"the parameters {', '.join(missing)} of {name}", token)
        if not op.is_variadic and len(inputs) != len(op.input_names):
            raise reader.fail(f"{len(op.input_names)} inputs of {name}, not {len(inputs)}", token)
        try:
            node = apply(op, tuple(inputs), tuple(params[param] for param in op.param_names))
        except SeptetError as error:
            raise GraphError(f"line {token.line}, column {token.column}: {error.message}") from error
        self.check_type(node.type, token)
        return node

    def check_type(self, own: Any, token: Token) -> None:
        """Read a type and compare it with what it must be."""
        at = self.reader.next
        type_ = read_type(self.reader)
        if type_ != own:
            raise self.reader.fail(f"the type {node_type_text(own)} of {token.text}, not {node_type_text(type_)}", at)
