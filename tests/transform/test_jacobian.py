"""Jacobians and Hessians."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, GradientError


def f(x: st.Tensor) -> st.Tensor:
    """From vectors of 3 to matrices of 2 x 3."""
    return st.stack([x * x, st.exp(x) * x[0]])


X = np.array([0.5, 1.0, -1.0])


def expected() -> np.ndarray:
    """The Jacobian of `f` at X, by hand."""
    result = np.zeros((2, 3, 3))
    result[0] = np.diag(2 * X)
    result[1] = np.diag(np.exp(X) * X[0])
    result[1, :, 0] += np.exp(X)
    return result


@pytest.mark.parametrize("make", [st.jacobian, st.jacfwd, st.jacrev], ids=lambda make: make.__name__)
def test_both_modes(make: Any) -> None:
    """The same matrix, of shape (*result, *argument)."""
    np.testing.assert_allclose(make(f)(st.asarray(X)), expected(), rtol=1e-12)


def test_nested_results_and_arguments() -> None:
    """The structure of the result, with that of the argument in each place."""

    def g(p: Any, s: Any) -> Any:
        return {"a": p[0] * s, "b": (p[1] ** 2).sum()}

    p = (st.asarray([1.0, 2.0]), st.asarray([3.0, 4.0, 5.0]))
    for mode in ("forward", "reverse", "auto"):
        table = st.jacobian(g, (0, 1), mode)(p, 2.0)
        (a0, a1), a_s = table["a"]
        (b0, b1), b_s = table["b"]
        np.testing.assert_array_equal(a0, np.eye(2) * 2)
        np.testing.assert_array_equal(a1, np.zeros((2, 3)))
        np.testing.assert_array_equal(a_s, [1.0, 2.0])
        np.testing.assert_array_equal(b0, np.zeros(2))
        np.testing.assert_array_equal(b1, [6.0, 8.0, 10.0])
        assert b_s.shape == () and float(b_s) == 0.0


def test_scalars_and_empty_tensors() -> None:
    """Scalars have Jacobians of rank 0; empty tensors empty ones."""
    assert float(st.jacobian(lambda x: x**3)(2.0)) == 12.0
    assert st.jacobian(lambda x: x * 2)(st.zeros((0,))).shape == (0, 0)
    assert st.jacfwd(lambda x: st.zeros((0, 2)) * x)(st.ones(2)).shape == (0, 2, 2)


def test_complex() -> None:
    """Holomorphic functions have complex derivatives in both modes; real arguments, complex directions."""
    z = st.asarray([1 + 2j, 3 - 1j])
    for make in (st.jacfwd, st.jacrev):
        np.testing.assert_allclose(make(lambda v: v * v)(z), np.diag(2 * z.numpy()))
        np.testing.assert_allclose(make(lambda v: st.exp(v * 1j))(st.asarray([0.5])), [[1j * np.exp(0.5j)]], rtol=1e-6)


def test_python_control_flow_sees_values() -> None:
    """The function runs on the values, once."""
    np.testing.assert_array_equal(st.jacobian(lambda x: x * 2 if x.sum() > 0 else x)(st.ones(2)), np.eye(2) * 2)


def test_unknown_sizes() -> None:
    """Symbolic Jacobians and Hessians of tensors whose sizes come with the data."""
    x = st.symbol("x", (None, 2), dtype="float64")
    value = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    matrix = st.jacobian(x * x, x).eval({x: value})
    np.testing.assert_array_equal(matrix.numpy().reshape(6, 6), np.diag(2 * value.ravel()))
    second = st.hessian((x**3).sum(), x).eval({x: value})
    np.testing.assert_array_equal(second.numpy().reshape(6, 6), np.diag(6 * value.ravel()))


def test_of_recorded_tensors() -> None:
    """Variables, and several tensors."""
    w, v = st.Variable([1.0, 2.0]), st.Variable([3.0])
    y = w * w * v
    jw, jv = st.jacobian(y, (w, v))
    np.testing.assert_array_equal(jw, np.diag([6.0, 12.0]))
    np.testing.assert_array_equal(jv, [[1.0], [4.0]])
    (ww, wv), (vw, vv) = st.hessian(y.sum(), (w, v))
    np.testing.assert_array_equal(ww, np.diag([6.0, 6.0]))
    np.testing.assert_array_equal(wv, [[2.0], [4.0]])
    np.testing.assert_array_equal(vw, [[2.0, 4.0]])
    np.testing.assert_array_equal(vv, [[0.0]])


def test_hessian_of_functions() -> None:
    """Second derivatives, mixed ones too."""
    found = st.hessian(lambda x: (x[0] ** 2 * x[1]) + x[1] ** 3)(st.asarray([2.0, 3.0]))
    np.testing.assert_allclose(found, [[6.0, 4.0], [4.0, 18.0]])
    (aa, ab), (ba, bb) = st.hessian(lambda a, b: a * a * b, (0, 1))(2.0, 3.0)
    assert [float(v) for v in (aa, ab, ba, bb)] == [6.0, 4.0, 4.0, 0.0]


def test_hvp() -> None:
    """The Hessian times a vector, for one argument and for several; None does not move."""
    x, v = np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, -1.0])
    call = lambda t: (t**3).sum() + t[0] * t[2]
    full = st.hessian(call)(st.asarray(x)).numpy()
    np.testing.assert_allclose(st.hvp(call, st.asarray(x), v), full @ v)
    da, db, dn = st.hvp(lambda a, b, n: a * a * b * n, (2.0, 3.0, 2), (1.0, 1.0, None))
    assert (float(da), float(db), dn) == (2 * (6.0 + 4.0), 2 * 4.0, None)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: st.jacobian(f, mode="sideways"), ArgumentError, "the modes are auto, forward, reverse"),
        (lambda: st.jacobian(3.0), ArgumentError, "needs a function"),
        (lambda: st.jacobian(lambda x: x)(1), GradientError, "carries no gradient"),
        (lambda: st.hessian(lambda x: x)(st.ones(2)), GradientError, "needs a scalar cost"),
        (lambda: st.hvp(lambda x: x, (1.0,), ()), ArgumentError, "one entry for each"),
        (lambda: st.hvp(lambda x: x, (1.0,), (None,)), ArgumentError, "every vector is None"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    """What is wrong is named."""
    with pytest.raises(error, match=message):
        call()
