"""What layers of the lasagne dialect compute, and of which shape, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import septet.dialects.lasagne as lasagne
import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.lasagne import init, layers, nonlinearities
from septet.dialects.lasagne.layers import cuda_convnet, dnn

RNG = np.random.default_rng(0)


def values(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


def output(layer, *inputs, **words):
    """Return what a layer computes, checked against the shape that it promises."""
    found = layers.get_output(layer, *inputs, **words).eval()
    assert len(found.shape) == len(layer.output_shape)
    assert all(want in (None, size) for want, size in zip(layer.output_shape, found.shape, strict=True))
    return found


def correlated(x: np.ndarray, w: np.ndarray, stride: int = 1, pad: int = 0, dilation: int = 1) -> np.ndarray:
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    reach = (w.shape[2] - 1) * dilation + 1
    count = (x.shape[2] - reach) // stride + 1
    result = np.zeros((len(x), len(w), count, count))
    for i in range(count):
        for j in range(count):
            rows, columns = (slice(p * stride, p * stride + reach, dilation) for p in (i, j))
            result[:, :, i, j] = np.tensordot(x[:, :, rows, columns], w, [[1, 2, 3], [1, 2, 3]])
    return result


def test_dense_layers_flatten_and_keep_leading_axes() -> None:
    x = values(2, 3, 4)
    flat = layers.DenseLayer(layers.InputLayer((2, 3, 4)), 5, W=values(12, 5), b=values(5), nonlinearity=None)
    np.testing.assert_allclose(output(flat, x), x.reshape(2, 12) @ flat.W.get_value() + flat.b.get_value())
    kept = layers.DenseLayer(layers.InputLayer((2, None, 4)), 5, num_leading_axes=2, W=values(4, 5))
    np.testing.assert_allclose(output(kept, x), np.maximum(x @ kept.W.get_value(), 0))
    assert kept.output_shape == (2, None, 5)
    nin = layers.NINLayer(layers.InputLayer((2, 3, 4)), 5, W=values(3, 5), nonlinearity=nonlinearities.tanh)
    np.testing.assert_allclose(output(nin, x), np.tanh(np.einsum("bcp,cu->bup", x, nin.W.get_value())))


@pytest.mark.parametrize(("kind", "flips"), [(layers.Conv2DLayer, True), (dnn.Conv2DDNNLayer, False)])
def test_convolutions_flip_filters_and_those_for_gpus_do_not(kind, flips) -> None:
    x, w = values(2, 3, 7, 7), values(4, 3, 3, 3)
    layer = kind(layers.InputLayer((None, 3, 7, None)), 4, 3, stride=2, pad=1, W=w, b=values(4), nonlinearity=None)
    want = correlated(x, w[:, :, ::-1, ::-1] if flips else w, stride=2, pad=1)
    np.testing.assert_allclose(output(layer, x), want + layer.b.get_value()[:, None, None])
    assert layer.output_shape == (None, 4, 4, None)
    opposite = kind(layers.InputLayer((2, 3, 7, 7)), 4, 3, pad="same", W=w, flip_filters=not flips, nonlinearity=None)
    np.testing.assert_allclose(output(opposite, x), correlated(x, w if flips else w[:, :, ::-1, ::-1], pad=1))


def test_transposed_dilated_local_and_grouped_convolutions() -> None:
    x, w = values(2, 3, 6, 6), values(3, 4, 3, 3)
    transposed = layers.Deconv2DLayer(layers.InputLayer((2, 3, 6, 6)), 4, 3, stride=2, crop=1, W=w, nonlinearity=None)
    y = values(*transposed.output_shape)
    pulled = correlated(
        y, w[:, :, ::-1, ::-1], stride=2, pad=1
    )  # a transposed convolution is a convolution's transpose
    np.testing.assert_allclose(np.vdot(output(transposed, x), y), np.vdot(pulled, x))
    dilated = layers.DilatedConv2DLayer(layers.InputLayer((2, 3, 6, 6)), 4, 3, dilation=2, W=w, nonlinearity=None)
    np.testing.assert_allclose(output(dilated, x), correlated(x, w.swapaxes(0, 1), dilation=2))
    once = values(4, 3, 3, 3)
    everywhere = np.broadcast_to(once[..., None, None], (*once.shape, 6, 6)).copy()
    local = layers.LocallyConnected2DLayer(layers.InputLayer((2, 3, 6, 6)), 4, 3, W=everywhere, nonlinearity=None)
    np.testing.assert_allclose(output(local, x), correlated(x, once[:, :, ::-1, ::-1], pad=1))
    grouped = layers.Conv2DLayer(layers.InputLayer((2, 4, 6, 6)), 6, 3, num_groups=2, nonlinearity=None)
    x, w = values(2, 4, 6, 6), grouped.W.get_value()[:, :, ::-1, ::-1]
    halves = [correlated(x[:, 2 * g : 2 * g + 2], w[3 * g : 3 * g + 3]) for g in (0, 1)]
    np.testing.assert_allclose(output(grouped, x), np.concatenate(halves, axis=1))


def test_pooling_and_upscaling() -> None:
    x = values(2, 4, 6, 6)
    entry = layers.InputLayer((2, 4, 6, None))
    tiles = x.reshape(2, 4, 3, 2, 3, 2)
    np.testing.assert_array_equal(output(layers.MaxPool2DLayer(entry, 2), x), tiles.max((3, 5)))
    np.testing.assert_allclose(output(layers.Pool2DLayer(entry, 2, mode="average_inc_pad"), x), tiles.mean((3, 5)))
    assert layers.MaxPool2DLayer(entry, 4, ignore_border=False).output_shape == (2, 4, 2, None)
    np.testing.assert_array_equal(
        output(layers.MaxPool1DLayer((2, 4, 6), 3), {None: x[..., 0]}), x[..., 0].reshape(2, 4, 2, 3).max(3)
    )
    np.testing.assert_array_equal(output(layers.Upscale2DLayer(entry, (1, 3)), x), x.repeat(3, axis=3))
    spread = output(layers.Upscale2DLayer(entry, 2, mode="dilate"), x)
    np.testing.assert_array_equal(spread[:, :, ::2, ::2], x)
    assert np.count_nonzero(spread) == x.size
    np.testing.assert_array_equal(output(layers.FeaturePoolLayer(entry, 2), x), x.reshape(2, 2, 2, 6, 6).max(2))
    winners = output(layers.FeatureWTALayer(entry, 4), x)
    np.testing.assert_array_equal(winners, np.where(x == x.max(1, keepdims=True), x, 0))
    np.testing.assert_allclose(output(layers.GlobalPoolLayer(entry), x), x.mean((2, 3)))
    pyramid = output(layers.SpatialPyramidPoolingLayer(entry, [2, 1]), x)
    np.testing.assert_array_equal(pyramid[:, :, 4], x.max((2, 3)))
    np.testing.assert_array_equal(pyramid[:, :, :4], x.reshape(2, 4, 2, 3, 2, 3).max((3, 5)).reshape(2, 4, 4))
    exact = layers.SpatialPyramidPoolingLayer(layers.InputLayer((2, 4, None, None)), [2], implementation="kaiming")
    odd = output(exact, x[:, :, :5, :5])  # regions of 3 rows and columns, which share those in the middle
    np.testing.assert_array_equal(odd[:, :, 3], x[:, :, 2:5, 2:5].max((2, 3)))


def test_shapes_and_merging() -> None:
    x = values(2, 3, 4)
    entry = layers.InputLayer((None, 3, 4))
    assert layers.ReshapeLayer(entry, ([0], 2, -1)).output_shape == (None, 2, 6)
    np.testing.assert_array_equal(output(layers.ReshapeLayer(entry, ([0], -1)), x), x.reshape(2, 12))
    rows, columns = T.lscalars(2)
    assert layers.ReshapeLayer((None, None), (rows * 2, [1])).get_output_shape_for((rows, columns)) == (None, None)
    np.testing.assert_array_equal(
        output(layers.DimshuffleLayer(entry, (2, "x", 0, 1)), x), x.transpose(2, 0, 1)[:, None]
    )
    padded = output(layers.PadLayer(entry, [(1, 2)], val=7), x)
    np.testing.assert_array_equal(padded, np.pad(x, ((0, 0), (0, 0), (1, 2)), constant_values=7))
    np.testing.assert_array_equal(output(layers.SliceLayer(entry, -1, axis=1), x), x[:, -1])
    longer = layers.InputLayer((None, 3, 6))
    both = {entry: x, longer: values(2, 3, 6)}
    joined = layers.ConcatLayer([entry, longer], cropping=[None, None, "center"])
    np.testing.assert_array_equal(output(joined, both), np.concatenate([x, both[longer][:, :, 1:5]], axis=1))
    summed = layers.ElemwiseSumLayer([entry, longer], coeffs=[1, -2], cropping=[None, None, "upper"])
    np.testing.assert_allclose(output(summed, both), x - 2 * both[longer][:, :, 2:])
    with pytest.raises(ValueError, match="Mismatch"):
        layers.ConcatLayer([entry, longer]).output_shape


def test_batch_normalization_moves_averages_in_training_only() -> None:
    x = values(20, 3) * 4 + 1
    layer = layers.BatchNormLayer(layers.InputLayer((None, 3)), epsilon=0, alpha=0.25, gamma=init.Constant(2))
    variable = T.matrix()
    train = theano.function([variable], layers.get_output(layer, variable))
    np.testing.assert_allclose(train(x), 2 * (x - x.mean(0)) / x.std(0))
    np.testing.assert_allclose(layer.mean.get_value(), x.mean(0) / 4)
    np.testing.assert_allclose(layer.inv_std.get_value(), 0.75 + 0.25 / x.std(0))
    before = layer.mean.get_value()
    still = output(layer, x, deterministic=True)
    np.testing.assert_allclose(still, 2 * (x - before) * layer.inv_std.get_value())
    np.testing.assert_array_equal(layer.mean.get_value(), before)
    dense = layers.DenseLayer(layers.InputLayer((None, 3)), 4, name="d")
    normalized = layers.batch_norm(dense)
    assert isinstance(normalized, layers.NonlinearityLayer) and normalized.name == "d_bn_nonlin" and dense.b is None
    assert len(layers.get_all_params(normalized, batch_norm_stat=True)) == 2


def test_dropout_keeps_the_mean_and_drops_together_what_is_shared() -> None:
    x = np.ones((200, 5, 4))
    entry = layers.InputLayer(x.shape)
    found = output(layers.DropoutLayer(entry, p=0.25), x)
    assert set(np.unique(found).round(6)) == {0, round(4 / 3, 6)} and abs(found.mean() - 1) < 0.06
    channels = output(layers.dropout_channels(entry), x)
    assert (channels == channels[:, :, :1]).all() and 0.3 < (channels == 0).mean() < 0.7
    np.testing.assert_array_equal(output(layers.DropoutLayer(entry), x, deterministic=True), x)


def test_a_masked_lstm_and_gru_against_numpy() -> None:
    x, mask = values(2, 5, 3), np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    entry, masks = layers.InputLayer((2, 5, 3)), layers.InputLayer((2, 5))

    def sigmoid(v: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-v))

    lstm = layers.LSTMLayer(entry, 4, mask_input=masks, backwards=True)
    p = {name.split(".")[-1]: v for name, v in ((own.name, own.get_value()) for own in lstm.get_params())}
    h = c = np.zeros((2, 4))
    want = np.zeros((2, 5, 4))
    for t in reversed(range(5)):
        i, f, g, o = (
            x[:, t] @ p[f"W_in_to_{n}"] + h @ p[f"W_hid_to_{n}"] + p[f"b_{n}"]
            for n in ("ingate", "forgetgate", "cell", "outgate")
        )
        new = sigmoid(f + c * p["W_cell_to_forgetgate"]) * c + sigmoid(i + c * p["W_cell_to_ingate"]) * np.tanh(g)
        out = sigmoid(o + new * p["W_cell_to_outgate"]) * np.tanh(new)
        keep = mask[:, t, None] == 1
        c, h = np.where(keep, new, c), np.where(keep, out, h)
        want[:, t] = h
    np.testing.assert_allclose(output(lstm, {entry: x, masks: mask}), want)

    gru = layers.GRULayer(entry, 4, only_return_final=True, unroll_scan=True)
    p = {own.name: own.get_value() for own in gru.get_params()}
    h = np.zeros((2, 4))
    for t in range(5):
        r, u = (sigmoid(x[:, t] @ p[f"W_in_to_{n}"] + h @ p[f"W_hid_to_{n}"]) for n in ("resetgate", "updategate"))
        new = np.tanh(x[:, t] @ p["W_in_to_hidden_update"] + r * (h @ p["W_hid_to_hidden_update"]))
        h = (1 - u) * h + u * new
    np.testing.assert_allclose(output(gru, {entry: x}), h)


def test_transformers_with_the_identity_give_the_image_back() -> None:
    x = values(2, 3, 5, 5)
    image = layers.InputLayer((None, 3, 5, 5))
    affine = layers.InputLayer((None, 6))
    theta = np.tile([1.0, 0, 0, 0, 1, 0], (2, 1))
    same = layers.TransformerLayer(image, affine)
    np.testing.assert_allclose(output(same, {image: x, affine: theta}), x, atol=1e-12)
    mirrored = output(same, {image: x, affine: theta * [-1, 1, 1, 1, 1, 1]})
    np.testing.assert_allclose(mirrored, x[..., ::-1], atol=1e-12)
    offsets = layers.InputLayer((None, 32))
    moves = values(2, 32) / 10
    bent = [
        output(layers.TPSTransformerLayer(image, offsets, precompute_grid=known), {image: x, offsets: moves})
        for known in (True, False)
    ]
    np.testing.assert_allclose(*bent, atol=1e-10)
    still = output(layers.TPSTransformerLayer(image, offsets), {image: x, offsets: 0 * moves})
    np.testing.assert_allclose(still, x, atol=1e-10)


def test_the_layouts_of_cuda_convnet() -> None:
    x = values(2, 3, 6, 6)
    usual = cuda_convnet.Conv2DCCLayer(layers.InputLayer((2, 3, 6, 6)), 16, 3)
    turned = cuda_convnet.bc01_to_c01b(layers.InputLayer((2, 3, 6, 6)))
    weights = usual.W.get_value().transpose(1, 2, 3, 0)
    last = cuda_convnet.MaxPool2DCCLayer(
        cuda_convnet.Conv2DCCLayer(turned, 16, 3, W=weights, dimshuffle=False), 2, dimshuffle=False
    )
    want = output(layers.MaxPool2DLayer(usual, 2, ignore_border=False), x)
    np.testing.assert_allclose(output(cuda_convnet.c01b_to_bc01(last), x), want)


def test_a_layer_of_ones_own_and_selecting_parameters_by_tags() -> None:
    class Scaled(layers.Layer):
        def __init__(self, incoming, **kwargs):
            super().__init__(incoming, **kwargs)
            self.scale = self.add_param(init.Constant(3), (1,), name="scale", trainable=False, special=True)

        def get_output_for(self, input, factor=1, **kwargs):
            return input * factor * self.scale.sum()

    network = layers.DenseLayer(
        Scaled(layers.InputLayer((None, 2), name="in"), name="s"), 2, W=theano.shared(np.eye(2)) * 2, b=None
    )
    np.testing.assert_allclose(output(network, np.ones((1, 2)), factor=2), [[12, 12]])
    assert [p.name for p in layers.get_all_params(network, special=True)] == ["s.scale"]
    assert layers.count_params(network, trainable=True) == 4 and layers.count_params(network) == 5
    assert not isinstance(
        layers.get_all_params(network, unwrap_shared=False, trainable=True)[0], theano.compile.SharedVariable
    )
    layers.set_all_param_values(network, [np.array([1.0]), np.eye(2) / 2])
    np.testing.assert_allclose(output(network, np.ones((1, 2))), [[1, 1]])
    with pytest.warns(UserWarning, match="perhaps you meant factor"):
        layers.get_output(network, factr=2)
    with pytest.raises(ValueError, match="mismatch"):
        layers.set_all_param_values(network, [np.ones(1)])


def test_inverses_expressions_and_rectifiers() -> None:
    x = values(2, 3, 4, 4)
    entry = layers.InputLayer((2, 3, 4, 4))
    pooled = layers.MaxPool2DLayer(entry, 2)
    back = output(layers.InverseLayer(pooled, pooled), x)
    np.testing.assert_array_equal(
        back, np.where(x == x.reshape(2, 3, 2, 2, 2, 2).max((3, 5)).repeat(2, 2).repeat(2, 3), x, 0)
    )
    turned = layers.ExpressionLayer(entry, lambda v: v.sum(axis=1), output_shape="auto")
    np.testing.assert_allclose(output(turned, x), x.sum(axis=1))
    np.testing.assert_allclose(output(layers.prelu(entry, alpha=init.Constant(0.5)), x), np.where(x > 0, x, x / 2))
    drawn = output(layers.RandomizedRectifierLayer(entry, 0.1, 0.3), x)
    slopes = (drawn / x)[x < 0]
    assert (slopes >= 0.1).all() and (slopes <= 0.3).all() and len(np.unique(slopes.round(6))) <= 3
    np.testing.assert_allclose(drawn[x > 0], x[x > 0])
    normal = output(layers.LocalResponseNormalization2DLayer(entry, n=3), x)
    squares = np.pad(x**2, ((0, 0), (1, 1), (0, 0), (0, 0)))
    np.testing.assert_allclose(normal, x / (2 + 1e-4 * sum(squares[:, i : i + 3] for i in range(3))) ** 0.75)
    assert lasagne.__version__ == "0.2.dev1"
