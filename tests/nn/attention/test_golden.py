"""Attention, transformers and decoders agree with PyTorch and Keras, forward and backward.

The values are made by tools/make_golden_attention.py.
"""

import pytest

from septet import nn
from tests.nn import golden

TORCH, KERAS = golden.load("sequences/torch-attention"), golden.load("sequences/keras-attention")
WEIGHTS, CAUSAL = {"with_weights": True}, {"is_causal": True}

GROUPS = {
    "dropout": 0.0, "is_norm_first": True, "epsilon": 1e-3, "key_value_heads": 2, "rotary_base": 100.0,
    "use_bias": False,
}  # fmt: skip


class Started(nn.Module):
    """A recurrent decoder whose state is given in parts."""

    def __init__(self, decoder):
        self.decoder = decoder

    def forward(self, x, memory, hidden, cell=None, found=None, **words):
        return self.decoder(x, memory, (hidden if cell is None else (hidden, cell), found), **words)


# layer, the names of the inputs after x, options of the call
OF_TORCH = {
    "attention across": (nn.MultiHeadAttention(2), ("key", "value"), WEIGHTS),
    "attention with numbers as mask": (nn.MultiHeadAttention(2, is_packed=True), (), CAUSAL),
    "attention in groups that rotates": (
        nn.MultiHeadAttention(4, 4, value_size=3, units=5, key_value_heads=2, use_bias=False, rotary_base=100.0),
        (),
        CAUSAL,
    ),
    "encoder layer in groups that rotates": (nn.TransformerEncoderLayer(4, 5, **GROUPS), (), CAUSAL),
    "decoder layer in groups that rotates": (nn.TransformerDecoderLayer(4, 5, **GROUPS), ("memory",), {}),
    "additive scores": (nn.AdditiveAttention(5), ("memory",), WEIGHTS),
    "general scores": (nn.DotAttention("general"), ("memory",), WEIGHTS),
    "dot scores": (nn.DotAttention("dot"), ("memory",), WEIGHTS),
    "scaled scores": (nn.DotAttention("scaled"), ("memory",), WEIGHTS),
    "additive scores of one query, no bias": (nn.AdditiveAttention(5, use_bias=False), ("memory",), WEIGHTS),
}
for is_first in (False, True):
    order, activation = ("first", "gelu") if is_first else ("last", "relu")
    words = {"activation": activation, "dropout": 0.0, "is_norm_first": is_first}
    OF_TORCH |= {
        f"encoder layer, norm {order}": (nn.TransformerEncoderLayer(2, 5, **words), (), CAUSAL),
        f"encoder, norm {order}": (nn.TransformerEncoder(2, 2, 5, **words), (), {}),
        f"decoder layer, norm {order}": (nn.TransformerDecoderLayer(2, 5, **words), ("memory",), {}),
        f"decoder, norm {order}": (nn.TransformerDecoder(2, 2, 5, **words), ("memory",), {}),
    }
OF_KERAS = {
    "attention of given sizes": (
        nn.MultiHeadAttention(2, 3, value_size=2, units=5, use_bias=False), ("value",), WEIGHTS
    ),
    "attention in groups": (nn.MultiHeadAttention(4, 3, key_value_heads=2), (), CAUSAL),
    "dot scores": (nn.DotAttention(), ("memory",), WEIGHTS),
}  # fmt: skip
DECODERS = {
    "recurrent decoder, before": nn.AttentionDecoder(nn.GRUCell(4), nn.AdditiveAttention(5)),
    "recurrent decoder, after": nn.AttentionDecoder(nn.LSTMCell(4), nn.DotAttention("general"), "after"),
}


def test_every_case_is_compared():
    assert set(TORCH) == {*OF_TORCH, *DECODERS} and set(KERAS) == set(OF_KERAS)


@pytest.mark.parametrize("name", OF_TORCH)
def test_torch(name):
    layer, places, options = OF_TORCH[name]
    golden.check(layer, TORCH[name], *places, **options)


@pytest.mark.parametrize("name", OF_KERAS)
def test_keras(name):
    layer, places, options = OF_KERAS[name]
    golden.check(layer, KERAS[name], *places, **options)


@pytest.mark.parametrize("name", DECODERS)
def test_recurrent_decoders(name):
    golden.check(Started(DECODERS[name]), TORCH[name], "memory", "hidden")
