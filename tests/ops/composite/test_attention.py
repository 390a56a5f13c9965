"""Attention against float64 NumPy: masks, batches, gradients, dropout, edges, and shapes that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import septet as st
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from tests.ops.composite.support import check_gradients, draw, in_all_modes

B, H, T, S, D, E = 2, 3, 4, 5, 6, 2
Q, K, V = draw(B, H, T, D, seed=1), draw(B, H, S, D, seed=2), draw(B, H, S, E, seed=3)
ALLOWED = np.random.default_rng(4).random((T, S)) < 0.7
ALLOWED[:, 0] = True


def exact(q, k, v, mask=None, *, is_causal=False, scale=None):
    scores = q @ np.swapaxes(k, -1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    if is_causal:
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    return scipy.special.softmax(scores, -1) @ v


OPTIONS = {
    "plain": {},
    "causal": {"is_causal": True},
    "scaled": {"scale": 0.3},
    "all": {"is_causal": True, "scale": 1.7},
}
MASKS = {
    "none": None,
    "bool": ALLOWED,
    "bool for each example": np.stack([ALLOWED, np.ones_like(ALLOWED)])[:, None],
    "keys": ALLOWED[:1],
    "float": draw(T, S, seed=5),
    "minus infinity": np.where(ALLOWED, 0.0, -np.inf),
}


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("mask", MASKS)
def test_values(mask, options):
    words = OPTIONS[options]
    arrays = [Q, K, V] if MASKS[mask] is None else [Q, K, V, MASKS[mask]]
    expected = exact(*arrays, **words)
    found = in_all_modes(lambda *a: st.attention(*a, **words), *arrays)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mask", ["none", "bool", "float", "minus infinity"])
def test_gradients(mask):
    q, k, v = Q[0, :2, :3], K[0, :2, :4, :], V[0, :2, :4]
    given = MASKS[mask]
    if given is None:
        check_gradients(lambda *a: st.attention(*a, is_causal=True), q, k, v)
    else:
        wrt = [0, 1, 2, 3] if mask == "float" else [0, 1, 2]
        check_gradients(lambda *a: st.attention(*a, scale=0.7), q, k, v, given[:3, :4], wrt=wrt)


def test_vectors_without_a_batch_and_batches_that_broadcast():
    np.testing.assert_allclose(st.attention(Q[0, 0], K[0, 0], V[0, 0]), exact(Q[0, 0], K[0, 0], V[0, 0]), rtol=1e-10)
    groups = draw(B, H, 7, T, D, seed=8)  # each head has 7 groups of queries for one set of keys and values
    found = in_all_modes(st.attention, groups, K[:, :, None], V[:, :, None], is_known=True)
    np.testing.assert_allclose(found, exact(groups, K[:, :, None], V[:, :, None]), rtol=1e-10)
    check_gradients(st.attention, draw(2, 2, D), K[0, 0], V[0, 0])


def test_the_weights():
    y, weights = st.attention(Q, K, V, ALLOWED, with_weights=True)
    np.testing.assert_allclose(weights.numpy().sum(-1), 1)
    assert (weights.numpy()[..., ~ALLOWED] == 0).all()
    np.testing.assert_allclose(weights.numpy() @ V, y, rtol=1e-10)


def test_the_scale_may_be_learned():
    scale = np.array([[[0.5]], [[1.0]], [[2.0]]])
    np.testing.assert_allclose(
        in_all_modes(lambda q, k, v, s: st.attention(q, k, v, scale=s), Q, K, V, scale),
        exact(Q, K, V, scale=scale), rtol=1e-10,
    )  # fmt: skip
    check_gradients(lambda s: st.attention(Q, K, V, scale=s), scale)


@pytest.mark.parametrize("kind", ["bool", "float"])
def test_a_query_that_may_look_at_nothing_gets_zeros_and_no_gradient(kind):
    allowed = ALLOWED.copy()
    allowed[1] = False
    mask = allowed if kind == "bool" else np.where(allowed, 0.0, -np.inf)
    found = in_all_modes(st.attention, Q, K, V, mask)
    np.testing.assert_array_equal(found[..., 1, :], np.zeros((B, H, E)))
    rest = [0, 2, 3]
    np.testing.assert_allclose(found[..., rest, :], exact(Q[..., rest, :], K, V, mask[rest]), rtol=1e-10)
    grads = st.grad(lambda q, k, v: (st.attention(q, k, v, mask) ** 2).sum(), argnums=(0, 1, 2))(Q, K, V)
    assert all(np.isfinite(g.numpy()).all() for g in grads)
    np.testing.assert_array_equal(grads[0].numpy()[..., 1, :], np.zeros((B, H, D)))


def test_large_scores_do_not_overflow():
    q = np.float32([[1e3, 0], [0, -1e3]])
    np.testing.assert_allclose(st.attention(q, q, q), [[1e3, 0], [0, -1e3]])
    half = np.float16([[200, 0], [0, 200]])
    found = st.attention(half, half, half)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found.numpy().astype(float), [[200, 0], [0, 200]])


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_short_floats(dtype):
    q, k, v = (st.asarray(a).astype(dtype) for a in (Q, K, V))
    found = st.attention(q, k, v, is_causal=True)
    assert found.dtype.name == dtype
    expected = exact(*(t.astype("float64").numpy() for t in (q, k, v)), is_causal=True)
    tolerance = {"float32": 1e-5, "float16": 1e-2, "bfloat16": 5e-2}[dtype]
    np.testing.assert_allclose(found.astype("float64").numpy(), expected, atol=tolerance)


def test_empty_ones():
    assert st.attention(np.ones((0, 3)), K[0, 0, :, :3], V[0, 0]).shape == (0, E)
    np.testing.assert_array_equal(st.attention(Q[0, 0], K[0, 0, :0], V[0, 0, :0]), np.zeros((T, E)))


def test_dropout_sets_weights_to_0_and_scales_the_others():
    q, k, v = np.zeros((1, 200, 4)), np.zeros((1, 50, 4)), np.eye(50)[None]  # all weights are 1 / 50
    state = st.random.Generator(3).draw_state()
    call = lambda s: st.attention(q, k, v, dropout=0.25, state=s, with_weights=True)
    y, weights = call(st.Tensor(state))
    np.testing.assert_allclose(weights, np.full((1, 200, 50), 0.02))
    kept = y.numpy() > 0
    np.testing.assert_allclose(y.numpy()[kept], 0.02 / 0.75)
    assert abs(kept.mean() - 0.75) < 0.02
    np.testing.assert_array_equal(call(st.Tensor(state))[0], y)
    np.testing.assert_array_equal(st.compile(lambda s: call(s)[0])(st.Tensor(state)), y)
    assert (call(st.random.next_state())[0].numpy() != y.numpy()).any()
    with pytest.raises(ArgumentError, match="attention: dropout needs a state to draw from"):
        st.attention(Q, K, V, dropout=0.1)
    with pytest.raises(ArgumentError, match="dropout must be at least 0 and below 1, got 1"):
        st.attention(Q, K, V, dropout=1)


def test_vmap_over_heads():
    found = st.vmap(lambda q, k, v: st.attention(q, k, v, is_causal=True))(Q[0], K[0], V[0])
    np.testing.assert_allclose(found, exact(Q[0], K[0], V[0], is_causal=True), rtol=1e-10)


WRONG = {
    "queries have 6 features, keys 5": (Q, K[..., :5], V),
    "there are 4 keys and 5 values": (Q, K[..., :4, :], V),
    "key needs two axes at least": (Q, K[0, 0, 0], V),
    "shapes do not broadcast: size 2 against size 3": (Q, np.concatenate([K, K[:1]]), V),
    r"the mask \(4,\) does not broadcast to the scores \(2, 3, 4, 5\)": (Q, K, V, ALLOWED[:, 0]),
    r"the mask \(2, 1, 1, 1, 1\) does not broadcast": (Q, K, V, np.ones((2, 1, 1, 1, 1), bool)),
}


@pytest.mark.parametrize("text", WRONG)
def test_shapes_that_do_not_fit(text):
    for call in (st.attention, st.compile(st.attention)):
        with pytest.raises(ShapeError, match=f"attention: {text}") as caught:
            call(*WRONG[text])
        assert "query" in str(caught.value) and "^" in str(caught.value)


def test_dtypes_that_do_not_fit():
    with pytest.raises(DTypeError, match=r"a mask holds booleans .* got int64"):
        st.attention(Q, K, V, ALLOWED.astype(int))
    with pytest.raises(DTypeError, match="attention: takes real tensors"):
        st.attention(Q + 0j, K, V)
    assert st.attention(Q.astype("float32"), K, V).dtype == np.float64


def test_the_other_name():
    assert st.scaled_dot_product_attention is st.attention
