"""What a mask hides: columns that need not be computed, since they take no part in the results.

Behind a causal mask, half of the scores are computed for nothing: the softmax makes zeros of them, and the products
that follow multiply these zeros with finite numbers. That the numbers are finite, and the zeros zeros, is proved here
for all operands whose elements are not above a bound. A backend looks at the operands when it runs, and leaves nothing
out where one is: so NaN and infinity come out where they would.

The proof follows intervals through the body (see `septet.optimize.blocks`): each large value has one for the elements
that the mask lets through, and one for the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from septet.graph.assemble import has_effect
from septet.graph.graph import Graph, order
from septet.graph.node import CONSTANT, SYMBOL, Node
from septet.graph.op import Op
from septet.graph.reference import compute
from septet.graph.rewrite import fill_value
from septet.optimize.blocks import COLUMN, ROW, Labels

BOUNDS = (1024.0, 64.0, 16.0)
"""Bounds of the operands that are tried: with a large one, more operands are within it; with a small one, masks may be
written with smaller numbers."""
LARGEST_MASK = 1 << 24
"""Elements of a mask that is looked at."""
VANISHES = {"float32": -104.0, "float64": -746.0}
"""Where exp is 0: e**-104 is below half of 2**-149, e**-746 below half of 2**-1074."""
HIGHEST = 80.0
"""Up to this, exp is finite in float32."""
LARGEST = 1e37
"""Beyond this, sums and products of float32 may not be finite."""


def is_fixed(node: Node) -> bool:
    """Tell whether a value follows from constants alone, and is small enough to be computed beforehand."""
    nodes = order([node])
    if not all(own.op is CONSTANT or (isinstance(own.op, Op) and not own.op.is_leaf) for own in nodes):
        return False
    return not any(
        isinstance(own.type, tuple) or own.op.is_higher_order or has_effect(own) or (own.type.size or 0) > LARGEST_MASK
        for own in nodes
        if own.op is not CONSTANT
    )


def values_of(nodes: Sequence[Node]) -> list[np.ndarray]:
    """Return the values of nodes that are fixed."""
    values: dict[Node, np.ndarray] = {}
    for node in order(nodes):
        given = [values[source] for source in node.inputs]
        values[node] = node.value if node.op is CONSTANT else compute(node, given, None)
    return [values[node] for node in nodes]


class Interval(NamedTuple):
    """Numbers from `low` to `high`; truth values are 0 and 1."""

    low: float
    high: float

    @property
    def number(self) -> float | None:
        """The one number there is, if so."""
        return self.low if self.low == self.high else None


class State(NamedTuple):
    """What is known of a value.

    Attributes
    ----------
    seen, unseen : Interval
        Of what the mask lets through, and of the rest. For a value with one element for each row, both are the same.
    top_of : Node or None
        The value whose maximum in each row this is.
    one_in : bool
        Whether each row has an element that is seen and is 1, and none below 0.
    """

    seen: Interval
    unseen: Interval
    top_of: Node | None = None
    has_one: bool = False


class Hidden(NamedTuple):
    """What needs not be computed.

    Attributes
    ----------
    mask : ndarray (rows, columns)
        False where the results do not depend on anything.
    bound : float
        Of the operands, for this to hold.
    """

    mask: np.ndarray
    bound: float

    def columns(self, start: int, end: int) -> int:
        """Return how many columns are needed for some rows: the rest is hidden from all of them."""
        return int(np.flatnonzero(self.mask[start:end].any(0))[-1]) + 1


def find_hidden(
    body: Graph, inside: Mapping[Node, Labels], known: Mapping[Node, np.ndarray] | None = None
) -> Hidden | None:
    """Return what needs not be computed in a body; None where nothing is known to be.

    Parameters
    ----------
    body : Graph
    inside : mapping
        The labels of its nodes.
    known : mapping, optional
        The values of inputs that are constants.
    """
    arrays = _known_arrays(body, inside, known or {})
    for array in arrays.values():
        mask = array if array.dtype == np.bool_ else array > array.min()
        if mask[:, -1].all() or not mask.any(1).all():
            continue
        for bound in BOUNDS:
            if _Proof(body, inside, arrays, mask, bound).holds():
                return Hidden(mask, bound)
    return None


def _known_arrays(
    body: Graph, inside: Mapping[Node, Labels], known: Mapping[Node, np.ndarray]
) -> dict[Node, np.ndarray]:
    """Return the large values that follow from numbers and positions alone, where something else looks at them."""
    values = dict(known)
    for node in body.nodes:
        if node.op is CONSTANT:
            values[node] = node.value
        elif (
            node.op is not SYMBOL
            and all(source in values for source in node.inputs)
            and (node.tensor_type.size or 0) <= LARGEST_MASK
        ):
            values[node] = compute(node, [values[source] for source in node.inputs], None)
    wanted = {source for node in body.nodes if node not in values for source in node.inputs}
    found = {}
    for node in wanted:
        labels = [label for label in inside[node] if label is not None]
        if node in values and sorted(labels, key=str) == [COLUMN, ROW]:
            array = values[node].reshape([size for size in node.shape if size != 1])  # type: ignore[misc]
            found[node] = array if labels[0] == ROW else array.T
    return found


class _Proof:
    """Follows intervals through a body."""

    def __init__(
        self, body: Graph, inside: Mapping[Node, Labels], arrays: Mapping[Node, np.ndarray], mask: np.ndarray,
        bound: float,
    ) -> None:  # fmt: skip
        self.body = body
        self.inside = inside
        self.arrays = arrays
        self.mask = mask
        self.bound = bound
        self.states: dict[Node, State | None] = {}

    def holds(self) -> bool:
        """Tell whether all results are the same without the elements that the mask does not let through."""
        for node in self.body.nodes:
            self.states[node] = self._state(node)
        return all(map(self._is_proved, self.body.outputs))

    def _is_proved(self, sink: Node) -> bool:
        """Tell whether a product multiplies zeros with finite numbers where the mask does not let through."""
        states = [self.states.get(source) for source in sink.inputs]
        if sink.op.name != "dot_general" or any(state is None for state in states):
            return False
        large = [s for s, source in zip(states, sink.inputs, strict=True) if {ROW, COLUMN} <= set(self.inside[source])]
        return len(large) == 1 and large[0].unseen.number == 0  # type: ignore[union-attr]

    def _state(self, node: Node) -> State | None:
        if node in self.arrays:
            array = self.arrays[node]
            return State(*[_range(array[part]) for part in (self.mask, ~self.mask)])
        if node.op is CONSTANT:
            value = fill_value(node)
            return None if value is None or value != value else _same(float(value), float(value))
        if node.op is SYMBOL:
            if node.dtype.kind == "b":
                return _same(0.0, 1.0)
            return _same(-self.bound, self.bound) if node.dtype.kind == "f" else None
        states = [self.states[source] for source in node.inputs]
        if any(state is None for state in states):
            return None
        rule = RULES.get(node.op.name)
        found = rule(self, node, states) if rule is not None else None  # type: ignore[arg-type]
        return found if found is not None and _is_fine(found, node) else None

    def depth(self, node: Node) -> int:
        """Return how many elements a product sums."""
        (left, _), source = node.param("contracting"), node.inputs[0]
        return math.prod(source.shape[axis] for axis in left)  # type: ignore[misc]

    @property
    def columns(self) -> int:
        """How many columns there are."""
        return self.mask.shape[1]


def _range(values: np.ndarray) -> Interval:
    return Interval(float(values.min()), float(values.max())) if values.size else Interval(0.0, 0.0)


def _same(low: float, high: float) -> State:
    return State(Interval(low, high), Interval(low, high))


def _is_fine(state: State, node: Node) -> bool:
    """Tell whether bounds are numbers, and what is seen is finite beyond doubt."""
    if any(edge != edge for interval in (state.seen, state.unseen) for edge in interval):
        return False
    return max(abs(edge) for edge in state.seen) < LARGEST


Rule = Callable[[_Proof, Node, Sequence[State]], State | None]


def _both(join: Callable[..., Interval | None]) -> Rule:
    """A rule that joins intervals, for both parts of a value."""

    def rule(proof: _Proof, node: Node, states: Sequence[State]) -> State | None:
        seen = join(*[state.seen for state in states])
        unseen = join(*[state.unseen for state in states])
        return None if seen is None or unseen is None else State(seen, unseen)

    return rule


def _add(a: Interval, b: Interval) -> Interval:
    return Interval(a.low + b.low, a.high + b.high)


def _negated(a: Interval) -> Interval:
    return Interval(-a.high, -a.low)


def _product(a: Interval, b: Interval) -> Interval | None:
    if 0 in (a.number, b.number):
        return Interval(0.0, 0.0) if max(map(abs, (*a, *b))) < LARGEST else None
    edges = [x * y for x in a for y in b]
    return Interval(min(edges), max(edges))


def _quotient(a: Interval, b: Interval) -> Interval | None:
    if b.low <= 0 <= b.high:
        return None
    edges = [x / y for x in a for y in b]
    return Interval(min(edges), max(edges))


def _hull(a: Interval, b: Interval) -> Interval:
    return Interval(min(a.low, b.low), max(a.high, b.high))


def _chosen(condition: Interval, a: Interval, b: Interval) -> Interval:
    if condition.number is None:
        return _hull(a, b)
    return a if condition.number else b


def _where(proof: _Proof, node: Node, states: Sequence[State]) -> State:
    condition, a, b = states
    if condition.seen.number is not None and condition.seen == condition.unseen:
        return a if condition.seen.number else b
    return State(_chosen(condition.seen, a.seen, b.seen), _chosen(condition.unseen, a.unseen, b.unseen))


def _finite(a: Interval) -> Interval:
    return Interval(float(max(map(abs, a)) < LARGEST), 1.0)


def _equal(a: Interval, b: Interval) -> Interval:
    is_apart = a.high < b.low or b.high < a.low
    return Interval(float(a.number is not None and a == b), float(not is_apart))


def _greater(a: Interval, b: Interval) -> Interval:
    return Interval(float(a.low > b.high), float(a.high > b.low))


def _not(a: Interval) -> Interval:
    return Interval(1.0 - a.high, 1.0 - a.low)


def _subtract(proof: _Proof, node: Node, states: Sequence[State]) -> State:
    a, b = states
    seen, unseen = _add(a.seen, _negated(b.seen)), _add(a.unseen, _negated(b.unseen))
    is_top = b.top_of is node.inputs[0]
    if is_top:  # nothing is above the maximum
        seen, unseen = (Interval(min(own.low, 0.0), min(own.high, 0.0)) for own in (seen, unseen))
    return State(seen, unseen, None, is_top)


def _exp(proof: _Proof, node: Node, states: Sequence[State]) -> State | None:
    (x,) = states
    lowest = VANISHES.get(node.dtype.name)
    if lowest is None or max(x.seen.high, x.unseen.high) > HIGHEST:
        return None
    seen, unseen = ([0.0 if edge < lowest else math.exp(edge) for edge in own] for own in (x.seen, x.unseen))
    most = [1.0 if x.has_one else 1.01 * seen[1], 1.01 * unseen[1]]
    return State(Interval(0.99 * seen[0], most[0]), Interval(0.99 * unseen[0], most[1]), None, x.has_one)


def _max(proof: _Proof, node: Node, states: Sequence[State]) -> State | None:
    (x,) = states
    if COLUMN not in proof.inside[node.inputs[0]]:
        return None
    if x.unseen.high >= x.seen.low:
        return None  # what is left out could be the maximum
    return State(x.seen, x.seen, node.inputs[0])


def _sum(proof: _Proof, node: Node, states: Sequence[State]) -> State | None:
    (x,) = states
    if COLUMN not in proof.inside[node.inputs[0]]:
        return None
    if x.unseen.number != 0:
        return None  # what is left out would be missing
    low, high = min(x.seen.low, 0.0) * proof.columns, max(x.seen.high, 0.0) * proof.columns
    own = Interval(0.99 if x.has_one and x.seen.low >= 0 else low, high)
    return State(own, own)


def _dot(proof: _Proof, node: Node, states: Sequence[State]) -> State | None:
    if not {ROW, COLUMN} <= set(proof.inside[node]):
        return _same(0.0, 0.0) if node in proof.body.outputs else None  # judged by itself
    a, b = (max(map(abs, state.seen)) for state in states)
    most = a * b * proof.depth(node)
    return _same(-most, most)


def _same_value(proof: _Proof, node: Node, states: Sequence[State]) -> State:
    return states[0]


def _through(proof: _Proof, node: Node, states: Sequence[State]) -> State:
    return State(states[0].seen, states[0].unseen)


RULES: dict[str, Rule] = {
    "add": _both(_add), "subtract": _subtract, "negative": _both(_negated), "multiply": _both(_product),
    "divide": _both(_quotient), "where": _where, "exp": _exp, "max": _max, "sum": _sum, "dot_general": _dot,
    "isfinite": _both(_finite), "equal": _both(_equal), "greater": _both(_greater), "logical_not": _both(_not),
    "less": _both(lambda a, b: _greater(b, a)), "logical_and": _both(_product), "reshape": _through,
    "stop_gradient": _same_value,
    "transpose": _through, "broadcast_to": _through,
}  # fmt: skip
