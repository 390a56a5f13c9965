"""Batch and layer normalization."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from septet.base.errors import ShapeError
from septet.graph.context import recording
from septet.graph.op import ops
from septet.nn.module import Module
from septet.ops.composite.normalization import layer_norm, moments, normalize
from septet.ops.shaping import reshape
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class BatchNorm(Module):
    """Normalize each channel by the batch's mean and variance; in evaluation by running ones (Ioffe & Szegedy 2015).

    Parameters
    ----------
    momentum : float
        How much of the running statistics stays at each batch.
    epsilon : float
    axis : int
        The axis of the channels.

    Shape
    -----
    (B, C, ...) -> (B, C, ...)
    """

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-5, axis: int = 1) -> None:
        super().__init__()
        self.momentum, self.epsilon, self.axis = momentum, epsilon, axis
        self.scale: Variable | None = None
        self.shift: Variable | None = None
        self.mean: Variable | None = None
        self.variance: Variable | None = None

    def build(self, *inputs: Tensor) -> None:
        """Create scale, shift and the running statistics, each (C,)."""
        size = inputs[0].type.shape[self.axis]
        if size is None:
            raise ShapeError(f"BatchNorm: the number of channels must be known, got {inputs[0].type!r}")
        self.scale = Variable(np.ones(size, np.float32), "scale", role="scale")
        self.shift = Variable(np.zeros(size, np.float32), "shift", role="bias")
        self.mean = Variable(np.zeros(size, np.float32), "mean", role="statistic")
        self.variance = Variable(np.ones(size, np.float32), "variance", role="statistic")

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (B, C, ...); in training the running statistics move."""
        assert self.scale is not None and self.shift is not None
        assert self.mean is not None and self.variance is not None
        axis = self.axis % x.ndim
        wide = tuple(-1 if i == axis else 1 for i in range(x.ndim))
        if self.is_training:
            axes = tuple(i for i in range(x.ndim) if i != axis)
            mean, variance = moments(x.node, axes, keepdims=True)
            with recording(False):
                for running, now in ((self.mean, mean), (self.variance, variance)):
                    flat = reshape(ops.stop_gradient(now), (-1,))
                    running.assign(Tensor(running.node * self.momentum + flat * (1 - self.momentum)))
        else:
            mean, variance = reshape(self.mean.node, wide), reshape(self.variance.node, wide)
        scale, shift = reshape(self.scale.node, wide), reshape(self.shift.node, wide)
        return Tensor(normalize(x.node, mean, variance, scale, shift, self.epsilon))


class LayerNorm(Module):
    """Normalize each example over its last axes (Ba et al. 2016).

    Parameters
    ----------
    axes : int
        How many of the last axes are normalized together.
    epsilon : float
    """

    def __init__(self, axes: int = 1, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.axes, self.epsilon = axes, epsilon
        self.scale: Variable | None = None
        self.shift: Variable | None = None

    def build(self, *inputs: Tensor) -> None:
        """Create scale and shift of the sizes of the last axes."""
        shape: Any = inputs[0].type.shape[-self.axes :]
        if None in shape or not math.prod(shape):
            raise ShapeError(f"LayerNorm: the normalized sizes must be known, got {inputs[0].type!r}")
        self.scale = Variable(np.ones(shape, np.float32), "scale", role="scale")
        self.shift = Variable(np.zeros(shape, np.float32), "shift", role="bias")

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (..., *last)."""
        assert self.scale is not None and self.shift is not None
        axes = tuple(range(x.ndim - self.axes, x.ndim))
        return Tensor(layer_norm(x.node, self.scale.node, self.shift.node, axes, self.epsilon))
