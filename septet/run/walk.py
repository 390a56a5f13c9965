"""Walks over the pending nodes of define-by-run code, which each evaluation begins with.

What is written here in Python says what they do; when code is hot, native functions do it (see `run.recorder`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from septet.graph.context import SPENT, TRACKED
from septet.graph.node import COMMON, CONSTANT, SYMBOL, VARIABLE, Node
from septet.graph.op import ELEMENTWISE, ITEM, MOVEMENT

CHEAP = frozenset({ELEMENTWISE, MOVEMENT})
"""Kinds of ops whose results are computed again for a backward pass, rather than kept."""

by_serial = attrgetter("serial")


def pending(targets: Sequence[Node]) -> tuple[list[Node], dict[Node, int]]:
    """Return the pending nodes that some nodes depend on and the known ones that these read, inputs before users; and
    how often each is an input of a pending one."""
    uses: dict[Node, int] = dict.fromkeys(targets, 0)
    nodes = list(uses)
    _collect(nodes, uses)
    nodes.sort(key=by_serial)
    return nodes, uses


def _collect_in_python(nodes: list[Node], uses: dict[Node, int]) -> None:
    for node in nodes:  # which grows on the way
        if node.value is None:
            for source in node.inputs:
                if source in uses:
                    uses[source] += 1
                else:
                    uses[source] = 1
                    nodes.append(source)


def keep_held(nodes: list[Node], uses: dict[Node, int], kept: set[Node], with_tracked: bool) -> None:
    """Add to the nodes to keep those that somebody else holds.

    Parameters
    ----------
    nodes, uses
        What `pending` returned.
    kept : set of Node
    with_tracked : bool
        Whether also to keep what a backward pass to come will ask for, where computing it again would take long.
    """
    _keep_held(nodes, uses, kept, _own, with_tracked)


def _keep_held_in_python(
    nodes: list[Node], uses: dict[Node, int], kept: set[Node], own: int, with_tracked: bool
) -> None:
    for node in nodes:
        if node.value is None and (
            sys.getrefcount(node) - uses[node] > own or (with_tracked and _is_for_backward(node))
        ):
            kept.add(node)


def _is_for_backward(node: Node) -> bool:
    return node.flags & (TRACKED | SPENT) == TRACKED and getattr(node.op, "kind", ELEMENTWISE) not in CHEAP


def is_unheld(node: Node, uses: dict[Node, int]) -> bool:
    """Tell whether nobody but a walk, one variable of the caller, and users that are pending hold a node."""
    return sys.getrefcount(node) - uses[node] == _own_in_python + 1


def number_of(node: Node) -> bytes | None:
    """Return what tells a leaf that stays a number in a compiled graph from others, or None for an input."""
    value = node.value
    if node.op is not CONSTANT or value.ndim or node.flags:
        return None
    if value.dtype.kind in "fc" and value.item() not in COMMON:
        return None
    return value.tobytes()


def signature(nodes: list[Node], kept: set[Node]) -> tuple[Any, list[Node]] | None:
    """Return what tells graphs apart that need different programs, and the leaves that are inputs of it.

    None where a graph has no value, because it depends on a symbol.
    """
    flat: list[Any] = []
    leaves: list[Node] = []
    numbers: dict[Node, int] = {}
    if not _sign(nodes, flat, leaves, numbers):
        return None
    flat += sorted([numbers[node] for node in kept])
    return tuple(flat), leaves


def _sign_in_python(nodes: list[Node], flat: list[Any], leaves: list[Node], numbers: dict[Node, int]) -> bool:
    for node in nodes:
        if node.value is not None:
            continue
        inputs = node.inputs
        if node.op is ITEM and inputs[0].value is not None:
            leaves.append(node)
            flat.append(node.type)
        elif not inputs and (node.op is SYMBOL or node.op is VARIABLE):
            return False
        else:
            flat.append(node.key)
            for source in inputs:
                if source not in numbers:
                    _sign_known(source, flat, leaves)
                    numbers[source] = len(numbers)
                flat.append(numbers[source])
        numbers[node] = len(numbers)
    return True


def _sign_known(node: Node, flat: list[Any], leaves: list[Node]) -> None:
    """Describe a leaf where it is first used: the order in which leaves were made is another one in the first steps of
    a loop than later, when all variables have been assigned."""
    if type(node.value) is tuple:
        flat.append(None)
        return
    number = number_of(node)
    flat.append(node.type)
    if number is None:
        leaves.append(node)
    else:
        flat.append(number)


def _measure() -> int:
    """Count the references to a node that a walk in Python itself holds: the list, the dict, its variable, the call."""

    class Probe:
        value = None
        inputs = ()
        serial = 0

    nodes, uses = pending([Probe()])  # type: ignore[list-item]
    for node in nodes:
        return sys.getrefcount(node) - uses[node]
    raise AssertionError("the probe is gone")


_collect: Any = _collect_in_python
_keep_held: Any = _keep_held_in_python
_sign: Any = _sign_in_python
_own_in_python = _own = _measure()


def use(collect: Any = _collect_in_python, keep: Any = _keep_held_in_python, sign: Any = _sign_in_python) -> None:
    """Have the parts of the walks done by other functions; without arguments, in Python."""
    global _collect, _keep_held, _sign, _own
    _collect, _keep_held, _sign = collect, keep, sign
    _own = _own_in_python if keep is _keep_held_in_python else 2  # the list, the dict
