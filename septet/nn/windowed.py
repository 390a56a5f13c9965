"""What layers with learned windows share: their options, their bias and activation, and how they are shown."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn import activation as activations
from septet.nn.module import Module
from septet.nn.padding import AXES
from septet.nn.sizes import check_count, check_rank, static_size
from septet.ops.conv import conv
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


def spatial(layer: str, name: str, value: Any, rank: int, least: int = 1) -> tuple[int, ...]:
    """Return one integer for each spatial axis, from one for all or a sequence."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank
    if len(values) != rank:
        raise ArgumentError(f"{layer}: {name} needs one integer or {rank}, got {value!r}")
    return tuple(check_count(layer, name, item, least) for item in values)


class Windowed(Module):
    """The base of convolutions and their like.

    Attributes
    ----------
    rank : int
        The number of spatial axes.
    shown : tuple of str
        Options that are shown where they are not the default.
    """

    rank = 0
    shown: tuple[str, ...] = ("stride", "padding", "dilation")
    filters: int | None = None
    groups = 1
    activation: Any
    use_bias: bool
    bias: Variable

    def configure(
        self, kernel_size: Any, activation: Any, *, stride: Any, padding: Any, use_bias: bool, kernel_initializer: Any,
        bias_initializer: Any, dilation: Any = 1, filters: int | None = None, groups: int = 1,
    ) -> None:  # fmt: skip
        """Check and keep the options."""
        name = type(self).__name__
        if filters is not None:
            self.filters = check_count(name, "filters", filters)
        self.kernel_size = spatial(name, "kernel_size", kernel_size, self.rank)
        self.activation = activations.check(name, activation)
        self.stride = spatial(name, "stride", stride, self.rank)
        self.padding = padding
        self.dilation = spatial(name, "dilation", dilation, self.rank)
        self.groups = check_count(name, "groups", groups)
        if self.filters is not None and self.filters % self.groups:
            raise ArgumentError(f"{name}: groups={groups} does not divide filters={filters}")
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer

    def check(self, x: Tensor) -> None:
        """Refuse an input of another rank."""
        check_rank(x, self.rank + 2, self, AXES[self.rank])

    def channels(self, x: Tensor) -> int:
        """Return the channels of an input, which the groups divide."""
        self.check(x)
        found = static_size(x, 1, self)
        if found % self.groups:
            raise ShapeError(
                f"{self.label}: groups={self.groups} does not divide the {found} channels of {shape_text(x.type.shape)}"
            )
        return found

    def make_bias(self, *shape: int) -> None:
        """Make the bias, if there is one."""
        if self.use_bias:
            self.variable("bias", shape, self.bias_initializer, role="bias")

    def convolve(self, x: Tensor, kernel: Tensor, groups: int = 1) -> Tensor:
        """Convolve with the layer's options."""
        words = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": groups}
        return Tensor(conv(x.node, kernel.node, **words))

    def finish(self, y: Tensor) -> Tensor:
        """Add the bias, and apply the activation."""
        if self.use_bias:
            ones = (1,) * (self.rank + 1 - self.bias.ndim)  # a bias may differ from place to place
            y = y + self.bias.reshape(*self.bias.shape, *ones)
        return activations.apply(self.activation, y)

    def extra(self) -> str:
        parts = [] if self.filters is None else [str(self.filters)]
        parts.append("x".join(map(str, self.kernel_size)))
        ones, zeros = (1,) * self.rank, (0,) * self.rank
        defaults = {
            "stride": ones, "padding": "valid", "output_padding": zeros, "dilation": ones, "groups": 1,
            "padding_mode": "zeros", "multiplier": 1,
        }  # fmt: skip
        parts += [f"{name}={getattr(self, name)!r}" for name in self.shown if getattr(self, name) != defaults[name]]
        return ", ".join(parts + ([f"activation={self.activation!r}"] if self.activation is not None else []))
