"""Activations as layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.graph.node import Node
from septet.graph.op import ops
from septet.nn.module import Module
from septet.ops.composite import activations
from septet.tensor.tensor import Tensor


class Activation(Module):
    """Apply a function element by element (or, for softmax, along an axis)."""

    function: Callable[..., Node]

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.arguments = arguments

    def forward(self, x: Tensor) -> Tensor:
        """Apply the function."""
        return Tensor(type(self).function(x.node, **self.arguments))


def _layer(name: str, function: Callable[..., Node], text: str) -> type[Activation]:
    return type(name, (Activation,), {"function": staticmethod(function), "__doc__": text, "__module__": __name__})


ReLU = _layer("ReLU", activations.relu, "Apply max(x, 0).")
LeakyReLU = _layer("LeakyReLU", activations.leaky_relu, "Apply x or slope * x, see `leaky_relu`.")
ELU = _layer("ELU", activations.elu, "Apply the exponential linear unit, see `elu`.")
SELU = _layer("SELU", activations.selu, "Apply the self-normalizing unit, see `selu`.")
GELU = _layer("GELU", activations.gelu, "Apply the Gaussian error linear unit, see `gelu`.")
SiLU = _layer("SiLU", activations.silu, "Apply x * sigmoid(x).")
Sigmoid = _layer("Sigmoid", lambda x: ops.sigmoid(x), "Apply the logistic function.")
Tanh = _layer("Tanh", lambda x: ops.tanh(x), "Apply the hyperbolic tangent.")
Softplus = _layer("Softplus", lambda x: ops.softplus(x), "Apply log(1 + exp(x)).")
Softmax = _layer("Softmax", activations.softmax, "Apply softmax along an axis (the last, by default).")
LogSoftmax = _layer("LogSoftmax", activations.log_softmax, "Apply log-softmax along an axis (the last, by default).")
