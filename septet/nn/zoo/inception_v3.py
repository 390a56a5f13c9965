"""Inception v3: modules of parallel convolutions of several sizes."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError
from septet.nn.containers import Sequential
from septet.nn.dense import Dense
from septet.nn.dropout import Dropout
from septet.nn.module import Module
from septet.nn.pooling import AvgPool2D, GlobalAveragePool, MaxPool2D
from septet.nn.sizes import check_count, check_share
from septet.nn.zoo.blocks import Parallel, conv_norm, scaled
from septet.tensor.tensor import Tensor


class InceptionV3(Module):
    """Classify images.

    Parameters
    ----------
    classes : int
    width : float
        What the channels of all layers are multiplied by.
    dropout : float
    has_auxiliary : bool
        Whether a second classifier stands in the middle, whose loss helps the layers before it. While training the
        result is then a pair (logits, auxiliary logits).

    Shape
    -----
    x (B, 3, 299, 299), without the second classifier at least (B, 3, 75, 75); result (B, classes), unnormalized.

    Source
    ------
    C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, "Rethinking the Inception Architecture for Computer
    Vision", 2016, section 6 and figures 5 to 10, with the channels of the authors' implementation: 23,834,568
    parameters, and 27,161,264 with the second classifier.

    Examples
    --------
    >>> from septet import nn
    >>> nn.count_parameters(InceptionV3(has_auxiliary=False), (1, 3, 299, 299))
    23834568
    """

    def __init__(
        self, classes: int = 1000, *, width: float = 1.0, dropout: float = 0.5, has_auxiliary: bool = True
    ) -> None:
        self.classes = check_count("InceptionV3", "classes", classes)
        if not width > 0:
            raise ArgumentError(f"InceptionV3: width must be above 0, got {width!r}")
        self.width = float(width)
        self.dropout = check_share("InceptionV3", "dropout", dropout)
        self.has_auxiliary = bool(has_auxiliary)
        conv = self._conv
        self.stem = Sequential(
            conv(32, 3, stride=2, padding=0), conv(32, 3, padding=0), conv(64, 3), MaxPool2D(3, 2), conv(80, 1),
            conv(192, 3, padding=0), MaxPool2D(3, 2),
        )  # fmt: skip
        self.first = Sequential(self._of_35(32), self._of_35(64), self._of_35(64), self._to_17())
        self.middle = Sequential(*[self._of_17(inside) for inside in (128, 160, 160, 192)])
        self.last = Sequential(self._to_8(), self._of_8(), self._of_8())
        if has_auxiliary:
            self.auxiliary = Sequential(
                AvgPool2D(5, 3), conv(128, 1), conv(768, 5, padding=0), GlobalAveragePool(), Dense(classes)
            )
        self.head = Sequential(GlobalAveragePool(), Dropout(dropout), Dense(classes))

    def forward(self, x: Tensor) -> Any:
        middle = self.middle(self.first(self.stem(x)))
        y = self.head(self.last(middle))
        if not self.has_auxiliary:
            return y
        if self.is_training or not self.auxiliary.is_built:  # the first input, in any mode, builds all of it
            second = self.auxiliary(middle)
            return (y, second) if self.is_training else y
        return y

    def _conv(self, filters: int, kernel_size: Any, **words: Any) -> Sequential:
        return conv_norm(scaled(filters, self.width), kernel_size, epsilon=1e-3, **words)

    def _pooled(self, filters: int) -> Sequential:
        return Sequential(AvgPool2D(3, 1, padding=1), self._conv(filters, 1))

    def _of_35(self, pooled: int) -> Parallel:
        """Figure 5, at 35 x 35."""
        conv = self._conv
        return Parallel(
            [
                conv(64, 1),
                Sequential(conv(48, 1), conv(64, 5)),
                Sequential(conv(64, 1), conv(96, 3), conv(96, 3)),
                self._pooled(pooled),
            ]
        )

    def _to_17(self) -> Parallel:
        """Figure 10: to half the size."""
        conv = self._conv
        return Parallel(
            [
                conv(384, 3, stride=2, padding=0),
                Sequential(conv(64, 1), conv(96, 3), conv(96, 3, stride=2, padding=0)),
                MaxPool2D(3, 2),
            ]
        )

    def _of_17(self, inside: int) -> Parallel:
        """Figure 6, at 17 x 17: 7x7 as 1x7 and 7x1."""
        conv, row, column = self._conv, (1, 7), (7, 1)
        twice = [conv(inside, column), conv(inside, row), conv(inside, column), conv(192, row)]
        return Parallel(
            [
                conv(192, 1),
                Sequential(conv(inside, 1), conv(inside, row), conv(192, column)),
                Sequential(conv(inside, 1), *twice),
                self._pooled(192),
            ]
        )

    def _to_8(self) -> Parallel:
        """Figure 10: to half the size."""
        conv = self._conv
        return Parallel(
            [
                Sequential(conv(192, 1), conv(320, 3, stride=2, padding=0)),
                Sequential(conv(192, 1), conv(192, (1, 7)), conv(192, (7, 1)), conv(192, 3, stride=2, padding=0)),
                MaxPool2D(3, 2),
            ]
        )

    def _of_8(self) -> Parallel:
        """Figure 7, at 8 x 8: branches that fork at their ends."""
        conv = self._conv
        forks = [Parallel([conv(384, (1, 3)), conv(384, (3, 1))]) for _ in range(2)]
        return Parallel(
            [
                conv(320, 1),
                Sequential(conv(384, 1), forks[0]),
                Sequential(conv(448, 1), conv(384, 3), forks[1]),
                self._pooled(192),
            ]
        )
