"""Gradients of the user's own, and rematerialisation."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, ShapeError
from septet.graph.graph import order
from septet.transform.probe import node_of


@st.custom_gradient
def doubled(x: st.Tensor) -> Any:
    """x squared, with twice its gradient."""
    square = x * x
    return square, lambda g: g * 4 * x


def test_the_gradient_given_is_used() -> None:
    """In reverse mode, in forward mode, in second order, in batches, around and inside."""
    assert float(doubled(3.0)) == 9.0
    assert float(st.grad(doubled)(3.0)) == 12.0
    assert float(st.grad(st.grad(doubled))(3.0)) == 4.0
    value, tangent = st.jvp(doubled, (3.0,), (10.0,))
    assert (float(value), float(tangent)) == (9.0, 120.0)
    x = st.asarray([1.0, 2.0])
    np.testing.assert_array_equal(st.vmap(st.grad(doubled))(x), [4.0, 8.0])
    np.testing.assert_array_equal(st.grad(lambda v: st.vmap(doubled)(v).sum())(x), [4.0, 8.0])
    np.testing.assert_array_equal(st.jacfwd(doubled)(x), np.diag([4.0, 8.0]))
    np.testing.assert_array_equal(st.vmap(st.grad(st.grad(doubled)))(x), [4.0, 4.0])


def test_residuals_carry_second_order() -> None:
    """The pull-back may use what the function computed; that is differentiated too."""

    @st.custom_gradient
    def cube(x: st.Tensor) -> Any:
        square = x * x
        return square * x, lambda g: g * 3 * square

    assert float(st.grad(cube)(2.0)) == 12.0
    assert float(st.grad(st.grad(cube))(2.0)) == 12.0
    assert float(st.grad(st.grad(st.grad(cube)))(2.0)) == 6.0


def test_inside_control_flow_and_compile() -> None:
    """The pull-back is a graph of its own, so it goes where a graph goes."""
    xs = st.asarray([1.0, 2.0, 3.0])
    scanned = lambda v: st.scan(lambda c, x: (c + doubled(x * v), None), v * 0, xs)[0]
    assert float(scanned(2.0 * st.ones(()))) == 4.0 * 14
    assert float(st.grad(scanned)(2.0)) == 2 * (2 * 2.0 * 14)
    assert float(st.compile(st.grad(scanned))(st.asarray(2.0))) == 2 * (2 * 2.0 * 14)
    chosen = lambda x: st.cond(x > 1, doubled, lambda v: v, x)
    np.testing.assert_array_equal(st.vmap(st.grad(chosen))(xs), [1.0, 8.0, 12.0])
    assert float(st.compile(st.grad(chosen))(st.asarray(2.0))) == 8.0


def test_several_arguments_and_values() -> None:
    """One cotangent for each value, one gradient for each argument; None for none."""

    @st.custom_gradient
    def f(p: Any, y: st.Tensor, n: int) -> Any:
        return (p["a"] * y, y + n), lambda ga, gb: ({"a": ga * 10}, gb * 100, None)

    gp, gy = st.grad(lambda p, y: sum(f(p, y, 2)), (0, 1))({"a": 2.0}, 3.0)
    assert (float(gp["a"]), float(gy)) == (10.0, 100.0)
    a, b = f({"a": st.asarray(2.0)}, st.asarray(3.0), 2)
    assert (float(a), float(b)) == (6.0, 5.0)


def test_unbatched_arguments_in_a_batch() -> None:
    """The gradient of a shared argument is the sum over the batch."""

    @st.custom_gradient
    def f(w: st.Tensor, x: st.Tensor) -> Any:
        return w * x, lambda g: (g * x * 2, g * w)

    x = st.asarray([1.0, 2.0, 3.0])
    assert float(st.grad(lambda w: st.vmap(f, (None, 0))(w, x).sum())(5.0)) == 12.0
    np.testing.assert_array_equal(st.vmap(st.grad(f), (None, 0))(5.0, x), [2.0, 4.0, 6.0])


def test_defvjp() -> None:
    """Two functions, as in other frameworks: forward with residuals, backward."""

    @st.custom_gradient
    def clipped(x: st.Tensor) -> st.Tensor:
        return x * x

    clipped.defvjp(lambda x: (x * x, x), lambda x, g: st.minimum(2 * x * g, 1.0))
    assert float(clipped(5.0)) == 25.0
    assert float(st.grad(clipped)(5.0)) == 1.0
    assert float(st.grad(clipped)(0.25)) == 0.5
    assert clipped.__name__ == "clipped"


def test_python_control_flow_sees_values() -> None:
    """The function runs on values; the pull-back on symbols."""

    @st.custom_gradient
    def f(x: st.Tensor) -> Any:
        return (x, lambda g: g * 2) if x > 0 else (-x, lambda g: g * 3)

    assert (float(st.grad(f)(1.0)), float(st.grad(f)(-1.0))) == (2.0, 3.0)


def test_variables_outside_get_none() -> None:
    """Only arguments have gradients."""
    w, x = st.Variable(2.0), st.Variable(3.0)

    @st.custom_gradient
    def f(v: st.Tensor) -> Any:
        return v * w, lambda g: g * w

    (f(x) * w).backward()
    assert float(x.grad) == 4.0 and float(w.grad) == 6.0  # type: ignore[arg-type]
    assert not f(1.0).is_tracked


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (lambda x: x, ArgumentError, r"pair \(value, pull_back\), got Tensor"),
        (lambda x: (x, 3), ArgumentError, "pull-back needs a function, got int"),
        (lambda x: (x, lambda g: (g, g)), ArgumentError, "returned 2 gradients for 1 arguments"),
        (lambda x: (x, lambda g: g.sum()), ShapeError, r"argument 0 has shape \(2,\), its gradient \(\)"),
        (lambda x: (x, lambda g: {"a": g}), ArgumentError, r"nested like \*, its gradient like \{'a': \*\}"),
        (lambda x: (x, lambda g: [{"a": g}]), ArgumentError, r"nested like \*, its gradient like"),
    ],
)
def test_errors_come_with_the_call(result: Any, error: type[Exception], message: str) -> None:
    """Not when the gradient is asked for."""
    with pytest.raises(error, match=message):
        st.custom_gradient(result)(st.Variable(np.ones(2)))


# remat


def deep(x: st.Tensor) -> st.Tensor:
    """A chain with many intermediate values."""
    for _ in range(5):
        x = st.sin(x) * 1.5 + x
    return x


def test_remat_changes_nothing_but_memory() -> None:
    """The same values and gradients, of any order, in any transform."""
    x = st.asarray(np.linspace(-1, 1, 4))
    again = st.remat(deep)
    np.testing.assert_allclose(again(x), deep(x))
    for transform in (
        lambda f: st.grad(lambda v: f(v).sum()),
        lambda f: st.grad(lambda v: (st.grad(lambda u: f(u).sum())(v) ** 2).sum()),
        lambda f: lambda v: st.jvp(f, (v,), (v,))[1],
        lambda f: st.vmap(st.grad(f)),
        lambda f: st.jacobian(f),
        lambda f: st.compile(st.grad(lambda v: f(v).sum())),
        lambda f: lambda v: st.scan(lambda c, u: (f(c + u), f(u)), v[0], v)[1],
        lambda f: st.grad(lambda v: st.scan(lambda c, u: (f(c + u), None), v[0], v)[0]),
    ):
        np.testing.assert_allclose(transform(again)(x), transform(deep)(x), rtol=1e-10)


def test_remat_reaches_variables_and_nested_arguments() -> None:
    """Gradients flow to what the function takes from outside, and into nested arguments."""
    w = st.Variable([1.0, 2.0])
    loss = st.remat(lambda p, scale: (p["x"] * w).sum() * scale)({"x": st.Variable([3.0, 4.0])}, scale=2.0)
    loss.backward()
    np.testing.assert_array_equal(w.grad, [6.0, 8.0])


def test_remat_sees_values() -> None:
    """Python control flow on values works."""
    f = st.remat(lambda x: x * x if x > 1 else x)
    assert (float(st.grad(f)(3.0)), float(st.grad(f)(0.5))) == (6.0, 1.0)


def test_remat_keeps_no_intermediate_values() -> None:
    """After the forward run the inside is gone; without remat it waits for the gradient."""
    kept: list[Any] = []

    def f(x: st.Tensor) -> st.Tensor:
        y = st.exp(x)
        kept.append(weakref.ref(y.node))
        return st.exp(y)

    w = st.Variable(np.zeros(3))
    loss = st.remat(f)(w).sum()
    st.evaluate(loss)
    gc.collect()
    assert kept[0]() is None
    values = [n for n in order([loss.node]) if n.value is not None and isinstance(n.value, np.ndarray) and n.value.ndim]
    assert all(n.op.name in ("variable", "remat", "item") for n in values)
    plain = f(w).sum()
    st.evaluate(plain)
    assert kept[1]() is not None
    loss.backward()
    np.testing.assert_allclose(w.grad, np.full(3, np.exp(1)), rtol=1e-6)


def test_compiled_remat_computes_twice() -> None:
    """The optimizer does not merge what is computed again with the first time."""
    x = st.symbol("x", (3,))

    def sines(call: Any) -> int:
        y = call(x).sum()
        graph = st.function([x], [y, st.grad(y, x)]).optimized
        inside = [body for node in graph for body in node.params if isinstance(body, st.Graph)]
        return sum(node.op.name == "sin" for part in (graph, *inside) for node in part)

    f = lambda v: st.exp(st.sin(v))
    assert (sines(f), sines(st.remat(f))) == (1, 2)


def test_an_error_inside_remat() -> None:
    """What is wrong inside is said as outside."""
    with pytest.raises(ArgumentError, match="remat needs a function"):
        st.remat(3)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="do not broadcast"):
        st.remat(lambda x: x + st.ones(5))(st.ones(3))


def test_node_of_names_what_it_is() -> None:
    """The message begins with what was asked for."""
    with pytest.raises(st.errors.DTypeError, match="the value is no tensor"):
        node_of("text", "the value")
