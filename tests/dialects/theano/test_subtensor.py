"""Indexing in the theano dialect, against NumPy: values, gradients through indices, updates, and errors."""

import numpy as np
import pytest

import septet.dialects.theano as theano
from septet.dialects.theano import tensor as T

X = np.arange(24.0).reshape(2, 3, 4)
MASK = np.array([True, False, True])
KEYS = [
    np.index_exp[1], np.index_exp[-1, ..., 2], np.index_exp[:, None, ::-1], np.index_exp[..., 1:3],
    np.index_exp[[1, 0, 1]],
    np.index_exp[:, [0, 2], [1, 1]], np.index_exp[0, MASK], np.index_exp[:, MASK, None], np.index_exp[X > 5],
    np.index_exp[[0, 1], :, np.array([[1], [3]])], np.index_exp[1:, [], 2],
]  # fmt: skip


def updated(x, key, value, is_set):
    x = x.copy()
    if is_set:
        x[key] = value
    else:
        np.add.at(x, key, value)
    return x


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_keys_take_add_and_set(key):
    x = T.dtensor3()
    part = x[key]
    found = theano.function(
        [x], [part, T.inc_subtensor(part, 2.0), T.set_subtensor(part, -1.0), T.grad(part.sum(), x)]
    )(X)
    expected = [X[key], updated(X, key, 2, False), updated(X, key, -1, True), updated(0 * X, key, 1, False)]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_new_axis_takes_the_place_of_axes_of_one_that_the_key_leaves_out():
    """As the original, whose keys with new axes drop what they do not name; what it refuses is as in NumPy."""
    x, column = T.dmatrix(), T.dcol()
    assert column[:, None].broadcastable == (False, True) and column[1, None].broadcastable == (True,)
    assert column[:, None, ...].ndim == column[..., None].ndim == x[:, None].ndim == x[None].ndim == 3
    np.testing.assert_array_equal(column[None, 1:].eval({column: X[0, :, :1]}), X[0, None, 1:, 0])
    with pytest.raises(IndexError, match="too many indices"):
        x[0, 0, 0, None]


def test_bounds_and_indices_are_variables():
    x, i, j = T.dmatrix(), T.iscalar(), T.lscalar()
    key = (slice(i, j), -i)
    f = theano.function([x, i, j], [x[key], T.inc_subtensor(x[key], 1), T.grad((x[key] ** 2).sum(), x)])
    for a, b in ((0, 3), (1, -1), (-2, 9), (2, 1)):
        own = np.index_exp[a:b, -a]
        got = f(X[0], a, b)
        np.testing.assert_array_equal(got[0], X[0][own])
        np.testing.assert_array_equal(got[1], updated(X[0], own, 1, False))
        np.testing.assert_array_equal(got[2], updated(0 * X[0], own, 2 * X[0][own], False))


def test_steps_are_variables():
    x, i, k = T.dvector(), T.iscalar(), T.iscalar()
    part = x[i::k]
    f = theano.function([x, i, k], [part, T.set_subtensor(part, part * 2), T.grad((part**2).sum(), x)])
    own = X.ravel()
    for a, by in ((1, 2), (-1, -3), (30, 1), (-2, -1)):
        got = f(own, a, by)
        np.testing.assert_array_equal(got[0], own[a::by])
        np.testing.assert_array_equal(got[1], updated(own, slice(a, None, by), 2 * own[a::by], True))
        np.testing.assert_array_equal(got[2], updated(0 * own, slice(a, None, by), 2 * own[a::by], False))


def test_masks_are_computed():
    x = T.dtensor3()
    part = x[x > 5]
    cost = (T.inc_subtensor(part, part**2) * x).sum()
    got = theano.function([x], [part, T.inc_subtensor(part, part), T.set_subtensor(part, 0), theano.grad(cost, x)])(X)
    mask = X > 5
    expected = [X[mask], np.where(mask, 2 * X, X), np.where(mask, 0, X), 2 * X + np.where(mask, 3 * X**2, 0)]
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other)


@pytest.mark.parametrize("mask", [[True, False, True], [True, False, False], [True]])
def test_masks_that_do_not_fit_are_index_errors_when_a_function_runs(mask):
    x, given = theano.shared(X), T.TensorType("bool", [False])("mask")
    for key in (np.array(mask), (np.array(mask), ...)):
        for part in (x[key], T.inc_subtensor(x[key], 1)):
            with pytest.raises(IndexError):
                part.eval()
    f = theano.function([given], x[given])
    np.testing.assert_array_equal(f(np.array([False, True])), X[1:])
    with pytest.raises(IndexError):
        f(np.array(mask))


def test_updates_go_through_dimshuffle_and_reshape():
    x, v = T.dmatrix(), T.dvector()
    got = theano.function([x, v], [T.inc_subtensor(x[1:].T, v[1:]), T.set_subtensor(x[1:].flatten(), 0)])
    first, second = got(X[0], [1.0, 2, 3])
    np.testing.assert_array_equal(first, X[0].T + [0, 2, 3])
    np.testing.assert_array_equal(second, np.where(np.arange(3)[:, None] > 0, 0, X[0]))


def test_what_is_put_into_integers_becomes_their_dtype():
    """As in NumPy; only adding numbers with fractions to integers is refused."""
    x, y, z = T.bvector(), T.ivector(), T.dvector()
    got = theano.function(
        [x, y, z], [T.set_subtensor(x[1:], y), T.inc_subtensor(x[[0, 2]], y), T.set_subtensor(x[1:], z)]
    )
    found = got([1, 2, 3], [3, 200], [3.7, -1.2])
    assert [one.tolist() for one in found] == [[1, 3, -56], [4, 2, -53], [1, 3, -1]]
    assert {one.dtype.name for one in found} == {"int8"}
    with pytest.raises(TypeError, match="dtype int8 with a value of dtype float64"):
        T.inc_subtensor(x[1:], z)


def test_ops_are_applied_to_indices_as_theano_does():
    x, i = T.dmatrix(), T.lvector()
    rows = T.AdvancedSubtensor1()(x, i)
    assert T.AdvancedSubtensor1()(x, i).owner.op == x[i].owner.op == rows.owner.op
    one = T.Subtensor([T.lscalar().type, slice(1, T.lscalar().type)])(x, 1, 3)
    added = T.advanced_inc_subtensor(x, [1.0, 2.0], [0, 0], [1, 1])
    got = theano.function([x, i], [rows, one, added])(X[0], [2, 0])
    for own, expected in zip(
        got, [X[0][[2, 0]], X[0][1, 1:3], updated(X[0], ([0, 0], [1, 1]), [1, 2], False)], strict=True
    ):
        np.testing.assert_array_equal(own, expected)


def test_slices_are_arguments():
    part = T.slicetype()
    f = theano.function([part], theano.shared(X[0])[part])
    np.testing.assert_array_equal(f(slice(1, 3)), X[0][1:3])


@pytest.mark.parametrize("key, kind", [
    ((0, 0, 0, 0), IndexError), (np.ones((1, 2, 3, 4), bool), IndexError), (([0.0], [1]), TypeError),
    ((True,), TypeError),
    (([0, 1], [0, False]), TypeError), ((..., 0, ...), IndexError), (slice(2**64), OverflowError),
])  # fmt: skip
def test_keys_that_are_refused(key, kind):
    with pytest.raises(kind):
        T.dtensor3()[key]


def test_indices_out_of_range_are_found_when_a_function_runs():
    x, i = T.dvector(), T.lvector()
    f = theano.function([x, i], x[i])
    with pytest.raises(IndexError):
        f([1.0, 2.0], [0, 2])
    with pytest.raises(TypeError, match="a 1-dimensional subtensor with a 2-dimensional"):
        T.inc_subtensor(x[i], T.dmatrix())


def test_canonical_slices():
    start, stop, step, size = T.lscalars("abcn")
    part, turn = T.subtensor.get_canonical_form_slice(slice(start, stop, step), size)
    f = theano.function([start, stop, step, size], [part.start, part.stop, part.step, turn])
    a = np.arange(5)
    for low in (-8, -1, 0, 4, 8):
        for high in (-8, -2, 0, 3, 8):
            for by in (-3, -1, 1, 2):
                x, y, z, sign = f(low, high, by, 5)
                assert 0 <= x <= y <= 5 and z > 0
                np.testing.assert_array_equal(a[x:y:z][::sign], a[low:high:by])


def test_places_that_are_not_there_are_an_error_when_it_runs():
    x, row = T.dvector(), T.drow()
    for wrong in (x.shape[1], T.constant(np.ones(3))[3], row[1], T.grad(T.stack([x[0], x[1]])[2], x)):
        with pytest.raises(IndexError, match="out of range"):
            theano.function([x, row], wrong, on_unused_input="ignore")(np.ones(2), np.ones((1, 2)))
    assert x.shape.broadcastable == (False,)
