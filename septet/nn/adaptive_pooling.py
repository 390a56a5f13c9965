"""Pooling to results of a given size: adaptive pooling and spatial pyramids."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn.module import Module
from septet.nn.sizes import check_count
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor

KINDS = {"max": "adaptive_max_pool", "average": "adaptive_average_pool"}


def _check_images(layer: Module, x: Tensor) -> None:
    if x.ndim < 3:
        raise ShapeError(f"{layer.label}: takes (B, C, spatial ...), got shape {shape_text(x.type.shape)}")


class _AdaptivePool(Module):
    """What adaptive pooling by mean and by maximum share."""

    kind = ""

    def __init__(self, output_size: Any) -> None:
        name = type(self).__name__
        sizes = output_size if isinstance(output_size, (tuple, list)) else (output_size,)
        for size in sizes:
            if size is not None:
                check_count(name, "output_size", size)
        self.output_size = tuple(sizes) if isinstance(output_size, (tuple, list)) else output_size

    def forward(self, x: Tensor) -> Tensor:
        _check_images(self, x)
        return getattr(f, KINDS[self.kind])(x, self.output_size)

    def extra(self) -> str:
        return f"{self.output_size}"


class AdaptiveAvgPool(_AdaptivePool):
    """Average over windows that are chosen so that the result has a given size.

    Parameters
    ----------
    output_size : int, or one int or None for each spatial axis
        None keeps the size of an axis.

    Shape
    -----
    x (B, C, spatial ...), result (B, C, *output_size).

    Examples
    --------
    >>> import septet as st
    >>> AdaptiveAvgPool((2, 3))(st.ones((1, 4, 7, 8))).shape
    (1, 4, 2, 3)

    Elsewhere
    ---------
    PyTorch ``AdaptiveAvgPool1d``, ``AdaptiveAvgPool2d`` and ``AdaptiveAvgPool3d``.
    """

    kind = "average"


class AdaptiveMaxPool(_AdaptivePool):
    """Take maxima over windows that are chosen so that the result has a given size.

    Parameters
    ----------
    output_size : int, or one int or None for each spatial axis
        None keeps the size of an axis.

    Shape
    -----
    x (B, C, spatial ...), result (B, C, *output_size).

    Examples
    --------
    >>> import septet as st
    >>> AdaptiveMaxPool(2)(st.ones((1, 4, 7, 8))).shape
    (1, 4, 2, 2)

    Elsewhere
    ---------
    PyTorch ``AdaptiveMaxPool1d``, ``AdaptiveMaxPool2d`` and ``AdaptiveMaxPool3d``.
    """

    kind = "max"


class SpatialPyramidPool(Module):
    """Pool into grids of several sizes, so that images of any size become vectors of one length.

    Parameters
    ----------
    levels : sequence of int
        The sizes of the grids.
    mode : {"max", "average"}

    Shape
    -----
    x (B, C, spatial ...), result (B, C * (the sum over the levels of level ** number of spatial axes)).

    Source
    ------
    K. He et al., Spatial pyramid pooling in deep convolutional networks for visual recognition, 2014.

    Examples
    --------
    >>> import septet as st
    >>> SpatialPyramidPool((1, 2))(st.ones((3, 4, 9, 7))).shape
    (3, 20)

    Elsewhere
    ---------
    Lasagne ``SpatialPyramidPoolingLayer``.
    """

    def __init__(self, levels: Any = (4, 2, 1), mode: str = "max") -> None:
        if not isinstance(levels, (tuple, list)) or not levels:
            raise ArgumentError(f"SpatialPyramidPool: levels is a sequence of integers, got {levels!r}")
        if mode not in KINDS:
            raise ArgumentError(f"SpatialPyramidPool: mode {mode!r} does not exist; the modes are {', '.join(KINDS)}")
        self.levels = tuple(check_count("SpatialPyramidPool", "levels", level) for level in levels)
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        _check_images(self, x)
        channels, rank = x.shape[1], x.ndim - 2
        parts = []
        for level in self.levels:
            pooled = getattr(f, KINDS[self.mode])(x, level)
            parts.append(pooled.reshape(x.shape[0], channels * level**rank))
        return f.concatenate(parts, axis=1)

    def extra(self) -> str:
        return f"{self.levels}, mode={self.mode!r}"
