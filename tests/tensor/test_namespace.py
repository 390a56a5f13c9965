"""The public functions of cards: the short way does what the long way does."""

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, ShapeError
from septet.graph.op import all_ops

X = np.array([[0.25, -0.5], [0.75, 0.125]])
PLAIN = [op for op in all_ops() if op.is_public and op.plain_count in (1, 2) and op.cases]


@pytest.mark.parametrize("op", PLAIN, ids=lambda op: op.name)
def test_tensors_arrays_names_and_numbers_agree(op):
    case = next((case for case in op.cases if not case.params), None)
    if case is None:
        pytest.skip("all cases have parameters")
    function = getattr(st, op.name)
    arrays = [np.asarray(a) for a in case.arrays(op)]
    tensors = [st.tensor(a) for a in arrays]
    expected = function(*arrays)
    as_tuple = expected if isinstance(expected, tuple) else (expected,)
    for found in (function(*tensors), function(**dict(zip(op.input_names, tensors, strict=True)))):
        found = found if isinstance(found, tuple) else (found,)
        assert type(found[0]) is st.Tensor
        for part, other in zip(found, as_tuple, strict=True):
            assert part.type is other.type
            np.testing.assert_array_equal(part.numpy(), other.numpy())


@pytest.mark.parametrize("number", [2, 2.5, True, 0.0, -0.0], ids=repr)
def test_a_number_beside_a_tensor(number):
    x = st.tensor(X)
    for function, own in ((st.maximum, np.maximum), (st.add, np.add), (st.multiply, np.multiply)):
        for found, expected in ((function(x, number), own(X, number)), (function(number, x), own(number, X))):
            assert found.dtype == np.float64
            np.testing.assert_array_equal(found.numpy(), expected)
            np.testing.assert_array_equal(np.signbit(found.numpy()), np.signbit(expected))


def test_variables_are_read_when_they_are_used():
    v = st.Variable(np.ones(2, np.float32))
    before = st.exp(v)
    v.assign(np.zeros(2, np.float32))
    np.testing.assert_allclose(before.numpy(), np.exp([1.0, 1.0]), rtol=1e-6)
    np.testing.assert_allclose(st.exp(v).numpy(), [1.0, 1.0])
    assert st.maximum(v, 0.5).is_tracked and st.maximum(0.5, v).is_tracked


def test_wrong_calls_are_explained():
    x, y = st.tensor(np.ones(2)), st.tensor(np.ones(3))
    with pytest.raises(ShapeError, match=r"maximum: .*do not broadcast") as caught:
        st.maximum(x, y)
    assert "test_namespace.py" in str(caught.value)
    with pytest.raises(ArgumentError, match="maximum needs 'b'"):
        st.maximum(x)
    with pytest.raises(ArgumentError, match="maximum takes at most 2 arguments"):
        st.maximum(x, y, x)
    with pytest.raises(ArgumentError, match="no parameter 'axis'"):
        st.exp(x, axis=1)
    with pytest.raises(ArgumentError, match="exp needs 'x'"):
        st.exp()


def test_where_takes_tensors_arrays_and_numbers():
    mask = np.array([True, False])
    for condition in (mask, st.tensor(mask)):
        np.testing.assert_array_equal(st.where(condition, 1.0, -0.0).numpy(), [1.0, -0.0])
        np.testing.assert_array_equal(st.where(condition, st.ones(2), 3).numpy(), [1.0, 3.0])
        np.testing.assert_array_equal(st.where(condition, a=st.ones(2), b=st.zeros(2)).numpy(), [1.0, 0.0])
