"""Convolutions: plain, transposed and dilated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import septet.dialects.theano.tensor as T
from septet.dialects.lasagne import init, nonlinearities
from septet.dialects.lasagne.layers.base import SpatialLayer
from septet.dialects.lasagne.layers.dense import WeightsLayer
from septet.dialects.lasagne.theano_extensions import conv
from septet.dialects.lasagne.utils import as_tuple, int_types
from septet.dialects.theano.tensor import nnet
from septet.dialects.theano.tensor.nnet import abstract_conv

__all__ = [
    "Conv1DLayer", "Conv2DLayer", "Conv3DLayer", "Deconv2DLayer", "Deconv3DLayer", "DilatedConv2DLayer",
    "TransposedConv2DLayer", "TransposedConv3DLayer",
]  # fmt: skip


def pad_width(pad: Any, filter_size: int) -> int:
    """Return how wide the border of zeros is at each end: a number as it is, or "valid", "same" or "full"."""
    if isinstance(pad, int_types):
        return pad
    if pad not in ("valid", "same", "full"):
        raise ValueError(f"Invalid pad: {pad}")
    return {"valid": 0, "same": filter_size // 2, "full": filter_size - 1}[pad]


def conv_output_length(input_length: int | None, filter_size: int, stride: int, pad: Any = 0) -> int | None:
    """Return how long the output of a convolution is, None where the input's length is not known."""
    if input_length is None:
        return None
    length = input_length + (0 if pad == "same" else 2 * pad_width(pad, filter_size) - filter_size + 1)
    return (length + stride - 1) // stride


def conv_input_length(output_length: int | None, filter_size: int, stride: int, pad: Any = 0) -> int | None:
    """Return how long the input of a convolution is that has an output of a length: the shortest that does."""
    if output_length is None:
        return None
    return (output_length - 1) * stride - 2 * pad_width(pad, filter_size) + filter_size


class BaseConvLayer(SpatialLayer, WeightsLayer):
    """The base of convolutions: subclasses name the function that computes them, or define `convolve`.

    Their input is (examples, channels, *places), filters are (filters, channels / groups, *filter_size), and biases
    (filters,) or (filters, *places). The border of zeros is as wide as `pad` says: also "valid" (none), "same" (which
    keeps the size, for odd filters and stride 1) or "full" (one less than the filters). `flip_filters` tells convolutions,
    which turn the filters around, from correlations; `n` is how many axes places have.
    """

    flips = True  # unless said otherwise
    convolution: Callable[..., Any] | None = None

    def __init__(
        self, incoming: Any, num_filters: int, filter_size: Any, stride: Any = 1, pad: Any = 0, untie_biases: bool = False,
        W: Any = init.GlorotUniform(), b: Any = init.Constant(0.0), nonlinearity: Any = nonlinearities.rectify,
        flip_filters: bool | None = None, num_groups: int = 1, n: int | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(incoming, **kwargs)
        n = n or self.spatial or len(self.input_shape) - 2
        self.check_spatial(n, "convolution")
        self.n = n
        self.num_filters = num_filters
        self.filter_size = as_tuple(filter_size, n, int_types)
        self.flip_filters = self.flips if flip_filters is None else flip_filters
        self.stride = as_tuple(stride, n, int_types)
        self.untie_biases = untie_biases
        self.pad = self.checked_pad(pad)
        channels = self.input_channels
        if num_groups <= 0 or num_filters % num_groups or channels % num_groups:
            raise ValueError(
                f"num_groups (here: {num_groups}) must be positive and evenly divide the number of input and output channels (here: {channels} and {num_filters})"
            )
        self.num_groups = num_groups
        self.add_weights(W, self.get_W_shape(), b, self.bias_shape(), nonlinearity)

    @property
    def input_channels(self) -> int:
        """How many channels the input has."""
        return self.input_shape[1]

    def checked_pad(self, pad: Any) -> Any:
        """Return the border as a tuple, or as "same" or "full"."""
        if isinstance(pad, str) and pad in ("same", "full", "valid"):
            if pad == "same" and any(size % 2 == 0 for size in self.filter_size):
                raise NotImplementedError("`same` padding requires odd filter size.")
            return (0,) * self.n if pad == "valid" else pad
        return as_tuple(pad, self.n, int_types)

    def get_W_shape(self) -> tuple[int, ...]:
        """Return the shape of the filters."""
        return (self.num_filters, self.input_channels // self.num_groups, *self.filter_size)

    def bias_shape(self) -> tuple[Any, ...]:
        """Return the shape of the biases."""
        return (self.num_filters, *(self.output_shape[2:] if self.untie_biases else ()))

    def get_output_shape_for(self, input_shape: Any) -> Any:
        pads = self.pad if isinstance(self.pad, tuple) else (self.pad,) * self.n
        places = map(conv_output_length, input_shape[2:], self.filter_size, self.stride, pads)
        return (input_shape[0], self.num_filters, *places)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        return self.activated(self.convolve(input, **kwargs))

    def convolve(self, input: Any, **kwargs: Any) -> Any:
        """Return the input convolved with the filters, without biases."""
        if self.convolution is None:
            raise NotImplementedError(
                "BaseConvLayer does not implement the convolve() method. You will want to use a subclass such as Conv2DLayer."
            )
        return self.convolution(
            input, self.W, self.input_shape, self.get_W_shape(), subsample=self.stride,
            border_mode="half" if self.pad == "same" else self.pad, filter_flip=self.flip_filters,
            **({"num_groups": self.num_groups} if self.num_groups > 1 else {}),
        )  # fmt: skip


class BasePlainConvLayer(BaseConvLayer):
    """The base of plain convolutions, which another function with the arguments of the usual one may compute."""

    def __init__(
        self, incoming: Any, num_filters: int, filter_size: Any, stride: Any = 1, pad: Any = 0, untie_biases: bool = False,
        W: Any = init.GlorotUniform(), b: Any = init.Constant(0.0), nonlinearity: Any = nonlinearities.rectify,
        flip_filters: bool = True, convolution: Callable[..., Any] | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            incoming, num_filters, filter_size, stride, pad, untie_biases, W, b, nonlinearity, flip_filters, **kwargs
        )
        if convolution is not None:
            self.convolution = convolution


class Conv1DLayer(BasePlainConvLayer, spatial=1):
    """A convolution along one axis; see `BaseConvLayer`."""

    convolution = staticmethod(conv.conv1d_mc0)


class Conv2DLayer(BasePlainConvLayer, spatial=2):
    """A convolution along two axes; see `BaseConvLayer`."""

    convolution = staticmethod(nnet.conv2d)


class Conv3DLayer(BasePlainConvLayer, spatial=3):
    """A convolution along three axes; see `BaseConvLayer`."""

    convolution = staticmethod(nnet.conv3d)


class BaseTransposedConvLayer(BaseConvLayer):
    """The base of transposed convolutions: what a convolution's gradient does, so that strides make maps larger.

    `crop` is what is cut off the output at each end. Filters have shape (channels, filters, *filter_size). Where a
    stride leaves several sizes of the output possible, `output_size` is one, or the smallest.
    """

    def __init__(
        self, incoming: Any, num_filters: int, filter_size: Any, stride: Any = 1, crop: Any = 0, untie_biases: bool = False,
        W: Any = init.GlorotUniform(), b: Any = init.Constant(0.0), nonlinearity: Any = nonlinearities.rectify,
        flip_filters: bool = False, output_size: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        is_known = not isinstance(output_size, T.Variable) and output_size is not None
        self.output_size = as_tuple(output_size, self.spatial, int_types) if is_known else output_size  # type: ignore[arg-type]
        super().__init__(
            incoming, num_filters, filter_size, stride, crop, untie_biases, W, b, nonlinearity, flip_filters, **kwargs
        )

    def checked_pad(self, pad: Any) -> Any:
        self.crop = super().checked_pad(pad)
        return self.crop

    def get_W_shape(self) -> tuple[int, ...]:
        return (self.input_channels, self.num_filters, *self.filter_size)

    def get_output_shape_for(self, input_shape: Any) -> Any:
        if isinstance(self.output_size, T.Variable):
            places: Any = (None,) * self.n
        elif self.output_size is not None:
            places = self.output_size
        else:
            crops = self.crop if isinstance(self.crop, tuple) else (self.crop,) * self.n
            places = map(conv_input_length, input_shape[2:], self.filter_size, self.stride, crops)
        return (input_shape[0], self.num_filters, *places)

    def convolve(self, input: Any, **kwargs: Any) -> Any:
        kinds = {2: abstract_conv.AbstractConv2d_gradInputs, 3: abstract_conv.AbstractConv3d_gradInputs}
        op = kinds[self.n](
            imshp=self.output_shape, kshp=self.get_W_shape(), subsample=self.stride,
            border_mode="half" if self.crop == "same" else self.crop, filter_flip=not self.flip_filters,
        )  # fmt: skip
        size = self.output_shape[2:]
        if isinstance(self.output_size, T.Variable):
            size = self.output_size
        elif any(own is None for own in size):
            size = self.get_output_shape_for(input.shape)[2:]
        return op(self.W, input, size)


class TransposedConv2DLayer(BaseTransposedConvLayer, spatial=2):
    """A transposed convolution along two axes; see `BaseTransposedConvLayer`."""


class TransposedConv3DLayer(BaseTransposedConvLayer, spatial=3):
    """A transposed convolution along three axes; see `BaseTransposedConvLayer`."""


Deconv2DLayer = TransposedConv2DLayer
Deconv3DLayer = TransposedConv3DLayer


class DilatedConv2DLayer(BaseConvLayer, spatial=2):
    """A correlation along two axes with filters whose taps lie apart (Yu and Koltun 2016)."""

    def __init__(
        self, incoming: Any, num_filters: int, filter_size: Any, dilation: Any = (1, 1), pad: Any = 0,
        untie_biases: bool = False, W: Any = init.GlorotUniform(), b: Any = init.Constant(0.0),
        nonlinearity: Any = nonlinearities.rectify, flip_filters: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        self.dilation = as_tuple(dilation, 2, int_types)
        super().__init__(
            incoming, num_filters, filter_size, 1, pad, untie_biases, W, b, nonlinearity, flip_filters, **kwargs
        )
        if self.pad != (0, 0):
            raise NotImplementedError(
                f"DilatedConv2DLayer requires pad=0 / (0,0) / 'valid', but got {pad!r}. For a padded dilated convolution, add a PadLayer."
            )
        if self.flip_filters:
            raise NotImplementedError("DilatedConv2DLayer requires flip_filters=False.")

    def get_W_shape(self) -> tuple[int, ...]:
        return (self.input_channels, self.num_filters, *self.filter_size)

    def get_output_shape_for(self, input_shape: Any) -> Any:
        reach = [(size - 1) * apart + 1 for size, apart in zip(self.filter_size, self.dilation, strict=True)]
        return (input_shape[0], self.num_filters, *map(conv_output_length, input_shape[2:], reach, (1, 1)))

    def convolve(self, input: Any, **kwargs: Any) -> Any:
        shape = self.get_W_shape()
        return nnet.conv2d(
            input, self.W.dimshuffle(1, 0, 2, 3), self.input_shape, (shape[1], shape[0], *shape[2:]),
            filter_flip=False, filter_dilation=self.dilation,
        )  # fmt: skip
