"""Every rule about loops fires on an example, does not fire on a near miss, and changes no result."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from septet.base.config import config
from septet.graph.graph import Graph
from septet.graph.node import Node, constant
from septet.graph.op import items, ops
from septet.ops.control import record_scan
from septet.ops.shaping import broadcast_to, sizes_of, transpose
from septet.optimize import loop_reads
from septet.optimize.loops import RULES, improve
from septet.optimize.pipeline import optimize
from tests.optimize.support import draw, graph_of, names, run, sym


@pytest.fixture(autouse=True)
def _verified():
    with config.override(verify=True):
        yield


Step = Callable[..., tuple[list[Node], list[Node]]]


def scan(
    step: Step, initial: list[Node], sequences: list[Node], constants: list[Node], wanted=None, *, length=None,
    reverse=False,
) -> list[Node]:  # fmt: skip
    """Record a scan of ``step(carried, elements, constants) -> (after, results)``; return the wanted results."""
    inner = [sym(*node.shape, dtype=node.dtype) for node in initial]
    elements = [sym(*node.shape[1:], dtype=node.dtype) for node in sequences]
    fixed = [sym(*node.shape, dtype=node.dtype) for node in constants]
    after, results = step(inner, elements, fixed)
    body = Graph([*inner, *elements, *fixed], [*after, *results], name="step")
    found = record_scan(initial, sequences, constants, body, length, reverse)
    return list(found) if wanted is None else [found[i] for i in wanted]


def matmul(a: Node, b: Node) -> Node:
    return ops.dot_general(a, b, contracting=((1,), (0,)))


H = lambda: sym(2, 3, name="h")
XS = lambda: sym(4, 2, 3, name="xs")
W = lambda: sym(3, 3, name="w")


def recurrent(c, x, k):
    """h' = tanh(x W + h U)"""
    h = ops.tanh(matmul(x[0], k[0]) + matmul(c[0], k[1]))
    return [h], [h]


def with_sum(term):
    """A step that adds a term of x and h to a total."""

    def step(c, x, k):
        h = ops.tanh(c[0] + x[0])
        return [h, c[1] + term(h, x[0], k)], [h]

    return step


def outer(h, x, k):
    return ops.dot_general(h, x, contracting=((0,), (0,)))


def carried_total(term, *, shape=(3, 3), wanted=(1,), zero=False, xs=None):
    xs = XS() if xs is None else xs
    total = broadcast_to(constant(np.zeros(())), shape) if zero else sym(*shape, name="total")
    return scan(with_sum(term), [H(), total], [xs], [W()], wanted)


def used_total(c, x, k):
    total = c[1] + outer(c[0], x[0], k)
    return [ops.tanh(c[0] + x[0]), total], [ops.sum(total)]


def shared(build: Callable[..., list[Node]], *make: Callable[[], Node]) -> list[Node]:
    return build(*[own() for own in make])


def two_scans(second: Step) -> list[Node]:
    h, xs, w = H(), XS(), W()
    first: Step = lambda c, x, k: ([ops.tanh(matmul(c[0], k[0]) + x[0])], [ops.exp(c[0])])
    return [*scan(first, [h], [xs], [w]), *scan(second, [h], [xs], [w], (1,))]


def reader(step: Step, sequence=lambda found, xs: [found[1], xs]) -> list[Node]:
    """A scan over what another one has kept."""
    h, xs, w = H(), XS(), W()
    first: Step = lambda c, x, k: ([ops.tanh(matmul(c[0], k[0]) + x[0])], [c[0]])
    found = scan(first, [h], [xs], [w])
    return [found[0], *scan(step, [sym(2, 3, name="g")], sequence(found, xs), [w], (0,), reverse=True)]


def again(c, x, k):
    return [c[0] * (matmul(x[0], k[0]) + x[1])], []


def while_loop(body, condition=lambda c, k: c[0] > 0, constants=1):
    own = [sym(dtype="int64"), sym(3)]
    fixed = [sym(3) for _ in range(constants)]
    inner = Graph([*own, *fixed], body(own, fixed))
    test_own, test_fixed = [sym(dtype="int64"), sym(3)], [sym(3) for _ in range(constants)]
    test = Graph([*test_own, *test_fixed], [condition(test_own, test_fixed)])
    operands = [sym(dtype="int64", name="n"), sym(3, name="x"), *[sym(3, name=f"k{i}") for i in range(constants)]]
    return list(items(ops.while_loop(*operands, condition=test, body=inner, carries=2)))


# rule: (examples on which it fires, near misses on which it does not)
TABLE: dict[str, tuple[list[list[Node]], list[list[Node]]]] = {
    "join": (
        [two_scans(lambda c, x, k: ([ops.tanh(x[0] + matmul(c[0], k[0]))], [c[0] * 2.0]))],
        [two_scans(lambda c, x, k: ([ops.tanh(x[0] - matmul(c[0], k[0]))], [c[0] * 2.0]))],
    ),
    "no_steps": (
        [scan(lambda c, x, k: ([c[0] * x[0]], [c[0]]), [sym(3, name="h")], [sym(0, 3, name="xs")], [])],
        [scan(lambda c, x, k: ([c[0] * x[0]], [c[0]]), [sym(3, name="h")], [sym(None, 3, name="xs")], [])],
    ),
    "one_step": (
        [scan(lambda c, x, k: ([c[0] * x[0]], [c[0] * k[0]]), [H()], [sym(1, 2, 3, name="xs")], [sym(3, name="k")]),
         scan(lambda c, x, k: ([ops.exp(c[0])], [c[0]]), [H()], [], [], length=1)],
        [scan(lambda c, x, k: ([c[0] * x[0]], [c[0]]), [H()], [sym(2, 2, 3, name="xs")], [])],
    ),
    "unchanged_carry": (
        [scan(lambda c, x, k: ([c[0], c[1] * c[0] + x[0]], [c[1]]), [H(), sym(2, 3, name="g")], [XS()], []),
         while_loop(lambda c, k: [c[0] - 1, c[1]])],
        [scan(lambda c, x, k: ([c[1], c[0] + x[0]], [c[1]]), [H(), sym(2, 3, name="g")], [XS()], []),
         while_loop(lambda c, k: [c[0] - 1, c[1] + k[0]])],
    ),
    "equal_operand": (
        [shared(lambda h, xs: scan(lambda c, x, k: ([c[0] * x[0] + x[1]], []), [h], [xs, xs], []), H, XS),
         shared(lambda h, w: scan(lambda c, x, k: ([c[0] * k[0] + k[1]], []), [h], [], [w, w], length=3), H, H)],
        [shared(lambda h, xs: scan(lambda c, x, k: ([c[0] * x[0] + x[1]], []), [h], [xs, -xs], []), H, XS)],
    ),
    "constant_operand": (
        [scan(lambda c, x, k: ([c[0] * k[0] + x[0]], []), [H()], [XS()], [constant(np.array(2.0))]),
         scan(lambda c, x, k: ([c[0] * x[0] + x[1]], []), [H()],
              [broadcast_to(constant(np.array(2.0)), (4, 2, 3)), XS()], [])],
        [scan(lambda c, x, k: ([c[0] * k[0] + x[0]], []), [H()], [XS()], [sym(name="k")]),
         scan(lambda c, x, k: ([c[0] * ops.sum(k[0]) + x[0]], []), [H()], [XS()], [constant(np.arange(100.0))]),
         scan(lambda c, x, k: ([c[0] * k[0]], []), [sym(None, 3)], [XS()],
              [broadcast_to(constant(np.array(2.0)), sizes_of(sym(None, 3, name="s")))])],  # its size is outside
    ),
    "repeated_sequence": (
        [scan(lambda c, x, k: ([c[0] * x[0] + x[1]], []),
              [H()], [broadcast_to(sym(2, 3, name="k"), (4, 2, 3)), XS()], []),
         scan(lambda c, x, k: ([c[0] * x[0]], []), [H()], [broadcast_to(sym(1, 2, 1, name="k"), (4, 2, 3))], [])],
        [scan(lambda c, x, k: ([c[0] * x[0]], []), [H()], [broadcast_to(sym(4, 2, 1, name="k"), (4, 2, 3))], [])],
    ),
    "known_result": (
        [scan(lambda c, x, k: ([c[0] + x[0]], [c[0], c[0]]), [H()], [XS()], []),
         scan(lambda c, x, k: ([c[0] + x[0]], [x[0]]), [H()], [XS()], []),
         scan(lambda c, x, k: ([c[0] + x[0]], [k[0], ops.exp(k[0])]), [H()], [XS()], [sym(2, name="k")])],
        [scan(lambda c, x, k: ([c[0] + x[0]], [c[0], c[0] * 2.0]), [H()], [XS()], [])],
    ),
    "read": (
        [reader(again), reader(lambda c, x, k: ([c[0] * ops.exp(matmul(x[0], k[0]) + x[1]) * matmul(x[0], k[0])], []))],
        [reader(lambda c, x, k: ([c[0] * (matmul(x[0], k[0] * 2.0) + x[1])], [])),
         reader(lambda c, x, k: ([c[0] * (x[0] + x[1])], [])),
         reader(again, lambda found, xs: [found[1] * 1.5, xs])],
    ),
    "hoist": (
        [scan(lambda c, x, k: ([matmul(c[0], matmul(k[0], k[0])) + x[0]], []), [H()], [XS()], [W()]),
         scan(lambda c, x, k: ([c[0] * ops.exp(k[0]) + x[0]], []), [H()], [XS()], [sym(3, name="k")]),
         scan(lambda c, x, k: ([c[0] * transpose(ops.tanh(k[0])) + x[0]], []), [H()], [XS()], [sym(3, 2, name="k")]),
         while_loop(lambda c, k: [c[0] - 1, c[1] * ops.exp(k[0])])],
        [scan(lambda c, x, k: ([c[0] * ops.exp(x[0]) * k[0]], []), [H()], [XS()], [sym(3, name="k")]),
         scan(lambda c, x, k: ([matmul(c[0], transpose(k[0])) + x[0]], []), [H()], [XS()], [W()]),
         scan(lambda c, x, k: ([ops.sin(c[0]) + broadcast_to(k[0], (2, 3))], []), [H()], [XS()], [sym(3, name="k")]),
         while_loop(lambda c, k: [c[0] - 1, ops.exp(c[1]) * k[0]])],
    ),
    "push_before": (
        [scan(recurrent, [H()], [XS()], [W(), sym(3, 3, name="u")]),
         scan(lambda c, x, k: ([c[0] + matmul(ops.exp(x[0]) + k[1], k[0])], []),
              [H()], [XS()], [W(), sym(3, name="b")]),
         scan(lambda c, x, k: ([c[0] + x[0]], [ops.sum(x[0] * 2.0, axis=0) * k[0]]), [H()], [XS()], [sym(3, name="b")]),
         scan(recurrent, [H()], [sym(None, 2, 3, name="xs")], [W(), sym(3, 3, name="u")], reverse=True)],
        [scan(lambda c, x, k: ([ops.tanh(matmul(c[0] + x[0], k[0]))], []), [H()], [XS()], [W()]),
         scan(lambda c, x, k: ([c[0] * ops.exp(x[0])], []), [H()], [XS()], [])],
    ),
    "push_sum_of_products": (
        [carried_total(outer), carried_total(outer, zero=True), carried_total(lambda h, x, k: outer(h, x, k) * 2.0),
         carried_total(lambda h, x, k: transpose(outer(h, ops.exp(x), k))),
         carried_total(lambda h, x, k: outer(h, x, k) - outer(x, h, k)),
         carried_total(lambda h, x, k: ops.negative(outer(h, x, k)) + ops.exp(outer(x, x, k))),
         carried_total(outer, xs=sym(None, 2, 3, name="xs"))],
        [carried_total(lambda h, x, k: ops.exp(outer(h, x, k))), carried_total(lambda h, x, k: matmul(k[0], k[0])),
         scan(used_total, [H(), sym(3, 3, name="total")], [XS()], []),
         scan(lambda c, x, k: ([c[0] * 2.0 + outer(x[0], x[0], k)], []), [sym(3, 3, name="total")], [XS()], [])],
    ),
    "push_sum": (
        [carried_total(lambda h, x, k: ops.sum(h, axis=0), shape=(3,), wanted=(1, 2)),
         carried_total(lambda h, x, k: ops.sum(x, axis=1, keepdims=True), shape=(2, 1)),
         carried_total(lambda h, x, k: x, shape=(2, 3))],
        [carried_total(lambda h, x, k: ops.sum(ops.exp(h), axis=0), shape=(3,)),
         carried_total(lambda h, x, k: ops.max(h, axis=0), shape=(3,), wanted=(1, 2))],
    ),
    "push_after": (
        [scan(lambda c, x, k: ([ops.tanh(c[0] + x[0])], [matmul(c[0], k[0])]), [H()], [XS()], [W()]),
         scan(lambda c, x, k: ([ops.tanh(c[0] + x[0])], [ops.exp(matmul(c[0] * 2.0, k[0]) + x[0]), c[0]]),
              [H()], [XS()], [W()], reverse=True),
         scan(lambda c, x, k: ([ops.tanh(c[0] + x[0])], [matmul(c[0], k[0])]), [H()],
              [sym(None, 2, 3, name="xs")], [W()])],
        [scan(lambda c, x, k: ([ops.tanh(matmul(c[0], k[0]) + x[0])], [matmul(c[0], k[0])]), [H()], [XS()], [W()]),
         scan(lambda c, x, k: ([ops.tanh(c[0] + x[0])], [ops.exp(c[0])]), [H()], [XS()], []),
         scan(lambda c, x, k: ([c[0] * 0.5], [ops.dot_general(c[0], x[0], contracting=((1,), (0,)))]),
              [sym(2, 40, name="h")], [sym(4, 40, name="xs")], [], (1,))],
    ),
}  # fmt: skip


def agree(graph: Graph, found: Graph) -> None:
    arrays = draw(graph)
    if any(node.op.name == "while_loop" for node in graph.nodes):
        arrays[0] = np.array(3)
    assert [node.type for node in found.outputs] == [node.type for node in graph.outputs]
    for a, b in zip(run(graph, arrays), run(found, arrays), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12)


def test_the_table_is_complete():
    assert set(TABLE) == set(RULES)
    assert all(fires and misses for fires, misses in TABLE.values())


def test_every_rule_has_a_reason():
    assert all(len(rule.reason) >= 8 for rule in RULES.values())


@pytest.mark.parametrize(("name", "index"), [(n, i) for n, (fires, _) in TABLE.items() for i in range(len(fires))])
def test_the_rule_fires_and_the_result_stays(name, index):
    graph = optimize(graph_of(*TABLE[name][0][index]), ["control_flow", "merge"])
    outcome = improve(graph, optimize)
    assert outcome.fired.get(name, 0) >= 1, outcome.fired
    agree(graph, outcome.graph)
    agree(graph, optimize(graph))
    once = optimize(graph)
    assert names(optimize(once)) == names(once)


@pytest.mark.parametrize(("name", "index"), [(n, i) for n, (_, misses) in TABLE.items() for i in range(len(misses))])
def test_the_rule_does_not_fire_on_a_near_miss(name, index):
    graph = optimize(graph_of(*TABLE[name][1][index]), ["control_flow", "merge"])
    outcome = improve(graph, optimize)
    assert outcome.fired.get(name, 0) == 0, outcome.fired
    agree(graph, outcome.graph)


def test_many_loops_that_begin_alike_are_compared_with_few_others(monkeypatch):
    """Layers of a network all begin with zeros; which of them could be one loop is found without trying all pairs."""
    calls = []
    monkeypatch.setattr(loop_reads, "_carries_in", lambda *pair: calls.append(pair))
    zeros, below = broadcast_to(constant(np.zeros(())), (2, 3)), XS()
    for _ in range(30):
        below = scan(recurrent, [zeros], [below], [W(), sym(3, 3, name="u")])[1]
    improve(optimize(graph_of(below), ["control_flow", "merge"]), optimize)
    assert len(calls) <= 30
