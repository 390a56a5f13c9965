"""Convolutions in one, two and three dimensions; channels first."""

from __future__ import annotations

from typing import Any

from septet.base.dtypes import float32
from septet.base.errors import ArgumentError, ShapeError
from septet.graph.op import ops
from septet.nn import initializers
from septet.nn.module import Module
from septet.ops.shaping import reshape
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class Conv(Module):
    """Convolution; use Conv1D, Conv2D or Conv3D.

    Parameters
    ----------
    channels : int
        Channels of the output.
    kernel_size : int or tuple of int
    stride, dilation : int or tuple of int
    padding : int, tuple, "valid" or "same"
    groups : int
        The channels are split into as many independent groups.
    bias : bool
    weight_initializer, bias_initializer : str, number or callable

    Shape
    -----
    (B, C, *sizes) -> (B, channels, *sizes'); C is inferred at first use.
    """

    rank = 0

    def __init__(
        self, channels: int, kernel_size: Any, stride: Any = 1, padding: Any = "valid", dilation: Any = 1, groups: int = 1,
        bias: bool = True, weight_initializer: Any = "he_uniform", bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        super().__init__()
        if channels < 1 or groups < 1 or channels % groups:
            raise ArgumentError(f"{type(self).__name__}: channels {channels} must be a positive multiple of groups {groups}")
        self.channels = channels
        self.kernel_size = (kernel_size,) * self.rank if isinstance(kernel_size, int) else tuple(kernel_size)
        if len(self.kernel_size) != self.rank:
            raise ArgumentError(f"{type(self).__name__}: kernel_size needs {self.rank} sizes, got {kernel_size!r}")
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self._has_bias = bias
        self._initializers = initializers.get(weight_initializer), initializers.get(bias_initializer)
        self.weight: Variable | None = None
        self.bias: Variable | None = None

    def build(self, *inputs: Tensor) -> None:
        """Create weight (channels, C / groups, *K) and bias (channels,)."""
        x = inputs[0].type
        if x.ndim != self.rank + 2:
            raise ShapeError(f"{type(self).__name__} takes (B, C, {self.rank} sizes), got a tensor of shape {x.shape}")
        size = x.shape[1]
        if size is None or size % self.groups:
            raise ShapeError(f"{type(self).__name__}: {size} channels do not divide into {self.groups} groups")
        self.weight = Variable(
            self._initializers[0]((self.channels, size // self.groups, *self.kernel_size), float32), "weight", role="weight"
        )
        if self._has_bias:
            self.bias = Variable(self._initializers[1]((self.channels,), float32), "bias", role="bias")

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, C, *sizes)."""
        assert self.weight is not None
        y = ops.conv(
            x.node, self.weight.node, stride=self.stride, padding=self.padding, dilation=self.dilation, groups=self.groups
        )
        if self.bias is not None:
            y = ops.add(y, reshape(self.bias.node, (self.channels, *[1] * self.rank)))
        return Tensor(y)


class Conv1D(Conv):
    """Convolve over (B, C, L); see `Conv` for the parameters."""

    rank = 1


class Conv2D(Conv):
    """Convolve over (B, C, H, W); see `Conv` for the parameters."""

    rank = 2


class Conv3D(Conv):
    """Convolve over (B, C, D, H, W); see `Conv` for the parameters."""

    rank = 3
