"""Gradients of loops: exact against the graph as recorded, and without work that need not be done."""

from __future__ import annotations

import numpy as np
import pytest

from septet.base.config import config
from septet.graph.graph import Graph
from septet.graph.op import items, ops
from septet.ops.control import record_scan
from septet.optimize.pipeline import optimize
from septet.transform.vjp import grad
from tests.optimize.support import draw, names, run, sym
from tests.optimize.test_loops import matmul, recurrent, scan


@pytest.fixture(autouse=True)
def _verified():
    with config.override(verify=True):
        yield


def check(outputs, inputs):
    """Optimize a graph of outputs and return it, after comparing the values."""
    graph = Graph(inputs, outputs)
    found = optimize(graph)
    assert [node.type for node in found.outputs] == [node.type for node in graph.outputs]
    arrays = draw(graph, low=-1.0, high=1.0)
    for a, b in zip(run(graph, arrays), run(found, arrays), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-12)
    return found


def bodies(graph):
    return [node.param("body") for node in graph.nodes if node.op.name == "scan"]


def lstm_cell(c, x, k):
    """x: (B, X); h, c: (B, H); z = x W + h U + b, cut into i, f, g, o."""
    h, cell = c
    size = h.shape[1]
    z = matmul(x[0], k[0]) + matmul(h, k[1]) + k[2]
    i, f, g, o = (ops.slice(z, slices=((None, None, 1), (n * size, (n + 1) * size, 1))) for n in range(4))
    cell = ops.sigmoid(f) * cell + ops.sigmoid(i) * ops.tanh(g)
    h = ops.sigmoid(o) * ops.tanh(cell)
    return [h, cell], [h]


def lstm(steps, *, reverse=False, keeps=True, dtype="float64"):
    """The cost and the gradients of an LSTM over (T, B, X) = (steps, 2, 3), and the inputs of that graph."""
    h, c, xs = sym(2, 4, name="h"), sym(2, 4, name="c"), sym(steps, 2, 3, name="xs")
    parameters = [sym(3, 16, name="w"), sym(4, 16, name="u"), sym(16, name="b")]

    def step(carried, elements, constants):
        after, results = lstm_cell(carried, elements, constants)
        return after, [*results, *carried] if keeps else results

    found = scan(step, [h, c], [xs], parameters, reverse=reverse)
    cost = ops.sum(ops.square(found[2])) + ops.sum(found[1])
    inputs = [h, c, xs, *parameters]
    return [cost, *grad(cost, inputs)], inputs


@pytest.mark.parametrize("steps", [5, None, 1, 0])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("keeps", [True, False])
def test_an_lstm(steps, reverse, keeps):
    found = check(*lstm(steps, reverse=reverse, keeps=keeps))
    if steps in (0, 1):
        assert not bodies(found)
        return
    forward, backward = bodies(found)
    assert names(forward).count("dot_general") == names(backward).count("dot_general") == 1  # with U, and with U^T
    assert "update_slice" not in names(backward) and "sum" not in names(backward)
    assert len(backward.outputs) == 3  # cotangents of h and c; those of z, for all products after the loop
    assert names(found).count("dot_general") == 4  # x W; the gradients of x, W and U


def test_the_loop_of_an_lstm_keeps_the_sums_that_gates_see():
    found = check(*lstm(5))
    forward, backward = bodies(found)
    shapes = [node.shape for node in forward.outputs[2:]]
    assert (2, 16) in shapes and len(shapes) == 4  # h, h and c before the step, z
    assert len(backward.inputs) == 6  # cotangents of h and c; c before the step, that of the result, z; U


def test_two_layers_and_a_cost_of_every_step():
    h, c, xs = sym(2, 4, name="h"), sym(2, 4, name="c"), sym(5, 2, 3, name="xs")
    first = [sym(3, 16, name="w"), sym(4, 16, name="u"), sym(16, name="b")]
    second = [sym(4, 16, name="w2"), sym(4, 16, name="u2"), sym(16, name="b2")]
    below = scan(lstm_cell, [h, c], [xs], first)
    above = scan(lstm_cell, [h, c], [below[2]], second)
    cost = ops.sum(ops.sin(above[2]))
    inputs = [h, c, xs, *first, *second]
    found = check([cost, *grad(cost, inputs)], inputs)
    assert [names(body).count("dot_general") for body in bodies(found)] == [1, 1, 1, 1]


def test_products_inside_of_the_cell_that_need_the_state():
    h, xs = sym(2, 3, name="h"), sym(5, 2, 3, name="xs")
    weights = [sym(3, 3, name=f"w{i}") for i in range(3)]

    def step(c, x, k):
        inner = ops.tanh(matmul(ops.exp(matmul(c[0], k[0]) * 0.1), k[1]) + x[0])
        return [inner], [matmul(inner, k[2])]

    found = scan(step, [h], [xs], weights)
    cost = ops.sum(ops.square(found[1]))
    inputs = [h, xs, *weights]
    graph = check([cost, *grad(cost, inputs)], inputs)
    forward, backward = bodies(graph)
    assert names(forward).count("dot_general") == 2 and names(backward).count("dot_general") == 2


def test_a_reduction_and_a_choice_in_the_body():
    h, xs, w = sym(2, 3, name="h"), sym(4, 2, 3, name="xs"), sym(3, 3, name="w")

    def step(c, x, k):
        z = matmul(c[0], k[0]) + x[0]
        weights = ops.exp(z - ops.max(z, axis=1, keepdims=True))
        weights = weights / ops.sum(weights, axis=1, keepdims=True)
        return [ops.where(ops.greater(z, z * 0.0), weights, z)], [ops.sum(weights * z)]

    found = scan(step, [h], [xs], [w])
    cost = ops.sum(found[0]) + ops.sum(ops.square(found[1]))
    check([cost, *grad(cost, [h, xs, w])], [h, xs, w])


def test_scans_inside_of_scans():
    h, xs, w = sym(2, 3, name="h"), sym(4, 3, 2, 3, name="xs"), sym(3, 3, name="w")

    def step(c, x, k):
        inner = scan(lambda d, y, m: ([ops.tanh(matmul(d[0], m[0]) + y[0])], [d[0]]), [c[0]], [x[0]], [k[0]])
        return [inner[0]], [ops.sum(inner[1], axis=0)]

    found = scan(step, [h], [xs], [w])
    cost = ops.sum(ops.square(found[0])) + ops.sum(ops.sin(found[1]))
    inputs = [h, xs, w]
    check([cost, *grad(cost, inputs)], inputs)


def test_second_derivatives():
    h, xs, w = sym(2, 3, name="h"), sym(3, 2, 3, name="xs"), sym(3, 3, name="w")
    found = scan(recurrent, [h], [xs], [w, sym(3, 3, name="u")])
    u = found[0].inputs[0].inputs[3]
    cost = ops.sum(ops.square(found[1]))
    first = grad(cost, [w, u])
    second = grad(ops.sum(ops.square(first[0])) + ops.sum(ops.square(first[1])), [h, w, u])
    check([cost, *first, *second], [h, xs, w, u])


def test_a_scan_that_counts_its_steps_when_it_runs():
    h, steps, w = sym(2, 3, name="h"), sym(name="n", dtype="int64"), sym(3, 3, name="w")
    carried, fixed = sym(2, 3), sym(3, 3)
    body = Graph([carried, fixed], [ops.tanh(matmul(carried, fixed)), ops.sum(matmul(carried, fixed))])
    found = record_scan([h], [], [w], body, steps, False)
    cost = ops.sum(found[0]) + ops.sum(found[1])
    graph = Graph([h, steps, w], [cost, *grad(cost, [h, w])])
    optimized = optimize(graph)
    for count in (0, 1, 4):
        arrays = draw(graph)
        arrays[1] = np.array(count)
        for a, b in zip(run(graph, arrays), run(optimized, arrays), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12)


def test_what_is_computed_again_on_purpose_stays_so():
    h, xs, w = sym(2, 3, name="h"), sym(4, 2, 3, name="xs"), sym(3, 3, name="w")
    inner_h, inner_x, inner_w = sym(2, 3), sym(2, 3), sym(3, 3)
    inner = Graph([inner_h, inner_x, inner_w], [ops.tanh(matmul(inner_h, inner_w) + inner_x)])
    found = scan(lambda c, x, k: ([items(ops.remat(c[0], x[0], k[0], graph=inner))[0]], [c[0]]), [h], [xs], [w])
    cost = ops.sum(ops.square(found[0]))
    graph = check([cost, *grad(cost, [h, xs, w])], [h, xs, w])
    forward, backward = bodies(graph)
    assert len(forward.outputs) == 2 and names(backward).count("remat") == 1


def test_effects_keep_a_loop_as_it_is(capsys):
    from septet.tensor.trace import Trace

    carried, element, fixed = sym(), sym(), sym()
    with Trace() as trace:
        ops.print_value(carried, text="at {}\n")
    body = trace.graph([carried, element, fixed], [carried + element * ops.exp(fixed)])
    a, xs, k = sym(name="a"), sym(2, name="xs"), sym(name="k")
    found = optimize(Graph([a, xs, k], list(record_scan([a], [xs], [k], body, None, False))))
    assert "exp" in names(bodies(found)[0])
    run(found, [np.array(1.0), np.zeros(2), np.array(0.0)])
    assert capsys.readouterr().out == "at 1.0\nat 1.0\n"
