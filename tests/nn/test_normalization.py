"""Normalization and dropout in their two modes and three styles."""

import numpy as np
import pytest

import septet as st
from septet import nn

X = np.random.default_rng(1).normal(2, 3, (6, 3, 4, 5)).astype(np.float32)


def test_batch_norm_uses_the_batch_while_training_and_averages_afterwards():
    layer = nn.BatchNorm(momentum=0.75)
    y = layer(X).numpy()
    assert np.allclose(y.mean((0, 2, 3)), 0, atol=1e-5) and np.allclose(y.std((0, 2, 3)), 1, atol=1e-3)
    mean, variance = X.mean((0, 2, 3)), X.var((0, 2, 3), ddof=1)
    assert np.allclose(layer.mean.value, 0.25 * mean, atol=1e-5)
    assert np.allclose(layer.variance.value, 0.75 + 0.25 * variance, rtol=1e-5)
    y = layer.eval()(X).numpy()
    shown = (X.transpose(0, 2, 3, 1) - layer.mean.value) / np.sqrt(layer.variance.value + 1e-5)
    assert np.allclose(y, shown.transpose(0, 3, 1, 2), atol=1e-5)
    assert [v.role for v in layer.variables()] == ["scale", "bias", "statistic", "statistic"]
    assert len(layer.parameters()) == 2


def test_batch_norm_is_the_same_in_three_styles():
    eager, compiled, symbolic = nn.BatchNorm(), nn.BatchNorm(), nn.BatchNorm()
    expected = [eager(X).numpy(), eager(X + 1).numpy()]
    step = st.compile(lambda x: compiled(x))
    x = st.symbol("x", (None, 3, None, 5))
    with nn.collect_updates() as updates:
        y = symbolic(x)
    call = st.function([x], y, updates=updates)
    for number in range(2):
        assert np.allclose(step(X + number), expected[number], atol=1e-6)
        assert np.allclose(call(X + number), expected[number], atol=1e-6)
    for layer in (compiled, symbolic):
        assert np.allclose(layer.mean.value, eager.mean.value, rtol=1e-6)
        assert np.allclose(layer.variance.value, eager.variance.value, rtol=1e-6)


def test_gradients_flow_through_the_batch_statistics():
    layer = nn.BatchNorm()
    x = st.Variable(X[:, :, 0, 0].astype(np.float64), "x")
    weights = np.cos(np.arange(18)).reshape(6, 3)

    def loss(value):
        centred = value - value.mean(0)
        return (centred / np.sqrt(value.var(0) + 1e-5) * weights).sum()

    (layer(x) * weights).sum().backward()
    numeric = np.zeros((6, 3))
    for index in np.ndindex(6, 3):
        step = np.zeros((6, 3))
        step[index] = 1e-6
        numeric[index] = (loss(x.value + step) - loss(x.value - step)) / 2e-6
    assert np.allclose(x.grad, numeric, atol=1e-6)


def test_a_batch_of_one_value_per_channel_is_refused():
    with pytest.raises(st.errors.ShapeError, match="1 values for each channel"):
        nn.BatchNorm()(np.zeros((1, 3), np.float32))


def test_symbols_need_somebody_who_collects_the_updates():
    for layer in (nn.BatchNorm(), nn.Dropout(0.5)):
        with pytest.raises(st.errors.NotSupportedError, match="in training mode it changes variables") as caught:
            layer(st.symbol("x", (None, 3)))
        assert "collect_updates" in caught.value.hint
        layer.eval()(st.symbol("x", (None, 3)))


@pytest.mark.parametrize("axes", [1, 2])
def test_layer_norm(axes):
    layer = nn.LayerNorm(axes)
    y = layer(X).numpy()
    over = tuple(range(4 - axes, 4))
    assert layer.scale.shape == X.shape[-axes:]
    assert np.allclose(y, (X - X.mean(over, keepdims=True)) / np.sqrt(X.var(over, keepdims=True) + 1e-5), atol=1e-5)


def test_dropout():
    st.random.seed(0)
    layer, ones = nn.Dropout(0.25), np.ones((100, 100), np.float32)
    first, second = layer(ones).numpy(), layer(ones).numpy()
    assert set(np.unique(first)) == {0.0, np.float32(1 / 0.75)} and not np.array_equal(first, second)
    assert np.isclose((first == 0).mean(), 0.25, atol=0.02)
    assert np.array_equal(layer.eval()(ones), ones) and np.array_equal(nn.Dropout(0)(ones), ones)


def test_dropout_draws_the_same_numbers_in_three_styles():
    layer, ones = nn.Dropout(0.5), np.ones((4, 5), np.float32)
    st.random.seed(3)
    expected = [layer(ones).numpy(), layer(ones).numpy()]
    st.random.seed(3)
    step = st.compile(lambda x: layer(x))
    assert np.array_equal([step(ones).numpy(), step(ones).numpy()], expected)
    x = st.symbol("x", (None, 5))
    with nn.collect_updates() as updates:
        y = layer(x)
    st.random.seed(3)
    call = st.function([x], y, updates=updates)
    assert np.array_equal([call(ones).numpy(), call(ones).numpy()], expected)


def test_losses_never_broadcast():
    for loss in (nn.losses.mean_squared_error, nn.losses.binary_cross_entropy, nn.losses.mean_absolute_error):
        with pytest.raises(st.errors.ShapeError, match="never broadcasts"):
            loss(np.zeros((4, 1), np.float32), np.zeros(4, np.float32))
    with pytest.raises(st.errors.ShapeError):
        nn.losses.cross_entropy(np.zeros((4, 3), np.float32), np.zeros((4, 1), np.int64))
    with pytest.raises(st.errors.ArgumentError, match=r"Did you mean 'cross_entropy'\?"):
        nn.losses.get("cross_entrophy")
    assert nn.losses.get("mse") is nn.losses.mean_squared_error
