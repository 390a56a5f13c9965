"""VGG: deep stacks of small convolutions."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError
from septet.nn.containers import Sequential
from septet.nn.conv import Conv2D
from septet.nn.dense import Dense
from septet.nn.dropout import Dropout
from septet.nn.module import Module
from septet.nn.pooling import MaxPool2D
from septet.nn.shaping import Flatten
from septet.nn.sizes import check_count, check_share
from septet.nn.zoo.blocks import conv_norm
from septet.tensor.tensor import Tensor

CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""How many convolutions stand before each of the five poolings, by depth (table 1: A, B, D, E)."""


class VGG(Module):
    """Classify images.

    Parameters
    ----------
    depth : {11, 13, 16, 19}
        The number of layers with kernels.
    classes : int
    width : int
        The channels of the first stage; they double three times.
    hidden : int
        The units of the two dense layers.
    dropout : float
        After them, while training.
    has_norm : bool
        Whether batch normalization follows each convolution, which later implementations offer.

    Shape
    -----
    x (B, 3, 224, 224) or another multiple of 32, as it was first; result (B, classes), unnormalized.

    Source
    ------
    K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2015, table 1.
    VGG-16 has 138,357,544 parameters.

    Examples
    --------
    >>> from septet import nn
    >>> nn.count_parameters(VGG(16), (1, 3, 224, 224))
    138357544
    """

    def __init__(
        self, depth: int = 16, classes: int = 1000, *, width: int = 64, hidden: int = 4096, dropout: float = 0.5,
        has_norm: bool = False,
    ) -> None:  # fmt: skip
        if depth not in CONVOLUTIONS:
            raise ArgumentError(f"VGG: depth must be one of {', '.join(map(str, CONVOLUTIONS))}, got {depth!r}")
        self.depth = depth
        self.classes = check_count("VGG", "classes", classes)
        self.width = check_count("VGG", "width", width)
        self.hidden = check_count("VGG", "hidden", hidden)
        self.dropout = check_share("VGG", "dropout", dropout)
        self.has_norm = bool(has_norm)
        parts: list[Any] = []
        for stage, count in enumerate(CONVOLUTIONS[depth]):
            filters = width * 2 ** min(stage, 3)
            for _ in range(count):
                parts.append(
                    conv_norm(filters)
                    if has_norm
                    else Conv2D(filters, 3, "relu", padding=1, kernel_initializer="he_normal")
                )
            parts.append(MaxPool2D(2))
        self.features = Sequential(*parts)
        self.classifier = Sequential(
            Flatten(), Dense(hidden, "relu"), Dropout(dropout), Dense(hidden, "relu"), Dropout(dropout), Dense(classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))

    def extra(self) -> str:
        return f"{self.depth}"
