"""Constant folding: what depends on constants only is computed now, by the reference of its card."""

from __future__ import annotations

from septet.base.errors import SeptetError
from septet.graph.graph import Graph
from septet.graph.node import Node, constant
from septet.graph.reference import compute
from septet.graph.rewrite import Match, Outcome, P, Rule, RuleSet, rewrite
from septet.graph.types import TensorType

LIMIT = 4096  # elements of a result beyond which it is folded only where it is no larger than what it is made of
LARGEST = 1 << 22  # elements beyond which nothing is folded: making a program must stay quick
_REPEATS = frozenset({"broadcast_to"})  # kept as they are: a repeated number costs nothing until it is used


def _no_sub_graphs(*_: object) -> None:
    raise AssertionError("ops that hold graphs are not folded")


def _fold(m: Match) -> Node | None:
    node = m.root
    op = node.op
    inputs = node.inputs
    if not inputs:
        return None
    if op.has_effect or op.is_immediate or op.is_higher_order or op.name in ("callback", *_REPEATS):
        return None
    if not isinstance(node.type, TensorType) or not node.type.is_known:
        return None
    size = node.type.size
    given = sum(source.type.size for source in inputs if isinstance(source.type, TensorType))
    if size > LARGEST or (size > LIMIT and size > given):
        return None
    try:
        value = compute(node, [source.value for source in inputs], _no_sub_graphs)
    except SeptetError:
        return None  # the values break a rule: the error belongs to the run
    if value.shape != node.shape:
        return None
    return constant(value.copy() if value.base is not None else value, source=node.source)


FOLD = Rule("fold_constants", P("*"), _fold, "it depends on constants only, so it is a constant", of_constants=True)

_SET = RuleSet([FOLD])


def fold_constants(graph: Graph) -> Outcome:
    """Compute what depends on constants only."""
    return rewrite(graph, _SET)
