"""Layers of one operation: nonlinearities, biases, scales, expressions, inverses, rectifiers with parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.lasagne import init, nonlinearities
from septet.dialects.lasagne.layers.base import Layer, MergeLayer, SharedAxesLayer
from septet.dialects.lasagne.layers.noise import seeded_streams
from septet.dialects.lasagne.layers.transformer import TPSTransformerLayer, TransformerLayer
from septet.dialects.lasagne.utils import floatX
from septet.dialects.theano.tensor import nnet

__all__ = [
    "BiasLayer", "ExpressionLayer", "InverseLayer", "NonlinearityLayer", "ParametricRectifierLayer",
    "RandomizedRectifierLayer", "ScaleLayer", "TPSTransformerLayer", "TransformerLayer", "prelu", "rrelu",
    "standardize",
]  # fmt: skip


class NonlinearityLayer(Layer):
    """Applies a nonlinearity; None stands for the identity."""

    def __init__(self, incoming: Any, nonlinearity: Any = nonlinearities.rectify, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.nonlinearity = nonlinearities.identity if nonlinearity is None else nonlinearity

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        return self.nonlinearity(input)


class BiasLayer(SharedAxesLayer):
    """Adds biases."""

    def __init__(self, incoming: Any, b: Any = init.Constant(0), shared_axes: Any = "auto", **kwargs: Any) -> None:
        super().__init__(incoming, shared_axes, **kwargs)
        self.b = self.add_shared(b, "b", regularizable=False)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        return input if self.b is None else input + self.laid_over(self.b)


class ScaleLayer(SharedAxesLayer):
    """Multiplies with scales."""

    def __init__(self, incoming: Any, scales: Any = init.Constant(1), shared_axes: Any = "auto", **kwargs: Any) -> None:
        super().__init__(incoming, shared_axes, **kwargs)
        self.scales = self.add_shared(scales, "scales", regularizable=False)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        return input * self.laid_over(self.scales)


def standardize(layer: Any, offset: Any, scale: Any, shared_axes: Any = "auto") -> ScaleLayer:
    """Return a layer that takes an offset off the output of another and divides it by a scale; neither is trained."""
    centered = BiasLayer(layer, -offset, shared_axes)
    centered.params[centered.b].remove("trainable")
    scaled = ScaleLayer(centered, floatX(1.0) / scale, shared_axes)
    scaled.params[scaled.scales].remove("trainable")
    return scaled


class ExpressionLayer(Layer):
    """Applies any function of variables.

    `output_shape` is a tuple; or a function from input shape to output shape; or "auto", to find it by applying the
    function to zeros; or None if the shape does not change.
    """

    def __init__(self, incoming: Any, function: Callable[[Any], Any], output_shape: Any = None, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self._output_shape = output_shape
        if output_shape is not None and output_shape != "auto" and not callable(output_shape):
            self._output_shape = tuple(output_shape)
        self.function = function

    def get_output_shape_for(self, input_shape: Any) -> Any:
        shape = self._output_shape
        if shape is None:
            return input_shape
        if callable(shape):
            return shape(input_shape)
        if shape != "auto":
            return shape
        zeros = T.alloc(0, *(0 if size is None else size for size in input_shape))
        return tuple(int(size) or None for size in self.function(zeros).shape.eval())

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        return self.function(input)


class InverseLayer(MergeLayer):
    """Applies the transpose of another layer's derivative: its inverse for layers that sort, a deconvolution for
    convolutions, an unpooling for maxima.
    """

    def __init__(self, incoming: Any, layer: Any, **kwargs: Any) -> None:
        super().__init__([incoming, layer, layer.input_layer], **kwargs)

    def get_output_shape_for(self, input_shapes: Any) -> Any:
        return input_shapes[2]

    def get_output_for(self, inputs: Any, **kwargs: Any) -> Any:
        input, layer_out, layer_in = inputs
        return theano.grad(None, wrt=layer_in, known_grads={layer_out: input})


class ParametricRectifierLayer(SharedAxesLayer):
    """A rectifier whose slope below zero is learned (He et al. 2015)."""

    def __init__(
        self, incoming: Any, alpha: Any = init.Constant(0.25), shared_axes: Any = "auto", **kwargs: Any
    ) -> None:
        super().__init__(incoming, shared_axes, **kwargs)
        self.alpha = self.add_shared(alpha, "alpha", regularizable=False)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        return nnet.relu(input, self.laid_over(self.alpha))


class RandomizedRectifierLayer(SharedAxesLayer):
    """A rectifier whose slope below zero is drawn anew each time (Xu et al. 2015), or deterministically the mean."""

    def __init__(
        self, incoming: Any, lower: Any = 0.3, upper: Any = 0.8, shared_axes: Any = "auto", **kwargs: Any
    ) -> None:
        super().__init__(incoming, shared_axes, **kwargs)
        self._srng = seeded_streams()
        self.lower = lower
        self.upper = upper
        if not isinstance(lower > upper, theano.Variable) and lower > upper:
            raise ValueError("Upper bound for RandomizedRectifierLayer needs to be higher than lower bound.")

    def get_output_for(self, input: Any, deterministic: bool = False, **kwargs: Any) -> Any:
        if deterministic or self.upper == self.lower:
            return nnet.relu(input, (self.upper + self.lower) / 2.0)
        is_known = all(size is not None for size in self.input_shape)
        sizes = self.input_shape if is_known else input.shape
        shape = tuple(1 if axis in self.shared_axes else sizes[axis] for axis in range(input.ndim))
        slopes = self._srng.uniform(shape, low=self.lower, high=self.upper, dtype=theano.config.floatX)
        return nnet.relu(input, T.addbroadcast(slopes, *self.shared_axes))


def without_nonlinearity(layer: Any) -> Any:
    """Return a layer after its nonlinearity was taken off it."""
    if getattr(layer, "nonlinearity", None) is not None:
        layer.nonlinearity = nonlinearities.identity
    return layer


def prelu(layer: Any, **kwargs: Any) -> ParametricRectifierLayer:
    """Return a `ParametricRectifierLayer` on top of a layer, in place of the layer's own nonlinearity."""
    return ParametricRectifierLayer(without_nonlinearity(layer), **kwargs)


def rrelu(layer: Any, **kwargs: Any) -> RandomizedRectifierLayer:
    """Return a `RandomizedRectifierLayer` on top of a layer, in place of the layer's own nonlinearity."""
    return RandomizedRectifierLayer(without_nonlinearity(layer), **kwargs)
