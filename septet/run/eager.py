"""Evaluation on demand: computes the pending nodes that a value needs, in one go.

Afterwards a node that nobody needs to differentiate settles (it becomes a constant and forgets how it was made), so a
program that runs for days does not grow; a tracked node keeps its value and its inputs for as long as someone holds it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Any

from septet.base import forks
from septet.base.config import config
from septet.base.errors import ArgumentError, SeptetError
from septet.base.watch import EVALUATE, span
from septet.graph.context import SPENT, TRACKED
from septet.graph.node import VARIABLE, Node
from septet.graph.pending import set_evaluator, wanted
from septet.run import tiers
from septet.run.evaluation import Evaluation, TakesLong, ValueFailure
from septet.run.walk import by_serial, is_unheld, keep_held, pending
from septet.tensor.tensor import Tensor
from septet.tensor.tree import flatten

_lock = forks.hold(threading.RLock(), forks.EVALUATIONS)


def evaluate(*roots: Node, keep_tracked: bool = True) -> None:
    """Compute the values of some nodes.

    Parameters
    ----------
    *roots : Node
    keep_tracked : bool
        Whether tracked nodes on the way keep their values for a backward pass to come.

    Raises
    ------
    TracedValueError
        If a node depends on a symbol.
    """
    with _lock:
        targets = [node for node in roots if node.value is None]
        if not targets:
            return
        along = _in_order([node for node in wanted if node.value is None and node not in targets])
        try:
            wanted.clear()
            if not (along and _try_to_run([*targets, *along], keep_tracked)):
                _run(targets, keep_tracked)
        except BaseException as error:
            _want_again(error, [*targets, *along])
            raise


def evaluate_assigned() -> None:
    """Compute the pending values of variables, and along with them what was wanted before these were assigned."""
    with _lock:
        assigned = _in_order([node for node in wanted if node.value is None and node.op is VARIABLE])
        if not assigned:
            return
        last = assigned[-1].serial
        along = _in_order(
            [node for node in wanted if node.value is None and node.op is not VARIABLE and node.serial < last]
        )
        try:
            for node in (*assigned, *along):
                wanted.discard(node)
            if not (along and _try_to_run([*assigned, *along], True)):
                _run(assigned, True)
        except BaseException as error:
            _want_again(error, [*assigned, *along])
            raise


def _want_again(error: BaseException, nodes: Sequence[Node]) -> None:
    """Leave nodes pending that Ctrl-C kept from being computed: they come along with what is asked for next."""
    if not isinstance(error, SeptetError):
        wanted.update([node for node in nodes if node.value is None])


def _in_order(nodes: list[Node]) -> list[Node]:
    """Sort nodes of a set in the order in which they were recorded: one that comes again is to be recognized."""
    nodes.sort(key=by_serial)
    return nodes


def _try_to_run(targets: Sequence[Node], keep_tracked: bool) -> bool:
    """Compute what was asked for and what goes along; False where that failed.

    An error of what goes along is nobody's business who did not ask for it: it is raised when somebody does.
    """
    try:
        _run(targets, keep_tracked)
    except (SeptetError, MemoryError):  # and not what the handler of a signal raises
        return False
    return True


def evaluate_tensors(*tensors: Any) -> None:
    """Compute the values of some tensors now, together, in one program.

    Nothing needs this for correct results: it says when work is done, as for timing.

    Parameters
    ----------
    *tensors : Tensor, or nested lists, tuples and dicts of tensors

    Raises
    ------
    ArgumentError
        If something else is among them.
    TracedValueError
        If a tensor depends on a symbol.
    """
    if all([type(tensor) is Tensor and tensor.node.value is not None for tensor in tensors]):
        return
    leaves = flatten(tensors)[0]
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise ArgumentError(
                f"evaluate takes tensors, also in lists, tuples and dicts; got {type(leaf).__name__} {leaf!r:.40}",
                hint="arrays and numbers have their values already",
            )
    evaluate(*[leaf.node for leaf in leaves])


def _run(targets: Sequence[Node], keep_tracked: bool) -> None:
    nodes, uses = pending(targets)
    kept = set(targets)
    keep_held(nodes, uses, kept, keep_tracked)
    replaced = _replaced(nodes, uses, kept)
    with span(EVALUATE, "define by run"):
        state = tiers.run(targets, nodes, kept, replaced)
        if not state and not _interpret(nodes, uses, kept, state) and not tiers.run_now(nodes, kept, replaced):
            _interpret(nodes, uses, kept, False, is_last=True)
    for node in replaced:
        node.value = None
    for node in kept:
        if node.op is VARIABLE:
            node.inputs = ()
        elif not node.flags & TRACKED:
            node.settle(node.value)


def _replaced(nodes: Sequence[Node], uses: dict[Node, int], kept: set[Node]) -> dict[Node, Node]:
    """Return the old values of variables that nobody will ask for after this evaluation, with the new ones.

    Of what reads them only nodes stay whose gradients were taken. Taking these again is an error from then on.
    """
    news = {node.params[0]: node for node in kept if node.op is VARIABLE and node.inputs}
    if not news or any([node.flags & (TRACKED | SPENT) == TRACKED and node.op is not VARIABLE for node in kept]):
        return {}
    found: dict[Node, Node] = {}
    for node in nodes:
        if node.op is VARIABLE and node.value is not None and is_unheld(node, uses):
            new = news.get(node.params[0])
            if new is not None and sys.getrefcount(node.value) == 2:  # the node, the argument
                found[node] = new
    return found


def _interpret(
    nodes: Sequence[Node], uses: dict[Node, int], kept: set[Node], state: bool | None, is_last: bool = False
) -> bool:
    """Compute a graph that is not compiled, natively where its units are; `state` is what `tiers.run` said of it.

    Return False, with nothing done, where compiling it is better, unless this is the last resort.
    """
    owned = {node.inputs[0] for node in kept if node.op is VARIABLE and node.inputs}
    is_free = config.backend == "cpu" and config.tier == "auto" and not config.check_nan
    is_native = is_free and state is False
    judge = tiers.judge(nodes, state) if is_free and not is_last else None
    try:
        Evaluation(dict(uses), kept, owned, is_native, judge).run(nodes)
    except TakesLong:
        return False
    except ValueFailure:
        Evaluation(uses, kept, owned, False).run(nodes)
    return True


set_evaluator(evaluate, evaluate_assigned)
