"""Activations against float64 NumPy and SciPy: values in every mode, gradients, edges, dtypes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special

import septet as st
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.graph.op import get
from septet.ops.composite.activations import ACTIVATIONS, activation_of
from tests.ops.composite.support import check_gradients, draw, in_all_modes

X = draw(4, 6, seed=1, low=-8.0, high=8.0)
expit, erf = scipy.special.expit, scipy.special.erf


def project(v: np.ndarray) -> np.ndarray:
    """The point of the probability simplex nearest to a vector, by bisection of what is subtracted."""
    low, high = v.min() - 1, v.max()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(v - middle, 0).sum() > 1 else (low, middle)
    return np.maximum(v - low, 0)


# name -> (function of a tensor, of an array)
CASES = {
    "relu": (st.relu, lambda x: np.maximum(x, 0)),
    "relu6": (st.relu6, lambda x: np.clip(x, 0, 6)),
    "leaky_relu": (lambda x: st.leaky_relu(x, 0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
    "elu": (lambda x: st.elu(x, 0.7), lambda x: np.where(x > 0, x, 0.7 * np.expm1(x))),
    "celu": (lambda x: st.celu(x, 0.7), lambda x: np.where(x > 0, x, 0.7 * np.expm1(x / 0.7))),
    "selu": (st.selu, lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
    "silu": (st.silu, lambda x: x * expit(x)),
    "hard_silu": (st.hard_silu, lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "mish": (st.mish, lambda x: x * np.tanh(np.logaddexp(0, x))),
    "gelu": (st.gelu, lambda x: x * (1 + erf(x / np.sqrt(2))) / 2),
    "gelu, approximate": (
        lambda x: st.gelu(x, approximate=True),
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
    "sigmoid": (st.sigmoid, expit),
    "hard_sigmoid": (st.hard_sigmoid, lambda x: np.clip(x + 3, 0, 6) / 6),
    "log_sigmoid": (st.log_sigmoid, scipy.special.log_expit),
    "tanh": (st.tanh, np.tanh),
    "hard_tanh": (st.hard_tanh, lambda x: np.clip(x, -1, 1)),
    "hard_tanh of other bounds": (lambda x: st.hard_tanh(x, -2.0, 0.5), lambda x: np.clip(x, -2, 0.5)),
    "softsign": (st.softsign, lambda x: x / (1 + np.abs(x))),
    "softplus": (st.softplus, lambda x: np.logaddexp(0, x)),
    "squareplus": (st.squareplus, lambda x: (x + np.sqrt(x * x + 4)) / 2),
    "threshold": (lambda x: st.threshold(x, 0.5, -3.0), lambda x: np.where(x > 0.5, x, -3.0)),
    "hard_shrink": (lambda x: st.hard_shrink(x, 1.5), lambda x: np.where(np.abs(x) > 1.5, x, 0)),
    "soft_shrink": (lambda x: st.soft_shrink(x, 1.5), lambda x: np.sign(x) * np.maximum(np.abs(x) - 1.5, 0)),
    "tanh_shrink": (st.tanh_shrink, lambda x: x - np.tanh(x)),
    "softmax": (st.softmax, lambda x: scipy.special.softmax(x, -1)),
    "softmax over two axes": (lambda x: st.softmax(x, (0, 1)), lambda x: scipy.special.softmax(x)),
    "log_softmax": (lambda x: st.log_softmax(x, 0), lambda x: scipy.special.log_softmax(x, 0)),
    "softmin": (lambda x: st.softmin(x, 0), lambda x: scipy.special.softmax(-x, 0)),
    "sparsemax": (lambda x: st.sparsemax(x / 4), lambda x: np.apply_along_axis(project, -1, x / 4)),
    "glu": (st.glu, lambda x: x[:, :3] * expit(x[:, 3:])),
    "glu of rows": (lambda x: st.glu(x, 0), lambda x: x[:2] * expit(x[2:])),
    "maxout": (lambda x: st.maxout(x, 3), lambda x: x.reshape(4, 2, 3).max(-1)),
    "maxout of rows": (lambda x: st.maxout(x, 2, 0), lambda x: x.reshape(2, 2, 6).max(1)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values(name):
    call, exact = CASES[name]
    found = in_all_modes(call, X)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, exact(X), rtol=1e-9, atol=1e-12)
    for dtype, tolerance in (("float32", 1e-5), ("float16", 1e-2)):
        short = X.astype(dtype)
        result = call(st.asarray(short))
        assert result.dtype == dtype
        np.testing.assert_allclose(
            result.numpy().astype(np.float64), exact(short.astype(np.float64)), rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    check_gradients(CASES[name][0], X, tolerance=2e-6)


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_stay_finite_far_from_0(name):
    x = st.asarray(np.float32([-1e4, -300, -88, 0, 88, 300] * 4).reshape(4, 6))
    value, gradient = st.value_and_grad(lambda t: CASES[name][0](t).sum())(x)
    assert np.isfinite(value.numpy()) and np.isfinite(gradient.numpy()).all()


@pytest.mark.parametrize("name", CASES)
def test_nan_comes_through(name):
    x = np.full((4, 6), 0.25)
    x[1, 1] = np.nan
    assert np.isnan(CASES[name][0](x).numpy()).any() or "threshold" in name or "hard_shrink" in name


def test_integers():
    x = np.array([-2, 0, 3])
    np.testing.assert_array_equal(st.relu(x), [0, 0, 3])
    assert st.relu(x).dtype == st.relu6(x).dtype == st.maxout(x, 3).dtype == np.int64
    for name in ACTIVATIONS:
        if name not in ("relu", "relu6", "glu"):
            assert activation_of("test", name)(st.asarray(x).node).dtype == np.float32


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if n not in ("sigmoid", "log_sigmoid", "tanh", "softplus")])
def test_complex_numbers_are_refused_by_name(name):
    with pytest.raises(DTypeError, match=f"{name}: takes real tensors, got complex128"):
        getattr(st, name)(np.ones((2, 2)) + 1j)


def test_the_slope_may_be_learned():
    slope = draw(6, seed=3)
    np.testing.assert_allclose(in_all_modes(st.leaky_relu, X, slope), np.where(X > 0, X, X * slope))
    check_gradients(st.leaky_relu, X, slope)


def test_gradients_at_the_kinks():
    at_zero = {
        "relu": 0.0, "leaky_relu": 0.01, "elu": 1.0, "celu": 1.0, "selu": 1.0507009873554805 * 1.6732632423543772
    }  # fmt: skip
    for name, slope in at_zero.items():
        assert math.isclose(st.grad(getattr(st, name))(st.asarray(0.0)).item(), slope, rel_tol=1e-6), name


def test_softmax_of_infinities():
    x = np.array([[-np.inf, 0.0, -np.inf], [-np.inf, -np.inf, -np.inf], [3.0, np.inf, 0.0]])
    np.testing.assert_array_equal(st.softmax(x[:1]), [[0, 1, 0]])
    assert np.isnan(st.softmax(x[1:]).numpy()).all(-1)[0]
    g = st.grad(lambda t: st.softmax(t)[0, 1])(st.asarray(x[:1]))
    np.testing.assert_array_equal(g, [[0, 0, 0]])


def test_sparsemax_is_a_distribution_with_zeros_and_ties():
    p = st.sparsemax(st.asarray([[0.1, 0.1, -2.0], [5.0, 0.0, 0.0]])).numpy()
    np.testing.assert_allclose(p, [[0.5, 0.5, 0], [1, 0, 0]], atol=1e-7)
    np.testing.assert_allclose(st.sparsemax(X, 0).numpy().sum(0), 1)


def test_squareplus_does_not_cancel():
    x = np.float32([-1e4])
    np.testing.assert_allclose(st.squareplus(x), [1e-4], rtol=1e-5)
    assert st.squareplus(x, 0.0).item() == 0.0


def test_bad_arguments():
    with pytest.raises(ShapeError, match="glu: axis 1 has size 3, which cannot be halved"):
        st.glu(np.ones((2, 3)))
    x = st.symbol("x", (2, None))
    with pytest.raises(ShapeError, match="glu: the shape is"):
        st.function([x], st.glu(x))(np.ones((2, 3), np.float32))
    with pytest.raises(ShapeError, match="maxout: axis 1 has size 3, no multiple of 2 pieces"):
        st.maxout(np.ones((2, 3)), 2)
    for call, text in (
        (lambda: st.maxout(X, 0), "maxout: pieces must be a positive int"),
        (lambda: st.hard_tanh(X, 1.0, 1.0), "hard_tanh: low must be below high"),
        (lambda: st.celu(X, 0.0), "celu: alpha must not be 0"),
        (lambda: st.hard_shrink(X, -1.0), "hard_shrink: limit must not be negative"),
        (lambda: st.soft_shrink(X, -1.0), "soft_shrink: limit must not be negative"),
        (lambda: st.glu(X, 2), "glu: axis 2 is out of range"),
        (lambda: st.sparsemax(X, -3), "sparsemax: axis -3 is out of range"),
    ):
        with pytest.raises(ArgumentError, match=text):
            call()


def test_activations_by_name():
    assert activation_of("Dense", None)(1) == 1
    assert activation_of("Dense", "tanh") is get("tanh")
    assert activation_of("Dense", abs) is abs
    with pytest.raises(ArgumentError, match=r"Dense: activation 'rellu' does not exist\. Did you mean 'relu'"):
        activation_of("Dense", "rellu")
