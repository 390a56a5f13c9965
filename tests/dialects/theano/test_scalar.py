"""`theano.scalar`: ops of numbers that programs define, and operators of scalar variables."""

import pickle

import numpy as np
import pytest

import septet.dialects.theano as theano
from septet.dialects.theano import scalar
from septet.dialects.theano import tensor as T


class Cube(scalar.UnaryScalarOp):
    """x^3, as a program would write it."""

    def impl(self, x):
        return x**3

    def grad(self, inputs, output_grads):
        (x,), (gz,) = inputs, output_grads
        return [gz * 3 * scalar.sqr(x)]


cube = Cube(scalar.upgrade_to_float, name="cube")


def test_an_op_of_a_program_works_on_tensors_and_has_its_own_gradient():
    x = T.dmatrix()
    y = T.Elemwise(cube)(x)
    data = np.arange(6.0).reshape(2, 3)
    call = theano.function([x], [y, theano.grad(y.sum(), x)])
    np.testing.assert_allclose(call(data), [data**3, 3 * data**2])
    assert T.Elemwise(cube)(T.bvector()).dtype == "float32"


def test_operators_of_scalar_variables():
    x, y = scalar.floats("xy")
    call = theano.function([x, y], [x / y - 2, -x % y, abs(x - y) ** 2, x < y, x // y])
    np.testing.assert_allclose(call(3.0, 2.0), [-0.5, 1, 1, 0, 1])
    with pytest.raises(scalar.ComplexError):
        scalar.complexs("x") % 2


def test_composites_have_several_results():
    x, y = scalar.floats("xy")
    inner = scalar.Composite([x, y], [x + y, x * y])
    sums, products = inner(x * 2, y)
    assert theano.function([x, y], [sums, products])(3.0, 4.0) == [10, 24]


def test_result_types_that_programs_ask_for():
    assert scalar.Add(scalar.transfer_type(0))(scalar.int8(), scalar.int32()).dtype == "int8"
    assert scalar.specific_out(scalar.float32)(scalar.int8) == (scalar.float32,)
    assert isinstance(T.exp.scalar_op, scalar.Exp)
    assert pickle.loads(pickle.dumps(T.nnet.sigmoid)) == T.nnet.sigmoid
    with pytest.raises(TypeError, match="Wrong number of inputs"):
        scalar.exp(1.0, 2.0)


def test_numbers_and_tensors_of_rank_0_become_each_other():
    x, s = scalar.float64("x"), T.dscalar("s")
    assert isinstance(T.exp(x).type, theano.tensor.TensorType) and not isinstance(T.exp(x).type, scalar.Scalar)
    f = theano.function([x, s], [T.nnet.elu(x, s), T.nnet.scalar_sigmoid(s)])
    np.testing.assert_allclose(f(-0.5, 2.0), [2 * np.expm1(-0.5), 1 / (1 + np.exp(-2))])
    assert T.as_tensor_variable(scalar.constant(56)).owner.op is T.tensor_from_scalar
    assert isinstance(T.scalar_from_tensor(T.constant(56)).eval(), np.int8)
    assert isinstance(scalar.lt, scalar.LogicalComparison) and isinstance(scalar.invert, scalar.UnaryBitOp)
    assert scalar.real_out(scalar.complex64) == (scalar.float32,) and scalar.same_out_min8(scalar.bool) == (
        scalar.int8,
    )


class Scaled(scalar.ScalarOp):
    """n x, without a gradient for n."""

    def impl(self, n, x):
        return n * x

    def grad(self, inputs, output_grads):
        return [theano.gradient.grad_not_implemented(self, 0, inputs[0]), output_grads[0] * inputs[0]]


def test_a_gradient_that_is_not_defined_is_not_taken_for_zero():
    scaled, x = T.Elemwise(Scaled(scalar.upgrade_to_float)), T.dvector()
    np.testing.assert_array_equal(T.grad(scaled(2, x).sum(), x).eval({x: [1, 5]}), [2, 2])
    with pytest.raises(theano.gradient.NullTypeGradError):
        T.grad(scaled(x, 2).sum(), x)


def test_numbers_are_taken_by_their_value():
    x = scalar.int8("x")
    f = theano.function([x], scalar.sqrt(x))
    assert f(np.int64(9)) == 3
    for wrong in (300, 1.5, "a"):
        with pytest.raises(TypeError):
            f(wrong)


def test_scalar_ops_of_tensors_have_gradients():
    x = T.dscalar()
    assert T.grad(scalar.sqr(x), x).eval({x: 3.0}) == 6
