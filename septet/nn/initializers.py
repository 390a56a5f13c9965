"""Initializers: the first values of parameters, drawn from the default generator.

An initializer is a function ``(shape, dtype) -> numpy.ndarray``. Layers take one of the names in `INITIALIZERS`, or any
such function: ``nn.Dense(10, kernel_initializer=initializers.normal(std=0.02))``.

The *fans* of a shape count the inputs and outputs of one unit: of a matrix (in, out) its two sizes; of a convolution's
kernel (out, in / groups, window ...) the channels times the size of the window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import did_you_mean
from septet.graph.context import context, recording
from septet.tensor import random

Initializer = Callable[[tuple[int, ...], Any], np.ndarray]


@contextmanager
def outside_traces() -> Iterator[None]:
    """Compute at once, even while a function is traced: first values belong to no graph."""
    trace, context.trace = context.trace, None
    try:
        with recording(False):
            yield
    finally:
        context.trace = trace


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (fan in, fan out) of a shape.

    Examples
    --------
    >>> fans((784, 10)), fans((32, 3, 5, 5)), fans((7,))
    ((784, 10), (75, 800), (7, 7))
    """
    if not shape:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    if len(shape) == 2:
        return shape[0], shape[1]
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def constant(value: float = 0.0) -> Initializer:
    """Return the initializer that fills with one value."""
    return lambda shape, dtype: np.full(shape, value, dtype)


def normal(mean: float = 0.0, std: float = 0.05) -> Initializer:
    """Return the initializer that draws from a normal distribution."""
    return _drawing(lambda shape, dtype: random.normal(shape, mean, std, dtype))


def uniform(low: float = -0.05, high: float = 0.05) -> Initializer:
    """Return the initializer that draws from `low` to below `high`."""
    return _drawing(lambda shape, dtype: random.uniform(shape, low, high, dtype))


def truncated_normal(mean: float = 0.0, std: float = 0.05) -> Initializer:
    """Return the initializer that draws from a normal distribution within two standard deviations of its mean."""
    return _drawing(lambda shape, dtype: random.truncated_normal(shape, -2.0, 2.0, mean, std, dtype))


def variance_scaling(scale: float, mode: str = "fan_in", distribution: str = "normal") -> Initializer:
    """Return the initializer whose variance is ``scale / fan``.

    Parameters
    ----------
    scale : float
        Above 0.
    mode : {"fan_in", "fan_out", "fan_average"}
        Which fan divides.
    distribution : {"normal", "uniform"}

    Raises
    ------
    ArgumentError
        For another mode or distribution, or a scale that is not positive.
    """
    if mode not in ("fan_in", "fan_out", "fan_average") or distribution not in ("normal", "uniform") or not scale > 0:
        raise ArgumentError(
            f"variance_scaling: got scale={scale!r}, mode={mode!r}, distribution={distribution!r}; the scale is above "
            "0, the modes are fan_in, fan_out, fan_average, the distributions normal, uniform"
        )

    def draw(shape: tuple[int, ...], dtype: Any) -> Any:
        fan_in, fan_out = fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_average": (fan_in + fan_out) / 2}[mode]
        std = math.sqrt(scale / max(fan, 1))
        if distribution == "normal":
            return random.normal(shape, 0.0, std, dtype)
        limit = math.sqrt(3.0) * std
        return random.uniform(shape, -limit, limit, dtype)

    return _drawing(draw)


def glorot_uniform() -> Initializer:
    """Return the uniform initializer with variance 2 / (fan in + fan out).

    Source
    ------
    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010,
    equation 16.
    """
    return variance_scaling(1.0, "fan_average", "uniform")


def glorot_normal() -> Initializer:
    """Return the normal initializer with variance 2 / (fan in + fan out) (Glorot & Bengio 2010, equation 12)."""
    return variance_scaling(1.0, "fan_average", "normal")


def he_uniform() -> Initializer:
    """Return the uniform initializer with variance 2 / fan in (He et al. 2015)."""
    return variance_scaling(2.0, "fan_in", "uniform")


def he_normal() -> Initializer:
    """Return the normal initializer with variance 2 / fan in.

    Source
    ------
    K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", 2015, equation 10.
    """
    return variance_scaling(2.0, "fan_in", "normal")


def lecun_uniform() -> Initializer:
    """Return the uniform initializer with variance 1 / fan in (LeCun et al. 1998, Efficient BackProp, 4.6)."""
    return variance_scaling(1.0, "fan_in", "uniform")


def lecun_normal() -> Initializer:
    """Return the normal initializer with variance 1 / fan in (LeCun et al. 1998, Efficient BackProp, 4.6)."""
    return variance_scaling(1.0, "fan_in", "normal")


def orthogonal(gain: float = 1.0) -> Initializer:
    """Return the initializer that draws (semi-)orthogonal matrices; axes after the first count as one.

    Raises
    ------
    ShapeError
        When the shape has fewer than two axes.

    Source
    ------
    A. M. Saxe, J. L. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", 2014. The signs make the distribution uniform: F. Mezzadri, "How to generate random matrices from
    the classical compact groups", 2007.
    """

    def initialize(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        if len(shape) < 2:
            raise ShapeError(f"orthogonal: needs at least two axes, got shape {shape}")
        rows, columns = shape[0], math.prod(shape[1:])
        with outside_traces():
            draw = random.normal((max(rows, columns), min(rows, columns)), dtype=np.float64).value
        q, r = np.linalg.qr(draw)
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(dtype)

    return initialize


def _drawing(draw: Callable[[tuple[int, ...], Any], Any]) -> Initializer:
    """Make an initializer of a function that returns a random tensor."""

    def initialize(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        with outside_traces():
            return draw(tuple(shape), dtype).numpy()

    return initialize


zeros = constant(0.0)
ones = constant(1.0)

INITIALIZERS: dict[str, Initializer] = {
    "zeros": zeros,
    "ones": ones,
    "normal": normal(),
    "uniform": uniform(),
    "truncated_normal": truncated_normal(),
    "glorot_uniform": glorot_uniform(),
    "glorot_normal": glorot_normal(),
    "xavier_uniform": glorot_uniform(),
    "xavier_normal": glorot_normal(),
    "he_uniform": he_uniform(),
    "he_normal": he_normal(),
    "kaiming_uniform": he_uniform(),
    "kaiming_normal": he_normal(),
    "lecun_uniform": lecun_uniform(),
    "lecun_normal": lecun_normal(),
    "orthogonal": orthogonal(),
}


def get(initializer: str | Initializer) -> Initializer:
    """Return the initializer of a name, or the function that was given.

    Raises
    ------
    ArgumentError
        When there is no initializer of that name.
    """
    if callable(initializer):
        return initializer
    if initializer not in INITIALIZERS:
        raise ArgumentError(
            f"initializer {initializer!r} does not exist.{did_you_mean(str(initializer), INITIALIZERS)} "
            f"The initializers are {', '.join(INITIALIZERS)}, or any function (shape, dtype) -> array"
        )
    return INITIALIZERS[initializer]
