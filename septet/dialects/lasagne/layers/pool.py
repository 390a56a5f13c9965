"""Layers that summarize regions, or channels, or whole maps, and layers that make maps larger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import septet.dialects.theano.tensor as T
from septet.dialects.lasagne.layers.base import Layer, SpatialLayer
from septet.dialects.lasagne.utils import as_tuple
from septet.dialects.theano.tensor.signal.pool import pool_2d, pool_3d

__all__ = [
    "FeaturePoolLayer", "FeatureWTALayer", "GlobalPoolLayer", "MaxPool1DLayer", "MaxPool2DLayer", "MaxPool3DLayer",
    "Pool1DLayer", "Pool2DLayer", "Pool3DLayer", "SpatialPyramidPoolingLayer", "Upscale1DLayer", "Upscale2DLayer",
    "Upscale3DLayer",
]  # fmt: skip


def pool_output_length(
    input_length: int | None, pool_size: int | None, stride: int, pad: int, ignore_border: bool
) -> int | None:
    """Return how many regions there are along an axis, None where that is not known."""
    if input_length is None or pool_size is None:
        return None
    if ignore_border:
        return (input_length + 2 * pad - pool_size + stride) // stride
    assert pad == 0
    if stride >= pool_size:
        return (input_length + stride - 1) // stride
    return max(0, (input_length - pool_size + stride - 1) // stride) + 1


class BasePoolLayer(SpatialLayer):
    """The base of layers that pool regions.

    `mode` is "max", "average_inc_pad", "average_exc_pad" or "sum"; with `ignore_border` a region at the end that is not
    whole is left out.
    """

    def __init__(
        self, incoming: Any, pool_size: Any, stride: Any = None, pad: Any = 0, ignore_border: bool = True,
        mode: str = "max", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(incoming, **kwargs)
        n = self.spatial
        self.check_spatial(n, "pooling")
        self.pool_size = as_tuple(pool_size, n)
        self.stride = self.pool_size if stride is None else as_tuple(stride, n)
        self.pad = as_tuple(pad, n)
        self.ignore_border = ignore_border
        self.mode = mode

    def get_output_shape_for(self, input_shape: Any) -> Any:
        borders = [self.ignore_border] * self.spatial
        return (
            *input_shape[:2], *map(pool_output_length, input_shape[2:], self.pool_size, self.stride, self.pad, borders)
        )  # fmt: skip

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        is_line = self.spatial == 1
        more = (1,) if is_line else ()
        function = pool_3d if self.spatial == 3 else pool_2d
        pooled = function(
            T.shape_padright(input, 1) if is_line else input, ws=self.pool_size + more, stride=self.stride + more,
            pad=self.pad + (0,) * len(more), ignore_border=self.ignore_border, mode=self.mode,
        )  # fmt: skip
        return pooled[:, :, :, 0] if is_line else pooled


class Pool1DLayer(BasePoolLayer, spatial=1):
    """Pools regions along one axis; see `BasePoolLayer`."""


class Pool2DLayer(BasePoolLayer, spatial=2):
    """Pools regions along two axes; see `BasePoolLayer`."""


class Pool3DLayer(BasePoolLayer, spatial=3):
    """Pools regions along three axes; see `BasePoolLayer`."""


class TakesMaximum(BasePoolLayer):
    """Makes a pooling layer one of maxima, without the argument `mode`."""

    def __init__(
        self, incoming: Any, pool_size: Any, stride: Any = None, pad: Any = 0, ignore_border: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(incoming, pool_size, stride, pad, ignore_border, mode="max", **kwargs)


class MaxPool1DLayer(TakesMaximum, Pool1DLayer):
    """The largest value of each region along one axis; see `BasePoolLayer`."""


class MaxPool2DLayer(TakesMaximum, Pool2DLayer):
    """The largest value of each region along two axes; see `BasePoolLayer`."""


class MaxPool3DLayer(TakesMaximum, Pool3DLayer):
    """The largest value of each region along three axes; see `BasePoolLayer`."""


class BaseUpscaleLayer(SpatialLayer):
    """The base of layers that make maps larger."""

    def __init__(self, incoming: Any, scale_factor: Any, mode: str = "repeat", **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.scale_factor = as_tuple(scale_factor, self.spatial)
        if any(factor < 1 for factor in self.scale_factor):
            raise ValueError(f"Scale factor must be >= 1, not {self.scale_factor}")
        if mode not in ("repeat", "dilate"):
            raise ValueError(f"Mode must be either 'repeat' or 'dilate', not {mode}")
        self.mode = mode

    def get_output_shape_for(self, input_shape: Any) -> Any:
        places = zip(input_shape[2:], self.scale_factor, strict=True)
        return (*input_shape[:2], *(None if size is None else size * factor for size, factor in places))

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        if all(factor == 1 for factor in self.scale_factor):
            return input
        if self.mode == "dilate":
            zeros = T.zeros(self.get_output_shape_for(tuple(input.shape)), dtype=input.dtype)
            steps = (slice(None), slice(None), *(slice(None, None, factor) for factor in self.scale_factor))
            return T.set_subtensor(zeros[steps], input)
        for axis, factor in reversed(list(enumerate(self.scale_factor, start=2))):
            if factor > 1:
                input = T.extra_ops.repeat(input, factor, axis)
        return input


class Upscale1DLayer(BaseUpscaleLayer, spatial=1):
    """Makes sequences longer; see `BaseUpscaleLayer`."""


class Upscale2DLayer(BaseUpscaleLayer, spatial=2):
    """Makes images larger; see `BaseUpscaleLayer`."""


class Upscale3DLayer(BaseUpscaleLayer, spatial=3):
    """Makes volumes larger; see `BaseUpscaleLayer`."""


class BaseFeatureLayer(Layer):
    """The base of layers that look at groups of channels."""

    noun = "pool"

    def __init__(self, incoming: Any, pool_size: int, axis: int = 1, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.pool_size = pool_size
        self.axis = axis
        if self.input_shape[axis] % pool_size:
            raise ValueError(
                f"Number of input feature maps ({self.input_shape[axis]}) is not a multiple of the {self.noun} size (pool_size={pool_size})"
            )

    def grouped(self, input: Any) -> Any:
        """Return the input with the channels of a group on an axis of their own, after that of the groups."""
        shape = tuple(input.shape)
        axis = self.axis % input.ndim
        return input.reshape((*shape[:axis], shape[axis] // self.pool_size, self.pool_size, *shape[axis + 1 :]))


class FeaturePoolLayer(BaseFeatureLayer):
    """Pools groups of channels: with the maximum, after a linear layer, that is maxout (Goodfellow et al. 2013)."""

    def __init__(
        self, incoming: Any, pool_size: int, axis: int = 1, pool_function: Callable[..., Any] = T.max, **kwargs: Any
    ) -> None:
        super().__init__(incoming, pool_size, axis, **kwargs)
        self.pool_function = pool_function

    def get_output_shape_for(self, input_shape: Any) -> Any:
        shape = list(input_shape)
        shape[self.axis] = shape[self.axis] // self.pool_size
        return tuple(shape)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        return self.pool_function(self.grouped(input), axis=self.axis % input.ndim + 1)


class FeatureWTALayer(BaseFeatureLayer):
    """Sets all channels of a group to zero but the largest, the first of several; see `BaseFeatureLayer`."""

    noun = "region"

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        grouped = self.grouped(input)
        axis = self.axis % input.ndim + 1
        places = T.arange(self.pool_size).dimshuffle(["x"] * axis + [0] + ["x"] * (grouped.ndim - axis - 1))
        is_best = T.eq(T.argmax(grouped, axis=axis, keepdims=True), places)
        return input * is_best.reshape(input.shape)


class GlobalPoolLayer(Layer):
    """Pools each channel over all places."""

    def __init__(self, incoming: Any, pool_function: Callable[..., Any] = T.mean, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.pool_function = pool_function

    def get_output_shape_for(self, input_shape: Any) -> Any:
        return input_shape[:2]

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        return self.pool_function(input.flatten(3), axis=2)


def pool_2d_nxn_regions(inputs: Any, output_size: int, mode: str = "max") -> list[Any]:
    """Return the pooled regions of a grid that covers images, row by row, each as (examples, channels, 1)."""
    if mode not in ("max", "average_inc_pad", "average_exc_pad"):
        raise ValueError(f"Mode must be either 'max', 'average_inc_pad' or 'average_exc_pad'. Got '{mode}'")
    function = T.max if mode == "max" else T.mean

    def bounds(place: int, size: Any) -> slice:
        start, end = (
            place / float(output_size),
            (place + 1) / float(output_size),
        )  # rounded to floatX, as in the original
        return slice(T.floor(start * size).astype("int32"), T.ceil(end * size).astype("int32"))

    height, width = inputs.shape[2], inputs.shape[3]
    return [
        function(inputs[:, :, bounds(row, height), bounds(column, width)], axis=(2, 3)).dimshuffle(0, 1, "x")
        for row in range(output_size)
        for column in range(output_size)
    ]


class SpatialPyramidPoolingLayer(SpatialLayer, spatial=2):
    """Pools images in grids of several sizes: the output has one size for images of any (He et al. 2015)."""

    def __init__(
        self, incoming: Any, pool_dims: Sequence[int] = (4, 2, 1), mode: str = "max", implementation: str = "fast",
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(incoming, **kwargs)
        self.check_spatial(2, "pyramid pooling")
        self.mode = mode
        self.implementation = implementation
        self.pool_dims = pool_dims

    def get_output_shape_for(self, input_shape: Any) -> Any:
        return (input_shape[0], input_shape[1], sum(count * count for count in self.pool_dims))

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        sizes = [input.shape[axis] if self.input_shape[axis] is None else self.input_shape[axis] for axis in (2, 3)]
        pooled: list[Any] = []
        for count in self.pool_dims:
            if self.implementation == "kaiming":
                pooled += pool_2d_nxn_regions(input, count, self.mode)
            else:
                windows = tuple((size + count - 1) // count for size in sizes)
                strides = tuple(size // count for size in sizes)
                regions = pool_2d(input, ws=windows, stride=strides, pad=None, mode=self.mode, ignore_border=True)
                pooled.append(regions.flatten(3))
        return T.concatenate(pooled, axis=2)
