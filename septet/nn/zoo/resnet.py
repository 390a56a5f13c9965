"""ResNet: blocks that learn what to add to their input."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError
from septet.nn import activation as activations
from septet.nn.containers import Sequential
from septet.nn.dense import Dense
from septet.nn.module import Module
from septet.nn.pooling import GlobalAveragePool, MaxPool2D
from septet.nn.sizes import check_count, static_size
from septet.nn.zoo.blocks import conv_norm
from septet.tensor.tensor import Tensor

STAGES = {
    18: (False, (2, 2, 2, 2)), 34: (False, (3, 4, 6, 3)), 50: (True, (3, 4, 6, 3)), 101: (True, (3, 4, 23, 3)),
    152: (True, (3, 8, 36, 3)),
}  # fmt: skip
"""Whether blocks have a bottleneck, and how many there are in each stage, by depth (table 1)."""


class ResidualBlock(Module):
    """Add what convolutions make of the input to the input, or to a projection of it where its shape differs.

    Parameters
    ----------
    filters : int
        The channels inside; with a bottleneck the result has four times as many.
    stride : int
    has_bottleneck : bool
        Three convolutions, 1x1, 3x3 and 1x1, instead of two of 3x3.

    Shape
    -----
    x (B, C, H, W), result (B, filters or 4 filters, H / stride, W / stride).
    """

    def __init__(self, filters: int, stride: int = 1, has_bottleneck: bool = False) -> None:
        self.filters = check_count("ResidualBlock", "filters", filters)
        self.stride = check_count("ResidualBlock", "stride", stride)
        self.has_bottleneck = bool(has_bottleneck)
        if has_bottleneck:
            self.branch = Sequential(
                conv_norm(filters, 1), conv_norm(filters, 3, stride=stride), conv_norm(4 * filters, 1, None)
            )
        else:
            self.branch = Sequential(conv_norm(filters, 3, stride=stride), conv_norm(filters, 3, None))

    def build(self, x: Tensor) -> None:
        out = 4 * self.filters if self.has_bottleneck else self.filters
        self.is_projected = self.stride != 1 or static_size(x, 1, self) != out
        if self.is_projected:
            self.shortcut = conv_norm(out, 1, None, stride=self.stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.branch(x)
        return activations.call("relu", y + (self.shortcut(x) if self.is_projected else x))

    def extra(self) -> str:
        return f"{self.filters}" + (f", stride={self.stride}" if self.stride > 1 else "")


class ResNet(Module):
    """Classify images.

    Parameters
    ----------
    depth : {18, 34, 50, 101, 152}
        The number of layers with kernels.
    classes : int
    width : int
        The channels of the first stage; they double three times.
    is_small : bool
        For images of about 32 x 32: a first convolution of 3x3 without a stride, and no first pooling.

    Shape
    -----
    x (B, C, H, W), result (B, classes), unnormalized.

    Source
    ------
    K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", 2016, table 1. As in most
    implementations, it is the 3x3 convolution of a bottleneck that has the stride. ResNet-50 has 25,557,032 parameters.

    Examples
    --------
    >>> from septet import nn
    >>> nn.count_parameters(ResNet(18), (1, 3, 224, 224))
    11689512
    """

    def __init__(self, depth: int = 50, classes: int = 1000, *, width: int = 64, is_small: bool = False) -> None:
        if depth not in STAGES:
            raise ArgumentError(f"ResNet: depth must be one of {', '.join(map(str, STAGES))}, got {depth!r}")
        self.depth = depth
        self.classes = check_count("ResNet", "classes", classes)
        self.width = check_count("ResNet", "width", width)
        self.is_small = bool(is_small)
        first: list[Any] = [conv_norm(width, 3) if is_small else conv_norm(width, 7, stride=2)]
        self.stem = Sequential(*first, *([] if is_small else [MaxPool2D(3, 2, padding=1)]))
        has_bottleneck, counts = STAGES[depth]
        self.stages = Sequential(
            *[
                ResidualBlock(width * 2**stage, 2 if stage and not index else 1, has_bottleneck)
                for stage, count in enumerate(counts)
                for index in range(count)
            ]
        )
        self.head = Sequential(GlobalAveragePool(), Dense(classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(x)))

    def extra(self) -> str:
        return f"{self.depth}"
