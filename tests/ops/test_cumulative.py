"""Cumulative ops: directions, initial elements, zeros, ties and minus infinity, both modes of differentiation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies

import septet as st
from septet.base.errors import ArgumentError, ShapeError


def gradient(call, value):
    variable = st.Variable(np.asarray(value, np.float64))
    call(variable).backward()
    return variable.grad.numpy()


NUMPY = {
    "cumulative_sum": np.cumsum, "cumulative_prod": np.cumprod, "cumulative_max": np.maximum.accumulate,
    "cumulative_min": np.minimum.accumulate, "cumulative_logsumexp": np.logaddexp.accumulate,
}  # fmt: skip
FIRST = {"cumulative_sum": 0, "cumulative_prod": 1, "cumulative_max": -np.inf, "cumulative_min": np.inf,
         "cumulative_logsumexp": -np.inf}  # fmt: skip


@pytest.mark.parametrize("name", NUMPY)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("exclusive", [False, True])
def test_agrees_with_numpy(name, reverse, exclusive):
    x = np.random.default_rng(1).normal(size=(3, 4, 2))
    turned = x[:, ::-1] if reverse else x
    expected = NUMPY[name](turned, axis=1)
    if exclusive:
        expected = np.concatenate([np.full((3, 1, 2), FIRST[name]), expected[:, :-1]], axis=1)
    found = getattr(st, name)(st.asarray(x), axis=1, reverse=reverse, exclusive=exclusive)
    np.testing.assert_allclose(found, expected[:, ::-1] if reverse else expected)


def test_include_initial():
    x = st.asarray([2.0, 3.0, 4.0])
    assert st.cumulative_sum(x, include_initial=True).tolist() == [0, 2, 5, 9]
    assert st.cumulative_prod(x, include_initial=True).tolist() == [1, 2, 6, 24]
    assert st.cumulative_prod(x, include_initial=True, reverse=True).tolist() == [24, 12, 4, 1]
    np.testing.assert_allclose(gradient(lambda v: st.cumulative_prod(v, include_initial=True)[-1], x), [12, 8, 6])
    with pytest.raises(ArgumentError, match="exclude each other"):
        st.cumulative_sum(x, include_initial=True, exclusive=True)


def test_dtypes_and_axis():
    assert st.cumsum(st.asarray(np.array([200, 100], np.uint8))).tolist() == [200, 300]
    assert st.cumsum(st.asarray([True, True])).dtype == np.int64
    assert st.cumsum(st.asarray([1, 2]), dtype="float64").dtype == np.float64
    assert st.ones((3,)).cumprod().dtype == np.float32
    assert float(st.cumsum(st.ones(5000, dtype="float16"))[-1]) == 5000  # float16 alone stops at 2048
    exclusive = st.cumulative_max(st.asarray(np.array([3, 5], np.int8)), exclusive=True)
    assert exclusive.tolist() == [-128, 3] and exclusive.dtype == np.int8
    with pytest.raises(ArgumentError, match="needs an axis for a tensor of rank 2"):
        st.cumsum(st.ones((2, 2)))
    with pytest.raises(ArgumentError, match="rank 0"):
        st.cumsum(st.asarray(1.0))


@settings(max_examples=30)
@given(strategies.lists(strategies.sampled_from([0.0, 1.0, -2.0, 3.0]), min_size=1, max_size=6))
def test_products_of_zeros_have_exact_derivatives(values):
    x = np.array(values)
    n = len(x)
    jacobian = np.array([[np.prod(np.delete(x[: k + 1], i)) if i <= k else 0.0 for i in range(n)] for k in range(n)])
    weights = np.arange(1.0, n + 1)
    np.testing.assert_allclose(gradient(lambda v: (st.cumprod(v) * st.asarray(weights)).sum(), x), weights @ jacobian)
    _, tangent = st.jvp(st.cumprod, (st.asarray(x),), (st.asarray(weights),))
    np.testing.assert_allclose(tangent, jacobian @ weights)


def test_running_extremes():
    x = [1.0, 3.0, 2.0, 3.0, 5.0]
    weights = st.asarray(np.array([1.0, 10, 100, 1000, 10000]))
    np.testing.assert_allclose(gradient(lambda v: (st.cumulative_max(v) * weights).sum(), x), [1, 1110, 0, 0, 10000])
    np.testing.assert_allclose(gradient(lambda v: (st.cumulative_min(v) * weights).sum(), x), [11111, 0, 0, 0, 0])
    found = gradient(lambda v: st.cumulative_max(v)[0], [-np.inf, 1.0])
    np.testing.assert_allclose(found, [1, 0])
    np.testing.assert_array_equal(st.cumulative_max(st.asarray([1.0, np.nan, 2.0])), [1, np.nan, np.nan])


def test_logsumexp_of_zeros():
    x = np.array([-np.inf, -np.inf, 800.0, -800.0, 801.0])
    found = st.cumulative_logsumexp(st.asarray(x), axis=0)
    np.testing.assert_allclose(found, np.logaddexp.accumulate(x))
    g = gradient(lambda v: st.cumulative_logsumexp(v)[4], x)
    np.testing.assert_allclose(g, np.exp(x - np.logaddexp.reduce(x)), atol=1e-12)
    _, t = st.jvp(lambda v: st.cumulative_logsumexp(v)[2:], (st.asarray(x),), (st.asarray(np.ones(5)),))
    np.testing.assert_allclose(t, [1, 1, 1])


def test_linear_recurrence():
    a, b = np.random.default_rng(2).normal(size=(2, 3, 5))
    expected = np.zeros((3, 5))
    state = np.zeros(3)
    for t in range(5):
        state = a[:, t] * state + b[:, t]
        expected[:, t] = state
    np.testing.assert_allclose(st.linear_recurrence(st.asarray(a), st.asarray(b)), expected)
    turned = st.linear_recurrence(st.asarray(a[:, ::-1]), st.asarray(b[:, ::-1]), reverse=True)
    np.testing.assert_allclose(turned.numpy()[:, ::-1], expected)
    with pytest.raises(ShapeError, match="must have one shape"):
        st.linear_recurrence(st.ones(3), st.ones((1, 3)))


def test_unknown_size():
    x = st.symbol("x", (2, None), dtype="float64")
    y = st.cumulative_prod(x, axis=1)
    call = st.function([x], [y, st.grad(y.sum(), x), st.diff(x), st.cumulative_sum(x, axis=1, include_initial=True)])
    value = np.array([[2.0, 0.0, 3.0], [1.0, 2.0, 3.0]])
    products, g, steps, sums = call(value)
    np.testing.assert_allclose(products, np.cumprod(value, axis=1))
    np.testing.assert_allclose(g, [[1, 8, 0], [9, 4, 2]])
    np.testing.assert_allclose(steps, np.diff(value))
    assert sums.shape == (2, 4)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_diff(n):
    x = np.arange(12.0).reshape(3, 4) ** 2
    np.testing.assert_array_equal(st.diff(st.asarray(x), n), np.diff(x, n))
    np.testing.assert_array_equal(st.diff(st.asarray(x), n, axis=0, prepend=1.0), np.diff(x, n, axis=0, prepend=1.0))


def test_diff_of_others():
    assert st.diff(st.asarray([True, False, False])).tolist() == [True, False]
    assert st.diff(st.asarray([1, 4]), append=st.asarray([9, 16])).tolist() == [3, 5, 7]
    with pytest.raises(ArgumentError, match="n must be an integer"):
        st.diff(st.ones(3), -1)
