"""Graphs of which some sizes are known only while they run: the part before runs natively."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.base.errors import IndexOutOfRangeError

rng = np.random.default_rng(0)
X = rng.standard_normal((9, 4)).astype(np.float32)
W = rng.standard_normal((4, 4)).astype(np.float32)
PART = "in part, the rest interpreted: sizes in this graph depend on values"


def network():
    x = st.symbol("x", (None, 4))
    w = st.Variable(W, "w")
    return x, w, st.tanh(x @ w)


def hidden(rows):
    return np.tanh(X[:rows] @ W)


def test_what_comes_before_a_mask_is_native():
    x, _, h = network()
    call = st.function([x], h[h[:, 0] > 0].sum(axis=0))
    for rows in (9, 7, 9):
        expected = hidden(rows)
        np.testing.assert_allclose(call(X[:rows]).numpy(), expected[expected[:, 0] > 0].sum(axis=0), atol=1e-5)
    assert [own.how for own in call.compiles] == [PART, PART]
    found = st.explain(call, X)
    assert [own.kind for own in found.steps].index("node") >= 2
    assert {own.reason for own in found.steps if own.kind == "node"} == {"sizes in this graph depend on values"}
    assert call.memory(X).outputs == 16


def test_variables_take_their_new_values_after_both_parts():
    x, w, h = network()
    bad = st.take(h[:, 0], st.nonzero(h[:, 1] < 9.0)[0] + st.astype(w[0, 0] > 0, "int64") * 100)
    call = st.function([x], bad.sum(), updates={w: w * 0 - 1})
    w.assign(-np.abs(W))
    assert np.isfinite(float(call(X)))
    np.testing.assert_array_equal(w.numpy(), np.full((4, 4), -1))
    w.assign(np.abs(W))
    with pytest.raises(IndexOutOfRangeError):
        call(X)
    np.testing.assert_array_equal(w.numpy(), np.abs(W))


def test_values_decide_one_size_and_data_another():
    x, _, h = network()
    n = st.symbol("n", (), dtype="int64")
    call = st.function([x, n], h[:n][h[:n, 0] > 0].sum(axis=0))
    for count in (5, 3, 5):
        expected = hidden(count)
        np.testing.assert_allclose(call(X, count).numpy(), expected[expected[:, 0] > 0].sum(axis=0), atol=1e-5)
    assert [own.how for own in call.compiles] == [PART, PART]


def test_a_loop_that_ends_early_is_native():
    limit = st.symbol("limit", ())

    def step(state, going):
        value = st.where(going, state * 2, state)
        return (value, going & (value < limit)), (value, going)

    def body(carry, _):
        return step(*carry)

    _, (values, going) = st.scan(body, (st.tensor(1.0), st.tensor(True)), None, length=64)
    call = st.function([limit], values[: st.astype(going, "int64").sum()])
    np.testing.assert_array_equal(call(10.0).numpy(), [2, 4, 8, 16])
    kinds = {own.name: own.kind for own in st.explain(call, 10.0).steps}
    assert kinds["scan"] == "kernel" and kinds["dynamic_slice"] == "node"


def test_effects_keep_their_order(capsys):
    call = st.compile(lambda x: st.print(st.tanh(x @ st.tensor(W)).sum()) + x[x > 9].sum())
    call(X)
    assert capsys.readouterr().out and not any(own.how == PART for own in call.compiles)
