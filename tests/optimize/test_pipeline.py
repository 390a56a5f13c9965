"""The list of passes, what they leave alone, and gradient graphs."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.base import dtypes
from septet.base.config import config
from septet.base.errors import ArgumentError, GraphError
from septet.graph.graph import Graph
from septet.graph.node import constant, symbol
from septet.graph.op import all_functions, all_ops, items, ops
from septet.graph.rewrite import Outcome
from septet.graph.types import tensor_type
from septet.graph.verify import verify
from septet.ops.shaping import reshape
from septet.optimize.pipeline import PASSES, Pass, history, optimize, passes_named
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Trace
from septet.transform.vjp import grad
from tests.optimize.random_graphs import random_graph
from tests.optimize.support import draw, graph_of, names, run, sym


@pytest.fixture(autouse=True)
def _verified():
    with config.override(verify=True):
        yield


def softmax(x):
    return all_functions()["softmax"].call(x, 1)


def test_every_pass_has_a_name_and_a_reason():
    assert len({own.name for own in PASSES}) == len(PASSES)
    assert all(len(own.reason) > 20 for own in PASSES)


def test_history_shows_each_step():
    x = sym(2, 3)
    steps = history(graph_of(ops.log(ops.sum(ops.exp(x), axis=1)) * 1.0))
    assert [step.name for step in steps] == ["", *[own.name for own in PASSES]]
    assert steps[0].graph.outputs[0].op.name == "multiply" and steps[-1].graph.outputs[0].op.name == "logsumexp"
    assert next(step for step in steps if step.name == "stabilize").fired["log_of_sum_of_exp"] == 1
    text = str(steps)
    assert "log_of_sum_of_exp 1" in text and "given" in text and "stabilize" in text


def test_passes_can_be_chosen_by_name():
    x = sym(2, 3)
    graph = graph_of(ops.log(ops.exp(x * 1.0)))
    assert names(optimize(graph, ["canonicalize"])) == ["exp", "log", "multiply"]
    assert names(optimize(graph, ["simplify"])) == []
    assert names(optimize(graph, [])) == ["exp", "log", "multiply"]
    assert [own.name for own in passes_named(["merge", "simplify"])] == ["merge", "simplify"]
    with pytest.raises(ArgumentError, match="there is no pass 'simplfy'") as caught:
        optimize(graph, ["simplfy"])
    assert caught.value.hint == "did you mean 'simplify'?"


def test_a_pass_that_breaks_the_graph_is_named():
    x = sym(2, 3)

    def spoil(graph):
        node = ops.exp(x)
        node.params = (1,)
        return Outcome(Graph([x], [node]), {}, True)

    with pytest.raises(GraphError, match="after the pass spoil"):
        optimize(graph_of(ops.sin(x)), [Pass("spoil", spoil, "")])


def test_inputs_outputs_and_updates_keep_their_places():
    w = st.Variable(np.ones(3), "w", dtype="float64")
    x, unused = sym(3), sym(3, name="unused")
    with Trace() as trace:
        w.assign(Tensor(w.node * 1.0 + x))
    graph = trace.graph([unused, x], [x * 1.0, x, ops.exp(x) - 1])
    found = optimize(graph)
    assert found.inputs == graph.inputs and [v for v, _ in found.updates] == [w]
    assert found.outputs[0] is x and found.outputs[1] is x and found.outputs[2].op.name == "expm1"


def test_the_result_is_a_fixed_point_without_duplicates():
    for seed in range(200):
        found = optimize(random_graph(seed)[0])
        verify(found, "optimized")
        again = optimize(found)
        assert names(again) == names(found), seed


def test_variables_are_read_once():
    w = st.Variable(np.ones(3), "w", dtype="float64")
    with Trace():
        a = w.node
    with Trace():
        b = w.node
    assert a is not b
    found = optimize(Graph([], [ops.exp(a) + ops.exp(b)]))
    assert names(found) == ["add", "exp"]


def test_prints_and_checks_are_neither_merged_nor_lost(capsys):
    x = sym()
    with Trace() as trace:
        ops.print_value(x * 1.0, text="a {}\n")
        ops.print_value(x, text="a {}\n")
        ops.print_value(constant(np.array(2.0)), text="constant {}\n")
        y = ops.check(x, x < 10.0, message="too large", kind="condition")
    found = optimize(trace.graph([x], [y * 0.0 + 1.0]))
    assert capsys.readouterr().out == ""
    run(found, [np.array(1.0)])
    assert capsys.readouterr().out == "a 1.0\na 1.0\nconstant 2.0\n"
    with pytest.raises(st.errors.UserFunctionError if hasattr(st, "errors") else Exception, match="too large"):
        run(found, [np.array(11.0)])


def test_random_numbers_of_one_state_are_drawn_once_and_of_two_states_twice():
    state, other = (symbol(tensor_type(dtypes.uint64, (2,)), name) for name in "ab")
    bits = [ops.random_bits(s, shape=(3,)) for s in (state, state, other)]
    found = optimize(Graph([state, other], bits))
    assert found.outputs[0] is found.outputs[1] and found.outputs[0] is not found.outputs[2]


def test_large_results_are_not_folded():
    big = constant(np.ones(3))
    node = ops.broadcast_to(big, shape=(10**9, 3))
    assert names(optimize(Graph([], [node]))) == ["broadcast_to"]
    many = ops.dot_general(constant(np.ones((300, 1))), constant(np.ones((1, 300))), contracting=((1,), (0,)))
    assert names(optimize(Graph([], [many]))) == ["dot_general"]
    assert names(optimize(Graph([], [ops.exp(constant(np.ones(10**4)))]))) == []


def test_what_raises_is_left_to_the_run():
    node = ops.take(constant(np.ones(3)), constant(np.array([5])), axis=0)
    found = optimize(Graph([], [node]))
    assert names(found) == ["take"]
    with pytest.raises(IndexError):
        run(found, [])


def test_callbacks_are_not_folded():
    calls = []

    def function(x):
        calls.append(1)
        return x

    node = ops.callback(
        constant(np.ones(3)), function=function, results=(tensor_type(dtypes.float64, (3,)),), pullback=None,
        vectorized=False,
    )  # fmt: skip
    optimize(Graph([], list(items(node)) if isinstance(node.type, tuple) else [node]))
    assert calls == []


def test_own_gradients_disappear_with_what_only_they_need():
    name = "custom_gradient"
    op = next(op for op in all_ops() if op.name == name)
    case = op.cases[0]
    node = op(*[sym(*arg, name=f"x{i}") for i, arg in enumerate(case.args)], **case.params)
    found = optimize(graph_of(*(items(node) if isinstance(node.type, tuple) else [node])))
    assert name not in names(found)


def test_half_precision_keeps_its_dtype():
    for dtype in ("float16", "bfloat16", "float32"):
        x = sym(2, 3, dtype=dtype)
        graph = graph_of(ops.log(softmax(x)) * 2.0 + x**2)
        found = optimize(graph)
        assert found.outputs[0].dtype == dtypes.as_dtype(dtype)


# gradients of losses


def cross_entropy(x, labels):
    return -ops.mean(ops.sum(labels * ops.log(softmax(x)), axis=1))


def hand_made_cross_entropy(x, labels):
    e = ops.exp(x - ops.max(x, axis=1, keepdims=True))
    return -ops.mean(ops.sum(labels * ops.log(e / ops.sum(e, axis=1, keepdims=True)), axis=1))


def binary_cross_entropy(x, labels):
    p = ops.sigmoid(x)
    return -ops.mean(labels * ops.log(p) + (1 - labels) * ops.log(1 - p))


def logistic(x, labels):
    return ops.mean(ops.log(1 + ops.exp(-(x * (2 * labels - 1)))))


def squares(x, labels):
    return ops.mean(ops.square(x - labels))


def huber(x, labels):
    return all_functions()["huber_loss"].call(x, labels)


LOSSES = [cross_entropy, hand_made_cross_entropy, binary_cross_entropy, logistic, squares, huber]


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_of_losses_stay_the_same(loss):
    x, labels = sym(4, 5), sym(4, 5, name="labels")
    cost = loss(x, labels)
    graph = Graph([x, labels], [cost, *grad(cost, [x])])
    found = optimize(graph)
    assert len(found) < len(graph)
    arrays = draw(graph)
    arrays[1] = np.eye(5)[:4]
    for a, b in zip(run(graph, arrays), run(found, arrays), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss", [cross_entropy, hand_made_cross_entropy, binary_cross_entropy])
def test_gradients_of_confident_losses_are_finite(loss):
    """Probabilities that underflow: the graph as written gives NaN or infinity, the optimized one the right numbers."""
    x, labels = sym(2, 3), sym(2, 3, name="labels")
    cost = loss(x, labels)
    graph = Graph([x, labels], [cost, *grad(cost, [x])])
    arrays = [np.array([[-900.0, 0.0, 900.0], [800.0, -800.0, 1.0]]), np.array([[1.0, 0, 0], [0, 0, 1]])]
    assert not all(np.isfinite(a).all() for a in run(graph, arrays)), "the example is no example"
    value, slope = run(optimize(graph), arrays)
    if loss is binary_cross_entropy:
        p = 1 / (1 + np.exp(-arrays[0].clip(-700)))
        wanted = (p - arrays[1]) / 6
        y = arrays[1]
        loss_value = np.mean(y * np.logaddexp(0, -arrays[0]) + (1 - y) * np.logaddexp(0, arrays[0]))
    else:
        log_p = arrays[0] - np.logaddexp.reduce(arrays[0], axis=1, keepdims=True)
        wanted = (np.exp(log_p) - arrays[1]) / 2
        loss_value = -np.mean(np.sum(arrays[1] * log_p, axis=1))
    np.testing.assert_allclose(value, loss_value, rtol=1e-12)
    np.testing.assert_allclose(slope, wanted, rtol=1e-12, atol=1e-12)


def test_second_order_gradients_stay_the_same():
    x = sym(3)
    cost = ops.sum(ops.log(1 + ops.exp(x)) * ops.tanh(x))
    (first,) = grad(cost, [x])
    (second,) = grad(ops.sum(ops.square(first)), [x])
    graph = Graph([x], [cost, first, second])
    found = optimize(graph)
    assert len(found) < len(graph)
    for a, b in zip(run(graph, draw(graph)), run(found, draw(graph)), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12)


def test_the_user_s_functions_are_optimized_by_default():
    x = st.symbol("x", (None,))
    plain, fast = (st.function([x], (x * 1.0).sum() + 0.0, optimize=level) for level in ("none", "full"))
    assert float(plain([1.0, 2.0])) == float(fast([1.0, 2.0])) == 3.0


def test_unknown_sizes():
    x = sym(None, 3)
    graph = graph_of(ops.log(softmax(x)), reshape(ops.transpose(ops.transpose(x)), (-1,)), ops.sum(x * 1.0, axis=0))
    found = optimize(graph)
    for size in (1, 4):
        arrays = [np.random.default_rng(size).normal(size=(size, 3))]
        for a, b in zip(run(graph, arrays), run(found, arrays), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-12)
