"""Make the golden values of attention, transformers and decoders: what PyTorch and Keras compute, forward and backward.

Each framework writes one file, tests/golden/sequences/FRAMEWORK-attention.npz; `golden` says what is in it. What
neither has (heads that share keys and rotate, attention over a memory with learned scores, recurrent decoders) is
written out here from the papers, step by step.

Usage: python tools/make_golden_attention.py torch     (with PyTorch installed; likewise `keras`)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from golden import RNG, Arrays, draw, gates, randomize, record_keras, record_torch, take, write

B, T, S, C = 2, 4, 3, 4
KEY_MASK = np.array([[True, True, False], [True, True, True]])
STEP_MASK = np.array([[True, True, True, False], [True, True, True, True]])


def some(*shape: int) -> np.ndarray:
    """Return a mask that lets every query look at the first key at least."""
    mask = RNG.random(shape) < 0.6
    mask[..., 0] = True
    return mask


# PyTorch's own attention and transformers


def attention_weights(prefix: str, module: Any, kind: str, is_packed: bool) -> Arrays:
    """Return weights, or gradients, of torch.nn.MultiheadAttention under Septet's paths."""
    if module.in_proj_weight is not None:
        kernels = list(take(module.in_proj_weight, kind).reshape(3, -1, module.embed_dim))
    else:
        kernels = [take(getattr(module, f"{part}_proj_weight"), kind) for part in "qkv"]
    biases = list(take(module.in_proj_bias, kind).reshape(3, -1))
    if is_packed:
        found = {"projection.kernel": np.concatenate(kernels).T, "projection.bias": np.concatenate(biases)}
    else:
        found = {}
        for part, kernel, bias in zip(("query", "key", "value"), kernels, biases, strict=True):
            found |= {f"{part}.kernel": kernel.T, f"{part}.bias": bias}
    found |= {"output.kernel": take(module.out_proj.weight, kind).T, "output.bias": take(module.out_proj.bias, kind)}
    return {prefix + key: array for key, array in found.items()}


def transformer_weights(layer: Any, kind: str) -> Arrays:
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


def stack_weights(stack: Any, kind: str) -> Arrays:
    """Return weights, or gradients, of PyTorch's encoder or decoder under Septet's paths."""
    found = {}
    for number, block in enumerate(stack.layers):
        found |= {f"blocks.{number}.{path}": array for path, array in transformer_weights(block, kind).items()}
    if stack.norm is not None:
        found |= {"norm.scale": take(stack.norm.weight, kind), "norm.shift": take(stack.norm.bias, kind)}
    return found


def torch_attention(values: Arrays) -> None:
    import torch

    module = randomize(torch.nn.MultiheadAttention(C, 2, kdim=5, vdim=3, batch_first=True))
    record_torch(
        values, "attention across",
        lambda x, key, value, mask, key_mask: module(
            x, key, value, ~key_mask, attn_mask=~mask, average_attn_weights=False
        ),
        lambda kind: attention_weights("", module, kind, False),
        x=draw(B, T, C), key=draw(B, S, 5), value=draw(B, S, 3), mask=some(T, S), key_mask=KEY_MASK,
    )  # fmt: skip
    packed = randomize(torch.nn.MultiheadAttention(C, 2, batch_first=True))
    hidden = torch.ones(T, T, dtype=torch.bool).triu(1)
    record_torch(
        values, "attention with numbers as mask",
        lambda x, mask: packed(x, x, x, attn_mask=mask.masked_fill(hidden, -torch.inf).flatten(0, 1))[0],
        lambda kind: attention_weights("", packed, kind, True), x=draw(B, T, C), mask=draw(B, 2, T, T),
    )  # fmt: skip


def torch_transformers(values: Arrays) -> None:
    import torch

    causal = torch.ones(T, T, dtype=torch.bool).triu(1)
    for is_first in (False, True):
        order, activation = ("first", "gelu") if is_first else ("last", "relu")
        words = {"batch_first": True, "norm_first": is_first}
        layer = torch.nn.TransformerEncoderLayer(C, 2, 5, 0.0, activation, **words)
        encoder = torch.nn.TransformerEncoder(
            layer, 2, torch.nn.LayerNorm(C) if is_first else None, enable_nested_tensor=False
        )
        randomize(layer), randomize(encoder)
        record_torch(
            values, f"encoder layer, norm {order}", lambda x, layer=layer: layer(x, causal),
            lambda kind, layer=layer: transformer_weights(layer, kind), x=draw(B, T, C),
        )  # fmt: skip
        record_torch(
            values, f"encoder, norm {order}",
            lambda x, mask, key_mask, encoder=encoder: encoder(x, ~mask, src_key_padding_mask=~key_mask),
            lambda kind, encoder=encoder: stack_weights(encoder, kind),
            x=draw(B, T, C), mask=some(T, T), key_mask=STEP_MASK,
        )  # fmt: skip
        block = torch.nn.TransformerDecoderLayer(C, 2, 5, 0.0, activation, **words)
        decoder = torch.nn.TransformerDecoder(block, 2, torch.nn.LayerNorm(C) if is_first else None)
        randomize(block), randomize(decoder)
        record_torch(
            values, f"decoder layer, norm {order}",
            lambda x, memory, mask, key_mask, memory_mask, memory_key_mask, block=block: block(
                x, memory, ~mask | causal, ~memory_mask, ~key_mask, ~memory_key_mask
            ),
            lambda kind, block=block: transformer_weights(block, kind), x=draw(B, T, C), memory=draw(B, S, C),
            mask=some(T, T), key_mask=STEP_MASK, memory_mask=some(T, S), memory_key_mask=KEY_MASK,
        )  # fmt: skip
        record_torch(
            values, f"decoder, norm {order}",
            lambda x, memory, memory_key_mask, decoder=decoder: decoder(
                x, memory, causal, memory_key_padding_mask=~memory_key_mask
            ),
            lambda kind, decoder=decoder: stack_weights(decoder, kind), x=draw(B, T, C), memory=draw(B, S, C),
            memory_key_mask=KEY_MASK,
        )  # fmt: skip


# What PyTorch lacks


def rotate(x: Any, base: float) -> Any:
    """Equation 34 of Su et al., 2021, as products with complex numbers: feature i and feature i + D / 2 are a pair."""
    import torch

    half = x.shape[-1] // 2
    turns = torch.outer(torch.arange(x.shape[-2]).double(), base ** -(torch.arange(half) / half))
    turned = torch.complex(*x.split(half, -1)) * torch.polar(torch.ones_like(turns), turns)
    return torch.cat([turned.real, turned.imag], -1)


def grouped(
    x: Any, memory: Any, weights: dict[str, Any], size: int, hidden: Any = False, base: float | None = 100.0
) -> Any:  # fmt: skip
    """Let four heads share two keys, without biases, head by head.

    Parameters
    ----------
    x, memory : Tensor
    weights : dict
        The kernels of query, key, value and output.
    size : int
        Of a query and a key in a head.
    hidden : Tensor of bool, (B, 4, T, S), optional
    base : float, optional
        By which queries and keys rotate.
    """
    import torch

    queries, keys = (x @ weights["query"]).split(size, -1), (memory @ weights["key"]).split(size, -1)
    if base is not None:
        queries, keys = ([rotate(part, base) for part in parts] for parts in (queries, keys))
    values = (memory @ weights["value"]).chunk(2, -1)
    hidden = torch.as_tensor(hidden).expand(len(x), 4, x.shape[1], memory.shape[1])
    found = []
    for head, query in enumerate(queries):
        scores = (query @ keys[head // 2].mT / size**0.5).masked_fill(hidden[:, head], -torch.inf)
        found.append(scores.softmax(-1) @ values[head // 2])
    return torch.cat(found, -1) @ weights["output"]


def kernels(query: int, memory: int, size: int, value_size: int, units: int) -> dict[str, Any]:
    """Return the weights of `grouped`."""
    import torch

    shapes = {"query": (query, 4 * size), "key": (memory, 2 * size), "value": (memory, 2 * value_size)}
    shapes["output"] = (4 * value_size, units)
    return {part: torch.nn.Parameter(torch.tensor(0.5 * draw(*shape)).double()) for part, shape in shapes.items()}


def packed_kernels(weights: dict[str, Any], kind: str) -> Arrays:
    """Return weights of `grouped`, or their gradients, as a packed layer has them."""
    parts = {part: take(weight, kind) for part, weight in weights.items()}
    joined = np.concatenate([parts[part] for part in ("query", "key", "value")], 1)
    return {"attention.projection.kernel": joined, "attention.output.kernel": parts["output"]}


def torch_groups(values: Arrays) -> None:
    """Record heads in groups: attention by itself, and in layers that normalize first and have no biases."""
    import torch

    causal = torch.ones(T, T, dtype=torch.bool).triu(1)
    weights = kernels(C, C, 4, 3, 5)
    record_torch(
        values, "attention in groups that rotates",
        lambda x, mask, key_mask: grouped(x, x, weights, 4, causal | ~key_mask[:, None, None] | ~mask),
        lambda kind: {f"{part}.kernel": take(weight, kind) for part, weight in weights.items()}, x=draw(B, T, C),
        mask=some(B, 4, T, T), key_mask=STEP_MASK,
    )  # fmt: skip
    width, memory_width = 8, 6
    own, other = kernels(width, width, 2, 2, width), kernels(width, memory_width, 2, 2, width)
    norms = {
        f"{name}_norm": randomize(torch.nn.LayerNorm(width, 1e-3)) for name in ("attention", "memory", "feed_forward")
    }
    expand, contract = (randomize(torch.nn.Linear(*sizes, bias=False)) for sizes in ((width, 5), (5, width)))

    def layer(x: Any, memory: Any = None) -> Any:
        y = norms["attention_norm"](x)
        x = x + grouped(y, y, own, 2, causal)
        if memory is not None:
            x = x + grouped(norms["memory_norm"](x), memory, other, 2, base=None)
        return x + contract(expand(norms["feed_forward_norm"](x)).relu())

    def weights_of(kind: str, has_memory: bool) -> Arrays:
        found = packed_kernels(own, kind)
        if has_memory:
            found |= {f"memory_attention.{part}.kernel": take(weight, kind) for part, weight in other.items()}
        for name, norm in norms.items():
            if has_memory or name != "memory_norm":
                found |= {f"{name}.scale": take(norm.weight, kind), f"{name}.shift": take(norm.bias, kind)}
        for name, dense in (("expand", expand), ("contract", contract)):
            found[f"feed_forward.{name}.kernel"] = take(dense.weight, kind).T
        return found

    def record(name: str, **inputs: np.ndarray) -> None:
        for parameter in (*own.values(), *other.values(), *(p for norm in norms.values() for p in norm.parameters())):
            parameter.grad = None
        expand.weight.grad = contract.weight.grad = None
        record_torch(values, name, layer, lambda kind: weights_of(kind, "memory" in inputs), **inputs)

    record("encoder layer in groups that rotates", x=draw(B, T, width))
    record("decoder layer in groups that rotates", x=draw(B, T, width), memory=draw(B, S, memory_width))


class Scores:
    """Attention over a memory, for one query of each example; the parameters are under Septet's names.

    Additive: section A.1.2 of Bahdanau et al., 2015. General, dot and scaled: section 3.1 of Luong et al., 2015.
    """

    def __init__(self, kind: str, query: int, memory: int, units: int = 5, has_bias: bool = True) -> None:
        import torch

        shapes: dict[str, tuple[int, ...]] = {"general": {"kernel": (query, memory)}}.get(kind, {})
        if kind == "additive":
            shapes = {"query_kernel": (query, units), "memory_kernel": (memory, units), "score": (units,)}
            shapes |= {"bias": (units,)} if has_bias else {}
        self.kind, self.memory = kind, memory
        self.weights = {name: torch.nn.Parameter(torch.tensor(draw(*shape)).double()) for name, shape in shapes.items()}

    def __call__(self, query: Any, memory: Any, mask: Any = None) -> tuple[Any, Any]:
        import torch

        w, scores = self.weights, []
        for state in memory.unbind(1):  # (B, M)
            if self.kind == "additive":
                hidden = query @ w["query_kernel"] + state @ w["memory_kernel"] + w.get("bias", 0.0)
                scores.append(torch.tanh(hidden) @ w["score"])
            else:
                seen = query @ w["kernel"] if self.kind == "general" else query
                scores.append((seen * state).sum(-1) / (self.memory**0.5 if self.kind == "scaled" else 1))
        found = torch.stack(scores, -1)
        weights = (found if mask is None else found.masked_fill(~mask, -torch.inf)).softmax(-1)
        return (weights[..., None] * memory).sum(1), weights

    def many(self, x: Any, memory: Any, mask: Any = None) -> tuple[Any, Any]:
        """Return means and weights for the queries of all steps."""
        import torch

        found = [self(query, memory, mask) for query in x.unbind(1)]
        return torch.stack([mean for mean, _ in found], 1), torch.stack([weights for _, weights in found], 1)

    def of(self, kind: str, prefix: str = "") -> Arrays:
        """Return parameters or gradients."""
        return {prefix + name: take(weight, kind) for name, weight in self.weights.items()}


def torch_scores(values: Arrays) -> None:
    for kind, query, memory in (("additive", 4, 5), ("general", 4, 5), ("dot", 5, 5), ("scaled", 5, 5)):
        scores = Scores(kind, query, memory)
        record_torch(
            values, f"{kind} scores", scores.many, scores.of, x=draw(B, T, query), memory=draw(B, S, memory),
            mask=KEY_MASK,
        )  # fmt: skip
    scores = Scores("additive", 4, 5, has_bias=False)
    record_torch(
        values,
        "additive scores of one query, no bias",
        lambda x, memory: scores(x, memory),
        scores.of,
        x=draw(B, 4),
        memory=draw(B, S, 5),
    )


def cell_weights(cell: Any, kind: str) -> Arrays:
    """Return weights, or gradients, of torch.nn.GRUCell or LSTMCell under the paths of a decoder that is a child."""
    is_gru = hasattr(cell, "weight_ih") and cell.weight_ih.shape[0] == 3 * cell.hidden_size
    order = (1, 0, 2) if is_gru else (0, 1, 2, 3)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    kernel, recurrent, bias, recurrent_bias = (gates(take(getattr(cell, name), kind).T, order) for name in names)
    if is_gru:
        found = {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias, "recurrent_bias": recurrent_bias}
    else:  # only the sum of the two biases matters
        found = {"kernel": kernel, "recurrent_kernel": recurrent}
        found["bias"] = bias + recurrent_bias if kind == "w" else bias
    return {f"decoder.cell.{path}": array for path, array in found.items()}


def torch_recurrent_decoders(values: Arrays) -> None:
    """Record decoders with "input feeding" of what is found before a step (Bahdanau) or after it (Luong)."""
    import torch

    size, width, units = 3, 5, 4
    gru, own = randomize(torch.nn.GRUCell(size + width, units)), Scores("additive", units, width)

    def before(x: Any, memory: Any, hidden: Any, memory_mask: Any) -> Any:
        outputs = []
        for now in x.unbind(1):
            found, _ = own(hidden, memory, memory_mask)
            hidden = gru(torch.cat([now, found], -1), hidden)
            outputs.append(torch.cat([hidden, found], -1))
        return torch.stack(outputs, 1), hidden, found

    record_torch(
        values, "recurrent decoder, before", before,
        lambda kind: cell_weights(gru, kind) | own.of(kind, "decoder.attention."), x=draw(B, T, size),
        memory=draw(B, S, width), hidden=draw(B, units), memory_mask=KEY_MASK,
    )  # fmt: skip
    lstm = randomize(torch.nn.LSTMCell(size + units, units))
    mix = randomize(torch.nn.Linear(units + width, units, bias=False))
    general = Scores("general", units, width)

    def after(x: Any, memory: Any, hidden: Any, cell: Any, found: Any, memory_mask: Any) -> Any:
        outputs = []
        for now in x.unbind(1):
            hidden, cell = lstm(torch.cat([now, found], -1), (hidden, cell))
            found = torch.tanh(mix(torch.cat([hidden, general(hidden, memory, memory_mask)[0]], -1)))
            outputs.append(found)
        return torch.stack(outputs, 1), hidden, cell, found

    record_torch(
        values, "recurrent decoder, after", after,
        lambda kind: cell_weights(lstm, kind) | general.of(kind, "decoder.attention.")
        | {"decoder.output.kernel": take(mix.weight, kind).T},
        x=draw(B, T, size), memory=draw(B, S, width), hidden=draw(B, units), cell=draw(B, units),
        found=draw(B, units), memory_mask=KEY_MASK,
    )  # fmt: skip


# Keras


def joined(path: str, array: np.ndarray) -> np.ndarray:
    """Bring a kernel or bias of Keras, whose heads have an axis, into Septet's layout."""
    if path.startswith("output"):
        return array.reshape(-1, array.shape[-1]) if path.endswith("kernel") else array
    return array.reshape(array.shape[0], -1) if path.endswith("kernel") else array.ravel()


def keras_layers(values: Arrays) -> None:
    """Record layers of Keras."""
    from keras import layers

    parts = ("query", "key", "value", "output")
    heads = layers.MultiHeadAttention(2, 3, 2, use_bias=False, output_shape=5)
    record_keras(
        values, "attention of given sizes", heads, [f"{part}.kernel" for part in parts],
        lambda x, value, mask: heads(x, value, attention_mask=mask, return_attention_scores=True), move=joined,
        x=draw(B, T, C), value=draw(B, S, 6), mask=some(B, T, S),
    )  # fmt: skip
    groups = layers.GroupQueryAttention(3, 4, 2)
    record_keras(
        values, "attention in groups", groups, [f"{part}.{name}" for part in parts for name in ("kernel", "bias")],
        lambda x: groups(x, x, use_causal_mask=True), move=joined, x=draw(B, T, C),
    )  # fmt: skip
    dot = layers.Attention()
    record_keras(
        values, "dot scores", dot, [],
        lambda x, memory, mask: dot([x, memory], mask=[None, mask], return_attention_scores=True), x=draw(B, T, 5),
        memory=draw(B, S, 5), mask=KEY_MASK,
    )  # fmt: skip


if __name__ == "__main__":
    of_torch = [torch_attention, torch_transformers, torch_groups, torch_scores, torch_recurrent_decoders]
    write({"torch": of_torch, "keras": [keras_layers]}, "sequences/{}-attention")
