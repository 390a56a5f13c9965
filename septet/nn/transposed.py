"""Transposed convolutions: layers that make images larger, the reverse of strided convolutions."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn import activation as activations
from septet.nn.conv import AXES, spatial
from septet.nn.module import Module
from septet.nn.sizes import check_count, check_rank, static_size
from septet.ops.conv import conv_transpose
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class _ConvTranspose(Module):
    """What the transposed convolutions share."""

    rank = 0
    filters: int
    kernel: Variable
    bias: Variable

    def __init__(
        self, filters: int, kernel_size: Any, activation: Any = None, *, stride: Any = 1, padding: Any = "valid",
        output_padding: Any = 0, dilation: Any = 1, groups: int = 1, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        name = type(self).__name__
        self.filters = check_count(name, "filters", filters)
        self.kernel_size = spatial(name, "kernel_size", kernel_size, self.rank)
        self.activation = activations.check(name, activation)
        self.stride = spatial(name, "stride", stride, self.rank)
        self.padding = padding
        self.output_padding = spatial(name, "output_padding", output_padding, self.rank, 0)
        self.dilation = spatial(name, "dilation", dilation, self.rank)
        self.groups = check_count(name, "groups", groups)
        if self.filters % self.groups:
            raise ArgumentError(f"{name}: groups={groups} does not divide filters={filters}")
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer

    def build(self, x: Tensor) -> None:
        check_rank(x, self.rank + 2, self, AXES[self.rank])
        channels = static_size(x, 1, self)
        if channels % self.groups:
            raise ShapeError(
                f"{self.label}: groups={self.groups} does not divide the {channels} channels of "
                f"{shape_text(x.type.shape)}"
            )
        self.variable("kernel", (channels, self.filters // self.groups, *self.kernel_size), self.kernel_initializer)
        if self.use_bias:
            self.variable("bias", (self.filters,), self.bias_initializer, role="bias")

    def forward(self, x: Tensor) -> Tensor:
        check_rank(x, self.rank + 2, self, AXES[self.rank])
        y = Tensor(
            conv_transpose(
                x.node, self.kernel.node, stride=self.stride, padding=self.padding, output_padding=self.output_padding,
                dilation=self.dilation, groups=self.groups,
            )
        )  # fmt: skip
        if self.use_bias:
            y = y + self.bias.reshape(self.filters, *(1,) * self.rank)
        return activations.apply(self.activation, y)

    def extra(self) -> str:
        parts = [str(self.filters), "x".join(map(str, self.kernel_size))]
        ones, zeros = (1,) * self.rank, (0,) * self.rank
        defaults = {"stride": ones, "padding": "valid", "output_padding": zeros, "dilation": ones, "groups": 1}
        parts += [f"{name}={getattr(self, name)!r}" for name, value in defaults.items() if getattr(self, name) != value]
        return ", ".join(parts + ([f"activation={self.activation!r}"] if self.activation is not None else []))


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
    >>> ConvTranspose{rank}D(4, 3, stride=2, padding="same")(st.ones((2, 3, {ones}))).shape
    (2, 4, {twos})

    Elsewhere
    ---------
    {names}
    """


def _words(rank: int, names: str) -> dict[str, Any]:
    ones, twos = ", ".join(["5"] * rank), ", ".join(["10"] * rank)
    return {"axes": AXES[rank], "rank": rank, "ones": ones, "twos": twos, "names": names}


class ConvTranspose1D(_ConvTranspose):
    """Spread every element of sequences over a learned window."""

    __doc__ = f"{__doc__}{_PARAMETERS.format(**_words(1, 'Keras ``Conv1DTranspose``, PyTorch ``ConvTranspose1d``.'))}"
    rank = 1


class ConvTranspose2D(_ConvTranspose):
    """Spread every pixel of images over a learned window."""

    __doc__ = f"""{__doc__}{
        _PARAMETERS.format(
            **_words(2, "Keras ``Conv2DTranspose``, Lasagne ``TransposedConv2DLayer``, PyTorch ``ConvTranspose2d``.")
        )
    }"""
    rank = 2


class ConvTranspose3D(_ConvTranspose):
    """Spread every element of volumes over a learned window."""

    __doc__ = f"""{__doc__}{
        _PARAMETERS.format(
            **_words(3, "Keras ``Conv3DTranspose``, Lasagne ``TransposedConv3DLayer``, PyTorch ``ConvTranspose3d``.")
        )
    }"""
    rank = 3
