"""Printing, checking and calling Python, at once and from compiled code."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, DTypeError, GradientError, NonFiniteError, UserFunctionError

X = st.tensor(np.array([1.0, 2.0], np.float32))


def test_print(capsys):
    assert st.print("x is", X, "{and}", 3) is not None
    st.print()
    st.print("plain", end="!\n")
    st.print(X, X.sum(), format="{:.2f} sum {}")
    st.print(X, X, sep="|")
    out = capsys.readouterr().out
    assert out == "x is [1., 2.] {and} 3\n\nplain!\n[1.00, 2.00] sum 3.0\n[1., 2.]|[1., 2.]\n"


def test_print_in_compiled_code(capsys):
    @st.compile
    def f(x):
        st.print("once per call:", x.sum())
        st.print("constant")
        return x * 2

    assert capsys.readouterr().out == ""
    for _ in range(2):
        f(X)
    assert capsys.readouterr().out == "once per call: 3.0\nconstant\n" * 2


def test_print_passes_its_first_tensor_and_its_gradient_on(capsys):
    w = st.Variable(np.array([3.0, 4.0]), "w")
    (st.print(w, "seen") * 2.0).sum().backward()
    np.testing.assert_array_equal(w.grad, [2.0, 2.0])
    assert capsys.readouterr().out == "[3., 4.] seen\n"


def test_print_in_a_symbolic_function(capsys):
    x = st.symbol("x", (None,))
    f = st.function([x], st.print("value", x) + 1)
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(f([1.0, 2.0]), [2, 3])
    assert capsys.readouterr().out == "value [1., 2.]\n"


def test_print_refuses_a_format_that_does_not_fit():
    with pytest.raises(ArgumentError, match="does not fit 1 values"):
        st.print(X, format="{} {}")
    with pytest.raises(ArgumentError, match="all values are tensors"):
        st.print("text", X, format="{} {}")


def test_check_that():
    assert st.check_that(X > 0, "positive", X).tolist() == [1.0, 2.0]
    with pytest.raises(UserFunctionError, match=r"x is \[1\., 2\.\] \(at 1 of 2 elements, first at index \(1,\)\)"):
        st.check_that(X < 2, "x is {}", X)
    with pytest.raises(UserFunctionError, match=r"too large: \[1\., 2\.\]"):
        st.check_that(X < 2, "too large", X)
    with pytest.raises(DTypeError, match="dtype bool, got float32"):
        st.check_that(X, "x")


def test_check_in_compiled_code():
    @st.compile
    def f(x):
        st.check_that(x.sum() > 0, "the sum is {:.1f}", x.sum())
        return x * 2

    assert f(X).tolist() == [2.0, 4.0]
    for _ in range(2):
        with pytest.raises(UserFunctionError, match=r"the sum is -3\.0"):
            f(X * -1.0)
    assert f(X).tolist() == [2.0, 4.0]


def test_check_finite():
    assert st.check_finite(X).tolist() == [1.0, 2.0]
    with pytest.raises(NonFiniteError, match=r"loss: \[ ?1\., +inf\]"):
        st.check_finite(st.tensor([1.0, np.inf]), "loss")
    w = st.Variable(np.array([3.0]), "w")
    (st.check_finite(w) * 2.0).sum().backward()
    assert w.grad.tolist() == [2.0]


def test_callback():
    found = st.callback(np.cumsum, ("float32", (2,)), X)
    assert found.tolist() == [1.0, 3.0]
    pair = st.callback(lambda a, b: (a + b, 7), [X, ("int64", ())], X, X)
    assert pair[0].tolist() == [2.0, 4.0]
    assert int(pair[1]) == 7
    f = st.compile(lambda x: st.callback(lambda a: a[::-1], x, x) + 1)
    assert f(X).tolist() == [3.0, 2.0]


def test_callback_of_an_unknown_size():
    x = st.symbol("x", (None,))
    f = st.function([x], st.callback(lambda a: a[a > 1], ("float32", (None,)), x))
    assert f([1.0, 2.0, 3.0]).tolist() == [2.0, 3.0]


def test_callback_with_effects():
    seen = []
    assert st.callback(lambda a: seen.append(a.tolist()), None, X) is None
    assert seen == [[1.0, 2.0]]

    @st.compile
    def f(x):
        st.callback(lambda a: seen.append(float(a)), None, x.sum())
        return x

    for _ in range(2):
        f(X)
    assert seen[1:] == [3.0, 3.0]


def test_callback_gradient():
    w = st.Variable(np.array([0.5, 1.0]), "w")
    kinds = ("float64", (2,))
    y = st.callback(np.sin, kinds, w, gradient=lambda g, x: g * st.callback(np.cos, kinds, x))
    (y * y).sum().backward()
    np.testing.assert_allclose(w.grad, 2 * np.sin([0.5, 1.0]) * np.cos([0.5, 1.0]))
    w.zero_grad()
    s, c = st.callback(
        lambda x, k: (x * k, x + k),
        [kinds, kinds],
        w,
        st.tensor(2.0, "float64"),
        gradient=lambda g, x, k: (g[0] * k + g[1], None),
    )
    (s + c * 3.0).sum().backward()
    np.testing.assert_allclose(w.grad, [5.0, 5.0])


def test_callback_without_gradient_says_so():
    w = st.Variable(np.array([0.5]), "w")
    with pytest.raises(GradientError, match="sin has no gradient: none was given"):
        st.callback(np.sin, ("float64", (1,)), w).sum().backward()


def test_errors_of_the_function_are_chained():
    def bad(x):
        raise KeyError("lost")

    with pytest.raises(UserFunctionError, match="bad raised KeyError: 'lost'") as caught:
        st.callback(bad, X, X).numpy()
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(UserFunctionError, match=r"result 0 .* is float64\[2\], declared was float32\[2\]"):
        st.callback(lambda x: x.astype("float64"), X, X).numpy()
    with pytest.raises(UserFunctionError, match=r"result 0 .* is float32\[1\], declared was float32\[2\]"):
        st.callback(lambda x: x[:1], X, X).numpy()
    with pytest.raises(UserFunctionError, match="returned 1 results, 2 were declared"):
        st.callback(lambda x: x, [X, X], X)[0].numpy()
    with pytest.raises(ArgumentError, match="declared by dtype and shape, got 3"):
        st.callback(lambda x: x, 3, X)
    with pytest.raises(ArgumentError, match="must be a Python function"):
        st.callback(3, X, X)


def test_arrays_are_read_only():
    def write(x):
        x[0] = 9
        return x

    with pytest.raises(UserFunctionError, match="read-only"):
        st.callback(write, X, X).numpy()
