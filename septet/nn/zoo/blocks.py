"""What several networks for images share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from septet.nn.activation import Activation
from septet.nn.containers import Sequential
from septet.nn.conv import Conv2D
from septet.nn.module import Module
from septet.nn.normalization import BatchNorm
from septet.ops.assembling import concatenate
from septet.tensor.tensor import Tensor


class Parallel(Module):
    """Apply branches to the same images, and join their channels.

    Parameters
    ----------
    branches : sequence of Module

    Shape
    -----
    x (B, C, H, W), result (B, sum of the channels, H', W').
    """

    def __init__(self, branches: Iterable[Module]) -> None:
        self.branches = list(branches)

    def forward(self, x: Tensor) -> Tensor:
        return Tensor(concatenate([branch(x).node for branch in self.branches], axis=1))


def conv_norm(
    filters: int, kernel_size: Any = 3, activation: Any = "relu", *, stride: Any = 1, padding: Any = None,
    groups: int = 1, epsilon: float = 1e-5,
) -> Sequential:  # fmt: skip
    """Return a convolution without a bias, batch normalization, and an activation if there is one.

    Without a padding, that of half the kernel on each side, so that a stride of 1 keeps the size.
    """
    if padding is None:
        padding = kernel_size // 2 if isinstance(kernel_size, int) else "same"
    parts: list[Any] = [
        Conv2D(
            filters, kernel_size, stride=stride, padding=padding, groups=groups, use_bias=False,
            kernel_initializer="he_normal",
        ),
        BatchNorm(epsilon=epsilon),
    ]  # fmt: skip
    return Sequential(*parts, *([] if activation is None else [Activation(activation)]))


def scaled(filters: int, width: float, divisor: int = 1) -> int:
    """Return a number of filters times a width, a multiple of a divisor that loses at most a tenth.

    Source
    ------
    M. Sandler et al., 2018: the reference implementation of MobileNet v2.
    """
    wanted = filters * width
    found = max(divisor, int(wanted + divisor / 2) // divisor * divisor)
    return found + divisor if found < 0.9 * wanted else found
