"""MobileNet v2: residual blocks that are wide inside and narrow outside."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError
from septet.nn.containers import Sequential
from septet.nn.dense import Dense
from septet.nn.dropout import Dropout
from septet.nn.module import Module
from septet.nn.pooling import GlobalAveragePool
from septet.nn.sizes import check_count, check_share, static_size
from septet.nn.zoo.blocks import conv_norm, scaled
from septet.tensor.tensor import Tensor

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, number of blocks, stride of the first one (table 2)."""


class InvertedResidual(Module):
    """Widen, convolve each channel by itself, narrow without an activation; add the input where the shapes agree.

    Parameters
    ----------
    filters : int
        The channels of the result.
    stride : int
    expansion : int
        How many times as many channels there are inside.

    Shape
    -----
    x (B, C, H, W), result (B, filters, H / stride, W / stride).
    """

    def __init__(self, filters: int, stride: int = 1, expansion: int = 6) -> None:
        self.filters = check_count("InvertedResidual", "filters", filters)
        self.stride = check_count("InvertedResidual", "stride", stride)
        self.expansion = check_count("InvertedResidual", "expansion", expansion)

    def build(self, x: Tensor) -> None:
        channels = static_size(x, 1, self)
        inside = channels * self.expansion
        self.is_residual = self.stride == 1 and channels == self.filters
        widen: list[Any] = [conv_norm(inside, 1, "relu6")] if self.expansion > 1 else []
        self.branch = Sequential(
            *widen, conv_norm(inside, 3, "relu6", stride=self.stride, groups=inside), conv_norm(self.filters, 1, None)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.branch(x)
        return x + y if self.is_residual else y

    def extra(self) -> str:
        return f"{self.filters}, stride={self.stride}, expansion={self.expansion}"


class MobileNetV2(Module):
    """Classify images with little arithmetic.

    Parameters
    ----------
    classes : int
    width : float
        What the channels of all layers are multiplied by, rounded to multiples of 8; the last ones are not made fewer.
    dropout : float

    Shape
    -----
    x (B, 3, H, W), result (B, classes), unnormalized.

    Source
    ------
    M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018, table 2: 3,504,872 parameters.

    Examples
    --------
    >>> from septet import nn
    >>> nn.count_parameters(MobileNetV2(), (1, 3, 224, 224))
    3504872
    """

    def __init__(self, classes: int = 1000, *, width: float = 1.0, dropout: float = 0.2) -> None:
        self.classes = check_count("MobileNetV2", "classes", classes)
        if not width > 0:
            raise ArgumentError(f"MobileNetV2: width must be above 0, got {width!r}")
        self.width = float(width)
        self.dropout = check_share("MobileNetV2", "dropout", dropout)
        parts: list[Any] = [conv_norm(scaled(32, width, 8), 3, "relu6", stride=2)]
        for expansion, filters, count, stride in STAGES:
            for index in range(count):
                parts.append(InvertedResidual(scaled(filters, width, 8), 1 if index else stride, expansion))
        parts.append(conv_norm(scaled(1280, max(width, 1.0), 8), 1, "relu6"))
        self.features = Sequential(*parts)
        self.head = Sequential(GlobalAveragePool(), Dropout(dropout), Dense(classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def extra(self) -> str:
        return f"width={self.width}"
