"""Convolutions in one, two and three dimensions, channels first."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn import activation as activations
from septet.nn.module import Module
from septet.nn.padding import AXES, check_mode, pad_spatial
from septet.nn.sizes import check_count, check_rank, static_size
from septet.ops.conv import conv
from septet.ops.windows import resolve_padding
from septet.tensor.tensor import Tensor


def spatial(layer: str, name: str, value: Any, rank: int, least: int = 1) -> tuple[int, ...]:
    """Return one integer for each spatial axis, from one for all or a sequence."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank
    if len(values) != rank:
        raise ArgumentError(f"{layer}: {name} needs one integer or {rank}, got {value!r}")
    return tuple(check_count(layer, name, item, least) for item in values)


def convolve(layer: Any, x: Tensor, kernel: Tensor, groups: int = 1) -> Tensor:
    """Convolve with a layer's stride, padding and dilation, or without any."""
    words = {} if layer is None else {name: getattr(layer, name) for name in ("stride", "padding", "dilation")}
    return Tensor(conv(x.node, kernel.node, groups=groups, **words))


class _Conv(Module):
    """What the convolutions share."""

    rank = 0

    def __init__(
        self, filters: int, kernel_size: Any, activation: Any = None, *, stride: Any = 1, padding: Any = "valid",
        dilation: Any = 1, groups: int = 1, padding_mode: str = "zeros", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        name = type(self).__name__
        self.filters = check_count(name, "filters", filters)
        self.kernel_size = spatial(name, "kernel_size", kernel_size, self.rank)
        self.activation = activations.check(name, activation)
        self.stride = spatial(name, "stride", stride, self.rank)
        self.padding = padding
        self.padding_mode = check_mode(name, padding_mode)
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
        self.variable("kernel", (self.filters, channels // self.groups, *self.kernel_size), self.kernel_initializer)
        if self.use_bias:
            self.variable("bias", (self.filters,), self.bias_initializer, role="bias")

    def forward(self, x: Tensor) -> Tensor:
        check_rank(x, self.rank + 2, self, AXES[self.rank])
        padding = self.padding
        if self.padding_mode != "zeros":
            pairs = resolve_padding(padding, x.type.shape[2:], self.kernel_size, self.stride, self.dilation)
            x, padding = pad_spatial(self, x, pairs, self.padding_mode), 0
        y = Tensor(
            conv(
                x.node, self.kernel.node, stride=self.stride, padding=padding, dilation=self.dilation,
                groups=self.groups,
            )
        )  # fmt: skip
        if self.use_bias:
            y = y + self.bias.reshape(self.filters, *(1,) * self.rank)
        return activations.apply(self.activation, y)

    def extra(self) -> str:
        parts = [str(self.filters), "x".join(map(str, self.kernel_size))]
        ones = (1,) * self.rank
        defaults = {"stride": ones, "padding": "valid", "dilation": ones, "groups": 1, "padding_mode": "zeros"}
        parts += [f"{name}={getattr(self, name)!r}" for name, value in defaults.items() if getattr(self, name) != value]
        return ", ".join(parts + ([f"activation={self.activation!r}"] if self.activation is not None else []))


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

    Elsewhere
    ---------
    Keras ``Conv{n}D``, Lasagne ``Conv{n}DLayer``, PyTorch ``Conv{n}d``.
    """


class Conv1D(_Conv):
    """Correlate sequences with learned filters."""

    __doc__ = f"{__doc__}{_PARAMETERS.format(axes=AXES[1], n=1)}"
    rank = 1


class Conv2D(_Conv):
    """Correlate images with learned filters."""

    __doc__ = f"{__doc__}{_PARAMETERS.format(axes=AXES[2], n=2)}"
    rank = 2


class Conv3D(_Conv):
    """Correlate volumes with learned filters."""

    __doc__ = f"{__doc__}{_PARAMETERS.format(axes=AXES[3], n=3)}"
    rank = 3
