"""Initializers: fans, variances, orthogonality, reproducibility."""

import numpy as np
import pytest

import septet as st
from septet.nn import initializers


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot_uniform", 2 / (200 + 300)),
        ("xavier_normal", 2 / (200 + 300)),
        ("he_normal", 2 / 200),
        ("kaiming_uniform", 2 / 200),
        ("lecun_normal", 1 / 200),
        ("lecun_uniform", 1 / 200),
    ],
)
def test_variance_follows_the_fans(name, variance):
    st.random.seed(0)
    values = initializers.get(name)((200, 300), np.float32)
    assert values.dtype == np.float32 and values.shape == (200, 300)
    assert abs(values.mean()) < 4 * np.sqrt(variance / values.size)
    assert np.isclose(values.var(), variance, rtol=0.03)


def test_a_kernel_counts_its_window():
    st.random.seed(0)
    values = initializers.he_normal()((64, 16, 5, 5), np.float64)
    assert np.isclose(values.var(), 2 / (16 * 25), rtol=0.03)
    assert initializers.fans((64, 16, 5, 5)) == (400, 1600)
    assert initializers.fans(()) == (1, 1)


def test_uniform_stays_within_its_limit():
    st.random.seed(1)
    values = initializers.glorot_uniform()((30, 20), np.float64)
    limit = np.sqrt(6 / 50)
    assert np.abs(values).max() <= limit and np.abs(values).max() > 0.95 * limit


def test_truncated_normal_cuts_at_two_deviations():
    st.random.seed(1)
    values = initializers.truncated_normal(1.0, 0.1)((5000,), np.float64)
    assert 0.8 <= values.min() < values.max() <= 1.2 and np.isclose(values.mean(), 1.0, atol=0.01)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (4, 2, 3, 3)])
def test_orthogonal(shape):
    values = initializers.orthogonal(2.0)(shape, np.float64).reshape(shape[0], -1)
    small = values @ values.T if values.shape[0] <= values.shape[1] else values.T @ values
    assert np.allclose(small, 4 * np.eye(len(small)), atol=1e-12)


def test_a_seed_repeats_and_draws_differ():
    draw = initializers.get("normal")
    st.random.seed(3)
    first, second = draw((4,), np.float32), draw((4,), np.float32)
    st.random.seed(3)
    assert np.array_equal(first, draw((4,), np.float32)) and not np.array_equal(first, second)


def test_constants():
    assert initializers.zeros((2,), np.float16).tolist() == [0, 0]
    assert initializers.constant(2.5)((1, 2), np.float32).tolist() == [[2.5, 2.5]]


def test_mistakes_are_named():
    with pytest.raises(st.errors.ArgumentError, match=r"'glorot_unifrom' does not exist.*glorot_uniform"):
        initializers.get("glorot_unifrom")
    with pytest.raises(st.errors.ArgumentError, match="mode='fan'"):
        initializers.variance_scaling(1.0, "fan")
    with pytest.raises(st.errors.ShapeError, match=r"shape \(3,\)"):
        initializers.orthogonal()((3,), np.float32)


def test_identities_and_known_values():
    assert np.array_equal(initializers.get("identity")((2, 3), np.float32), np.eye(2, 3))
    kernel = initializers.dirac(2)((4, 3, 3, 3), np.float32)
    x = np.random.default_rng(0).normal(size=(1, 6, 5, 5)).astype(np.float32)
    y = st.conv(st.tensor(x), st.tensor(kernel), padding="same", groups=2).numpy()
    assert np.array_equal(y[:, [0, 1, 2, 3]], x[:, [0, 1, 3, 4]])
    assert initializers.values([[1, 2]])((1, 2), np.float32).tolist() == [[1, 2]]


def test_sparse_columns():
    st.random.seed(0)
    array = initializers.sparse(3, std=2.0)((50, 40), np.float32)
    assert (np.count_nonzero(array, axis=0) == 3).all() and 1.5 < array[array != 0].std() < 2.5
    assert (np.count_nonzero(initializers.sparse(0.1)((50, 40), np.float32), axis=0) == 5).all()
    assert not np.array_equal(array != 0, initializers.sparse(3)((50, 40), np.float32) != 0)


def test_truncated_variance_scaling_keeps_the_variance():
    array = initializers.variance_scaling(2.0, "fan_in", "truncated_normal")((400, 300), np.float32)
    assert np.isclose(array.std(), np.sqrt(2 / 400), rtol=0.02)
    assert abs(array).max() <= 2 * np.sqrt(2 / 400) / 0.8796256610342398 * 1.001


def test_gains_keep_the_variance():
    x = np.random.default_rng(0).normal(size=400_000).astype(np.float32)
    for name in ("relu", "elu", "silu", "gelu", "mish"):
        y = getattr(st, name)(st.tensor(x)).numpy() * initializers.gain(name)
        assert np.isclose((y**2).mean(), 1, atol=0.02), name
    assert np.isclose(initializers.gain("leaky_relu", 0.5), np.sqrt(2 / 1.25))
    for call, text in (
        (lambda: initializers.gain("reluu"), "Did you mean 'relu'"),
        (lambda: initializers.sparse(0), "nonzero is a number"),
    ):
        with pytest.raises(st.errors.ArgumentError, match=text):
            call()
    for call, text in (
        (lambda: initializers.identity()((2, 3, 4), np.float32), "needs a matrix"),
        (lambda: initializers.dirac(2)((3, 3, 3), np.float32), "needs a kernel"),
        (lambda: initializers.sparse()((3,), np.float32), "needs a matrix"),
    ):
        with pytest.raises(st.errors.ShapeError, match=text):
            call()
