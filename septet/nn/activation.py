"""Activations: as names that layers take, and as layers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from septet.base.errors import ArgumentError
from septet.base.text import did_you_mean
from septet.graph.node import Node
from septet.graph.op import get, imported_functions
from septet.nn.module import Module
from septet.ops.composite.activations import ACTIVATIONS
from septet.tensor.tensor import Tensor

NAMES = ACTIVATIONS
"""The functions that can be an activation."""


@functools.cache
def find(name: str) -> Callable[..., Node]:
    """Return the published function of nodes, or the card, with a name."""
    published = imported_functions().get(name)
    return get(name) if published is None else published.call


def call(name: str, x: Tensor, **words: Any) -> Tensor:
    """Apply a published function or a card to a tensor."""
    return Tensor(find(name)(x.node, **words))


def check(layer: str, activation: Any) -> Any:
    """Return an activation that exists: a name, a callable, or None."""
    if activation is None or callable(activation) or activation in NAMES:
        return activation
    raise ArgumentError(
        f"{layer}: activation {activation!r} does not exist.{did_you_mean(str(activation), NAMES)} "
        f"The activations are {', '.join(NAMES)}, or any function of a tensor"
    )


def apply(activation: Any, x: Tensor) -> Tensor:
    """Apply an activation that `check` returned."""
    if activation is None:
        return x
    return call(activation, x) if isinstance(activation, str) else activation(x)


class Activation(Module):
    """Apply a function: a name such as "relu", or any function of a tensor."""

    def __init__(self, activation: str | Callable[[Tensor], Tensor]) -> None:
        if activation is None:
            raise ArgumentError("Activation: needs a name or a function, got None")
        self.activation = check("Activation", activation)

    def forward(self, x: Tensor) -> Tensor:
        return apply(self.activation, x)

    def extra(self) -> str:
        return repr(self.activation)


class _Named(Module):
    """A layer that applies one function, with the layer's attributes as its parameters."""

    function = ""

    def forward(self, x: Tensor) -> Tensor:
        return call(self.function, x, **vars_of(self))

    def extra(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in vars_of(self).items())


def vars_of(layer: Module) -> dict[str, Any]:
    """Return the public attributes of a layer that were set on it."""
    return {name: value for name, value in vars(layer).items() if not name.startswith("_")}


class ReLU(_Named):
    """max(x, 0)."""

    function = "relu"


class LeakyReLU(_Named):
    """x where it is positive, else slope * x."""

    function = "leaky_relu"

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = float(slope)


class ELU(_Named):
    """x where it is positive, else alpha * (exp(x) - 1)."""

    function = "elu"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = float(alpha)


class SELU(_Named):
    """The self-normalizing exponential unit."""

    function = "selu"


class GELU(_Named):
    """x times the normal distribution function of x."""

    function = "gelu"

    def __init__(self, approximate: bool = False) -> None:
        self.approximate = bool(approximate)


class SiLU(_Named):
    """x * sigmoid(x)."""

    function = "silu"


class Mish(_Named):
    """x * tanh(softplus(x))."""

    function = "mish"


class Sigmoid(_Named):
    """1 / (1 + exp(-x))."""

    function = "sigmoid"


class Tanh(_Named):
    """The hyperbolic tangent."""

    function = "tanh"


class Softplus(_Named):
    """log(1 + exp(x))."""

    function = "softplus"


class Softmax(_Named):
    """exp(x) / sum(exp(x)) along an axis."""

    function = "softmax"

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis


class LogSoftmax(_Named):
    """log(softmax(x)) along an axis."""

    function = "log_softmax"

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis
