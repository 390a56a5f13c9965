"""Layers against NumPy, and their errors."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.signal import correlate

import septet as st
from septet import nn

RNG = np.random.default_rng(0)


def data(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def test_dense():
    layer, x = nn.Dense(3, "relu"), data(2, 5, 4)
    y = layer(x)
    layer.bias.assign([1.0, -1.0, 0.0])
    y = layer(x)
    assert np.allclose(y, np.maximum(x @ layer.kernel.value + [1, -1, 0], 0), atol=1e-6)
    assert [v.role for v in layer.variables()] == ["weight", "bias"]
    assert len(nn.Dense(3, use_bias=False).build_for(x).variables()) == 1


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv(rank):
    cls = (nn.Conv1D, nn.Conv2D, nn.Conv3D)[rank - 1]
    layer, x = cls(4, 3), data(2, 3, *(5,) * rank)
    y = layer(x)
    layer.bias.assign(np.arange(4.0))
    kernel = layer.kernel.value
    expected = [
        [sum(correlate(x[b, c], kernel[o, c], "valid") for c in range(3)) + o for o in range(4)] for b in range(2)
    ]
    assert kernel.shape == (4, 3, *(3,) * rank) and y.shape == (2, 4, *(3,) * rank)
    assert np.allclose(layer(x), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("words", "shape"),
    [
        ({"padding": "same"}, (2, 4, 7, 6)),
        ({"padding": "same", "stride": 2}, (2, 4, 4, 3)),
        ({"padding": 1, "dilation": 2}, (2, 4, 5, 4)),
        ({"groups": 2, "stride": (3, 1)}, (2, 4, 2, 4)),
    ],
)
def test_conv_shapes(words, shape):
    layer = nn.Conv2D(4, 3, **words)
    assert layer(data(2, 2, 7, 6)).shape == shape
    assert layer.kernel.shape[1] == 2 // layer.groups


def test_pooling():
    x = data(2, 3, 4, 6)
    blocks = x.reshape(2, 3, 2, 2, 3, 2)
    assert np.array_equal(nn.MaxPool2D()(x), blocks.max((3, 5)))
    assert np.allclose(nn.AvgPool2D(2)(x), blocks.mean((3, 5)), atol=1e-6)
    assert nn.MaxPool1D(3, 1, padding=1)(data(1, 2, 5)).shape == (1, 2, 5)
    assert nn.AvgPool1D(2)(data(1, 2, 5)).shape == (1, 2, 2)
    assert nn.MaxPool3D(2)(data(1, 1, 4, 4, 4)).shape == nn.AvgPool3D(2)(data(1, 1, 4, 4, 4)).shape == (1, 1, 2, 2, 2)
    assert np.allclose(nn.GlobalAveragePool()(x), x.mean((2, 3)), atol=1e-6)
    assert np.array_equal(nn.GlobalMaxPool()(x), x.max((2, 3)))


def test_embedding():
    layer = nn.Embedding(5, 3)
    y = layer(np.array([[0, 4], [4, 1]]))
    assert np.array_equal(y, layer.table.value[[[0, 4], [4, 1]]]) and layer.table.role == "embedding"
    y.sum().backward()
    assert layer.table.grad.numpy()[:, 0].tolist() == [1, 1, 0, 0, 2]
    with pytest.raises(st.errors.IndexOutOfRangeError):
        layer(np.array([5])).numpy()


def test_a_layer_finds_a_function_that_was_not_imported_yet():
    code = "import septet as st; from septet import nn; print(nn.AvgPool2D(2)(st.ones((1, 1, 4, 4))).shape)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "(1, 1, 2, 2)", done.stderr


def test_an_embedding_with_padding_and_a_shared_table():
    layer = nn.Embedding(5, 3, padding=1)
    indices = np.array([[0, 1], [4, 1]])
    y = layer(indices)
    assert not y.numpy()[:, 1].any() and layer.mask(indices).tolist() == [[True, False], [True, False]]
    (layer.scores(y) ** 2).sum().backward()
    np.testing.assert_allclose(layer.scores(y), y.numpy() @ layer.table.value.T, atol=1e-6)
    assert nn.Embedding(5, 3).build_for(indices).table.value.any(1).all()
    y = layer(indices)
    layer.zero_grad()
    y.sum().backward()
    assert layer.table.grad.numpy()[:, 0].tolist() == [1, 0, 0, 0, 1]
    with pytest.raises(st.errors.ArgumentError, match="padding=5 is not one of the 5 rows"):
        nn.Embedding(5, 3, padding=5)
    with pytest.raises(st.errors.ArgumentError, match="has no padding"):
        nn.Embedding(5, 3).mask(indices)


def test_shaping_with_known_and_unknown_sizes():
    assert nn.Flatten()(data(2, 3, 4)).shape == (2, 12)
    assert nn.Reshape((2, -1))(data(5, 3, 4)).shape == (5, 2, 6)
    x = st.symbol("x", (None, 3, 4))
    y = nn.Reshape((-1, 2))(nn.Flatten()(x))
    assert y.type.shape == (None, 6, 2)
    value = data(5, 3, 4)
    assert np.array_equal(y.eval({x: value}), value.reshape(5, 6, 2))


@pytest.mark.parametrize("name", nn.activation.NAMES)
def test_every_activation_has_a_name(name):
    x = data(3, 4)
    assert np.allclose(nn.Activation(name)(x), getattr(st, name)(st.tensor(x)))


def test_activation_layers():
    x = data(3, 4)
    assert np.allclose(nn.LeakyReLU(0.5)(x), np.where(x > 0, x, x / 2))
    assert np.allclose(nn.Softmax(axis=0)(x).numpy().sum(0), 1, atol=1e-6)
    for layer in (nn.ReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.LogSoftmax):
        assert np.allclose(layer()(x), getattr(st, layer.function)(st.tensor(x)))
    assert repr(nn.ELU(2)) == "ELU(alpha=2.0)" and nn.Activation(lambda t: t * 2)(x).shape == (3, 4)


def test_containers():
    layers = nn.ModuleList([nn.Dense(2), nn.ReLU()])
    layers.append(st.tanh)
    assert len(layers) == 3 and isinstance(layers[-1], nn.Activation) and [m.label for m in layers][0] == "0:Dense"
    model = nn.Sequential(*layers)
    assert model(data(1, 3)).shape == (1, 2) and isinstance(model[:2], nn.Sequential) and len(model[:2]) == 2


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.Dense(0), "Dense: units must be an integer of at least 1, got 0"),
        (lambda: nn.Dense(2.5), "got 2.5"),
        (lambda: nn.Dense(2, "rlu"), r"activation 'rlu' does not exist\. Did you mean 'relu'\?"),
        (lambda: nn.Conv2D(4, (3, 3, 3)), "kernel_size needs one integer or 2"),
        (lambda: nn.Conv2D(4, 3, groups=3), "groups=3 does not divide filters=4"),
        (lambda: nn.Dropout(1.0), "rate must be at least 0 and below 1, got 1.0"),
        (lambda: nn.MaxPool2D(0), "window must be an integer of at least 1"),
        (lambda: nn.Reshape((-1, -1)), "one of which may be -1"),
        (lambda: nn.Sequential(3), "takes modules and functions, got 3"),
        (lambda: nn.BatchNorm(momentum=1), "momentum must be"),
        (lambda: nn.Activation(None), "got None"),
    ],
)
def test_mistakes_are_named(make, text):
    with pytest.raises(st.errors.ArgumentError, match=text):
        make()


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (nn.Conv2D(4, 3), (2, 8, 8), r"takes \(B, C, H, W\), got shape \(2, 8, 8\)"),
        (nn.Conv2D(4, 3, groups=2), (2, 3, 8, 8), "groups=2 does not divide the 3 channels"),
        (nn.MaxPool2D(2), (2, 8), r"takes \(B, C, H, W\)"),
        (nn.Dense(2), (), "has no axis -1"),
        (nn.Flatten(), (), "scalar"),
    ],
)
def test_inputs_that_do_not_fit(layer, shape, text):
    with pytest.raises(st.errors.ShapeError, match=text):
        layer(np.zeros(shape, np.float32))


def test_a_size_that_is_needed_must_be_known():
    with pytest.raises(st.errors.ShapeError, match="is not known"):
        nn.Dense(3)(st.symbol("x", (4, None)))


def test_merges_crop_larger_inputs():
    a, b = np.arange(48.0).reshape(1, 2, 4, 6), np.ones((1, 2, 3, 3))
    for crop, part in (("start", a[:, :, :3, :3]), ("center", a[:, :, :3, 1:4]), ("end", a[:, :, 1:, 3:])):
        np.testing.assert_array_equal(nn.Add(crop=crop)(a, b), part + b)
        np.testing.assert_array_equal(nn.Concatenate(crop=crop)(b, a), np.concatenate([b, part], 1))
    each = nn.ElementwiseMerge(st.maximum, crop=(None, "end", "start", "center"))(a, b[:, :1])
    np.testing.assert_array_equal(each, np.maximum(a[:, 1:, :3, 1:4], 1))
    assert "crop='center'" in repr(nn.Concatenate(crop="center"))
    again = nn.from_config(nn.to_config(nn.Multiply(crop=(None, None, "end"))))
    np.testing.assert_array_equal(again(a, b[..., :1, :1]), a[:, :, 3:])
    with pytest.raises(st.errors.ArgumentError, match="Add: crop is one of start, center, end"):
        nn.Add(crop="middle")
    with pytest.raises(st.errors.ShapeError, match="axis 2 is cropped, so that its size must be known"):
        nn.Add(crop="end")(st.symbol("x", (1, 2, None, 6), "float64"), st.asarray(b))
