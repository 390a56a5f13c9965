"""Shapes that depend on data: eager, tracked and symbolic; distinct values, positions and counts against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from hypothesis.extra import numpy as arrays

import septet as st
from septet.base.errors import ArgumentError, DTypeError, IndexOutOfRangeError, ShapeError

SMALL = arrays.arrays(
    np.int32, arrays.array_shapes(max_dims=3, min_side=0, max_side=4), elements=strategies.integers(-3, 3)
)


@settings(max_examples=40)
@given(SMALL)
def test_distinct_values(x):
    values, indices, inverse, counts = st.unique_all(st.asarray(x))
    expected = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    for found, wanted in zip((values, indices, inverse, counts), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(values.numpy()[inverse.numpy()], x)
    assert values.type.is_known and inverse.shape == x.shape  # the sizes are known as soon as the values are
    np.testing.assert_array_equal(st.unique_values(st.asarray(x)), expected[0])
    np.testing.assert_array_equal(st.unique_counts(st.asarray(x)).counts, expected[3])
    np.testing.assert_array_equal(st.unique_inverse(st.asarray(x)).inverse_indices, expected[2])


def test_every_nan_is_distinct():
    values, _, inverse, counts = st.unique_all(st.asarray([np.nan, 1.0, np.nan, -0.0, 0.0]))
    np.testing.assert_array_equal(values, [0, 1, np.nan, np.nan])
    assert counts.tolist() == [2, 1, 1, 1] and sorted(inverse.tolist()) == [0, 0, 1, 2, 3]
    half = st.unique(st.asarray([2.0, 1.0, 2.0]).astype("bfloat16"))
    assert half.dtype.name == "bfloat16" and half.astype("float32").tolist() == [1, 2]
    values, counts = st.unique(st.asarray([3, 1, 3]), return_counts=True)
    assert values.tolist() == [1, 3] and counts.tolist() == [1, 2]


@settings(max_examples=40)
@given(SMALL)
def test_positions(x):
    t = st.asarray(x)
    for found, wanted in zip(st.nonzero(t), np.nonzero(x), strict=True):
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(st.argwhere(t), np.argwhere(x))
    np.testing.assert_array_equal(st.flatnonzero(t), np.flatnonzero(x))
    assert st.count_nonzero(t).item() == len(st.argwhere(t))


def test_positions_of_tracked_tensors_have_known_sizes():
    w = st.Variable(np.array([0.0, 2.0, 3.0]))
    (places,) = (w * 2).nonzero()
    assert places.shape == (2,) and places.type.is_known
    w[places].sum().backward()
    np.testing.assert_array_equal(w.grad, [0, 1, 1])
    with pytest.raises(ShapeError, match="a scalar has no positions"):
        st.nonzero(st.asarray(1.0))


def test_sizes_are_unknown_in_symbolic_graphs():
    x = st.symbol("x", (None,))
    values = st.unique_values(x)
    assert values.type.shape == (None,)
    call = st.function([x], [values.sum(), st.argwhere(x)])
    total, places = call(np.array([1, 0, 1, 5], np.float32))
    assert total.item() == 6 and places.tolist() == [[0], [2], [3]]
    total, places = call(np.zeros(2, np.float32))
    assert total.item() == 0 and places.shape == (0, 1)


@settings(max_examples=30)
@given(strategies.lists(strategies.integers(0, 6), max_size=10), strategies.integers(0, 9))
def test_bincount(values, minlength):
    x = np.array(values, np.int64)
    weights = np.arange(len(x)) * 0.5
    np.testing.assert_array_equal(st.bincount(st.asarray(x), minlength=minlength), np.bincount(x, minlength=minlength))
    found = st.bincount(st.asarray(x), st.asarray(weights), minlength)
    np.testing.assert_allclose(found, np.bincount(x, weights, minlength))
    assert st.bincount(st.asarray(x), length=8).shape == (8,)


def test_bincount_in_batches_and_its_gradient():
    x = st.asarray([[0, 1, 1], [2, 2, 2]])
    assert st.vmap(lambda row: st.bincount(row, length=3))(x).tolist() == [[1, 2, 0], [0, 0, 3]]
    with pytest.raises(ArgumentError, match="may have different sizes"):
        st.vmap(st.bincount)(x)
    w = st.Variable(np.array([1.0, 2.0, 3.0]))
    (st.bincount(x[0], w, length=2) * st.asarray(np.array([10.0, 100.0]))).sum().backward()
    assert w.grad.tolist() == [10, 100, 100]
    total, t = st.jvp(lambda v: st.bincount(x[0], v), (w,), (st.asarray(np.array([1.0, 0.5, 0.25])),))
    assert total.tolist() == [1, 5] and t.tolist() == [1, 0.75]


def test_bincount_refuses_what_it_cannot_count():
    with pytest.raises(IndexOutOfRangeError, match="value 5 at position 1 is outside 0 to 2"):
        st.bincount(st.asarray([0, 5]), length=3)
    with pytest.raises(IndexOutOfRangeError, match="value -1 at position 0"):
        st.bincount(st.asarray([-1]))
    with pytest.raises(DTypeError, match="takes bool, integer"):
        st.bincount(st.asarray([0.0]))
    with pytest.raises(ArgumentError, match="exclude each other"):
        st.bincount(st.asarray([0]), minlength=1, length=3)
