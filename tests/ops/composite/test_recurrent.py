"""Recurrent cells against float64 NumPy, written gate by gate; gradients; sequences in a scan; shapes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

import septet as st
from septet.base.errors import ArgumentError, ShapeError
from tests.ops.composite.support import check_gradients, draw, in_all_modes

B, I, H = 3, 4, 5
X, HIDDEN, CELL = draw(B, I, seed=1), draw(B, H, seed=2), draw(B, H, seed=3)


def weights(gates: int) -> list[np.ndarray]:
    """Kernel, recurrent kernel, bias, recurrent bias."""
    return [
        draw(I, gates * H, seed=4), draw(H, gates * H, seed=5), draw(gates * H, seed=6), draw(gates * H, seed=7)
    ]  # fmt: skip


def columns(parts: list[np.ndarray], gate: int) -> list[np.ndarray]:
    """The part of the weights that belongs to a gate."""
    return [part[..., gate * H : (gate + 1) * H] for part in parts]


def one_gate(x, h, parts, gate):
    w, u, b, c = columns(parts, gate)
    return x @ w + h @ u + b + c


def rnn(x, h, *parts):
    return np.tanh(one_gate(x, h, parts, 0))


def lstm(x, h, c, *parts):
    i, f, g, o = (one_gate(x, h, parts, gate) for gate in range(4))
    c = expit(f) * c + expit(i) * np.tanh(g)
    return expit(o) * np.tanh(c), c


def gru(x, h, *parts, reset_after):
    z, r = expit(one_gate(x, h, parts, 0)), expit(one_gate(x, h, parts, 1))
    w, u, b, c = columns(parts, 2)
    n = x @ w + b + r * (h @ u + c) if reset_after else x @ w + b + (r * h) @ u + c
    return z * h + (1 - z) * np.tanh(n)


# name -> (cell that returns one tensor, arguments, exact)
CELLS = {
    "rnn": (st.rnn_cell, [X, HIDDEN, *weights(1)], rnn),
    "lstm": (
        lambda *a: st.concatenate(st.lstm_cell(*a), axis=-1), [X, HIDDEN, CELL, *weights(4)],
        lambda *a: np.concatenate(lstm(*a), -1),
    ),
    "gru, reset after": (st.gru_cell, [X, HIDDEN, *weights(3)], lambda *a: gru(*a, reset_after=True)),
    "gru, reset before": (
        lambda *a: st.gru_cell(*a, reset_after=False), [X, HIDDEN, *weights(3)], lambda *a: gru(*a, reset_after=False)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
def test_values(name):
    cell, arrays, exact = CELLS[name]
    eager = cell(*[st.asarray(a) for a in arrays])
    assert eager.dtype == np.float64
    np.testing.assert_allclose(eager, exact(*arrays), rtol=1e-10)
    np.testing.assert_allclose(st.compile(cell)(*arrays), exact(*arrays), rtol=1e-10)
    x, h = st.symbol("x", (None, None), "float64"), st.symbol("h", (None, H), "float64")
    given = [x, h, *arrays[2:]]
    if name == "lstm":
        given[2] = st.symbol("c", (None, H), "float64")
    inputs = [g for g in given if isinstance(g, st.Tensor)]
    np.testing.assert_allclose(st.function(inputs, cell(*given))(*arrays[: len(inputs)]), exact(*arrays), rtol=1e-10)


@pytest.mark.parametrize("name", CELLS)
def test_gradients(name):
    cell, arrays, _ = CELLS[name]
    wrt = range(len(arrays))
    small = [a[:1] if a.ndim == 2 and len(a) == B else a for a in arrays]
    check_gradients(cell, *small, wrt=[n for n in wrt if small[n].size <= 25])


@pytest.mark.parametrize("name", CELLS)
def test_biases_may_be_left_out(name):
    cell, arrays, exact = CELLS[name]
    zero = np.zeros_like(arrays[-1])
    for given, full in (
        (arrays[:-2], [*arrays[:-2], zero, zero]),
        (arrays[:-1], [*arrays[:-1], zero]),
        ([*arrays[:-2], None, arrays[-1]], [*arrays[:-2], zero, arrays[-1]]),
    ):
        np.testing.assert_allclose(cell(*given), exact(*full), rtol=1e-10)


@pytest.mark.parametrize("name", CELLS)
def test_an_input_that_is_multiplied_already(name):
    cell, arrays, exact = CELLS[name]
    place = 3 if name == "lstm" else 2
    given = list(arrays)
    given[0], given[place] = X @ arrays[place], None
    np.testing.assert_allclose(cell(*given), exact(*arrays), rtol=1e-10)


@pytest.mark.parametrize("name", CELLS)
def test_one_example_and_more_batch_axes(name):
    cell, arrays, exact = CELLS[name]
    states = 3 if name == "lstm" else 2
    one = [a[0] if n < states else a for n, a in enumerate(arrays)]
    np.testing.assert_allclose(cell(*one), exact(*arrays)[0], rtol=1e-10)
    many = [np.stack([a, a + 1]) if n < states else a for n, a in enumerate(arrays)]
    np.testing.assert_allclose(cell(*many), exact(*many), rtol=1e-10)
    np.testing.assert_allclose(
        st.vmap(cell, in_axes=tuple(0 if n < states else None for n in range(len(arrays))))(*arrays), exact(*arrays)
    )


def test_a_gru_whose_gates_are_closed_or_open():
    kernel, recurrent = np.zeros((I, 3 * H)), np.zeros((H, 3 * H))
    for update, expected in ((50.0, HIDDEN), (-50.0, np.zeros((B, H)))):
        bias = np.concatenate([np.full(H, update), np.zeros(2 * H)])
        for reset_after in (True, False):
            found = st.gru_cell(X, HIDDEN, kernel, recurrent, bias, reset_after=reset_after)
            np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_sequence_in_a_scan():
    steps = draw(6, B, I, seed=9)
    parts = weights(4)

    def run(xs, *given):
        def step(carry, x):
            h, c = st.lstm_cell(x, *carry, *given)
            return (h, c), h

        start = (st.zeros((B, H), dtype="float64"), st.zeros((B, H), dtype="float64"))
        return st.scan(step, start, xs)[1]

    h, c, expected = np.zeros((B, H)), np.zeros((B, H)), []
    for x in steps:
        h, c = lstm(x, h, c, *parts)
        expected.append(h)
    np.testing.assert_allclose(in_all_modes(lambda xs: run(xs, *parts), steps), expected, rtol=1e-9)
    check_gradients(lambda b: run(steps[:3], *parts[:2], b, parts[3])[-1], parts[2])


def test_peepholes():
    parts, (p, q, r) = weights(4), (draw(H, seed=n) for n in (10, 11, 12))
    i, f, g, o = (one_gate(X, HIDDEN, parts, gate) for gate in range(4))
    cell = expit(f + q * CELL) * CELL + expit(i + p * CELL) * np.tanh(g)
    hidden = expit(o + r * cell) * np.tanh(cell)
    arrays = [X, HIDDEN, CELL, *parts, np.concatenate([p, q, r])]
    found = st.lstm_cell(*arrays)
    np.testing.assert_allclose(found[0], hidden, rtol=1e-10)
    np.testing.assert_allclose(found[1], cell, rtol=1e-10)
    check_gradients(lambda c, w: st.lstm_cell(X, HIDDEN, c, *parts, w)[0], CELL, arrays[-1])
    with pytest.raises(ShapeError, match=r"the last axis of peepholes \(5,\) must have size 15"):
        st.lstm_cell(*arrays[:-1], p)


def test_other_activations():
    w, u, b, c = weights(1)
    exact = np.maximum(X @ w + HIDDEN @ u + b + c, 0)
    for activation in ("relu", lambda x: st.relu(x)):
        np.testing.assert_allclose(st.rnn_cell(X, HIDDEN, w, u, b, c, activation=activation), exact, rtol=1e-10)
    linear = st.rnn_cell(X, HIDDEN, w, u, activation=None)
    np.testing.assert_allclose(linear, X @ w + HIDDEN @ u, rtol=1e-10)
    hard = st.gru_cell(X, HIDDEN, *weights(3), recurrent_activation="hard_sigmoid")
    assert hard.shape == (B, H)
    with pytest.raises(ArgumentError, match="lstm_cell: activation 'tahn' does not exist"):
        st.lstm_cell(X, HIDDEN, CELL, *weights(4), activation="tahn")


def test_shapes_that_do_not_fit():
    w, u, b, c = weights(3)
    for text, given in {
        r"axis 0 of kernel \(5, 15\) must have size 4": (X, HIDDEN, draw(I + 1, 3 * H), u, b, c),
        r"axis 1 of kernel \(4, 16\) must have size 15": (X, HIDDEN, draw(I, 3 * H + 1), u, b, c),
        r"axis 0 of recurrent_kernel \(4, 15\) must have size 5": (X, HIDDEN, w, u[1:], b, c),
        r"axis 0 of bias \(14,\) must have size 15": (X, HIDDEN, w, u, b[1:], c),
        r"the last axis of x \(3, 4\) must have size 15": (X, HIDDEN, None, u, b, c),
        "recurrent_bias needs 1 axis, it has 2": (X, HIDDEN, w, u, b, c[None]),
        "hidden needs 1 axis at least, it has 0": (X, 1.0, w, u, b, c),
        "kernel needs 2 axes, it has 1": (X, HIDDEN, w[0], u, b, c),
    }.items():
        with pytest.raises(ShapeError, match=f"gru_cell: {text}") as caught:
            st.gru_cell(*given)
        assert "test_recurrent.py" in str(caught.value)
    with pytest.raises(ShapeError, match=r"lstm_cell: the last axis of cell \(3, 4\) must have size 5"):
        st.lstm_cell(X, HIDDEN, X, *weights(4))
    h = st.symbol("h", (None, None), "float64")
    u = st.symbol("u", (None, None), "float64")
    with pytest.raises(ShapeError, match="rnn_cell: the number of units must be known"):
        st.rnn_cell(X, h, draw(I, H), u)
