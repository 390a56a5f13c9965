"""Sub-graphs are optimized and lose what nobody needs."""

from __future__ import annotations

import numpy as np
import pytest

from septet.base.config import config
from septet.graph.graph import Graph
from septet.graph.op import items, ops
from septet.ops.control import record_scan
from septet.optimize.pipeline import PASSES, optimize
from tests.optimize.support import draw, names, run, sym


@pytest.fixture(autouse=True)
def _verified():
    with config.override(verify=True):
        yield


def find(graph, name):
    return next(node for node in graph.nodes if node.op.name == name)


def check(graph):
    """Optimize a graph, but for the pass that changes loops, compare the results, and return it."""
    found = optimize(graph, [own for own in PASSES if own.name != "loops"])
    arrays = draw(graph)
    for a, b in zip(run(graph, arrays), run(found, arrays), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12)
    return found


def scan_graph(outputs, *, unknown=False, reverse=False):
    """carry sum, carry product (unused by the others), a step result and another one."""
    total, product, element, factor, idle = sym(), sym(), sym(), sym(), sym()
    body = Graph(
        [total, product, element, factor, idle],
        [total + element * 1.0, product * element, ops.log(ops.exp(total)) * factor, ops.sin(element)],
        name="step",
    )
    a, b, xs, f, i = sym(name="a"), sym(name="b"), sym(None if unknown else 5, name="xs"), sym(name="f"), sym(name="i")
    found = record_scan([a, b], [xs], [f, i], body, None, reverse)
    return Graph([a, b, xs, f, i], [found[index] for index in outputs])


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("outputs", "carries", "operands", "results"),
    [((0, 1, 2, 3), 2, 4, 4), ((0,), 1, 2, 1), ((1,), 1, 2, 1), ((2,), 1, 3, 2), ((3,), 0, 1, 1), ((0, 3), 1, 2, 2)],
)
def test_scans_lose_what_nobody_needs(outputs, carries, operands, results, unknown, reverse):
    found = check(scan_graph(outputs, unknown=unknown, reverse=reverse))
    node = find(found, "scan")
    assert node.param("carries") == carries and len(node.inputs) == operands and len(node.type) == results
    assert ("exp" not in names(node.param("body")) and "multiply" not in names(node.param("body"))) or outputs != (0,)


def test_the_sequence_that_has_the_length_stays():
    carry, element = sym(), sym()
    body = Graph([carry, element], [carry * 2.0])
    a, xs = sym(name="a"), sym(None, name="xs")
    found = check(Graph([a, xs], list(record_scan([a], [xs], [], body, None, False))))
    assert find(found, "scan").param("sequences") == 1
    ys = sym(4, name="ys")
    found = check(Graph([a, ys], list(record_scan([a], [ys], [], body, None, False))))
    assert find(found, "scan").param("sequences") == 0 and find(found, "scan").param("length") == 4


def test_branches_are_optimized_and_trimmed():
    x, y = sym(3), sym(3)
    then = Graph([x, y], [ops.exp(x) - 1, y * 1.0])
    u, v = sym(3), sym(3)
    other = Graph([u, v], [u + ops.sin(u) * ops.sin(u), ops.negative(v)])
    p, a, b = sym(name="p", dtype="bool"), sym(3, name="a"), sym(3, name="b")
    results = items(ops.cond(p, a, b, then_graph=then, else_graph=other))
    both = find(check(Graph([p, a, b], list(results))), "cond")
    assert names(both.param("then_graph")) == ["expm1"] and names(both.param("else_graph")).count("sin") == 1
    first = find(check(Graph([p, a, b], [results[0]])), "cond")
    assert len(first.inputs) == 2 and len(first.type) == 1


def test_loops_are_optimized_and_trimmed():
    n, x, idle = sym(dtype="int64"), sym(3), sym(3)
    body = Graph([n, x, idle], [n - 1, x * 1.0 + 0.5, idle * 2.0])
    m, y, z = sym(dtype="int64"), sym(3), sym(3)
    condition = Graph([m, y, z], [m > 0])
    operands = [sym(dtype="int64", name="n"), sym(3, name="x"), sym(3, name="idle")]
    results = items(ops.while_loop(*operands, condition=condition, body=body, carries=3))
    found = find(check(Graph(operands, [results[1]])), "while_loop")
    assert found.param("carries") == 2 and names(found.param("body")) == ["add", "subtract"]


def test_calls_are_optimized_and_trimmed_but_stay_calls():
    x, c = sym(3), sym()
    graph = Graph([x, c], [ops.log(ops.exp(x)) * 2.0, x * c])
    a, b = sym(3, name="a"), sym(name="b")
    results = items(ops.call(a, b, graph=graph))
    found = find(check(Graph([a, b], [results[0]])), "call")
    assert len(found.inputs) == 1 and names(found.param("graph")) == ["multiply"]


def test_nested_control_flow():
    x, c = sym(3), sym()
    inner = Graph([x, c], [x * c * 1.0, ops.exp(x)], name="inner")
    carry, element = sym(3), sym()
    body = Graph([carry, element], [items(ops.call(carry, element, graph=inner))[0]], name="outer")
    a, xs = sym(3, name="a"), sym(4, name="xs")
    found = check(Graph([a, xs], list(record_scan([a], [xs], [], body, None, False))))
    call = find(find(found, "scan").param("body"), "call")
    assert names(call.param("graph")) == ["multiply"] and len(call.type) == 1


def test_effects_in_sub_graphs_stay(capsys):
    from septet.tensor.trace import Trace

    x = sym()
    with Trace() as trace:
        shown = ops.print_value(x, text="in {}\n")
    graph = trace.graph([x], [shown, x * 2.0])
    a = sym(name="a")
    one, two = (items(ops.call(a, graph=graph)) for _ in range(2))
    found = optimize(Graph([a], [one[1], two[1]]))
    assert names(found).count("call") == 2
    run(found, [np.array(1.0)])
    assert capsys.readouterr().out == "in 1.0\nin 1.0\n"
