import numpy as np
import pytest
import scipy.linalg

import septet
from septet.base import dtypes
from septet.base.errors import LinearAlgebraError, ShapeError
from septet.graph.node import constant, symbol
from septet.graph.op import items
from septet.graph.types import tensor_type
from septet.ops import solvers
from septet.ops.matrices import sample
from septet.run import eager
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable
from septet.transform.vjp import vjp


def value(node):
    eager.evaluate(node)
    return node.value


def complex_sample(*shape, seed=0):
    generator = np.random.default_rng(seed)
    return generator.standard_normal(shape) + 1j * generator.standard_normal(shape)


def check_complex_gradient(build, *arrays):
    """Compare directional derivatives of sum(real(conj(w) * results)) with central differences."""
    generator = np.random.default_rng(7)
    leaves = [Variable(x).node for x in arrays]
    results = build(*leaves)
    cotangents = [complex_sample(*value(r).shape, seed=i) for i, r in enumerate(results)]
    cotangents = [w if dtypes.is_complex(r.dtype) else w.real for w, r in zip(cotangents, results, strict=True)]
    gradients = vjp(results, [constant(w.copy()) for w in cotangents], leaves)

    def number(*arrays):
        found = build(*[Variable(x).node for x in arrays])
        return sum(np.sum(np.real(np.conj(w) * value(r))) for w, r in zip(cotangents, found, strict=True))

    for turn in (1, 1j):
        directions = [generator.standard_normal(x.shape) * turn for x in arrays]
        ahead, behind = ([x + s * d for x, d in zip(arrays, directions, strict=True)] for s in (1e-6, -1e-6))
        found = sum(np.sum(np.real(np.conj(value(g)) * d)) for g, d in zip(gradients, directions, strict=True))
        assert found == pytest.approx((number(*ahead) - number(*behind)) / 2e-6, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", ["inv", "det", "cofactor", "expm", "pinv"])
def test_complex_gradients(name):
    check_complex_gradient(lambda x: [getattr(solvers, name)(x)], complex_sample(3, 3))


def test_complex_gradients_of_systems_and_others():
    a, b = complex_sample(2, 3, 3), complex_sample(3, 2)
    check_complex_gradient(lambda a, b: [solvers.solve(a, b)], a, b)
    for lower in (True, False):
        for transpose in (True, False):
            words = {"lower": lower, "transpose": transpose}
            check_complex_gradient(lambda a, b, w=words: [solvers.triangular_solve(a, b, **w)], a + 3 * np.eye(3), b)
    check_complex_gradient(lambda x: items(solvers.slogdet(x)), complex_sample(3, 3))
    for shape in ((4, 2), (2, 4)):
        check_complex_gradient(lambda x: [solvers.pinv(x)], complex_sample(*shape))


def test_pinv_of_deficient_rank():
    x = complex_sample(4, 2) @ complex_sample(2, 3, seed=1)
    np.testing.assert_allclose(value(solvers.pinv(x)), np.linalg.pinv(x), atol=1e-12)
    big = np.diag([1.0, 0.1, 1e-3])
    np.testing.assert_allclose(value(solvers.pinv(big, 0.01)), np.diag([1, 10, 0]), atol=1e-12)
    stack = value(solvers.pinv(np.stack([big, big]), np.array([0.01, 0.5])))
    np.testing.assert_allclose(stack, [np.diag([1, 10, 0]), np.diag([1, 0, 0])], atol=1e-12)
    with pytest.raises(ShapeError, match="rtol of shape"):
        solvers.pinv(big, np.array([0.1, 0.2]))


def test_pinv_takes_the_tolerance_along_in_a_batch():
    big = np.diag([1.0, 0.1, 1e-3])
    part = np.array([0.01, 0.5])
    for marks, x, rtol in (([False, True], big, part), ([True, True], np.stack([big, big]), part)):
        y = value(solvers.pinv.batch(marks, constant(np.array(x)), constant(rtol)))
        np.testing.assert_allclose(y, [np.diag([1, 10, 0]), np.diag([1, 0, 0])], atol=1e-12)


def test_det_of_singular_matrices_has_a_gradient():
    x = np.array([[1.0, 2, 3], [2, 4, 6], [1, 0, 1]])
    leaf = Variable(x).node
    y = solvers.det(leaf)
    (g,) = vjp([y], [constant(np.ones(()))], [leaf])
    minors = [
        [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(x, i, 0), j, 1)) for j in range(3)] for i in range(3)
    ]
    np.testing.assert_allclose(value(g), minors, atol=1e-12)
    assert np.abs(minors).max() > 1
    (second,) = vjp([g], [g], [leaf])
    with pytest.raises(LinearAlgebraError, match="is singular: its rank is 2 of 3"):
        value(second)


def test_slogdet_of_a_singular_matrix():
    sign, log = items(solvers.slogdet(np.zeros((2, 2))))
    assert value(sign) == 0
    assert value(log) == -np.inf


def test_triangular_solve_reads_one_triangle():
    a, b = sample(4, 4), np.arange(8.0).reshape(4, 2)
    spoiled = np.where(np.tri(4, dtype=bool), a, np.nan)
    for transpose in (False, True):
        expected = scipy.linalg.solve_triangular(a, b, trans=int(transpose), lower=True)
        np.testing.assert_allclose(value(solvers.triangular_solve(spoiled, b, transpose=transpose)), expected)
    expected = scipy.linalg.solve_triangular(a, b, unit_diagonal=True)
    np.testing.assert_allclose(value(solvers.triangular_solve(a, b, lower=False, unit_diagonal=True)), expected)


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1.0, 30.0])
def test_expm(scale):
    x = sample(2, 4, 4, scale=scale)
    np.testing.assert_allclose(value(solvers.expm(x)), scipy.linalg.expm(x), rtol=1e-10, atol=1e-10)


def test_expm_of_what_is_not_finite_and_of_unknown_size():
    assert np.isnan(value(solvers.expm(np.array([[np.inf]])))).all()
    a = np.random.default_rng(0).standard_normal((3, 3))
    found = []
    for shape in ((None, None), (3, 3)):
        x = symbol(tensor_type(dtypes.float64, shape))
        y = solvers.expm(x)
        (gradient,) = vjp([y], [y], [x])
        found.append(septet.function([Tensor(x)], Tensor(gradient))(a).numpy())
    np.testing.assert_allclose(*found, rtol=1e-12)


def test_messages():
    with pytest.raises(ShapeError, match="the stacks") as caught:
        solvers.solve(np.ones((2, 3, 3)), np.ones((4, 3, 1)))
    lines = str(caught.value).splitlines()
    assert lines[2].index("^") == lines[1].index("2, 3, 3")
    with pytest.raises(
        LinearAlgebraError, match=r"matrix \(0, 1\) of the stack is singular: its diagonal is 0 in row 2"
    ):
        value(solvers.triangular_solve(np.stack([[np.eye(3), np.diag([1.0, 1, 0])]]), np.ones((3, 1))))
    with pytest.raises(LinearAlgebraError, match="the matrix is singular: its rank is 1 of 2"):
        value(solvers.inv(np.ones((2, 2))))


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_short_floats(name):
    dtype = dtypes.BY_NAME[name]
    a = np.array([[2, 1], [0, 4]]).astype(dtype)
    for op in (solvers.inv, solvers.det, solvers.expm):
        y = op(a)
        assert y.dtype == dtype
        exact = value(op(a.astype(np.float64)))
        np.testing.assert_allclose(value(y).astype(np.float64), exact, rtol=0.01, atol=1e-6)
