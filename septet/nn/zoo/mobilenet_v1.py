"""MobileNet v1: convolutions by channel, and across channels."""

from __future__ import annotations

from septet.base.errors import ArgumentError
from septet.nn.containers import Sequential
from septet.nn.dense import Dense
from septet.nn.dropout import Dropout
from septet.nn.module import Module
from septet.nn.pooling import GlobalAveragePool
from septet.nn.sizes import check_count, check_share
from septet.nn.zoo.blocks import conv_norm, scaled
from septet.tensor.tensor import Tensor

LAYERS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
"""Channels and strides of the separable convolutions (table 1)."""


class MobileNetV1(Module):
    """Classify images with little arithmetic.

    Parameters
    ----------
    classes : int
    width : float
        What the channels of all layers are multiplied by.
    dropout : float

    Shape
    -----
    x (B, 3, H, W), result (B, classes), unnormalized.

    Source
    ------
    A. Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications", 2017, table
    1: 4.2 million parameters.

    Examples
    --------
    >>> from septet import nn
    >>> nn.count_parameters(MobileNetV1(), (1, 3, 224, 224))
    4231976
    """

    def __init__(self, classes: int = 1000, *, width: float = 1.0, dropout: float = 0.0) -> None:
        self.classes = check_count("MobileNetV1", "classes", classes)
        if not width > 0:
            raise ArgumentError(f"MobileNetV1: width must be above 0, got {width!r}")
        self.width = float(width)
        self.dropout = check_share("MobileNetV1", "dropout", dropout)
        channels = scaled(32, width)
        parts = [conv_norm(channels, 3, stride=2)]
        for filters, stride in LAYERS:
            parts.append(conv_norm(channels, 3, stride=stride, groups=channels))
            channels = scaled(filters, width)
            parts.append(conv_norm(channels, 1))
        self.features = Sequential(*parts)
        self.head = Sequential(GlobalAveragePool(), Dropout(dropout), Dense(classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def extra(self) -> str:
        return f"width={self.width}"
