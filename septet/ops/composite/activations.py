"""Activations: functions of a tensor, element by element or along an axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.base.shapes import check_axis
from septet.base.text import did_you_mean
from septet.graph.node import Node
from septet.graph.op import as_node, cast_to, explain_call, function, get, imported_functions, ops
from septet.ops.checks import ensure
from septet.ops.gradient import stop_gradient
from septet.ops.keys import get_item
from septet.ops.shaping import reshape, size_of, sizes_of

ACTIVATIONS = (
    "relu", "leaky_relu", "relu6", "elu", "celu", "selu", "silu", "hard_silu", "mish", "gelu", "glu", "sigmoid",
    "hard_sigmoid", "log_sigmoid", "tanh", "hard_tanh", "softsign", "softplus", "squareplus", "hard_shrink",
    "soft_shrink", "tanh_shrink", "softmax", "log_softmax", "softmin", "sparsemax",
)  # fmt: skip
"""The names that layers and cells take for an activation."""


def activation_of(caller: str, activation: Any) -> Callable[[Node], Node]:
    """Return the function of nodes for a name, or the function itself; None is the identity.

    Raises
    ------
    ArgumentError
        If there is no activation of that name.
    """
    if activation is None:
        return lambda x: x
    if callable(activation):
        return activation
    if activation not in ACTIVATIONS:
        raise ArgumentError(
            f"{caller}: activation {activation!r} does not exist.{did_you_mean(str(activation), ACTIVATIONS)} "
            f"The activations are {', '.join(ACTIVATIONS)}, or any function"
        )
    published = imported_functions().get(activation)
    return get(activation) if published is None else published.call


def _real(name: str, x: Any) -> Node:
    """Refuse complex numbers."""
    x = as_node(x)
    if dtypes.is_complex(x.dtype):
        raise explain_call(DTypeError(f"takes real tensors, got {x.dtype.name}"), name, ("x",), (x,))
    return x


def _float(name: str, x: Any) -> Node:
    """Refuse complex numbers, and convert integers and booleans to the default float."""
    x = _real(name, x)
    return x if dtypes.is_float(x.dtype) else cast_to(x, dtypes.default_of_kind(dtypes.FLOAT))


# Rectifiers.


@function(methods=["relu"])
def relu(x: Any) -> Node:
    """Return max(x, 0); NaN stays NaN.

    Parameters
    ----------
    x : tensor

    Dtype
    -----
    That of `x`, integers too.

    Gradient
    --------
    0 at 0.

    Source
    ------
    Glorot, Bordes and Bengio, Deep sparse rectifier neural networks, 2011.
    """
    x = _real("relu", x)
    zero = as_node(0, x.dtype)
    return ops.where(ops.less_equal(x, zero), zero, x)


@function()
def relu6(x: Any) -> Node:
    """Return min(max(x, 0), 6).

    Parameters
    ----------
    x : tensor

    Source
    ------
    Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010.
    """
    x = relu(_real("relu6", x))
    return ops.minimum(x, as_node(6, x.dtype))


@function("prelu")
def leaky_relu(x: Any, slope: Any = 0.01) -> Node:
    """Return x where it is positive, else slope * x.

    Parameters
    ----------
    x : tensor
    slope : float or tensor
        A tensor broadcasts against `x`; a learned one makes this the parametric rectifier.

    Gradient
    --------
    The slope at 0.

    Source
    ------
    Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic models, 2013; He et al., Delving deep
    into rectifiers, 2015 (a learned slope).
    """
    x = _float("leaky_relu", x)
    return ops.where(ops.greater(x, as_node(0, x.dtype)), x, x * slope)


def _exponential(x: Node, alpha: float, width: float) -> Node:
    """x where it is positive, else alpha * (exp(x / width) - 1)."""
    zero = as_node(0, x.dtype)
    is_positive = ops.greater(x, zero)
    below = ops.where(is_positive, zero, x)  # exp of large numbers is not even computed: its gradient would be inf * 0
    return ops.where(is_positive, x, ops.expm1(below if width == 1 else below / width) * alpha)


@function()
def elu(x: Any, alpha: float = 1.0) -> Node:
    """Return x where it is positive, else alpha * (exp(x) - 1).

    Parameters
    ----------
    x : tensor
    alpha : float

    Source
    ------
    Clevert, Unterthiner and Hochreiter, Fast and accurate deep network learning by exponential linear units, 2016.
    """
    return _exponential(_float("elu", x), alpha, 1)


@function()
def celu(x: Any, alpha: float = 1.0) -> Node:
    """Return x where it is positive, else alpha * (exp(x / alpha) - 1), whose slope is 1 at 0 for every alpha.

    Parameters
    ----------
    x : tensor
    alpha : float
        Not 0.

    Source
    ------
    Barron, Continuously differentiable exponential linear units, 2017.
    """
    if alpha == 0:
        raise ArgumentError("celu: alpha must not be 0")
    return _exponential(_float("celu", x), alpha, alpha)


@function()
def selu(x: Any) -> Node:
    """Return the self-normalizing exponential unit: 1.0507 times `elu` with alpha 1.6733.

    Parameters
    ----------
    x : tensor

    Source
    ------
    Klambauer et al., Self-normalizing neural networks, 2017, equations 2 and 14.
    """
    return _exponential(_float("selu", x), 1.6732632423543772, 1) * 1.0507009873554805


# Smooth gates.


@function("swish")
def silu(x: Any) -> Node:
    """Return x * sigmoid(x).

    Parameters
    ----------
    x : tensor

    Source
    ------
    Elfwing, Uchibe and Doya, Sigmoid-weighted linear units, 2018.
    """
    x = _float("silu", x)
    return x * ops.sigmoid(x)


@function("hard_swish")
def hard_silu(x: Any) -> Node:
    """Return x * hard_sigmoid(x).

    Parameters
    ----------
    x : tensor

    Source
    ------
    Howard et al., Searching for MobileNetV3, 2019, section 5.2.
    """
    x = _float("hard_silu", x)
    return x * hard_sigmoid(x)


@function()
def mish(x: Any) -> Node:
    """Return x * tanh(softplus(x)).

    Parameters
    ----------
    x : tensor

    Source
    ------
    Misra, Mish: a self regularized non-monotonic activation function, 2019.
    """
    x = _float("mish", x)
    return x * ops.tanh(ops.softplus(x))


@function()
def gelu(x: Any, approximate: bool = False) -> Node:
    """Return x times the normal distribution function of x.

    Parameters
    ----------
    x : tensor
    approximate : bool
        Use the paper's approximation by tanh.

    Source
    ------
    Hendrycks and Gimpel, Gaussian error linear units, 2016.
    """
    x = _float("gelu", x)
    if approximate:
        inner = (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)
        return x * (ops.tanh(inner) + 1) * 0.5
    return x * (ops.erf(x * math.sqrt(0.5)) + 1) * 0.5


@function()
def glu(x: Any, axis: int = -1) -> Node:
    """Return the first half of a tensor times the sigmoid of the second.

    Parameters
    ----------
    x : tensor
    axis : int
        The axis that is halved.

    Raises
    ------
    ShapeError
        If its size is odd.

    Source
    ------
    Dauphin et al., Language modeling with gated convolutional networks, 2017.
    """
    x = _float("glu", x)
    axis = _axis("glu", x, axis)
    size = x.shape[axis]
    if size is not None and size % 2:
        error = ShapeError(f"axis {axis} has size {size}, which cannot be halved", marks=[(0, axis)])
        raise explain_call(error, "glu", ("x",), (x,))
    middle = size // 2 if size is not None else ops.floor_divide(size_of(x, axis=axis), 2)
    before = (slice(None),) * axis
    values, gates = get_item(x, (*before, slice(None, middle))), get_item(x, (*before, slice(middle, None)))
    return values * ops.sigmoid(ensure(gates, sizes_of(values), "glu"))


def _axis(name: str, x: Node, axis: Any) -> int:
    """Return an axis counted from the front."""
    try:
        return check_axis(axis, x.ndim)
    except ArgumentError as error:
        raise explain_call(error, name, ("x",), (x,)) from None


# Bounded ones.


@function()
def hard_sigmoid(x: Any) -> Node:
    """Return min(max(x / 6 + 1/2, 0), 1).

    Parameters
    ----------
    x : tensor
    """
    x = _float("hard_sigmoid", x)
    return _between(x / 6 + 0.5, 0.0, 1.0)


@function()
def hard_tanh(x: Any, low: float = -1.0, high: float = 1.0) -> Node:
    """Return min(max(x, low), high).

    Parameters
    ----------
    x : tensor
    low, high : float

    Raises
    ------
    ArgumentError
        If `low` is not below `high`.
    """
    if not low < high:
        raise ArgumentError(f"hard_tanh: low must be below high, got {low!r} and {high!r}")
    return _between(_float("hard_tanh", x), low, high)


def _between(x: Node, low: float, high: float) -> Node:
    return ops.minimum(ops.maximum(x, as_node(low, x.dtype)), as_node(high, x.dtype))


@function()
def softsign(x: Any) -> Node:
    """Return x / (1 + |x|).

    Parameters
    ----------
    x : tensor

    Source
    ------
    Bergstra et al., Quadratic polynomials learn better image features, 2009.
    """
    x = _float("softsign", x)
    return x / (ops.abs(x) + 1)


@function()
def squareplus(x: Any, b: float = 4.0) -> Node:
    """Return (x + sqrt(x * x + b)) / 2: like `softplus`, of arithmetic alone.

    Parameters
    ----------
    x : tensor
    b : float
        How wide the bend at 0 is; with 0 it is the rectifier.

    Source
    ------
    Barron, Squareplus: a softplus-like algebraic rectifier, 2021.
    """
    x = _float("squareplus", x)
    root = ops.sqrt(x * x + b)
    # the sum cancels for negative numbers; (root + x) / 2 = b / (2 (root - x))
    is_negative = ops.less(x, as_node(0, x.dtype))
    below = ops.where(is_negative, root - x, as_node(1, x.dtype))
    return ops.where(is_negative, as_node(0.5 * b, x.dtype) / below, (root + x) * 0.5)


# Thresholds.


@function()
def threshold(x: Any, limit: float, value: float) -> Node:
    """Return x where it is above a limit, else a value.

    Parameters
    ----------
    x : tensor
    limit, value : float
    """
    x = _real("threshold", x)
    return ops.where(ops.greater(x, as_node(limit, x.dtype)), x, as_node(value, x.dtype))


@function()
def hard_shrink(x: Any, limit: float = 0.5) -> Node:
    """Return x where its size is above a limit, else 0.

    Parameters
    ----------
    x : tensor
    limit : float
        Not negative.
    """
    x = _float("hard_shrink", x)
    limit = _check_limit("hard_shrink", limit)
    return ops.where(ops.greater(ops.abs(x), as_node(limit, x.dtype)), x, as_node(0, x.dtype))


@function()
def soft_shrink(x: Any, limit: float = 0.5) -> Node:
    """Return x, brought closer to 0 by a limit, and 0 where it would pass it.

    Parameters
    ----------
    x : tensor
    limit : float
        Not negative.
    """
    x = _float("soft_shrink", x)
    limit = _check_limit("soft_shrink", limit)
    return x - _between(x, -limit, limit)


def _check_limit(name: str, limit: float) -> float:
    if not limit >= 0:
        raise ArgumentError(f"{name}: limit must not be negative, got {limit!r}")
    return limit


@function()
def tanh_shrink(x: Any) -> Node:
    """Return x - tanh(x).

    Parameters
    ----------
    x : tensor
    """
    x = _float("tanh_shrink", x)
    return x - ops.tanh(x)


# Along an axis.


def _shifted(x: Node, axis: Any) -> Node:
    """Subtract the largest element, where that is finite."""
    top = ops.max(x, axis=axis, keepdims=True)
    top = ops.where(ops.isfinite(top), top, as_node(0, x.dtype))
    return x - stop_gradient(top)


@function(methods=["softmax"])
def softmax(x: Any, axis: Any = -1) -> Node:
    """Return exp(x) / sum(exp(x)) along an axis, without overflow.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int

    Source
    ------
    Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990.

    Examples
    --------
    >>> import septet as st
    >>> st.softmax(st.tensor([1000.0, 1000.0]))
    tensor([0.5, 0.5], dtype=float32)
    """
    x = _float("softmax", x)
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
    x = _shifted(_float("log_softmax", x), axis)
    return x - ops.log(ops.sum(ops.exp(x), axis=axis, keepdims=True))


@function()
def softmin(x: Any, axis: Any = -1) -> Node:
    """Return softmax(-x) along an axis.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int
    """
    return softmax(-_float("softmin", x), axis)


@function()
def sparsemax(x: Any, axis: int = -1) -> Node:
    """Return the probabilities nearest to x along an axis; unlike those of `softmax`, many are 0.

    Parameters
    ----------
    x : tensor
    axis : int

    Source
    ------
    Martins and Astudillo, From softmax to sparsemax, 2016, algorithm 1.
    """
    x = _float("sparsemax", x)
    axis = _axis("sparsemax", x, axis)
    falling = ops.sort(stop_gradient(x), axis=axis, descending=True)
    ones = ops.where(ops.isnan(falling), falling, as_node(1, x.dtype))  # NaN counts, so that it comes through
    rank = ops.cumulative_sum(ones, axis=axis)
    in_support = ops.greater(falling * rank + 1, ops.cumulative_sum(falling, axis=axis))
    count = ops.sum(ops.cast(in_support, dtype=x.dtype), axis=axis, keepdims=True)
    # the smallest element of the support; the sum over all from there on has a gradient, sorting needs none
    least = ops.min(ops.where(in_support, falling, as_node(float("inf"), x.dtype)), axis=axis, keepdims=True)
    total = ops.sum(ops.where(ops.greater_equal(x, least), x, as_node(0, x.dtype)), axis=axis, keepdims=True)
    shifted = x - (total - 1) / count
    return ops.maximum(shifted, as_node(0, x.dtype))


@function()
def maxout(x: Any, pieces: int, axis: int = -1) -> Node:
    """Return the largest of each `pieces` neighbours along an axis.

    Parameters
    ----------
    x : tensor
    pieces : int
    axis : int
        Its size is a multiple of `pieces`.

    Shape
    -----
    x (..., C, ...), result (..., C / pieces, ...).

    Raises
    ------
    ShapeError
        If the size is no multiple of `pieces`.

    Source
    ------
    Goodfellow et al., Maxout networks, 2013.
    """
    x = _real("maxout", x)
    if not isinstance(pieces, int) or isinstance(pieces, bool) or pieces < 1:
        raise ArgumentError(f"maxout: pieces must be a positive int, got {pieces!r}")
    axis = _axis("maxout", x, axis)
    sizes = sizes_of(x)
    size = x.shape[axis]
    if size is not None and size % pieces:
        error = ShapeError(f"axis {axis} has size {size}, no multiple of {pieces} pieces", marks=[(0, axis)])
        raise explain_call(error, "maxout", ("x",), (x,))
    groups = size // pieces if size is not None else ops.floor_divide(size_of(x, axis=axis), pieces)
    return ops.max(reshape(x, (*sizes[:axis], groups, pieces, *sizes[axis + 1 :])), axis=axis + 1)
