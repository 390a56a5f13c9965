"""Multi-head attention: heads by hand, shared heads, caches, masks, weights, errors."""

import numpy as np
import pytest
from scipy.special import softmax

import septet as st
from septet import nn

RNG = np.random.default_rng(0)
B, T, C = 2, 5, 8
X = RNG.normal(size=(B, T, C)).astype(np.float32)


def by_hand(layer, x, allowed):
    """Attention head by head, in float64."""
    w = {path: v.value.astype(float) for path, v in layer.named_parameters()}
    q, k, v = (x @ w[f"{part}.kernel"] + w[f"{part}.bias"] for part in ("query", "key", "value"))
    size, group = q.shape[-1] // layer.heads, layer.heads // layer.key_value_heads
    found, weights = [], []
    for head in range(layer.heads):
        own, shared = slice(head * size, (head + 1) * size), slice(head // group * size, (head // group + 1) * size)
        scores = q[..., own] @ k[..., shared].transpose(0, 2, 1) / np.sqrt(size)
        weights.append(softmax(np.where(allowed, scores, -np.inf), -1))
        found.append(weights[-1] @ v[..., shared])
    return np.concatenate(found, -1) @ w["output.kernel"] + w["output.bias"], np.stack(weights, 1)


@pytest.mark.parametrize("shared", [4, 2, 1])
def test_heads(shared):
    layer = nn.MultiHeadAttention(4, key_value_heads=shared)
    causal = np.tril(np.ones((T, T), bool))
    keys = np.array([[True] * 5, [True, True, True, False, False]])
    y, weights = layer(X, is_causal=True, key_mask=keys, with_weights=True)
    expected, expected_weights = by_hand(layer, X, causal & keys[:, None])
    np.testing.assert_allclose(y, expected, atol=1e-5)
    np.testing.assert_allclose(weights, expected_weights, atol=1e-5)
    np.testing.assert_allclose(layer(X, mask=causal & keys[:, None]), y, atol=1e-6)
    added = np.where(causal, 0, -np.inf).astype(np.float32)
    np.testing.assert_allclose(layer(X, mask=added, key_mask=keys), y, atol=1e-6)
    by_head = np.broadcast_to(causal, (B, 4, T, T)) & keys[:, None, None]
    np.testing.assert_allclose(layer(X, mask=by_head), y, atol=1e-6)


@pytest.mark.parametrize(
    "words", [{}, {"key_value_heads": 2}, {"is_packed": True, "rotary_base": 100.0}, {"is_packed": True, "key_size": 6}]
)
def test_a_cache_gives_what_the_whole_sequence_gives(words):
    layer = nn.MultiHeadAttention(4, **words)
    y = layer(X, is_causal=True)
    cache, parts, position = layer.empty_cache(B, 7), [], 0
    for count in (2, 1, 2):
        part, cache = layer(X[:, position : position + count], cache=cache, position=st.tensor(position))
        parts.append(part.numpy())
        position += count
    np.testing.assert_allclose(np.concatenate(parts, 1), y, atol=1e-6)


def test_sizes():
    layer = nn.MultiHeadAttention(3, 5, value_size=2, units=7, use_bias=False)
    assert layer(X, X[:, :2]).shape == (B, T, 7)
    shapes = {path: v.shape for path, v in layer.named_parameters()}
    assert shapes == {"query.kernel": (8, 15), "key.kernel": (8, 15), "value.kernel": (8, 6), "output.kernel": (6, 7)}


def test_dropout_while_training():
    st.random.seed(0)
    layer = nn.MultiHeadAttention(2, dropout=0.5)
    assert not np.array_equal(layer(X), layer(X))
    layer.eval()
    np.testing.assert_array_equal(layer(X), layer(X))


def test_rotated_products_depend_on_the_distance():
    q, k = RNG.normal(size=(2, 1, 6)).astype(np.float32)
    for is_interleaved in (False, True):

        def product(a, b, is_interleaved=is_interleaved):
            rotated = [nn.rotary(x, st.tensor([n]), 50.0, is_interleaved) for x, n in ((q, a), (k, b))]
            return float((rotated[0] * rotated[1]).sum())

        assert np.isclose(product(9, 4), product(7, 2), atol=1e-5) and not np.isclose(product(9, 4), product(9, 5))
        assert np.isclose(product(3, 3), (q * k).sum(), atol=1e-5)


def test_positions():
    sines = nn.SinusoidalPositions()(np.zeros((1, T, C), np.float32)).numpy()[0]
    phases = np.arange(T)[:, None] / 10000.0 ** (np.arange(0, C, 2) / C)
    np.testing.assert_allclose(sines[:, ::2], np.sin(phases), atol=1e-6)
    np.testing.assert_allclose(sines[:, 1::2], np.cos(phases), atol=1e-6)
    learned = nn.LearnedPositions(6)
    np.testing.assert_allclose(learned(X) - X, np.broadcast_to(learned.table.value[:T], X.shape), atol=1e-6)
    for position in (2, st.tensor(2)):
        np.testing.assert_allclose(learned(X[:, :3], position), X[:, :3] + learned.table.value[2:5], atol=1e-6)
        np.testing.assert_allclose(nn.SinusoidalPositions()(X[:, :3] * 0, position)[0], sines[2:5], atol=1e-6)


def test_an_encoder_with_caches_in_compiled_code():
    model = nn.TransformerEncoder(2, 2, 16, is_norm_first=True).eval()
    y = model(X, is_causal=True)
    step = st.compile(lambda x, caches, position: model(x, caches=caches, position=position))
    caches = model.empty_caches(B, T)
    for t in range(T):
        part, caches = step(X[:, t : t + 1], caches, st.tensor(t))
        np.testing.assert_allclose(part[:, 0], y[:, t], atol=1e-5)
    assert len(step.compiles) == 1


def test_configurations_go_round():
    model = nn.Sequential(nn.TransformerEncoder(2, 2, 8, dropout=0.2, is_norm_first=True), nn.LearnedPositions(9))
    assert repr(nn.from_config(nn.to_config(model))) == repr(model)
    decoder = nn.AttentionDecoder(nn.LSTMCell(4), nn.AdditiveAttention(3), "after")
    assert repr(nn.from_config(nn.to_config(decoder))) == repr(decoder)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: nn.MultiHeadAttention(4, key_value_heads=3), "key_value_heads=3 does not divide heads=4"),
        (lambda: nn.MultiHeadAttention(3)(X), "heads=3 does not divide the 8 channels"),
        (lambda: nn.MultiHeadAttention(2, is_packed=True)(X, X), "a packed layer makes keys and values of the query"),
        (lambda: nn.MultiHeadAttention(2)(X[0]), r"takes \(B, T, C\), got shape \(5, 8\)"),
        (lambda: nn.MultiHeadAttention(2)(X, X, X[:, 1:]), "there are 5 keys and 4 values"),
        (lambda: nn.MultiHeadAttention(2)(X, mask=np.ones((T, 4), bool)), "does not broadcast to the scores"),
        (lambda: nn.MultiHeadAttention(2)(X, key_mask=np.ones((B, T))), r"holds booleans \(B, S\)"),
        (lambda: nn.MultiHeadAttention(2).empty_cache(1, 2), "unknown before the first input"),
        (lambda: nn.LearnedPositions(4)(X), "there are 4 positions, the input ends at 5"),
        (lambda: nn.SinusoidalPositions()(X[..., :3]), "the size 3 is odd"),
        (lambda: nn.DotAttention("dott"), r"Did you mean 'dot'\?"),
        (lambda: nn.AttentionDecoder(nn.Dense(3), nn.DotAttention()), "takes a cell and an attention"),
    ],
)  # fmt: skip
def test_mistakes_are_named(call, text):
    with pytest.raises((st.errors.ArgumentError, st.errors.ShapeError, st.errors.DTypeError), match=text):
        call()


def test_errors_name_the_path():
    model = nn.Sequential(nn.TransformerEncoderLayer(2, 8))
    model(X)
    with pytest.raises(st.errors.ShapeError) as caught:
        model(X[..., :6])
    assert "Sequential/0:TransformerEncoderLayer/attention:MultiHeadAttention" in str(caught.value)
