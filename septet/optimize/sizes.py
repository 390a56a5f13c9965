"""Sizes that have become known: a graph for inputs of open sizes, made one for inputs of given shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from septet.base.errors import SeptetError, ShapeError
from septet.graph.assemble import apart
from septet.graph.graph import Graph, rebuild
from septet.graph.node import CONSTANT, VARIABLE, Node, constant, symbol
from septet.graph.op import Op, record
from septet.graph.reference import compute, explain_run
from septet.graph.types import TensorType, tensor_type
from septet.ops.shaping import size_of
from septet.ops.subgraph import fits

SMALL = 64
"""Elements up to which integers that follow from sizes are computed on the way: sizes may follow from them."""


class Deciding:
    """Says which sizes follow from values. This one knows none."""

    def takes(self, inputs: Sequence[Node]) -> None:
        """Take notice of the inputs of the graph."""

    def size(self, source: Node, user: Node) -> int | None:
        """Return the size that a node computes, for a node that takes it; None where it stays open."""
        return None

    def stands_for(self, inner: Node, operand: Node) -> None:
        """Take notice that an input of a graph inside of a node always has the value of an operand."""


def with_shapes(graph: Graph, shapes: Sequence[tuple[int, ...]], decide: Deciding | None = None) -> Graph:
    """Return the graph for inputs of known shapes, with every size that follows from them known too.

    Parameters
    ----------
    graph : Graph
    shapes : sequence of tuple of int
        Of the inputs.
    decide : Deciding, optional
        Knows sizes that follow from values; without it, they stay open.

    Returns
    -------
    Graph
        The given one, where nothing was open.

    Raises
    ------
    SeptetError
        If sizes do not fit, as if they had been known when the node was recorded.
    """
    is_open = has_open_sizes(graph, is_deep=True)
    if not is_open and all(node.tensor_type.is_known for node in graph.inputs):  # inputs may be unused
        return graph
    types = [node.tensor_type.with_shape(shape) for node, shape in zip(graph.inputs, shapes, strict=True)]
    with apart():
        return _Settling(decide).graph(graph, types)


def has_open_sizes(graph: Graph, *, is_deep: bool = False) -> bool:
    """Tell whether a size in a graph is not known, or one in the graphs inside of it."""
    for node in graph.nodes:
        types = node.type if isinstance(node.type, tuple) else (node.type,)
        if not all(type_.is_known for type_ in types):
            return True
        if is_deep and any([has_open_sizes(body.graph, is_deep=True) for body in bodies_of(node)]):
            return True
    return False


def sizes_taken(node: Node) -> tuple[Node, ...]:
    """Return the sizes that a node takes as its last inputs."""
    op = node.op
    count = op.sizes.count(node.keywords()) if isinstance(op, Op) and op.sizes is not None else 0
    return node.inputs[len(node.inputs) - count :]


class Body(NamedTuple):
    """A graph inside of a node, and where its inputs come from.

    Attributes
    ----------
    name : str
        The parameter.
    graph : Graph
    first : int
        The operand that is its first input; the others follow.
    carries : int
        How many inputs change from step to step.
    sequences : int
        How many inputs after them are rows of operands.
    """

    name: str
    graph: Graph
    first: int = 0
    carries: int = 0
    sequences: int = 0


def bodies_of(node: Node) -> Iterator[Body]:
    """Yield the graphs inside of a node all of whose inputs are its operands."""
    if not isinstance(node.op, Op) or not node.op.bodies:
        return
    words = node.keywords()
    for name, first in node.op.bodies.items():
        if first is not None:
            yield Body(name, words[name], first, words.get("carries", 0), words.get("sequences", 0))


class _Settling:
    """The making of a graph of known sizes."""

    def __init__(self, decide: Deciding | None) -> None:
        self.decide = decide
        self._bodies: dict[Any, Graph] = {}

    def graph(self, graph: Graph, types: Sequence[TensorType], operands: Mapping[int, Node] | None = None) -> Graph:
        """Return a graph for inputs of some types; some of them may have the values of nodes outside."""
        moved: dict[Node, Node] = {}
        inputs = []
        for number, (node, type_) in enumerate(zip(graph.inputs, types, strict=True)):
            own = symbol(type_, node.params[0], is_tracked=node.is_tracked)
            own.hooks = node.hooks
            inputs.append(own)
            operand = None if operands is None else operands.get(number)
            if operand is not None and operand.op is CONSTANT and _is_small(operand):
                moved[node] = operand
                continue
            moved[node] = own
            if operand is not None and self.decide is not None:
                self.decide.stands_for(own, operand)
        if operands is None and self.decide is not None:
            self.decide.takes(inputs)
        for node in graph.nodes:
            if node not in moved:
                sources = tuple([moved[source] for source in node.inputs])
                try:
                    moved[node] = self._node(node, sources)
                except SeptetError as error:  # about the user's node, not about the one that was made here
                    raise explain_run(error, node, [source.type for source in sources]) from error.__cause__
        n_out, n_up = len(graph.outputs), len(graph.updates)
        roots = [moved[node] for node in graph.roots]
        updates = [(v, n) for (v, _), n in zip(graph.updates, roots[n_out : n_out + n_up], strict=True)]
        for variable, own in updates:
            if not fits(variable.variable_type.shape, own.shape):
                text = f"variable {variable.name!r} is {variable.variable_type!r}, its update is {own.type!r}"
                raise ShapeError(text, hint="a variable keeps its shape")
        return Graph(inputs, roots[:n_out], updates, roots[n_out + n_up :], graph.name)

    def _node(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        """Return a node for other inputs: sizes are computed, and become parameters of the ops that take them."""
        op = node.op
        if op is VARIABLE or not isinstance(op, Op):
            return node
        if op is size_of:
            size = inputs[0].shape[node.param("axis")]
            if size is not None:
                return constant(np.array(size, node.dtype))
        if inputs and _is_small(node) and not (op.is_higher_order or op.has_effect):
            if all([source.op is CONSTANT and _is_small(source) for source in inputs]):
                return constant(compute(node, [source.value for source in inputs], None))
        params = self._params(node, inputs)
        count = len(sizes_taken(node))
        if count:
            filled = self._filled(node, inputs[-count:], params)
            if filled is not None:
                inputs, params = inputs[:-count], filled
        if op.name == "crop_or_pad" and not node.hooks and len(inputs) == 1:
            # Here, and not by a rule: where sizes are opened again, a size that was cut to would stay as it is.
            words = dict(zip(op.param_names, params, strict=True))
            if words["start"] == 0 and words["size"] == inputs[0].shape[words["axis"]]:
                return inputs[0]  # nothing is cut off or put on
        if params is node.params:
            return rebuild(node, inputs)
        fresh = record(op, inputs, params)
        fresh.source, fresh.layers, fresh.hooks = node.source, node.layers, node.hooks
        fresh.flags &= node.flags
        return fresh

    def _filled(self, node: Node, sizes: Sequence[Node], params: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Put the sizes that a node takes into the parameter that leaves them open; None where one is not known."""
        found: list[int] = []
        for source in sizes:
            size: int | None = None
            if source.op is CONSTANT:
                size = int(source.value)
            elif self.decide is not None:
                size = self.decide.size(source, node)
            if size is None:
                return None
            found.append(size)
        words = dict(zip(node.op.param_names, params, strict=True))
        return tuple(node.op.sizes.filled(words, found).values())

    def _params(self, node: Node, inputs: tuple[Node, ...]) -> tuple[Any, ...]:
        """Return a node's parameters, with the graphs inside of it for operands of other types."""
        found: dict[str, Graph] = {}
        for body in bodies_of(node):
            loop = next(iter(found.values()), None) if body.carries else None
            found[body.name] = self._body(body, inputs, loop)
        if not found:
            return node.params
        return tuple([found.get(name, value) for name, value in zip(node.op.param_names, node.params, strict=True)])

    def _body(self, body: Body, inputs: tuple[Node, ...], loop: Graph | None) -> Graph:
        """Return a graph inside of a node, for other operands.

        `loop` is the graph that hands values on from step to step, where another one of the node takes them, too.
        """
        graph = body.graph
        if not has_open_sizes(graph, is_deep=True):
            return graph
        operands = inputs[body.first : body.first + len(graph.inputs)]
        changing = body.carries + body.sequences
        fixed = {number: operands[number] for number in range(changing, len(operands)) if _is_small(operands[number])}
        types = [node.tensor_type for node in (operands if loop is None else loop.inputs)]
        for number in range(body.carries, changing):
            types[number] = tensor_type(types[number].dtype, types[number].shape[1:])
        while True:
            key = id(graph), tuple(types), tuple(fixed.items())
            made = self._bodies.get(key)
            if made is None:
                made = self._bodies[key] = self.graph(graph, types, fixed)
            # A carried value whose size changes from step to step has no known one.
            ends = made.outputs[: body.carries] if loop is None else ()
            joined = [_joined(type_, end.tensor_type) for type_, end in zip(types, ends, strict=False)]
            if joined == types[: len(joined)]:
                return made
            types[: len(joined)] = joined


def _joined(a: TensorType, b: TensorType) -> TensorType:
    """Return the type of what has one type or the other."""
    if a is b:
        return a
    return tensor_type(
        a.dtype, tuple([own if own == other else None for own, other in zip(a.shape, b.shape, strict=True)])
    )


def _is_small(node: Node) -> bool:
    """Tell whether a node has few integers (or booleans), from which sizes may follow."""
    type_ = node.type
    return type_.__class__ is TensorType and type_.dtype.kind in "iub" and (type_.size or SMALL + 1) <= SMALL
