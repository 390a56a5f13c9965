"""`theano.tensor`: what expressions compute, against NumPy, and gradients where several conventions are possible."""

import numpy as np
import pytest

import septet.dialects.theano as theano
from septet.dialects.running.python2_names import divide
from septet.dialects.theano import tensor as T
from septet.dialects.theano.tensor.reductions import Min


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


def test_subclasses_of_extrema_take_booleans():
    class Own(Min):
        pass

    x = T.TensorType("bool", (False,))()
    assert value(Own(axis=None)(x), (x, np.array([True, False]))) == np.False_


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


def test_functions_and_arrays_of_numpy_take_variables():
    x, array = T.dmatrix(), np.arange(4.0).reshape(2, 2)
    total = np.ones((2, 2))
    total += x
    for found, expected in (
        (np.exp(x), np.exp(array)), (array @ x, array @ array), (np.float64(2) - x, 2 - array),
        (array > x, array > array), (total, 1 + array),
    ):  # fmt: skip
        np.testing.assert_allclose(value(found, (x, array)), expected)
    assert not isinstance(array == x, T.TensorVariable)


def test_small_numbers_are_one_constant_each():
    assert T.constant(1) is T.constant(1) and T.constant(1.0) is not T.constant(1)
    assert T.constant(99) is not T.constant(99) and T.constant(1, name="one") is not T.constant(1)


def test_reductions_name_their_dtypes():
    found = T.sum(T.bvector())
    assert (found.dtype, found.owner.op.acc_dtype) == ("int64", "int64")
    assert T.mean(T.matrix(dtype="float16")).dtype == "float16"
    with pytest.raises(TypeError, match="precision would be lost"):
        T.sum(T.dvector(), acc_dtype="float32")


def test_arguments_are_overwritten_where_that_is_allowed():
    x, y = T.lvectors("x", "y")
    a = np.array([0, 1, 1])
    call = theano.function([x, y], T.inplace.xor_inplace(x, y), accept_inplace=True)
    assert call(a, np.array([1, 1, 0])).tolist() == a.tolist() == [1, 0, 1]


def test_none_stands_for_the_number_of_rows():
    n, m, k = T.iscalars("n", "m", "k")
    call = theano.function([n, m, k], T.eye(n, m, k))
    np.testing.assert_array_equal(call(3, None, 1), np.eye(3, k=1))
    np.testing.assert_array_equal(call(2, 3, 0), np.eye(2, 3))


def test_choices_broadcast_when_sizes_come():
    which, one, other = T.itensor3(), T.dtensor3(), T.dtensor3()
    a, b, c = np.array([0, 1], "int32").reshape(2, 1, 1), np.ones((1, 3, 1)), np.zeros((1, 1, 4))
    np.testing.assert_array_equal(
        value(T.choose(which, (one, other)), (which, a), (one, b), (other, c)), np.choose(a, (b, c))
    )


@pytest.mark.parametrize(
    "cost, expected", [(lambda x: (x * x)[0], [0, 0]), (lambda x: x.sum(), [0, 0]), (lambda x: x.max(), [0, 1])]
)
def test_gradients_of_integers_are_those_of_the_original(cost, expected):
    x = T.ivector()
    np.testing.assert_array_equal(value(theano.grad(cost(x), x), (x, [1, 2])), expected)


@pytest.mark.parametrize("make", [lambda x: x, T.constant, theano.shared], ids=["inputs", "constants", "shared"])
def test_shapes_of_joins_follow_from_the_parts_where_only_they_are_asked_for(make):
    arrays = np.ones((2, 3)), np.ones((4, 5))
    symbols = T.dmatrices("x", "y")
    parts = symbols if make(0) == 0 else [make(array) for array in arrays]
    joined = T.join(1, *parts)
    given = list(zip(symbols, arrays, strict=True))
    assert value(joined.shape, *given).tolist() == [2, 8]
    assert value(T.join(0, joined, parts[0]).shape[0], *given) == 4
    with pytest.raises(ValueError, match="sizes differ on axis 0"):
        value(joined, *given)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_tensors_are_joined_and_split_along_an_axis_that_is_a_variable(axis):
    place, x, y = T.iscalar(), T.dmatrix(), T.dmatrix()
    a = np.arange(6.0).reshape(2, 3)
    b, given = a[:1] + 10 if axis == 0 else a[:, :2] + 10, [(place, axis), (x, a)]
    joined = T.join(place, x, y)
    assert joined.broadcastable == (False, False)
    np.testing.assert_array_equal(value(joined, *given, (y, b)), np.concatenate([a, b], axis))
    gx, gy = value(theano.grad((joined**2).sum(), [x, y]), *given, (y, b))
    np.testing.assert_array_equal(gx, 2 * a)
    np.testing.assert_array_equal(gy, 2 * b)
    for part, expected in zip(T.split(x, [1, a.shape[axis] - 1], 2, place), np.split(a, [1], axis), strict=True):
        np.testing.assert_array_equal(value(part, *given), expected)
    sizes = T.lvector()
    for wrong in (
        joined,
        T.split(x, sizes, 2, place)[0],
        T.split(x, sizes, 2, axis)[0],
        T.split(x, [3, 1], 2, axis)[0],
    ):
        with pytest.raises(ValueError, match="shape"):
            value(wrong, *given, (y, np.ones((4, 5))), (sizes, [1, 3]))
    with pytest.raises(IndexError):
        value(joined, (place, 2), (x, a), (y, b))


def test_integers_are_divided_down_in_python_2_as_the_setting_says():
    x, y, numbers = T.iscalar(), T.fscalar(), np.array([7, -7])
    for left, right in ((x, 2), (15, x), (numbers, x), (x, x)):
        assert divide(left, right).dtype in ("int32", "int64")
        assert (left / right).dtype == "float64"
    assert value(divide(x, 2), (x, -7)) == -4
    assert (divide(x, y).dtype, divide(y, 2).dtype) == ("float64", "float32")
    with theano.change_flags(int_division="floatX"):
        assert divide(x, 2).dtype == "float64"
    with theano.change_flags(int_division="raise"), pytest.raises(theano.scalar.IntegerDivisionError, match="//"):
        divide(x, 2)


def test_what_is_neither_real_nor_wide_enough():
    """Truth of imaginary numbers, choices of booleans, solutions of integers."""
    z, b, i, j = T.zvector(), T.TensorType("bool", (False,))(), T.lmatrix(), T.lvector()
    assert value((b // b)[0], (b, np.array([True, True]))) and (b % b).dtype == "bool"
    assert value(T.dot(b, b), (b, np.array([True, False]))) and T.dot(b, b).dtype == "bool"
    assert value(T.all(z), (z, [1j, 2])) and not value(T.any(z), (z, [0, 0]))
    np.testing.assert_array_equal(value(T.choose(b, [[1, 2], [3, 4]]), (b, np.array([True, False]))), [3, 2])
    solution = T.nlinalg.tensorsolve(i, j)
    np.testing.assert_allclose(value(solution, (i, [[2, 0], [0, 4]]), (j, [1, 1])), [0.5, 0.25])
    assert theano.shared(True).type == T.TensorType("bool", ())
    assert T.alloc_validate_shape([1, T.iscalar()])[1] == [True, False]


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.transpose(1), lambda x: T.transpose(x.dimshuffle(0, "x"), (3, 0)), lambda x: x.take(0, 1),
        lambda x: T.squeeze(x.dimshuffle(0, "x"), axis=3), lambda x: x.astype(None), lambda x: x.transfer("gpu"),
        lambda x: x.choose([x, x]), lambda x: T.bincount(x), lambda x: T.extra_ops.to_one_hot(x, 3),
        lambda x: T.extra_ops.cpu_contiguous(x, x), lambda x: theano.compile.view_op(x, x),
        lambda x: T.tensor_from_scalar(x), lambda x: T.advanced_subtensor1(x),
        lambda x: T.advanced_inc_subtensor1(x, x),
    ],
)  # fmt: skip
def test_what_the_original_refuses_is_not_computed_in_silence(call):
    with pytest.raises((TypeError, ValueError, IndexError, AssertionError)):
        call(T.dvector())


def test_methods_take_the_keywords_of_the_original():
    x = T.dvector()
    assert value(x.reshape(shape=(2, 1), ndim=2), (x, [1, 2])).tolist() == [[1], [2]]
    assert value(x.fill(value=3.0), (x, [1, 2])).tolist() == [3, 3]
    with pytest.raises(NotImplementedError, match="complex"):
        T.erf.grad([T.zvector()], [T.dvector()])


def test_declared_patterns_outlive_known_sizes() -> None:
    """What `unbroadcast` takes away does not come back with the next elementwise op."""
    loose = T.unbroadcast(T.drow("r"), 0)
    for made in (loose.copy(), -loose, loose + loose, loose * 2):
        assert made.type.broadcastable == (False, False), made
    assert (loose + T.dcol("c")).type.broadcastable == (False, False)
    assert (T.drow("r") + T.drow("r")).type.broadcastable == (True, False)


@pytest.mark.parametrize("sizes", [(-2, 3), (-1, -1)])
def test_impossible_sizes_are_refused_by_calls(sizes: tuple[int, ...]) -> None:
    x = T.dmatrix("x")
    f = theano.function([x], T.reshape(x, sizes) * 2)
    with pytest.raises(ValueError, match="one may be -1, none less"):
        f(np.ones((2, 3)))


def test_extrema_over_no_axes_are_those_of_all() -> None:
    x = T.dmatrix("x")
    value = np.array([[1.0, 5.0], [7.0, 2.0]])
    found = theano.function([x], [T.max(x, axis=[]), T.min(x, axis=()), T.argmax(x, axis=[])])(value)
    assert [float(one) for one in found] == [7, 1, 2]
    assert T.max_and_argmax(x, axis=[])[1].type.ndim == 0
    assert T.sum(x, axis=[]).type.ndim == 2


def test_extrema_of_no_booleans_are_refused() -> None:
    b = T.tensor("bool", (False, False))
    f = theano.function([b], [T.max(b, axis=0), T.min(b, axis=0)])
    assert [part.tolist() for part in f(np.array([[True, False], [True, False]]))] == [[True, False], [True, False]]
    with pytest.raises(ValueError, match="no elements along axis 0"):
        f(np.zeros((0, 2), "bool"))


def test_true_is_a_small_integer_as_a_constant() -> None:
    assert T.constant(True).dtype == "int8" and theano.scalar.constant(False).dtype == "int8"
    assert T.constant(np.array(True)).dtype == T.constant([True]).dtype == theano.shared(True).dtype == "bool"


def test_shapes_that_are_claimed_are_asserted() -> None:
    x = T.dmatrix("x")
    f = theano.function([x], T.specify_shape(x, (2, 3)) + T.specify_shape(x, [x.shape[0], 3]))
    assert f(np.ones((2, 3))).sum() == 12
    with pytest.raises(AssertionError, match=r"SpecifyShape: the shape is \(2, 2\)"):
        f(np.ones((2, 2)))
    n = T.iscalar("n")
    f = theano.function([x, n], T.specify_shape(x, [n, 3]))
    assert f(np.ones((2, 3)), 2).sum() == 6
    with pytest.raises(AssertionError, match="SpecifyShape: a size is 2, expected 5"):
        f(np.ones((2, 3)), 5)
