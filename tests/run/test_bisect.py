"""`st.check.bisect`: the first node that a backend or the optimizer computes wrongly, shown with broken ones."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.backends.cpu import elements, linking
from septet.backends.cpu.ops.rules import Rule
from septet.base.errors import ArgumentError, SettingError
from septet.graph.assemble import with_inputs
from septet.graph.graph import Graph
from septet.graph.node import Node
from septet.graph.rewrite import Outcome
from septet.optimize import pipeline

X = np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32)
W = np.random.default_rng(1).normal(size=(30, 10)).astype(np.float32)


def loss(x, w):
    hidden = st.tanh(x * 2) + 1
    gate = st.sigmoid(hidden @ w)
    return (gate * st.exp(-gate)).sum()


GATE = loss.__code__.co_firstlineno + 2


@pytest.fixture
def wrong_kernel(monkeypatch):
    """Return what replaces the rule by which kernels compute an op."""

    def break_it(name: str, write: Callable[..., object]) -> None:
        old = elements.TABLE[name]
        monkeypatch.setattr(linking, "_addresses", {})  # of kernels that are compiled by the right rule
        monkeypatch.setitem(elements.TABLE, name, Rule(lambda call: write(call, old.write(call)), "f"))

    return break_it


class TestKernels:
    def test_nothing_is_wrong(self):
        found = st.check.bisect(loss, X, W)
        assert not found and found.node is None
        assert str(found).startswith("loss(x: float32[20, 30], w: float32[30, 10]): cpu (optimize='full')")
        assert "agree in 9 nodes" in str(found)

    def test_the_first_wrong_node_and_its_line(self, wrong_kernel):
        wrong_kernel("sigmoid", lambda call, value: call.b.binary("fmul", value, value))
        found = st.check.bisect(loss, X, W)
        assert found and found.node.op.name == "sigmoid"
        assert not found.alone and found.error > 1000 > found.reference_error
        gate = 1 / (1 + np.exp(-((np.tanh(X * 2.0) + 1) @ W.astype(np.float64))))
        assert math.isclose(found.exact, gate[found.position], rel_tol=1e-4)
        assert math.isclose(found.value, gate[found.position] ** 2, rel_tol=1e-4)
        text = str(found)
        assert "differ first in sigmoid, float32[20, 10]" in text
        assert f"test_bisect.py:{GATE}: gate = st.sigmoid(hidden @ w)" in text
        assert "by the reference" in text and "input x" in text

    def test_what_is_a_little_off(self, wrong_kernel):
        factor = 1 + 40 * 2.0**-23
        wrong_kernel(
            "tanh", lambda call, value: call.b.binary("fmul", value, call.b.number(factor, "float", value.lanes))
        )
        found = st.check.bisect(loss, X, W)
        assert found.node.op.name == "tanh" and 30 < found.error < 90
        assert not st.check.bisect(loss, X, W, tolerance=100)

    def test_a_training_step(self, wrong_kernel):
        model = nn.Sequential(nn.Dense(8), nn.Tanh(), nn.Dense(3))
        optimizer = st.optim.Adam(model.parameters(), learning_rate=0.1)

        @st.compile
        def step(x):
            value = (model(x) ** 2).mean()
            value.backward()
            optimizer.step()
            return value

        step(X)
        before = [p.numpy().copy() for p in model.parameters()]
        assert not st.check.bisect(step, X)
        wrong_kernel("tanh", lambda call, value: call.b.binary("fadd", value, value))
        found = st.check.bisect(step, X)
        assert found.node.op.name == "tanh" and "in layer Sequential/1:Tanh" in str(found)
        assert all((p.numpy() == b).all() for p, b in zip(model.parameters(), before, strict=True))

    def test_the_other_ways_are_not_blamed(self, wrong_kernel):
        wrong_kernel("sigmoid", lambda call, value: call.b.binary("fadd", value, value))
        assert st.check.bisect(loss, X, W, optimize="none").node.op.name == "sigmoid"
        assert not st.check.bisect(loss, X, W, backend="reference")  # the optimizer alone

    def test_symbolic_functions_and_numbers_that_are_not_floats(self, wrong_kernel):
        x = st.symbol("x", (None, 30))
        f = st.function([x], [st.where(x > 0, x, -x).sum(axis=1), st.argmax(x, axis=1)])
        assert not st.check.bisect(f, X)
        wrong_kernel("greater", lambda call, value: call.b.binary("xor", value, call.b.number(True, "i1", value.lanes)))
        assert st.check.bisect(f, X).node.op.name in ("greater", "less", "less_equal")


@pytest.fixture
def wrong_pass(monkeypatch):
    """Return what lets the optimizer replace nodes: ``find(graph)`` gives the nodes and what comes in their place."""

    def spoil(find: Callable[[Graph], dict[Node, Node]]) -> None:
        def run(graph: Graph) -> Outcome:
            graph = simplify.run(graph).graph
            found = find(graph)
            return Outcome(graph.replace(found) if found else graph, {}, True)

        passes = [pipeline.Pass("simplify", run, "") if own is simplify else own for own in pipeline.PASSES]
        monkeypatch.setattr(pipeline, "PASSES", tuple(passes))

    simplify = next(own for own in pipeline.PASSES if own.name == "simplify")
    return spoil


class TestOptimizer:
    def test_a_pass_that_is_wrong(self, wrong_pass):
        """It takes exp(-x) for exp(x): the finding is in the graph as it was written."""
        wrong_pass(
            lambda graph: {
                node: with_inputs(node, node.inputs[0].inputs)
                for node in graph.nodes
                if node.op.name == "exp" and node.inputs[0].op.name == "negative"
            }
        )
        for backend in ("cpu", "reference"):
            found = st.check.bisect(loss, X, W, backend=backend)
            assert found.node.op.name == "exp" and not found.alone
            assert f"test_bisect.py:{GATE + 1}" in str(found)
        assert not st.check.bisect(loss, X, W, optimize="none")

    def test_what_shows_only_when_values_in_between_are_not_kept(self, wrong_pass):
        wrong_pass(
            lambda graph: {
                node: with_inputs(node, node.inputs[0].inputs)
                for node in graph.nodes
                if node.op.name == "exp" and node.inputs[0].op.name == "tanh" and node.inputs[0] not in graph.roots
            }
        )

        def f(x):
            inner = st.tanh(x * 3 + 1)
            outer = st.exp(inner)
            return (st.sqrt(outer + 1) * 2).sum(axis=1)

        found = st.check.bisect(f, X)
        assert found.alone and found.node.op.name == "exp"
        text = str(found)
        assert f"test_bisect.py:{f.__code__.co_firstlineno + 2}: outer = st.exp(inner)" in text
        assert "only when the values in between are not kept" in text


class TestErrors:
    def test_what_does_not_exist(self):
        with pytest.raises(SettingError):
            st.check.bisect(loss, X, W, backend="abacus")
        with pytest.raises(SettingError):
            st.check.bisect(loss, X, W, optimize="much")
        with pytest.raises(ArgumentError, match="expected a function"):
            st.check.bisect(3)
