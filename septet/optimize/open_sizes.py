"""Graphs whose sizes are open: made from one of known sizes, and recognized in one of others.

The sizes of some axes of the inputs become symbols (`base.sizes`), and types are worked out anew from them. What a size
in a parameter has to do with the symbols, nobody has written down: it is guessed from its number. That does no harm,
because a guess is never relied upon: before the graph, or what was made of it, stands for another one, all of that one
is compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from septet.base.dtypes import DType
from septet.base.errors import SeptetError
from septet.base.sizes import LEAST, Carried, Formulas, Numbers, Scope, Size, plain, scope_of
from septet.graph.assemble import assemble, graphs_in
from septet.graph.graph import Graph
from septet.graph.node import COMMON, CONSTANT, SYMBOL, VARIABLE, Leaf, Node, constant, make_node
from septet.graph.op import ITEM, Op
from septet.graph.params import exact
from septet.graph.resolution import Resolution
from septet.graph.types import NodeType, TensorType, tensor_type
from septet.ops.shaping import broadcast_op, reshape_op
from septet.optimize.sizes import Body, bodies_of

SHAPES = frozenset(["shape", "sizes", "length"])
"""Parameters that are sizes."""
SLICES = frozenset(["slices"])
"""Those that are slices."""

TELLING = 16
"""What a number must be at least to be taken for a size: smaller ones, as 2 and 8, are often something else."""

NEAR = 4
"""How far a bound of a slice may lie from the end of an axis to be counted from there."""

DECIDED = -1
"""Where a symbol stands that is no size of an input, but one that values decide: see `size_values`."""

NUMBER: Any = Leaf("number", ("numerator", "denominator"))
"""A scalar that follows from sizes: a quotient, in the dtype of the node."""


def number_of(dtype: DType, numerator: int, denominator: int) -> np.ndarray:
    """Return the value of a `NUMBER`."""
    value: Any = numerator if denominator == 1 else numerator / denominator
    return np.array(value).astype(dtype)


class Opened(NamedTuple):
    """A graph with open sizes.

    Attributes
    ----------
    graph : Graph
    scope : Scope
    places : list of list of (int, int)
        For each symbol the inputs and axes that have its size; `DECIDED` and a number for a size that values decide.
    orders : dict of int to list of Node
        For the graph and those inside of it, by identity, the nodes that are computed, in the order of those that they
        were made from.
    """

    graph: Graph
    scope: Scope
    places: list[list[tuple[int, int]]]
    orders: Mapping[int, list[Node]]

    def values_in(self, shapes: Sequence[tuple[int, ...]], decided: Sequence[int]) -> list[int] | None:
        """Return the values of the symbols for inputs of some shapes, and decided sizes; None where there are none."""
        inputs = self.graph.inputs
        if len(shapes) != len(inputs) or any(len(s) != node.ndim for s, node in zip(shapes, inputs, strict=True)):
            return None
        found = []
        for places in self.places:
            if any(number == DECIDED and axis >= len(decided) for number, axis in places):
                return None
            values = {decided[axis] if number == DECIDED else shapes[number][axis] for number, axis in places}
            if len(values) > 1:
                return None
            found += values
        return found


class _Mismatch(Exception):
    """What was worked out is not what is there."""


def open_sizes(
    graph: Graph, axes: Sequence[Collection[int]], decided: Sequence[int] = (), given: Graph | None = None
) -> Opened | None:
    """Return a graph with open sizes, None where there are none or they lead to something else.

    Parameters
    ----------
    graph : Graph
        Of known sizes.
    axes : sequence of collections of int
        For each input the axes that are open. Those of one size are taken to have the same another time, too.
    decided : sequence of int
        Sizes in the graph that are open, too: values have decided them.
    given : Graph, optional
        What it was made from, where sizes were not known: no number that stands there already follows from them.
    """
    scope = Scope()
    symbols: dict[int, Size] = {}
    places: list[list[tuple[int, int]]] = []
    types: list[TensorType] = []

    def symbol_for(size: int, number: int, axis: int) -> Size:
        if size not in symbols:
            symbols[size] = scope.symbol(size)
            places.append([])
        places[list(symbols).index(size)].append((number, axis))
        return symbols[size]

    for number, (node, own) in enumerate(zip(graph.inputs, axes, strict=True)):
        shape: list[Any] = list(node.shape)
        for axis in sorted(own):
            if shape[axis] is None:  # nothing reads this input, so it has kept its type
                continue
            if shape[axis] >= LEAST:
                shape[axis] = symbol_for(shape[axis], number, axis)
        types.append(tensor_type(node.dtype, tuple(shape)))
    for number, size in enumerate(decided):
        if size >= LEAST:
            symbol_for(size, DECIDED, number)
    if not symbols:
        return None
    work = _Opening(symbols, frozenset() if given is None or given is graph else _constants_in(given))
    try:
        return Opened(work.graph(graph, types), scope, places, work.orders)
    except (SeptetError, _Mismatch):
        return None


def _constants_in(graph: Graph) -> frozenset[Node]:
    """Return the constants of a graph, and of those inside of it."""
    own = [node for node in graph.nodes if node.op is CONSTANT]
    inner = [_constants_in(body) for node in graph.nodes for body in graphs_in(node.params)]
    return frozenset(own).union(*inner)


class _Opening:
    """The making of a graph with open sizes."""

    def __init__(self, symbols: Mapping[int, Size], fixed: Collection[Node]) -> None:
        self.symbols = symbols
        self.fixed = fixed  # constants that do not follow from sizes
        self.orders: dict[int, list[Node]] = {}
        self._resolutions: dict[Any, Resolution] = {}
        self._numbers: dict[Any, tuple[Any, Any]] = {}  # value -> numerator and denominator
        self._seen: dict[Any, Any] = {}  # shapes -> whether numbers that follow from them are known
        self._constants: dict[Node, Node] = {}
        self._bodies: dict[Any, Graph] = {}

    def graph(self, graph: Graph, types: Sequence[TensorType]) -> Graph:
        """Return a graph for inputs of some types."""
        moved: dict[Node, Node] = {}
        for node, type_ in zip(graph.inputs, types, strict=True):
            self._see(type_)
            key = hash(("symbol", type_))
            moved[node] = make_node(SYMBOL, (), node.params, type_, key, node.flags, None, node.source, node.layers)
        for node in graph.nodes:
            if node not in moved:
                inputs = tuple([self._constant(moved[source]) for source in node.inputs if source in moved])
                moved[node] = self._node(node, inputs)
        outputs = [moved[node] for node in graph.outputs]
        updates = [(variable, moved[node]) for variable, node in graph.updates]
        effects = [moved[node] for node in graph.effects]
        made = Graph([moved[node] for node in graph.inputs], outputs, updates, effects, graph.name)
        self.orders[id(made)] = [moved[node] for node in graph.nodes if isinstance(node.op, Op)]
        return made

    def _node(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        op = node.op
        if not isinstance(op, Op):
            return node
        if op is ITEM:
            (source,) = inputs
            type_: Any = source.type[node.params[0]]  # type: ignore[index]
            return assemble(op, inputs, node.params, type_, node.flags, node.source, node.layers)
        params = self._params(node, inputs)
        slot = (op, params, *[source.type for source in inputs])
        found = self._resolutions.get(slot)
        if found is None:
            found = self._resolutions[slot] = op.resolve(inputs, params)
            if found.casts is not None or _plain_type(found.type) != node.type:
                raise _Mismatch
            self._see(found.type)
        return assemble(
            op,
            inputs,
            found.params if params is not node.params else node.params,
            found.type,
            node.flags,
            node.source,
            node.layers,
        )

    # Numbers

    def _see(self, types: NodeType) -> None:
        """Note the sizes of a type: numbers may follow from them."""
        for type_ in types if isinstance(types, tuple) else (types,):
            if scope_of(type_.shape) is not None:
                self._seen.setdefault(type_.shape)

    def _know_numbers(self) -> None:
        """Note what numbers may follow from the sizes seen so far: of what is counted, along some axes or all."""
        new = [shape for shape, is_known in self._seen.items() if not is_known]
        for shape in new:
            self._seen[shape] = True
            counts: list[Any] = [1]
            for size in [size for size in shape[-6:] if size is not None]:
                counts += [count * size for count in counts]
            for count in dict.fromkeys(counts):
                if type(count) is not Size:
                    continue
                pairs = (count, 1), (1, count), (-1, count), (count - 1, 1), (1, count - 1), (count, count - 1)
                for pair in pairs:
                    top, bottom = plain(pair)
                    if bottom and (bottom != 1 or top >= TELLING):
                        self._numbers.setdefault(top / bottom, pair)

    def _constant(self, node: Node) -> Node:
        """Return a constant, or, where it has the value of a number that follows from sizes, that number."""
        if (
            node.op is not CONSTANT
            or node.type.__class__ is not TensorType
            or node.shape
            or node.dtype.kind not in "iuf"
            or node in self.fixed
        ):
            return node
        found = self._constants.get(node)
        if found is None:
            found, value = node, node.value.item()
            if value not in COMMON:
                self._know_numbers()
                near = min(self._numbers, key=lambda own: abs(own - value), default=0.0)
                pair = self._numbers.get(near)
                if pair is not None and number_of(node.dtype, *plain(pair)) == node.value:
                    key = hash(("number", node.type))
                    found = make_node(NUMBER, (), pair, node.type, key, node.flags, None, node.source, node.layers)
            self._constants[node] = found
        return found

    # Parameters

    def _params(self, node: Node, inputs: tuple[Node, ...]) -> tuple[Any, ...]:
        """Return a node's parameters, with open sizes and graphs of open sizes."""
        found = list(node.params)
        bodies = {body.name: body for body in bodies_of(node)} if node.op.bodies else {}
        for number, (name, value) in enumerate(zip(node.op.param_names, node.params, strict=True)):
            if name in node.op.bodies:
                last = Body(name, value, max(len(inputs) - len(value.inputs), 0))
                found[number] = self._body(bodies.get(name, last), inputs)
            elif name in SLICES and type(value) is tuple:
                sizes = zip(value, inputs[0].shape, strict=True)
                found[number] = tuple([_opened_slice(own, size) for own, size in sizes])
            elif name in SHAPES:
                found[number] = self._sizes(node, value, inputs)
        return tuple(found) if any([a is not b for a, b in zip(found, node.params, strict=True)]) else node.params

    def _sizes(self, node: Node, value: Any, inputs: tuple[Node, ...]) -> Any:
        if type(value) is int:
            return self.symbols.get(value, value)
        if type(value) is not tuple:
            return value
        guess = tuple([self.symbols.get(size, size) for size in value])
        if node.op is broadcast_op:
            more = len(value) - inputs[0].ndim
            own = inputs[0].shape
            return (*guess[:more], *[n if type(n) is Size else m for n, m in zip(own, guess[more:], strict=True)])
        if node.op is reshape_op:
            return _filled(inputs[0].tensor_type.size, value, guess)
        return guess

    def _body(self, body: Body, inputs: tuple[Node, ...]) -> Graph:
        """Return a graph inside of a node, whose inputs are operands of the node, or rows of them."""
        types = [symbol.tensor_type for symbol in body.graph.inputs]
        for number, operand in enumerate(inputs[body.first : body.first + len(types)]):
            is_row = body.carries <= number < body.carries + body.sequences
            shape: Any = operand.shape[1:] if is_row else operand.shape
            if plain(shape) == types[number].shape:
                types[number] = tensor_type(types[number].dtype, shape)
        slot = id(body.graph), tuple(types)
        if slot not in self._bodies:
            self._bodies[slot] = self.graph(body.graph, types)
        return self._bodies[slot]


def _plain_type(type_: NodeType) -> NodeType:
    if isinstance(type_, tuple):
        return tuple([tensor_type(own.dtype, plain(own.shape)) for own in type_])
    return tensor_type(type_.dtype, plain(type_.shape))


def _opened_slice(own: tuple[Any, Any, int], size: Any) -> tuple[Any, Any, int]:
    """Return a slice whose bounds are counted from the end of an axis where they are near it."""
    start, stop, step = own
    if type(size) is not Size:
        return own
    near = NEAR if size.value >= TELLING else 0

    def opened(bound: Any) -> Any:
        return bound if bound is None or bound < size.value - near - (step < 0) else size - (size.value - bound)

    return opened(start), opened(stop), step


def _filled(total: Any, value: tuple[int, ...], guess: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return sizes that as many elements fill."""
    if type(total) is not Size or 0 in value:
        return value
    singles = [(*value[:n], own, *value[n + 1 :]) for n, own in enumerate(guess) if type(own) is Size]
    for sizes in (guess, *singles):
        if _is_same(math.prod(sizes), total):
            return sizes
    for sizes in (value, guess):
        for n, size in enumerate(sizes):
            rest = total.scope.quotient(total, math.prod([*sizes[:n], *sizes[n + 1 :]]))
            if type(rest) is Size and rest.value == plain(size):
                return (*sizes[:n], rest, *sizes[n + 1 :])
    return value


def _is_same(a: Any, b: Size) -> bool:
    """Tell whether two sizes are the same whatever the symbols are."""
    return type(a) is Size and a.terms is b.terms


# Carrying over


def carried(graph: Graph, numbers: Carried) -> Graph:
    """Return a graph whose sizes are those of another scope."""
    return _Carrying(numbers).graph(graph)


class _Carrying:
    """The making of a graph whose sizes are those of another scope."""

    def __init__(self, numbers: Callable[[Any], Any]) -> None:
        self.numbers = numbers
        self._graphs: dict[int, Graph] = {}
        self._types: dict[NodeType, NodeType] = {}

    def graph(self, graph: Graph) -> Graph:
        """Return a graph with its nodes in the same order."""
        if id(graph) in self._graphs:
            return self._graphs[id(graph)]
        moved: dict[Node, Node] = {node: self._leaf(node) for node in graph.inputs}
        for node in graph.nodes:
            if node in moved:
                continue
            if not isinstance(node.op, Op):
                moved[node] = self._leaf(node) if node.op is NUMBER else node
                continue
            inputs = tuple([moved[source] for source in node.inputs])
            params, type_ = self._value(node.params), self._type(node.type)
            moved[node] = assemble(node.op, inputs, params, type_, node.flags, node.source, node.layers)
        outputs, effects = ([moved[node] for node in nodes] for nodes in (graph.outputs, graph.effects))
        updates = [(variable, moved[node]) for variable, node in graph.updates]
        made = Graph([moved[node] for node in graph.inputs], outputs, updates, effects, graph.name)
        self._graphs[id(graph)] = made
        return made

    def _leaf(self, node: Node) -> Node:
        type_ = self._type(node.type)
        params, key = self._value(node.params), hash((node.op.name, type_))
        return make_node(node.op, (), params, type_, key, node.flags, None, node.source, node.layers)

    def _value(self, value: Any) -> Any:
        kind = type(value)
        if kind is tuple:
            return tuple([self._value(part) for part in value])
        return self.graph(value) if kind is Graph else plain(value, self.numbers)

    def _type(self, own: NodeType) -> NodeType:
        found = self._types.get(own)
        if found is None:
            parts = own if isinstance(own, tuple) else (own,)
            types = tuple([tensor_type(part.dtype, plain(part.shape, self.numbers)) for part in parts])
            found = self._types[own] = types if isinstance(own, tuple) else types[0]
        return found


def closed(graph: Graph) -> Graph:
    """Return a graph whose sizes are plain numbers, as they were when it was opened."""
    return _Closing(attrgetter("value")).graph(graph)


class _Closing(_Carrying):
    """The making of a graph whose sizes are plain numbers."""

    def _leaf(self, node: Node) -> Node:
        if node.op is NUMBER:
            return constant(number_of(node.dtype, *plain(node.params)))
        return super()._leaf(node)


# Recognizing


def numbers_for(opened: Opened, formulas: Formulas, graph: Graph, decided: Sequence[int] = ()) -> Numbers | None:
    """Return the sizes for which an opened graph is the same as another one; None where there are none."""
    values = opened.values_in([node.shape for node in graph.inputs], decided)  # type: ignore[misc]
    if values is None or any(value < LEAST for value in values):
        return None
    numbers = Numbers(formulas, values)
    return numbers if _Comparison(opened.orders, numbers).is_same(opened.graph, graph) else None


class _Comparison:
    """An opened graph for some sizes, beside a graph of these sizes."""

    def __init__(self, orders: Mapping[int, list[Node]], numbers: Numbers) -> None:
        self.orders = orders
        self.numbers = numbers
        self._types: dict[NodeType, NodeType] = {}

    def is_same(self, opened: Graph, graph: Graph) -> bool:
        """Tell whether two graphs are the same, node for node."""
        order, nodes = self.orders[id(opened)], [node for node in graph.nodes if isinstance(node.op, Op)]
        counts = [(len(own.inputs), len(own.outputs), len(own.updates), len(own.effects)) for own in (opened, graph)]
        if len(order) != len(nodes) or counts[0] != counts[1]:
            return False
        place = dict(zip(graph.inputs, opened.inputs, strict=True))
        for node, own in place.items():
            if not self._is_type(own.type, node.type) or own.flags != node.flags:
                return False
        for own, node in zip(order, nodes, strict=True):
            if own is not node and not self._is_node(own, node, place):
                return False
            place[node] = own
        if any(v is not w for (v, _), (w, _) in zip(opened.updates, graph.updates, strict=True)):
            return False
        return all(self._is_place(own, node, place) for own, node in zip(opened.roots, graph.roots, strict=True))

    def _is_node(self, own: Node, node: Node, place: dict[Node, Node]) -> bool:
        if own.op is not node.op or own.flags != node.flags or len(own.inputs) != len(node.inputs):
            return False
        if own.type is not node.type and not self._is_type(own.type, node.type):
            return False
        for a, b in zip(own.inputs, node.inputs, strict=True):
            if place.get(b) is not a and not self._is_place(a, b, place):
                return False
        return own.params is node.params or self._is_param(own.params, node.params)

    def _is_place(self, own: Node, node: Node, place: dict[Node, Node]) -> bool:
        """Tell whether one node stands for another; leaves are compared when they are met."""
        found = place.get(node)
        if found is not None:
            return found is own
        if own is not node:
            if own.op is NUMBER:
                numbers = plain(own.params, self.numbers)
                return node.op is CONSTANT and _is_value(number_of(own.dtype, *numbers), node.value)
            if own.op is not node.op or own.flags != node.flags or not self._is_type(own.type, node.type):
                return False
            if own.op is CONSTANT:
                if not _is_value(own.value, node.value):
                    return False
            elif own.op is not VARIABLE or own.params[0] is not node.params[0]:
                return False
        place[node] = own
        return True

    def _is_type(self, own: NodeType, type_: NodeType) -> bool:
        if own is type_:
            return True
        found = self._types.get(own)
        if found is None:
            parts = own if isinstance(own, tuple) else (own,)
            types = tuple([tensor_type(part.dtype, plain(part.shape, self.numbers)) for part in parts])
            found = self._types[own] = types if isinstance(own, tuple) else types[0]
        return found == type_

    def _is_param(self, own: Any, value: Any) -> bool:
        if own is value:
            return True
        kind = type(own)
        if kind is Size:
            return type(value) is int and bool(self.numbers(own) == value)
        if kind is tuple:
            if type(value) is not tuple or len(own) != len(value):
                return False
            return all([self._is_param(a, b) for a, b in zip(own, value, strict=True)])
        if kind is Graph:
            return type(value) is Graph and (own == value if id(own) not in self.orders else self.is_same(own, value))
        return kind is type(value) and bool(exact(own) == exact(value))


LARGE = 1 << 22
"""Bytes from which arrays are the same only if they are one."""


def _is_value(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)) or a.nbytes > LARGE:
        return False
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
