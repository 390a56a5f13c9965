"""Make the golden values of layers over time: what PyTorch and Keras compute from given weights, forward and backward.

Each framework writes one file, tests/golden/sequences/FRAMEWORK.npz. Weights are stored under the paths that they have
in Septet, and in its layout: kernels (inputs, outputs), the gates of a GRU in the order z, r, n. The loss is the sum of
the outputs times `CASE/seed`.

    CASE/x  CASE/lengths ...    inputs
    CASE/w/PATH                 weights
    CASE/y  CASE/seed           outputs, what they are multiplied by
    CASE/gx  CASE/g/PATH        gradients of inputs and weights

Usage: python tools/make_golden_sequences.py torch     (with PyTorch installed; likewise `keras`)
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "golden" / "sequences"
B, T, C, H = 2, 4, 3, 3
RNG = np.random.default_rng(7)


def draw(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def gates(matrix: np.ndarray, order: tuple[int, ...], axis: int = -1) -> np.ndarray:
    """Put the gates along an axis into another order."""
    parts = np.split(matrix, len(order), axis)
    return np.concatenate([parts[index] for index in order], axis)


# PyTorch


def torch_layer(name: str, values: dict[str, np.ndarray], module: Any, paths: list[str], lengths: Any = None) -> None:
    """Record torch.nn.RNN, LSTM or GRU; `paths` are Septet's layers, in PyTorch's order of layers and directions."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    x = torch.tensor(draw(B, T, C), requires_grad=True)
    if lengths is None:
        y, _ = module(x)
    else:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, _ = pad_packed_sequence(module(packed)[0], batch_first=True, total_length=T)
        values[f"{name}/lengths"] = np.array(lengths)
    seed = draw(*y.shape)
    (y * torch.tensor(seed)).sum().backward()
    values |= {f"{name}/x": x.detach().numpy(), f"{name}/y": y.detach().numpy(), f"{name}/seed": seed}
    values[f"{name}/gx"] = x.grad.numpy()
    is_gru = module.mode == "GRU"
    order = {"RNN_TANH": (0,), "LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2)}[module.mode]
    for path, weights in zip(paths, module.all_weights, strict=True):
        for kind in ("w", "g"):
            kernel, recurrent, bias, recurrent_bias = [
                gates((v.grad if kind == "g" else v.detach()).numpy().T, order) for v in weights
            ]
            if not is_gru:  # only the sum of the two biases matters
                bias = bias + recurrent_bias if kind == "w" else bias
            found = {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias}
            found |= {"recurrent_bias": recurrent_bias} if is_gru else {}
            values |= {f"{name}/{kind}/{path}.{key}": array for key, array in found.items()}


def attention_weights(prefix: str, module: Any, kind: str, is_packed: bool) -> dict[str, np.ndarray]:
    """Return weights, or gradients, of torch.nn.MultiheadAttention under Septet's paths."""
    found = {}
    if module.in_proj_weight is not None:
        kernels = list(take(module.in_proj_weight, kind).reshape(3, -1, module.embed_dim))
    else:
        kernels = [take(getattr(module, f"{part}_proj_weight"), kind) for part in "qkv"]
    biases = list(take(module.in_proj_bias, kind).reshape(3, -1))
    if is_packed:
        found = {"projection.kernel": np.concatenate(kernels).T, "projection.bias": np.concatenate(biases)}
    else:
        for part, kernel, bias in zip(("query", "key", "value"), kernels, biases, strict=True):
            found |= {f"{part}.kernel": kernel.T, f"{part}.bias": bias}
    found |= {"output.kernel": take(module.out_proj.weight, kind).T, "output.bias": take(module.out_proj.bias, kind)}
    return {prefix + key: array for key, array in found.items()}


def take(parameter: Any, kind: str) -> np.ndarray:
    """Return the gradient of a parameter (kind "g") or its value."""
    return (parameter.grad if kind == "g" else parameter.detach()).numpy()


def transformer_weights(layer: Any, kind: str) -> dict[str, np.ndarray]:
    """Return weights, or gradients, of a layer of PyTorch's encoder or decoder under Septet's paths."""
    found = attention_weights("attention.", layer.self_attn, kind, True)
    has_memory = hasattr(layer, "multihead_attn")
    norms = ["attention_norm", *(["memory_norm"] if has_memory else []), "feed_forward_norm"]
    if has_memory:
        found |= attention_weights("memory_attention.", layer.multihead_attn, kind, False)
    for number, name in enumerate(norms, 1):
        norm = getattr(layer, f"norm{number}")
        found |= {f"{name}.scale": take(norm.weight, kind), f"{name}.shift": take(norm.bias, kind)}
    for name, dense in (("expand", layer.linear1), ("contract", layer.linear2)):
        found[f"feed_forward.{name}.kernel"] = take(dense.weight, kind).T
        found[f"feed_forward.{name}.bias"] = take(dense.bias, kind)
    return found


def torch_attention(
    name: str, values: dict[str, np.ndarray], run: Any, weights_of: Any, shape: Any, **more: Any
) -> None:
    """Record attention: `run(x)` gives outputs, `weights_of(kind)` weights or gradients, `more` are further inputs."""
    import torch

    x = torch.tensor(draw(*shape), requires_grad=True)
    y = run(x)
    seed = draw(*y.shape)
    (y * torch.tensor(seed)).sum().backward()
    values |= {f"{name}/{key}": array for key, array in more.items()}
    values |= {f"{name}/x": x.detach().numpy(), f"{name}/y": y.detach().numpy(), f"{name}/seed": seed}
    values[f"{name}/gx"] = x.grad.numpy()
    for kind in ("w", "g"):
        values |= {f"{name}/{kind}/{path}": array for path, array in weights_of(kind).items()}


def torch_transformers(values: dict[str, np.ndarray]) -> None:
    import torch

    width, heads, hidden, places = 4, 2, 5, 3
    memory, keys = draw(B, places, 3), draw(B, places, 5)
    key_mask = np.array([[True, True, False], [True, True, True]])
    mask = RNG.random((T, places)) < 0.7
    mask[:, 0] = True
    module = torch.nn.MultiheadAttention(width, heads, kdim=5, vdim=3, batch_first=True)
    for bias in (module.in_proj_bias, module.out_proj.bias):
        torch.nn.init.normal_(bias)

    def across(x: Any) -> Any:
        padding, hidden_from = torch.tensor(~key_mask), torch.tensor(~mask)
        return module(x, torch.tensor(keys), torch.tensor(memory), padding, attn_mask=hidden_from)[0]

    torch_attention(
        "attention across", values, across, lambda kind: attention_weights("", module, kind, False), (B, T, width),
        key=keys, value=memory, key_mask=key_mask, mask=mask,
    )  # fmt: skip
    causal = torch.nn.Transformer.generate_square_subsequent_mask(T)
    for is_first in (False, True):
        layer = torch.nn.TransformerEncoderLayer(
            width, heads, hidden, 0.0, "gelu" if is_first else "relu", batch_first=True, norm_first=is_first
        )
        name = f"encoder layer, norm {'first' if is_first else 'last'}"
        torch_attention(
            name, values, lambda x, layer=layer: layer(x, causal, is_causal=True),
            lambda kind, layer=layer: transformer_weights(layer, kind), (B, T, width),
        )  # fmt: skip
    decoder = torch.nn.TransformerDecoderLayer(width, heads, hidden, 0.0, batch_first=True)
    states = draw(B, places, width)
    torch_attention(
        "decoder layer", values,
        lambda x: decoder(x, torch.tensor(states), causal, memory_key_padding_mask=torch.tensor(~key_mask)),
        lambda kind: transformer_weights(decoder, kind), (B, T, width), memory=states, memory_key_mask=key_mask,
    )  # fmt: skip


def torch_decoders(values: dict[str, np.ndarray]) -> None:
    """Record whole decoders, with a normalization at the end where their layers normalize first."""
    import torch

    width, places = 4, 3
    causal = torch.nn.Transformer.generate_square_subsequent_mask(T)
    key_mask = np.array([[True, True, True], [True, False, True]])
    for is_first in (False, True):
        layer = torch.nn.TransformerDecoderLayer(width, 2, 5, 0.0, batch_first=True, norm_first=is_first)
        norm = torch.nn.LayerNorm(width) if is_first else None
        decoder = torch.nn.TransformerDecoder(layer, 2, norm)
        for parameter in decoder.parameters():  # the layers begin as copies of each other
            torch.nn.init.normal_(parameter, std=0.5)
        memory = draw(B, places, width)

        def run(x: Any, decoder: Any = decoder, memory: Any = memory) -> Any:
            return decoder(x, torch.tensor(memory), causal, memory_key_padding_mask=torch.tensor(~key_mask))

        def weights_of(kind: str, decoder: Any = decoder) -> dict[str, np.ndarray]:
            found = {}
            for number, block in enumerate(decoder.layers):
                found |= {f"blocks.{number}.{path}": array for path, array in transformer_weights(block, kind).items()}
            if decoder.norm is not None:
                found |= {"norm.scale": take(decoder.norm.weight, kind), "norm.shift": take(decoder.norm.bias, kind)}
            return found

        torch_attention(
            f"decoder, norm {'first' if is_first else 'last'}", values, run, weights_of, (B, T, width), memory=memory,
            memory_key_mask=key_mask,
        )  # fmt: skip


def torch_ctc(values: dict[str, np.ndarray]) -> None:
    """Record losses without a reduction, and gradients of the logits of their sum; the second example is impossible."""
    import torch

    steps, classes, count = 6, 4, 3
    logits = torch.tensor(draw(4, steps, classes), requires_grad=True)
    labels = np.array([[1, 2, 2], [3, 3, 3], [2, 0, 0], [1, 1, 1]])
    lengths, label_lengths = np.array([6, 4, 5, 3]), np.array([3, 3, 1, 0])
    loss = torch.nn.functional.ctc_loss(
        logits.log_softmax(-1).transpose(0, 1), torch.tensor(labels), torch.tensor(lengths),
        torch.tensor(label_lengths), blank=0, reduction="none", zero_infinity=True,
    )  # fmt: skip
    seed = draw(4)
    (loss * torch.tensor(seed)).sum().backward()
    assert labels.shape == (4, count) and loss[1] == 0
    values |= {
        "ctc/x": logits.detach().numpy(), "ctc/labels": labels, "ctc/lengths": lengths,
        "ctc/label_lengths": label_lengths, "ctc/y": loss.detach().numpy(), "ctc/seed": seed,
        "ctc/gx": logits.grad.numpy(),
    }  # fmt: skip


def from_torch() -> dict[str, np.ndarray]:
    import torch

    torch.manual_seed(3)
    values: dict[str, np.ndarray] = {}
    two = ["cells.0", "cells.1"]
    both = ["layer.cells.0", "backward.cells.0"]
    torch_layer("rnn", values, torch.nn.RNN(C, H, batch_first=True), two[:1])
    torch_layer("lstm of two layers", values, torch.nn.LSTM(C, H, 2, batch_first=True), two, [4, 2])
    gru = torch.nn.GRU(C, H, batch_first=True, bidirectional=True)
    torch_layer("gru in both directions", values, gru, both, [3, 4])
    torch_transformers(values)
    torch_ctc(values)
    torch_decoders(values)
    return values


# Keras


def keras_layer(
    name: str, values: dict[str, np.ndarray], layer: Any, x: np.ndarray, mask: Any, paths: list[str]
) -> None:
    """Record a layer; `paths` are Septet's paths of its weights, in the order of `layer.weights`."""
    import tensorflow as tf

    given = tf.Variable(x)
    layer.build(x.shape)
    for weight in layer.weights:
        weight.assign(0.5 * draw(*weight.shape))
    with tf.GradientTape() as tape:
        y = layer(given) if mask is None else layer(given, mask=tf.constant(mask))
        seed = draw(*y.shape)
        loss = tf.reduce_sum(y * seed)
    gx, *gradients = tape.gradient(loss, [given, *[w.value for w in layer.weights]])
    values |= {f"{name}/x": x, f"{name}/y": y.numpy(), f"{name}/seed": seed, f"{name}/gx": gx.numpy()}
    if mask is not None:
        values[f"{name}/mask"] = mask
    for path, weight, gradient in zip(paths, layer.weights, gradients, strict=True):
        for kind, array in (("w", weight.numpy()), ("g", np.asarray(tf.convert_to_tensor(gradient)))):
            values[f"{name}/{kind}/{path}"] = array


def from_keras() -> dict[str, np.ndarray]:
    from keras import layers

    values: dict[str, np.ndarray] = {}
    mask = np.array([[True, True, False, True], [True, False, False, False]])
    names = ["cells.0.kernel", "cells.0.recurrent_kernel", "cells.0.bias"]
    keras_layer("lstm that holds", values, layers.LSTM(H, return_sequences=True), draw(B, T, C), mask, names)
    keras_layer("gru, reset before", values, layers.GRU(H, reset_after=False), draw(B, T, C), mask, names)
    keras_layer("rnn backwards", values, layers.SimpleRNN(H, go_backwards=True), draw(B, T, C), None, names)
    images = layers.ConvLSTM2D(2, 3, padding="same", strides=2, return_sequences=True)
    keras_layer("convolutional lstm", values, images, draw(B, 3, 5, 4, 2), None, names)
    lines = layers.ConvLSTM1D(2, 3, dilation_rate=2, return_sequences=True)
    keras_layer("convolutional lstm of lines", values, lines, draw(B, 3, 7, 2), None, names)
    volumes = layers.ConvLSTM3D(2, 2, padding="same", strides=2, return_sequences=True)
    keras_layer("convolutional lstm of volumes", values, volumes, draw(1, 3, 3, 4, 2, 2), None, names)
    return values


def main(framework: str) -> None:
    values = {"torch": from_torch, "keras": from_keras}[framework]()
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(FOLDER / f"{framework}.npz", **values)
    print(f"{framework}.npz: {len(values)} arrays, {(FOLDER / f'{framework}.npz').stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
