"""Tiers of define-by-run code: when a graph is compiled, and that every run of a program has the same results."""

from __future__ import annotations

import time

import numpy as np
import pytest

import septet as st
from septet.run import effort, hot, tiers

pytestmark = pytest.mark.skipif(st.config.backend != "cpu", reason="only the native backend compiles in the background")


def step(x: st.Tensor) -> st.Tensor:
    """Enough nodes for compiling to be worth it."""
    return st.sum(st.tanh(x * 1.7 + 0.3) * st.exp(-x) + st.sqrt(x * x + 1.0))


def entries() -> dict[object, tiers.Entry]:
    return dict(tiers._entries)


def values(count: int) -> list[bytes]:
    x = st.tensor(np.linspace(-2, 2, 1013, dtype=np.float32))
    return [step(x).numpy().tobytes() for _ in range(count)]


def test_a_graph_that_comes_again_is_compiled() -> None:
    before = entries()
    with st.config.override(tier="auto"):
        values(tiers.CHANGE + 1)
    new = [entry for key, entry in entries().items() if key not in before]
    assert [entry.program is not None for entry in new].count(True) == 1
    assert not any(entry.error for entry in new)


def test_a_slow_compiler_changes_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """The change of tier comes with the same evaluation, whether or not the compiler was ready long before."""
    with st.config.override(tier="auto"):
        monkeypatch.setattr(tiers, "_entries", {})
        at_once = values(10)
        prepare = hot._prepare

        def slowly(graph: object) -> object:
            time.sleep(0.3)
            return prepare(graph)

        monkeypatch.setattr(hot, "_prepare", slowly)
        monkeypatch.setattr(tiers, "_entries", {})
        assert values(10) == at_once


def test_compiling_at_once_has_one_result() -> None:
    with st.config.override(tier="compile"):
        assert len(set(values(5))) == 1


def test_interpreting_has_one_result() -> None:
    before = len(entries())
    with st.config.override(tier="interpret"):
        assert len(set(values(5))) == 1
    assert len(entries()) == before


def test_a_step_that_assigns_many_variables_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes along with a request (here running means) has an order, or no step would be like the one before."""
    monkeypatch.setattr(tiers, "_entries", {})
    weights = [st.Variable(np.full(3, 0.1 * n, np.float32)) for n in range(24)]
    means = [st.Variable(np.zeros(3, np.float32)) for _ in weights]
    optimizer = st.optim.SGD(weights, learning_rate=0.1)
    x = st.tensor(np.array([0.5, -1.0, 2.0], np.float32))
    with st.config.override(tier="auto"):
        for _ in range(tiers.CHANGE + 1):
            h = x
            for n, (weight, mean) in enumerate(zip(weights, means, strict=True)):
                h = st.tanh(h * weight + 0.01 * n)
                mean.assign(0.9 * mean + 0.1 * h)
            st.sum(h).backward()
            optimizer.step()
            st.evaluate([h, *means])
    assert [entry.program is not None for entry in tiers._entries.values()].count(True) == 1


def large(value: float) -> st.Tensor:
    """Work for a third of a second with NumPy, in few nodes."""
    x = st.full((1 << 22,), value, dtype="float32")
    y = x
    for n in range(12):
        y = st.exp(st.sin(y)) * (0.1 * n + 1.1)
    return y.mean()


def test_a_large_graph_is_compiled_the_first_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "_entries", {})
    with st.config.override(tier="auto"):
        first = large(0.3).item()
    assert [entry.program is not None for entry in entries().values()] == [True]
    assert hot.compiles()[-1].reason == "it is large"
    with st.config.override(tier="interpret"):
        assert large(0.3).item() == pytest.approx(first, rel=1e-4)


def test_effects_of_a_large_graph_happen_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """Whether to compile is asked before anything happens."""
    monkeypatch.setattr(tiers, "_entries", {})
    with st.config.override(tier="auto"):
        loss = large(0.2)
        st.print(loss, "seen")
        loss.item()
    assert capsys.readouterr().out.count("seen") == 1


def test_a_large_graph_that_cannot_be_compiled_is_interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(graph: object) -> object:
        raise ValueError("no compiler today")

    monkeypatch.setattr(tiers, "_entries", {})
    monkeypatch.setattr(hot, "_prepare", fail)
    with st.config.override(tier="auto"):
        value = large(0.4).item()
    with st.config.override(tier="interpret"):
        assert large(0.4).item() == value


def test_a_middling_graph_is_waited_for_when_it_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy beside the compiler would slow both: the second time, the program is waited for."""
    monkeypatch.setattr(tiers, "_entries", {})
    monkeypatch.setattr(tiers, "_large", 0)
    monkeypatch.setattr(effort, "WORTH_WAITING", 1e3)
    with st.config.override(tier="auto"):
        values(2)
        assert [entry.program is not None for entry in entries().values()] == [True]


def test_the_first_step_of_a_loop_is_like_those_that_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots of variables are made in another order before the first step than by the steps."""
    monkeypatch.setattr(tiers, "_entries", {})
    mean = st.Variable(np.zeros(3, np.float32))
    weights = [st.Variable(np.full((3, 3), 0.1 * n, np.float32)) for n in range(4)]
    bias = st.Variable(np.zeros(3, np.float32))
    optimizer = st.optim.SGD([*weights, bias], learning_rate=0.1, momentum=0.9)
    x = st.tensor(np.array([[0.5, -1.0, 2.0]], np.float32))
    with st.config.override(tier="compile"):
        for _ in range(3):
            h = x
            for weight in reversed(weights):
                h = st.tanh(h @ weight + bias)
            mean.assign(0.9 * mean + 0.1 * h.mean(axis=0))
            loss = st.sum(h * h)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            loss.item()
    assert len(tiers._entries) == 1


def test_numbers_that_change_from_step_to_step_are_inputs_of_one_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """A learning rate as a Python float."""
    monkeypatch.setattr(tiers, "_entries", {})
    w = st.Variable(np.ones((3, 3), np.float32))
    x = st.tensor(np.array([[0.5, -1.0, 2.0]], np.float32))
    expected = np.ones((3, 3), np.float32)
    with st.config.override(tier="auto"):
        for step in range(tiers.CHANGE + 3):
            rate = 0.1 * 0.9**step
            loss = st.sum(st.tanh(x @ w) * 3.0)
            loss.backward()
            w.assign(w - rate * w.grad)
            w.zero_grad()
            loss.item()
            slope = 3 * (1 - np.tanh(x.numpy() @ expected) ** 2)
            expected = expected - np.float32(rate) * (x.numpy().T @ slope)
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-5)
    assert [entry.program is not None for entry in entries().values()] == [True]
