"""Branches: what only one branch of a `cond` needs is computed in it, so it costs nothing where the other one runs.

This comes last: inside of loops, what depends on nothing that changes has been moved out of the body by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from septet.graph.assemble import apart, apply, graphs_in, has_effect
from septet.graph.graph import Graph, substitute
from septet.graph.node import CONSTANT, Node, symbol
from septet.graph.op import ITEM, Op
from septet.graph.rewrite import Outcome, RuleSet, rewrite


class Home(NamedTuple):
    """The branch of a `cond` that a node is moved into."""

    cond: Node
    branch: int


def move_into_branches(graph: Graph) -> Outcome:
    """Move nodes into the branches of `cond` that alone use them, also in the graphs inside of nodes."""
    fired: dict[str, int] = {}
    with apart():
        found = _moved(graph, fired, {})
    return Outcome(graph, {}, True) if found is graph else Outcome(found, fired, True)


def _moved(graph: Graph, fired: dict[str, int], known: dict[int, tuple[Graph, Graph]]) -> Graph:
    """Return a graph with its nodes in their homes, or the same one where none has a home."""
    if not any(isinstance(node.op, Op) and node.op.is_higher_order for node in graph.nodes):
        return graph

    def inner(sub: Graph) -> Graph:
        if id(sub) not in known:
            known[id(sub)] = sub, _moved(sub, fired, known)
        return known[id(sub)][1]

    homes = _homes(graph)
    members: dict[Node, dict[Node, Home]] = {}
    for node, home in homes.items():
        members.setdefault(home.cond, {})[node] = home
    moved: dict[Node, Node] = {}
    for node in graph.nodes:
        if node in homes:
            continue
        if not isinstance(node.op, Op):
            moved[node] = node
            continue
        inputs, params = node.inputs, node.params
        if node in members:
            inputs, params = _filled(node, members[node])
            fired["branch"] = fired.get("branch", 0) + len(members[node])
        if node.op.is_higher_order and graphs_in(params):
            params = tuple([inner(value) if isinstance(value, Graph) else value for value in params])
        inputs = tuple([moved[source] for source in inputs])
        if inputs == node.inputs and all(a is b for a, b in zip(params, node.params, strict=True)):
            moved[node] = node
        else:
            moved[node] = apply(node.op, inputs, params, node.source, node.layers, node.flags)
    if all(moved[node] is node for node in graph.roots):
        return graph
    n_out, n_up = len(graph.outputs), len(graph.updates)
    roots = [moved[node] for node in graph.roots]
    fresh = graph.with_roots(roots[:n_out], roots[n_out : n_out + n_up], roots[n_out + n_up :])
    return rewrite(fresh, RuleSet([])).graph


def _homes(graph: Graph) -> dict[Node, Home]:
    """Return the branches that nodes are moved into: those that all that uses them is in."""
    only: dict[Node, dict[Node, int | None]] = {}  # cond -> operand -> the branch that alone uses it
    users: dict[Node, list[Node]] = {}
    for node in graph.nodes:
        if not isinstance(node.op, Op):
            continue
        for source in node.inputs:
            users.setdefault(source, []).append(node)
        if node.op.name == "cond" and not has_effect(node):
            only[node] = _single_users(node)
    if not only:
        return {}
    roots = set(graph.roots)
    homes: dict[Node, Home] = {}
    for node in reversed(graph.nodes):
        if not isinstance(node.op, Op) or node in roots or has_effect(node):
            continue
        found = {_home_in(user, node, homes, only) for user in users.get(node, ())}
        if len(found) == 1 and (home := found.pop()) is not None:
            homes[node] = home
    for node in graph.nodes:  # one of several results is selected where they are computed
        if node.op is ITEM and homes.get(node) != homes.get(node.inputs[0]):
            homes.pop(node, None)
    return homes


def _home_in(
    user: Node, node: Node, homes: Mapping[Node, Home], only: Mapping[Node, Mapping[Node, int | None]]
) -> Home | None:
    if user in homes:
        return homes[user]
    branch = only[user].get(node) if user in only else None
    return None if branch is None else Home(user, branch)


def _single_users(cond: Node) -> dict[Node, int | None]:
    """Return which branch alone uses an operand; None for both, and for the predicate."""
    found: dict[Node, int | None] = {}
    for branch, graph in enumerate(graphs_in(cond.params)):
        used = set(graph.nodes)
        for operand, own in zip(cond.inputs[1:], graph.inputs, strict=True):
            if own in used:
                found[operand] = None if found.get(operand, branch) != branch else branch
    found[cond.inputs[0]] = None
    return found


def _filled(cond: Node, members: Mapping[Node, Home]) -> tuple[tuple[Node, ...], tuple[Graph, ...]]:
    """Return the inputs and the graphs of a `cond` with nodes moved into its branches."""
    operands = dict.fromkeys(source for source in cond.inputs[1:] if source not in members)
    for node in members:
        operands |= dict.fromkeys(s for s in node.inputs if s not in members and s.op is not CONSTANT)
    graphs = []
    for branch, graph in enumerate(graphs_in(cond.params)):
        inner = {operand: symbol(operand.tensor_type) for operand in operands}
        wanted = [source for source in cond.inputs[1:] if source in members and members[source].branch == branch]
        computed = dict(zip(wanted, substitute(wanted, inner), strict=True))
        places = {
            own: inner[operand] if operand in inner else computed[operand]
            for operand, own in zip(cond.inputs[1:], graph.inputs, strict=True)
            if operand in inner or operand in computed
        }
        outputs = substitute(graph.outputs, places)
        graphs.append(Graph(list(inner.values()), outputs, name=graph.name))
    return (cond.inputs[0], *operands), tuple(graphs)
