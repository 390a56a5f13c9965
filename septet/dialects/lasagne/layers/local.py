"""Convolutions with filters of their own at each place."""

from __future__ import annotations

from typing import Any

from septet.dialects.lasagne import init, nonlinearities
from septet.dialects.lasagne.layers.conv import Conv2DLayer
from septet.dialects.lasagne.theano_extensions import padding

__all__ = ["LocallyConnected2DLayer"]


class LocallyConnected2DLayer(Conv2DLayer):
    """A convolution along two axes in which each place has filters of its own."""

    def __init__(
        self, incoming: Any, num_filters: int, filter_size: Any, stride: Any = (1, 1), pad: Any = "same",
        untie_biases: bool = False, W: Any = init.GlorotUniform(), b: Any = init.Constant(0.0),
        nonlinearity: Any = nonlinearities.rectify, flip_filters: bool = True, channelwise: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        self.channelwise = channelwise
        super().__init__(
            incoming, num_filters, filter_size, stride=stride, pad=pad, untie_biases=untie_biases, W=W, b=b,
            nonlinearity=nonlinearity, flip_filters=flip_filters, **kwargs,
        )  # fmt: skip
        if self.stride != (1, 1):
            raise NotImplementedError(f"LocallyConnected2DLayer requires stride=1 / (1, 1), but got {stride!r}.")
        if self.pad != "same":
            raise NotImplementedError(f"LocallyConnected2DLayer requires pad='same', but got {pad!r}.")

    def get_W_shape(self) -> tuple[int, ...]:
        if any(size is None for size in self.input_shape[1:]):
            raise ValueError(
                f"A LocallyConnected2DLayer requires a fixed input shape (except for the batch size). Got {self.input_shape!r}."
            )
        places = self.get_output_shape_for(self.input_shape)[-2:]
        channels = self.input_channels
        if not self.channelwise:
            return (self.num_filters, channels, *self.filter_size, *places)
        if self.num_filters != channels:
            raise ValueError(
                f"num_filters and the number of input channels should match when channelwise is true, but got num_filters={self.num_filters!r} and {channels} input channels"
            )
        return (self.num_filters, *self.filter_size, *places)

    def convolve(self, input: Any, **kwargs: Any) -> Any:
        rows, columns = self.filter_size
        height, width = self.input_shape[2:]
        padded = padding.pad(input, (rows // 2, columns // 2), batch_ndim=2)
        total: Any = 0
        for row in range(rows):
            for column in range(columns):
                tap = (-row - 1, -column - 1) if self.flip_filters else (row, column)
                part = padded[:, :, row : row + height, column : column + width]
                if self.channelwise:
                    total = total + part * self.W[:, tap[0], tap[1]]
                else:
                    total = total + (part.dimshuffle(0, "x", 1, 2, 3) * self.W[:, :, tap[0], tap[1]]).sum(axis=2)
        return total
