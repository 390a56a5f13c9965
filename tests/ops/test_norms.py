import math

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, ShapeError
from septet.ops.matrices import sample


@pytest.mark.parametrize("ord", [0, 1, 2, 3, 0.5, -1, math.inf, -math.inf])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
def test_vector_norm(ord, axis):
    x = sample(2, 3, 3) * (1 + 1j)
    for keepdims in (False, True):
        y = st.linalg.vector_norm(st.asarray(x), axis=axis, ord=ord, keepdims=keepdims)
        np.testing.assert_allclose(y, np.linalg.vector_norm(x, axis=axis, ord=ord, keepdims=keepdims), rtol=1e-12)
        assert y.dtype == np.float64


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf])
def test_matrix_norm(ord):
    x = sample(2, 3, 4)
    for keepdims in (False, True):
        y = st.linalg.matrix_norm(st.asarray(x), ord=ord, keepdims=keepdims)
        np.testing.assert_allclose(y, np.linalg.matrix_norm(x, ord=ord, keepdims=keepdims), rtol=1e-12)


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"axis": 1},
        {"ord": 1, "axis": (2, 0)},
        {"ord": "nuc", "axis": (0, 1), "keepdims": True},
        {"ord": 3, "axis": 0},
    ],
)
def test_norm_is_that_of_numpy(words):
    x = sample(2, 3, 4)
    np.testing.assert_allclose(st.linalg.norm(st.asarray(x), **words), np.linalg.norm(x, **words), rtol=1e-12)


def test_norm_of_a_whole_vector_or_matrix():
    x = sample(3, 4)
    assert float(st.linalg.norm(st.asarray(x), 2)) == pytest.approx(np.linalg.norm(x, 2))
    assert float(st.linalg.norm(st.asarray(x[0]), 1)) == pytest.approx(np.linalg.norm(x[0], 1))
    with pytest.raises(ShapeError, match="a vector or a matrix"):
        st.linalg.norm(st.ones((2, 2, 2)), 2)


@pytest.mark.parametrize("ord", [1, 2, 3])
def test_gradient_at_zero_is_zero(ord):
    x = st.Variable(np.zeros((2, 2)))
    g = st.grad(st.linalg.vector_norm(x, axis=1, ord=ord).sum(), x)
    assert g.tolist() == [[0, 0], [0, 0]]


def test_the_largest_float16_does_not_overflow():
    x = st.asarray(np.full(2, 300, np.float16))
    y = st.linalg.vector_norm(x)
    assert y.dtype == np.float16
    assert float(y) == pytest.approx(300 * math.sqrt(2), rel=1e-3)


def test_integers_become_floats():
    y = st.linalg.vector_norm(st.asarray(np.array([3, 4])))
    assert y.dtype == np.float32
    assert float(y) == 5


def test_errors():
    with pytest.raises(ArgumentError, match="ord must be a number, got 'fro'"):
        st.linalg.vector_norm(st.ones(3), ord="fro")
    with pytest.raises(ArgumentError, match="ord 3 is not known"):
        st.linalg.matrix_norm(st.ones((2, 2)), ord=3)
    with pytest.raises(ShapeError, match="rank 1"):
        st.linalg.matrix_norm(st.ones(2))
    with pytest.raises(ArgumentError, match="one axis or a pair"):
        st.linalg.norm(st.ones((2, 2, 2)), 2, axis=(0, 1, 2))
    with pytest.raises(ArgumentError, match="twice"):
        st.linalg.norm(st.ones((2, 2)), 2, axis=(1, -1))
