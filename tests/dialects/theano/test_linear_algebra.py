"""Linear algebra, sorting and Fourier transforms of the theano dialect, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.theano.tensor import fft, nlinalg, slinalg, xlogx
from septet.dialects.theano.tensor.sort import argsort, sort, topk

RNG = np.random.default_rng(0)
A = RNG.standard_normal((4, 4))
POSITIVE = A @ A.T + np.eye(4)


@pytest.mark.parametrize("name", ["matrix_inverse", "pinv", "det", "trace", "eigh", "qr", "svd"])
def test_functions_of_matrices(name: str) -> None:
    x = T.dmatrix("x")
    found = getattr(nlinalg, name)(x)
    value = theano.function([x], found)(POSITIVE)
    own = {"matrix_inverse": np.linalg.inv, "trace": np.trace}.get(name) or getattr(np.linalg, name)
    expected = own(POSITIVE)
    if name in ("eigh", "qr", "svd"):
        np.testing.assert_allclose(
            [abs(np.asarray(v)).sum() for v in value], [abs(np.asarray(v)).sum() for v in expected]
        )
    else:
        np.testing.assert_allclose(value, expected)


def test_systems_and_factors() -> None:
    a, b = T.dmatrix("a"), T.dvector("b")
    right = RNG.standard_normal(4)
    np.testing.assert_allclose(slinalg.solve(a, b).eval({a: POSITIVE, b: right}), np.linalg.solve(POSITIVE, right))
    lower = np.tril(POSITIVE)
    np.testing.assert_allclose(
        slinalg.solve_lower_triangular(a, b).eval({a: POSITIVE, b: right}), np.linalg.solve(lower, right)
    )
    np.testing.assert_allclose(slinalg.cholesky(a).eval({a: POSITIVE}), np.linalg.cholesky(POSITIVE))
    with pytest.raises(np.linalg.LinAlgError):
        slinalg.cholesky(a).eval({a: -POSITIVE})
    assert np.isnan(slinalg.Cholesky(on_error="nan")(a).eval({a: -POSITIVE})).all()
    np.testing.assert_allclose(slinalg.eigvalsh(a, None).eval({a: POSITIVE}), np.linalg.eigvalsh(POSITIVE))
    T.verify_grad(slinalg.expm, [A / 4], rng=np.random.RandomState(0))
    T.verify_grad(slinalg.cholesky, [POSITIVE], rng=np.random.RandomState(0))
    np.testing.assert_allclose(slinalg.kron(a, a).eval({a: A}), np.kron(A, A))


def test_sorting() -> None:
    x, axis = T.dmatrix("x"), T.lscalar("axis")
    f = theano.function([x, axis], [sort(x, axis), argsort(x, axis)])
    for number in (0, 1, -1):
        values, order = f(A, number)
        np.testing.assert_array_equal(values, np.sort(A, number))
        np.testing.assert_array_equal(order, np.argsort(A, number))
    np.testing.assert_array_equal(sort(x, None).eval({x: A}), np.sort(A, None))
    np.testing.assert_array_equal(np.sort(topk(x, -2, axis=0, sorted=False).eval({x: A}), 0), np.sort(A, 0)[:2])
    T.verify_grad(lambda x: sort(x, 0), [A], rng=np.random.RandomState(0))
    with pytest.raises(ValueError, match="kth"):
        topk(x, 0, sorted=False)


def test_transforms_and_logarithms() -> None:
    x = T.dmatrix("x")
    pairs = fft.rfft(x).eval({x: A})
    np.testing.assert_allclose(pairs[..., 0] + 1j * pairs[..., 1], np.fft.rfft(A), atol=1e-12)
    np.testing.assert_allclose(fft.irfft(fft.rfft(x)).eval({x: A}), A, atol=1e-12)
    y = T.dvector("y")
    np.testing.assert_allclose(xlogx.xlogx(y).eval({y: [0.0, 2.0]}), [0, 2 * np.log(2)])


def test_solutions_of_tensors_have_the_dtype_of_both() -> None:
    a, b = T.ftensor3("a"), T.dvector("b")
    solution = nlinalg.tensorsolve(a, b)
    value = np.eye(4, dtype=np.float32).reshape(4, 2, 2)
    found = theano.function([a, b], solution)(value, [1.1, 2, 3, 4])
    assert solution.dtype == "float64"
    np.testing.assert_array_equal(found, [[1.1, 2], [3, 4]])


@pytest.mark.parametrize("is_lower", [True, False])
def test_of_a_symmetric_matrix_one_triangle_is_read(is_lower: bool) -> None:
    x = T.dmatrix("x")
    whole = np.array([[4.0, 1.0], [1.0, 3.0]])
    half = (np.tril if is_lower else np.triu)(whole) + 9 * (np.triu if is_lower else np.tril)(
        np.ones((2, 2)), 1 if is_lower else -1
    )
    for op in (slinalg.Cholesky(is_lower), slinalg.Cholesky(is_lower, on_error="nan")):
        factor = np.linalg.cholesky(whole)
        np.testing.assert_allclose(op(x).eval({x: half}), factor if is_lower else factor.T)
        T.verify_grad(op, [half], rng=np.random)


def test_factors_that_do_not_exist_have_no_gradient_either() -> None:
    x = T.dmatrix("x")
    factor = slinalg.Cholesky(on_error="nan")(x)
    call = theano.function([x], [factor, theano.grad(factor.sum(), x)])
    assert all(np.isnan(found).all() for found in call([[1, 0.2], [0.2, -2]]))
    assert all(np.isfinite(found).all() for found in call([[2, np.inf], [0.2, 2]]))
