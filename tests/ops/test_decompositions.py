import numpy as np
import pytest

from septet.backends.reference.program import ReferenceProgram
from septet.base import dtypes
from septet.base.errors import GradientError, LinearAlgebraError
from septet.graph.graph import Graph
from septet.graph.node import constant, symbol
from septet.graph.op import items, ops
from septet.graph.types import tensor_type
from septet.ops import decompositions
from septet.ops.matrices import adjoint, diagonal_matrix, multiply_matrices, positive, row, sample
from septet.run import eager
from septet.tensor.variable import Variable
from septet.transform.vjp import vjp


def value(node):
    eager.evaluate(node)
    return node.value


def complex_sample(*shape, seed=0):
    generator = np.random.default_rng(seed)
    return generator.standard_normal(shape) + 1j * generator.standard_normal(shape) + 2 * np.eye(*shape[-2:])


def weights(count):
    return constant(np.linspace(1, 2, count))


def check_gradient(build, x, tolerance=1e-6):
    """Compare directional derivatives of sum(real(conj(w) * result)) with central differences."""
    generator = np.random.default_rng(7)
    leaf = Variable(x).node
    results = build(leaf)
    cotangents = []
    for result in results:
        w = generator.standard_normal(value(result).shape)
        cotangents.append(w + 1j * generator.standard_normal(w.shape) if dtypes.is_complex(result.dtype) else w)
    (g,) = vjp(results, [constant(w.copy()) for w in cotangents], [leaf])
    assert g.dtype == x.dtype

    def number(x):
        return sum(
            np.sum(np.real(np.conj(w) * value(r))) for w, r in zip(cotangents, build(Variable(x).node), strict=True)
        )

    for turn in (1, 1j) if np.iscomplexobj(x) else (1,):
        direction = generator.standard_normal(x.shape) * turn
        step = 1e-6
        expected = (number(x + step * direction) - number(x - step * direction)) / (2 * step)
        assert np.sum(np.real(np.conj(value(g)) * direction)) == pytest.approx(expected, rel=tolerance, abs=tolerance)


# Functions of the factors that do not depend on their phases.


def svd_functions(x):
    u, s, vh = items(decompositions.svd(x, full_matrices=False))
    w = weights(s.shape[-1])
    return [
        multiply_matrices(u * row(s * s), vh),
        s,
        multiply_matrices(u * row(w), adjoint(u)),
        multiply_matrices(adjoint(vh) * row(w), vh),
    ]


def eigh_functions(x):
    w, v = items(decompositions.eigh(x))
    return [w, multiply_matrices(v * row(w * weights(w.shape[-1])), adjoint(v))]


def eig_functions(x):
    w, v = items(decompositions.eig(x))
    return [w, multiply_matrices(v * row(w * w), ops.inv(v)), multiply_matrices(v * row(weights(3)), adjoint(v))]


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 3)])
def test_complex_svd(shape):
    x = complex_sample(*shape)
    u, s, vh = map(value, items(decompositions.svd(x, full_matrices=False)))
    np.testing.assert_allclose(u * s[..., None, :] @ vh, x, atol=1e-12)
    check_gradient(svd_functions, x)


@pytest.mark.parametrize("mode", ["reduced", "complete"])
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_complex_qr(shape, mode):
    x = complex_sample(*shape)
    q, r = map(value, items(decompositions.qr(x, mode=mode)))
    np.testing.assert_allclose(q @ r, x, atol=1e-12)
    np.testing.assert_allclose(np.conj(q.T) @ q, np.eye(q.shape[1]), atol=1e-12)
    if mode == "reduced" or shape[0] <= shape[1]:
        check_gradient(lambda x: items(decompositions.qr(x, mode=mode)), x)


def test_complex_hermitian_ops():
    a = complex_sample(3, 3)
    x = a @ np.conj(a.T) + np.diag([1.0, 2, 3])
    check_gradient(eigh_functions, x)
    check_gradient(lambda x: [decompositions.eigvalsh(x)], x)
    for upper in (False, True):
        check_gradient(lambda x, upper=upper: [decompositions.cholesky(x, upper=upper)], x)
    lower, high = value(decompositions.cholesky(x)), value(decompositions.cholesky(x, upper=True))
    np.testing.assert_allclose(lower @ np.conj(lower.T), x, atol=1e-12)
    np.testing.assert_allclose(np.conj(lower.T), high)


def test_eig():
    for x in (complex_sample(3, 3), sample(3, 3)):
        w, v = map(value, items(decompositions.eig(x)))
        np.testing.assert_allclose(x @ v, v * w, atol=1e-12)
        check_gradient(eig_functions, x)
        check_gradient(lambda x: [decompositions.eigvals(x)], x)
    assert decompositions.eigvals(np.eye(2, dtype="float32")).dtype == np.complex64


def test_only_the_hermitian_part_counts():
    x = positive(3, 3)
    other = x + np.triu(np.ones((3, 3)), 1) - np.tril(np.ones((3, 3)), -1)
    for op in (decompositions.cholesky, decompositions.eigvalsh):
        np.testing.assert_allclose(value(op(other)), value(op(x)), atol=1e-12)


class TestEqualValues:
    """At the identity all singular values and eigenvalues coincide."""

    def gradient(self, build, x):
        leaf = Variable(x).node
        y = build(leaf)
        (g,) = vjp([y], [constant(np.ones(y.shape))], [leaf])
        return value(g)

    def test_values_have_a_gradient(self):
        for take in (
            lambda x: items(decompositions.svd(x))[1],
            lambda x: items(decompositions.eigh(x))[0],
            decompositions.svdvals,
            decompositions.eigvalsh,
        ):
            np.testing.assert_allclose(self.gradient(lambda x, take=take: ops.sum(take(x)), np.eye(3)), np.eye(3))

    def test_vectors_have_none_and_say_so(self):
        w = constant(np.arange(9.0).reshape(3, 3))
        for index, op in ((1, decompositions.eigh), (0, decompositions.svd)):
            g = self.gradient(lambda x, op=op, index=index: items(op(x))[index] * w, np.eye(3))
            assert not np.isfinite(g).all()


def test_no_gradient_where_vectors_are_free():
    x = Variable(sample(4, 2)).node
    q, _ = items(decompositions.qr(x, mode="complete"))
    with pytest.raises(GradientError, match="the last columns of Q are free"):
        vjp([q], [q], [x])
    u, _, _ = items(decompositions.svd(x))
    with pytest.raises(GradientError, match="the last columns of U or rows of Vh are free"):
        vjp([u], [u], [x])
    unknown = symbol(tensor_type(dtypes.float64, (None, 2)))
    q, _ = items(decompositions.qr(unknown))
    with pytest.raises(GradientError, match="known numbers of rows"):
        vjp([q], [q], [unknown])


def test_sizes_may_be_unknown():
    x = symbol(tensor_type(dtypes.float64, (None, None, None)))
    u, s, vh = items(decompositions.svd(x, full_matrices=False))
    assert u.shape == s.shape + (None,) == vh.shape == (None, None, None)
    (g,) = vjp([s, u], [s, multiply_matrices(u, diagonal_matrix(s))], [x])
    run = ReferenceProgram(Graph([x], [u, s, vh, g]))
    for shape in ((2, 3, 3), (2, 4, 2), (1, 2, 4)):
        data = sample(*shape)
        found = run([data])
        np.testing.assert_allclose(found[0] * found[1][..., None, :] @ found[2], data, atol=1e-12)
        assert found[3].shape == shape


def test_messages():
    x = positive(2, 2, 3, 3)
    x[1, 0, 2, 2] = -5
    with pytest.raises(LinearAlgebraError) as caught:
        value(decompositions.cholesky(x))
    text = str(caught.value)
    assert "matrix (1, 0) of the stack is not positive definite: its leading minor of order 3 is not positive" in text
    assert "float64[2, 2, 3, 3]" in text
    x[0, 1, 0, 0] = np.inf
    with pytest.raises(LinearAlgebraError, match=r"matrix \(0, 1\) of the stack has elements that are not finite"):
        value(decompositions.svdvals(x))
    for name in ("svd", "eig", "eigh", "eigvals", "eigvalsh"):
        with pytest.raises(LinearAlgebraError, match="the matrix has elements that are not finite"):
            eager.evaluate(getattr(decompositions, name)(np.array([[np.nan, 1], [1, 1]])))


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "complex64", "int32"])
def test_dtypes(name):
    dtype = dtypes.BY_NAME[name]
    x = np.diag([4, 9]).astype(dtype)
    u, s, _ = items(decompositions.svd(x))
    assert s.dtype == dtypes.real_of(u.dtype)
    assert value(s).astype(float).tolist() == pytest.approx([9, 4])
    assert value(decompositions.cholesky(x)).astype(complex).tolist() == [[2, 0], [0, 3]]
