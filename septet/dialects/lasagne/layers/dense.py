"""Layers in which every unit sees all inputs: of an example, or of a place in it."""

from __future__ import annotations

from typing import Any

import numpy as np

import septet.dialects.theano.tensor as T
from septet.dialects.lasagne import init, nonlinearities
from septet.dialects.lasagne.layers.base import Layer

__all__ = ["DenseLayer", "NINLayer"]


def or_identity(nonlinearity: Any) -> Any:
    """Return a nonlinearity; None stands for the identity."""
    return nonlinearities.identity if nonlinearity is None else nonlinearity


class WeightsLayer(Layer):
    """The base of layers that multiply with weights, add biases and apply a nonlinearity."""

    def add_weights(self, W: Any, W_shape: Any, b: Any, b_shape: Any, nonlinearity: Any) -> None:
        """Set `W`, `b` and `nonlinearity`; None stands for no biases and for the identity."""
        self.nonlinearity = or_identity(nonlinearity)
        self.W = self.add_param(W, W_shape, name="W")
        self.b = None if b is None else self.add_param(b, b_shape, name="b", regularizable=False)

    def activated(self, product: Any, axis: int = 1) -> Any:
        """Return the output for a product, to which biases are added whose first axis belongs to one of its own."""
        if self.b is not None:
            order = ["x"] * axis + list(range(self.b.ndim))
            product = product + self.b.dimshuffle(order + ["x"] * (product.ndim - len(order)))
        return self.nonlinearity(product)


class DenseLayer(WeightsLayer):
    """``nonlinearity(dot(input, W) + b)``."""

    def __init__(
        self, incoming: Any, num_units: int, W: Any = init.GlorotUniform(), b: Any = init.Constant(0.0),
        nonlinearity: Any = nonlinearities.rectify, num_leading_axes: int = 1, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(incoming, **kwargs)
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
        self.add_weights(W, (int(np.prod(trailing)), num_units), b, (num_units,), nonlinearity)

    def get_output_shape_for(self, input_shape: Any) -> Any:
        return (*input_shape[: self.num_leading_axes], self.num_units)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        leading = self.num_leading_axes + (input.ndim if self.num_leading_axes < 0 else 0)
        if input.ndim > leading + 1:
            input = input.flatten(leading + 1)
        return self.activated(T.dot(input, self.W), axis=leading)


class NINLayer(WeightsLayer):
    """A dense layer at each place of a map: a convolution with filters of size 1 (Lin et al. 2013)."""

    def __init__(
        self, incoming: Any, num_units: int, untie_biases: bool = False, W: Any = init.GlorotUniform(),
        b: Any = init.Constant(0.0), nonlinearity: Any = nonlinearities.rectify, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(incoming, **kwargs)
        self.num_units = num_units
        self.untie_biases = untie_biases
        places = self.output_shape[2:] if untie_biases else ()
        self.add_weights(W, (self.input_shape[1], num_units), b, (num_units, *places), nonlinearity)

    def get_output_shape_for(self, input_shape: Any) -> Any:
        return (input_shape[0], self.num_units, *input_shape[2:])

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        product = T.tensordot(self.W, input, axes=[[0], [1]])
        return self.activated(product.dimshuffle(1, 0, *range(2, input.ndim)))
