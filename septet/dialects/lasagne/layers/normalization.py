"""Layers that normalize: over a batch, over a map, over an example, over neighbouring channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.lasagne import init
from septet.dialects.lasagne.layers.base import Layer, SharedAxesLayer, shared_axes_of
from septet.dialects.lasagne.layers.special import BiasLayer, NonlinearityLayer, ScaleLayer, without_nonlinearity
from septet.dialects.lasagne.theano_extensions import padding

__all__ = [
    "BatchNormLayer", "LocalResponseNormalization2DLayer", "StandardizationLayer", "batch_norm", "instance_norm",
    "layer_norm",
]  # fmt: skip


class LocalResponseNormalization2DLayer(Layer):
    """Divides by a power of the squares of n neighbouring channels: ``x / (k + alpha * sum(x**2)) ** beta``."""

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


class BatchNormLayer(SharedAxesLayer):
    """Normalizes to mean 0 and variance 1 over a batch, then scales and shifts (Ioffe and Szegedy 2015).

    In training the statistics are those of the batch, and functions that use the output move averages of them, by
    default updates of shared variables; ``deterministic=True`` uses the averages and does not move them. The keywords
    ``batch_norm_use_averages`` and ``batch_norm_update_averages`` of `get_output` say otherwise.
    """

    named = "axes"
    axes: tuple[int, ...]

    def __init__(
        self, incoming: Any, axes: Any = "auto", epsilon: float = 1e-4, alpha: float = 0.1, beta: Any = init.Constant(0),
        gamma: Any = init.Constant(1), mean: Any = init.Constant(0), inv_std: Any = init.Constant(1), **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(incoming, axes, **kwargs)
        self.epsilon = epsilon
        self.alpha = alpha
        self.beta = self.add_shared(beta, "beta", regularizable=False)
        self.gamma = self.add_shared(gamma, "gamma")
        fixed = {"trainable": False, "regularizable": False, "batch_norm_stat": True}
        self.mean = self.add_shared(mean, "mean", **fixed)
        self.inv_std = self.add_shared(inv_std, "inv_std", **fixed)

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
            None if own is None else self.laid_over(own) for own in (*statistics, self.gamma, self.beta)
        )
        normalized = (input - mean) * (inv_std if gamma is None else gamma * inv_std)
        return normalized if beta is None else normalized + beta

    def _moving(self, average: Any, value: Any) -> Any:
        """Return a copy of an average that functions which depend on it move towards a value."""
        copy = theano.clone(average, share_inputs=False)
        copy.default_update = (1 - self.alpha) * copy + self.alpha * value
        return copy


def normalized_by(kind: Callable[..., Any], layer: Any, words: dict[str, Any], ending: str, **more: Any) -> Any:
    """Return a layer with a normalization of a kind before its nonlinearity, in place of its biases.

    `words` are for the normalization; without a name there, new layers have that of the layer and an ending. `more` are
    kinds of layers for what is normalized, each after the ending of its name.
    """
    name = words.pop("name", None) or (getattr(layer, "name", None) and layer.name + ending)
    nonlinearity = getattr(layer, "nonlinearity", None)
    without_nonlinearity(layer)
    if getattr(layer, "b", None) is not None:
        del layer.params[layer.b]
        layer.b = None
    layer = kind(layer, name=name, **words)
    for suffix, next_kind in more.items():
        layer = next_kind(layer, name=name and f"{name}_{suffix}")
    return layer if nonlinearity is None else NonlinearityLayer(layer, nonlinearity, name=name and f"{name}_nonlin")


def batch_norm(layer: Any, **kwargs: Any) -> Any:
    """Return a layer with a `BatchNormLayer`, whose keywords these are, before its nonlinearity; it loses its biases."""
    return normalized_by(BatchNormLayer, layer, kwargs, "_bn")


class StandardizationLayer(Layer):
    """Normalizes each example to mean 0 and variance 1.

    `axes` are "spatial", those of places (instance normalization, Ulyanov et al. 2016); "features", all but the first
    (layer normalization, Ba et al. 2016); "auto", places where there are some; or any.
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


def instance_norm(layer: Any, learn_scale: bool = True, learn_bias: bool = True, **kwargs: Any) -> Any:
    """Return a layer whose maps are standardized one by one before its nonlinearity, in place of its biases."""
    more: dict[str, Any] = {"scale": ScaleLayer} if learn_scale else {}
    more |= {"bias": BiasLayer} if learn_bias else {}
    return normalized_by(StandardizationLayer, layer, {"axes": "spatial", **kwargs}, "_in", **more)


def layer_norm(layer: Any, **kwargs: Any) -> Any:
    """Return a layer whose examples are standardized before its nonlinearity, with scales and biases of their own."""
    words = {"axes": "features", **kwargs}
    return normalized_by(StandardizationLayer, layer, words, "_ln", scale=ScaleLayer, bias=BiasLayer)
