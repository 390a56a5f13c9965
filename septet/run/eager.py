"""Evaluation on demand: computes the pending nodes that a value needs, in one go.

Afterwards a node that nobody needs to differentiate settles (it becomes a constant and forgets how it was made), so a
program that runs for days does not grow; a tracked node keeps its value and its inputs for as long as someone holds it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Any

from septet.backends.reference.kernels import computer
from septet.backends.reference.program import run_graph
from septet.base.watch import EVALUATE, span
from septet.graph.context import SPENT, TRACKED
from septet.graph.graph import order
from septet.graph.node import SYMBOL, VARIABLE, Node
from septet.graph.op import ELEMENTWISE, ITEM, MOVEMENT
from septet.graph.pending import set_evaluator, wanted
from septet.run import tiers
from septet.tensor.tensor import Tensor, traced_error

_lock = threading.RLock()


def _is_known(node: Node) -> bool:
    return node.value is not None


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
        along = [node for node in wanted if node.value is None and node not in targets]
        wanted.clear()
        if not (along and _try_to_run([*targets, *along], keep_tracked)):
            _run(targets, keep_tracked)


def evaluate_assigned() -> None:
    """Compute the pending values of variables, and along with them what was wanted before these were assigned."""
    with _lock:
        assigned = [node for node in wanted if node.value is None and node.op is VARIABLE]
        if not assigned:
            return
        last = max([node.serial for node in assigned])
        along = [node for node in wanted if node.value is None and node.op is not VARIABLE and node.serial < last]
        for node in (*assigned, *along):
            wanted.discard(node)
        if not (along and _try_to_run([*assigned, *along], True)):
            _run(assigned, True)


def _try_to_run(targets: Sequence[Node], keep_tracked: bool) -> bool:
    """Compute what was asked for and what goes along; False where that failed.

    An error of what goes along is nobody's business who did not ask for it: it is raised when somebody does.
    """
    try:
        _run(targets, keep_tracked)
    except Exception:
        return False
    return True


def evaluate_tensors(*tensors: Tensor) -> None:
    """Compute the values of some tensors now, together, in one program.

    Nothing needs this for correct results: it says when work is done, as for timing.

    Parameters
    ----------
    *tensors : Tensor

    Raises
    ------
    TracedValueError
        If a tensor depends on a symbol.
    """
    evaluate(*[tensor.node for tensor in tensors])


def _run(targets: Sequence[Node], keep_tracked: bool) -> None:
    nodes = order(targets, stop=_is_known)
    uses = _count_uses(nodes)
    asked = set(targets)
    kept: set[Node] = set()
    for node in nodes:
        if node.value is not None:
            continue
        if node in asked or (keep_tracked and _is_for_backward(node)) or _held_elsewhere(node, uses[node]):
            kept.add(node)
    with span(EVALUATE, "define by run"):
        if tiers.run(nodes, kept):
            computed = [node for node in nodes if node in kept]
        else:
            computed = _interpret(nodes, uses, kept)
    for node in computed:
        if node in kept and not node.flags & TRACKED and node.op is not VARIABLE:
            node.settle(node.value)
        elif node.op is VARIABLE:
            node.inputs = ()
    # what was neither kept nor freed in the loop had no user left: it goes with the list


def _count_uses(nodes: Sequence[Node]) -> dict[Node, int]:
    """Count the inputs that each node is, in a function of its own: a name left over would hold the last of them."""
    uses = dict.fromkeys(nodes, 0)
    for node in nodes:
        if node.value is None:
            for source in node.inputs:
                uses[source] += 1
    return uses


def _interpret(nodes: Sequence[Node], uses: dict[Node, int], kept: set[Node]) -> list[Node]:
    """Compute node by node, and drop what nobody keeps when its last user has it; return all that were computed."""
    computed: list[Node] = []
    compute = computer()
    try:
        for node in nodes:
            if node.value is not None:
                continue
            sources = node.inputs
            if node.op is SYMBOL or (node.op is VARIABLE and not sources):
                raise traced_error(node, "a value was asked for that depends on a symbol")
            if node.op is ITEM:
                node.value = sources[0].value[node.params[0]]
            elif node.op is VARIABLE:
                node.value = sources[0].value
            else:
                node.value = compute(node, [source.value for source in sources], run_graph)
            computed.append(node)
            for source in sources:
                uses[source] -= 1
                if uses[source] == 0 and source not in kept and source.inputs:
                    source.value = None
    except BaseException:
        for node in computed:
            if node not in kept:
                node.value = None
        raise
    return computed


def _is_for_backward(node: Node) -> bool:
    """Tell whether a node keeps its value for a backward pass to come: where computing it again would take long."""
    return node.flags & (TRACKED | SPENT) == TRACKED and getattr(node.op, "kind", ELEMENTWISE) not in CHEAP


CHEAP = frozenset({ELEMENTWISE, MOVEMENT})


def _held_elsewhere(node: Node, uses: int) -> bool:
    """Tell whether somebody besides the graph under evaluation holds a node (a handle, a pending node)."""
    return sys.getrefcount(node) - uses > _BASE


def _measure_base() -> int:
    """Count the references that evaluation itself holds to a node, in the same way as `_held_elsewhere` sees them."""
    global _BASE
    _BASE = 0

    class Probe:
        inputs = ()

    nodes = [Probe()]
    uses: dict[Any, int] = dict.fromkeys(nodes, 0)
    for node in nodes:
        for base in range(1, 20):
            _BASE = base
            if not _held_elsewhere(node, uses[node]):  # type: ignore[arg-type]
                return base
    raise AssertionError("reference counts are not what they should be")


_BASE = 0
_measure_base()
set_evaluator(evaluate, evaluate_assigned)
