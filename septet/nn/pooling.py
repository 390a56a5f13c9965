"""Pooling in one, two and three dimensions, and over all of space."""

from __future__ import annotations

from typing import Any

from septet.nn.activation import call
from septet.nn.conv import AXES, spatial
from septet.nn.module import Module
from septet.nn.sizes import check_rank
from septet.tensor.tensor import Tensor


class _Pool(Module):
    """Pool windows over the spatial axes.

    Parameters
    ----------
    window : int or one for each spatial axis
    stride : int or one for each spatial axis, optional
        By default the window: no overlap.
    padding : str, int or one int or pair (low, high) for each spatial axis

    Shape
    -----
    x (B, C, spatial ...), result the same with smaller spatial sizes.
    """

    rank = 0
    function = ""

    def __init__(self, window: Any = 2, stride: Any = None, padding: Any = "valid") -> None:
        name = type(self).__name__
        self.window = spatial(name, "window", window, self.rank)
        self.stride = self.window if stride is None else spatial(name, "stride", stride, self.rank)
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        check_rank(x, self.rank + 2, self, AXES[self.rank])
        return call(self.function, x, window=self.window, stride=self.stride, padding=self.padding)

    def extra(self) -> str:
        parts = ["x".join(map(str, self.window))]
        parts += [f"stride={self.stride}"] if self.stride != self.window else []
        return ", ".join(parts + ([f"padding={self.padding!r}"] if self.padding != "valid" else []))


class MaxPool1D(_Pool):
    """Take the maximum of windows over (B, C, T); parameters: window=2, stride=window, padding="valid"."""

    rank, function = 1, "max_pool"


class MaxPool2D(_Pool):
    """Take the maximum of windows over (B, C, H, W); parameters: window=2, stride=window, padding="valid"."""

    rank, function = 2, "max_pool"


class MaxPool3D(_Pool):
    """Take the maximum of windows over (B, C, D, H, W); parameters: window=2, stride=window, padding="valid"."""

    rank, function = 3, "max_pool"


class AvgPool1D(_Pool):
    """Average windows over (B, C, T); parameters: window=2, stride=window, padding="valid"."""

    rank, function = 1, "average_pool"


class AvgPool2D(_Pool):
    """Average windows over (B, C, H, W); parameters: window=2, stride=window, padding="valid"."""

    rank, function = 2, "average_pool"


class AvgPool3D(_Pool):
    """Average windows over (B, C, D, H, W); parameters: window=2, stride=window, padding="valid"."""

    rank, function = 3, "average_pool"


class GlobalAveragePool(Module):
    """Average over all spatial axes: (B, C, spatial ...) to (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return call("global_average_pool", x)


class GlobalMaxPool(Module):
    """Take the maximum over all spatial axes: (B, C, spatial ...) to (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return call("global_max_pool", x)
