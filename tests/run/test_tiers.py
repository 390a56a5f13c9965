"""Tiers of define-by-run code: when a graph is compiled, and that every run of a program has the same results."""

from __future__ import annotations

import time

import numpy as np
import pytest

import septet as st
from septet.run import hot, tiers

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
