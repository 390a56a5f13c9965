"""Flatten, reshape and dropout."""

from __future__ import annotations

from typing import Any

from septet.base.dtypes import float32
from septet.base.errors import ArgumentError
from septet.graph.op import as_node, ops
from septet.nn.module import Module
from septet.ops.shaping import reshape, sizes_of
from septet.tensor import random
from septet.tensor.tensor import Tensor


class Flatten(Module):
    """Join all axes but the first: (B, ...) -> (B, N)."""

    def forward(self, x: Tensor) -> Tensor:
        """Flatten."""
        size = 1
        for each in x.type.shape[1:]:
            size = -1 if each is None or size < 0 else size * each
        return Tensor(reshape(x.node, (sizes_of(x.node)[0], size)))


class Reshape(Module):
    """Give each example another shape: (B, ...) -> (B, *shape).

    Parameters
    ----------
    *shape : int
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape: Any = shape

    def forward(self, x: Tensor) -> Tensor:
        """Reshape."""
        return Tensor(reshape(x.node, (sizes_of(x.node)[0], *self.shape)))


class Dropout(Module):
    """In training set elements to 0 with probability `rate` and scale the others up (Srivastava et al. 2014).

    Parameters
    ----------
    rate : float
        In [0, 1).
    """

    def __init__(self, rate: float = 0.5) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ArgumentError(f"Dropout: rate must be in [0, 1), got {rate}")
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Drop in training; in evaluation return the input."""
        if not self.is_training or self.rate == 0:
            return x
        kept = ops.greater_equal(random.uniform(x.shape).node, as_node(self.rate, float32))
        zero = as_node(0.0, x.dtype)
        return Tensor(ops.where(kept, x.node * (1 / (1 - self.rate)), zero))
