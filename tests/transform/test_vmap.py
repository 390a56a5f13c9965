"""`vmap` of functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, DTypeError, NotSupportedError, ShapeError, TracedValueError

A = np.arange(12.0).reshape(4, 3)
B = np.arange(12.0).reshape(4, 3)[::-1] + 1


def test_against_a_loop() -> None:
    """Each example by itself."""
    found = st.vmap(lambda a, b: (a * b).sum() - a[0])(A, B)
    np.testing.assert_allclose(found, [(a * b).sum() - a[0] for a, b in zip(A, B, strict=True)])


@pytest.mark.parametrize("in_axes", [(0, None), [0, None], (-2, None)])
def test_shared_arguments(in_axes: Any) -> None:
    """None is the same for all examples."""
    found = st.vmap(lambda a, w: w @ a, in_axes)(A, np.eye(3) * 2)
    np.testing.assert_allclose(found, A * 2)


def test_axes() -> None:
    """The batch may come from any axis and go to any."""
    found = st.vmap(lambda a: a * 2, 1, 1)(A)
    np.testing.assert_allclose(found, A * 2)
    found = st.vmap(lambda a: st.stack([a, a]), 0, -1)(A)
    assert found.shape == (2, 3, 4)
    np.testing.assert_allclose(found, np.stack([A, A]).transpose(0, 2, 1))


def test_nested_arguments_and_results() -> None:
    """Dicts, tuples and lists, with axes nested alike; arguments by name."""

    def f(p: Any, c: Any, scale: Any) -> Any:
        return {"sum": p["x"] + p["y"], "c": c, "pair": [p["x"] * scale, (p["x"].sum(),)]}

    found = st.vmap(f, ({"x": 0, "y": None}, None), {"sum": 0, "c": None, "pair": [1, 0]})(
        {"x": A, "y": np.ones(3)}, st.asarray(7.0), scale=np.arange(4.0)
    )
    np.testing.assert_allclose(found["sum"], A + 1)
    assert float(found["c"]) == 7.0
    np.testing.assert_allclose(found["pair"][0], (A * np.arange(4.0)[:, None]).T)
    np.testing.assert_allclose(found["pair"][1][0], A.sum(1))


def test_results_that_do_not_differ() -> None:
    """What is the same for all examples is repeated."""
    np.testing.assert_array_equal(st.vmap(lambda a: 2.5)(A), [2.5] * 4)
    np.testing.assert_array_equal(st.vmap(lambda a: (a, st.ones(2)))(A)[1], np.ones((4, 2)))


def test_nested_maps() -> None:
    """All pairs, by two maps."""
    distance = lambda a, b: ((a - b) ** 2).sum()
    found = st.vmap(st.vmap(distance, (None, 0)), (0, None))(A, B)
    np.testing.assert_allclose(found, ((A[:, None] - B[None]) ** 2).sum(-1))


def test_empty_batch() -> None:
    """No examples, no results; the types are right all the same."""
    found = st.vmap(lambda a: (a.sum(), a))(np.zeros((0, 3)))
    assert found[0].shape == (0,) and found[1].shape == (0, 3)


def test_batch_of_unknown_size() -> None:
    """A symbolic batch: its size comes with the data."""
    x = st.symbol("x", (None, 3), dtype="float64")
    y = st.vmap(lambda a: (a / a.sum(), 1.0))(x)
    np.testing.assert_allclose(y[0].eval({x: B}), B / B.sum(1, keepdims=True))
    np.testing.assert_array_equal(y[1].eval({x: B}), np.ones(4))


def test_gradients_flow_through() -> None:
    """To mapped and to shared arguments, and to variables from outside."""
    w = st.Variable(np.ones(3))
    x = st.Variable(A)
    loss = st.vmap(lambda a: (a * a * w).sum())(x).sum()
    loss.backward()
    np.testing.assert_allclose(w.grad, (A * A).sum(0))
    np.testing.assert_allclose(x.grad, 2 * A)


def test_no_grad_inside_cuts() -> None:
    """A path that `no_grad` cut for one example is cut for the batch."""
    x = st.Variable(A)

    def f(a: st.Tensor) -> st.Tensor:
        with st.no_grad():
            b = a * a
        return (a * b).sum()

    st.vmap(f)(x).sum().backward()
    np.testing.assert_allclose(x.grad, A * A)


def test_where_and_cond_choose_for_each_example() -> None:
    """Both ways to branch."""
    f = lambda a: st.where(a.sum() > 12, a, -a)
    g = lambda a: st.cond(a.sum() > 12, lambda v: v, lambda v: -v, a)
    expected = np.where(A.sum(1, keepdims=True) > 12, A, -A)
    np.testing.assert_array_equal(st.vmap(f)(A), expected)
    np.testing.assert_array_equal(st.vmap(g)(A), expected)


def test_scan_inside() -> None:
    """A scan of each example, over no steps too: the size of the batch is known inside."""
    f = lambda a: st.scan(lambda c, v: (c + v, c * v), a.sum() * 0, a)
    last, steps = st.vmap(f)(A)
    np.testing.assert_allclose(last, A.sum(1))
    before = np.cumsum(A, 1) - A
    np.testing.assert_allclose(steps, before * A)
    _, none = st.vmap(lambda a: st.scan(lambda c, v: (c, c * v), a, st.zeros((0,), dtype="float64")))(A)
    assert none.shape == (4, 0, 3)


def test_effects_happen_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Printing inside prints the batch, when the map is called."""
    st.vmap(lambda a: st.print("a is", a) * 2)(np.arange(2.0))
    assert capsys.readouterr().out == "a is [0., 1.]\n"
    with pytest.raises(st.errors.UserFunctionError, match="positive"):
        st.vmap(lambda a: st.check_that(a > 0, "must be positive", a))(np.arange(2.0))


def test_variables() -> None:
    """A variable may be read and assigned to inside, with what is the same for all examples."""
    count = st.Variable(0, role="state")

    def f(a: st.Tensor) -> st.Tensor:
        count.assign(count + 1)
        return a * count

    np.testing.assert_array_equal(st.vmap(f)(A), A)
    assert int(count) == 1
    total = st.Variable(np.zeros(3), role="statistic")
    with pytest.raises(NotSupportedError, match="a value for each example"):
        st.vmap(lambda a: total.assign(a))(A)
    np.testing.assert_array_equal(total.numpy(), np.zeros(3))


def test_inside_compile() -> None:
    """A compiled function may map, and its updates of variables stay updates."""
    w = st.Variable(np.ones(3))

    @st.compile
    def step(x: st.Tensor) -> st.Tensor:
        g = st.vmap(st.grad(lambda a: (a * w).sum() ** 2))(x)
        w.assign(w - 0.1 * g.mean(axis=0))
        return g

    expected = 2 * A.sum(1)[:, None] * np.ones((4, 3))
    np.testing.assert_allclose(step(A), expected)
    np.testing.assert_allclose(w.numpy(), 1 - 0.1 * expected.mean(0))


def test_random_numbers_are_shared() -> None:
    """One draw for all examples, as documented; different ones come of draws outside."""
    st.random.seed(3)
    noise = st.vmap(lambda a: a * 0 + st.random.normal((3,)))(np.zeros((4, 3), np.float32)).numpy()
    assert (noise == noise[0]).all() and noise[0].std() > 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: st.vmap(lambda a, b: a)(A, A[:2]), ShapeError, r"argument \[0\] is a batch of 4, argument \[1\] of 2"),
        (lambda: st.vmap(lambda a: a)(1.0), ShapeError, r"argument \[0\] is a scalar"),
        (lambda: st.vmap(lambda a: a, 2)(A), ArgumentError, r"in_axes of argument \[0\] 2 is out of range"),
        (lambda: st.vmap(lambda a: a, (0, 0))(A), ArgumentError, "2 entries, the call 1"),
        (lambda: st.vmap(lambda a: a, ("x",))(A), ArgumentError, r"in_axes\[0\] is 'x'"),
        (lambda: st.vmap(lambda a: a, ((0, 1),))((A,)), ArgumentError, r"nested like \(\*,\)"),
        (lambda: st.vmap(lambda a: a, None)(A), ArgumentError, "no argument has a batch axis"),
        (lambda: st.vmap(lambda a: a, 0, None)(A), ArgumentError, "differs within the batch"),
        (lambda: st.vmap(lambda a: a, 0, 5)(A), ArgumentError, "out_axes 5 is out of range"),
        (lambda: st.vmap(lambda a: "text")(A), DTypeError, "the result is no tensor"),
        (lambda: st.vmap(lambda a: a)("text"), DTypeError, r"argument \[0\] is no tensor"),
        (lambda: st.vmap(lambda a: a if a.sum() > 0 else -a)(A), TracedValueError, "example of argument"),
        (lambda: st.vmap(lambda a: st.unique_values(a))(A), NotSupportedError, "unique: vmap cannot batch it"),
        (lambda: st.vmap(3), ArgumentError, "needs a function"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    """What is wrong is named."""
    with pytest.raises(error, match=message):
        call()


def test_backward_inside_is_refused() -> None:
    """Gradients of single examples cannot be added to a variable's."""
    w = st.Variable(np.ones(3))

    def f(a: st.Tensor) -> st.Tensor:
        loss = (a * w).sum()
        loss.backward()
        return loss

    with pytest.raises(NotSupportedError, match="backward"):
        st.vmap(f)(A)
    assert w.grad is None
