import numpy as np
import pytest

import septet as st
from septet.backends.reference.program import ReferenceProgram
from septet.base import dtypes
from septet.base.errors import ArgumentError, ShapeError
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.types import tensor_type
from septet.ops import linalg
from septet.ops.matrices import positive, sample

EXTENSION = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
    "eig",
    "eigvals",
]


def test_the_extension_is_complete():
    assert [name for name in EXTENSION if not hasattr(st.linalg, name)] == []
    assert st.linalg.matmul(st.ones((2, 3)), st.ones((3, 1))).tolist() == [[3], [3]]


def test_results_have_names():
    x = st.asarray(positive(3, 3))
    assert st.linalg.eigh(x)._fields == ("eigenvalues", "eigenvectors")
    assert st.linalg.qr(x)._fields == ("Q", "R")
    assert st.linalg.slogdet(x)._fields == ("sign", "logabsdet")
    assert st.linalg.svd(x)._fields == ("U", "S", "Vh")
    assert isinstance(st.linalg.svd(x).S, st.Tensor)


@pytest.mark.parametrize("name", ["cholesky", "det", "eigvalsh", "inv", "pinv", "svdvals", "matrix_rank"])
def test_agrees_with_numpy(name):
    x = positive(2, 3, 3)
    np.testing.assert_allclose(getattr(st.linalg, name)(st.asarray(x)), getattr(np.linalg, name)(x), atol=1e-10)


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 5, 8])
def test_matrix_power(n):
    x = sample(2, 3, 3)
    np.testing.assert_allclose(st.linalg.matrix_power(st.asarray(x), n), np.linalg.matrix_power(x, n), atol=1e-10)


def test_matrix_power_of_integers_and_errors():
    x = np.array([[1, 1], [1, 0]])
    y = st.linalg.matrix_power(st.asarray(x), 10)
    assert y.tolist() == [[89, 55], [55, 34]]
    assert y.dtype == np.int64
    with pytest.raises(ArgumentError, match=r"n must be an integer, got 0\.5"):
        st.linalg.matrix_power(st.ones((2, 2)), 0.5)
    with pytest.raises(ShapeError, match="2 rows and 3 columns"):
        st.linalg.matrix_power(st.ones((2, 3)), 2)


def test_matrix_rank():
    x = np.stack([np.eye(3), np.diag([1.0, 1e-3, 0]), np.zeros((3, 3))])
    assert st.linalg.matrix_rank(st.asarray(x)).tolist() == [3, 2, 0]
    assert st.linalg.matrix_rank(st.asarray(x), rtol=0.01).tolist() == [3, 1, 0]
    assert st.linalg.matrix_rank(st.asarray(x), rtol=st.asarray([2.0, 1e-4, 0])).tolist() == [0, 2, 0]
    assert st.linalg.matrix_rank(st.ones((2, 0, 3))).tolist() == [0, 0]
    with pytest.raises(ShapeError, match="rank 1"):
        st.linalg.matrix_rank(st.ones(3))


def test_matrix_rank_of_unknown_size():
    x = symbol(tensor_type(dtypes.float64, (None, None)))
    run = ReferenceProgram(Graph([x], [linalg.matrix_rank(x)]))
    assert run([np.diag([1.0, 1e-3, 1e-17])])[0] == 2
    assert run([np.ones((2, 4))])[0] == 1


@pytest.mark.parametrize("name", ["solve", "triangular_solve"])
def test_a_vector_is_a_right_hand_side(name):
    a, b = np.tril(sample(2, 3, 3)), np.array([1.0, 2, 3])
    y = getattr(st.linalg, name)(st.asarray(a), st.asarray(b))
    assert y.shape == (2, 3)
    np.testing.assert_allclose((a @ np.asarray(y)[..., None])[..., 0], [b, b], atol=1e-12)


def test_triangles():
    a = np.triu(sample(3, 3))
    b = np.arange(6.0).reshape(3, 2)
    x = st.linalg.triangular_solve(st.asarray(a), st.asarray(b), lower=False, transpose=True)
    np.testing.assert_allclose(a.T @ np.asarray(x), b, atol=1e-12)


def test_pinv_takes_a_tolerance():
    x = st.asarray(np.diag([1.0, 0.1]).astype("float32"))
    y = st.linalg.pinv(x, rtol=0.5)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, [[1, 0], [0, 0]], atol=1e-6)


def test_diagonal_and_trace():
    x = np.arange(24).reshape(2, 3, 4)
    for offset in (-1, 0, 2):
        np.testing.assert_array_equal(
            st.linalg.diagonal(st.asarray(x), offset=offset), np.linalg.diagonal(x, offset=offset)
        )
        np.testing.assert_array_equal(st.linalg.trace(st.asarray(x), offset=offset), np.linalg.trace(x, offset=offset))
    assert st.linalg.trace(st.asarray(x.astype("int8"))).dtype == np.int64
    assert st.linalg.trace(st.asarray(x), dtype="float32").dtype == np.float32


def test_cross():
    generator = np.random.default_rng(0)
    a, b = generator.standard_normal((4, 1, 3)), generator.standard_normal((5, 3))
    np.testing.assert_allclose(st.linalg.cross(st.asarray(a), st.asarray(b)), np.cross(a, b), atol=1e-12)
    a, b = generator.standard_normal((3, 4)), generator.standard_normal((3, 4))
    np.testing.assert_allclose(
        st.linalg.cross(st.asarray(a), st.asarray(b), axis=0), np.cross(a, b, axis=0), atol=1e-12
    )
    with pytest.raises(ShapeError, match="axis -1 must have 3 elements"):
        st.linalg.cross(st.asarray(a), st.asarray(b))
    with pytest.raises(ArgumentError, match="not the same"):
        st.linalg.cross(st.ones((3, 3)), st.ones((2, 3, 3)), axis=1)
