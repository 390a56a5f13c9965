"""Loops: what a scan need not do in each step is done once, for all steps at once, or not at all.

A loop in a graph is taken apart (`loop_parts`), and rules change it, in this order:

- what is always the same, or there twice, is made a constant, or one (`loop_tidy`);
- what another loop has computed is read from it (`loop_reads`);
- what depends on nothing that changes is computed once, before the loop (`loop_moves`);
- products of what is known before the loop are computed for all steps at once, before it;
- sums of products that are carried from step to step, and products that only results need, are computed for all steps
  at once, after it.

While loops take part in the first and the third of these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.graph.assemble import apart, apply, graph_has_effect, graphs_in
from septet.graph.graph import Graph
from septet.graph.node import Node
from septet.graph.op import ITEM, Op
from septet.graph.rewrite import Outcome, RuleSet, rewrite
from septet.optimize import loop_moves, loop_reads, loop_tidy
from septet.optimize.loop_parts import Loop, Scan, While


class LoopRule:
    """A rule about loops.

    Attributes
    ----------
    name : str
    change : callable
        ``change(loop) -> int``: how often it changed the loop.
    reason : str
        Why the loop computes the same, and is better.
    kinds : tuple of type
        The loops that it is for.
    """

    __slots__ = ("change", "kinds", "name", "reason")

    def __init__(self, name: str, change: Callable[[Any], int], reason: str, kinds: tuple[type, ...] = (Scan,)) -> None:
        self.name = name
        self.change = change
        self.reason = reason
        self.kinds = kinds

    def __repr__(self) -> str:
        return f"<LoopRule {self.name}>"


_ALL = (Scan, While)
_KNOWN = LoopRule(
    "known_result", loop_tidy.known_result, "a result that is there already, or the same in each step, is not stacked"
)
_BEFORE = LoopRule(
    "push_before", loop_moves.push_before,
    "one large product is faster than many small ones, and what only results need needs no loop",
)  # fmt: skip
TIDY = (
    LoopRule("no_steps", loop_tidy.no_steps, "nothing happens in no steps: the first values are the last"),
    LoopRule("one_step", loop_tidy.one_step, "one step is no loop"),
    LoopRule("unchanged_carry", loop_tidy.unchanged_carry, "what each step hands on as it was is a constant", _ALL),
    LoopRule("equal_operand", loop_tidy.equal_operand, "one operand is enough for what comes in twice", _ALL),
    LoopRule("constant_operand", loop_tidy.constant_operand,
             "numbers inside of the body take part in its algebra, and are not read", _ALL),
    LoopRule("repeated_sequence", loop_tidy.repeated_sequence, "a sequence of equal elements is a constant"),
    _KNOWN,
)  # fmt: skip
MOVES = (
    LoopRule("hoist", loop_moves.hoist, "what depends on nothing that changes is computed once", _ALL),
    _KNOWN,
    _BEFORE,
    LoopRule("push_sum_of_products", loop_moves.push_sums_of_products,
             "a sum over steps of products is one product that sums over steps too: the loop neither reads nor writes "
             "the total"),
    LoopRule("push_sum", loop_moves.push_sums_at_hand, "a stack that is there anyway is summed in one go"),
    LoopRule("push_after", loop_moves.push_after, "one large product is faster than many small ones"),
    _BEFORE,  # what has become a result now
)  # fmt: skip
# Rules about pairs of loops: ``change(loops)`` gives how often it changed a pair, and the two.
JOIN = LoopRule("join", loop_reads.join, "two loops that carry the same values are one, with the results of both")
READ = LoopRule(
    "read", loop_reads.read,
    "what another loop has computed is kept there, where that is cheaper than computing it again: a product of "
    "matrices is always kept",
)  # fmt: skip
RULES = {rule.name: rule for rule in (JOIN, *TIDY, READ, *MOVES)}


def improve(graph: Graph, change: Callable[[Graph], Graph]) -> Outcome:
    """Apply the rules to all loops of a graph.

    Parameters
    ----------
    graph : Graph
    change : callable
        What is done with a body that was changed.
    """
    loops = _taken_apart(graph)
    fired: dict[str, int] = {}

    def note(name: str, count: int, *changed: Loop) -> None:
        if count:
            fired[name] = fired.get(name, 0) + count
            for own in changed:
                own.is_changed = True

    def apply_all(rules: tuple[LoopRule, ...]) -> None:
        for rule in rules:
            for loop in loops.values():
                if not loop.is_gone and isinstance(loop, rule.kinds):
                    note(rule.name, rule.change(loop), loop)

    with apart():
        for count, *pair in JOIN.change(loops):
            note(JOIN.name, count, *pair)
        apply_all(TIDY)
        for count, *pair in READ.change(loops):
            note(READ.name, count, *pair)
        apply_all(MOVES)
        if not fired:
            return Outcome(graph, {}, True)
        return _rebuilt(graph, loops, change, fired)


def _taken_apart(graph: Graph) -> dict[Node, Loop]:
    """Return the loops of a graph that do nothing besides computing."""
    kinds = {"scan": Scan, "while_loop": While}
    found = [node for node in graph.nodes if node.op.name in kinds]
    if not found:
        return {}
    found = [node for node in found if not any(graph_has_effect(own) for own in graphs_in(node.params))]
    wanted: dict[Node, set[int]] = {node: set() for node in found}
    for node in graph.nodes:
        if node.op is ITEM and node.inputs[0] in wanted:
            wanted[node.inputs[0]].add(node.params[0])
    around, roots = set(graph.nodes), set(graph.roots)
    with apart():
        return {node: kinds[node.op.name](node, wanted[node], around) for node in found if node not in roots}


def _rebuilt(graph: Graph, loops: dict[Node, Loop], change: Callable[[Graph], Graph], fired: dict[str, int]) -> Outcome:
    """Return the graph with the changed loops in it."""
    moved: dict[Node, Node] = {}
    outside: dict[Node, list[Node | None]] = {}
    for node in graph.nodes:
        loop = loops.get(node)
        if loop is not None and loop.is_changed:
            outside[node] = loop.put_together(moved, change)
            moved[node] = node
            continue
        inputs = tuple([moved[source] for source in node.inputs]) if isinstance(node.op, Op) else node.inputs
        if node.op is ITEM and node.inputs[0] in outside:
            found = outside[node.inputs[0]][node.params[0]]
            assert found is not None
            moved[node] = found
        elif inputs == node.inputs:
            moved[node] = node
        else:
            moved[node] = apply(node.op, inputs, node.params, node.source, node.layers, node.flags)
    n_out, n_up = len(graph.outputs), len(graph.updates)
    roots = [moved[node] for node in graph.roots]
    fresh = graph.with_roots(roots[:n_out], roots[n_out : n_out + n_up], roots[n_out + n_up :])
    return Outcome(rewrite(fresh, RuleSet([])).graph, fired, True)
