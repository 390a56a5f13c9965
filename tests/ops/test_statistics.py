"""Median, quantiles and histograms against NumPy; infinite neighbours, NaN, unknown sizes, gradients."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, DTypeError

X = np.random.default_rng(0).normal(size=(3, 4, 5))


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (2, 1), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_quantiles(axis, keepdims):
    for q in (0.5, 0.0, 1.0, [0.1, 0.9], [[0.2, 0.3, 0.7]]):
        for method in ("linear", "lower", "higher", "nearest", "midpoint"):
            found = st.quantile(st.asarray(X), q, axis, method=method, keepdims=keepdims)
            expected = np.quantile(X, q, axis=axis, method=method, keepdims=keepdims)
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(st.median(st.asarray(X), axis, keepdims=keepdims), np.median(X, axis, keepdims=keepdims))
    np.testing.assert_allclose(st.percentile(st.asarray(X), [25, 75], axis), np.percentile(X, [25, 75], axis))


@pytest.mark.parametrize("values", [[1, np.nan, 2], [np.inf, np.inf, 1], [np.inf] * 4, [-np.inf, 1, 2, np.inf], [7]])
def test_special_values(values):
    np.testing.assert_array_equal(st.median(st.asarray(values)), np.float32(np.median(values)))


def test_dtypes():
    assert st.median(st.asarray([1, 2])).dtype == np.float32 and st.median(st.asarray([1, 2])).item() == 1.5
    assert st.median(st.asarray([1.0, 2.0]).astype("bfloat16")).dtype.name == "bfloat16"
    with pytest.raises(DTypeError, match="have no order"):
        st.median(st.ones(2, dtype="complex64"))


def test_gradients():
    w = st.Variable(np.array([3.0, 1.0, 2.0, 5.0]))
    st.median(w).backward()
    assert w.grad.tolist() == [0.5, 0, 0.5, 0]
    w.zero_grad()
    st.quantile(w, 0.75).backward()
    np.testing.assert_allclose(w.grad, [0.75, 0, 0, 0.25])


def test_unknown_sizes():
    x = st.symbol("x", (None, 2), dtype="float64")
    call = st.function([x], [st.median(x, axis=0), st.quantile(x, [0.25, 0.5])])
    for size in (1, 4, 5):
        value = X.reshape(-1, 2)[:size]
        middle, quarters = call(value)
        np.testing.assert_allclose(middle, np.median(value, axis=0))
        np.testing.assert_allclose(quarters, np.quantile(value, [0.25, 0.5]))


def test_errors():
    with pytest.raises(ArgumentError, match="q must be between 0 and 1, got 2"):
        st.quantile(st.ones(3), 2)
    with pytest.raises(ArgumentError, match="median: there are no elements"):
        st.median(st.zeros((0, 2)), axis=0)
    with pytest.raises(ArgumentError, match="method must be one of linear"):
        st.quantile(st.ones(3), 0.5, method="mean")


@pytest.mark.parametrize(
    "options",
    [{}, {"bins": 5}, {"bins": [-1, 0, 0.5, 2]}, {"range": (-1, 1)}, {"density": True},
     {"weights": X}, {"weights": X, "density": True, "bins": 3}],
)  # fmt: skip
def test_histograms(options):
    counts, edges = st.histogram(st.asarray(X), **options)
    expected, places = np.histogram(X, **options)
    np.testing.assert_allclose(counts, expected)
    np.testing.assert_allclose(edges, places)
    assert counts.dtype == expected.dtype


def test_flat_and_empty_histograms():
    for values in ([1.0, 1.0], []):
        counts, edges = st.histogram(st.asarray(np.array(values)), 4)
        expected, places = np.histogram(values, 4)
        np.testing.assert_array_equal(counts, expected)
        np.testing.assert_allclose(edges, places)
    with pytest.raises(ArgumentError, match="bins must be at least 1, got 0"):
        st.histogram(st.ones(2), 0)
    with pytest.raises(ArgumentError, match="range must be two finite numbers"):
        st.histogram(st.ones(2), 2, range=(1, 0))
    with pytest.raises(ArgumentError, match="at least two elements"):
        st.histogram(st.ones(2), [1.0])


def test_weights_of_histograms_have_gradients():
    w = st.Variable(np.ones(3))
    counts, _ = st.histogram(st.asarray([0.1, 0.9, 0.2]), 2, range=(0, 1), weights=w)
    (counts * st.asarray(np.array([1.0, 10.0]))).sum().backward()
    assert w.grad.tolist() == [1, 10, 1]
