"""Estimates of what NumPy takes: what decides whether a graph is compiled the first time."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.graph.graph import order
from septet.run import effort


def nanoseconds(*tensors: st.Tensor) -> float:
    return effort.of_nodes(order([tensor.node for tensor in tensors]))


@pytest.fixture
def x() -> st.Tensor:
    return st.tensor(np.ones((64, 64), np.float32))


def test_work_grows_with_elements_and_with_what_is_computed(x: st.Tensor) -> None:
    small, wide = x + 1.5, st.concatenate([x, x]) + 1.5
    assert nanoseconds(small) == pytest.approx(64 * 64 * effort.SIMPLE)
    assert nanoseconds(wide) > 2 * nanoseconds(small)
    assert nanoseconds(st.exp(x)) > nanoseconds(small)


def test_products_and_views_count_nothing(x: st.Tensor) -> None:
    assert nanoseconds(x @ x) == nanoseconds(x.T) == nanoseconds(st.reshape(x, (-1,))) == 0


def test_what_is_known_counts_nothing(x: st.Tensor) -> None:
    y = st.exp(x)
    before = nanoseconds(y)
    y.numpy()
    assert nanoseconds(y) == 0 < before


def test_a_backward_pass_counts_what_its_pulls_do() -> None:
    w = st.Variable(np.ones((64, 64), np.float32))
    loss = st.sum(st.tanh(w) * w)
    forward = nanoseconds(loss)
    loss.backward()
    assert nanoseconds(w.grad) > forward + 64 * 64 * effort.SIMPLE


def test_convolutions_count_their_windows() -> None:
    image = st.tensor(np.ones((2, 3, 32, 32), np.float32))
    narrow = st.conv(image, st.tensor(np.ones((8, 3, 1, 1), np.float32)))
    wide = st.conv(image, st.tensor(np.ones((8, 3, 5, 5), np.float32)), padding=2)
    assert 0 < nanoseconds(narrow) < nanoseconds(wide)
