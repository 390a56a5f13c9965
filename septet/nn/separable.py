"""Convolutions of each channel by itself, alone and followed by a mixture of the channels."""

from __future__ import annotations

from typing import Any

from septet.nn import activation as activations
from septet.nn.conv import AXES, convolve, spatial
from septet.nn.module import Module
from septet.nn.sizes import check_count, check_rank, static_size
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class _Depthwise(Module):
    """What convolutions of each channel by itself share."""

    rank = 0
    multiplier: int
    kernel: Variable
    bias: Variable

    def __init__(
        self, kernel_size: Any, multiplier: int = 1, activation: Any = None, *, stride: Any = 1, padding: Any = "valid",
        dilation: Any = 1, use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        name = type(self).__name__
        self.kernel_size = spatial(name, "kernel_size", kernel_size, self.rank)
        self.multiplier = check_count(name, "multiplier", multiplier)
        self.activation = activations.check(name, activation)
        self.stride = spatial(name, "stride", stride, self.rank)
        self.padding = padding
        self.dilation = spatial(name, "dilation", dilation, self.rank)
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer

    def build(self, x: Tensor) -> None:
        check_rank(x, self.rank + 2, self, AXES[self.rank])
        filters = static_size(x, 1, self) * self.multiplier
        self.variable("kernel", (filters, 1, *self.kernel_size), self.kernel_initializer)
        if self.use_bias:
            self.variable("bias", (filters,), self.bias_initializer, role="bias")

    def forward(self, x: Tensor) -> Tensor:
        check_rank(x, self.rank + 2, self, AXES[self.rank])
        y = convolve(self, x, self.kernel, groups=self.kernel.shape[0] // self.multiplier)
        if self.use_bias:
            y = y + self.bias.reshape(-1, *(1,) * self.rank)
        return activations.apply(self.activation, y)

    def extra(self) -> str:
        parts = ["x".join(map(str, self.kernel_size))]
        ones = (1,) * self.rank
        defaults = {"multiplier": 1, "stride": ones, "padding": "valid", "dilation": ones}
        parts += [f"{name}={getattr(self, name)!r}" for name, value in defaults.items() if getattr(self, name) != value]
        return ", ".join(parts + ([f"activation={self.activation!r}"] if self.activation is not None else []))


_DEPTHWISE = """

    Parameters
    ----------
    kernel_size : int or one for each spatial axis
    multiplier : int
        How many channels each channel becomes.
    activation : str or callable, optional
    stride, dilation : int or one for each spatial axis
    padding : str, int or one int or pair (low, high) for each spatial axis
    use_bias : bool
    kernel_initializer, bias_initializer : str or callable

    Shape
    -----
    x {axes}, result the same with C * multiplier channels; kernel (C * multiplier, 1, *kernel_size).

    Elsewhere
    ---------
    {names}
    """


class DepthwiseConv1D(_Depthwise):
    """Correlate each channel of sequences with filters of its own."""

    __doc__ = f"{__doc__}{_DEPTHWISE.format(axes=AXES[1], names='Keras ``DepthwiseConv1D``.')}"
    rank = 1


class DepthwiseConv2D(_Depthwise):
    """Correlate each channel of images with filters of its own."""

    __doc__ = f"{__doc__}{_DEPTHWISE.format(axes=AXES[2], names='Keras ``DepthwiseConv2D``.')}"
    rank = 2


class _Separable(Module):
    """What separable convolutions share."""

    rank = 0
    filters: int
    depthwise: Variable
    pointwise: Variable
    bias: Variable

    def __init__(
        self, filters: int, kernel_size: Any, activation: Any = None, *, multiplier: int = 1, stride: Any = 1,
        padding: Any = "valid", dilation: Any = 1, use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        name = type(self).__name__
        self.filters = check_count(name, "filters", filters)
        self.kernel_size = spatial(name, "kernel_size", kernel_size, self.rank)
        self.activation = activations.check(name, activation)
        self.multiplier = check_count(name, "multiplier", multiplier)
        self.stride = spatial(name, "stride", stride, self.rank)
        self.padding = padding
        self.dilation = spatial(name, "dilation", dilation, self.rank)
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer

    def build(self, x: Tensor) -> None:
        check_rank(x, self.rank + 2, self, AXES[self.rank])
        inner = static_size(x, 1, self) * self.multiplier
        self.variable("depthwise", (inner, 1, *self.kernel_size), self.kernel_initializer)
        self.variable("pointwise", (self.filters, inner, *(1,) * self.rank), self.kernel_initializer)
        if self.use_bias:
            self.variable("bias", (self.filters,), self.bias_initializer, role="bias")

    def forward(self, x: Tensor) -> Tensor:
        check_rank(x, self.rank + 2, self, AXES[self.rank])
        y = convolve(self, x, self.depthwise, groups=self.depthwise.shape[0] // self.multiplier)
        y = convolve(None, y, self.pointwise)
        if self.use_bias:
            y = y + self.bias.reshape(self.filters, *(1,) * self.rank)
        return activations.apply(self.activation, y)

    def extra(self) -> str:
        parts = [str(self.filters), "x".join(map(str, self.kernel_size))]
        ones = (1,) * self.rank
        defaults = {"multiplier": 1, "stride": ones, "padding": "valid", "dilation": ones}
        parts += [f"{name}={getattr(self, name)!r}" for name, value in defaults.items() if getattr(self, name) != value]
        return ", ".join(parts + ([f"activation={self.activation!r}"] if self.activation is not None else []))


_SEPARABLE = """

    Parameters
    ----------
    filters : int
        The channels of the result.
    kernel_size : int or one for each spatial axis
    activation : str or callable, optional
    multiplier : int
        How many channels each channel becomes before they are mixed.
    stride, dilation : int or one for each spatial axis
    padding : str, int or one int or pair (low, high) for each spatial axis
    use_bias : bool
    kernel_initializer, bias_initializer : str or callable

    Shape
    -----
    x {axes}, result the same with `filters` channels; depthwise (C * multiplier, 1, *kernel_size), pointwise (filters,
    C * multiplier, 1 ...).

    Source
    ------
    F. Chollet, Xception: Deep learning with depthwise separable convolutions, 2017.

    Elsewhere
    ---------
    {names}
    """


class SeparableConv1D(_Separable):
    """Correlate each channel of sequences with filters of its own, and mix the channels at each place."""

    __doc__ = f"{__doc__}{_SEPARABLE.format(axes=AXES[1], names='Keras ``SeparableConv1D``.')}"
    rank = 1


class SeparableConv2D(_Separable):
    """Correlate each channel of images with filters of its own, and mix the channels of each pixel."""

    __doc__ = f"{__doc__}{_SEPARABLE.format(axes=AXES[2], names='Keras ``SeparableConv2D``.')}"
    rank = 2
