"""Losses with margins and losses of overlaps, against NumPy."""

import numpy as np
import pytest

import septet as st
from septet import nn

RNG = np.random.default_rng(5)
SCORES = RNG.normal(size=(6, 4))
LABELS = RNG.integers(0, 4, 6)
ONE_HOT = np.eye(4)[LABELS]
SIGNS = np.sign(RNG.normal(size=(6, 4)))
SHARES, MASK = RNG.random((3, 4, 5)), (RNG.random((3, 4, 5)) > 0.5).astype(float)
DISTANCES, PAIRS = RNG.random(6) * 2, np.array([1.0, 0, 0, 1, 1, 0])


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def own(x):
    return x[np.arange(len(x)), LABELS]


def tversky(alpha, beta, smooth):
    both, found, there = ((m.sum((1, 2))) for m in (SHARES * MASK, SHARES * (1 - MASK), (1 - SHARES) * MASK))
    return 1 - (both + smooth) / (both + alpha * found + beta * there + smooth)


P_OWN = own(softmax(SCORES))
ROWS = {
    "soft_margin_loss": ((SCORES, SIGNS), {}, np.log1p(np.exp(-SCORES * SIGNS))),
    "categorical_hinge_loss": (
        (SCORES, ONE_HOT), {}, np.maximum(0, ((1 - ONE_HOT) * SCORES).max(-1) - (ONE_HOT * SCORES).sum(-1) + 1),
    ),
    "multi_margin_loss": (
        (SCORES, LABELS), {"margin": 0.7},
        (np.maximum(0, 0.7 + SCORES - own(SCORES)[:, None]) * (1 - ONE_HOT)).sum(-1) / 4,
    ),
    "multi_margin_loss-2": (
        (SCORES, LABELS), {"power": 2},
        (np.maximum(0, 1 + SCORES - own(SCORES)[:, None]) ** 2 * (1 - ONE_HOT)).sum(-1) / 4,
    ),
    "hinge_embedding_loss": (
        (DISTANCES, PAIRS * 2 - 1), {}, np.where(PAIRS > 0, DISTANCES, np.maximum(0, 1 - DISTANCES))
    ),
    "contrastive_loss": (
        (DISTANCES, PAIRS), {"margin": 1.5},
        PAIRS * DISTANCES**2 + (1 - PAIRS) * np.maximum(0, 1.5 - DISTANCES) ** 2,
    ),
    "focal_loss": ((SCORES, LABELS), {"gamma": 1.5}, (1 - P_OWN) ** 1.5 * -np.log(P_OWN)),
    "focal_loss-0": (
        (SCORES, LABELS), {"gamma": 0, "class_weights": np.arange(1.0, 5.0)}, (LABELS + 1) * -np.log(P_OWN)
    ),
    "tversky_loss": ((SHARES, MASK), {"alpha": 0.3, "beta": 0.7}, tversky(0.3, 0.7, 1)),
    "dice_loss": (
        (SHARES, MASK), {},
        1 - (2 * (SHARES * MASK).sum((1, 2)) + 1) / (SHARES.sum((1, 2)) + MASK.sum((1, 2)) + 1),
    ),
    "jaccard_loss": ((SHARES, MASK), {"smooth": 0.0}, tversky(1, 1, 0)),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_losses_are_what_their_formulas_say(row):
    arguments, words, expected = ROWS[row]
    loss = getattr(nn.losses, row.partition("-")[0])
    tensors = [st.tensor(a) for a in arguments]
    assert np.allclose(loss(*tensors, reduction="none", **words), expected)
    assert np.allclose(loss(*tensors, **words), expected.mean())
    assert np.allclose(loss(*tensors, reduction="sum", **words), expected.sum())


def test_cosines_of_pairs():
    a, b, t = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3)), np.array([1.0, -1, 1, -1, -1])
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    expected = np.where(t > 0, 1 - cosine, np.maximum(0, cosine - 0.1))
    assert np.allclose(nn.losses.cosine_embedding_loss(a, b, t, 0.1, reduction="none"), expected)


@pytest.mark.parametrize("row", ROWS)
def test_they_have_gradients_and_never_broadcast(row):
    (first, *rest), words, _ = ROWS[row]
    loss = getattr(nn.losses, row.partition("-")[0])
    x = st.Variable(first)
    loss(x, *rest, **words).backward()
    step = 1e-6 * np.cos(np.arange(first.size)).reshape(first.shape)
    up, down = (float(loss(st.tensor(first + s), *rest, **words)) for s in (step, -step))
    assert np.isclose(2 * (x.grad.numpy() * step).sum(), up - down, rtol=1e-4, atol=1e-11)
    with pytest.raises(st.errors.ShapeError):
        loss(x, rest[0][:1], **words)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: nn.losses.multi_margin_loss(SCORES, LABELS, power=3), st.errors.ArgumentError, "power must be 1 or 2"),
        (lambda: nn.losses.focal_loss(SCORES, SCORES), st.errors.DTypeError, "integer labels"),
        (lambda: nn.losses.focal_loss(SCORES, LABELS + 4).numpy(), st.errors.IndexOutOfRangeError, "does not exist"),
        (lambda: nn.losses.dice_loss(SHARES, MASK, smooth=-1), st.errors.ArgumentError, "smooth must be at least 0"),
        (lambda: nn.losses.contrastive_loss(DISTANCES, PAIRS, 0), st.errors.ArgumentError, "margin must be above 0"),
        (lambda: nn.losses.weighted_mean([1.0, 2.0], [1.0]), st.errors.ShapeError, "never"),
    ],
)
def test_mistakes_are_explained(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_weighted_means():
    losses = nn.losses.mean_squared_error(SCORES, ONE_HOT, reduction="none")
    weights = np.arange(1.0, 7.0)
    rows = losses.mean(axis=1)
    assert np.isclose(float(nn.losses.weighted_mean(rows, weights)), np.average(rows.numpy(), weights=weights))
    assert float(nn.losses.weighted_mean([1.0, 2.0], [0.0, 0.0])) == 0.0
