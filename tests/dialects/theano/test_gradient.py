"""Gradients and their relatives in the theano dialect, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.theano.gradient import (
    DisconnectedInputError,
    NullTypeGradError,
    disconnected_grad,
    grad_clip,
    grad_scale,
    undefined_grad,
    zero_grad,
)  # fmt: skip

RNG = np.random.default_rng(0)


def test_jacobian_and_hessian() -> None:
    x = T.dvector("x")
    value = RNG.standard_normal(4)
    np.testing.assert_allclose(T.jacobian(x**2, x).eval({x: value}), np.diag(2 * value))
    np.testing.assert_allclose(T.hessian((x**3).sum(), x).eval({x: value}), np.diag(6 * value))
    with pytest.raises(AssertionError):
        T.jacobian(T.dmatrix(), x)


def test_products_with_the_jacobian() -> None:
    w, x, v = T.dmatrix("W"), T.dvector("x"), T.dmatrix("V")
    a, b, c = RNG.standard_normal((3, 4)), RNG.standard_normal(3), RNG.standard_normal((3, 4))
    y = T.dot(x, w)
    np.testing.assert_allclose(theano.Rop(y, w, v).eval({w: a, x: b, v: c}), b @ c)
    u = T.dvector("u")
    d = RNG.standard_normal(4)
    f = theano.function([u, x, w], theano.Lop(y, w, u), on_unused_input="ignore")
    np.testing.assert_allclose(f(d, b, a), np.outer(b, d))


def test_identities_with_gradients_of_their_own() -> None:
    x = T.dvector("x")
    value = np.array([1.0, -3.0])

    def gradient(y: object) -> np.ndarray:
        return theano.function([x], T.grad((y * x).sum(), x))(value)

    np.testing.assert_allclose(gradient(zero_grad(x)), value)
    np.testing.assert_allclose(gradient(disconnected_grad(x)), value)
    np.testing.assert_allclose(gradient(grad_scale(x, 0.5)), 1.5 * value)
    np.testing.assert_allclose(gradient(grad_clip(x, -0.1, 0.1)), value + np.clip(value, -0.1, 0.1))
    with pytest.raises(DisconnectedInputError):
        T.grad(disconnected_grad(x).sum(), x)
    with pytest.raises(NullTypeGradError):
        T.grad(undefined_grad(x).sum(), x)


def test_known_gradients() -> None:
    x = T.dvector("x")
    y = x**2
    value, g = RNG.standard_normal(3), RNG.standard_normal(3)
    found = theano.function([x], theano.grad(None, x, known_grads={y: T.constant(g)}))(value)
    np.testing.assert_allclose(found, 2 * value * g)


def test_a_wrong_gradient_is_found() -> None:
    class Wrong(theano.Op):
        __props__ = ()

        def make_node(self, x):
            x = T.as_tensor_variable(x)
            return theano.Apply(self, [x], [x.type()])

        def perform(self, node, inputs, outputs):
            outputs[0][0] = inputs[0] ** 2

        def grad(self, inputs, gradients):
            return [gradients[0] * inputs[0]]

    point = [RNG.standard_normal((2, 3))]
    T.verify_grad(lambda x: T.sqr(x), point, rng=np.random)
    with pytest.raises(T.verify_grad.E_grad):
        T.verify_grad(Wrong(), point, rng=np.random)


def test_a_graph_as_an_op() -> None:
    x, y, z = T.dscalars("x", "y", "z")
    shared = theano.shared(2.0)
    plain = theano.OpFromGraph([x, y, z], [x + y * z * shared])
    scaled = theano.OpFromGraph(
        [x, y, z], [x + y * z], grad_overrides=["default", lambda i, g: i[2] * 2 * g[0], "default"]
    )
    f = theano.function([x, y, z], [plain(x, y, z), *T.grad(plain(x, y, z), [x, y, z])])
    np.testing.assert_allclose(f(1, 2, 3), [13, 1, 6, 4])
    g = theano.function([x, y, z], T.grad(scaled(x, y, z), [x, y, z]), on_unused_input="ignore")
    np.testing.assert_allclose(g(2, 3, 4), [1, 8, 3])


def test_a_graph_as_an_op_with_derivatives_of_its_own() -> None:
    x, y, u, v = T.dscalars("x", "y", "u", "v")
    own = theano.OpFromGraph([x, y], [x * y], rop_overrides=lambda i, e: [i[1] * e[0] * 2 + i[0] * e[1] * 3])
    f = theano.function(
        [x, y, u, v], [T.Rop(own(x, y), [x, y], [u, v]), *own.get_rop_op()(x, y, u, v, return_list=True)]
    )
    np.testing.assert_allclose(f(2, 3, 5, 7), [2 * 3 * 5 + 3 * 2 * 7] * 2)
    null, cut = theano.gof.null_type.NullType()(), theano.gradient.DisconnectedType()()
    own = theano.OpFromGraph([x, y, u], [x * y + u], grad_overrides=[lambda i, g: g[0] * 9, null, cut])
    words = {"disconnected_inputs": "ignore", "null_gradients": "return", "return_disconnected": "Disconnected"}
    a, b, c = T.grad(own(x, y, u), [x, y, u], **words)
    assert a.eval() == 9 and b.type == null.type and c.type == cut.type
    assert own.connection_pattern(None) == [[True], [True], [False]]
    assert theano.OpFromGraph([x, y], [x * 2, y + x]).connection_pattern(None) == [[True, True], [False, True]]
    own = theano.OpFromGraph([x], [x**2], lop_overrides=lambda i, o, g: [g[0] * o[0]])
    looped, _ = theano.scan(lambda total: own(total), outputs_info=[x], n_steps=2)
    f = theano.function([x], [T.grad(own(x), x), T.grad(looped[-1], x), own.get_lop_op()(x, x**2, x)])
    np.testing.assert_allclose(f(3), [9, 9 * 81, 27])


def test_the_changes_that_an_op_says_itself_are_those_of_rop() -> None:
    class Doubled(theano.Op):
        __props__ = ()

        def make_node(self, x: Any) -> Any:
            return theano.Apply(self, [x], [x.type()])

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            output_storage[0][0] = inputs[0] * 2

        def R_op(self, inputs: Any, eval_points: Any) -> Any:
            return [eval_points[0] * 20]

    x, v = T.dvectors("x", "v")
    f = theano.function([x, v], T.Rop(Doubled()(x**2) * x, x, v))
    np.testing.assert_allclose(f([1, 2], [3, 4]), [20 * 2 * 3 + 2 * 3, 20 * 2 * 2 * 4 * 2 + 8 * 4])


def test_second_gradients_of_intermediate_variables() -> None:
    x = T.dvector("x")
    y = x * 2
    gradient = T.grad((y**3).sum(), y)
    second = T.grad(gradient.sum(), y)
    np.testing.assert_allclose(second.eval({x: [1, 2]}), 6 * np.array([2.0, 4.0]))
    with pytest.raises(DisconnectedInputError):
        T.grad(gradient.sum(), T.exp(y))


def test_ops_are_asked_for_their_gradients() -> None:
    x, g = T.dvectors("x", "g")
    (found,) = T.exp.grad([x], [g])
    np.testing.assert_allclose(found.eval({x: [0, 1], g: [2, 3]}), [2, 3 * np.e])
    assert isinstance(T.extra_ops.DiffOp().grad([x], [g])[0].type, T.TensorType)


def test_gradients_are_computed_from_other_variables_on_the_way() -> None:
    x, z = T.dvectors("x", "z")
    y = x * 2
    gradient = T.grad((T.exp(y) * x).sum(), y)
    cloned = theano.clone(gradient, {y: z})
    np.testing.assert_allclose(cloned.eval({x: [1, 2], z: [3, 4]}), np.exp([3, 4]) * [1, 2])
    second = theano.clone(T.grad(gradient.sum(), y), {y: x + 1, x: z})
    np.testing.assert_allclose(second.eval({x: [1, 2], z: [3, 4]}), np.exp([2, 3]) * [3, 4])
    np.testing.assert_allclose(
        theano.function([x, z], gradient, givens={y: z})([1, 2], [3, 4]), np.exp([3, 4]) * [1, 2]
    )
    rows = T.jacobian(gradient, y).eval({x: [1, 2]})
    np.testing.assert_allclose(rows, np.diag(np.exp([2, 4]) * [1, 2]))
