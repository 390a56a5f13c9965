"""Graphs that are another one each time: computed unit by unit, with NumPy first and natively later."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base.errors import IndexOutOfRangeError, TracedValueError
from septet.graph.node import constant
from septet.run import compiler, tiers, units

pytestmark = pytest.mark.skipif(st.config.backend != "cpu", reason="only the native backend computes units")


class Trees:
    """A network over random binary trees, and what training makes of it step by step."""

    def __init__(self, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.random = random
        make = lambda name, *shape: st.Variable((0.4 * random.normal(size=shape)).astype(np.float32), name)
        self.table, self.weight = make("table", 20, 8), make("weight", 16, 8)
        self.bias, self.out = make("bias", 8), make("out", 8, 5)
        self.parameters = [self.table, self.weight, self.bias, self.out]
        self.optimizer = st.optim.SGD(self.parameters, learning_rate=0.1)

    def tree(self, leaves: int) -> st.Tensor:
        if leaves == 1:
            token = int(self.random.integers(20))
            return self.table[token : token + 1]
        left = int(self.random.integers(1, leaves))
        pair = st.concatenate((self.tree(left), self.tree(leaves - left)), axis=1)
        return st.tanh(pair @ self.weight + self.bias)

    def loss(self) -> st.Tensor:
        label = st.asarray([int(self.random.integers(5))])
        return nn.losses.cross_entropy(self.tree(int(self.random.integers(2, 12))) @ self.out, label)

    def step(self) -> st.Tensor:
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        return loss


def losses(steps: int, tier: str) -> list[float]:
    with st.config.override(tier=tier):
        trees = Trees()
        return [float(trees.step()) for _ in range(steps)]


def test_training_on_trees_is_what_the_references_make_of_it() -> None:
    steps = 3 * units.CHANGE
    np.testing.assert_allclose(losses(steps, "auto"), losses(steps, "interpret"), rtol=2e-5)


def test_units_are_native_after_a_while() -> None:
    with st.config.override(tier="auto"):
        trees = Trees(1)
        for _ in range(2 * units.CHANGE):
            trees.step()
        loss = trees.loss()
        (tanh,) = {n.resolution for n in st_nodes(loss) if n.op.name == "tanh"}
        assert tanh.unit.piece is not None
        float(loss)


def st_nodes(tensor: st.Tensor) -> list:
    from septet.graph.graph import order

    return order([tensor.node])


def test_a_slow_compiler_changes_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run in a process of its own: units are for all graphs of a process."""
    code = (
        "import sys, time; sys.path.insert(0, {path!r})\n"
        "import test_evaluation as t\n"
        "from septet.run import units\n"
        "make = units.begin_piece\n"
        "units.begin_piece = lambda graph: (time.sleep({pause}), make(graph))[1]\n"
        "print(t.losses(60, 'auto'))"
    )
    path = __file__.rpartition("/")[0]
    texts = [
        subprocess.run(
            [sys.executable, "-c", code.format(path=path, pause=pause)], capture_output=True, text=True, check=True
        ).stdout
        for pause in (0.0, 0.03)
    ]
    assert texts[0] == texts[1] and "nan" not in texts[0]


def warm(make: object, times: int = units.CHANGE + 2) -> None:
    """Evaluate graphs of a kind, each another one, until their units are native."""
    for number in range(times):
        make(number).value  # type: ignore[operator]


def chain(number: int, start: st.Tensor) -> st.Tensor:
    """Enough additions for it to be another graph each time."""
    for _ in range(5 + number):
        start = start + 1.0
    return start


def test_gradients_that_handles_show_while_more_is_computed_from_them() -> None:
    """With two leaves the gradient of the bias is the very cotangent that flows on."""

    def held(tier: str) -> list[np.ndarray]:
        with st.config.override(tier=tier):
            trees, found = Trees(3), []
            for number in range(2 * units.CHANGE + 10):
                loss = (trees.tree(2 + number % 3) @ trees.out).mean()
                loss.backward()
                gradients = [variable.grad for variable in trees.parameters]
                rest = [st.tanh(g * 0.5) @ st.ones((g.shape[-1], 30)) for g in gradients]  # wants other memory
                trees.optimizer.step()
                st.evaluate(loss, *gradients, *rest)
                found += [t.numpy() for t in (*gradients, *rest)]
            return found

    for one, other in zip(held("auto"), held("interpret"), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_what_is_computed_from_one_gradient_while_handles_show_the_others() -> None:
    """The whole backward pass is kept then, and what follows it on the list reads it before the list has run."""

    def found(tier: str) -> list[np.ndarray]:
        with st.config.override(tier=tier):
            trees, own = Trees(6), []
            for number in range(2 * units.CHANGE + 10):
                (trees.tree(3 + number % 4) @ trees.out).mean().backward()
                own += [(variable.grad * 0.5 + 1.0).numpy() for variable in trees.parameters]
                for variable in trees.parameters:
                    variable.zero_grad()
            return own

    for one, other in zip(found("auto"), found("interpret"), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_gradients_of_slices() -> None:
    """Parts in one piece and others, of leaves and of values, overlapping, of a value that is used as a whole too."""

    def found(tier: str) -> list[np.ndarray]:
        with st.config.override(tier=tier):
            random, own = np.random.default_rng(4), []
            x = st.Variable(random.normal(size=(6, 4)).astype(np.float32), "x")
            for number in range(2 * units.CHANGE):
                rows = [x[i : i + 1 + number % 3] for i in random.integers(0, 3, 2 + number % 5)]
                y = x * 2.0
                columns = [y[:, i : i + 2] for i in range(2)] + [y[1:3], y[2:5], y[0]]
                loss = sum([(part * part).sum() for part in (*rows, *columns, y, x)])
                loss.backward()
                own.append(x.grad.numpy())
                x.zero_grad()
            return own

    for one, other in zip(found("auto"), found("interpret"), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_an_error_in_values_names_the_users_line() -> None:
    table = st.tensor(np.arange(12, dtype=np.float32).reshape(4, 3))

    def look_up(number: int, row: int = 1) -> st.Tensor:
        index = chain(number, st.zeros(2)).astype("int64") * 0 + row
        return st.take(table, index, axis=0) * 2.0  # the line

    with st.config.override(tier="auto"):
        warm(look_up)
        with pytest.raises(IndexOutOfRangeError) as caught:
            look_up(1000, 7).numpy()
        assert "# the line" in str(caught.value) and f"{__file__}:" in str(caught.value)
        assert look_up(1001, 3).numpy().tolist() == [[18, 20, 22]] * 2


def test_values_that_handles_show_are_there_and_right() -> None:
    x = st.Variable(np.float32([1, 2, 3]), "x")

    def both(number: int) -> tuple[st.Tensor, st.Tensor, st.Tensor]:
        inner = chain(number, x * 2.0)
        product = inner * inner
        return inner, product, product.sum()

    with st.config.override(tier="auto"):
        warm(lambda number: both(number)[2])
        inner, product, total = both(500)
        total.backward()
        expected = np.float64([1, 2, 3]) * 2 + 505
        assert float(total) == pytest.approx(float((expected**2).sum()))
        np.testing.assert_allclose(inner.numpy(), expected)
        np.testing.assert_allclose(product.numpy(), expected**2)
        np.testing.assert_allclose(x.grad.numpy(), 4 * expected)
        assert not inner.value.flags.writeable
        x.zero_grad()


def test_several_results_and_views() -> None:
    x = st.tensor(np.arange(12, dtype=np.float32).reshape(3, 4))

    def parts(number: int) -> st.Tensor:
        moved = chain(number, x)
        q, r = st.linalg.qr(moved[:, :3].mT)
        top = st.sort(moved, axis=1)[1:, ::2]
        return (q @ r).sum() + (top.reshape((2, 2)).T * 2.0).sum()

    with st.config.override(tier="auto"):
        warm(parts)
        native = float(parts(9))
    with st.config.override(tier="interpret"):
        assert native == pytest.approx(float(parts(9)), rel=1e-5)


def test_a_python_function_that_asks_for_values_on_the_way() -> None:
    calls: list[int] = []

    def inside(array: np.ndarray) -> np.ndarray:
        calls.append(len(calls))
        return (chain(len(calls), st.tensor(array)) - (5.0 + len(calls))).numpy()  # an evaluation of its own

    def around(number: int) -> st.Tensor:
        before = chain(number, st.ones(3))
        return chain(1, st.callback(inside, before, before, effect=False)) + before

    with st.config.override(tier="auto"):
        warm(around)
        assert around(40).numpy().tolist() == [46 + 6 + 46] * 3


def test_what_depends_on_a_symbol_says_so() -> None:
    x = st.symbol("x", (3,))
    with pytest.raises(TracedValueError):
        chain(20, x * 2.0).numpy()


def test_memory_stays_flat() -> None:
    with st.config.override(tier="auto"):
        trees = Trees(2)
        for _ in range(150):
            trees.step()
        while compiler.is_busy():
            time.sleep(0.01)
        gc.collect()
        tracemalloc.start()
        try:
            for _ in range(50):
                trees.step()
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(200):
                trees.step()
            gc.collect()
            growth = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
    assert growth < 200_000  # keys of graphs that came once, of which there are `tiers.MOST` at most
    assert len(tiers._ends) <= tiers.MOST + 1


def test_a_constant_of_a_numpy_scalar_is_an_array() -> None:
    """Native units ask where its elements lie."""
    node = constant(np.complex128(2 + 3j))
    assert type(node.value) is np.ndarray and node.value == 2 + 3j
