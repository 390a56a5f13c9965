"""Spatial transformers: a network decides where in the image to look."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn.module import Module
from septet.nn.sizes import check_rank, static_size
from septet.tensor.creation import tensor
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor


class SpatialTransformer(Module):
    """Warp images by an affine map that a network of the image chooses.

    Parameters
    ----------
    localization : Module
        From the image to six numbers: the rows of a matrix (2, 3) from places of the result to places of the image.
        Its last layer should begin with the identity, 1 0 0 and 0 1 0.
    size : (int, int), optional
        Height and width of the result; by default those of the image.
    padding_mode : {"zeros", "border", "reflection"}
    align_corners : bool

    Shape
    -----
    x (B, C, H, W), result (B, C, *size); localization(x) (B, 6).

    Source
    ------
    M. Jaderberg et al., Spatial transformer networks, 2015, section 3.

    Examples
    --------
    >>> import numpy as np, septet as st
    >>> from septet import nn
    >>> still = lambda shape, dtype: np.array([1, 0, 0, 0, 1, 0], dtype)
    >>> look = nn.Sequential(nn.Flatten(), nn.Dense(6, kernel_initializer="zeros", bias_initializer=still))
    >>> SpatialTransformer(look)(st.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).tolist()
    [[[[1.0, 2.0], [3.0, 4.0]]]]

    Elsewhere
    ---------
    Lasagne ``TransformerLayer``, PyTorch ``affine_grid`` and ``grid_sample``.
    """

    localization: Module

    def __init__(
        self, localization: Module, size: Any = None, *, padding_mode: str = "border", align_corners: bool = False
    ) -> None:
        if not isinstance(localization, Module):
            raise ArgumentError(f"SpatialTransformer: localization is a module, got {localization!r}")
        self.localization = localization
        self.size = None if size is None else tuple(size) if isinstance(size, (tuple, list)) else (size, size)
        self.padding_mode = padding_mode
        self.align_corners = align_corners

    def forward(self, x: Tensor) -> Tensor:
        check_rank(x, 4, self, "(B, C, H, W)")
        theta = self.localization(x)
        if theta.ndim != 2 or theta.type.shape[1] != 6:
            raise ShapeError(f"{self.label}: localization must return (B, 6), got shape {shape_text(theta.type.shape)}")
        size = self.size or (static_size(x, 2, self), static_size(x, 3, self))
        grid = f.affine_grid(theta.reshape(x.shape[0], 2, 3), size, align_corners=self.align_corners)
        return f.grid_sample(x, grid, padding_mode=self.padding_mode, align_corners=self.align_corners)

    def extra(self) -> str:
        return "" if self.size is None else f"size={self.size}"


class ThinPlateTransformer(Module):
    """Warp images by a thin plate spline: a network of the image says where points of a grid go.

    Parameters
    ----------
    localization : Module
        From the image to two numbers for each of the points: how far each moves along the width, then along the height,
        where the image reaches from -1 to 1. Its last layer should begin with zeros.
    points : int
        A square number: how many points the grid has.
    size : (int, int), optional
        Height and width of the result; by default those of the image.
    padding_mode : {"zeros", "border", "reflection"}

    Shape
    -----
    x (B, C, H, W), result (B, C, *size); localization(x) (B, 2 * points).

    Source
    ------
    F. L. Bookstein, Principal warps: thin-plate splines and the decomposition of deformations, 1989.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> look = nn.Sequential(nn.Flatten(), nn.Dense(8, kernel_initializer="zeros"))
    >>> ThinPlateTransformer(look, points=4, size=(2, 3))(st.ones((1, 1, 5, 5))).shape
    (1, 1, 2, 3)

    Elsewhere
    ---------
    Lasagne ``TPSTransformerLayer``.
    """

    localization: Module

    def __init__(
        self, localization: Module, points: int = 16, size: Any = None, *, padding_mode: str = "border"
    ) -> None:
        if not isinstance(localization, Module):
            raise ArgumentError(f"ThinPlateTransformer: localization is a module, got {localization!r}")
        side = round(points**0.5) if isinstance(points, int) and points >= 4 else 0
        if side * side != points:
            raise ArgumentError(f"ThinPlateTransformer: points is a square number of at least 4, got {points!r}")
        self.localization = localization
        self.points = points
        self.size = None if size is None else tuple(size) if isinstance(size, (tuple, list)) else (size, size)
        self.padding_mode = padding_mode

    def forward(self, x: Tensor) -> Tensor:
        check_rank(x, 4, self, "(B, C, H, W)")
        moves = self.localization(x)
        if moves.ndim != 2 or moves.type.shape[1] != 2 * self.points:
            raise ShapeError(
                f"{self.label}: localization must return (B, {2 * self.points}), got shape "
                f"{shape_text(moves.type.shape)}"
            )
        height, width = self.size or (static_size(x, 2, self), static_size(x, 3, self))
        spline, grid = _spline(self.points, height, width)
        moved = moves.reshape(x.shape[0], 2, self.points) @ tensor(spline, x.dtype)  # (B, 2, H * W)
        places = f.permute_dims(moved, (0, 2, 1)).reshape(x.shape[0], height, width, 2)
        return f.grid_sample(x, places + tensor(grid, x.dtype), padding_mode=self.padding_mode)

    def extra(self) -> str:
        return f"{self.points}" + ("" if self.size is None else f", size={self.size}")


def _spline(points: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what each point's move adds to each pixel's, (points, H * W), and where pixels lie, (H, W, 2)."""
    side = round(points**0.5)
    control = np.stack(np.meshgrid(*[np.linspace(-1, 1, side)] * 2), -1).reshape(-1, 2)  # x, then y
    y, x = ((np.arange(n) * 2.0 + 1.0) / n - 1.0 for n in (height, width))
    pixels = np.stack(np.meshgrid(x, y), -1)
    system = np.zeros((points + 3, points + 3))
    system[:points, :points] = _bending(control, control)
    system[:points, points:] = np.hstack([np.ones((points, 1)), control])
    system[points:, :points] = system[:points, points:].T
    flat = pixels.reshape(-1, 2)
    basis = np.hstack([_bending(flat, control), np.ones((len(flat), 1)), flat])  # (H * W, points + 3)
    return (basis @ np.linalg.inv(system)[:, :points]).T, pixels


def _bending(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return r^2 log r^2 of the distances between places."""
    squares = np.square(a[:, None] - b[None]).sum(-1)
    return squares * np.log(np.where(squares == 0, 1.0, squares))
