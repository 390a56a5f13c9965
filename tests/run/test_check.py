"""`st.check`: the first NaN or infinity is an error at its line, define-by-run, compiled and symbolic."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base.errors import IndexOutOfRangeError, NonFiniteError
from septet.graph.context import context


class Root(nn.Module):
    def __init__(self):
        self.w = st.Variable(np.ones((4, 4), np.float32), "w")

    def forward(self, x):
        return st.sqrt(x @ self.w)


X = np.ones((3, 4), np.float32)


class TestDefineByRun:
    def test_the_error_comes_at_the_line(self):
        lines = []
        with pytest.raises(NonFiniteError) as caught, st.check(nan=True):
            y = st.tensor([1.0, -1.0]) * 2
            lines.append("before")
            st.log(y)
            lines.append("after")
        assert lines == ["before"]
        text = str(caught.value)
        assert text.startswith("log: the result has NaN, and no input has NaN: 1 of 2 elements, the first at 1\n")
        assert "there: log(x=-2.0) = nan" in text and "st.log(y)" in text

    def test_a_layer(self):
        with pytest.raises(NonFiniteError) as caught, st.check(nan=True):
            Root()(-X)
        assert "  in layer Root\n" in str(caught.value)

    def test_backward_names_the_op_of_the_forward_pass(self):
        model = Root()
        with st.check(nan=True):
            loss = model(0 * X).sum()
            with pytest.raises(NonFiniteError) as caught:
                loss.backward()
        text = str(caught.value)
        assert text.startswith("divide: the result has infinity")
        assert "  in layer Root\n  in the gradient of sqrt, at " in text
        assert "return st.sqrt(x @ self.w)" in text and "loss.backward()" in text

    def test_what_was_recorded_before_is_checked_when_it_is_computed(self):
        y = st.log(st.tensor([1.0, -1.0]) * 2)
        with pytest.raises(NonFiniteError), st.check(nan=True):
            y.sum()

    def test_it_ends_with_the_block(self):
        before = context.limit
        with st.check():
            float(st.exp(st.tensor(1.0)))
        assert context.limit == before
        assert np.isnan(st.log(st.tensor([-1.0])).numpy()).all()
        with pytest.raises(ZeroDivisionError), st.check():
            raise ZeroDivisionError
        assert context.limit == before and not st.config.check_nan

    def test_inside_each_other_and_off(self):
        with st.check():
            with st.check(nan=False):
                assert np.isnan(st.log(st.tensor([-1.0])).numpy()).all()
            with pytest.raises(NonFiniteError):
                st.log(st.tensor([-1.0]))

    def test_a_decorator(self):
        @st.check()
        def f(x):
            return st.log(x)

        assert float(f(st.tensor(1.0))) == 0
        for _ in range(2):
            with pytest.raises(NonFiniteError):
                f(st.tensor(-1.0))
        assert f.__name__ == "f"

    def test_other_threads_are_not_checked(self):
        found = []
        with st.check():
            thread = threading.Thread(target=lambda: found.append(st.log(st.tensor([-1.0])).numpy()))
            thread.start()
            thread.join()
        assert np.isnan(found[0]).all()

    def test_hot_code_is_checked_as_before(self):
        def f(x):
            return ((st.log(st.tensor(x) + 1) * 2 + 1) / 3).sum()

        for _ in range(40):
            float(f(X))
        with st.check(), pytest.raises(NonFiniteError) as caught:
            float(f(X * -2))
        assert str(caught.value).startswith("log")

    def test_a_training_loop_goes_through(self):
        st.random.seed(0)
        model = nn.Sequential(nn.Dense(8), nn.ReLU(), nn.Dropout(0.5), nn.BatchNorm(), nn.Dense(3))
        optimizer = st.optim.Adam(model.parameters(), learning_rate=0.01)
        labels = np.array([0, 1, 2])
        with st.check():
            for _ in range(3):
                loss = nn.losses.cross_entropy(model(X), labels)
                loss.backward()
                optimizer.step()
        assert np.isfinite(float(loss))


class TestCompiled:
    def test_a_train_step(self):
        model = Root()
        optimizer = st.optim.SGD(model.parameters(), learning_rate=0.1)

        @st.compile
        def step(x):
            loss = model(x).sum()
            loss.backward()
            optimizer.step()
            return loss

        with st.check():
            assert float(step(X)) == 3 * 4 * 2
            before = model.w.numpy()
            with pytest.raises(NonFiniteError) as caught:
                step(0 * X)
        text = str(caught.value)
        assert "  in layer Root\n  in the gradient of sqrt, at " in text
        assert (model.w.numpy() == before).all()  # the step that failed changed nothing
        step(X)
        assert len(step.compiles) == 1

    def test_the_same_compiled_function_is_used(self):
        f = st.compile(lambda x: st.log(x).sum())
        f(X)
        with st.check(), pytest.raises(NonFiniteError):
            f(-X)
        f(X)
        assert len(f.compiles) == 1

    def test_symbolic_and_the_setting(self):
        x = st.symbol("x", (3,))
        f = st.function([x], st.exp(x * 1000))
        with st.config.override(check_nan=True), pytest.raises(NonFiniteError) as caught:
            f([0.0, 1.0, 2.0])
        assert str(caught.value).startswith("exp: the result has infinity, and all inputs are finite: 2 of 3 elements")

    @pytest.mark.parametrize("backend", ["cpu", "reference"])
    def test_both_backends_name_the_same_op(self, backend):
        with st.config.override(backend=backend):
            f = st.compile(lambda x: st.sqrt(st.tanh(x @ x.mT) - 2).sum())
            with st.check(), pytest.raises(NonFiniteError) as caught:
                f(X)
        assert str(caught.value).startswith("sqrt: the result has NaN, and no input has NaN: 9 of 9 elements")

    def test_fit(self):
        model = nn.Sequential(nn.Dense(4), Root(), nn.Dense(2))
        images = -10 * np.abs(np.random.default_rng(0).normal(size=(64, 4))).astype(np.float32)
        labels = np.zeros(64, np.int64)
        with st.check(), pytest.raises(NonFiniteError) as caught:
            model.fit((images, labels), epochs=3, optimizer="sgd", learning_rate=10.0, verbose=False)
        assert "in layer Sequential/1:Root" in str(caught.value)


@pytest.mark.parametrize("is_checked", [True, False])
def test_indices_are_always_checked(is_checked):
    table = st.Variable(np.ones((10, 4), np.float32))
    compiled = st.compile(lambda i: st.take(table, i, axis=0).sum())
    with st.check(nan=is_checked):
        for call in (compiled, lambda i: float(st.take(table, st.tensor(i), axis=0).sum())):
            assert float(call(np.array([0, 9]))) == 8
            with pytest.raises(IndexOutOfRangeError):
                call(np.array([0, 10]))
