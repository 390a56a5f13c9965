"""Layers that normalize: over a batch, over a map, over an example, over neighbouring channels."""

from __future__ import annotations

from typing import Any

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.lasagne import init, nonlinearities
from septet.dialects.lasagne.layers.axes import laid_over, shared_axes_of, unshared_shape
from septet.dialects.lasagne.layers.base import Layer
from septet.dialects.lasagne.layers.special import BiasLayer, NonlinearityLayer, ScaleLayer
from septet.dialects.lasagne.theano_extensions import padding

__all__ = [
    "BatchNormLayer",
    "LocalResponseNormalization2DLayer",
    "StandardizationLayer",
    "batch_norm",
    "instance_norm",
    "layer_norm",
]


class LocalResponseNormalization2DLayer(Layer):
    """Divides by a power of the sum of squares of neighbouring channels: ``x / (k + alpha * sum(x**2)) ** beta``.

    Source
    ------
    A. Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", NIPS 2012 (`alpha` is not
    divided by `n`).
    """

    def __init__(
        self, incoming: Any, alpha: float = 1e-4, k: float = 2, beta: float = 0.75, n: int = 5, **kwargs: Any
    ) -> None:
        super().__init__(incoming, **kwargs)
        self.alpha = alpha
        self.k = k
        self.beta = beta
        self.n = n
        if n % 2 == 0:
            raise NotImplementedError("Only works with odd n")

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        channels = input.shape[1] if self.input_shape[1] is None else self.input_shape[1]
        half = self.n // 2
        squares = padding.pad(T.sqr(input), [half], batch_ndim=1)
        scale: Any = self.k
        for shift in range(self.n):
            scale = scale + self.alpha * squares[:, shift : shift + channels]
        return input / scale**self.beta


class BatchNormLayer(Layer):
    """Normalizes to mean 0 and variance 1 over a batch, then scales and shifts.

    In training the statistics are those of the batch, and functions that use the output move averages of them, by
    default updates of shared variables; ``deterministic=True`` uses the averages and does not move them. The keywords
    ``batch_norm_use_averages`` and ``batch_norm_update_averages`` of `get_output` say otherwise.

    Source
    ------
    S. Ioffe and C. Szegedy, "Batch normalization", ICML 2015.
    """

    def __init__(
        self, incoming: Any, axes: Any = "auto", epsilon: float = 1e-4, alpha: float = 0.1, beta: Any = init.Constant(0),
        gamma: Any = init.Constant(1), mean: Any = init.Constant(0), inv_std: Any = init.Constant(1), **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(incoming, **kwargs)
        self.axes = shared_axes_of(axes, len(self.input_shape))
        self.epsilon = epsilon
        self.alpha = alpha
        shape = unshared_shape(
            self.input_shape, self.axes, "BatchNormLayer needs specified input sizes for all axes not normalized over."
        )
        self.beta = None if beta is None else self.add_param(beta, shape, "beta", regularizable=False)
        self.gamma = None if gamma is None else self.add_param(gamma, shape, "gamma")
        fixed = {"trainable": False, "regularizable": False, "batch_norm_stat": True}
        self.mean = self.add_param(mean, shape, "mean", **fixed)
        self.inv_std = self.add_param(inv_std, shape, "inv_std", **fixed)

    def get_output_for(
        self, input: Any, deterministic: bool = False, batch_norm_use_averages: bool | None = None,
        batch_norm_update_averages: bool | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        uses = deterministic if batch_norm_use_averages is None else batch_norm_use_averages
        updates = not deterministic if batch_norm_update_averages is None else batch_norm_update_averages
        batch = (input.mean(self.axes), T.inv(T.sqrt(input.var(self.axes) + self.epsilon)))
        averages = (self.mean, self.inv_std)
        statistics = averages if uses else batch
        if updates:
            statistics = tuple(
                own + 0 * self._moving(average, value)
                for own, average, value in zip(statistics, averages, batch, strict=True)
            )
        mean, inv_std, gamma, beta = (
            None if own is None else laid_over(own, input.ndim, self.axes)
            for own in (*statistics, self.gamma, self.beta)
        )
        normalized = (input - mean) * (inv_std if gamma is None else gamma * inv_std)
        return normalized if beta is None else normalized + beta

    def _moving(self, average: Any, value: Any) -> Any:
        """Return a copy of an average that functions which depend on it move towards a value."""
        copy = theano.clone(average, share_inputs=False)
        copy.default_update = (1 - self.alpha) * copy + self.alpha * value
        return copy


def _bare(layer: Any) -> Any:
    """Take biases and nonlinearity off a layer; return the nonlinearity."""
    nonlinearity = getattr(layer, "nonlinearity", None)
    if nonlinearity is not None:
        layer.nonlinearity = nonlinearities.identity
    if getattr(layer, "b", None) is not None:
        del layer.params[layer.b]
        layer.b = None
    return nonlinearity


def _named(words: dict[str, Any], layer: Any, ending: str) -> str | None:
    """Take the name for new layers out of the keywords, or make it of a layer's own."""
    name = words.pop("name", None)
    return name or (getattr(layer, "name", None) and layer.name + ending)


def _finished(layer: Any, nonlinearity: Any, name: str | None) -> Any:
    """Return a nonlinearity on top of a layer, if there is one."""
    if nonlinearity is None:
        return layer
    return NonlinearityLayer(layer, nonlinearity, name=name and name + "_nonlin")


def batch_norm(layer: Any, **kwargs: Any) -> Any:
    """Return a layer with a `BatchNormLayer` between its linear part and its nonlinearity, in place of its biases.

    The keywords are those of `BatchNormLayer`.
    """
    return normalized_by(BatchNormLayer, layer, kwargs)


def normalized_by(kind: type[BatchNormLayer], layer: Any, words: dict[str, Any]) -> Any:
    """Return a layer with a normalization of a kind before its nonlinearity, in place of its biases."""
    name = _named(words, layer, "_bn")
    nonlinearity = _bare(layer)
    return _finished(kind(layer, name=name, **words), nonlinearity, name)


class StandardizationLayer(Layer):
    """Normalizes each example to mean 0 and variance 1.

    Parameters
    ----------
    incoming : Layer or tuple
    axes : int, tuple of int, "spatial", "features" or "auto"
        The axes that are normalized over: those of places, all but the first, or (auto) places where there are some.
    epsilon : float
        Added to variances.

    Source
    ------
    D. Ulyanov et al., "Instance normalization", 2016; J. Ba et al., "Layer normalization", 2016.
    """

    def __init__(self, incoming: Any, axes: Any = "auto", epsilon: float = 1e-4, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        ndim = len(self.input_shape)
        if axes == "auto":
            axes = "features" if ndim == 2 else "spatial"
        if axes in ("spatial", "features"):
            axes = tuple(range(2 if axes == "spatial" else 1, ndim))
        self.axes = shared_axes_of(axes, ndim)
        self.epsilon = epsilon

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        mean = input.mean(self.axes, keepdims=True)
        return (input - mean) / T.sqrt(input.var(self.axes, keepdims=True) + self.epsilon)


def _standardized(layer: Any, axes: str, ending: str, has_scale: bool, has_bias: bool, words: dict[str, Any]) -> Any:
    """Return a layer with a standardization before its nonlinearity, in place of its biases."""
    name = _named(words, layer, ending)
    nonlinearity = _bare(layer)
    layer = StandardizationLayer(layer, axes=axes, name=name, **words)
    if has_scale:
        layer = ScaleLayer(layer, shared_axes="auto", name=name and name + "_scale")
    if has_bias:
        layer = BiasLayer(layer, shared_axes="auto", name=name and name + "_bias")
    return _finished(layer, nonlinearity, name)


def instance_norm(layer: Any, learn_scale: bool = True, learn_bias: bool = True, **kwargs: Any) -> Any:
    """Return a layer whose maps are standardized one by one before its nonlinearity, in place of its biases."""
    return _standardized(layer, "spatial", "_in", learn_scale, learn_bias, kwargs)


def layer_norm(layer: Any, **kwargs: Any) -> Any:
    """Return a layer whose examples are standardized before its nonlinearity, with scales and biases.

    The keywords are those of `StandardizationLayer`.
    """
    return _standardized(layer, "features", "_ln", True, True, kwargs)
