"""What is recorded and not yet computed: who computes it, and what must not wait until somebody asks."""

from __future__ import annotations

import weakref
from collections.abc import Callable

from septet.base.config import config
from septet.base.errors import SeptetError
from septet.base.source import source_text
from septet.graph.context import SYMBOLIC, context
from septet.graph.node import Node

_evaluate: list[Callable[[Node], None]] = []  # set by the evaluator: computes a node at once
_evaluate_assigned: list[Callable[[], None]] = []  # set by the evaluator: see `evaluate_assigned`
_noise = 0  # the state of a small generator of our own, see `_pace`

wanted: weakref.WeakSet[Node] = weakref.WeakSet()
"""Pending nodes that somebody will most likely ask for (losses that were differentiated, metrics, new values of
variables): they are computed along with the next request."""


def want(node: Node) -> Node:
    """Say that a node will most likely be asked for, and return it: while a graph is traced that has no meaning."""
    if context.trace is None and node.value is None and not node.flags & SYMBOLIC:
        wanted.add(node)
    return node


def set_evaluator(evaluate: Callable[[Node], None], assigned: Callable[[], None]) -> None:
    """Tell the recorder how to compute a node at once (for ops with effects, and for the limit of pending nodes), and
    all pending values of variables."""
    _evaluate[:] = [evaluate]
    _evaluate_assigned[:] = [assigned]


def evaluate_assigned() -> None:
    """Compute what variables were assigned to, and what was wanted before: a step ends where the next begins."""
    _evaluate_assigned[0]()


def evaluate(node: Node) -> None:
    """Compute a node's value now."""
    _evaluate[0](node)


def after(node: Node) -> None:
    """Evaluate what must not wait: effects, results whose shape depends on data, a graph past its limit."""
    if node.serial >= context.limit:
        first = context.limit == 0
        context.limit = node.serial + _pace(config.record_limit)
        if first and not node.op.is_immediate:
            return
    if node.op.has_effect and context.trace is not None:
        context.trace.effects.append(node)
        node.flags |= SYMBOLIC  # it happens when the graph runs, even if nothing in it depends on a symbol
        return
    if _evaluate and not node.flags & SYMBOLIC:
        if node.op.is_immediate:
            _evaluate[0](node)
            node.learn_sizes()
        elif node.op.has_effect or _depends_on(node, config.record_limit // 2):
            _evaluate_pending(node)


def _depends_on(node: Node, count: int) -> bool:
    """Tell whether at least so many pending nodes are computed with a node, itself among them.

    Where they are few, the node belongs to a graph that was begun not long ago and will be asked for as a whole: a
    training step that is cut in two would be computed by other programs than the steps before.
    """
    seen = {node}
    stack = [node]
    while stack and len(seen) < count:
        for source in stack.pop().inputs:
            if source.value is None and source not in seen:
                seen.add(source)
                stack.append(source)
    return len(seen) >= count


def _pace(most: int) -> int:
    """Return how many nodes to record before the next one is evaluated by itself: the most, or up to a quarter less.

    At a fixed pace a loop could meet with the same of its operations each time, one that leads to nothing else, and
    what it adds up on the side would be pending for ever.
    """
    global _noise
    _noise = (_noise * 6364136223846793005 + 1442695040888963407) % 2**64  # Knuth's generator for MMIX
    return most - (_noise >> 32) * most // 2**34


def _evaluate_pending(node: Node) -> None:
    """Evaluate a node because many are pending; an error of an older one also says where it was found."""
    try:
        _evaluate[0](node)
    except SeptetError as error:
        place = source_text(node.source)
        if place and place not in str(error):
            error.add_note(f"  found when many operations were pending (the setting record_limit), at {place}")
        raise
