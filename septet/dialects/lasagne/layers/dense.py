"""Layers in which every unit sees all inputs: of an example, or of a place in it."""

from __future__ import annotations

from typing import Any

import numpy as np

import septet.dialects.theano.tensor as T
from septet.dialects.lasagne import init, nonlinearities
from septet.dialects.lasagne.layers.base import Layer

__all__ = ["DenseLayer", "NINLayer"]


class DenseLayer(Layer):
    """``nonlinearity(dot(input, W) + b)``."""

    def __init__(
        self, incoming: Any, num_units: int, W: Any = init.GlorotUniform(), b: Any = init.Constant(0.0),
        nonlinearity: Any = nonlinearities.rectify, num_leading_axes: int = 1, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(incoming, **kwargs)
        self.nonlinearity = nonlinearities.identity if nonlinearity is None else nonlinearity
        self.num_units = num_units
        self.num_leading_axes = num_leading_axes
        ndim = len(self.input_shape)
        if num_leading_axes >= ndim:
            raise ValueError(
                f"Got num_leading_axes={num_leading_axes} for a {ndim}-dimensional input, leaving no trailing axes for the dot product."
            )
        if num_leading_axes < -ndim:
            raise ValueError(
                f"Got num_leading_axes={num_leading_axes} for a {ndim}-dimensional input, requesting more trailing axes than there are input dimensions."
            )
        trailing = self.input_shape[num_leading_axes:]
        if any(size is None for size in trailing):
            raise ValueError(
                f"A DenseLayer requires a fixed input shape (except for the leading axes). Got {self.input_shape!r} for num_leading_axes={num_leading_axes}."
            )
        self.W = self.add_param(W, (int(np.prod(trailing)), num_units), name="W")
        self.b = None if b is None else self.add_param(b, (num_units,), name="b", regularizable=False)

    def get_output_shape_for(self, input_shape: Any) -> Any:
        return (*input_shape[: self.num_leading_axes], self.num_units)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        leading = self.num_leading_axes + (input.ndim if self.num_leading_axes < 0 else 0)
        if input.ndim > leading + 1:
            input = input.flatten(leading + 1)
        activation = T.dot(input, self.W)
        return self.nonlinearity(activation if self.b is None else activation + self.b)


class NINLayer(Layer):
    """A dense layer that is applied at each place of a map: a convolution with filters of size 1.

    Source
    ------
    M. Lin et al., "Network in network", 2013.
    """

    def __init__(
        self, incoming: Any, num_units: int, untie_biases: bool = False, W: Any = init.GlorotUniform(),
        b: Any = init.Constant(0.0), nonlinearity: Any = nonlinearities.rectify, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(incoming, **kwargs)
        self.nonlinearity = nonlinearities.identity if nonlinearity is None else nonlinearity
        self.num_units = num_units
        self.untie_biases = untie_biases
        self.W = self.add_param(W, (self.input_shape[1], num_units), name="W")
        self.b: Any = None
        if b is not None:
            shape = (num_units, *(self.output_shape[2:] if untie_biases else ()))
            self.b = self.add_param(b, shape, name="b", regularizable=False)

    def get_output_shape_for(self, input_shape: Any) -> Any:
        return (input_shape[0], self.num_units, *input_shape[2:])

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        activation = T.tensordot(self.W, input, axes=[[0], [1]]).dimshuffle(1, 0, *range(2, input.ndim))
        if self.b is not None:
            places = range(1, input.ndim - 1) if self.untie_biases else ["x"] * (input.ndim - 2)
            activation = activation + self.b.dimshuffle("x", 0, *places)
        return self.nonlinearity(activation)
