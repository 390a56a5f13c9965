"""The layers that Lasagne computes with cuDNN, computed as all others: filters are not flipped unless asked."""

from __future__ import annotations

from typing import Any

from septet.dialects.lasagne.layers import conv, normalization, pool
from septet.dialects.theano.tensor import nnet

__all__ = [
    "BatchNormDNNLayer", "Conv2DDNNLayer", "Conv3DDNNLayer", "MaxPool2DDNNLayer", "MaxPool3DDNNLayer",
    "Pool2DDNNLayer", "Pool3DDNNLayer", "SpatialPyramidPoolingDNNLayer", "batch_norm_dnn",
]  # fmt: skip


class WholeRegions(pool.BasePoolLayer):
    """Makes a pooling layer one that knows whole regions only."""

    def __init__(
        self, incoming: Any, pool_size: Any, stride: Any = None, pad: Any = 0, ignore_border: bool = True,
        mode: str = "max", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(incoming, pool_size, stride, pad, ignore_border, mode, **kwargs)
        if not ignore_border:
            raise NotImplementedError(f"{type(self).__name__} does not support ignore_border=False.")


class Pool2DDNNLayer(WholeRegions, pool.Pool2DLayer):
    """As `Pool2DLayer`, with ``ignore_border=True``."""


class Pool3DDNNLayer(WholeRegions, pool.Pool3DLayer):
    """As `Pool3DLayer`, with ``ignore_border=True``."""


class MaxPool2DDNNLayer(pool.TakesMaximum, Pool2DDNNLayer):
    """As `MaxPool2DLayer`, with ``ignore_border=True``."""


class MaxPool3DDNNLayer(pool.TakesMaximum, Pool3DDNNLayer):
    """As `MaxPool3DLayer`, with ``ignore_border=True``."""


class Conv2DDNNLayer(conv.BaseConvLayer, spatial=2):
    """As `Conv2DLayer`, with ``flip_filters=False`` by default."""

    flips = False
    convolution = staticmethod(nnet.conv2d)


class Conv3DDNNLayer(conv.BaseConvLayer, spatial=3):
    """As `Conv3DLayer`, with ``flip_filters=False`` by default."""

    flips = False
    convolution = staticmethod(nnet.conv3d)


class SpatialPyramidPoolingDNNLayer(pool.SpatialPyramidPoolingLayer):
    """As `SpatialPyramidPoolingLayer`."""


class BatchNormDNNLayer(normalization.BatchNormLayer):
    """As `BatchNormLayer`, over the first axis or over all but the second."""

    def __init__(self, incoming: Any, axes: Any = "auto", *args: Any, **kwargs: Any) -> None:
        super().__init__(incoming, axes, *args, **kwargs)
        if self.axes not in ((0,), (0, *range(2, len(self.input_shape)))):
            raise ValueError(
                f"BatchNormDNNLayer only supports normalization across the first axis, or across all but the second axis, got axes={axes!r}"
            )


def batch_norm_dnn(layer: Any, **kwargs: Any) -> Any:
    """Return a layer with a `BatchNormDNNLayer` before its nonlinearity, in place of its biases."""
    return normalization.normalized_by(BatchNormDNNLayer, layer, kwargs, "_bn")
