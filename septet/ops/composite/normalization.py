"""Normalizations as functions: the layers in `nn` hold the parameters."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.shapes import check_axes
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import as_node, explain_call, function, ops
from septet.ops.shaping import reshape, sizes_of, transpose
from septet.ops.windows import per_axis


@function()
def moments(x: Any, axis: Any = None, keepdims: bool = False) -> tuple[Node, Node]:
    """Return mean and (biased) variance over axes, in two passes for accuracy.

    Parameters
    ----------
    x : tensor of float
    axis : int, tuple of int or None
    keepdims : bool
    """
    x = as_node(x)
    axes = check_axes(axis, x.ndim)
    mean = ops.mean(x, axis=axes, keepdims=True)
    variance = ops.mean(ops.square(x - mean), axis=axes, keepdims=keepdims)
    return (mean if keepdims else ops.mean(x, axis=axes)), variance


@function()
def normalize(x: Any, mean: Any, variance: Any, scale: Any = None, shift: Any = None, epsilon: float = 1e-5) -> Node:
    """Return (x - mean) / sqrt(variance + epsilon) * scale + shift; all broadcast (Ioffe & Szegedy 2015).

    Parameters
    ----------
    x, mean, variance : tensor
    scale, shift : tensor, optional
    epsilon : float
    """
    x = as_node(x)
    y = (x - as_node(mean)) * ops.rsqrt(as_node(variance) + epsilon)
    if scale is not None:
        y = y * as_node(scale)
    return y if shift is None else y + as_node(shift)


@function()
def layer_norm(x: Any, scale: Any = None, shift: Any = None, axis: Any = -1, epsilon: float = 1e-5) -> Node:
    """Normalize over axes, by default the last (Ba et al. 2016).

    Parameters
    ----------
    x : tensor of float
    scale, shift : tensor, optional
        Of the sizes of the normalized axes.
    axis : int or tuple of int
    epsilon : float
    """
    x = as_node(x)
    mean, variance = moments(x, axis, keepdims=True)
    return normalize(x, mean, variance, scale, shift, epsilon)


@function()
def rms_norm(x: Any, scale: Any = None, axis: Any = -1, epsilon: float = 1e-6) -> Node:
    """Divide by the root mean square over axes (Zhang & Sennrich 2019)."""
    x = as_node(x)
    axes = check_axes(axis, x.ndim)
    y = x * ops.rsqrt(ops.mean(ops.square(x), axis=axes, keepdims=True) + epsilon)
    return y if scale is None else y * as_node(scale)


@function()
def group_norm(x: Any, groups: int, scale: Any = None, shift: Any = None, epsilon: float = 1e-5) -> Node:
    """Normalize each example over space and over the channels of a group.

    Parameters
    ----------
    x : tensor of float
    groups : int
        It divides the channels; with one group for each channel this is instance normalization.
    scale, shift : tensor (C,), optional
    epsilon : float

    Shape
    -----
    x (B, C, ...), result the same.

    Source
    ------
    Y. Wu, K. He, Group normalization, 2018.
    """
    x = as_node(x)
    groups = per_axis(groups, 1, "group_norm: groups")[0]
    channels = x.shape[1] if x.ndim > 1 else None
    if channels is None or channels % groups:
        error = ShapeError(
            f"takes (B, C, ...) with channels that groups={groups} divides, got shape {shape_text(x.shape)}"
        )
        raise explain_call(error, "group_norm", ("x",), (x,))
    sizes = sizes_of(x)
    split = reshape(x, (sizes[0], groups, channels // groups, *sizes[2:]))
    mean, variance = moments(split, tuple(range(2, split.ndim)), keepdims=True)
    y = reshape(normalize(split, mean, variance, epsilon=epsilon), sizes)
    own = (channels, *(1,) * (x.ndim - 2))
    if scale is not None:
        y = y * reshape(as_node(scale), own)
    return y if shift is None else y + reshape(as_node(shift), own)


@function()
def local_response_norm(x: Any, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Node:
    """Divide by a power of the mean square over neighbouring channels.

    Parameters
    ----------
    x : tensor of float
    size : int
        How many channels: `size` // 2 before and the rest after each.
    alpha, beta, k : float
        The result is ``x / (k + alpha * mean of squares) ** beta``, where missing neighbours count as 0.

    Shape
    -----
    x (B, C, ...), result the same.

    Source
    ------
    A. Krizhevsky, I. Sutskever, G. E. Hinton, ImageNet classification with deep convolutional neural networks, 2012,
    section 3.3, with alpha divided by the size as in Caffe and torch.nn.LocalResponseNorm.
    """
    x = as_node(x)
    size = per_axis(size, 1, "local_response_norm: size")[0]
    if x.ndim < 2:
        raise ArgumentError(f"local_response_norm: takes (B, C, ...), got shape {shape_text(x.shape)}")
    order = (*[axis for axis in range(x.ndim) if axis != 1], 1)  # the channels last
    back = (0, x.ndim - 1, *range(1, x.ndim - 1))
    squares = transpose(ops.square(x), axes=order)
    sums = ops.sum_pool(squares, window=(size,), stride=1, padding=((size // 2, (size - 1) // 2),))
    scaled = sums * (alpha / size)
    return x * ops.power(transpose(scaled, axes=back) + k, as_node(-beta, x.dtype))
