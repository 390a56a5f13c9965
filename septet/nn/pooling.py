"""Pooling layers; channels first."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ShapeError
from septet.graph.node import Node
from septet.graph.op import ops
from septet.nn.module import Module
from septet.ops import pool
from septet.tensor.tensor import Tensor


class Pool(Module):
    """Pooling over windows; use MaxPool1D ... AveragePool3D.

    Parameters
    ----------
    window : int or tuple of int
    stride : int or tuple of int, optional
        By default the window.
    padding : int or tuple
    """

    rank = 0

    def __init__(self, window: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.window, self.stride, self.padding = window, stride, padding

    def pool(self, x: Node) -> Node:
        """Reduce the windows."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Pool (B, C, *sizes)."""
        if x.ndim != self.rank + 2:
            raise ShapeError(f"{type(self).__name__} takes (B, C, {self.rank} sizes), got a tensor of shape {x.type.shape}")
        return Tensor(self.pool(x.node))


class _Max(Pool):
    def pool(self, x: Node) -> Node:
        """Take the largest element of each window."""
        return ops.max_pool(x, window=self.window, stride=self.stride, padding=self.padding)


class _Average(Pool):
    def pool(self, x: Node) -> Node:
        """Average each window."""
        return pool.average_pool(x, self.window, stride=self.stride, padding=self.padding)


def _layer(name: str, base: type[Pool], rank: int, text: str) -> type[Pool]:
    return type(name, (base,), {"rank": rank, "__doc__": text, "__module__": __name__})


MaxPool1D = _layer("MaxPool1D", _Max, 1, "Maximum over windows of (B, C, L).")
MaxPool2D = _layer("MaxPool2D", _Max, 2, "Maximum over windows of (B, C, H, W).")
MaxPool3D = _layer("MaxPool3D", _Max, 3, "Maximum over windows of (B, C, D, H, W).")
AveragePool1D = _layer("AveragePool1D", _Average, 1, "Average over windows of (B, C, L).")
AveragePool2D = _layer("AveragePool2D", _Average, 2, "Average over windows of (B, C, H, W).")
AveragePool3D = _layer("AveragePool3D", _Average, 3, "Average over windows of (B, C, D, H, W).")


class GlobalAveragePool(Module):
    """Average over all spatial axes: (B, C, ...) -> (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """Average."""
        return Tensor(pool.global_average_pool(x.node))


class GlobalMaxPool(Module):
    """Maximum over all spatial axes: (B, C, ...) -> (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """Take the maximum."""
        return Tensor(pool.global_max_pool(x.node))
