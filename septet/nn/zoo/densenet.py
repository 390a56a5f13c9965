"""DenseNet: every layer sees the results of all layers before it."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError
from septet.nn.activation import ReLU
from septet.nn.containers import Sequential
from septet.nn.conv import Conv2D
from septet.nn.dense import Dense
from septet.nn.dropout import Dropout
from septet.nn.module import Module
from septet.nn.normalization import BatchNorm
from septet.nn.pooling import AvgPool2D, GlobalAveragePool, MaxPool2D
from septet.nn.sizes import check_count, check_share
from septet.nn.zoo.blocks import conv_norm
from septet.ops.assembling import concatenate
from septet.tensor.tensor import Tensor

STAGES = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}
"""How many layers the blocks have, by depth (table 1)."""


def _norm_conv(filters: int, kernel_size: int) -> list[Module]:
    """Return batch normalization, an activation and a convolution, in this order."""
    conv = Conv2D(
        filters, kernel_size, padding=kernel_size // 2, use_bias=False, kernel_initializer="he_normal"
    )  # fmt: skip
    return [BatchNorm(), ReLU(), conv]


class DenseBlock(Module):
    """Apply layers, each to the channels of the input and of all layers before it, and add its own to them.

    Parameters
    ----------
    layers : int
    growth : int
        The channels that a layer adds.
    dropout : float

    Shape
    -----
    x (B, C, H, W), result (B, C + layers * growth, H, W).
    """

    def __init__(self, layers: int, growth: int = 32, dropout: float = 0.0) -> None:
        self.layers = check_count("DenseBlock", "layers", layers)
        self.growth = check_count("DenseBlock", "growth", growth)
        self.dropout = check_share("DenseBlock", "dropout", dropout)
        drop: list[Any] = [Dropout(dropout)] if dropout else []
        self.parts = [
            Sequential(*_norm_conv(4 * growth, 1), *_norm_conv(growth, 3), *drop) for _ in range(self.layers)
        ]  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = Tensor(concatenate([x.node, part(x).node], axis=1))
        return x

    def extra(self) -> str:
        return f"{self.layers}, growth={self.growth}"


class DenseNet(Module):
    """Classify images.

    Parameters
    ----------
    depth : {121, 169, 201}
        The number of layers with kernels.
    classes : int
    growth : int
        The channels that a layer adds; the network begins with twice as many.
    dropout : float

    Shape
    -----
    x (B, 3, H, W), result (B, classes), unnormalized.

    Source
    ------
    G. Huang, Z. Liu, L. van der Maaten, K. Weinberger, "Densely Connected Convolutional Networks", 2017, table 1 (with
    bottlenecks, and transitions that halve the channels). DenseNet-121 has 7,978,856 parameters.

    Examples
    --------
    >>> from septet import nn
    >>> nn.count_parameters(DenseNet(121), (1, 3, 224, 224))
    7978856
    """

    def __init__(self, depth: int = 121, classes: int = 1000, *, growth: int = 32, dropout: float = 0.0) -> None:
        if depth not in STAGES:
            raise ArgumentError(f"DenseNet: depth must be one of {', '.join(map(str, STAGES))}, got {depth!r}")
        self.depth = depth
        self.classes = check_count("DenseNet", "classes", classes)
        self.growth = check_count("DenseNet", "growth", growth)
        self.dropout = check_share("DenseNet", "dropout", dropout)
        channels = 2 * growth
        parts: list[Any] = [conv_norm(channels, 7, stride=2), MaxPool2D(3, 2, padding=1)]
        for index, count in enumerate(STAGES[depth]):
            if index:
                channels //= 2
                parts.append(Sequential(*_norm_conv(channels, 1), AvgPool2D(2)))
            parts.append(DenseBlock(count, growth, dropout))
            channels += count * growth
        self.features = Sequential(*parts, BatchNorm(), ReLU())
        self.head = Sequential(GlobalAveragePool(), Dense(classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def extra(self) -> str:
        return f"{self.depth}"
