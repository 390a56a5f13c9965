"""LeNet-5."""

from __future__ import annotations

from typing import Any

from septet.nn.containers import Sequential
from septet.nn.conv import Conv2D
from septet.nn.dense import Dense
from septet.nn.module import Module
from septet.nn.pooling import AvgPool2D
from septet.nn.shaping import Flatten
from septet.nn.sizes import check_count
from septet.tensor.tensor import Tensor


class LeNet5(Module):
    """Recognize digits.

    Parameters
    ----------
    classes : int
    activation : str or callable

    Shape
    -----
    x (B, 1, 28, 28), padded by zeros to 32 x 32 by the first layer; result (B, classes), unnormalized.

    Source
    ------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998, figure
    2. As in most implementations, the second convolution sees all maps of the first (there: table I), pooling has no
    parameters, and the last layer is linear instead of distances to bitmaps: 61,706 parameters.

    Examples
    --------
    >>> import septet as st
    >>> LeNet5()(st.zeros((2, 1, 28, 28))).shape
    (2, 10)
    """

    def __init__(self, classes: int = 10, activation: Any = "tanh") -> None:
        self.classes = check_count("LeNet5", "classes", classes)
        self.activation = activation
        self.features = Sequential(
            Conv2D(6, 5, activation, padding=2), AvgPool2D(2), Conv2D(16, 5, activation), AvgPool2D(2), Flatten()
        )
        self.classifier = Sequential(Dense(120, activation), Dense(84, activation), Dense(classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))
