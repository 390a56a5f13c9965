"""Convolutions of each channel by itself, alone and followed by a mixture of the channels."""

from __future__ import annotations

from typing import Any

from septet.nn.padding import described
from septet.nn.sizes import check_count
from septet.nn.windowed import Windowed
from septet.ops.conv import conv
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class _Depthwise(Windowed):
    """What convolutions of each channel by itself share."""

    shown = ("multiplier", "stride", "padding", "dilation")
    kernel: Variable

    def __init__(
        self, kernel_size: Any, multiplier: int = 1, activation: Any = None, *, stride: Any = 1, padding: Any = "valid",
        dilation: Any = 1, use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        self.configure(
            kernel_size, activation, stride=stride, padding=padding, dilation=dilation, use_bias=use_bias,
            kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
        )  # fmt: skip
        self.multiplier = check_count(type(self).__name__, "multiplier", multiplier)

    def build(self, x: Tensor) -> None:
        filters = self.channels(x) * self.multiplier
        self.variable("kernel", (filters, 1, *self.kernel_size), self.kernel_initializer)
        self.make_bias(filters)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        return self.finish(self.convolve(x, self.kernel, self.kernel.shape[0] // self.multiplier))


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

    Examples
    --------
    >>> import septet as st
    >>> {layer}(3, multiplier=2)(st.ones({image})).shape
    (2, 8{sizes[6]})

    Elsewhere
    ---------
    {elsewhere}
    """


class DepthwiseConv1D(_Depthwise):
    """Correlate each channel of sequences with filters of its own."""

    __doc__ = described(__doc__, _DEPTHWISE, __qualname__, 1, "Keras ``DepthwiseConv1D``.")
    rank = 1


class DepthwiseConv2D(_Depthwise):
    """Correlate each channel of images with filters of its own."""

    __doc__ = described(__doc__, _DEPTHWISE, __qualname__, 2, "Keras ``DepthwiseConv2D``.")
    rank = 2


class _Separable(Windowed):
    """What separable convolutions share."""

    shown = ("multiplier", "stride", "padding", "dilation")
    depthwise: Variable
    pointwise: Variable

    def __init__(
        self, filters: int, kernel_size: Any, activation: Any = None, *, multiplier: int = 1, stride: Any = 1,
        padding: Any = "valid", dilation: Any = 1, use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        self.configure(
            kernel_size, activation, filters=filters, stride=stride, padding=padding, dilation=dilation,
            use_bias=use_bias, kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
        )  # fmt: skip
        self.multiplier = check_count(type(self).__name__, "multiplier", multiplier)

    def build(self, x: Tensor) -> None:
        inner = self.channels(x) * self.multiplier
        self.variable("depthwise", (inner, 1, *self.kernel_size), self.kernel_initializer)
        self.variable("pointwise", (self.filters, inner, *(1,) * self.rank), self.kernel_initializer)
        self.make_bias(self.filters)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        y = self.convolve(x, self.depthwise, self.depthwise.shape[0] // self.multiplier)
        return self.finish(Tensor(conv(y.node, self.pointwise.node)))


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

    Examples
    --------
    >>> import septet as st
    >>> {layer}(5, 3)(st.ones({image})).shape
    (2, 5{sizes[6]})

    Elsewhere
    ---------
    {elsewhere}
    """


class SeparableConv1D(_Separable):
    """Correlate each channel of sequences with filters of its own, and mix the channels at each place."""

    __doc__ = described(__doc__, _SEPARABLE, __qualname__, 1, "Keras ``SeparableConv1D``.")
    rank = 1


class SeparableConv2D(_Separable):
    """Correlate each channel of images with filters of its own, and mix the channels of each pixel."""

    __doc__ = described(__doc__, _SEPARABLE, __qualname__, 2, "Keras ``SeparableConv2D``.")
    rank = 2
