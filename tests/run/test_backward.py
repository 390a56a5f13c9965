"""Backward passes put on the list of native calls: gradients of graphs that are another one each time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import septet as st
from septet.run import recorder, tiers, units

pytestmark = pytest.mark.skipif(st.config.backend != "cpu", reason="units are pieces of the native backend")

WAYS = (recorder.use_python, recorder.use_native)
"""`tests/backends/cpu/test_recorder.py` compares the two in detail."""


@pytest.fixture(autouse=True)
def units_only(monkeypatch: pytest.MonkeyPatch):
    """Let no graph be compiled as a whole because it comes again; leave whoever records as it is."""
    before = tiers._clock
    monkeypatch.setattr(tiers, "RECENT", 0)
    yield
    (recorder.use_native if before >= tiers.MANY else recorder.use_python)()


def compare(loss_of: Callable[[st.Variable, int], st.Tensor], values: np.ndarray) -> None:
    """Compare gradients by native units with those of the interpreter, for several graphs."""
    v = st.Variable(values)

    def gradient(count: int) -> np.ndarray:
        loss_of(v, count).backward()
        assert v.grad is not None
        found = v.grad.numpy()
        v.zero_grad()
        return found

    with st.config.override(tier="interpret"):
        right = [gradient(count) for count in range(1, 6)]
    for use in WAYS:
        use()
        with st.config.override(tier="auto"):
            for turn in range(units.CHANGE + 3):
                for count, expected in enumerate(right, start=1):
                    message = f"turn {turn}, {count} steps, {use.__name__}"
                    np.testing.assert_allclose(gradient(count), expected, rtol=1e-4, atol=1e-5, err_msg=message)


def test_a_cotangent_that_two_values_have() -> None:
    """A sum hands its cotangent on to two values: one has another use, and takes it up at once, the other one later.

    Its memory must not be used again before.
    """

    def loss_of(v: st.Variable, count: int) -> st.Tensor:
        a = st.tanh(v)
        for _ in range(count):
            early = st.exp(a)
            between = st.sin(a * 0.5)
            total = a + early
            a = st.tanh(total) * a * between
        return (a * a).sum()

    compare(loss_of, np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4))


def test_slices_fill_the_cotangent_of_what_they_are_parts_of() -> None:
    def loss_of(v: st.Variable, count: int) -> st.Tensor:
        rows = [v[n : n + 1] for n in range(count)]
        return (st.concatenate([row * row for row in rows] + [st.tanh(v)], axis=0) ** 2).sum()

    compare(loss_of, np.linspace(-1, 1, 24, dtype=np.float32).reshape(6, 4))


def test_parts_of_large_cotangents_are_copied() -> None:
    """What is joined of large tensors hands parts of a large cotangent on, whose memory is to be used again."""

    def loss_of(v: st.Variable, count: int) -> st.Tensor:
        a = v * 2.0
        for n in range(count + 1):
            a = st.concatenate((st.tanh(a), a), axis=0)[100:300] * 1.0 if n % 3 else st.exp(-a * a)
        return a.sum()

    compare(loss_of, np.linspace(-1, 1, 40000, dtype=np.float32).reshape(200, 200))
