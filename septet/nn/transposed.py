"""Transposed convolutions: layers that make images larger, the reverse of strided convolutions."""

from __future__ import annotations

from typing import Any

from septet.nn.padding import described
from septet.nn.windowed import Windowed, spatial
from septet.ops.conv import conv_transpose
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class _ConvTranspose(Windowed):
    """What the transposed convolutions share."""

    shown = ("stride", "padding", "output_padding", "dilation", "groups")
    kernel: Variable

    def __init__(
        self, filters: int, kernel_size: Any, activation: Any = None, *, stride: Any = 1, padding: Any = "valid",
        output_padding: Any = 0, dilation: Any = 1, groups: int = 1, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        self.configure(
            kernel_size, activation, filters=filters, stride=stride, padding=padding, dilation=dilation, groups=groups,
            use_bias=use_bias, kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
        )  # fmt: skip
        self.output_padding = spatial(type(self).__name__, "output_padding", output_padding, self.rank, 0)

    def build(self, x: Tensor) -> None:
        channels = self.channels(x)
        self.variable("kernel", (channels, self.filters // self.groups, *self.kernel_size), self.kernel_initializer)
        self.make_bias(self.filters)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        y = conv_transpose(
            x.node, self.kernel.node, stride=self.stride, padding=self.padding, output_padding=self.output_padding,
            dilation=self.dilation, groups=self.groups,
        )  # fmt: skip
        return self.finish(Tensor(y))


_PARAMETERS = """

    Parameters
    ----------
    filters : int
        The channels of the result.
    kernel_size : int or one for each spatial axis
    activation : str or callable, optional
    stride : int or one for each spatial axis
        Distance between the windows in the result: how many times larger it is.
    padding : str, int or one int or pair (low, high) for each spatial axis
        What is cut off the result: "valid" nothing, "same" so much that it is `stride` times as large as x.
    output_padding : int or one for each spatial axis
        Elements added at the end, less than the stride.
    dilation : int or one for each spatial axis
    groups : int
    use_bias : bool
    kernel_initializer, bias_initializer : str or callable

    Shape
    -----
    x {axes}, result the same with `filters` channels and spatial sizes ``(size - 1) * stride - low - high + dilation *
    (kernel_size - 1) + output_padding + 1``; kernel (C, filters / groups, *kernel_size), bias (filters,).

    Source
    ------
    V. Dumoulin, F. Visin, A guide to convolution arithmetic for deep learning, 2016, chapter 4.

    Examples
    --------
    >>> import septet as st
    >>> {layer}(5, 3, stride=2, padding="same")(st.ones({image})).shape
    (2, 5{sizes[16]})

    Elsewhere
    ---------
    {elsewhere}
    """


class ConvTranspose1D(_ConvTranspose):
    """Spread every element of sequences over a learned window."""

    __doc__ = described(
        __doc__, _PARAMETERS, __qualname__, 1, "Keras ``Conv1DTranspose``, PyTorch ``ConvTranspose1d``."
    )
    rank = 1


class ConvTranspose2D(_ConvTranspose):
    """Spread every pixel of images over a learned window."""

    __doc__ = described(
        __doc__,
        _PARAMETERS,
        __qualname__,
        2,
        "Keras ``Conv2DTranspose``, Lasagne ``TransposedConv2DLayer``, ``Deconv2DLayer``, PyTorch ``ConvTranspose2d``.",
    )
    rank = 2


class ConvTranspose3D(_ConvTranspose):
    """Spread every element of volumes over a learned window."""

    __doc__ = described(
        __doc__,
        _PARAMETERS,
        __qualname__,
        3,
        "Keras ``Conv3DTranspose``, Lasagne ``TransposedConv3DLayer``, ``Deconv3DLayer``, PyTorch ``ConvTranspose3d``.",
    )
    rank = 3
