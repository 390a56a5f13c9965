"""Plans run one step at a time: the same bits as in one go, times of every step, and who made the first NaN."""

from __future__ import annotations

from itertools import pairwise
from time import perf_counter_ns
from typing import Any

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.backends.cpu import pool
from septet.backends.cpu.program import CpuProgram
from septet.base.config import config
from septet.base.errors import IndexOutOfRangeError, NonFiniteError
from septet.run.programs import REFERENCE


def program(inputs, outputs, updates=()):
    from septet.graph.graph import Graph
    from septet.optimize.pipeline import optimize

    graph = Graph([x.node for x in inputs], [y.node for y in outputs], [(v, new.node) for v, new in updates], name="f")
    return CpuProgram(optimize(graph), REFERENCE)


def stepwise(own, arrays):
    """Run with the checks on; the results must be those of a plain run."""
    with config.override(check_nan=True):
        return own(arrays)


X = np.random.default_rng(0).normal(size=(40, 70)).astype(np.float32)


class TestSameResults:
    def test_kernels_libraries_and_python(self):
        x = st.symbol("x", (40, 70))
        parts = st.linalg.svd(x @ x.mT).S  # NumPy computes it
        y = st.softmax(st.tanh(x) @ st.ones((70, 9)) * 0.1, axis=-1)
        own = program([x], [y, st.sort(y, axis=0), parts.sum() * 0 + y.mean(axis=1)])
        plain = own([X])
        times = []
        for found in (stepwise(own, [X]), own.observe([X], lambda *event: times.append(event))):
            for a, b in zip(plain, found, strict=True):
                assert a.tobytes() == b.tobytes()
        works = own.describe([X]).works
        assert [number for number, *_ in times] == list(range(len(works)))
        assert all(start <= end for _, start, end in times)
        assert {work.kind for work in works} == {"kernel", "library", "python"}

    def test_variables_are_not_overwritten(self):
        x = st.symbol("x", (40, 70))
        w = st.Variable(np.ones((40, 70), np.float32))
        leaf = w.new_leaf((), None, 2)
        own = program([x], [x @ st.ones((70, 3))], [(w, st.tanh(st.Tensor(leaf) + x))])
        plan = own.prepare([X.shape])
        assert plan.in_place == [0]
        array = w.value
        before = array.copy()
        results = own.observe([X], lambda *event: None)
        assert (array == before).all() and results[1] is not array
        assert np.allclose(results[1], np.tanh(1 + X), atol=1e-6)

    def test_scans_and_conditions(self):
        x = st.symbol("x", (40, 70))
        last, rows = st.scan(lambda carry, row: (carry + row, st.exp(carry * 0.01)), st.zeros(70), x)
        y = st.cond(x.sum() > 1e9, lambda v: v, lambda v: -v, x)
        own = program([x], [last, rows, y])
        for a, b in zip(own([X]), stepwise(own, [X]), strict=True):
            assert a.tobytes() == b.tobytes()
        (loop,) = [work for work in own.describe([X]).works if work.name == "scan"]
        assert loop.form == "loop of 40 steps" and loop.inside


class TestErrors:
    def test_an_index_out_of_range(self):
        x, i = st.symbol("x", (40, 70)), st.symbol("i", (3,), "int64")
        own = program([x, i], [st.take(st.tanh(x), i, axis=0)])
        good = np.array([0, 1, 39])
        assert stepwise(own, [X, good])[0].shape == (3, 70)
        with pytest.raises(IndexOutOfRangeError):
            stepwise(own, [X, good + 1])
        assert np.allclose(own([X, good])[0], np.tanh(X[good]), atol=1e-6)  # the plan goes on working


class TestFirstNonFinite:
    def search(self, own, *arrays):
        with pytest.raises(NonFiniteError) as caught:
            stepwise(own, list(arrays))
        return str(caught.value)

    def test_inside_a_fused_group(self):
        x = st.symbol("x", (40, 70))
        y = st.sqrt(st.log(x + 1) * 2).sum(axis=1)
        own = program([x], [y * 0.5])
        positive = np.abs(X)
        stepwise(own, [positive])
        positive[3, 4] = -3.5
        text = self.search(own, positive)
        assert text.startswith("log1p: the result has NaN") or text.startswith("log: the result has NaN")
        assert "1 of 2,800 elements, the first at (3, 4)" in text
        assert "y = st.sqrt(st.log(x + 1) * 2).sum(axis=1)" in text

    def test_overflow_in_a_library_call(self):
        x = st.symbol("x", (40, 70))
        own = program([x], [st.tanh(x @ x.mT)])
        text = self.search(own, np.abs(X) * 1e20)
        assert text.startswith("dot_general: the result has infinity, and all inputs are finite")
        assert "values of a: " in text

    def test_a_backward_node_names_its_op_and_layer(self):
        class Box(nn.Module):
            def forward(self, x):
                return st.sqrt(x)

        x = st.symbol("x", (40, 70))
        own = program([x], [st.grad(Box()(x).sum(), x)])
        text = self.search(own, np.zeros_like(X))
        assert "  in layer Box\n  in the gradient of sqrt, at " in text
        assert "return st.sqrt(x)" in text

    def test_infinities_that_were_put_in_pass_and_nan_from_them_does_not(self):
        x, mask = st.symbol("x", (4, 6)), st.symbol("mask", (4, 6), "bool")
        scores = st.where(mask, x, -st.inf)
        weights = st.exp(scores - scores.max(axis=1, keepdims=True))
        own = program([x, mask], [weights / weights.sum(axis=1, keepdims=True), scores])
        masks = np.ones((4, 6), bool)
        masks[:, 4:] = False
        stepwise(own, [X[:4, :6], masks])
        masks[2] = False  # a row of nothing
        text = self.search(own, X[:4, :6], masks)
        assert text.startswith("subtract: the result has NaN")
        assert "(2, 0)" in text

    def test_what_where_drops_does_no_harm(self):
        x = st.symbol("x", (40, 70))
        y = st.where(x > 0, st.log(x), 0.0)
        own = program([x], [y, st.exp(x * 100)])
        stepwise(program([x], [y]), [X])
        text = self.search(own, X)
        assert text.startswith("exp: the result has infinity")

    def test_inside_a_scan(self):
        x = st.symbol("x", (40, 70))
        total, _ = st.scan(lambda carry, row: (carry * row * 1e6, carry), st.ones(70), x)
        text = self.search(program([x], [total]), np.full_like(X, 3.0))
        assert text.startswith("multiply: the result has infinity")
        assert "total, _ = st.scan" in text

    def test_values_of_earlier_units_are_at_hand(self):
        x = st.symbol("x", (40, 70))
        early = st.tanh(x @ st.ones((70, 70)))
        late = early
        for _ in range(6):  # the arena is used anew in between
            late = st.tanh(late @ st.ones((70, 70)))
        own = program([x], [st.log(early * 0 - 1 + late * 0).sum()])
        assert self.search(own, X).startswith("log: the result has NaN")

    def test_given_non_finite_inputs_are_nobodys_doing(self):
        x = st.symbol("x", (40, 70))
        own = program([x], [st.tanh(x).sum(axis=0), x * 2])
        bad = X.copy()
        bad[0, 0] = np.nan
        assert np.isnan(stepwise(own, [bad])[0][0])

    def test_a_variable_keeps_its_value(self):
        w = st.Variable(np.full((3,), 1e30, np.float32), "w")
        step = st.function([], [], updates={w: w * w})
        with config.override(check_nan=True), pytest.raises(NonFiniteError) as caught:
            step()
        assert (w.numpy() == np.float32(1e30)).all()
        assert "variable 'w'" in str(caught.value)

    def test_open_sizes_are_checked_too(self):
        x = st.symbol("x", (None,))
        f = st.function([x], st.log(x[x > 0] - 1).sum())
        with config.override(check_nan=True), pytest.raises(NonFiniteError) as caught:
            f(np.array([3.0, 0.5], np.float32))
        assert str(caught.value).startswith("log")

    def test_only_natively(self, monkeypatch):
        """A kernel that is wrong is not taken for the user's mistake."""
        from septet.backends.cpu import stepwise as own_module

        x = st.symbol("x", (40, 70))
        own = program([x], [(st.exp(x) + 1).sum(axis=0)])
        real = own_module.compute
        monkeypatch.setattr(own_module, "compute", lambda node, *rest: np.zeros_like(real(node, *rest)))
        text = self.search(own, np.full_like(X, 100))
        assert "computed by the reference it is finite" in text and "st.check.bisect" in text


class TestTimes:
    def test_they_are_taken_in_native_code_and_add_up(self):
        x = st.symbol("x", (300, 300))
        parts = st.linalg.svd(x[:4, :4]).S  # Python between native steps
        big, small = (x @ x @ x).sum(), st.tanh(x[0] * 2).sum()
        own = program([x], [big, small, parts.max() * 2])
        plan = own.prepare([(300, 300)])
        array = np.random.default_rng(0).normal(size=(300, 300)).astype(np.float32)
        own.observe([array], lambda *event: None)  # memory and caches are warm
        times = []
        begin = perf_counter_ns()
        own.observe([array], lambda *event: times.append(event))
        end = perf_counter_ns()
        assert len(times) == len(plan.steps) and len(plan.linked.segments) > 1
        assert begin <= times[0][1] and times[-1][2] <= end
        for (_, _, before), (_, start, _) in pairwise(times):
            assert before <= start
        products = [e - s for n, s, e in times if plan.steps[n].name == "dot_general"]
        assert min(products) > max(e - s for n, s, e in times if "tanh" in plan.steps[n].name)

    def test_without_stamps_of_the_clock(self, monkeypatch):
        x = st.symbol("x", (40, 70))
        own = program([x], [st.tanh(x) @ st.ones((70, 3)), st.linalg.svd(x).S])
        plain, times = own([X]), []
        monkeypatch.setattr(pool, "has_threads", lambda: False)
        found = own.observe([X], lambda *event: times.append(event))
        assert [a.tobytes() for a in found] == [a.tobytes() for a in plain]
        assert [number for number, *_ in times] == list(range(len(own.describe([X]).works)))

    def test_an_error_in_the_middle(self):
        x, i = st.symbol("x", (40, 70)), st.symbol("i", (3,), "int64")
        own = program([x, i], [st.take(st.tanh(x), i, axis=0) @ st.ones((70, 2))])
        with pytest.raises(IndexOutOfRangeError):
            own.observe([X, np.array([0, 1, 40])], lambda *event: None)
        assert own([X, np.array([0, 1, 39])])[0].shape == (3, 2)


def test_steps_of_a_loop_with_python_in_it_run_natively_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    before = CpuProgram._make_call

    def noted(self: CpuProgram, arguments: Any, is_step: bool) -> Any:
        called.append(self.graph.name)
        return before(self, arguments, is_step)

    monkeypatch.setattr(CpuProgram, "_make_call", noted)
    xs, w = st.symbol("xs", (4,), "float64"), st.symbol("w", (3, 3), "float64")

    def step(carry: Any, x: Any) -> Any:
        found = st.callback(lambda a: a + 1, ("float64", (3,)), carry @ w) * x
        return found, found

    f = st.function([xs, w], [st.scan(step, st.zeros((3,), dtype="float64"), xs)[1]])
    values, matrix = np.arange(1.0, 5), np.arange(9.0).reshape(3, 3) / 9
    rows, carry = [], np.zeros(3)
    for x in values:
        carry = (carry @ matrix + 1) * x
        rows.append(carry)
    np.testing.assert_allclose(f(values, matrix)[0], rows)
    assert len(called) == 5  # the loop, and the graph of each step


def test_the_graph_of_such_a_step_has_plain_sizes() -> None:
    xs, w = st.symbol("xs", (None, None), "float64"), st.symbol("w", (None, None), "float64")

    def step(carry: Any, x: Any) -> Any:
        found = st.callback(lambda a: a + 1, ("float64", (None,)), w @ st.tanh(carry + x))
        return found.reshape(x.shape), None

    f = st.function([xs, w], [st.scan(step, xs[0], xs)[0]])
    for size in (5, 6):
        values, matrix = np.ones((3, size)), np.eye(size) / 2
        carry = values[0]
        for x in values:
            carry = matrix @ np.tanh(carry + x) + 1
        np.testing.assert_allclose(f(values, matrix)[0], carry)
