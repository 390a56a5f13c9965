"""Rewriting: rules as data, and the driver that applies them to a fixed point.

A pattern is an op's name and patterns of its inputs::

    P("add", "x", 0)                           # something plus zero; also zero plus something: add is commutative
    P("log", P("sum", P("exp", "x"), as_="s")) # the node of the sum is bound to "s"

A string stands for any node (the same string twice: the same node), a number for a constant that is filled with it, `C`
for any constant. A rule has a name, a pattern, a function that builds the replacement from what the pattern bound, and
the reason why it is right. A rule about a property of ops says so by a function of cards in the place of a name; it is
asked about the ops that graphs have, so that no rule has cards imported that no graph needs.

The driver goes over the graph once, inputs before users, and keeps one node for each distinct computation. A rule looks
at a node and at what is below it, never at its users, and what is below has been rewritten already; so a node that no
rule matches is final. What a rule builds goes through the same mill. This makes the cost proportional to the number of
nodes plus the number of replacements, which is bounded.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from septet.base.config import config
from septet.base.errors import GraphError
from septet.graph.assemble import apart, assemble, has_effect, with_inputs
from septet.graph.graph import Graph
from septet.graph.node import CONSTANT, SYMBOL, VARIABLE, Node
from septet.graph.op import Op, get
from septet.graph.params import exact

SMALL = 64  # constants of at most this many elements are compared by value
SAME = "="  # in patterns: the op of the root
BUDGET = 16  # replacements for each node of the graph, before the driver gives up


class P:
    """A pattern: an op and patterns of its inputs.

    Parameters
    ----------
    op : str, tuple of str, or callable
        Name of the op, or names of which each may stand here; "*" for any op; `SAME` for that of the pattern's root. At
        the root also ``op(card) -> bool``: any op of which it is true.
    *args : P, str, number or C
        Patterns of the inputs. With none given, any inputs match.
    as_ : str
        A name for the matched node.
    """

    __slots__ = ("args", "as_", "is_of_kind", "ops")

    def __init__(self, op: str | tuple[str, ...] | Callable[[Op], bool], *args: Any, as_: str = "") -> None:
        self.is_of_kind = op if callable(op) else None
        self.ops = (op,) if isinstance(op, str) else op if isinstance(op, tuple) else ()
        self.args = args
        self.as_ = as_

    def begins_with(self, op: str) -> bool:
        """Tell whether a node of an op may be the root, by its name."""
        return op in self.ops if self.is_of_kind is None else self.is_of_kind(get(op))

    def variants(self, root: str = "") -> list[P]:
        """Return the pattern with the inputs of commutative ops in both orders, everywhere in it.

        Parameters
        ----------
        root : str, optional
            The op of the root, where there are several; by default all of them.
        """
        parts = [arg.variants(root if arg.ops == (SAME,) else "") if isinstance(arg, P) else [arg] for arg in self.args]
        found = []
        for op in (root,) if root else self.ops:
            is_commutative = op != "*" and len(self.args) == 2 and "commutative" in get(op).properties
            for args in itertools.product(*parts):
                found.append(P(op, *args, as_=self.as_))
                if is_commutative:
                    found.append(P(op, *args[::-1], as_=self.as_))
        return found

    def __repr__(self) -> str:
        names = "|".join(self.ops) if self.is_of_kind is None else self.is_of_kind.__name__
        return f"{names}({', '.join(map(repr, self.args))})"


class C:
    """A pattern that matches any constant and binds it to a name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"C({self.name!r})"


class Match(dict[str, Node]):
    """What a pattern bound: nodes by name, as items or attributes; `root` is the node that may be replaced."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Node:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Rule:
    """A rule.

    Parameters
    ----------
    name : str
        "{op}" in it stands for the op of the root.
    pattern : P
    build : callable
        ``build(match) -> Node or None``: the replacement, of the same type as the root; None declines.
    reason : str
        Why the replacement is equal, and better.
    condition : callable, optional
        ``condition(match) -> bool``.
    of_constants : bool
        Whether all inputs of the root must be constants.
    """

    __slots__ = ("build", "condition", "name", "of_constants", "pattern", "reason")

    def __init__(
        self, name: str, pattern: P, build: Callable[[Match], Node | None], reason: str,
        condition: Callable[[Match], bool] | None = None, of_constants: bool = False,
    ) -> None:  # fmt: skip
        self.name = name
        self.pattern = pattern
        self.build = build
        self.reason = reason
        self.condition = condition
        self.of_constants = of_constants

    def __repr__(self) -> str:
        return f"<Rule {self.name}: {self.pattern!r}>"


def match(pattern: P, node: Node) -> Match | None:
    """Match one variant of a pattern (see `P.variants`: the order of inputs counts here) against a node."""
    found = Match(root=node)
    return found if _match(pattern, node, found) else None


def _match(pattern: Any, node: Node, found: Match) -> bool:
    kind = type(pattern)
    if kind is str:
        return found.setdefault(pattern, node) is node
    if kind is P:
        op = pattern.ops[0]
        if node.op.name != op and op != "*":
            return False
        args = pattern.args
        if args:
            inputs = node.inputs
            if len(args) != len(inputs):
                return False
            for arg, source in zip(args, inputs, strict=True):
                if not _match(arg, source, found):
                    return False
        if pattern.as_:
            return found.setdefault(pattern.as_, node) is node
        return True
    if kind is C:
        return node.op is CONSTANT and found.setdefault(pattern.name, node) is node
    value = fill_value(node)
    return value is not None and bool(value == pattern)


_FILLABLE = frozenset({"constant", "broadcast_to", "reshape"})


def fill_value(node: Node) -> Any:
    """Return the number that a constant (or a constant that is broadcast or reshaped) is filled with, or None."""
    while node.op is not CONSTANT:
        if node.op.name not in _FILLABLE:
            return None
        node = node.inputs[0]
    value = node.value
    if not isinstance(value, np.ndarray) or not 1 <= value.size <= SMALL:
        return None
    first = value.flat[0]
    if value.size > 1 and not (value == first).all():
        return None
    return first


FILLED = "#"


def _needs(pattern: P) -> tuple[str | None, ...]:
    """Say what the inputs of a pattern's root must be: an op, a constant that is filled with a number, or anything."""
    needs: list[str | None] = []
    for arg in pattern.args:
        if isinstance(arg, P):
            needs.append(arg.ops[0] if arg.ops[0] != "*" else None)
        elif isinstance(arg, C):
            needs.append(CONSTANT.name)
        else:
            needs.append(None if isinstance(arg, str) else FILLED)
    return tuple(needs)


class RuleSet:
    """Rules made ready for the driver.

    Parameters
    ----------
    rules : iterable of Rule
        The order is the priority.
    """

    __slots__ = ("_by_op", "_candidates", "rules")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._by_op: dict[str, list[tuple[P, Rule]]] = {}
        self._candidates: dict[tuple[str, ...], tuple[tuple[P, Rule], ...]] = {}
        names = [rule.name for rule in self.rules]
        doubled = {name for name in names if names.count(name) > 1}
        if doubled:
            raise ValueError(f"two rules have the same name: {', '.join(sorted(doubled))}")

    def candidates(self, names: tuple[str, ...]) -> tuple[tuple[P, Rule], ...]:
        """Return the variants of patterns that may match, given the name of a node's op and those of its inputs."""
        found = self._candidates.get(names)
        if found is None:
            if len(self._candidates) >= 8192:
                self._candidates.clear()
            found = self._candidates[names] = tuple(self._select(names[0], names[1:]))
        return found

    def _of(self, op: str) -> list[tuple[P, Rule]]:
        """Return the variants of patterns whose root is of some op; they are made when a graph first has it."""
        found = self._by_op.get(op)
        if found is None:
            own = [
                rule for rule in self.rules if (op in rule.pattern.ops if op == "*" else rule.pattern.begins_with(op))
            ]
            found = self._by_op[op] = [(variant, rule) for rule in own for variant in rule.pattern.variants(op)]
        return found

    def _select(self, op: str, inputs: tuple[str, ...]) -> Iterator[tuple[P, Rule]]:
        for pattern, rule in (*self._of(op), *self._of("*")):
            needs = _needs(pattern)
            if needs and len(needs) != len(inputs):
                continue
            if rule.of_constants and any(own != CONSTANT.name for own in inputs):
                continue
            if all(
                need is None or own == need or (need == FILLED and own in _FILLABLE)
                for need, own in zip(needs, inputs, strict=False)
            ):
                yield pattern, rule


class Outcome:
    """What the driver did.

    Attributes
    ----------
    graph : Graph
    fired : dict of str to int
        How often each rule replaced a node.
    is_complete : bool
        False where the budget ran out before a fixed point.
    """

    __slots__ = ("fired", "graph", "is_complete")

    def __init__(self, graph: Graph, fired: dict[str, int], is_complete: bool) -> None:
        self.graph = graph
        self.fired = fired
        self.is_complete = is_complete


def rewrite(graph: Graph, rules: RuleSet | Sequence[Rule]) -> Outcome:
    """Apply rules to a fixed point, and merge what is computed twice.

    Parameters
    ----------
    graph : Graph
    rules : RuleSet or sequence of Rule

    Returns
    -------
    Outcome
        Its graph is the given one, where nothing changed.

    Raises
    ------
    GraphError
        If a rule builds something of another type than it replaces; with the setting ``verify``, also if the rules do
        not come to an end.
    """
    if not isinstance(rules, RuleSet):
        rules = RuleSet(rules)
    with apart():
        driver = _Driver(rules, len(graph))
        for node in graph.nodes:
            driver.settle(node)
    roots = [driver.final[node] for node in graph.roots]
    if driver.budget <= 0 and config.verify:
        often = max(driver.fired, key=lambda name: driver.fired[name])
        raise GraphError(f"rewriting does not come to an end; the rule {often} fired {driver.fired[often]} times")
    if all(a is b for a, b in zip(roots, graph.roots, strict=True)):
        return Outcome(graph, driver.fired, driver.budget > 0)
    n_out, n_up = len(graph.outputs), len(graph.updates)
    updates = roots[n_out : n_out + n_up]
    return Outcome(graph.with_roots(roots[:n_out], updates, roots[n_out + n_up :]), driver.fired, driver.budget > 0)


class _Driver:
    """The state of one rewriting."""

    def __init__(self, rules: RuleSet, size: int) -> None:
        self.rules = rules
        self.final: dict[Node, Node] = {}  # node -> what stands for it in the result
        self.made: dict[Any, Node] = {}  # what is computed -> the one node that does
        self.fired: dict[str, int] = {}
        self.budget = BUDGET * size + 256
        self.is_moved = False

    def settle(self, root: Node) -> Node:
        """Rewrite everything that a node depends on and return what stands for it."""
        final = self.final
        waiting: dict[Node, tuple[Node, Node]] = {}  # node -> the one that computes it, and what replaces that
        stack = [root]
        while stack:
            node = stack[-1]
            if node in final:
                stack.pop()
                continue
            if node not in waiting:
                inputs = () if node.op is VARIABLE else node.inputs
                open_inputs = [source for source in inputs if source not in final]
                if open_inputs:
                    stack.extend(reversed(open_inputs))
                    continue
                one = self.share(node, inputs)
                if one in final:
                    final[node] = final[one]
                    continue
                replacement = self.apply(one)
                if replacement is None:
                    final[one] = final[node] = one
                    continue
                waiting[node] = one, replacement
            one, replacement = waiting[node]
            if replacement in final:
                final[one] = final[node] = final[replacement]
            else:
                stack.append(replacement)
        return final[root]

    def share(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        """Return the one node that computes the same, with settled inputs."""
        op = node.op
        if op is VARIABLE:
            slot: Any = (VARIABLE, id(node.params[0]))
        elif op is SYMBOL:
            return node
        elif op is CONSTANT:
            value = node.value
            if not isinstance(value, np.ndarray):
                return node
            slot = (CONSTANT, node.type, value.tobytes() if value.size <= SMALL else id(value))
        else:
            inputs = tuple([self.final[source] for source in inputs])
            if has_effect(node):
                return self.in_turn(node, inputs)
            rest = exact(node.params) if node.params else ()
            slot = (op, *inputs, rest)
            if slot not in self.made and len(inputs) == 2 and "commutative" in op.properties:
                other = self.made.get((op, inputs[1], inputs[0], rest))
                if other is not None and self.final.get(other) is other:
                    return other
        one = self.made.get(slot)
        if one is None:
            one = self.made[slot] = with_inputs(node, inputs) if isinstance(op, Op) else node
        return one

    def in_turn(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        """Keep the order of effects, which is that of serial numbers: behind one that is made anew, all are."""
        if inputs == node.inputs and not self.is_moved:
            return node
        self.is_moved = True
        return assemble(node.op, inputs, node.params, node.type, node.flags, node.source, node.layers)

    def apply(self, node: Node) -> Node | None:
        """Return what the first rule that matches builds, or None."""
        if not isinstance(node.op, Op) or self.budget <= 0:
            return None
        for pattern, rule in self.rules.candidates((node.op.name, *[source.op.name for source in node.inputs])):
            found = match(pattern, node)
            if found is not None:
                result = self.build(rule, found, node)
                if result is not None:
                    return result
        return None

    def build(self, rule: Rule, found: Match, node: Node) -> Node | None:
        """Return what a rule builds for a match, checked, or None if it declines."""
        if rule.condition is not None and not rule.condition(found):
            return None
        result = rule.build(found)
        if result is None or result is node:
            return None
        if result.type != node.type:
            raise GraphError(f"the rule {rule.name} replaces {node!r} by {result!r}, which has another type")
        self.adopt(result, node)
        name = rule.name.replace("{op}", node.op.name)
        self.fired[name] = self.fired.get(name, 0) + 1
        self.budget -= 1
        return result

    def adopt(self, result: Node, root: Node) -> None:
        """Give what a rule has built the source and the layer path of what it replaces."""
        pending = [result]
        while pending:
            node = pending.pop()
            if node in self.final or node.serial <= root.serial or not isinstance(node.op, Op):
                continue
            if node.source is not root.source or node.layers != root.layers:
                node.source, node.layers = root.source, root.layers
                pending.extend(node.inputs)
