"""Layers that move, turn or bend images as another network says."""

from __future__ import annotations

from typing import Any

import numpy as np

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.lasagne.layers.base import MergeLayer
from septet.dialects.lasagne.utils import as_tuple, floatX

__all__ = ["TPSTransformerLayer", "TransformerLayer"]


class BaseTransformerLayer(MergeLayer):
    """The base of layers that read an image at places that another network computes."""

    def __init__(
        self, incoming: Any, localization_network: Any, count: int, noun: str, downsample_factor: Any, border_mode: str,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__([incoming, localization_network], **kwargs)
        self.downsample_factor = as_tuple(downsample_factor, 2)
        self.border_mode = border_mode
        image, location = self.input_shapes
        if len(location) != 2 or location[-1] != count:
            raise ValueError(f"The localization network must have output shape: (batch_size, {noun})")
        if len(image) != 4:
            raise ValueError(
                "The input network must have a 4-dimensional output shape: (batch_size, num_input_channels, input_rows, input_columns)"
            )

    def get_output_shape_for(self, input_shapes: Any) -> Any:
        shape = input_shapes[0]
        places = zip(shape[2:], self.downsample_factor, strict=True)
        return (*shape[:2], *(None if size is None else int(size // factor) for size, factor in places))

    def output_size(self, image: Any) -> list[Any]:
        """Return the height and width of the output for an image."""
        known = self.get_output_shape_for(self.input_shapes)[2:]
        return [
            T.cast(image.shape[axis] // factor, "int64") if size is None else size
            for axis, (size, factor) in enumerate(zip(known, self.downsample_factor, strict=True), start=2)
        ]


class TransformerLayer(BaseTransformerLayer):
    """Applies an affine transformation to images (Jaderberg et al. 2015)."""

    def __init__(
        self, incoming: Any, localization_network: Any, downsample_factor: Any = 1, border_mode: str = "nearest",
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(incoming, localization_network, 6, "6", downsample_factor, border_mode, **kwargs)

    def get_output_for(self, inputs: Any, **kwargs: Any) -> Any:
        image, theta = inputs
        height, width = self.output_size(image)
        places = T.dot(T.reshape(theta, (-1, 2, 3)), _meshgrid(height, width))
        return _sampled(image, places, height, width, self.border_mode)


def _sampled(image: Any, places: Any, height: Any, width: Any, border_mode: str) -> Any:
    """Return images read at places of shape (examples, 2, height * width)."""
    channels_last = image.dimshuffle(0, 2, 3, 1)
    x, y = places[:, 0].flatten(), places[:, 1].flatten()
    values = _interpolate(channels_last, x, y, height, width, border_mode)
    return T.reshape(values, (image.shape[0], height, width, image.shape[1])).dimshuffle(0, 3, 1, 2)


def _within(place: Any, size: Any, border_mode: str) -> Any:
    """Return a whole place along an axis, as an index that exists."""
    if border_mode == "nearest":
        place = T.clip(place, 0, size - 1)
    elif border_mode == "mirror":
        period = 2 * (size - 1)
        place = T.minimum(place % period, -place % period)
    elif border_mode == "wrap":
        place = T.mod(place, size)
    else:
        raise ValueError("border_mode must be one of 'nearest', 'mirror', 'wrap'")
    return T.cast(place, "int64")


def _interpolate(im: Any, x: Any, y: Any, out_height: Any, out_width: Any, border_mode: str) -> Any:
    """Return values between pixels, from the four around each place."""
    examples, height, width, channels = (im.shape[axis] for axis in range(4))
    height_f, width_f = T.cast(height, theano.config.floatX), T.cast(width, theano.config.floatX)
    x, y = (x + 1) / 2 * (width_f - 1), (y + 1) / 2 * (height_f - 1)
    left, top = T.floor(x), T.floor(y)
    columns = [_within(left + shift, width_f, border_mode) for shift in (0, 1)]
    rows = [_within(top + shift, height_f, border_mode) for shift in (0, 1)]
    starts = T.repeat(T.arange(examples, dtype="int64") * (height * width), out_height * out_width)
    pixels = im.reshape((-1, channels))
    total: Any = 0
    for column, near_x in zip(columns, (left + 1 - x, x - left), strict=True):
        for row, near_y in zip(rows, (top + 1 - y, y - top), strict=True):
            total = total + (near_x * near_y).dimshuffle(0, "x") * pixels[starts + row * width + column]
    return total


def _line(num: Any) -> Any:
    """Return numbers at equal distances from -1 to 1, as a vector of dtype floatX."""
    return T.arange(num, dtype=theano.config.floatX) * (2.0 / (T.cast(num, theano.config.floatX) - 1)) - 1.0


def _meshgrid(height: Any, width: Any) -> Any:
    """Return the places of a grid, row by row, as columns (x, y, 1) with x and y from -1 to 1."""
    x = T.dot(T.ones((height, 1)), _line(width).dimshuffle("x", 0)).reshape((1, -1))
    y = T.dot(_line(height).dimshuffle(0, "x"), T.ones((1, width))).reshape((1, -1))
    return T.concatenate([x, y, T.ones_like(x)], axis=0)


class TPSTransformerLayer(BaseTransformerLayer):
    """Bends images as a thin plate that is held at control points (Jaderberg et al. 2015, Bookstein 1989)."""

    def __init__(
        self, incoming: Any, localization_network: Any, downsample_factor: Any = 1, control_points: int = 16,
        precompute_grid: Any = "auto", border_mode: str = "nearest", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            incoming, localization_network, 2 * control_points, "2*control_points", downsample_factor, border_mode,
            **kwargs,
        )  # fmt: skip
        self.control_points = control_points
        side = round(np.sqrt(control_points))
        if side * side != control_points:
            raise ValueError("The number of control points must be a perfect square.")
        is_known = all(size is not None for size in self.input_shapes[0][2:])
        if precompute_grid == "auto":
            precompute_grid = is_known
        elif precompute_grid and not is_known:
            raise ValueError("Grid can only be precomputed if the input height and width are pre-specified.")
        self.precompute_grid = precompute_grid
        self.source_points = floatX(_grid(side, side))
        self.L_inv = _inverse_of_kernel(self.source_points)
        self.right_mat: Any = None
        if precompute_grid:
            height, width = self.get_output_shape_for(self.input_shapes)[2:]
            grid = floatX(_grid(height, width))
            kernel = _radial(((grid[None] - self.source_points.T[:, :, None]) ** 2).sum(axis=1))
            self.right_mat = floatX(np.concatenate([np.ones((1, grid.shape[1])), grid, kernel]))

    def get_output_for(self, inputs: Any, **kwargs: Any) -> Any:
        image, offsets = inputs
        height, width = self.output_size(image)
        points = self.source_points + T.reshape(offsets, (-1, 2, self.control_points))
        coefficients = T.dot(points, T.constant(self.L_inv[:, 3:].T))
        basis = self.right_mat if self.precompute_grid else self._basis(height, width)
        return _sampled(image, T.dot(coefficients, basis), height, width, self.border_mode)

    def _basis(self, height: Any, width: Any) -> Any:
        """Return what the coefficients are multiplied with, for an output of a size that is known later only."""
        grid = _meshgrid(height, width)
        apart = grid[:2].dimshuffle("x", 0, 1) - T.constant(self.source_points.T).dimshuffle(0, 1, "x")
        squared = T.sum(apart**2, axis=1)
        kernel = T.switch(T.eq(squared, 0), 0, squared * T.log(squared))
        return T.concatenate([T.ones_like(grid[:1]), grid[:2], kernel], axis=0)


def _grid(height: int, width: int) -> np.ndarray:
    """Return the places of a grid, row by row, as columns (x, y) from -1 to 1."""
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    return np.stack([x.ravel(), y.ravel()])


def _radial(squared: np.ndarray) -> np.ndarray:
    """Return the radial function of thin plates, ``r**2 log(r**2)``, for squared distances."""
    return squared * np.log(np.where(squared == 0, 1, squared))


def _inverse_of_kernel(points: np.ndarray) -> np.ndarray:
    """Return the inverse of the matrix that takes a plate's coefficients to its values at the control points."""
    count = points.shape[1]
    kernel = np.zeros((count + 3, count + 3), dtype=points.dtype)
    kernel[0, 3:] = kernel[3:, 0] = 1
    kernel[1:3, 3:] = points
    kernel[3:, 1:3] = points.T
    kernel[3:, 3:] = _radial(((points[:, :, None] - points[:, None, :]) ** 2).sum(axis=0))
    return np.linalg.inv(kernel)
