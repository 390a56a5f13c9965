"""Layers agree with PyTorch's, forward and backward: tests/golden/layers, which tools/make_golden_layers.py makes."""

import numpy as np
import pytest

import septet as st
from septet import nn
from tests.nn import golden

GOLDEN = golden.load("layers/layers")
transposed = np.transpose


class Tied(nn.Module):
    def __init__(self):
        self.there = nn.Conv2D(3, (3, 2), stride=(2, 1), padding=1)
        self.back = nn.Inverse(self.there)

    def forward(self, x):
        return self.back(self.there(x), x)


DENSE = {"kernel": ("weight", transposed), "bias": "bias"}
CONV = {"kernel": "weight", "bias": "bias"}
NORM = {"scale": "weight", "shift": "bias"}
PAIR = {
    "kernel": ("value.weight", transposed), "bias": "value.bias",
    "gate_kernel": ("gate.weight", transposed), "gate_bias": "gate.bias",
}  # fmt: skip
RAW = "parametrizations.weight."
CASES = {
    "dense": (lambda: nn.Dense(3), DENSE),
    "bilinear": (lambda: nn.Bilinear(2), CONV),
    "embedding": (lambda: nn.Embedding(6, 3), {"table": "weight"}),
    "conv1d": (lambda: nn.Conv1D(4, 3, padding=2, dilation=2), CONV),
    "conv2d": (lambda: nn.Conv2D(6, (3, 2), stride=(2, 1), padding=1, groups=2), CONV),
    "conv2d-reflect": (lambda: nn.Conv2D(2, 3, padding=(2, 1), padding_mode="reflect"), CONV),
    "conv2d-replicate": (lambda: nn.Conv2D(2, 3, padding=2, stride=2, padding_mode="replicate"), CONV),
    "conv1d-circular": (lambda: nn.Conv1D(2, 3, padding=1, padding_mode="circular"), CONV),
    "conv3d": (lambda: nn.Conv3D(3, 2, stride=2, padding=1), CONV),
    "transposed1d": (lambda: nn.ConvTranspose1D(4, 3, stride=2, padding=1, output_padding=1), CONV),
    "transposed2d": (
        lambda: nn.ConvTranspose2D(6, (3, 2), stride=(2, 1), padding=1, groups=2, dilation=(1, 2)), CONV
    ),
    "transposed3d": (lambda: nn.ConvTranspose3D(3, 2, stride=2), CONV),
    "depthwise": (lambda: nn.DepthwiseConv2D(3, 2, padding=1), CONV),
    "separable": (
        lambda: nn.SeparableConv2D(3, 3, multiplier=2, stride=2, padding=1),
        {"depthwise": "0.weight", "pointwise": "1.weight", "bias": "1.bias"},
    ),
    "local1d": (lambda: nn.LocallyConnected1D(2, 3), CONV),
    "local2d": (lambda: nn.LocallyConnected2D(3, (2, 3)), CONV),
    "max1d": (lambda: nn.MaxPool1D(3, 2, padding=1), {}),
    "max2d": (lambda: nn.MaxPool2D((2, 3), ceil_mode=True), {}),
    "max3d": (lambda: nn.MaxPool3D(2, 1), {}),
    "average1d": (lambda: nn.AvgPool1D(3, 2, padding=1), {}),
    "average2d": (lambda: nn.AvgPool2D(3, 2, padding=1, count_padding=False), {}),
    "average3d": (lambda: nn.AvgPool3D(2), {}),
    "lp1d": (lambda: nn.LpPool1D(4, 2), {}),
    "lp2d": (lambda: nn.LpPool2D(2, (2, 3), stride=1), {}),
    "lp3d": (lambda: nn.LpPool3D(2, 2), {}),
    "adaptive-average": (lambda: nn.AdaptiveAvgPool((3, 4)), {}),
    "adaptive-max": (lambda: nn.AdaptiveMaxPool(3), {}),
    "pyramid": (lambda: nn.SpatialPyramidPool((3, 1)), {}),
    "feature-pool": (lambda: nn.FeaturePool(2), {}),
    "upsample-nearest": (lambda: nn.Upsample(2), {}),
    "upsample-linear": (lambda: nn.Upsample((2, 3), "linear"), {}),
    "upsample-corners": (lambda: nn.Upsample(2, "linear", align_corners=True), {}),
    "resize-cubic": (lambda: nn.Resize((7, 4), "cubic"), {}),
    "resize-nearest": (lambda: nn.Resize((3, 11), "nearest"), {}),
    "pixel-shuffle": (lambda: nn.PixelShuffle(2), {}),
    "pixel-unshuffle": (lambda: nn.PixelUnshuffle(2), {}),
    "channel-shuffle": (lambda: nn.ChannelShuffle(2), {}),
    "unfold": (lambda: nn.Sequential(nn.Unfold((2, 3), 2, 1), nn.Reshape((24, -1))), {}),
    "fold": (lambda: nn.Fold((5, 6), (2, 3), 2, 1), {}),
    "zero-pad": (lambda: nn.ZeroPad2D(((0, 3), (1, 2))), {}),
    "crop": (lambda: nn.Crop2D(((0, 1), (1, 2))), {}),
    "reflect-pad": (lambda: nn.ReflectPad2D(((3, 0), (1, 2))), {}),
    "reflect-pad3d": (lambda: nn.ReflectPad3D(1), {}),
    "replicate-pad": (lambda: nn.ReplicatePad1D(((3, 1),)), {}),
    "batch-norm": (nn.BatchNorm, {**NORM, "mean": "b/running_mean", "variance": "b/running_var"}),
    "batch-norm-eval": (lambda: nn.BatchNorm().eval(), NORM),
    "layer-norm": (lambda: nn.LayerNorm(2), NORM),
    "group-norm": (lambda: nn.GroupNorm(2), NORM),
    "instance-norm": (nn.InstanceNorm, NORM),
    "rms-norm": (nn.RMSNorm, {"scale": "weight"}),
    "local-response": (lambda: nn.LocalResponseNorm(3, 0.5, 0.75, 2.0), {}),
    "weight-norm": (
        lambda: nn.WeightNorm(nn.Dense(3)),
        {
            "magnitude": (f"{RAW}original0", np.ravel), "direction": (f"{RAW}original1", transposed),
            "layer.bias": "bias",
        },
    ),
    "weight-norm-conv": (
        lambda: nn.WeightNorm(nn.Conv1D(2, 3)),
        {"magnitude": (f"{RAW}original0", np.ravel), "direction": f"{RAW}original1", "layer.bias": "bias"},
    ),
    "spectral-norm": (
        lambda: nn.SpectralNorm(nn.Dense(3)),
        {
            "original": (f"{RAW}original", transposed), "layer.bias": "bias",
            "right": f"b/{RAW}0._u", "left": f"b/{RAW}0._v",
        },
    ),
    "relu": (nn.ReLU, {}),
    "relu6": (nn.ReLU6, {}),
    "leaky-relu": (lambda: nn.LeakyReLU(0.2), {}),
    "threshold": (lambda: nn.Threshold(0.1, 20.0), {}),
    "elu": (lambda: nn.ELU(0.7), {}),
    "celu": (lambda: nn.CELU(0.7), {}),
    "selu": (nn.SELU, {}),
    "gelu": (nn.GELU, {}),
    "gelu-tanh": (lambda: nn.GELU(approximate=True), {}),
    "silu": (nn.SiLU, {}),
    "hard-silu": (nn.HardSiLU, {}),
    "mish": (nn.Mish, {}),
    "sigmoid": (nn.Sigmoid, {}),
    "hard-sigmoid": (nn.HardSigmoid, {}),
    "log-sigmoid": (nn.LogSigmoid, {}),
    "tanh": (nn.Tanh, {}),
    "hard-tanh": (lambda: nn.HardTanh(-0.5, 0.8), {}),
    "tanh-shrink": (nn.TanhShrink, {}),
    "hard-shrink": (nn.HardShrink, {}),
    "soft-shrink": (nn.SoftShrink, {}),
    "softplus": (nn.Softplus, {}),
    "softsign": (nn.Softsign, {}),
    "softmax": (lambda: nn.Softmax(0), {}),
    "softmin": (lambda: nn.Softmin(1), {}),
    "log-softmax": (lambda: nn.LogSoftmax(1), {}),
    "prelu": (nn.PReLU, {"slope": ("weight", lambda array: array.reshape(4, 1, 1))}),
    "rrelu-eval": (lambda: nn.RReLU().eval(), {}),
    "glu": (lambda: nn.GLU(1), {}),
    "gated": (lambda: nn.GatedDense(3, "silu"), PAIR),
    "highway": (nn.Highway, PAIR),
    "spatial-transformer": (
        lambda: nn.SpatialTransformer(nn.Sequential(nn.Flatten(), nn.Dense(6)), (3, 4)),
        {"localization.1.kernel": ("look.weight", transposed), "localization.1.bias": "look.bias"},
    ),
    "dot": (lambda: nn.Dot(2, normalize=True), {}),
}  # fmt: skip

for padding_mode in ("zeros", "border", "reflection"):
    for mode, own in (("bilinear", "linear"), ("nearest", "nearest")):
        for align in (False, True):
            words = {"mode": own, "padding_mode": padding_mode, "align_corners": align}
            CASES[f"grid-{mode}-{padding_mode}-{align}"] = (lambda words=words: nn.Lambda(st.grid_sample, **words), {})
for align in (False, True):
    CASES[f"affine-grid-{align}"] = (
        lambda align=align: nn.Lambda(st.affine_grid, size=(3, 4), align_corners=align), {}
    )  # fmt: skip
CASES |= {
    "depthwise1d": (lambda: nn.DepthwiseConv1D(3, 2, stride=2, padding=1), CONV),
    "separable1d": (
        lambda: nn.SeparableConv1D(2, 3, multiplier=2, dilation=2),
        {"depthwise": "0.weight", "pointwise": "1.weight", "bias": "1.bias"},
    ),
    "local3d": (lambda: nn.LocallyConnected3D(2, (2, 1, 2)), CONV),
    "zero-pad1d": (lambda: nn.ZeroPad1D(((2, 1),)), {}),
    "zero-pad3d": (lambda: nn.ZeroPad3D(((0, 1), (2, 1), (1, 0))), {}),
    "crop1d": (lambda: nn.Crop1D(((2, 1),)), {}),
    "crop3d": (lambda: nn.Crop3D(((1, 0), (0, 1), (1, 0))), {}),
    "reflect-pad1d": (lambda: nn.ReflectPad1D(((2, 1),)), {}),
    "replicate-pad2d": (lambda: nn.ReplicatePad2D(((0, 3), (1, 2))), {}),
    "replicate-pad3d": (lambda: nn.ReplicatePad3D(((1, 0), (0, 1), (2, 1))), {}),
    "thresholded-relu": (lambda: nn.ThresholdedReLU(0.4), {}),
    "sparsemax": (nn.Sparsemax, {}),
    "sparsemax-first": (lambda: nn.Sparsemax(0), {}),
    "feed-forward": (
        lambda: nn.FeedForward(6, "gelu"),
        {
            "expand.kernel": ("0.weight", transposed),
            "expand.bias": "0.bias",
            "contract.kernel": ("2.weight", transposed),
            "contract.bias": "2.bias",
        },
    ),
    "maxout": (lambda: nn.MaxoutDense(3, 2), {"kernel": ("0.weight", transposed), "bias": "0.bias"}),
    "winner-takes-all": (lambda: nn.WinnerTakesAll(2), {}),
    "inverse-max": (lambda: nn.Inverse(nn.MaxPool2D(2)), {}),
    "inverse-tanh": (lambda: nn.Inverse(nn.Tanh()), {}),
    "inverse-tied": (Tied, {"there.kernel": "there.weight", "there.bias": "there.bias"}),
    "bias": (lambda: nn.Bias((1, 3)), {"bias": "weight"}),
    "scale": (nn.Scale, {"scale": "weight"}),
    "standardize": (lambda: nn.Standardize([0.5, 1, -2], [2, 0.5, 3]), {}),
    "standardize-examples": (nn.Standardize, {}),
    "sinusoidal-positions": (nn.SinusoidalPositions, {}),
    "learned-positions": (lambda: nn.LearnedPositions(5), {"table": "weight"}),
    "add": (nn.Add, {}),
    "subtract": (nn.Subtract, {}),
    "multiply": (nn.Multiply, {}),
    "average": (nn.Average, {}),
    "maximum": (nn.Maximum, {}),
    "minimum": (nn.Minimum, {}),
    "merge-logaddexp": (lambda: nn.ElementwiseMerge(st.logaddexp), {}),
    "merge-crop": (lambda: nn.Add(crop=(None, None, "end", "start")), {}),
    "concatenate": (nn.Concatenate, {}),
    "concatenate-last": (lambda: nn.Concatenate(-1), {}),
    "dot-axes": (lambda: nn.Dot((1, 2)), {}),
    "dot-vectors": (lambda: nn.Dot(1), {}),
    "global-average": (nn.GlobalAveragePool, {}),
    "global-max": (nn.GlobalMaxPool, {}),
    "thin-plate": (
        lambda: nn.ThinPlateTransformer(nn.Sequential(nn.Flatten(), nn.Dense(18)), 9, (3, 4)),
        {"localization.1.kernel": ("look.weight", transposed), "localization.1.bias": "look.bias"},
    ),
    "additive-attention": (
        lambda: nn.AdditiveAttention(5),
        {
            "query_kernel": ("own.weight", transposed),
            "memory_kernel": ("other.weight", transposed),
            "bias": "other.bias",
            "score": "score",
        },
    ),
    "general-attention": (lambda: nn.DotAttention("general"), {"kernel": "weight"}),
    "scaled-attention": (lambda: nn.DotAttention("scaled"), {}),
}


def test_every_case_of_the_file_is_compared():
    assert GOLDEN.keys() == CASES.keys()


@pytest.mark.parametrize("name", [name for name in CASES if name != "embedding"])
def test_a_layer_is_part_of_models_with_batches_of_any_size(name):
    layer = CASES[name][0]()
    inputs = golden.numbered(GOLDEN[name])
    places = [nn.Input(x.shape[1:]) for x in inputs]
    model = nn.Model(places, layer(*places))
    assert np.allclose(model.eval()(*inputs), layer(*inputs), atol=1e-6)
    assert layer._is_built and model.summary().rows[-1].flops >= 0


@pytest.mark.parametrize("name", CASES)
def test_a_layer_agrees_with_pytorch(name):
    make, names = CASES[name]
    golden.compare(make(), GOLDEN[name], names)
