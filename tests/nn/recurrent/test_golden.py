"""Recurrent layers agree with PyTorch and Keras, forward and backward (tools/make_golden_sequences.py)."""

import pytest

from septet import nn
from tests.nn import golden

TORCH, KERAS = golden.load("sequences/torch"), golden.load("sequences/keras")
ALL = {"return_sequences": True}
BOTH = ALL | {"return_state": True}


class Twice(nn.Module):
    """Two batches, one after the other."""

    def __init__(self, layer):
        self.layer = layer

    def forward(self, x, more):
        return self.layer(x), self.layer(more)


class Started(nn.Module):
    """A cell whose state is given in parts."""

    def __init__(self, cell):
        self.cell = cell

    def forward(self, x, hidden=None, cell=None, state=None):
        return self.cell(x, (hidden, cell) if state is None else state)


LAYERS = {
    "rnn": nn.RNN(3, **ALL),
    "rnn from a state": nn.RNN(3, activation="relu", use_bias=False, **BOTH),
    "lstm of two layers": nn.LSTM(3, 2, **BOTH),
    "gru in both directions": nn.Bidirectional(nn.GRU(3, **BOTH)),
    "gru on lstm": nn.Recurrent([nn.LSTMCell(3), nn.GRUCell(2, use_bias=False)]),
    "gru from a learned state": nn.GRU(3, learned_state=True, **ALL),
    "rnn that keeps its state": Twice(nn.RNN(3, stateful=True, **ALL)),
    "dense step by step": nn.TimeDistributed(nn.Dense(2)),
    "rnn cell": Started(nn.RNNCell(3)),
    "gru cell": Started(nn.GRUCell(3)),
    "lstm cell": Started(nn.LSTMCell(3)),
    "convolutional cell": Started(nn.ConvLSTMCell(2, (3, 2), activation="relu", dilation=(1, 2))),
    "lstm with peepholes": nn.LSTM(3, peepholes=True, **BOTH),
    "rnn with gradients that are cut": nn.RNN(3, truncate=2, **ALL),
}
OF_KERAS = {
    "lstm that holds": nn.LSTM(3, masked="hold", **ALL),
    "lstm with other gates": nn.LSTM(
        3, activation="softsign", recurrent_activation="hard_sigmoid", use_bias=False
    ),
    "gru, reset before": nn.GRU(3, reset_after=False),
    "rnn in both directions, sum": nn.Bidirectional(nn.RNN(3), merge="sum"),
    "rnn in both directions, mul": nn.Bidirectional(nn.RNN(3), merge="product"),
    "rnn in both directions, ave": nn.Bidirectional(nn.RNN(3), merge="average"),
    "rnn in both directions, None": nn.Bidirectional(nn.RNN(3), merge=None),
    "rnn backwards": nn.RNN(3, go_backwards=True),
    "convolutional lstm of lines": nn.ConvLSTM1D(2, 3, dilation=2, use_bias=False, **ALL),
    "convolutional lstm": nn.ConvLSTM2D(2, 3, padding="same", stride=2, masked="hold", **BOTH),
    "convolutional lstm of volumes": nn.ConvLSTM3D(
        2, 2, padding="same", stride=2, recurrent_activation="hard_sigmoid"
    ),
}  # fmt: skip


def test_every_case_is_compared():
    assert set(TORCH) == {*LAYERS, "ctc"} and set(KERAS) == set(OF_KERAS)


@pytest.mark.parametrize("name", LAYERS)
def test_torch(name):
    golden.check(LAYERS[name], TORCH[name])


@pytest.mark.parametrize("name", OF_KERAS)
def test_keras(name):
    golden.check(OF_KERAS[name], KERAS[name])
