"""Convolutions in one, two and three dimensions, channels first."""

from __future__ import annotations

from typing import Any

from septet.nn.padding import check_mode, described, pad_spatial
from septet.nn.windowed import Windowed
from septet.ops.conv import conv
from septet.ops.windows import resolve_padding
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class _Conv(Windowed):
    """What the convolutions share."""

    shown = ("stride", "padding", "dilation", "groups", "padding_mode")
    kernel: Variable

    def __init__(
        self, filters: int, kernel_size: Any, activation: Any = None, *, stride: Any = 1, padding: Any = "valid",
        dilation: Any = 1, groups: int = 1, padding_mode: str = "zeros", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        self.configure(
            kernel_size, activation, filters=filters, stride=stride, padding=padding, dilation=dilation, groups=groups,
            use_bias=use_bias, kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
        )  # fmt: skip
        self.padding_mode = check_mode(type(self).__name__, padding_mode)

    def build(self, x: Tensor) -> None:
        channels = self.channels(x)
        self.variable("kernel", (self.filters, channels // self.groups, *self.kernel_size), self.kernel_initializer)
        self.make_bias(self.filters)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        padding = self.padding
        if self.padding_mode != "zeros":
            pairs = resolve_padding(padding, x.type.shape[2:], self.kernel_size, self.stride, self.dilation)
            x, padding = pad_spatial(self, x, pairs, self.padding_mode), 0
        words = {"stride": self.stride, "padding": padding, "dilation": self.dilation, "groups": self.groups}
        return self.finish(Tensor(conv(x.node, self.kernel.node, **words)))


_PARAMETERS = """

    Parameters
    ----------
    filters : int
        The channels of the result.
    kernel_size : int or one for each spatial axis
    activation : str or callable, optional
    stride, dilation : int or one for each spatial axis
    padding : str, int or one int or pair (low, high) for each spatial axis
        "valid" pads nothing, "same" so that the result has ceil(size / stride) elements.
    groups : int
        Into how many groups the channels are divided that do not see each other.
    padding_mode : str
        How x goes on beyond its edges: "zeros", "reflect", "replicate", "circular".
    use_bias : bool
    kernel_initializer, bias_initializer : str or callable

    Shape
    -----
    x {axes}, result the same with `filters` channels; kernel (filters, C / groups, *kernel_size), bias (filters,).

    Raises
    ------
    ShapeError
        If the rank differs, the channels do not fit, or the kernel is larger than the padded input.

    Source
    ------
    Y. LeCun et al., Backpropagation applied to handwritten zip code recognition, 1989.

    Examples
    --------
    >>> import septet as st
    >>> {layer}(5, 3, "relu")(st.ones({image})).shape
    (2, 5{sizes[6]})

    Elsewhere
    ---------
    {elsewhere}
    """


class Conv1D(_Conv):
    """Correlate sequences with learned filters."""

    __doc__ = described(
        __doc__, _PARAMETERS, __qualname__, 1, "Keras ``Conv1D``, Lasagne ``Conv1DLayer``, PyTorch ``Conv1d``."
    )
    rank = 1


class Conv2D(_Conv):
    """Correlate images with learned filters."""

    __doc__ = described(
        __doc__,
        _PARAMETERS,
        __qualname__,
        2,
        "Keras ``Conv2D``, Lasagne ``Conv2DLayer`` and ``DilatedConv2DLayer``, PyTorch ``Conv2d``.",
    )
    rank = 2


class Conv3D(_Conv):
    """Correlate volumes with learned filters."""

    __doc__ = described(
        __doc__, _PARAMETERS, __qualname__, 3, "Keras ``Conv3D``, Lasagne ``Conv3DLayer``, PyTorch ``Conv3d``."
    )
    rank = 3
