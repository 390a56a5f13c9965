"""Attention and transformers agree with PyTorch, forward and backward (tools/make_golden_sequences.py)."""

import pytest

from septet import nn
from tests.nn import golden

CASES = golden.load("sequences/torch")


def test_attention_across():
    case = CASES["attention across"]
    layer = nn.MultiHeadAttention(2)
    golden.check(layer, case, case["key"], case["value"], mask=case["mask"], key_mask=case["key_mask"])


@pytest.mark.parametrize("is_first", [False, True])
def test_encoder_layer(is_first):
    case = CASES[f"encoder layer, norm {'first' if is_first else 'last'}"]
    layer = nn.TransformerEncoderLayer(2, 5, "gelu" if is_first else "relu", dropout=0.0, is_norm_first=is_first)
    golden.check(layer, case, is_causal=True)


def test_decoder_layer():
    case = CASES["decoder layer"]
    layer = nn.TransformerDecoderLayer(2, 5, dropout=0.0)
    golden.check(layer, case, case["memory"], memory_key_mask=case["memory_key_mask"])


@pytest.mark.parametrize("is_first", [False, True])
def test_decoder(is_first):
    case = CASES[f"decoder, norm {'first' if is_first else 'last'}"]
    layer = nn.TransformerDecoder(2, 2, 5, dropout=0.0, is_norm_first=is_first)
    golden.check(layer, case, case["memory"], memory_key_mask=case["memory_key_mask"])
