"""Layers that disturb their input in training; ``deterministic=True`` switches them off."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import septet.dialects.theano.tensor as T
from septet.dialects.lasagne.layers.base import Layer
from septet.dialects.lasagne.random import get_rng
from septet.dialects.theano.sandbox.rng_mrg import MRG_RandomStreams as RandomStreams

__all__ = [
    "DropoutLayer", "GaussianNoiseLayer", "dropout", "dropout_channels", "dropout_locations", "spatial_dropout",
]  # fmt: skip


def seeded_streams() -> Any:
    """Return random streams with a seed from the generator of `random.get_rng`."""
    return RandomStreams(get_rng().randint(1, 2147462579))


class DropoutLayer(Layer):
    """Sets values to zero with a probability (Srivastava et al. 2014)."""

    def __init__(
        self, incoming: Any, p: Any = 0.5, rescale: bool = True, shared_axes: Iterable[int] = (), **kwargs: Any
    ) -> None:
        super().__init__(incoming, **kwargs)
        self._srng = seeded_streams()
        self.p = p
        self.rescale = rescale
        self.shared_axes = tuple(shared_axes)

    def get_output_for(self, input: Any, deterministic: bool = False, **kwargs: Any) -> Any:
        if deterministic or self.p == 0:
            return input
        kept = 1 - self.p
        if self.rescale:
            input = input / kept
        shape = input.shape if any(size is None for size in self.input_shape) else self.input_shape
        shared = {axis % input.ndim for axis in self.shared_axes}
        shape = tuple(1 if axis in shared else shape[axis] for axis in range(input.ndim)) if shared else shape
        mask = self._srng.binomial(shape, p=kept, dtype=input.dtype)
        if shared:
            mask = T.patternbroadcast(mask, tuple(isinstance(size, int) and size == 1 for size in shape))
        return input * mask


dropout = DropoutLayer


def dropout_channels(incoming: Any, *args: Any, **kwargs: Any) -> DropoutLayer:
    """Return a `DropoutLayer` that drops whole channels."""
    ndim = len(getattr(incoming, "output_shape", incoming))
    return DropoutLayer(incoming, *args, **{**kwargs, "shared_axes": tuple(range(2, ndim))})


spatial_dropout = dropout_channels


def dropout_locations(incoming: Any, *args: Any, **kwargs: Any) -> DropoutLayer:
    """Return a `DropoutLayer` that drops all channels of a place together."""
    return DropoutLayer(incoming, *args, **{**kwargs, "shared_axes": (1,)})


class GaussianNoiseLayer(Layer):
    """Adds normally distributed values."""

    def __init__(self, incoming: Any, sigma: Any = 0.1, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self._srng = seeded_streams()
        self.sigma = sigma

    def get_output_for(self, input: Any, deterministic: bool = False, **kwargs: Any) -> Any:
        if deterministic or self.sigma == 0:
            return input
        return input + self._srng.normal(input.shape, avg=0.0, std=self.sigma)
