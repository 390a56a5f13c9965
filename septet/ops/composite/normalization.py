"""Normalizations as functions: the layers in `nn` hold the parameters."""

from __future__ import annotations

from typing import Any

from septet.base.shapes import check_axes
from septet.graph.node import Node
from septet.graph.op import as_node, function, ops


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
