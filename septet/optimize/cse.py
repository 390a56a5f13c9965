"""Common subexpressions: what is computed twice from the same things is computed once.

The driver of `graph.rewrite` keeps one node for each distinct computation: the same op, the same inputs (in any
order where the op is commutative), the same parameters to the bit. What does something besides computing is never
merged, in a sub-graph neither. Random bits are a function of their state, so equal states mean equal numbers, once or
twice.

A path that `no_grad` or `stop_gradient` cut may be merged with one that is not: differentiate first, optimize
afterwards.
"""

from __future__ import annotations

from septet.graph.graph import Graph
from septet.graph.rewrite import Outcome, RuleSet, rewrite

_SET = RuleSet([])


def merge(graph: Graph) -> Outcome:
    """Compute the same thing once."""
    return rewrite(graph, _SET)
