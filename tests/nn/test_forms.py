"""Layers that are not in the golden file: merging, shaping, noise, functions, splines; and what layers refuse."""

import json

import numpy as np
import pytest

import septet as st
from septet import nn

RNG = np.random.default_rng(0)


def data(*shape):
    return RNG.normal(size=shape).astype(np.float32)


A, B, C = data(2, 3), data(2, 3), data(2, 3)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Add(), A + B + C),
        (nn.Multiply(), A * B * C),
        (nn.Average(), (A + B + C) / 3),
        (nn.Maximum(), np.maximum(np.maximum(A, B), C)),
        (nn.Minimum(), np.minimum(np.minimum(A, B), C)),
        (nn.Concatenate(), np.concatenate([A, B, C], 1)),
        (nn.Concatenate(0), np.concatenate([A, B, C])),
        (nn.ElementwiseMerge(st.hypot), np.hypot(np.hypot(A, B), C)),
    ],
    ids=lambda value: repr(value) if isinstance(value, nn.Module) else "",
)
def test_merging(layer, expected):
    assert np.allclose(layer([A, B, C]), expected, atol=1e-6) and np.allclose(layer(A, B, C), expected, atol=1e-6)
    places = [nn.Input(3) for _ in range(3)]
    assert nn.Model(places, layer(places))(A, B, C).shape == expected.shape


def test_merging_two():
    assert np.allclose(nn.Subtract()(A, B), A - B)
    assert np.allclose(nn.Dot(1)(A, B), (A * B).sum(1, keepdims=True), atol=1e-6)
    x, y = data(2, 3, 4), data(2, 5, 3)
    assert np.allclose(nn.Dot((1, 2))(x, y), np.einsum("bij,bki->bjk", x, y), atol=1e-5)
    assert np.allclose(nn.Add()(data(2, 3, 4) * 0, data(2, 1, 4) * 0 + 1), 1)


def test_shaping():
    x = data(2, 3, 4)
    assert np.array_equal(nn.Permute((2, 1))(x), x.transpose(0, 2, 1))
    assert np.array_equal(nn.RepeatVector(2)(A), np.stack([A, A], 1))
    assert np.array_equal(nn.Slice(slice(1, None), axis=1)(x), x[:, 1:])
    assert np.array_equal(nn.Slice(0)(x), x[..., 0])
    assert np.array_equal(nn.Identity()(x), x)


def test_bias_scale_and_standardization():
    x = data(2, 3, 4)
    bias, scale = nn.Bias((1, 2)), nn.Scale()
    bias.build_for(x), scale.build_for(x)
    bias.bias.assign(data(3, 4)), scale.scale.assign(data(3))
    assert np.allclose(bias(x), x + bias.bias.value)
    assert np.allclose(scale(x), x * scale.scale.value[:, None])
    assert [v.role for v in (bias.bias, scale.scale)] == ["bias", "scale"]
    assert np.allclose(nn.Standardize([1, 2, 3], 2)(x), (x - np.array([[1], [2], [3]])) / 2, atol=1e-6)
    own = nn.Standardize()(x).numpy().reshape(2, -1)
    assert np.allclose(own.mean(1), 0, atol=1e-6) and np.allclose(own.std(1), 1, atol=1e-3)


def test_feature_pools():
    x = data(2, 6, 3)
    pairs = x.reshape(2, 3, 2, 3)
    assert np.allclose(nn.FeaturePool(2, function="mean")(x), pairs.mean(2), atol=1e-6)
    winners = np.where(pairs == pairs.max(2, keepdims=True), pairs, 0).reshape(x.shape)
    assert np.array_equal(nn.WinnerTakesAll(2)(x), winners)
    layer = nn.MaxoutDense(2, 3)
    y = layer(A)
    assert np.allclose(y, (A @ layer.kernel.value).reshape(2, 2, 3).max(2), atol=1e-6)


def noisy(layer, x, count=60):
    st.random.seed(0)
    return np.stack([layer(x).numpy() for _ in range(count)])


def test_forms_of_dropout():
    ones = np.ones((50, 20, 4), np.float32)
    together = nn.SpatialDropout(0.25)(ones).numpy()
    assert set(np.unique(together)) == {0, np.float32(4 / 3)} and (np.ptp(together, axis=2) == 0).all()
    assert np.isclose((together == 0).mean(), 0.25, atol=0.05)
    shared = nn.Dropout(0.5, shared_axes=(0, -1))(ones).numpy()
    assert (np.ptp(shared, axis=(0, 2)) == 0).all() and len(np.unique(shared)) == 2
    x = data(200, 50)
    for layer in (nn.AlphaDropout(0.3), nn.GaussianDropout(0.3), nn.GaussianNoise(0.5)):
        assert layer.eval()(x) is not None and np.array_equal(layer(x), x)
        layer.train()
        assert not np.array_equal(layer(x), layer(x))
        with pytest.raises(st.errors.NotSupportedError, match="changes variables"):
            layer(st.symbol("x", (None, 3)))
    y = nn.AlphaDropout(0.3)(x).numpy()
    assert abs(y.mean()) < 0.03 and abs(y.std() - 1) < 0.03
    y = nn.GaussianDropout(0.3)(np.ones((100, 100), np.float32)).numpy()
    assert abs(y.mean() - 1) < 0.03 and abs(y.var() - 0.3 / 0.7) < 0.03
    y = nn.GaussianNoise(0.5)(np.ones((100, 100), np.float32)).numpy()
    assert abs(y.mean() - 1) < 0.03 and abs(y.std() - 0.5) < 0.03
    y = nn.RReLU(0.1, 0.3)(-np.ones((100, 100), np.float32)).numpy()
    assert y.min() >= -0.3 and y.max() <= -0.1 and abs(y.mean() + 0.2) < 0.01


def test_dropout_passes_gradients_where_it_passes_values():
    values = data(20, 3, 4, 5)
    low, kept = -1.7580993408473766, 0.7  # of alpha dropout: section 2 of Klambauer et al., 2017
    a = (kept + low**2 * kept * (1 - kept)) ** -0.5
    b = -a * (1 - kept) * low
    for layer, slope, start, dropped in (
        (nn.Dropout(0.3), 1 / kept, 0.0, 0.0),
        (nn.Dropout(0.3, shared_axes=(1,)), 1 / kept, 0.0, 0.0),
        (nn.SpatialDropout(0.3), 1 / kept, 0.0, 0.0),
        (nn.AlphaDropout(0.3), a, b, a * low + b),
    ):
        x = st.Variable(values, "x")
        y = layer(x)
        y.sum().backward()
        passes = x.grad.numpy() != 0
        assert 0 < passes.mean() < 1
        assert np.allclose(x.grad, passes * slope, rtol=1e-5)
        assert np.allclose(y, np.where(passes, values * slope + start, dropped), rtol=1e-4, atol=1e-5)
    x = st.Variable(values, "x")
    y = nn.GaussianDropout(0.3)(x)
    y.sum().backward()
    assert np.allclose(y, values * x.grad, rtol=1e-5)
    x = st.Variable(values, "x")
    nn.GaussianNoise(0.3)(x).sum().backward()
    assert np.array_equal(x.grad, np.ones_like(values))


def test_lambda_and_inverse():
    assert np.allclose(nn.Lambda(lambda x, y: x * y)(A, B), A * B)
    dense = nn.Dense(5, use_bias=False)
    back = nn.Inverse(dense)
    assert np.allclose(back(dense(A), A), A @ dense.kernel.value @ dense.kernel.value.T, atol=1e-5)
    assert not back.variables()
    x = data(1, 1, 4, 4)
    pool = nn.MaxPool2D(2)
    unpooled = nn.Inverse(pool)(pool(x), x).numpy()
    assert np.count_nonzero(unpooled) == 4 and set(np.unique(unpooled)) <= {0.0, *pool(x).numpy().ravel()}


def test_weights_stay_normalized():
    layer = nn.SpectralNorm(nn.Conv2D(4, 3), iterations=15)
    x = data(1, 2, 5, 5)
    step = st.compile(lambda x: layer(x))
    for _ in range(3):
        step(x)
    largest = np.linalg.svd(layer.eval().weight().numpy().reshape(4, -1), compute_uv=False)[0]
    assert np.isclose(largest, 1, atol=1e-2)
    assert [path for path, _ in layer.named_parameters()] == ["original", "layer.bias"]
    before = layer.left.value.copy()
    layer(x)
    assert np.array_equal(layer.left.value, before)  # evaluation changes nothing
    twin = nn.from_config(json.loads(json.dumps(nn.to_config(layer))))
    twin.build_for(x)
    twin.load_state_dict(layer.state_dict())
    assert np.allclose(twin.eval()(x), layer(x))


def test_splines_move_pixels_to_where_the_points_go():
    x = data(2, 1, 6, 6)
    look = nn.Sequential(nn.Flatten(), nn.Dense(8, kernel_initializer="zeros"))
    layer = nn.ThinPlateTransformer(look, points=4)
    assert np.allclose(layer(x), x, atol=1e-5)
    look[1].bias.assign(np.repeat([2 / 6, 0.0], 4))  # all points one pixel to the right
    assert np.allclose(layer(x)[..., :-1], x[..., 1:], atol=1e-4)
    layer(x).sum().backward()
    assert look[1].bias.grad is not None


def test_configurations_of_layers_in_layers():
    model = nn.Sequential(nn.WeightNorm(nn.Dense(3)), nn.PReLU(), nn.Highway(), nn.Identity())
    twin = nn.from_config(json.loads(json.dumps(nn.to_config(model))))
    model.build_for(A), twin.build_for(A)
    twin.load_state_dict(model.state_dict())
    assert np.array_equal(model(A), twin(A))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: nn.Conv2D(2, 3, padding_mode="mirror"), "padding_mode 'mirror' does not exist"),
        (lambda: nn.Crop2D((1, 2, 3)), "cropping needs one integer, or 2"),
        (lambda: nn.Permute((1, 3)), "axes must hold 1, 2, 3"),
        (lambda: nn.FeaturePool(2, function="best"), "function 'best' is none of"),
        (lambda: nn.SpatialPyramidPool(3), "levels is a sequence"),
        (lambda: nn.Upsample(2, "bilinear"), "mode 'bilinear' does not exist"),
        (lambda: nn.LpPool2D(0.5), "p must be a number of at least 1"),
        (lambda: nn.GaussianNoise(-1), "std must be"),
        (lambda: nn.WeightNorm(3), "takes a layer"),
        (lambda: nn.WeightNorm(nn.ReLU())(A), "has no variable 'kernel'"),
        (lambda: nn.RReLU(0.5, 0.1), "low must be at least 0"),
        (lambda: nn.ThinPlateTransformer(nn.Flatten(), 5), "a square number"),
        (lambda: nn.Standardize(1.0), "both mean and std"),
        (lambda: nn.Subtract()(A, B, C), "Subtract: takes 2 tensors|takes 2 tensors"),
        (lambda: nn.Add()(A), "takes two or more tensors"),
        (lambda: nn.PReLU("all"), "shared_axes is 'space'"),
        (lambda: nn.Slice(1.5), "an integer or a slice"),
        (lambda: nn.ConvTranspose2D(3, 3, groups=2), "groups=2 does not divide filters=3"),
    ],
)
def test_mistakes_are_named(call, text):
    with pytest.raises(st.errors.ArgumentError, match=text):
        call()


@pytest.mark.parametrize(
    ("layer", "inputs", "text"),
    [
        (nn.Add(), (A, data(2, 4)), r"merges tensors of one shape, got \(2, 3\), \(2, 4\)"),
        (nn.Dot(0), (A, B), "axis 0 is no axis"),
        (nn.Permute((2, 1)), (A,), "takes 2 axes after that of the examples"),
        (nn.RepeatVector(2), (data(2, 3, 4),), r"takes \(B, C\)"),
        (nn.FeaturePool(2), (A,), "size 3, no multiple of 2"),
        (nn.GroupNorm(2), (A,), "groups=2 does not divide the 3 channels"),
        (nn.InstanceNorm(), (A,), r"takes \(B, C, spatial"),
        (nn.Crop1D(3), (data(1, 2, 6),), "leaves nothing of spatial axis 0"),
        (nn.ReflectPad1D(6), (data(1, 2, 6),), "reflect padding by"),
        (nn.Upsample((2, 2)), (data(1, 2, 6),), "takes 2 spatial axes"),
        (nn.SpatialDropout(), (A,), r"takes \(B, C, spatial"),
        (nn.LocallyConnected1D(2, 7), (data(1, 2, 6),), "the kernel is larger"),
        (nn.SpatialTransformer(nn.Flatten()), (data(1, 1, 4, 4),), r"localization must return \(B, 6\)"),
        (nn.PixelShuffle(2), (data(1, 3, 2, 2),), "needs a multiple of 4 channels"),
        (nn.Standardize([1, 2], 1), (A,), "numbers for 2 channels"),
        (nn.Scale(3), (A,), "has no axis 3"),
    ],
    ids=lambda value: repr(value) if isinstance(value, nn.Module) else "",
)
def test_inputs_that_do_not_fit_are_explained_with_the_layer(layer, inputs, text):
    with pytest.raises(st.errors.ShapeError, match=text) as caught:
        layer(*inputs)
    assert f"in layer {type(layer).__name__}" in str(caught.value)


def test_local_filters_stay_with_their_places():
    layer = nn.LocallyConnected2D(2, 2)
    layer(data(1, 1, 4, 4))
    assert layer.kernel.shape == (2, 1, 2, 2, 3, 3)
    with pytest.raises(st.errors.ShapeError, match=r"was made for \(3, 3\) windows"):
        layer(data(1, 1, 5, 4))
