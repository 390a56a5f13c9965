"""`st.explain`: passes, steps with their lines and times, what runs in Python and why, memory, compiles."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base.errors import ArgumentError, CallError

NATIVE = pytest.mark.skipif(st.config.backend != "cpu", reason="steps of the native backend")


def f(x, y):
    hidden = st.tanh(x * 2 + 1)
    product = hidden.T @ y
    return st.exp(product).sum(), st.linalg.svd(product).S


LINE = f.__code__.co_firstlineno
X, Y = np.ones((300, 200), np.float32), np.ones((300, 150), np.float32)


@NATIVE
class TestSteps:
    def test_kernels_libraries_and_python(self):
        found = st.explain(f, X, Y)
        steps = {step.name: step for step in found.steps}
        assert steps["dot_general"].kind == "library" and steps["dot_general"].form.startswith("OpenBLAS")
        assert steps["dot_general"].lines == [f"test_explain.py:{LINE + 2}"]
        (fused,) = [step for step in found.steps if "tanh" in step.name]
        assert fused.kind == "kernel" and fused.domain == (300, 200) and fused.lines == [f"test_explain.py:{LINE + 1}"]
        (python,) = [step for step in found.steps if step.kind == "python"]
        assert python.name == "svd" and python.reason == "it has no native form yet"
        text = str(found)
        assert "1 library call" in text and "1 step in Python" in text and "it has no native form yet" in text

    def test_layers_and_the_backward_pass(self):
        model = nn.Sequential(nn.Dense(8), nn.Tanh(), nn.Dense(3))
        optimizer = st.optim.SGD(model.parameters(), learning_rate=0.1)

        @st.compile
        def step(x):
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        step(X)
        before = [p.numpy().copy() for p in model.parameters()]
        found = st.explain(step, X)
        assert all((p.numpy() == b).all() for p, b in zip(model.parameters(), before, strict=True))
        products = [own for own in found.steps if own.name == "dot_general"]
        assert {(own.direction, *own.layers) for own in products} == {
            ("", "Sequential/0:Dense"), ("", "Sequential/2:Dense"),
            ("back", "Sequential/0:Dense"), ("back", "Sequential/2:Dense"),
        }  # fmt: skip

    def test_loops_show_what_is_inside(self):
        found = st.explain(lambda x: st.scan(lambda c, row: (st.tanh(c + row), c), st.zeros(200), x)[0], X)
        (loop,) = [step for step in found.steps if step.name == "scan"]
        assert loop.form == "loop of 300 steps" and any("tanh" in work.name for work in loop.inside)
        assert "    add+tanh" in str(found) or "  add+tanh" in str(found)


class TestTimes:
    @NATIVE
    def test_steps_add_up_to_what_a_call_takes(self):
        call = st.compile(lambda x: st.exp(st.sin(x) @ st.cos(x).mT).sum())
        x = st.ones((700, 700))
        found = st.explain(call, x)
        times = []
        for _ in range(20):
            start = time.perf_counter()
            float(call(x))
            times.append(time.perf_counter() - start)
        total = sum(step.seconds for step in found.steps)
        assert abs(sum(step.share for step in found.steps) - 1) < 1e-6
        assert total <= 1.05 * found.seconds
        assert min(times) / 3 < total < 3 * max(times)
        product = next(step for step in found.steps if step.name == "dot_general")
        assert product.seconds == max(step.seconds for step in found.steps)
        assert found.runs >= 3

    def test_what_has_an_effect_happens_once(self, capsys):
        def shout(x):
            st.print("here", x.sum())
            return x + 1

        call = st.compile(shout)
        found = st.explain(call, X)
        assert found.runs == 1 and capsys.readouterr().out.count("here") == 1

    def test_random_states_stay(self):
        dropout = nn.Dropout(0.5)
        call = st.compile(lambda x: dropout(x))
        st.random.seed(3)
        expected = call(X).numpy()
        st.random.seed(3)
        st.explain(call, X)
        assert (call(X).numpy() == expected).all()


class TestTheRest:
    @pytest.mark.parametrize("backend", ["cpu", "reference"])
    def test_passes(self, backend):
        with st.config.override(backend=backend):
            found = st.explain(lambda x: st.log(st.exp(x) * 1) + 0, X)
        assert found.backend == backend
        assert found.passes[0].name == "given" and found.passes[-1].nodes < found.passes[0].nodes
        assert sum([sum(own.fired.values()) for own in found.passes]) >= 2
        if backend == "reference":
            assert {step.kind for step in found.steps} <= {"node"} and "in NumPy" in str(found)

    def test_without_optimization(self):
        whole = st.explain(st.compile(lambda x: x * 1 + 0, optimize="none"), X)
        assert [own.name for own in whole.passes][0] == "given" and not any(own.fired for own in whole.passes)

    def test_symbolic_functions_and_methods(self):
        x = st.symbol("x", (None, 200))
        g = st.function([x], st.tanh(x).sum(), name="g")
        assert str(st.explain(g, X)).startswith("g(x: float32[300, 200])\n")
        assert len(g.compiles) <= 1

        class Model:
            @st.compile
            def double(self, x):
                return x * 2

            def __hash__(self):
                return 1

        model = Model()
        assert "x: float32[300, 200]" in str(st.explain(model.double, X))

    def test_it_can_be_read(self, tmp_path):
        found = st.explain(f, X, Y)
        text = str(found)
        assert text.startswith("f(x: float32[300, 200], y: float32[300, 150])\n")
        for word in ("rules that fired", "in all", "the largest at the peak"):
            assert word in text, text
        # What is alive at the peak: NumPy, op by op, has two products of 300 x 200 there; fused, they are one.
        op, line = ("dot_general", LINE + 2) if st.config.backend == "cpu" else ("add", LINE + 1)
        assert re.search(rf"{op} +test_explain\.py:{line}\n", text[text.index("the largest at the peak") :]), text
        assert not re.search(r"constant +float32\[\] +\S", text), text  # other programs have the same numbers
        assert max(map(len, text.splitlines())) <= 80
        found.to_html(tmp_path / "page.html")
        assert "svd" in (tmp_path / "page.html").read_text(encoding="utf-8")

    def test_errors(self):
        with pytest.raises(ArgumentError, match="expected a function, got tensor"):
            st.explain(st.ones(3))
        with pytest.raises(CallError):
            st.explain(f, X)
