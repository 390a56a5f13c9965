"""GoogLeNet, the first Inception: modules of convolutions of three sizes and a pooling, side by side."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError
from septet.nn.containers import Sequential
from septet.nn.conv import Conv2D
from septet.nn.dense import Dense
from septet.nn.dropout import Dropout
from septet.nn.group_normalization import LocalResponseNorm
from septet.nn.module import Module
from septet.nn.pooling import AvgPool2D, GlobalAveragePool, MaxPool2D
from septet.nn.shaping import Flatten
from septet.nn.sizes import check_count, check_share
from septet.nn.zoo.blocks import Parallel, conv_norm, scaled
from septet.tensor.tensor import Tensor

CHANNELS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""Table 1: of each module the filters 1x1; before 3x3, 3x3; before 5x5, 5x5; after the pooling."""


class GoogLeNet(Module):
    """Classify images.

    Parameters
    ----------
    classes : int
    width : float
        What the channels of all convolutions are multiplied by.
    dropout : float
        Before the last layer, while training.
    has_norm : bool
        Whether batch normalization follows each convolution, in the place of biases and of local response
        normalization. The convolutions 5x5 are 3x3 then, and the last maximum is that of windows 2x2: the definition of
        torchvision.
    has_auxiliary : bool
        Whether two more classifiers stand in the middle, whose losses help the layers before them (times 0.3 in the
        paper). While training the result is then (logits, logits of the first, logits of the second). They need images
        of 80 pixels or more.

    Shape
    -----
    x (B, 3, 224, 224) or another size, result (B, classes), unnormalized.

    Source
    ------
    C. Szegedy et al., "Going Deeper with Convolutions", 2015, table 1 and section 5: 6,998,552 parameters as the
    authors of Caffe have it, 13,378,280 with the two classifiers; with batch normalization 6,624,904 and 13,004,888.

    Examples
    --------
    >>> from septet import nn
    >>> nn.count_parameters(GoogLeNet(), (1, 3, 224, 224))
    6998552
    """

    def __init__(
        self, classes: int = 1000, *, width: float = 1.0, dropout: float = 0.4, has_norm: bool = False,
        has_auxiliary: bool = False,
    ) -> None:  # fmt: skip
        self.classes = check_count("GoogLeNet", "classes", classes)
        if not width > 0:
            raise ArgumentError(f"GoogLeNet: width must be above 0, got {width!r}")
        self.width = float(width)
        self.dropout = check_share("GoogLeNet", "dropout", dropout)
        self.has_norm = bool(has_norm)
        self.has_auxiliary = bool(has_auxiliary)
        conv, module = self._conv, self._module
        norm = [] if has_norm else [LocalResponseNorm()]
        self.first = Sequential(
            conv(64, 7, stride=2), self._halve(), *norm, conv(64, 1), conv(192, 3), *norm, self._halve(),
            module("3a"), module("3b"), self._halve(), module("4a"),
        )  # fmt: skip
        self.middle = Sequential(module("4b"), module("4c"), module("4d"))
        self.last = Sequential(module("4e"), self._halve(2 if has_norm else 3), module("5a"), module("5b"))
        if has_auxiliary:
            self.auxiliary = [self._classifier(), self._classifier()]
        self.head = Sequential(GlobalAveragePool(), Dropout(dropout), Dense(classes))

    def forward(self, x: Tensor) -> Any:
        first = self.first(x)
        middle = self.middle(first)
        y = self.head(self.last(middle))
        if not self.has_auxiliary:
            return y
        if self.is_training or not self.auxiliary[1].is_built:  # the first input, in any mode, builds all of it
            others = [classify(z) for classify, z in zip(self.auxiliary, (first, middle), strict=True)]
            return (y, *others) if self.is_training else y
        return y

    def _conv(self, filters: int, kernel_size: int, stride: int = 1) -> Module:
        filters = scaled(filters, self.width)
        if self.has_norm:
            return conv_norm(filters, kernel_size, stride=stride, epsilon=1e-3)
        return Conv2D(
            filters, kernel_size, "relu", stride=stride, padding=kernel_size // 2, kernel_initializer="he_normal"
        )

    def _halve(self, window: int = 3) -> MaxPool2D:
        return MaxPool2D(window, 2, ceil_mode=True)

    def _module(self, name: str) -> Parallel:
        """Figure 2b."""
        conv = self._conv
        one, before_three, three, before_five, five, pooled = CHANNELS[name]
        return Parallel(
            [
                conv(one, 1),
                Sequential(conv(before_three, 1), conv(three, 3)),
                Sequential(conv(before_five, 1), conv(five, 3 if self.has_norm else 5)),
                Sequential(MaxPool2D(3, 1, padding=1), conv(pooled, 1)),
            ]
        )

    def _classifier(self) -> Sequential:
        return Sequential(
            AvgPool2D(5, 3), self._conv(128, 1), Flatten(), Dense(scaled(1024, self.width), "relu"), Dropout(0.7),
            Dense(self.classes),
        )  # fmt: skip
