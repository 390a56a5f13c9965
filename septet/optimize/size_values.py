"""Sizes that follow from values: the few operations on small inputs that decide them, computed before everything else.

``x[i * 20 : (i + 1) * 20]`` has as many rows as `i` says. A graph with such sizes is made one of known sizes for a call
(`sizes.with_shapes`), and what is asked for on the way is noted in a tree: which value decides the next size, how it is
computed, and what was found behind each value that it has had. The next call goes down that tree, in Python's
integers, and finds at its end what was made for the same sizes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from septet.base.source import place_text
from septet.graph.graph import Graph
from septet.graph.node import CONSTANT, SYMBOL, VARIABLE, Node
from septet.graph.op import ITEM, Op
from septet.graph.params import exact
from septet.graph.reference import compute
from septet.graph.types import TensorType
from septet.ops.shaping import size_of
from septet.optimize.sizes import Deciding, bodies_of, sizes_taken

FEW = 1024
"""Elements up to which integers decide sizes: more are data."""
MOST = 256
"""Operations that decide one size; what takes more is computed with the rest."""

Row = tuple[Callable[..., Any], tuple[int, ...]]
"""A function, and which of the values before it takes."""


class Undecided(Exception):
    """A value is none that a size can have, or is not computed exactly by Python's integers: the reference says what is
    right."""


def deciding(graph: Graph) -> frozenset[Node]:
    """Return the inputs and variables whose values, and not only their shapes, sizes in a graph follow from."""
    return frozenset().union(*_deciding(graph, [frozenset([node]) for node in graph.inputs]))


def _deciding(graph: Graph, given: Sequence[frozenset[Node]]) -> Iterator[frozenset[Node]]:
    nothing: frozenset[Node] = frozenset()
    leaves = dict(zip(graph.inputs, given, strict=True))  # whose values a node follows from
    for node in graph.nodes:
        if node in leaves:
            continue
        sources = [leaves[source] for source in node.inputs]
        if node.op is VARIABLE:
            leaves[node] = frozenset([node])
            continue
        leaves[node] = nothing if node.op is size_of else nothing.union(*sources)
        yield from [leaves[source] for source in sizes_taken(node)]
        for body in bodies_of(node):
            yield from _deciding(body.graph, sources[body.first : body.first + len(body.graph.inputs)])


# How values are computed: in Python's integers where that is exact, by the references of the cards elsewhere.


def _within(function: Callable[..., int], dtype: np.dtype[Any]) -> Callable[..., int]:
    """Return a function of integers whose result must not leave the range of a dtype."""
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)

    def call(*values: int) -> int:
        try:
            found = function(*values)
        except ZeroDivisionError:
            raise Undecided from None
        if low <= found <= high:
            return found
        raise Undecided

    return call


_EXACT: dict[str, Callable[..., Any]] = {
    "equal": operator.eq, "greater": operator.gt, "greater_equal": operator.ge, "identity": operator.pos,
    "less": operator.lt, "less_equal": operator.le, "logical_and": lambda a, b: bool(a and b),
    "logical_not": operator.not_, "logical_or": lambda a, b: bool(a or b), "maximum": max, "minimum": min,
    "not_equal": operator.ne, "where": lambda condition, a, b: a if condition else b,
}  # fmt: skip
"""Functions whose results are among what they are given, or truth values."""
_WIDENING: dict[str, Callable[..., int]] = {
    "abs": abs, "add": operator.add, "cast": int, "floor_divide": operator.floordiv, "multiply": operator.mul,
    "negative": operator.neg, "remainder": operator.mod, "square": lambda value: value * value,
    "subtract": operator.sub,
}  # fmt: skip
"""Functions whose results may be too large for their dtype."""


def _is_plain(node: Node) -> bool:
    """Tell whether the value of a node is kept as a number of Python's."""
    return node.shape == () and node.dtype.kind in "iub"


def _plain(node: Node, value: Any) -> Any:
    return value.item() if _is_plain(node) else value


def _function(node: Node) -> Callable[..., Any]:
    """Return what computes a node from the values of its inputs."""
    name = node.op.name
    if _is_plain(node) and all(map(_is_plain, node.inputs)):
        if name in _EXACT:
            return _EXACT[name]
        if name in _WIDENING and node.dtype.kind in "iu":
            return _within(_WIDENING[name], node.dtype)
    dtypes = [source.dtype for source in node.inputs]

    def call(*values: Any) -> Any:
        arrays = [np.asarray(value, dtype) for value, dtype in zip(values, dtypes, strict=True)]
        return _plain(node, compute(node, arrays, None))

    return call


def _input(number: int, node: Node) -> Callable[..., Any]:
    """Return what takes the value of an input from the arguments of a call."""
    if _is_plain(node):
        return lambda arguments: arguments[number].item()
    return operator.itemgetter(number)


def _reading(variable: Any, node: Node) -> Callable[..., Any]:
    """Return what reads a variable."""
    return lambda: _plain(node, variable.current())


# The tree.


class Branch:
    """What was found out about sizes, where those decided before have some values.

    Attributes
    ----------
    constants : list
        Values that come behind those computed before.
    rows : list of Row
        What computes further ones.
    slot : int
        Which of them all is the next size; -1 where none is left.
    label : str
        What takes that size, for people.
    following : dict of int to Branch
        What comes behind each value that it has had.
    above : (Branch, int), optional
        Where this one is among those that follow.
    leaf : object
        Whatever was made for the sizes, where all are decided.
    """

    __slots__ = ("above", "constants", "following", "label", "leaf", "numbers", "rows", "slot")

    def __init__(self, numbers: dict[Any, int], above: tuple[Branch, int] | None = None) -> None:
        self.numbers = numbers
        self.above = above
        self.constants: list[Any] = []
        self.rows: list[Row] = []
        self.slot = -1
        self.label = ""
        self.following: dict[int, Branch] = {}
        self.leaf: Any = None

    def compute(self, values: list[Any]) -> None:
        """Compute the values of this branch behind those before."""
        values += self.constants
        for function, sources in self.rows:
            values.append(function(*[values[source] for source in sources]))

    def decided(self) -> tuple[tuple[str, int], ...]:
        """Return what takes the sizes that were decided on the way here, and their values."""
        found = []
        branch = self
        while branch.above is not None:
            branch, value = branch.above
            found.append((branch.label, value))
        return tuple(found[::-1])

    def remove(self) -> None:
        """Take it out of the tree, with all above it that only leads here."""
        branch = self
        while branch.above is not None:
            branch, value = branch.above
            branch.following.pop(value, None)
            if branch.following:
                break


def find(root: Branch, arguments: Sequence[np.ndarray]) -> tuple[Branch, int | None]:
    """Return where the values of a call lead to: the last branch, and the next size where it is one that has not come
    before.

    Raises
    ------
    Undecided
        If a value is too large to be computed exactly.
    SeptetError
        What the reference of an op raises.
    """
    values: list[Any] = [arguments]
    branch = root
    while branch.slot >= 0:
        branch.compute(values)
        value = values[branch.slot]
        following = branch.following.get(value)
        if following is None:
            return branch, value
        branch = following
    return branch, None


class Walk(Deciding):
    """The way down a tree while a graph is made one of known sizes; where the tree ends, it grows.

    Parameters
    ----------
    root : Branch
    arguments : sequence of ndarray
        Of the call.

    Attributes
    ----------
    branch : Branch
        Where it has come to.
    """

    def __init__(self, root: Branch, arguments: Sequence[np.ndarray]) -> None:
        self.branch = root
        self._values: list[Any] = [arguments]
        self._is_computed = False  # the rows of `branch`
        self._slots: dict[Node, int] = {}
        self._inputs: dict[Node, int] = {}
        self._operands: dict[Node, Node] = {}
        self._sizes: dict[int, int] = {}

    def takes(self, inputs: Sequence[Node]) -> None:
        """Take notice of the inputs of the graph."""
        self._inputs = {node: number for number, node in enumerate(inputs)}

    def stands_for(self, inner: Node, operand: Node) -> None:
        """Take notice that an input of a graph inside of a node always has the value of an operand."""
        self._operands[inner] = operand

    def size(self, source: Node, user: Node) -> int | None:
        """Return the size that a node computes; None where more than small values decide it.

        Raises
        ------
        Undecided
            If it is negative, or too large to be computed exactly.
        """
        needed = self._needed(source)
        if needed is None:
            return None
        self._number(needed)
        slot = self._slots[source]
        if slot not in self._sizes:
            self._decide(slot, user)
        return self._sizes[slot]

    def _decide(self, slot: int, user: Node) -> None:
        """Go on to the branch behind the value of a size."""
        branch = self.branch
        if not self._is_computed:
            branch.compute(self._values)
        value = self._values[slot]
        if value < 0:
            raise Undecided
        if branch.slot < 0:
            place = place_text(user.source)
            branch.slot, branch.label = slot, f"{user.op.name} at {place}" if place else user.op.name
        following = branch.following.get(value)
        if following is None:
            following = branch.following[value] = Branch(dict(branch.numbers), (branch, value))
        self._sizes[slot] = value
        self.branch, self._is_computed = following, False

    def _needed(self, source: Node) -> list[Node] | None:
        """Return the nodes that a node is computed from, sources first; None where they are not few and small."""
        found: dict[Node, None] = {}
        pending = [source]
        while pending:
            node = pending[-1]
            if node in found or node in self._slots:
                pending.pop()
                continue
            if len(pending) + len(found) > MOST or not self._is_early(node):
                return None
            missing = [own for own in self._sources(node) if own not in found and own not in self._slots]
            if missing:
                pending += missing
            else:
                found[node] = None
                pending.pop()
        return list(found)

    def _sources(self, node: Node) -> Sequence[Node]:
        return (self._operands[node],) if node in self._operands else node.inputs

    def _is_early(self, node: Node) -> bool:
        """Tell whether a node can be computed before everything else."""
        type_, op = node.type, node.op
        if type_.__class__ is not TensorType or op is ITEM:
            return False
        size: Any = type_.size  # type: ignore[union-attr]
        if size is None or size > FEW:
            return False
        if op is CONSTANT or node in self._operands:
            return True
        if op is VARIABLE or node in self._inputs:
            return node.dtype.kind in "iub" or (node.shape == () and node.dtype.kind == "f")
        return op is not SYMBOL and isinstance(op, Op) and not (op.is_higher_order or op.has_effect)

    def _number(self, nodes: Iterable[Node]) -> None:
        """Give nodes their places among the values; in a branch that is new, also what computes them."""
        branch = self.branch
        numbers = branch.numbers
        later = []
        for node in nodes:
            if node.op is not CONSTANT:
                later.append(node)
                continue
            key = CONSTANT, node.type, node.value.tobytes()
            if key not in numbers:
                numbers[key] = 1 + len(numbers)
                branch.constants.append(_plain(node, node.value))
            self._slots[node] = numbers[key]
        for node in later:
            if node in self._operands:
                self._slots[node] = self._slots[self._operands[node]]
                continue
            sources, function = self._row(node)
            key = node.op, node.type, self._inputs.get(node, -1), exact(node.params), sources
            if key not in numbers:
                numbers[key] = 1 + len(numbers)
                branch.rows.append((function(), sources))
            self._slots[node] = numbers[key]

    def _row(self, node: Node) -> tuple[tuple[int, ...], Callable[[], Callable[..., Any]]]:
        """Return which values a node takes, and what returns the function that it is computed by."""
        if node in self._inputs:
            return (0,), lambda: _input(self._inputs[node], node)
        if node.op is VARIABLE:
            return (), lambda: _reading(node.params[0], node)
        return tuple([self._slots[source] for source in node.inputs]), lambda: _function(node)
