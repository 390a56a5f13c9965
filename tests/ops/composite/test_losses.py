"""Losses of numbers against float64 NumPy and SciPy; gradients; shapes that differ, in every mode."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import scipy.stats

import septet as st
from septet import nn
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from tests.ops.composite.support import check_gradients, draw, in_all_modes

P, T = draw(4, 3, seed=1), draw(4, 3, seed=2)
COUNTS = np.random.default_rng(3).integers(0, 5, (4, 3)).astype(np.float64)
RATES = draw(4, 3, seed=4, low=0.2, high=3.0)
SHARES = RATES / RATES.sum(-1, keepdims=True)


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))


def huber(d: np.ndarray, delta: float) -> np.ndarray:
    return np.where(np.abs(d) < delta, d * d / 2, delta * (np.abs(d) - delta / 2))


# name -> (loss, arguments, what it must be for each element)
LOSSES = {
    "squared": (st.mean_squared_error, (P, T), lambda p, t: (p - t) ** 2),
    "absolute": (st.mean_absolute_error, (P, T), lambda p, t: np.abs(p - t)),
    "percentage": (st.mean_absolute_percentage_error, (P, T), lambda p, t: 100 * np.abs(p - t) / np.abs(t)),
    "logarithmic": (
        st.mean_squared_logarithmic_error, (RATES, COUNTS), lambda p, t: (np.log1p(p) - np.log1p(t)) ** 2
    ),
    "huber": (lambda p, t, **w: st.huber_loss(p, t, 0.7, **w), (P, T), lambda p, t: huber(p - t, 0.7)),
    "smooth l1": (lambda p, t, **w: st.smooth_l1_loss(p, t, 0.7, **w), (P, T), lambda p, t: huber(p - t, 0.7) / 0.7),
    "log cosh": (st.log_cosh_loss, (P, T), lambda p, t: np.log(np.cosh(p - t))),
    "quantile": (
        lambda p, t, **w: st.quantile_loss(p, t, 0.8, **w), (P, T),
        lambda p, t: np.where(t > p, 0.8 * (t - p), 0.2 * (p - t)),
    ),
    "poisson of logarithms": (
        lambda p, t, **w: st.poisson_loss(p, t, has_constant=True, **w), (P, COUNTS),
        lambda p, t: -scipy.stats.poisson.logpmf(t, np.exp(p)),
    ),
    "poisson of rates": (
        lambda p, t, **w: st.poisson_loss(p, t, is_log=False, has_constant=True, **w), (RATES, COUNTS),
        lambda p, t: -scipy.stats.poisson.logpmf(t, p),
    ),
    "gaussian": (
        lambda p, t, v, **w: st.gaussian_loss(p, t, v, has_constant=True, **w), (P, T, RATES),
        lambda p, t, v: -scipy.stats.norm.logpdf(t, p, np.sqrt(v)),
    ),
    "kl": (st.kl_divergence, (np.log(SHARES), SHARES[::-1].copy()), lambda p, t: scipy.special.rel_entr(t, np.exp(p))),
    "cosine": (st.cosine_loss, (P, T), lambda p, t: 1 - cosine(p, t)),
    "triplet": (
        lambda a, p, n, **w: st.triplet_loss(a, p, n, 0.5, **w), (P, T, RATES),
        lambda a, p, n: np.maximum(np.linalg.norm(a - p, axis=-1) - np.linalg.norm(a - n, axis=-1) + 0.5, 0),
    ),
    "ranking": (
        lambda a, b, t, **w: st.margin_ranking_loss(a, b, t, 0.3, **w), (P, T, np.sign(RATES - 1.5)),
        lambda a, b, t: np.maximum(0.3 - t * (a - b), 0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_values(name):
    loss, arrays, expected = LOSSES[name]
    exact = expected(*arrays)
    found = in_all_modes(lambda *a: loss(*a, reduction="none"), *arrays)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, exact, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(loss(*arrays), exact.mean(), rtol=1e-10)
    np.testing.assert_allclose(loss(*arrays, reduction="sum"), exact.sum(), rtol=1e-10)
    short = [a.astype(np.float32) for a in arrays]
    np.testing.assert_allclose(loss(*short, reduction="none"), exact, rtol=2e-4, atol=2e-5)
    assert loss(*short).dtype == np.float32


@pytest.mark.parametrize("name", LOSSES)
def test_gradients(name):
    loss, arrays, _ = LOSSES[name]
    check_gradients(lambda *a: loss(*a, reduction="none"), *arrays, wrt=[0])


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", [(4, 1), (3,), (1, 3), (4, 3, 1), ()])
def test_no_loss_broadcasts(name, shape):
    loss, arrays, _ = LOSSES[name]
    for position in range(1, len(arrays)):
        given = [np.ones(shape) if n == position else a for n, a in enumerate(arrays)]
        with pytest.raises(ShapeError, match="a loss never broadcasts"):
            loss(*given)
        with pytest.raises(ShapeError, match="a loss never broadcasts"):
            st.compile(loss)(*given)


@pytest.mark.parametrize("name", LOSSES)
def test_no_loss_broadcasts_where_sizes_come_with_the_data(name):
    loss, arrays, _ = LOSSES[name]
    symbols = [st.symbol(f"x{n}", (None, 3), "float64") for n in range(len(arrays))]
    f = st.function(symbols, loss(*symbols))
    f(*arrays)
    for position in range(len(arrays)):
        given = [a[:1] if n == position else a for n, a in enumerate(arrays)]
        with pytest.raises(ShapeError, match=r"_(error|loss|divergence): the shape is") as caught:
            f(*given)
        assert "test_losses.py" in str(caught.value)


def test_bad_options():
    with pytest.raises(ArgumentError, match="reductions are mean, sum, none"):
        st.mean_squared_error(P, T, reduction="average")
    for call in (
        lambda: st.huber_loss(P, T, 0.0),
        lambda: st.huber_loss(P, T, float("nan")),
        lambda: st.smooth_l1_loss(P, T, -1.0),
        lambda: st.quantile_loss(P, T, 1.5),
        lambda: st.gaussian_loss(P, T, RATES, epsilon=-1.0),
    ):
        with pytest.raises(ArgumentError, match=r"(huber|smooth_l1|quantile|gaussian)_loss: \w+ must be"):
            call()


def test_complex_tensors_are_refused():
    with pytest.raises(DTypeError, match="mean_squared_error: takes real tensors"):
        st.mean_squared_error(P + 0j, T)


def test_integers_and_booleans_become_floats():
    assert st.mean_absolute_error(st.tensor([1.5, 2.0]), st.tensor([1, 0])).item() == 1.25
    assert st.mean_squared_error(st.tensor([1, 2]), st.tensor([True, False])).dtype == np.float32
    assert st.mean_squared_error(np.float16([1, 2]), np.array([1, 0])).dtype == np.float16


def test_log_cosh_is_exact_near_0_and_far_away():
    d = np.float32([1e-4, 0.5, 1.0, 1.5, 50, 1e4])
    exact = np.logaddexp(d.astype(np.float64), -d.astype(np.float64)) - np.log(2)
    exact[0] = 0.5e-8  # where the formula cancels even in float64
    found = st.log_cosh_loss(d, np.zeros_like(d), reduction="none")
    np.testing.assert_allclose(found, exact, rtol=1e-5)


def test_degenerate_values_have_finite_losses_and_gradients():
    zero = np.zeros((2, 3))
    for loss, arrays in (
        (st.cosine_loss, (zero, zero)),
        (st.triplet_loss, (zero, zero, zero)),
        (st.kl_divergence, (np.full((2, 3), -1.0), zero)),
        (lambda p, t: st.poisson_loss(p, t, is_log=False), (zero + 1, zero)),
        (lambda p, t: st.gaussian_loss(p, t, st.zeros((2, 3))), (zero, zero)),
    ):
        value, gradient = st.value_and_grad(loss)(*[st.asarray(a) for a in arrays])
        assert np.isfinite(value.numpy()) and np.isfinite(gradient.numpy()).all()


def test_cosine_similarity_broadcasts_and_does_not_overflow():
    a, b = draw(4, 1, 3), draw(5, 3, seed=9)
    found = in_all_modes(st.cosine_similarity, a, b)
    np.testing.assert_allclose(found, cosine(a, b), rtol=1e-12)
    check_gradients(st.cosine_similarity, a, b)
    short = st.cosine_similarity(np.float16([300, 0]), np.float16([300, 300]))
    np.testing.assert_allclose(short.numpy().astype(float), 0.5**0.5, rtol=1e-3)


def test_every_loss_of_two_tensors_has_a_name():
    for name, loss in nn.losses.LOSSES.items():
        assert nn.losses.get(name) is loss
        assert loss.__name__ in nn.losses.LOSSES
