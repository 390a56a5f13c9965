"""`theano.tensor.extra_ops` against NumPy."""

import numpy as np
import pytest

import septet.dialects.theano as theano
from septet.dialects.theano import tensor as T
from septet.dialects.theano.tensor import extra_ops

rng = np.random.default_rng(5)


def value(expression, *pairs):
    """Return what an expression computes for (variable, value) pairs."""
    return theano.function([v for v, _ in pairs], expression, on_unused_input="ignore")(*[x for _, x in pairs])


def test_counts_are_weighted_and_have_a_least_length():
    x, w = T.bvector(), T.dvector()
    data, weights = np.array([1, 3, 1], "int8"), np.array([0.5, 1, 2])
    np.testing.assert_array_equal(value(T.bincount(x), (x, data)), np.bincount(data))
    np.testing.assert_array_equal(value(T.bincount(x, minlength=6), (x, data)), np.bincount(data, minlength=6))
    counted = extra_ops.bincount(x, weights=w, assert_nonneg=True)
    np.testing.assert_array_equal(value(counted, (x, data), (w, weights)), np.bincount(data, weights))
    with pytest.raises(AssertionError, match="negative"):
        value(counted, (x, -data), (w, weights))


@pytest.mark.parametrize("axis", [None, 0, -1])
def test_repetitions(axis):
    x, n, counts = T.dmatrix(), T.iscalar(), T.ivector()
    data = rng.random((2, 3))
    each = np.arange(1, {None: 7, 0: 3, -1: 4}[axis], dtype="int32")
    np.testing.assert_array_equal(value(T.repeat(x, n, axis), (x, data), (n, 2)), np.repeat(data, 2, axis))
    np.testing.assert_array_equal(
        value(T.repeat(x, counts, axis), (x, data), (counts, each)), np.repeat(data, each, axis)
    )
    gradient = theano.grad(T.sum(T.repeat(x, counts, axis)), x)
    expected = np.repeat(each, 1) if axis is None else each
    expected = np.broadcast_to(expected.reshape({None: (2, 3), 0: (2, 1), -1: (1, 3)}[axis]), (2, 3))
    np.testing.assert_array_equal(value(gradient, (x, data), (counts, each)), expected)


@pytest.mark.parametrize("shape, offset", [((3, 5), 0), ((5, 3), 2), ((4, 4), -1), ((3, 5), 4)])
def test_diagonals_are_filled(shape, offset):
    x, number, k = T.dmatrix(), T.dscalar(), T.iscalar()
    data = rng.random(shape)
    found = value(T.fill_diagonal_offset(x, number, k), (x, data), (number, 7.0), (k, offset))
    mask = np.eye(*shape, k=offset, dtype=bool)
    np.testing.assert_array_equal(found, np.where(mask, 7.0, data))
    gx, gn = value(
        theano.grad(T.sum(T.sqr(T.fill_diagonal_offset(x, number, k))), [x, number]),
        (x, data),
        (number, 7.0),
        (k, offset),
    )
    np.testing.assert_allclose(gx, np.where(mask, 0, 2 * data))
    assert gn == 14 * mask.sum()


def test_cubes_are_filled_on_their_diagonal():
    x = T.dtensor3()
    data = rng.random((3, 3, 3))
    expected = data.copy()
    np.fill_diagonal(expected, 2.0)
    np.testing.assert_array_equal(value(T.fill_diagonal(x, 2.0), (x, data)), expected)


@pytest.mark.parametrize("order", ["C", "F"])
def test_flat_indices_and_back(order):
    flat = T.lvector()
    places = np.array([0, 5, 23])
    rows, columns = T.unravel_index(flat, (4, 6), order=order)
    found = value([rows, columns, T.ravel_multi_index((rows, columns), (4, 6), order=order)], (flat, places))
    np.testing.assert_array_equal(found, [*np.unravel_index(places, (4, 6), order), places])
    with pytest.raises(ValueError):
        value(rows, (flat, [24]))


@pytest.mark.parametrize("axis", [None, 0, -1])
def test_unique_says_where_elements_are(axis):
    x = T.lmatrix()
    data = np.array([[1, 2, 1], [3, 2, 3], [1, 2, 1]])
    found = value(extra_ops.Unique(True, True, True, axis)(x), (x, data))
    for own, other in zip(found, np.unique(data, True, True, True, axis), strict=True):
        np.testing.assert_array_equal(own, np.reshape(other, own.shape))


def test_small_ones():
    n, x = T.lscalar(), T.dvector()
    data = rng.random(6)
    for count in (0, 1, 2, 7):
        np.testing.assert_allclose(value(T.bartlett(n), (n, count)), np.bartlett(count), atol=1e-15)
    np.testing.assert_allclose(value(extra_ops.diff(x, n=2), (x, data)), np.diff(data, 2))
    np.testing.assert_allclose(value(T.cumprod(x), (x, data)), np.cumprod(data))
    y = T.ivector()
    np.testing.assert_array_equal(value(extra_ops.to_one_hot(y, 4), (y, [3, 0])), np.eye(4)[[3, 0]])
    order = T.ivector()
    found = value(x.searchsorted(T.constant([0.5]), sorter=order), (x, data), (order, np.argsort(data).astype("int32")))
    assert found == np.searchsorted(np.sort(data), [0.5])
