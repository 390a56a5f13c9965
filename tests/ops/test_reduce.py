"""Reductions where the generic tests do not look: edge values, short floats, unknown sizes, zeros and ties."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings, strategies
from hypothesis.extra import numpy as arrays

import septet as st
from septet.base.errors import ArgumentError, DTypeError, ShapeError


def gradient(call, *values):
    variables = [st.Variable(np.asarray(value, np.float64)) for value in values]
    call(*variables).backward()
    return [variable.grad.numpy() for variable in variables]


def second(call, value, direction):
    """The derivative of <gradient, direction>: one column of the second order."""
    variable = st.Variable(np.asarray(value, np.float64))
    call(variable).backward(create_graph=True)
    first = variable.grad
    variable.grad = None
    (first * st.asarray(np.asarray(direction, np.float64))).sum().backward()
    return variable.grad.numpy()


@pytest.mark.parametrize("dtype", ["bool", "int8", "int32", "uint8", "uint64", "float16", "bfloat16", "complex64"])
def test_dtype_of_sums(dtype):
    x = st.ones((300,), dtype=dtype)
    expected = {"b": "int64", "i": "int64", "u": "uint64"}.get(np.dtype(x.dtype).kind, dtype)
    assert x.sum().dtype == expected and x.prod().dtype == expected
    assert complex(x.sum().item()) == 300


def test_dtype_asked_for():
    x = st.asarray(np.full(4, 100, np.int8))
    assert x.sum(dtype="int8").dtype == np.int8
    assert x.sum(dtype="int8").item() == np.full(4, 100, np.int8).sum(dtype=np.int8)
    assert st.sum(st.asarray([1.7, 1.7]), dtype="int32").item() == 2  # converted before it is summed
    assert st.prod(st.asarray([2, 3]), dtype=float).dtype == np.float32


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_short_floats_are_accumulated_in_float32(dtype):
    x = st.ones((5000,), dtype=dtype)
    assert float(x.sum()) == pytest.approx(5000, rel=1e-2)
    assert float(x.mean()) == 1
    assert float((st.arange(5000, dtype="float32") / 100).astype(dtype).var()) == pytest.approx(208.3, rel=2e-2)


def test_the_gradient_of_a_mean_in_half_precision_does_not_vanish():
    w = st.Variable(np.ones(70_000, np.float16))
    (w.mean() * 1024).backward()
    assert float(w.grad[0]) == pytest.approx(1024 / 70_000, rel=1e-2)


def test_extremes_propagate_nan_and_keep_infinity():
    x = st.asarray([[1.0, np.nan, 3.0], [-np.inf, 0.0, 2.0]])
    np.testing.assert_array_equal(x.max(axis=1), [np.nan, 2.0])
    np.testing.assert_array_equal(st.amin(x, axis=1), [np.nan, -np.inf])
    assert x.argmax().item() == 1 and x.argmin(axis=1).tolist() == [1, 0]
    b = x.astype("bfloat16")
    assert np.isnan(float(b.max())) and b.argmax().item() == 1


def test_ties_share_the_gradient():
    (g,) = gradient(lambda x: st.max(x, axis=1).sum(), [[1, 3, 3], [2, 2, 2]])
    np.testing.assert_allclose(g, [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]])
    (g,) = gradient(lambda x: st.min(x), [[4, 3], [3, 5]])
    np.testing.assert_allclose(g, [[0, 0.5], [0.5, 0]])


def test_first_position_wins():
    x = st.asarray([[2, 7, 7], [7, 1, 1]])
    assert x.argmax().item() == 1 and x.argmin().item() == 4
    assert x.argmax(axis=0, keepdims=True).tolist() == [[1, 0, 0]]
    assert st.argmax(x, keepdims=True).shape == (1, 1)
    assert st.argmax(x).dtype == np.int64


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
def test_prod_with_zeros_to_second_order(zeros):
    x = np.array([2.0, -3.0, 0.5, 4.0])
    x[:zeros] = 0
    expected = np.array([np.prod(np.delete(x, i)) for i in range(4)])
    np.testing.assert_allclose(gradient(st.prod, x)[0], expected)
    hessian = np.array([[0.0 if i == j else np.prod(np.delete(x, [i, j])) for j in range(4)] for i in range(4)])
    for j in range(4):
        np.testing.assert_allclose(second(st.prod, x, np.eye(4)[j]), hessian[j])


def test_logsumexp_edges():
    x = np.array([[1000.0, 1000.0], [-np.inf, 1.0], [-np.inf, -np.inf], [np.inf, 1.0], [np.nan, 1.0]])
    np.testing.assert_allclose(st.logsumexp(st.asarray(x), axis=1), scipy.special.logsumexp(x, axis=1))
    (g,) = gradient(lambda t: st.logsumexp(t, axis=1).sum(), x[:3])
    np.testing.assert_allclose(g, [[0.5, 0.5], [0, 1], [0, 0]])
    assert float(st.logsumexp(st.zeros((0,)))) == -np.inf
    np.testing.assert_allclose(second(st.logsumexp, [0.0, -np.inf], [1.0, 1.0]), [0, 0], atol=1e-15)


NAMES = ["sum", "mean", "max", "min", "prod", "var", "std", "any", "all", "argmax", "argmin", "count_nonzero"]


@settings(max_examples=40)
@given(
    arrays.arrays(np.float64, arrays.array_shapes(max_dims=3, max_side=4), elements=strategies.floats(-1e3, 1e3)),
    strategies.sampled_from(
        ["sum", "mean", "max", "min", "prod", "var", "std", "any", "all", "argmax", "argmin", "count_nonzero"]
    ),
    strategies.booleans(),
    strategies.data(),
)
def test_agrees_with_numpy(x, name, keepdims, data):
    axis = data.draw(strategies.sampled_from([None, *range(-x.ndim, x.ndim)]))
    found = getattr(st, name)(st.asarray(x), axis=axis, keepdims=keepdims).numpy()
    expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
    assert found.shape == np.shape(expected) and found.dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_variance():
    x = np.random.default_rng(0).normal(size=(4, 5)) + 1e6  # two passes: the squares of the values do not cancel
    np.testing.assert_allclose(st.var(st.asarray(x), axis=0, correction=1), x.var(axis=0, ddof=1), rtol=1e-9)
    z = x + 1j * x[::-1]
    assert st.var(st.asarray(z)).dtype == np.float64
    np.testing.assert_allclose(st.var(st.asarray(z)), z.var())
    assert np.isnan(float(st.var(st.ones((1,)), correction=1)))
    (g,) = gradient(lambda t: st.var(t, axis=1, correction=1).sum(), x[:, :3])
    np.testing.assert_allclose(g, x[:, :3] - x[:, :3].mean(axis=1, keepdims=True), rtol=1e-6)
    assert st.std(st.asarray([1, 3])).dtype == np.float32


def test_unknown_sizes():
    x = st.symbol("x", (None, 3), dtype="float64")
    w = np.arange(6.0).reshape(2, 3)
    outputs = [x.mean(axis=0), st.grad(x.mean(axis=(0, 1)), x), x.var(axis=0), x.max(axis=0), st.grad(x.prod(), x)]
    call = st.function([x], outputs)
    mean, g, var, largest, p = call(w)
    np.testing.assert_allclose(mean, w.mean(axis=0))
    np.testing.assert_allclose(g, np.full((2, 3), 1 / 6))
    np.testing.assert_allclose(var, w.var(axis=0))
    np.testing.assert_allclose(largest, w[1])
    np.testing.assert_allclose(p, [[120, 0, 0], [0, 0, 0]])
    with pytest.raises(ShapeError, match="no elements along axis 0"):
        call(np.zeros((0, 3)))


def test_empty():
    x = st.zeros((0, 3))
    assert x.sum(axis=0).tolist() == [0, 0, 0] and x.prod(axis=0).tolist() == [1, 1, 1]
    assert np.isnan(x.mean(axis=0).numpy()).all()
    assert x.max(axis=1).shape == (0,) and x.argmax(axis=1).shape == (0,)
    assert st.any(x).item() is False and st.all(x).item() is True


def test_errors_name_the_values():
    with pytest.raises(ShapeError, match=r"max: no elements along axis 1.*\n.*float32\[2, 0\]"):
        st.max(st.zeros((2, 0)))
    with pytest.raises(ArgumentError, match="axis 3 is out of range for a tensor of rank 2"):
        st.mean(st.zeros((2, 2)), axis=3)
    with pytest.raises(DTypeError, match="not defined for dtype complex64"):
        st.max(st.ones(2, dtype="complex64"))
