"""The layers that Lasagne computes with cuda-convnet, computed as all others; "c01b" puts the examples last."""

from __future__ import annotations

from typing import Any

import septet.dialects.theano.tensor as T
from septet.dialects.lasagne import init, nonlinearities
from septet.dialects.lasagne.layers.base import Layer
from septet.dialects.lasagne.layers.conv import BaseConvLayer
from septet.dialects.lasagne.layers.dense import WeightsLayer
from septet.dialects.lasagne.layers.pool import Pool2DLayer
from septet.dialects.lasagne.utils import as_tuple
from septet.dialects.theano.tensor import nnet

__all__ = [
    "Conv2DCCLayer", "MaxPool2DCCLayer", "NINLayer_c01b", "ShuffleBC01ToC01BLayer", "ShuffleC01BToBC01Layer",
    "bc01_to_c01b", "c01b_to_bc01",
]  # fmt: skip

TO_C01B = (1, 2, 3, 0)
TO_BC01 = (3, 0, 1, 2)


def _in_order(shape: Any, order: tuple[int, ...]) -> tuple[Any, ...]:
    return tuple(shape[axis] for axis in order)


class EitherLayout(Layer):
    """Makes a layer for (examples, channels, height, width) one for (channels, height, width, examples) if asked."""

    dimshuffle: bool

    def get_output_shape_for(self, input_shape: Any) -> Any:
        if self.dimshuffle:
            return super().get_output_shape_for(input_shape)
        return _in_order(super().get_output_shape_for(_in_order(input_shape, TO_BC01)), TO_C01B)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        input = T.as_tensor_variable(input)
        if self.dimshuffle:
            return super().get_output_for(input, **kwargs)
        return super().get_output_for(input.dimshuffle(TO_BC01), **kwargs).dimshuffle(TO_C01B)


class Conv2DCCLayer(EitherLayout, BaseConvLayer, spatial=2):
    """As `Conv2DLayer` with ``flip_filters=False`` by default, for square filters, strides and borders."""

    convolution = staticmethod(nnet.conv2d)

    def __init__(
        self, incoming: Any, num_filters: int, filter_size: Any, stride: Any = (1, 1), pad: Any = 0,
        untie_biases: bool = False, W: Any = None, b: Any = init.Constant(0.0),
        nonlinearity: Any = nonlinearities.rectify, dimshuffle: bool = True, flip_filters: bool = False,
        partial_sum: int = 1, **kwargs: Any,
    ) -> None:  # fmt: skip
        self.dimshuffle = dimshuffle
        self.partial_sum = partial_sum
        W = init.GlorotUniform(c01b=not dimshuffle) if W is None else W
        super().__init__(
            incoming, num_filters, filter_size, stride, pad, untie_biases, W, b, nonlinearity, flip_filters, **kwargs
        )
        for noun, sizes in (("filters", self.filter_size), ("strides", self.stride), ("padding", self.pad)):
            if isinstance(sizes, tuple) and sizes[0] != sizes[1]:
                raise RuntimeError(f"Conv2DCCLayer only supports square {noun}, but got {sizes}")
        if num_filters % 16:
            raise RuntimeError(
                f"Conv2DCCLayer requires num_filters to be a multiple of 16, but num_filters is {num_filters}"
            )
        if self.input_channels >= 4 and self.input_channels % 4:
            raise RuntimeError(
                f"Conv2DCCLayer requires the number of input channels to be 1, 2, 3 or a multiple of 4, but it is {self.input_channels}"
            )

    @property
    def input_channels(self) -> int:
        return self.input_shape[1 if self.dimshuffle else 0]

    num_input_channels = input_channels

    def get_W_shape(self) -> tuple[int, ...]:
        shape = super().get_W_shape()
        return shape if self.dimshuffle else _in_order(shape, TO_C01B)

    def bias_shape(self) -> tuple[Any, ...]:
        if self.dimshuffle or not self.untie_biases:
            return super().bias_shape()
        return self.output_shape[:3]

    def convolve(self, input: Any, **kwargs: Any) -> Any:
        return self.convolution(
            input, self.W if self.dimshuffle else self.W.dimshuffle(TO_BC01), subsample=self.stride,
            border_mode="half" if self.pad == "same" else self.pad, filter_flip=self.flip_filters,
        )  # fmt: skip


class MaxPool2DCCLayer(EitherLayout, Pool2DLayer):
    """The largest value of each square region; regions at the end may be cut."""

    def __init__(
        self, incoming: Any, pool_size: Any, stride: Any = None, ignore_border: bool = False, dimshuffle: bool = True,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        if as_tuple(kwargs.pop("pad", 0), 2) != (0, 0):
            raise NotImplementedError("MaxPool2DCCLayer does not support padding")
        super().__init__(incoming, pool_size, stride, 0, ignore_border, **kwargs)
        for what, name in (
            ("square pooling regions", "pool_size"),
            ("using the same stride in both directions", "stride"),
        ):
            sizes = getattr(self, name)
            if sizes[0] != sizes[1]:
                raise NotImplementedError(f"MaxPool2DCCLayer only supports {what}, but {name}={sizes}")
        if self.stride[0] > self.pool_size[0]:
            raise NotImplementedError("MaxPool2DCCLayer only supports stride <= pool_size.")
        if ignore_border:
            raise NotImplementedError("MaxPool2DCCLayer does not support ignore_border=True.")
        self.dimshuffle = dimshuffle


class ShuffleBC01ToC01BLayer(Layer):
    """Puts the examples last."""

    order = TO_C01B

    def get_output_shape_for(self, input_shape: Any) -> Any:
        return _in_order(input_shape, self.order)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        return input.dimshuffle(self.order)


class ShuffleC01BToBC01Layer(ShuffleBC01ToC01BLayer):
    """Puts the examples, which are last, first."""

    order = TO_BC01


bc01_to_c01b = ShuffleBC01ToC01BLayer
c01b_to_bc01 = ShuffleC01BToBC01Layer


class NINLayer_c01b(WeightsLayer):
    """As `NINLayer`, for maps of (channels, height, width, examples) and weights of shape (units, channels)."""

    def __init__(
        self, incoming: Any, num_units: int, untie_biases: bool = False, W: Any = init.GlorotUniform(),
        b: Any = init.Constant(0.0), nonlinearity: Any = nonlinearities.rectify, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(incoming, **kwargs)
        self.num_units = num_units
        self.untie_biases = untie_biases
        places = self.output_shape[1:-1] if untie_biases else ()
        self.add_weights(W, (num_units, self.input_shape[0]), b, (num_units, *places), nonlinearity)

    def get_output_shape_for(self, input_shape: Any) -> Any:
        return (self.num_units, *input_shape[1:])

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        return self.activated(T.tensordot(self.W, input, axes=[[1], [0]]), axis=0)
