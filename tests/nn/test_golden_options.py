"""Layers with the options that change what they compute agree with PyTorch: tools/make_golden_options.py."""

import numpy as np
import pytest

import septet as st
from septet import nn
from tests.nn import golden
from tests.nn.test_golden import RAW

GOLDEN = golden.load("layers/options")
transposed = np.transpose
CONV, NORM = {"kernel": "weight", "bias": "bias"}, {"scale": "weight", "shift": "bias"}
FIRST, SECOND = {"kernel": "0.weight"}, {"kernel": "1.weight", "bias": "1.bias"}
LOOK = {"localization.1.kernel": ("look.weight", transposed), "localization.1.bias": "look.bias"}


def look(units):
    return nn.Sequential(nn.Flatten(), nn.Dense(units))


# layer, its variables and their names in PyTorch, options of the call
CASES = {
    "dense": (nn.Dense(3, "silu", use_bias=False), {"kernel": ("0.weight", transposed)}),
    "bilinear": (nn.Bilinear(2, "tanh", use_bias=False), FIRST),
    "embedding-padding": (nn.Embedding(6, 3, padding=2), {"table": "weight"}),
    "conv1d": (
        nn.Conv1D(6, 3, "relu", stride=2, padding=((2, 0),), groups=3, use_bias=False), {"kernel": "1.weight"}
    ),
    "conv2d": (nn.Conv2D(2, (2, 3), "tanh", padding=((2, 0), (0, 1)), dilation=(1, 2)), SECOND),
    "conv2d-circular": (nn.Conv2D(2, 3, stride=2, padding=1, padding_mode="circular"), CONV),
    "conv3d": (nn.Conv3D(4, 2, dilation=(1, 2, 1), groups=2), CONV),
    "conv3d-replicate": (nn.Conv3D(2, 2, padding=1, padding_mode="replicate"), CONV),
    "transposed1d": (nn.ConvTranspose1D(6, 3, "tanh", groups=3, dilation=2, use_bias=False), FIRST),
    "transposed3d": (
        nn.ConvTranspose3D(3, 2, stride=(2, 1, 2), padding=(1, 0, 0), output_padding=(1, 0, 0)), CONV
    ),
    "depthwise1d": (nn.DepthwiseConv1D(2, dilation=3), CONV),
    "depthwise2d": (nn.DepthwiseConv2D(2, 1, "relu", stride=2, dilation=(2, 1), use_bias=False), FIRST),
    "separable1d": (
        nn.SeparableConv1D(2, 3, stride=2, padding=1),
        {"depthwise": "0.weight", "pointwise": "1.weight", "bias": "1.bias"},
    ),
    "separable2d": (
        nn.SeparableConv2D(3, 2, "tanh", dilation=(2, 1), use_bias=False),
        {"depthwise": "0.weight", "pointwise": "1.weight"},
    ),
    "local1d": (nn.LocallyConnected1D(2, 3, "relu", stride=2, padding=1), SECOND),
    "local2d": (
        nn.LocallyConnected2D(3, (2, 3), "tanh", stride=(2, 1), padding=((1, 0), (0, 1))), SECOND
    ),
    "local3d": (
        nn.LocallyConnected3D(
            2, (2, 2, 1), "relu", stride=(2, 1, 1), padding=((0, 0), (1, 0), (0, 0)), use_bias=False
        ),
        {"kernel": "1.weight"},
    ),
    "max1d": (nn.MaxPool1D(2, ceil_mode=True), {}),
    "max2d": (nn.MaxPool2D(3, (2, 1), padding=(1, 0)), {}),
    "max3d": (nn.MaxPool3D((1, 2, 3), 2, padding=(0, 1, 1)), {}),
    "average1d": (nn.AvgPool1D(3, 2, padding=1, ceil_mode=True, count_padding=False), {}),
    "average2d": (nn.AvgPool2D(2, 3, padding=1, ceil_mode=True), {}),
    "average3d": (nn.AvgPool3D(2, 1, padding=1), {}),
    "lp1d": (nn.LpPool1D(3, 3, 2, padding=1), {}),
    "lp2d-sums": (nn.LpPool2D(1, 2, 1), {}),
    "lp2d-ceil": (nn.LpPool2D(2, 2, ceil_mode=True), {}),
    "adaptive-average1d": (nn.AdaptiveAvgPool(5), {}),
    "adaptive-average3d": (nn.AdaptiveAvgPool((3, 2, 3)), {}),
    "adaptive-max2d": (nn.AdaptiveMaxPool((3, 4)), {}),
    "adaptive-max3d": (nn.AdaptiveMaxPool((3, 2, 3)), {}),
    "pyramid": (nn.SpatialPyramidPool((2, 1), "average"), {}),
    "feature-pool-mean": (nn.FeaturePool(3, -1, "mean"), {}),
    "feature-pool-function": (nn.FeaturePool(2, function=st.logsumexp), {}),
    "maxout": (nn.MaxoutDense(2, 3, use_bias=False), {"kernel": ("0.weight", transposed)}),
    "winner-takes-all": (nn.WinnerTakesAll(3, -1), {}),
    "upsample-nearest3d": (nn.Upsample((1, 2, 3)), {}),
    "upsample-cubic": (nn.Upsample(2, "cubic"), {}),
    "resize-linear": (nn.Resize(4), {}),
    "resize-linear-corners": (nn.Resize((3, 8), align_corners=True), {}),
    "resize-cubic-corners": (nn.Resize((7, 4), "cubic", align_corners=True), {}),
    "unfold": (
        nn.Sequential(nn.Unfold((2, 2), (1, 2), (1, 0), dilation=(2, 1)), nn.Reshape((16, -1))), {}
    ),
    "fold": (nn.Fold((5, 6), (2, 2), (1, 2), (1, 0), dilation=(2, 1)), {}),
    "batch-norm": (
        nn.BatchNorm(0.7, 0.1, has_scale=False, has_shift=False),
        {"mean": "b/running_mean", "variance": "b/running_var"},
    ),
    "batch-norm-scale": (
        nn.BatchNorm(has_shift=False),
        {"scale": "1.weight", "mean": "b/0.running_mean", "variance": "b/0.running_var"},
    ),
    "batch-norm-in-use": (
        nn.BatchNorm(epsilon=0.1).eval(), {**NORM, "mean": "b/running_mean", "variance": "b/running_var"}
    ),
    "layer-norm": (nn.LayerNorm(epsilon=0.1, has_shift=False), {"scale": "weight"}),
    "layer-norm-bare": (nn.LayerNorm(3, has_scale=False, has_shift=False), {}),
    "group-norm": (nn.GroupNorm(2, 0.1, has_shift=False), {"scale": "1.weight"}),
    "group-norm-bare": (nn.GroupNorm(1, has_scale=False, has_shift=False), {}),
    "instance-norm": (nn.InstanceNorm(0.1, has_scale=False), {"shift": "1.weight"}),
    "instance-norm-bare": (nn.InstanceNorm(has_scale=False, has_shift=False), {}),
    "rms-norm": (nn.RMSNorm(2, 0.1, has_scale=False), {}),
    "local-response": (nn.LocalResponseNorm(4, 0.5, 0.6, 1.0), {}),
    "weight-norm": (
        nn.WeightNorm(nn.Dense(3), axis=0),
        {
            "magnitude": (f"{RAW}original0", np.ravel), "direction": (f"{RAW}original1", transposed),
            "layer.bias": "bias",
        },
    ),
    "weight-norm-transposed": (
        nn.WeightNorm(nn.ConvTranspose1D(2, 3), axis=1),
        {"magnitude": (f"{RAW}original0", np.ravel), "direction": f"{RAW}original1", "layer.bias": "bias"},
    ),
    "spectral-norm": (
        nn.SpectralNorm(nn.Conv2D(3, 2), iterations=2),
        {"original": "layer.weight", "layer.bias": "layer.bias", "left": "b/u", "right": "b/v"},
    ),
    "spectral-norm-in-use": (
        nn.SpectralNorm(nn.Dense(3)).eval(),
        {
            "original": (f"{RAW}original", transposed), "layer.bias": "bias", "right": f"b/{RAW}0._u",
            "left": f"b/{RAW}0._v",
        },
    ),
    "hard-shrink": (nn.HardShrink(0.3), {}),
    "soft-shrink": (nn.SoftShrink(0.3), {}),
    "squareplus": (nn.Activation("squareplus"), {}),
    "rrelu": (nn.RReLU(0.2, 0.2), {}),
    "prelu-one": (nn.PReLU((1, 2, 3)), {"slope": ("weight", lambda array: array.reshape(1, 1, 1))}),
    "prelu-all": (nn.PReLU(()), {"slope": "weight"}),
    "glu": (nn.GLU(), {}),
    "gated": (
        nn.GatedDense(3, use_bias=False),
        {"kernel": ("value.weight", transposed), "gate_kernel": ("gate.weight", transposed)},
    ),
    "highway": (
        nn.Highway("tanh"),
        {
            "kernel": ("value.weight", transposed), "bias": "value.bias",
            "gate_kernel": ("gate.weight", transposed), "gate_bias": "gate.bias",
        },
    ),
    "spatial-transformer": (
        nn.SpatialTransformer(look(6), padding_mode="zeros", align_corners=True), LOOK
    ),
    "spatial-transformer-reflection": (nn.SpatialTransformer(look(6), (2, 7), padding_mode="reflection"), LOOK),
    "thin-plate": (nn.ThinPlateTransformer(look(8), 4, padding_mode="zeros"), LOOK),
    "feed-forward": (
        nn.FeedForward(6, use_bias=False),
        {"expand.kernel": ("0.weight", transposed), "contract.kernel": ("2.weight", transposed)},
    ),
    "bias": (nn.Bias(2), {"bias": "weight"}),
    "scale": (nn.Scale((1, 2)), {"scale": "weight"}),
    "standardize": (nn.Standardize(epsilon=0.1), {}),
    "sinusoidal-positions": (nn.SinusoidalPositions(50.0), {}, {"position": 3}),
    "learned-positions": (nn.LearnedPositions(5), {"table": "weight"}, {"position": 2}),
    "global-average": (nn.GlobalAveragePool(keepdims=True), {}),
    "global-max": (nn.GlobalMaxPool(keepdims=True), {}),
    "concatenate-crop": (nn.Concatenate(crop=(None, None, "end", "start")), {}),
    "average-crop": (nn.Average(crop=(None, None, "end")), {}),
    "inverse-average": (nn.Inverse(nn.AvgPool2D((2, 3))), {}),
    "identity": (nn.Identity(), {}),
    "flatten": (nn.Flatten(), {}),
    "reshape": (nn.Reshape((2, -1, 5)), {}),
    "permute": (nn.Permute((3, 1, 2)), {}),
    "repeat-vector": (nn.RepeatVector(3), {}),
    "slice-one": (nn.Slice(1, axis=1), {}),
    "slice-some": (nn.Slice(slice(1, 6, 2)), {}),
}  # fmt: skip


def test_every_case_of_the_file_is_compared():
    assert GOLDEN.keys() == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_a_layer_agrees_with_pytorch(name):
    layer, names, *options = CASES[name]
    golden.compare(layer, GOLDEN[name], names, **(options[0] if options else {}))
