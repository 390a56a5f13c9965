"""Activations."""

from __future__ import annotations

import math
from typing import Any

from septet.base.errors import ArgumentError
from septet.graph.node import Node
from septet.graph.op import as_node, function, ops
from septet.ops.gradient import stop_gradient


@function(methods=["relu"])
def relu(x: Any) -> Node:
    """Return max(x, 0); NaN stays NaN, and the gradient at 0 is 0."""
    x = as_node(x)
    zero = as_node(0, x.dtype)
    return ops.where(ops.less_equal(x, zero), zero, x)


@function()
def leaky_relu(x: Any, slope: float = 0.01) -> Node:
    """Return x where it is positive, else slope * x."""
    x = as_node(x)
    return ops.where(ops.greater(x, as_node(0, x.dtype)), x, x * slope)


@function()
def relu6(x: Any) -> Node:
    """Return min(max(x, 0), 6)."""
    return ops.minimum(relu(x), as_node(6, as_node(x).dtype))


@function()
def elu(x: Any, alpha: float = 1.0) -> Node:
    """Return x where it is positive, else alpha * (exp(x) - 1) (Clevert et al. 2016)."""
    x = as_node(x)
    zero = as_node(0, x.dtype)
    is_positive = ops.greater(x, zero)
    return ops.where(is_positive, x, ops.expm1(ops.where(is_positive, zero, x)) * alpha)


@function()
def selu(x: Any) -> Node:
    """Return the self-normalizing exponential unit (Klambauer et al. 2017, equation 2)."""
    return elu(x, 1.6732632423543772) * 1.0507009873554805


@function("swish")
def silu(x: Any) -> Node:
    """Return x * sigmoid(x)."""
    x = as_node(x)
    return x * ops.sigmoid(x)


@function()
def mish(x: Any) -> Node:
    """Return x * tanh(softplus(x)) (Misra 2019)."""
    x = as_node(x)
    return x * ops.tanh(ops.softplus(x))


@function()
def gelu(x: Any, approximate: bool = False) -> Node:
    """Return x times the normal distribution function of x (Hendrycks & Gimpel 2016).

    Parameters
    ----------
    x : tensor
    approximate : bool
        Use the paper's tanh approximation.
    """
    x = as_node(x)
    if approximate:
        inner = (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)
        return x * (ops.tanh(inner) + 1) * 0.5
    return x * (ops.erf(x * math.sqrt(0.5)) + 1) * 0.5


@function()
def hard_sigmoid(x: Any) -> Node:
    """Return min(max(x / 6 + 1/2, 0), 1)."""
    x = as_node(x)
    return ops.minimum(ops.maximum(x / 6 + 0.5, as_node(0.0, x.dtype)), as_node(1.0, x.dtype))


@function()
def softsign(x: Any) -> Node:
    """Return x / (1 + |x|)."""
    x = as_node(x)
    return x / (ops.abs(x) + 1)


def _shifted(x: Node, axis: Any) -> Node:
    """Subtract the largest element, where that is finite."""
    top = ops.max(x, axis=axis, keepdims=True)
    top = ops.where(ops.isfinite(top), top, as_node(0, x.dtype))
    return x - stop_gradient(top)


def _check_float(name: str, x: Node) -> Node:
    if x.dtype.kind == "c":
        raise ArgumentError(f"{name} takes real tensors, got {x.dtype.name}")
    return ops.cast(x, dtype=float) if x.dtype.kind in "biu" else x


@function(methods=["softmax"])
def softmax(x: Any, axis: Any = -1) -> Node:
    """Return exp(x) / sum(exp(x)) along an axis, without overflow.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int
    """
    x = _check_float("softmax", as_node(x))
    e = ops.exp(_shifted(x, axis))
    return e / ops.sum(e, axis=axis, keepdims=True)


@function(methods=["log_softmax"])
def log_softmax(x: Any, axis: Any = -1) -> Node:
    """Return log(softmax(x)) along an axis, without overflow or underflow.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int
    """
    x = _shifted(_check_float("log_softmax", as_node(x)), axis)
    return x - ops.log(ops.sum(ops.exp(x), axis=axis, keepdims=True))
