"""Control flow: sub-graphs are optimized themselves, and lose operands, carried values and results that nobody needs.

At the top there is nothing to do: a graph holds what its roots need, by definition. An unused result of an op with
several is kept: the op computes it anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from septet.graph.assemble import apart, apply, graphs_in, has_effect
from septet.graph.graph import Graph, order
from septet.graph.node import Node
from septet.graph.op import ITEM, Op
from septet.graph.rewrite import Outcome, RuleSet, rewrite

_NOTHING = RuleSet([])


def with_sub_graphs(graph: Graph, change: Callable[[Graph], Graph]) -> Outcome:
    """Apply a function to every sub-graph in the parameters of a graph's nodes, and cut off what is not needed."""
    if not any(isinstance(node.op, Op) and node.op.is_higher_order for node in graph.nodes):
        return Outcome(graph, {}, True)
    fired: dict[str, int] = {}
    changed: dict[int, tuple[Graph, Graph]] = {}

    def once(sub: Graph) -> Graph:
        if id(sub) not in changed:
            changed[id(sub)] = sub, change(sub)
        return changed[id(sub)][1]

    wanted: dict[Node, set[int]] = {}  # node with several results -> the results that are used
    for node in graph.nodes:
        if node.op is ITEM:
            wanted.setdefault(node.inputs[0], set()).add(node.params[0])
    roots = set(graph.roots)
    moved: dict[Node, Node] = {}
    places: dict[Node, dict[int, int]] = {}  # node -> where its results went
    with apart():
        for node in graph.nodes:
            inputs = tuple([moved[source] for source in node.inputs]) if isinstance(node.op, Op) else node.inputs
            if isinstance(node.op, Op) and node.op.is_higher_order and graphs_in(node.params):
                params = tuple([_mapped(value, once) for value in node.params])
                trim = None if has_effect(node) or node in roots else _TRIMS.get(node.op.name)
                kept = sorted(wanted.get(node, ()))
                results = list(range(len(node.type)))
                if trim is not None and kept:
                    inputs, params, results = trim(node, inputs, params, kept)
                if params == node.params and inputs == node.inputs:
                    moved[node] = node
                    continue
                fired["trim" if len(results) < len(node.type) else "sub_graph"] = (
                    fired.get("trim" if len(results) < len(node.type) else "sub_graph", 0) + 1
                )
                fresh = apply(node.op, inputs, params, node.source, node.layers, node.flags)
                moved[node] = fresh
                places[node] = {old: new for new, old in enumerate(results)}
            elif node.op is ITEM and node.inputs[0] in places:
                index = places[node.inputs[0]][node.params[0]]
                moved[node] = apply(ITEM, inputs, (index,), node.source, node.layers, node.flags)
            elif inputs == node.inputs:
                moved[node] = node
            else:
                moved[node] = apply(node.op, inputs, node.params, node.source, node.layers, node.flags)
    if all(moved[node] is node for node in graph.roots):
        return Outcome(graph, {}, True)
    n_out, n_up = len(graph.outputs), len(graph.updates)
    found = [moved[node] for node in graph.roots]
    fresh_graph = graph.with_roots(found[:n_out], found[n_out : n_out + n_up], found[n_out + n_up :])
    return Outcome(rewrite(fresh_graph, _NOTHING).graph, fired, True)


def _mapped(value: object, change: Callable[[Graph], Graph]) -> object:
    if isinstance(value, Graph):
        return change(value)
    if isinstance(value, tuple):
        return tuple([_mapped(part, change) for part in value])
    return value


def _used_inputs(graphs: Sequence[Graph]) -> set[int]:
    """The positions of the inputs that some of the graphs need."""
    used: set[int] = set()
    for graph in graphs:
        nodes = set(graph.nodes)
        used |= {position for position, node in enumerate(graph.inputs) if node in nodes}
    return used


def _cut(graph: Graph, inputs: Sequence[int], outputs: Sequence[int]) -> Graph:
    """Return a graph with some of its inputs and outputs."""
    return Graph(
        [graph.inputs[i] for i in inputs], [graph.outputs[i] for i in outputs], graph.updates, graph.effects, graph.name
    )


_Trimmed = tuple[tuple[Node, ...], tuple[object, ...], list[int]]


def _trim_call(node: Node, inputs: tuple[Node, ...], params: tuple, kept: list[int]) -> _Trimmed:
    (graph,) = params
    smaller = _cut(graph, range(len(graph.inputs)), kept)
    used = sorted(_used_inputs([smaller])) or list(range(min(1, len(inputs))))
    return tuple([inputs[i] for i in used]), (_cut(smaller, used, range(len(kept))),), kept


def _trim_cond(node: Node, inputs: tuple[Node, ...], params: tuple, kept: list[int]) -> _Trimmed:
    both = [_cut(graph, range(len(graph.inputs)), kept) for graph in params]
    used = sorted(_used_inputs(both))
    graphs = tuple([_cut(graph, used, range(len(kept))) for graph in both])
    return (inputs[0], *[inputs[i + 1] for i in used]), graphs, kept


def _trim_scan(node: Node, inputs: tuple[Node, ...], params: tuple, kept: list[int]) -> _Trimmed:
    body, carries, sequences, length, reverse = params
    size = len(body.inputs)
    results = [i for i in kept if i >= carries]
    live = {i for i in kept if i < carries}
    while True:  # a carried value is needed if its last one is asked for, or if the step uses it for what is needed
        needed = set(order([body.outputs[i] for i in (*sorted(live), *results)]))
        grown = live | {i for i in range(carries) if body.inputs[i] in needed}
        if grown == live:
            break
        live = grown
    carried = sorted(live)
    if length is None and sequences == 0:
        return inputs, params, list(range(len(node.type)))  # the length comes as an operand behind the constants
    steps = [i for i in range(carries, carries + sequences) if body.inputs[i] in needed]
    if length is None and not steps:
        steps = [carries]  # one sequence must stay: it has the length
    fixed = [i for i in range(carries + sequences, size) if body.inputs[i] in needed]
    own = [*carried, *steps, *fixed]
    outputs = [*carried, *results]
    if len(own) == size and len(outputs) == len(body.outputs):
        return inputs, params, list(range(len(node.type)))
    fresh = _cut(body, own, outputs)
    return tuple([inputs[i] for i in own]), (fresh, len(carried), len(steps), length, reverse), outputs


def _trim_while(node: Node, inputs: tuple[Node, ...], params: tuple, kept: list[int]) -> _Trimmed:
    condition, body, carries = params
    live = set(kept) | {i for i in _used_inputs([condition]) if i < carries}
    while True:
        needed = set(order([body.outputs[i] for i in sorted(live)]))
        grown = live | {i for i in range(carries) if body.inputs[i] in needed}
        if grown == live:
            break
        live = grown
    carried = sorted(live)
    asked = _used_inputs([condition])
    fixed = [i for i in range(carries, len(body.inputs)) if body.inputs[i] in needed or i in asked]
    own = [*carried, *fixed]
    if len(own) == len(body.inputs):
        return inputs, params, list(range(len(node.type)))
    step, test = _cut(body, own, carried), _cut(condition, own, [0])
    return tuple([inputs[i] for i in own]), (test, step, len(carried)), carried


_TRIMS = {"call": _trim_call, "cond": _trim_cond, "scan": _trim_scan, "while_loop": _trim_while}
