"""`theano.tensor`: what expressions compute, against NumPy, and gradients where several conventions are possible."""

import numpy as np
import pytest

import septet.dialects.theano as theano
from septet.dialects.theano import tensor as T


def value(expression, *pairs):
    """Return what an expression computes for (variable, value) pairs."""
    return theano.function([v for v, _ in pairs], expression, on_unused_input="ignore")(*[x for _, x in pairs])


def test_one_string_names_a_variable_with_each_letter():
    x, y = T.vectors("xy")
    assert (x.name, y.name, T.scalars("x").name) == ("x", "y", "x")


def test_python_floats_take_float64_where_float32_rounds():
    with theano.change_flags(floatX="float64"):
        assert (T.fvector() + 1.1).dtype == "float64"
        assert (T.fvector() + 1.0).dtype == "float32"


@pytest.mark.parametrize("extreme, other", [(T.max, [1.0, 1, 0, 0]), (T.min, [0.0, 0, 1, 1])])
def test_equal_extrema_take_the_whole_gradient_each(extreme, other):
    x = T.dvector()
    np.testing.assert_array_equal(value(theano.grad(extreme(x), x), (x, [2, 2, 1, 1])), other)


@pytest.mark.parametrize("call, reference", [(T.maximum, np.maximum), (T.minimum, np.minimum)])
def test_the_first_of_equal_numbers_takes_the_gradient(call, reference):
    x, y = T.dvectors("x", "y")
    a, b = np.array([1, 1, 0, np.nan]), np.array([1.0, 0, 1, 0])
    for left, right in ((x, y), (x, 1.0), (1.0, y)):
        np.testing.assert_array_equal(
            value(call(left, right), (x, a), (y, b)), reference(a if left is x else 1.0, b if right is y else 1.0)
        )
    gx, gy = value(theano.grad(call(x, y).sum(), [x, y]), (x, [1, 2]), (y, [1, 2]))
    np.testing.assert_array_equal([gx, gy], [[1, 1], [0, 0]])


def test_known_shapes_that_do_not_agree_are_an_error_when_it_runs():
    product = T.dot(T.constant(np.ones((2, 3))), T.constant(np.ones((2, 3))))
    assert product.ndim == 2
    with pytest.raises(ValueError, match="matmul"):
        value(product)


def test_gradients_of_constants_can_be_asked_for():
    x = T.constant(np.array([3.0, 5.0]))
    np.testing.assert_array_equal(value(theano.grad((x**2).sum(), x)), [6, 10])


def test_assert_raises_its_message():
    x = T.dscalar()
    call = theano.function([x], T.opt.Assert("must be positive")(x * 2, x > 0))
    assert call(1.0) == 2
    with pytest.raises(AssertionError, match="must be positive"):
        call(-1.0)


def test_default_stands_for_none():
    x, y = T.dscalars("x", "y")
    call = theano.function([x, y], T.default(x, y))
    assert (call(1, 2), call(None, 2)) == (1, 2)


def test_refused_names_say_what_is_used_instead():
    with pytest.raises(NotImplementedError, match="Septet's own compiler"):
        T.opt.register_canonicalize


def test_a_list_of_slices_is_a_key_and_parts_take_wider_floats() -> None:
    x = T.matrix("x")
    wide = T.set_subtensor(T.zeros((2, 3), dtype="float32")[[slice(None), slice(1, None)]], x.astype("float64"))
    assert wide.dtype == "float32"
    np.testing.assert_array_equal(wide.eval({x: np.ones((2, 2))}), [[0, 1, 1]] * 2)
