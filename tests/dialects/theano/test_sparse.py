"""`theano.sparse`, against SciPy: what ops compute, and gradients against those of the same of dense matrices."""

import numpy as np
import pytest

import septet.dialects.theano as theano
from septet.dialects.theano import tensor as T

sp = pytest.importorskip("scipy.sparse")
sparse = pytest.importorskip("septet.dialects.theano.sparse")

DENSE = np.array([[0.0, 2, 0, -1], [0, 0, 3, 0], [0.5, 0, 0, 4]])
OTHER = np.arange(12.0).reshape(3, 4) - 5
FORMATS = ("csr", "csc")


def matrix(format, dense=DENSE):
    return sp.csr_matrix(dense) if format == "csr" else sp.csc_matrix(dense)


@pytest.mark.parametrize("format", FORMATS)
def test_arithmetic(format):
    x, y, d = sparse.matrix(format), sparse.csr_matrix(), T.dmatrix()
    m, n = matrix(format), matrix("csr", np.abs(DENSE) - 1)
    got = theano.function(
        [x, y, d], [x + y, x - y, x + d, d - x, x * y, x * d, 2 * x, -x, sparse.dot(x, d.T), theano.dot(d, x.T), x > d]
    )(m, n, OTHER)
    a, b = DENSE, n.toarray()
    expected = [a + b, a - b, a + OTHER, OTHER - a, a * b, a * OTHER, 2 * a, -a, a @ OTHER.T, OTHER @ a.T, a > OTHER]
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one.toarray() if sp.issparse(one) else one, other)
    assert [sp.issparse(one) for one in got] == [True, True, False, False, *[True] * 4, False, False, False]


CASES = {
    "dot": (lambda x, d: sparse.dot(x, d.T), lambda x, d: x.dot(d.T)),
    "structured_dot": (lambda x, d: sparse.structured_dot(d, x.T), lambda x, d: d.dot(x.T)),
    "true_dot": (lambda x, d: sparse.true_dot(x, d.T), lambda x, d: x.dot(d.T)),
    "vector": (lambda x, d: sparse.dot(d[:, 0], x), lambda x, d: d[:, 0].dot(x)),
    "mul": (lambda x, d: x * d, lambda x, d: x * d),
    "number": (lambda x, d: x * d[0, 1], lambda x, d: x * d[0, 1]),
    "add": (lambda x, d: x + d, lambda x, d: x + d),
    "transpose": (lambda x, d: (x * x).T, lambda x, d: (x * x).T),
    "sum": (lambda x, d: sparse.sp_sum(x, axis=1, sparse_grad=True) * d[:, 0], lambda x, d: x.sum(1) * d[:, 0]),
    "scale": (lambda x, d: sparse.col_scale(x, d[0]), lambda x, d: x * d[0]),
    "rows": (lambda x, d: sparse.row_scale(x, d[:, 1]), lambda x, d: x * d[:, 1].dimshuffle(0, "x")),
    "exp": (lambda x, d: sparse.structured_exp(x), lambda x, d: T.switch(T.eq(x, 0), 0, T.exp(x))),
    "stack": (lambda x, d: sparse.vstack([x, x * d]), lambda x, d: T.concatenate([x, x * d])),
    "rows of": (lambda x, d: x[[0, 2, 0]], lambda x, d: x[[0, 2, 0]]),
    "elements": (lambda x, d: x[[0, 2, 0], [1, 3, 1]], lambda x, d: x[[0, 2, 0], [1, 3, 1]]),
    "clean": (lambda x, d: sparse.clean(x * d), lambda x, d: x * d),
    "back": (lambda x, d: sparse.csr_from_dense(x.toarray() * d), lambda x, d: x * d),
    "diagonal": (lambda x, d: sparse.diag(sparse.dot(x, d.T) * sparse.square_diagonal(d[:, 0])),
                 lambda x, d: T.diag(x.dot(d.T)) * d[:, 0]),
}  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", CASES)
def test_gradients(name, format):
    on_sparse, on_dense = CASES[name]
    data, d, full = T.dvector(), T.dmatrix(), T.dmatrix()
    own = matrix(format)
    x = sparse.CSM(format)(data, own.indices, own.indptr, own.shape)
    found = on_sparse(x, d)
    found = found if found.type.is_tensor else sparse.dense_from_sparse(found)

    def grads(result, source):
        return [result, *theano.grad((result**2).sum(), [source, d], disconnected_inputs="ignore")]

    got = theano.function([data, d], grads(found, data), on_unused_input="ignore")(own.data, OTHER)
    value, of_x, of_d = theano.function([full, d], grads(on_dense(full, d), full), on_unused_input="ignore")(
        DENSE, OTHER
    )
    coordinates = own.tocoo()
    for one, other in zip(got, [value, of_x[coordinates.row, coordinates.col], of_d], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("format", FORMATS)
def test_parts(format):
    x, i = sparse.matrix(format), T.iscalar()
    m = matrix(format)
    parts = sparse.csm_properties(x)
    again = sparse.CSM(format)(*parts)
    got = theano.function([x, i], [again, x[i:, ::2], x[i, 1], x.shape, x.size, sparse.cast(x, "float32"), *parts])(
        m, 1
    )
    assert [one.format for one in (got[0], got[1], got[5])] == [format] * 3
    np.testing.assert_array_equal(got[0].toarray(), DENSE)
    np.testing.assert_array_equal(got[1].toarray(), DENSE[1:, ::2])
    assert (got[2], list(got[3]), got[4], got[5].dtype) == (0, [3, 4], 5, "float32")
    for own, name in zip(got[6:], ("data", "indices", "indptr"), strict=False):
        np.testing.assert_array_equal(own, getattr(m, name))


def test_a_linear_model_learns_from_shared_sparse_rows():
    generator = np.random.default_rng(0)
    rows = sp.random(40, 6, 0.3, format="csr", random_state=0)
    truth = generator.normal(size=6)
    x, y, w = sparse.shared(rows), theano.shared(rows @ truth), theano.shared(np.zeros(6))
    loss = ((sparse.dot(x, w) - y) ** 2).sum()
    step = theano.function([], loss, updates=[(w, w - 0.1 * theano.grad(loss, w))])
    first, *_, last = [step() for _ in range(300)]
    assert last < 1e-4 * first
    np.testing.assert_allclose(w.get_value(), truth, atol=0.1)
    x.set_value(rows[:3])
    assert theano.function([], x.shape)().tolist() == [3, 6]
    assert isinstance(theano.shared(rows).type, sparse.SparseType)


def test_second_derivatives_and_what_only_grad_can():
    m, v, x = T.dmatrix(), T.dvector(), sparse.csr_matrix()
    first = theano.grad((sparse.dot(sparse.csr_from_dense(m), m) ** 2).sum(), m)
    dense = theano.grad((m.dot(m) ** 2).sum(), m)
    square = DENSE[:, :3]
    got, expected = theano.function([m], [theano.grad((g**2).sum(), m) for g in (first, dense)])(square)
    np.testing.assert_allclose(got, expected)
    assert isinstance(theano.function([x], T.grad(v.sum(), x, disconnected_inputs="ignore"), on_unused_input="ignore")(
        matrix("csr")), sp.csr_matrix)  # fmt: skip

    def step(h):
        return sparse.dense_from_sparse(sparse.csr_from_dense(h))

    with pytest.raises(NotImplementedError, match="scan through"):
        theano.scan(step, outputs_info=T.ones((2, 2)), n_steps=2)
    for refused in (lambda: T.Rop(sparse.dot(x, v), v, v), lambda: T.jacobian(sparse.dot(x, v), v)):
        with pytest.raises(NotImplementedError, match="nearest: functions and grad"):
            refused()


def test_what_is_refused():
    x = sparse.csr_matrix("x")
    with pytest.raises(NotImplementedError, match="bsr"):
        sparse.bsr_matrix()
    with pytest.raises(NotImplementedError, match="no sparse vector"):
        x[1]
    with pytest.raises(ValueError, match="Advanced indexing"):
        x[T.ivector(), 1:]
    with pytest.raises(TypeError, match="float32"):
        theano.function([x], x.T)(matrix("csr", DENSE.astype("float32")))
    with pytest.raises(TypeError, match="at least one sparse"):
        sparse.dot(T.dmatrix(), T.dmatrix())
    with pytest.raises(ValueError, match=r"shapes \(3, 4\) and \(4, 3\)"):
        theano.function([x], x + x.T)(matrix("csr"))
