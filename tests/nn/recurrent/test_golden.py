"""Recurrent layers agree with PyTorch and Keras, forward and backward (tools/make_golden_sequences.py)."""

import numpy as np
import pytest

from septet import nn
from tests.nn import golden

TORCH, KERAS = golden.load("sequences/torch"), golden.load("sequences/keras")
ALL = {"return_sequences": True}


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("rnn", nn.RNN(3, **ALL)),
        ("lstm of two layers", nn.LSTM(3, 2, **ALL)),
        ("gru in both directions", nn.Bidirectional(nn.GRU(3, **ALL))),
    ],
)
def test_torch(name, layer):
    case = TORCH[name]
    golden.check(layer, case, lengths=case.get("lengths"))


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("lstm that holds", nn.LSTM(3, masked="hold", **ALL)),
        ("gru, reset before", nn.GRU(3, reset_after=False)),
        ("rnn backwards", nn.RNN(3, go_backwards=True)),
    ],
)
def test_keras(name, layer):
    case = KERAS[name]
    golden.check(layer, case, mask=case.get("mask"))


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("convolutional lstm of lines", nn.ConvLSTM1D(2, 3, dilation=2, **ALL)),
        ("convolutional lstm", nn.ConvLSTM2D(2, 3, padding="same", stride=2, **ALL)),
        ("convolutional lstm of volumes", nn.ConvLSTM3D(2, 2, padding="same", stride=2, **ALL)),
    ],
)
def test_keras_has_channels_last(name, layer):
    case = dict(KERAS[name])
    for key in ("x", "y", "gx", "seed"):
        case[key] = np.moveaxis(case[key], -1, 2)
    for key in [key for key in case if key.endswith("kernel")]:
        case[key] = np.moveaxis(case[key], (-2, -1), (1, 0))
    golden.check(layer, case)
