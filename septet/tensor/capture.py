"""Closing sub-graphs: running a Python function on symbols, and turning what it takes from outside into inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, GraphError, NotSupportedError, ShapeError
from septet.graph.context import SYMBOLIC, context
from septet.graph.graph import Graph, substitute
from septet.graph.node import CONSTANT, SYMBOL, VARIABLE, Node, symbol
from septet.graph.op import ITEM, Op, as_node, cast_to, items, record
from septet.graph.pending import evaluate
from septet.graph.types import TensorType, tensor_type
from septet.ops.subgraph import fits
from septet.tensor import tree
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Trace
from septet.tensor.wrap import unwrap

SMALL = 64  # constants of at most this many elements stay in a sub-graph: `Graph.signature` compares them by value


class Capture:
    """Closes sub-graphs: finds what they take from outside, and gives each such node or variable an input."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.start = symbol(tensor_type(dtypes.bool_, ())).serial
        self.operands: list[Node] = []
        self._own: set[Node] = set()
        self._inputs: dict[Node, Node] = {}  # operand -> input symbol
        self._of_variable: dict[Any, Node] = {}  # carried variable -> input symbol
        self._mapping: dict[Node, Node] = {}

    def argument(self, type_: TensorType) -> Node:
        """Make a symbol that is an argument of the traced function."""
        node = symbol(type_)
        self._own.add(node)
        return node

    def carry(self, variable: Any) -> Node:
        """Make the symbol of a variable that the function assigns to."""
        node = self._of_variable[variable] = self.argument(variable.variable_type)
        return node

    def follow(self, roots: Iterable[Node]) -> None:
        """Find what the roots take from outside."""
        pending = list(roots)
        seen: set[Node] = set()
        while pending:
            node = pending.pop()
            if node in seen or node in self._own or node in self._mapping:
                continue
            seen.add(node)
            if node.op is VARIABLE:
                self._take_variable(node)
            elif self._is_outside(node):
                self._mapping[node] = self._input(node)
            elif node.op is SYMBOL:
                raise GraphError(f"{self.name}: the function uses the symbol {node!r}, which is made inside it")
            else:
                pending.extend(node.inputs)

    def _is_outside(self, node: Node) -> bool:
        if node.op is CONSTANT:
            if not isinstance(node.type, TensorType):
                return False
            if node.key != hash(("constant", node.type)):  # a Python number, cached: belongs to everybody
                return False
            return node.serial < self.start or node.value.size > SMALL
        if node.op is ITEM:
            return self._is_outside(node.inputs[0])
        return node.serial < self.start

    def _take_variable(self, leaf: Node) -> None:
        if leaf.serial < self.start:  # read before: a snapshot
            self._mapping[leaf] = self._input(leaf)
            return
        variable = leaf.params[0]
        carried = self._of_variable.get(variable)
        self._mapping[leaf] = self._input(variable.node) if carried is None else carried

    def _input(self, operand: Node) -> Node:
        node = self._inputs.get(operand)
        if node is None:
            node = self._inputs[operand] = symbol(operand.tensor_type)
            self.operands.append(operand)
        return node

    def graph(self, arguments: Sequence[Node], outputs: Sequence[Node], effects: Sequence[Node], name: str) -> Graph:
        """Return a graph of the arguments and everything captured so far; `follow` comes first, for all graphs."""
        with Trace():  # effects that are rebuilt are this graph's, not those of the trace around
            moved = substitute([*outputs, *effects], self._mapping)
        inputs = [*arguments, *self._inputs.values()]
        return Graph(inputs, moved[: len(outputs)], effects=moved[len(outputs) :], name=name)


def finish(op: Op, inputs: Sequence[Node], params: tuple[Any, ...], graphs: Sequence[Graph]) -> tuple[Node, ...]:
    """Record the op; one with effects inside is an effect itself."""
    node = record(op, tuple(inputs), params)
    if any(_has_effects(graph) for graph in graphs):
        if context.trace is not None:
            context.trace.effects.append(node)
        elif not node.flags & SYMBOLIC:
            evaluate(node)
    return items(node)


def _has_effects(graph: Graph) -> bool:
    return bool(graph.effects)


def name_of(call: Any) -> str:
    """Return a function's name."""
    return getattr(call, "__name__", type(call).__name__)


def check_callable(name: str, **functions: Any) -> None:
    """Refuse arguments that should be functions and are not."""
    for argument, call in functions.items():
        if not callable(call):
            raise ArgumentError(f"{name}: {argument} must be a function, got {call!r}")


def run(call: Callable[..., Any], args: Sequence[Any]) -> tuple[Any, Trace]:
    """Run a function on handles of symbols."""
    with Trace() as trace:
        result = call(*args)
    left = [variable for variable, gradient in trace.gradients.items() if gradient is not None]
    if left:
        names = ", ".join(repr(variable.name) for variable in left)
        raise NotSupportedError(
            f"{name_of(call)}: backward() inside a function for control flow leaves gradients in variables ({names})",
            hint="use st.grad or st.value_and_grad inside, and return the gradients",
        )
    return result, trace


def carried_nodes(name: str, leaves: Sequence[Any], paths: Sequence[str]) -> list[Node]:
    """Return nodes for the first carried values."""
    nodes = []
    for leaf, path in zip(leaves, paths, strict=True):
        try:
            nodes.append(as_node(unwrap(leaf)))
        except DTypeError as error:
            raise DTypeError(f"{name}: {path} cannot be carried: {error.message}") from None
    return nodes


def returned_nodes(
    name: str, what: str, leaves: Sequence[Any], paths: Sequence[str], like: Sequence[Node] | None
) -> list[Node]:
    """Return nodes for what a function returned; a Python number takes the dtype of what stands there otherwise."""
    nodes = []
    for position, (leaf, path) in enumerate(zip(leaves, paths, strict=True)):
        try:
            nodes.append(as_node(unwrap(leaf), None if like is None else like[position].dtype))
        except DTypeError as error:
            raise DTypeError(f"{name}: {what}{path} is no tensor: {error.message}") from None
    return nodes


def check_carried(
    name: str, function: str, before: Sequence[Node], after: Sequence[Node], paths: Sequence[str]
) -> None:
    """Refuse a carry whose types change from step to step, and say which leaf."""
    for old, new, path in zip(before, after, paths, strict=True):
        if old.dtype != new.dtype:
            raise DTypeError(
                f"{name}: {function} changes the dtype of {path}: before {old.tensor_type!r}, after "
                f"{new.tensor_type!r}",
                hint=f"start with that dtype, or return {path} with .astype({old.dtype.name!r})",
            )
        if not fits(old.shape, new.shape):
            raise ShapeError(
                f"{name}: {function} changes the shape of {path}: before {old.tensor_type!r}, after "
                f"{new.tensor_type!r}",
                hint="what is carried keeps its shape from step to step; what grows is returned as an output of "
                "each step",
            )


def check_structure(name: str, what: str, first: Any, second: Any, words: tuple[str, str]) -> None:
    """Refuse a result nested in another way, and show both."""
    if first != second:
        raise ArgumentError(f"{name}: {what} has another structure: {words[0]} {first}, {words[1]} {second}")


def lift_numbers(nodes: list[Node], leaves: Sequence[Any], after: Sequence[Node]) -> bool:
    """Convert first values that are Python numbers to the dtype that the function makes of them; tell whether any was.

    A number is weak: one of a higher kind becomes the default of that kind first, as it would beside a tensor.
    """
    changed = False
    for index, (leaf, new) in enumerate(zip(leaves, after, strict=True)):
        old = nodes[index]
        rise = dtypes.KIND[new.dtype] - dtypes.KIND[old.dtype]
        if dtypes.is_scalar(leaf) and old.shape == new.shape and old.dtype != new.dtype and rise >= 0:
            nodes[index] = cast_to(old, dtypes.default_of_kind(dtypes.KIND[new.dtype]) if rise else new.dtype)
            changed = True
    return changed


def assign(variables: Iterable[Any], values: Iterable[Node]) -> None:
    """Assign to variables what an op handed on for them."""
    for variable, node in zip(variables, values, strict=True):
        variable.assign(Tensor(node))


def handles(structure: Any, nodes: Iterable[Node]) -> Any:
    """Return tensors of nodes, nested as a structure says."""
    return tree.unflatten(structure, [Tensor(node) for node in nodes])
