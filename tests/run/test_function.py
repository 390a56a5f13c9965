"""`function` and `eval`: placing and converting arguments, and errors about them."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, CallError, DTypeError, GraphError, ShapeError, TracedValueError


def pair():
    x, n = st.symbol("x", (None, 3)), st.symbol("n", (), "int64")
    return st.function([x, n], [x * 2, n + 1], name="pair"), x, n


X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    ("args", "words"), [((X, 1), {}), ((X,), {"n": 1}), ((), {"n": 1, "x": X}), ((X.tolist(), np.int8(1)), {})]
)
def test_by_position_and_by_name(args, words):
    call, _, _ = pair()
    doubled, after = call(*args, **words)
    np.testing.assert_array_equal(doubled.numpy(), 2 * X)
    assert int(after) == 2


@pytest.mark.parametrize(
    ("args", "words", "text"),
    [
        ((), {}, "pair: lacks the inputs x and n; it takes x and n"),
        ((X,), {}, "pair: lacks the input n; it takes x and n"),
        ((X, 1, 2), {}, "pair: got 3 inputs, it takes x and n"),
        ((X, 1), {"x": X}, "pair: got the input 'x' twice, by position and by name"),
        ((X,), {"m": 1}, "pair: there is no input 'm'; it takes x and n"),
    ],
)
def test_wrong_calls(args, words, text):
    call, _, _ = pair()
    with pytest.raises(CallError) as caught:
        call(*args, **words)
    assert str(caught.value).split("\n")[0] == text
    assert f"  at {__file__}:" in str(caught.value)
    if args:
        assert "  x" in str(caught.value)
        assert "float32[2, 3]   data" in str(caught.value)


def test_conversions_within_a_kind_and_upwards_only():
    call, _, _ = pair()
    for array in (X.astype(">f4"), X.astype(np.float64), X.astype(np.int8), X > 2):
        np.testing.assert_array_equal(call(array, 0)[0].numpy(), 2 * array.astype(np.float32))
    for wrong in (1.5, np.ones((), ">f8"), 1j):
        with pytest.raises(DTypeError, match=r"input 'n' must be int64\[\] \(symbol, test_function.py:\d+\), got"):
            call(X, wrong)
    with pytest.raises(DTypeError, match=r"input 'x' must be float32\[\?, 3\] .*; cannot make a tensor of list"):
        call([[1], [2, 3]], 0)


def test_the_type_that_was_given_is_shown():
    call, _, _ = pair()
    with pytest.raises(ShapeError) as caught:
        call(np.ones((2, 4)), 0)
    text = str(caught.value).split("\n")
    assert text[0].endswith("got float64[2, 4]")
    assert text[1:3] == ["  x: float64[2, 4]   data", "                ^"]
    assert text[3] == "  n: int64[]   data"


def test_symbols_are_no_arguments():
    call, x, _ = pair()
    with pytest.raises(TracedValueError, match="pair: input 'x' is symbolic"):
        call(x + 1, 0)


def test_an_argument_that_is_changed_later_does_not_change_the_result():
    x = st.symbol("x", (3,))
    call = st.function([x], [x, x.reshape((1, 3))])
    array = np.ones(3, np.float32)
    same, view = call(array)
    array[:] = 5
    assert same.numpy().tolist() == [1, 1, 1]
    assert view.numpy().tolist() == [[1, 1, 1]]


def test_an_update_of_another_shape_is_refused_when_it_is_known():
    x, held = st.symbol("x", (None,)), st.Variable(np.zeros(1, np.float32), "held")
    call = st.function([x], held.sum(), updates={held: x * 2})
    assert float(call(np.ones(1, np.float32))) == 0.0 and held.numpy().tolist() == [2]
    with pytest.raises(ShapeError, match=r"variable 'held' is float32\[1\], its update is float32\[2\]"):
        call(np.ones(2, np.float32))
    assert held.numpy().tolist() == [2]


def test_updates_are_computed_from_the_old_values():
    a, b = st.Variable(1.0, "a"), st.Variable(2.0, "b")
    swap = st.function([], a + b, updates={a: b, b: a})
    assert [float(swap()), float(a), float(b)] == [3.0, 2.0, 1.0]
    with pytest.raises(GraphError, match="variable 'a' has two updates"):
        st.function([], updates=[(a, b), (a, b)])
    with pytest.raises(GraphError, match=r"updates are for variables, got tensor\(1.0?"):
        st.function([], updates=[(st.tensor(1.0), b)])


def test_givens():
    x, y = st.symbol("x", (None,)), st.symbol("y", (3,))
    call = st.function([y], (x * 2).sum(), givens={x: y + 1})
    assert float(call([0, 1, 2])) == 12
    with pytest.raises(GraphError, match=r"float32\[\?\] cannot be replaced by int64\[\]"):
        st.function([], x * 2, givens={x: st.symbol("n", (), "int64")})
    with pytest.raises(GraphError, match="givens replace tensors, got 'x'"):
        st.function([y], x * 2, givens={"x": y})


def test_eval():
    x, y = st.symbol("x", (None,)), st.symbol("y")
    assert (x * y).eval({x: [1, 2], y: 3}).numpy().tolist() == [3, 6]
    assert float(st.tensor(2.0).eval()) == 2
    for wrong, text in (
        ({}, "eval: the expression depends on symbols that are not given: x and y"),
        ({x: [1], y: 1, st.symbol("z"): 2}, "eval: the expression does not depend on z"),
        ({"x": [1], y: 1}, "eval: key 0 is not a symbol but 'x'"),
    ):
        with pytest.raises(GraphError) as caught:
            (x * y).eval(wrong)
        assert str(caught.value).split("\n")[0] == text


def test_sizes_that_do_not_fit_are_found_when_it_runs():
    """Sizes are then known, and shown."""
    x, y = st.symbol("x", (None, None)), st.symbol("y", (None,))
    call = st.function([x, y], st.concatenate([x.sum(axis=0) + y, y]))
    assert call(np.ones((2, 3)), np.ones(3)).shape == (6,)
    with pytest.raises(ShapeError) as caught:
        call(np.ones((2, 3)), np.ones(4))
    text = str(caught.value)
    assert text.startswith("add: shapes do not broadcast: size 3 against size 4 on axis -1")
    assert "float32[3]   result of sum" in text
    assert "float32[4]   symbol 'y'" in text


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_result_does_not_share_memory_with_an_argument(backend):
    with st.config.override(backend=backend):
        x = st.symbol("x", (None, 3))
        call = st.function([x], [x, x[0]])
        own = X.copy()
        same, row = call(own)
        own[:] = 7
        np.testing.assert_array_equal(same.numpy(), X)
        np.testing.assert_array_equal(row.numpy(), X[0])


def test_pending_tensors_and_arrays_of_any_layout():
    call, _, _ = pair()
    for x in (st.tensor(X) + 0, np.asfortranarray(X), X[::-1][::-1], X.view(np.recarray)):
        np.testing.assert_array_equal(call(x, 1)[0].numpy(), 2 * X)


def test_a_python_function_is_sent_to_compile():
    with pytest.raises(ArgumentError, match=r"symbols of a graph, not a Python function[\s\S]*septet\.compile"):
        st.function(lambda x: x)


def test_places_that_follow_from_variables_are_read_when_it_runs() -> None:
    x, i = st.symbol("x", (None,)), st.Variable(np.int64(1))
    parts = [x[i:], x[: i + 1], x[:: i + 0], x[i], st.asarray(np.arange(5.0))[i:]]
    sized = [st.broadcast_to(x[0], (i,)), st.reshape(x[:3], (i, -1)), st.repeat(x, i), st.dynamic_slice(x, [0], [i])]
    call = st.function([x], [*parts, *sized])
    for place in (1, 3):
        i.assign(place)
        data = np.arange(10.0, 15.0, dtype=np.float32)
        found = call(data)
        expected = [data[place:], data[: place + 1], data[::place], data[place], np.arange(1.0, 5.0)]
        expected += [data[[0] * place], data[:3].reshape(place, -1), data.repeat(place), data[:place]]
        for part, values in zip(found, expected, strict=True):  # what is data, and not symbolic, is cut at once
            np.testing.assert_array_equal(part.numpy(), values)
