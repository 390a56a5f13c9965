"""A seeded generator of small random graphs over elementwise, reduction, shape and product cards."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

import septet.ops  # noqa: F401  (registration)
from septet.base import dtypes
from septet.base.errors import SeptetError
from septet.graph.graph import Graph
from septet.graph.node import Node, symbol
from septet.graph.op import as_node, ops
from septet.graph.types import tensor_type

UNARY = (
    "negative", "exp", "log", "sqrt", "square", "abs", "tanh", "sigmoid", "sin", "cos", "softplus", "expm1", "log1p",
    "reciprocal", "floor", "sign", "conj", "stop_gradient", "atan", "round", "positive",
)  # fmt: skip
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "logaddexp", "hypot")
COMPARE = ("less", "greater_equal", "equal", "not_equal")
REDUCE = ("sum", "mean", "max", "min", "prod", "logsumexp")
NUMBERS = (0.0, 1.0, -1.0, 2.0, 0.5, -0.0, 4.0, 3.0)
FORMS = (
    lambda x: ops.log(ops.exp(x)), lambda x: 1 / (1 + ops.exp(-x)), lambda x: ops.log(1 + ops.exp(x)),
    lambda x: ops.exp(x) - 1, lambda x: ops.log(1 - ops.sigmoid(x)), lambda x: x + 0.0, lambda x: x * 1.0,
    lambda x: x - (-x), lambda x: ops.sqrt(x * x), lambda x: x**2, lambda x: ops.where(x > 0, x, x),
    lambda x: ops.cast(ops.cast(x, dtype="float32"), dtype="float64"),
)  # fmt: skip
SMALL = (2, 3)


def shapes(sizes: tuple[int, int]) -> tuple[tuple[int, ...], ...]:
    """The shapes of inputs, made of two sizes."""
    a, b = sizes
    return ((), (b,), (a, b), (a, 1), (1, b), (b, a), (0, b), (1,))


def random_graph(
    seed: int, sizes: tuple[int, int] = SMALL, dtype: dtypes.DType = dtypes.float64
) -> tuple[Graph, list[np.ndarray]]:
    """Return a random graph of 3 to 12 ops and values for its inputs.

    Parameters
    ----------
    seed : int
    sizes : (int, int)
        Of which shapes are made; no result has more than some thousand times their product.
    dtype : dtype
        Of the inputs.
    """
    most = 64 if sizes == SMALL else 40 * sizes[0] * sizes[1]
    dice = random.Random(seed)
    numbers = np.random.default_rng(seed)
    inputs, arrays = [], []
    for index in range(dice.randint(1, 3)):
        shape = dice.choice(shapes(sizes))
        inputs.append(symbol(tensor_type(dtype, shape), f"x{index}"))
        values = numbers.uniform(-2, 2, shape)
        if dice.random() < 0.3:  # some round numbers, where the functions have their corners
            values = np.round(values)
        arrays.append(np.asarray(values, dtype))
    nodes: list[Node] = list(inputs)
    wanted = dice.randint(3, 12)
    for _ in range(60):
        if len(nodes) - len(inputs) >= wanted:
            break
        try:
            node = _step(dice, nodes, sizes)
        except SeptetError:
            continue
        size = node.type.size
        if size is not None and size <= most:
            nodes.append(node)
    outputs = [dice.choice(nodes[len(inputs) :] or nodes) for _ in range(dice.randint(1, 3))]
    return Graph(inputs, [nodes[-1], *outputs], name=f"random {seed}"), arrays


def _step(dice: random.Random, nodes: list[Node], sizes: tuple[int, int]) -> Node:
    """Apply one random op; raises a SeptetError where the shapes do not fit."""
    x = _pick(dice, nodes)
    kind = dice.random()
    if kind < 0.25:
        return getattr(ops, dice.choice(UNARY))(x)
    if kind < 0.50:
        other: Any = as_node(dice.choice(NUMBERS), x.dtype) if dice.random() < 0.35 else _pick(dice, nodes)
        pair = (x, other) if dice.random() < 0.6 else (other, x)
        return getattr(ops, dice.choice(BINARY))(*pair)
    if kind < 0.60:
        return dice.choice(FORMS)(x)
    if kind < 0.67:
        condition = getattr(ops, dice.choice(COMPARE))(x, _pick(dice, nodes))
        if dice.random() < 0.3:
            condition = ops.logical_not(condition)
        return ops.where(condition, _pick(dice, nodes), _pick(dice, nodes))
    if kind < 0.80:
        axes = tuple(axis for axis in range(x.ndim) if dice.random() < 0.6)
        return getattr(ops, dice.choice(REDUCE))(x, axis=axes, keepdims=dice.random() < 0.5)
    if kind < 0.86:
        axes = list(range(x.ndim))
        dice.shuffle(axes)
        return ops.transpose(x, axes=tuple(axes))
    if kind < 0.92:
        return ops.broadcast_to(x, shape=(*[dice.choice((1, sizes[0]))] * dice.randint(0, 1), *_grown(dice, x, sizes)))
    if kind < 0.96:
        return ops.reshape(x, shape=_reshaped(dice, x))
    y = _pick(dice, nodes)
    return ops.dot_general(x, y, contracting=((x.ndim - 1,), (0,)))


def _pick(dice: random.Random, nodes: list[Node]) -> Node:
    """Choose a node, recent ones more often, so that graphs become deep."""
    return nodes[max(dice.randrange(len(nodes)), dice.randrange(len(nodes)))]


def _grown(dice: random.Random, x: Node, sizes: tuple[int, int]) -> tuple[int, ...]:
    return tuple(dice.choice((1, *sizes)) if size == 1 else int(size or 0) for size in x.shape)


def _reshaped(dice: random.Random, x: Node) -> tuple[int, ...]:
    size = int(x.type.size or 0)
    forms = [(size,), (1, size), (size, 1)]
    if size % 2 == 0:
        forms.append((2, size // 2))
    return dice.choice(forms)
