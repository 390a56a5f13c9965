"""Layers that only change the shape."""

from __future__ import annotations

import math
from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.nn.module import Module
from septet.tensor.tensor import Tensor


class Flatten(Module):
    """Join all axes after the first: (B, ...) to (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 1:
            raise ShapeError(f"{self.label}: a scalar has no axis of examples")
        rest = x.type.shape[1:]
        return x.reshape(x.shape[0], -1 if None in rest else math.prod(rest))


class Reshape(Module):
    """Give each example another shape: (B, ...) to (B, *shape).

    Parameters
    ----------
    shape : tuple of int
        One size may be -1: what is left.
    """

    def __init__(self, shape: Any) -> None:
        self.shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
        if not all(isinstance(size, int) and size >= -1 for size in self.shape) or self.shape.count(-1) > 1:
            raise ArgumentError(f"Reshape: shape must hold integers, one of which may be -1, got {shape!r}")

    def forward(self, x: Tensor) -> Tensor:
        rest = x.type.shape[1:]
        shape = self.shape
        if -1 in shape and None not in rest:
            others = math.prod(size for size in shape if size != -1)
            left = math.prod(rest) // others if others else 0
            shape = tuple(left if size == -1 else size for size in shape)
        return x.reshape(x.shape[0], *shape)

    def extra(self) -> str:
        return f"{self.shape}"
