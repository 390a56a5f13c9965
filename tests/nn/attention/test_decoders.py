"""Attention over the states of an encoder, and decoders, against NumPy step by step."""

import numpy as np
import pytest
from scipy.special import softmax

import septet as st
from septet import nn

RNG = np.random.default_rng(1)
B, T, S, C, M, H = 2, 4, 3, 5, 6, 4
X = RNG.normal(size=(B, T, C)).astype(np.float32)
MEMORY = RNG.normal(size=(B, S, M)).astype(np.float32)
MASK = np.array([[True, True, False], [True, True, True]])


def weights_of(layer):
    return {path: v.value.astype(float) for path, v in layer.named_parameters()}


def look(layer, query, memory, mask):
    """What a layer finds with one query for each example."""
    w = weights_of(layer)
    if isinstance(layer, nn.AdditiveAttention):
        hidden = np.tanh((query @ w["query_kernel"])[:, None] + memory @ w["memory_kernel"] + w["bias"])
        scores = hidden @ w["score"]
    else:
        own = query @ w["kernel"] if layer.score == "general" else query
        scores = np.einsum("bm,bsm->bs", own, memory) / (np.sqrt(M) if layer.score == "scaled" else 1)
    return np.einsum("bs,bsm->bm", softmax(np.where(mask, scores, -np.inf), -1), memory)


@pytest.mark.parametrize(
    "layer", [nn.AdditiveAttention(7), nn.DotAttention(), nn.DotAttention("scaled"), nn.DotAttention("general")],
)  # fmt: skip
def test_attention(layer):
    size = H if layer.__class__ is nn.AdditiveAttention or layer.score == "general" else M
    queries = RNG.normal(size=(B, T, size)).astype(np.float32)
    found, weights = layer(queries, MEMORY, MASK, with_weights=True)
    for t in range(T):
        np.testing.assert_allclose(found[:, t], look(layer, queries[:, t], MEMORY, MASK), atol=1e-5)
    assert not weights.numpy()[0, :, 2].any() and np.allclose(weights.numpy().sum(-1), 1, atol=1e-6)
    np.testing.assert_allclose(layer(queries[:, 0], MEMORY, MASK), found[:, 0], atol=1e-6)


@pytest.mark.parametrize("style", ["before", "after"])
def test_decoder(style):
    decoder = nn.AttentionDecoder(nn.RNNCell(H), nn.AdditiveAttention(7), style)
    found, (state, _) = decoder(X, MEMORY, memory_mask=MASK)
    w = weights_of(decoder)
    h, context, expected = np.zeros((B, H)), np.zeros((B, H if style == "after" else M)), []
    for t in range(T):
        if style == "before":
            context = look(decoder.attention, h, MEMORY, MASK)
        joined = np.concatenate([X[:, t], context], -1)
        h = np.tanh(joined @ w["cell.kernel"] + h @ w["cell.recurrent_kernel"] + w["cell.bias"])
        if style == "after":
            both = np.concatenate([h, look(decoder.attention, h, MEMORY, MASK)], -1)
            context = np.tanh(both @ w["output.kernel"])
        expected.append(context if style == "after" else np.concatenate([h, context], -1))
    np.testing.assert_allclose(found, np.stack(expected, 1), atol=1e-5)
    np.testing.assert_allclose(state, h, atol=1e-5)


def test_a_decoder_goes_on_from_a_state_and_has_gradients():
    decoder = nn.AttentionDecoder(nn.LSTMCell(H), nn.DotAttention("general"), "after")
    whole, _ = decoder(X, MEMORY)
    first, state = decoder(X[:, :2], MEMORY)
    second, _ = decoder(X[:, 2:], MEMORY, state)
    np.testing.assert_allclose(np.concatenate([first, second], 1), whole, atol=1e-6)
    begun, _ = decoder(X, MEMORY, ((st.ones((B, H)), st.ones((B, H))), None))
    assert not np.allclose(begun, whole)
    decoder(X, MEMORY)[0].sum().backward()
    assert all(v.grad.numpy().any() for v in decoder.parameters())
