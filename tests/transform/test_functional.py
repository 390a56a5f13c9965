"""Derivatives of Python functions and of recorded tensors."""

from __future__ import annotations

import gc
import weakref
from typing import Any, NamedTuple

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, DTypeError, GradientError, ShapeError
from septet.graph.node import CONSTANT


class Point(NamedTuple):
    """A nested argument."""

    x: Any
    y: Any


def test_grad_of_a_function() -> None:
    """Numbers, arrays, tensors and variables are arguments."""
    assert float(st.grad(lambda x: x**3)(2.0)) == 12.0
    np.testing.assert_array_equal(st.grad(lambda x: (x * x).sum())(np.array([1.0, 2.0])), [2.0, 4.0])
    w = st.Variable([1.0, 2.0])
    np.testing.assert_array_equal(st.grad(lambda x: (x * x).sum())(w), [2.0, 4.0])
    assert w.grad is None


def test_python_control_flow_sees_values() -> None:
    """Outside of traces a function may ask for values."""

    def f(x: st.Tensor) -> st.Tensor:
        total = x
        while total < 100:
            total = total * x if total > 10 else total * total
        return total

    assert float(st.grad(f)(3.0)) == pytest.approx(5 * 3.0**4)  # 3, 9, 81, 243: the fifth power


def test_argnums_and_nested_arguments() -> None:
    """Gradients have the structure of what was differentiated."""

    def f(a: Any, b: Any, scale: float = 1.0) -> Any:
        return (a["w"] * b[0] + b[1].x * b[1].y).sum() * scale

    a = {"w": st.tensor([1.0, 2.0])}
    b = [st.tensor([3.0, 4.0]), Point(st.tensor(5.0), st.tensor(6.0))]
    da = st.grad(f)(a, b)
    np.testing.assert_array_equal(da["w"], [3.0, 4.0])
    da, db = st.grad(f, (0, -1))(a, b, scale=2.0)
    np.testing.assert_array_equal(da["w"], [6.0, 8.0])
    np.testing.assert_array_equal(db[0], [2.0, 4.0])
    assert isinstance(db[1], Point) and float(db[1].x) == 24.0 and float(db[1].y) == 20.0
    assert isinstance(st.grad(f, [1])(a, b), tuple)


def test_value_and_grad_with_aux() -> None:
    """The auxiliary value comes along."""
    (value, aux), g = st.value_and_grad(lambda x: (x * x, {"double": x * 2}), has_aux=True)(3.0)
    assert (float(value), float(aux["double"]), float(g)) == (9.0, 6.0, 6.0)
    g, aux = st.grad(lambda x: (x * x, "text"), has_aux=True)(3.0)
    assert (float(g), aux) == (6.0, "text")


def test_unused_arguments_get_zeros() -> None:
    """A function need not use all that it is given."""
    np.testing.assert_array_equal(st.grad(lambda x, y: x * x, 1)(st.tensor(1.0), st.ones(2)), [0.0, 0.0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: st.grad(lambda x: x)(2), GradientError, r"argument 0 is int64\[\], which carries no gradient"),
        (
            lambda: st.grad(lambda x: x)({"a": 1.0, "b": st.tensor([1, 2])}),
            GradientError,
            r"argument 0\['b'\] is int64",
        ),
        (lambda: st.grad(lambda x: x)("text"), DTypeError, "argument 0 is no tensor"),
        (lambda: st.grad(lambda x: 3.0)(2.0), GradientError, "must return a scalar tensor, it returned float"),
        (lambda: st.grad(lambda x: x)(st.ones(2)), GradientError, "needs a scalar cost"),
        (lambda: st.grad(lambda x: x, 1)(2.0), ArgumentError, "called with 1 positional arguments"),
        (lambda: st.grad(lambda x, y: x, (0, -2))(2.0, 1.0), ArgumentError, "names an argument twice"),
        (lambda: st.grad(lambda x: x, "x")(2.0), ArgumentError, "argnums must be an int"),
        (lambda: st.grad(lambda x: x, has_aux=True)(2.0), ArgumentError, "pair"),
        (lambda: st.grad(3.0), ArgumentError, "needs a function, got float"),
        (lambda: st.grad(st.tensor(1.0)), ArgumentError, "needs the tensors to differentiate"),
        (lambda: st.grad(st.tensor(1.0), [2.0]), ArgumentError, "got 2.0"),
        (lambda: st.jvp(lambda x: x, (1.0,), ()), ArgumentError, "1 arguments and 0 tangents"),
        (lambda: st.jvp(lambda x: x, 1.0, 1.0), ArgumentError, "args is a tuple"),
        (lambda: st.jvp(lambda x: x, (st.ones(2),), (st.ones(3),)), ShapeError, r"shape \(3,\), it belongs to"),
        (lambda: st.jvp(lambda x: x, (1.0,), (1j,)), DTypeError, "is complex64"),
        (lambda: st.jvp(lambda x: x[0], ([1.0, 2.0],), ([1.0],)), ArgumentError, r"nested like \[\*, \*\]"),
        (lambda: st.vjp(lambda x: (x, x), 1.0)[1](1.0), ArgumentError, r"nested like \(\*, \*\)"),
        (lambda: st.vjp(lambda x: x, st.ones(2))[1](1.0), ShapeError, "cotangent has shape"),
        (lambda: st.rop([st.ones(2)], [st.ones(2)], []), ArgumentError, "1 tensors .* and 0 vectors"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    """What is wrong is named, with what was received."""
    with pytest.raises(error, match=message):
        call()


def test_grad_of_a_cost() -> None:
    """Theano's way: recorded tensors, symbols and variables; the structure is that of what was asked for."""
    x, y = st.symbol("x", dtype="float64"), st.symbol("y", dtype="float64")
    gx, gy = st.grad(x**2 * y, (x, y))
    assert float(gx.eval({x: 3.0, y: 2.0})) == 12.0
    assert float(gy.eval({x: 3.0})) == 9.0
    w = st.Variable([1.0, 2.0])
    cost = (w * w).sum()
    np.testing.assert_array_equal(st.grad(cost, w), [2.0, 4.0])
    found = st.grad(cost, {"w": w})
    np.testing.assert_array_equal(found["w"], [2.0, 4.0])
    assert isinstance(st.grad(cost, iter([w])), list)


def test_grad_of_a_cost_that_read_a_variable_twice() -> None:
    """Every value that the variable had counts."""
    w = st.Variable([1.0, 2.0])
    first = (w * w).sum()
    w.assign([10.0, 20.0])
    cost = first + (w * 3).sum()
    np.testing.assert_array_equal(st.grad(cost, w), [2.0 + 3.0, 4.0 + 3.0])


def test_second_order_of_a_cost() -> None:
    """Gradients of recorded tensors can be differentiated."""
    w = st.Variable([1.0, 2.0])
    g = st.grad((w**3).sum(), w)
    np.testing.assert_allclose(st.grad(g.sum(), w), [6.0, 12.0])


def test_vjp_is_called_often() -> None:
    """One run, many cotangents; integer arguments are passed on."""
    value, pull = st.vjp(lambda x, n: {"y": x * n, "n": n + 1}, st.tensor([1.0, 2.0]), 3)
    assert value["n"] == 4
    for scale in (1.0, 2.0):
        gx, gn = pull({"y": st.tensor([scale, 0.0]), "n": 0})
        np.testing.assert_array_equal(gx, [3.0 * scale, 0.0])
        assert gn is None


def test_jvp_with_partial_tangents() -> None:
    """None is no movement."""
    value, tangent = st.jvp(lambda p, y: p[0] * p[1] + y, ([2.0, 3.0], 1.0), ([1.0, None], None))
    assert (float(value), float(tangent)) == (7.0, 3.0)
    value, tangent = st.jvp(lambda x, n: x * n, (2.0, 3), (1.0, None))
    assert (float(value), float(tangent)) == (6.0, 3.0)
    assert float(st.jvp(lambda x: st.tensor(5.0), (1.0,), (1.0,))[1]) == 0.0


def test_linearize() -> None:
    """The function runs once."""
    calls = []

    def f(x: st.Tensor) -> st.Tensor:
        calls.append(1)
        return st.sin(x)

    value, push = st.linearize(f, 0.5)
    assert float(value) == pytest.approx(np.sin(0.5))
    for direction in (1.0, 3.0):
        assert float(push(direction)) == pytest.approx(direction * np.cos(0.5))
    assert calls == [1]
    with pytest.raises(ArgumentError, match="1 arguments and 2 tangents"):
        push(1.0, 2.0)


def test_rop_and_lop() -> None:
    """Jacobian times vector and vector times Jacobian, for several tensors and for variables."""
    x, w = st.symbol("x", (2,)), st.Variable([2.0, 3.0])
    y, z = x * w, (x * x).sum()
    ty, tz = st.rop([y, z], [x, w], [st.tensor([1.0, 1.0]), st.tensor([1.0, 0.0])])
    np.testing.assert_array_equal(ty.eval({x: [5.0, 7.0]}), [2.0 + 5.0, 3.0])
    assert float(tz.eval({x: [5.0, 7.0]})) == 24.0
    gx, gw = st.lop([y, z], [x, w], [st.tensor([1.0, 1.0]), st.tensor(1.0)])
    np.testing.assert_array_equal(gx.eval({x: [5.0, 7.0]}), [2.0 + 10.0, 3.0 + 14.0])
    np.testing.assert_array_equal(gw.eval({x: [5.0, 7.0]}), [5.0, 7.0])
    assert isinstance(st.rop(y, x, st.ones(2)), st.Tensor)


def test_complex_gradient_points_uphill() -> None:
    """The gradient of |z|^2 is 2 z, in the conjugate convention."""
    z = st.tensor([1 + 2j, -3j])
    np.testing.assert_allclose(st.grad(lambda v: (abs(v) ** 2).sum())(z), 2 * z.numpy(), rtol=1e-6)


def test_inner_perturbations_are_not_confused() -> None:
    """The derivative of x * d/dy (x + y) is 1: the inner derivative does not see the outer one."""
    assert float(st.grad(lambda x: x * st.grad(lambda y: x + y)(1.0))(1.0)) == 1.0
    inner = lambda x: st.jvp(lambda y: x + y, (1.0,), (1.0,))[1]
    assert float(st.jvp(lambda x: x * inner(x), (1.0,), (1.0,))[1]) == 1.0


def test_variables_inside_keep_their_gradients() -> None:
    """What a function takes from outside stays differentiable."""
    w = st.Variable(3.0)
    g = st.grad(lambda x: w * x * x)(2.0)
    g.backward()
    assert w.grad is not None and float(w.grad) == 4.0


def test_no_grad_around_and_inside() -> None:
    """`no_grad` around does not stop the function's own gradient; its results are plain data."""
    w = st.Variable(3.0)
    with st.no_grad():
        value, g = st.value_and_grad(lambda x: w * x * x)(2.0)
    assert float(g) == 12.0 and not g.is_tracked and not value.is_tracked

    def f(x: st.Tensor) -> st.Tensor:
        with st.no_grad():
            y = x * x
        return x * y

    assert float(st.grad(f)(3.0)) == 9.0


# Nothing that was recorded for a derivative lives longer than it is needed.


def test_results_settle() -> None:
    """After evaluation a gradient is plain data, and what it was computed from is gone."""
    seen: list[Any] = []

    def f(x: st.Tensor) -> st.Tensor:
        y = st.exp(x)
        seen.append(weakref.ref(y.node))
        return (y * y).sum()

    value, g = st.value_and_grad(f)(st.ones(3))
    assert not g.is_tracked and not value.is_tracked
    st.evaluate(value, g)
    assert g.node.op is CONSTANT and value.node.op is CONSTANT
    gc.collect()
    assert seen[0]() is None


def test_values_that_were_asked_for_settle_too() -> None:
    """A function that branches on a value leaves no graph behind."""
    seen: list[Any] = []

    def f(x: st.Tensor) -> st.Tensor:
        y = x * x
        seen.append(weakref.ref(y.node))
        return y * y if y > 1 else y

    g = st.grad(f)(2.0)
    assert float(g) == 32.0
    gc.collect()
    assert seen[0]() is None and g.node.op is CONSTANT


def test_a_loop_of_gradients_does_not_grow() -> None:
    """A thousand steps of descent hold one value."""
    x = st.tensor(5.0)
    refs = []
    step = st.grad(lambda v: v * v)
    for _ in range(200):
        x = x - 0.1 * step(x)
        refs.append(weakref.ref(x.node))
    assert float(x) == pytest.approx(5.0 * 0.8**200, rel=1e-3)
    gc.collect()
    assert sum(ref() is not None for ref in refs) <= 2


def test_pull_back_lets_go() -> None:
    """When the pull-back is gone, the value is plain data."""
    value, pull = st.vjp(lambda x: st.exp(x), 1.0)
    (g,) = pull(1.0)
    assert value.is_tracked
    del pull
    gc.collect()
    assert not value.is_tracked and not g.is_tracked
    st.evaluate(value, g)
    assert value.node.op is CONSTANT and g.node.op is CONSTANT


def test_an_error_inside_lets_go() -> None:
    """A function that fails leaves its arguments as they were."""
    w = st.Variable(2.0)

    def f(x: st.Tensor) -> st.Tensor:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        st.grad(f)(w)
    assert float(st.grad(lambda x: x * x)(w)) == 4.0
