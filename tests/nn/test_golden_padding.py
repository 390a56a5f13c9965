"""Padding "same" and penalties on activities agree with Keras, forward and backward: tools/make_golden_padding.py."""

import pytest

from septet import nn
from tests.nn import golden

GOLDEN = golden.load("layers/keras")
SAME = {"padding": "same"}


class Penalized(nn.Module):
    """A layer, and the penalty that it leaves behind."""

    def __init__(self, layer):
        self.layer = layer

    def forward(self, x):
        return self.layer(x), nn.regularization_loss(self)


CASES = {
    "conv1d": nn.Conv1D(4, 4, dilation=2, **SAME),
    "conv2d": nn.Conv2D(4, (3, 2), "relu", stride=2, **SAME),
    "conv3d": nn.Conv3D(2, 2, **SAME),
    "transposed1d": nn.ConvTranspose1D(4, 3, stride=2, **SAME),
    "transposed2d": nn.ConvTranspose2D(2, (3, 4), stride=(2, 3), **SAME),
    "depthwise": nn.DepthwiseConv2D(3, 2, stride=2, **SAME),
    "separable": nn.SeparableConv2D(4, 3, multiplier=2, stride=2, **SAME),
    "max1d": nn.MaxPool1D(3, 2, **SAME),
    "max2d": nn.MaxPool2D((2, 3), (3, 2), **SAME),
    "average1d": nn.AvgPool1D(3, 2, count_padding=False, **SAME),
    "average2d": nn.AvgPool2D((2, 3), (3, 2), count_padding=False, **SAME),
    "activity": Penalized(nn.ActivityRegularization(nn.regularizers.L1L2(0.5, 0.2))),
}


def test_every_case_of_the_file_is_compared():
    assert GOLDEN.keys() == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_a_layer_agrees_with_keras(name):
    golden.check(CASES[name], GOLDEN[name])
