"""Shapes and classes that are checked when the graph runs."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, ShapeError


def test_known_sizes_cost_nothing():
    x = st.ones((2, 3))
    assert st.ensure_shape(x, (2, 3)).node is x.node
    assert st.ensure_shape(x, (None, 3)).node is x.node
    with pytest.raises(ShapeError, match=r"ensure_shape: the shape is \(2, 3\), it must be \(\?, 4\)"):
        st.ensure_shape(x, (None, 4))
    with pytest.raises(ShapeError, match=r"it must be \(6,\)"):
        st.ensure_shape(x, 6)


def test_sizes_are_known_from_there_on_and_checked_when_the_graph_runs():
    x = st.symbol("x", (None, None))
    y = st.ensure_shape(x, (None, 3))
    assert y.type.shape == (None, 3)
    f = st.function([x], y * 2)
    np.testing.assert_array_equal(f(np.ones((2, 3), np.float32)), np.full((2, 3), 2))
    with pytest.raises(ShapeError, match=r"ensure_shape: the shape is \(3, 2\), it must be \(3, 3\)|\(\?, 3\)"):
        f(np.ones((3, 2), np.float32))


def test_a_size_may_be_another_tensors():
    x, y = st.symbol("x", (None,)), st.symbol("y", (None,))
    f = st.function([x, y], st.ensure_shape(x, y.shape) + y)
    np.testing.assert_array_equal(f(np.ones(2, np.float32), np.ones(2, np.float32)), [2, 2])
    with pytest.raises(ShapeError, match=r"the shape is \(1,\), it must be \(2,\)"):
        f(np.ones(1, np.float32), np.ones(2, np.float32))
    with pytest.raises(ArgumentError, match="a size is an integer scalar"):
        st.ensure_shape(x, (y,))
