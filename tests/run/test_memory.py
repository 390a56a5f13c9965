"""`f.memory`: what a call takes, before it runs, and who takes most of it."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base.errors import ArgumentError, CallError, ShapeError

BATCH, WIDTH = 64, 256


class Trained:
    """A model and its training step, not run yet."""

    def __init__(self):
        self.model = nn.Sequential(nn.Dense(WIDTH), nn.ReLU(), nn.Dense(10))
        optimizer = st.optim.Adam(self.model.parameters(), learning_rate=1e-3)

        @st.compile
        def step(images, labels):
            hidden = self.model(images)
            loss = nn.losses.cross_entropy(hidden, labels)
            loss.backward()
            optimizer.step()
            return loss

        self.step = step


IMAGES, LABELS = np.zeros((BATCH, 100), np.float32), np.zeros(BATCH, np.int64)
NATIVE = pytest.mark.skipif(st.config.backend != "cpu", reason="plans of the native backend")


class TestTotals:
    def test_a_training_step_before_it_ever_ran(self):
        own = Trained()
        found = own.step.memory(IMAGES, LABELS)
        assert found.arguments == IMAGES.nbytes + LABELS.nbytes
        parameters = 4 * (100 * WIDTH + WIDTH + WIDTH * 10 + 10)
        assert 3 * parameters <= found.state < 3 * parameters + 100  # with both moments, and the number of the step
        assert found.outputs == 4
        assert found.peak == found.arguments + found.state + found.constants + found.outputs + found.new_values + (
            found.arena
        )
        before = [p.numpy().copy() for p in own.model.parameters()]
        own.step.memory(IMAGES, LABELS)
        assert all((p.numpy() == b).all() for p, b in zip(own.model.parameters(), before, strict=True))
        assert len(own.step.compiles) == 1

    def test_symbols_stand_for_arrays(self):
        own = Trained()
        large = own.step.memory(
            st.symbol(shape=(10 * BATCH, 100)), labels=st.symbol(shape=(10 * BATCH,), dtype="int64")
        )
        assert large.arguments == 10 * (IMAGES.nbytes + LABELS.nbytes)
        small = own.step.memory(IMAGES, LABELS)
        assert small.state == large.state and small.arena < large.arena

    @NATIVE
    def test_values_take_turns_in_the_arena(self):
        def chain(x):
            for _ in range(6):
                x = st.sort(x @ x)
            return x

        found = st.compile(chain).memory(st.symbol(shape=(100, 100)))
        assert found.values >= 8 * 40000 and 40000 <= found.arena < 0.6 * found.values

    def test_symbolic_functions(self):
        x = st.symbol("x", (None, 100))
        w = st.Variable(np.zeros((100, 10), np.float32), "w")
        f = st.function([x], (x @ w).sum(), updates={w: w * 0.9})
        found = f.memory(x=st.symbol(shape=(1000, 100)))
        assert (found.arguments, found.state, found.outputs) == (400_000, 4000, 4)
        assert found.peak >= 404_004
        y = st.symbol("y", (7, 3))
        assert st.function([y], st.exp(y)).memory().arguments == 84

    @pytest.mark.parametrize("backend", ["cpu", "reference"])
    def test_backends(self, backend):
        with st.config.override(backend=backend):
            found = st.compile(lambda x: st.tanh(x @ x).sum()).memory(st.ones((50, 50)))
        assert found.backend == backend
        assert found.arguments == 10_000 and found.outputs == 4 and found.peak >= 20_000


class TestErrors:
    def test_sizes_that_are_not_known(self):
        x = st.symbol("x", (None, 100))
        f = st.function([x], st.exp(x))
        with pytest.raises(ArgumentError, match=r"x is float32\[\?, 100\]"):
            f.memory()
        with pytest.raises(ArgumentError, match="sizes that are not known"):
            st.compile(lambda x: x + 1).memory(x)

    def test_wrong_arguments(self):
        x = st.symbol("x", (None, 100))
        with pytest.raises(ShapeError):
            st.function([x], st.exp(x)).memory(np.zeros((3, 99)))
        with pytest.raises(CallError):
            st.compile(lambda x: x + 1).memory()


class TestLargest:
    def test_ten_with_the_lines_and_layers(self):
        own = Trained()
        found = own.step.memory(IMAGES, LABELS)
        assert len(found.largest) == 10
        sizes = [tensor.size for tensor in found.largest]
        assert sizes == sorted(sizes, reverse=True)
        assert all(tensor.line.startswith("test_memory.py:") for tensor in found.largest)
        first = next(tensor for tensor in found.largest if tensor.kind != "scratch")
        assert first.size == 4 * 100 * WIDTH
        kernels = [tensor for tensor in found.largest if tensor.name == "0.kernel"]
        assert kernels[0].kind == "state" and kernels[0].layer == "Sequential/0:Dense"

    @NATIVE
    def test_a_gradient_belongs_to_the_line_of_the_op(self):
        def loss(w):
            hidden = st.sort(w @ w)
            total = (hidden @ hidden).sum()
            return st.grad(total, w)

        w = st.symbol("w", (80, 80))
        found = st.function([w], loss(w)).memory()
        line = loss.__code__.co_firstlineno
        backward = [tensor for tensor in found.largest if tensor.direction == "back"]
        assert backward and {t.line for t in backward} <= {f"test_memory.py:{line + 1}", f"test_memory.py:{line + 2}"}

    @NATIVE
    def test_the_peak_is_where_most_is_alive(self):
        def f(x):
            wide = st.sort(x @ st.ones((10, 1000)))
            return st.sort(st.sort(wide @ st.ones((1000, 5))) @ st.ones((5, 3)))

        found = st.compile(f).memory(st.ones((100, 10)))
        line = f.__code__.co_firstlineno + 1
        assert found.arena >= 800_000
        wide = [tensor for tensor in found.largest if tensor.size == 400_000]
        assert len(wide) == 2 and {tensor.line for tensor in wide} == {f"test_memory.py:{line}"}
        assert "sort" in found.at

    def test_what_is_printed(self):
        with st.config.override(print_width=100):
            text = str(Trained().step.memory(IMAGES, LABELS))
        assert text.startswith("memory of step(images: float32[64, 100], labels: int64[64]) on ")
        assert "at the peak" in text and "parameters and state" in text and "test_memory.py:" in text
        assert "  0 B" not in text  # what takes nothing is left out
        assert max(map(len, text.splitlines()[2:])) <= 100
