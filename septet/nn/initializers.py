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
DISTRIBUTIONS = ("normal", "uniform", "truncated_normal")
TRUNCATED_STD = 0.8796256610342398
"""The standard deviation of a normal distribution within two standard deviations of its mean."""


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
    distribution : {"normal", "uniform", "truncated_normal"}
        The last one leaves out what lies beyond two standard deviations, and is stretched so that the variance stays.

    Raises
    ------
    ArgumentError
        For another mode or distribution, or a scale that is not positive.
    """
    if mode not in ("fan_in", "fan_out", "fan_average") or distribution not in DISTRIBUTIONS or not scale > 0:
        raise ArgumentError(
            f"variance_scaling: got scale={scale!r}, mode={mode!r}, distribution={distribution!r}; the scale is above "
            f"0, the modes are fan_in, fan_out, fan_average, the distributions {', '.join(DISTRIBUTIONS)}"
        )

    def draw(shape: tuple[int, ...], dtype: Any) -> Any:
        fan_in, fan_out = fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_average": (fan_in + fan_out) / 2}[mode]
        std = math.sqrt(scale / max(fan, 1))
        if distribution == "normal":
            return random.normal(shape, 0.0, std, dtype)
        if distribution == "truncated_normal":
            return random.truncated_normal(shape, -2.0, 2.0, 0.0, std / TRUNCATED_STD, dtype)
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


def identity(gain: float = 1.0) -> Initializer:
    """Return the initializer of the identity matrix times a gain; a matrix that is not square has zeros beside it.

    Raises
    ------
    ShapeError
        When the shape is not that of a matrix.

    Source
    ------
    Q. V. Le, N. Jaitly, G. E. Hinton, A simple way to initialize recurrent networks of rectified linear units, 2015.
    """

    def initialize(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        if len(shape) != 2:
            raise ShapeError(f"identity: needs a matrix, got shape {shape}")
        return (gain * np.eye(*shape)).astype(dtype)

    return initialize


def dirac(groups: int = 1) -> Initializer:
    """Return the initializer of convolutions that hand their channels on: 1 in the middle of the window, 0 elsewhere.

    Parameters
    ----------
    groups : int
        That of the convolution.

    Raises
    ------
    ShapeError
        When the shape is not that of a kernel (out, in / groups, window ...), or `groups` does not divide the channels.

    Source
    ------
    S. Zagoruyko, N. Komodakis, DiracNets, 2017.
    """

    def initialize(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        if len(shape) < 3 or shape[0] % groups:
            raise ShapeError(f"dirac: needs a kernel whose first size {groups} groups divide, got shape {shape}")
        array = np.zeros(shape, dtype)
        middle = tuple(size // 2 for size in shape[2:])
        per_group = shape[0] // groups
        for filter_ in range(shape[0]):
            channel = filter_ % per_group
            if channel < shape[1]:
                array[(filter_, channel, *middle)] = 1
        return array

    return initialize


def sparse(nonzero: int | float = 0.1, std: float = 0.01) -> Initializer:
    """Return the initializer that draws a few weights of each unit from a normal distribution; the others are 0.

    Parameters
    ----------
    nonzero : int or float
        How many of the weights that go into a unit (axis 0 of a matrix), or which share of them.
    std : float

    Raises
    ------
    ArgumentError
        If it is neither a share from 0 to 1 nor a number of at least 1.
    ShapeError
        When the shape is not that of a matrix.

    Source
    ------
    J. Martens, Deep learning via Hessian-free optimization, 2010, section 5.
    """
    is_count = isinstance(nonzero, int) and not isinstance(nonzero, bool)
    if not (nonzero >= 1 if is_count else isinstance(nonzero, float) and 0 <= nonzero <= 1):
        raise ArgumentError(f"sparse: nonzero is a number of at least 1 or a share from 0 to 1, got {nonzero!r}")

    def initialize(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        if len(shape) != 2:
            raise ShapeError(f"sparse: needs a matrix, got shape {shape}")
        kept = min(int(nonzero) if is_count else math.ceil(nonzero * shape[0]), shape[0])
        with outside_traces():
            values = random.normal(shape, 0.0, std, dtype).numpy()
            places = random.uniform(shape).numpy()
        order = np.argsort(np.argsort(places, axis=0), axis=0)
        return np.where(order < kept, values, 0).astype(dtype)

    return initialize


def values(array: Any) -> Initializer:
    """Return the initializer that gives known values.

    Parameters
    ----------
    array : array-like
        Of the shape of the variable.
    """
    return lambda shape, dtype: np.array(array, dtype)


GAINS = {
    "linear": 1.0, "sigmoid": 1.0, "softmax": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4,
    "elu": 1.2452, "silu": 1.6768, "gelu": 1.5338, "mish": 1.4871,
}  # fmt: skip


def gain(activation: str, slope: float = 0.01) -> float:
    """Return by how much weights must be larger before an activation, so that the variance stays.

    Parameters
    ----------
    activation : str
    slope : float
        Of "leaky_relu".

    Raises
    ------
    ArgumentError
        If no gain is known for it.

    Source
    ------
    As torch.nn.init.calculate_gain; for elu, silu, gelu and mish, 1 / sqrt(E[f(x)^2]) for normal x.

    Examples
    --------
    >>> gain("relu")
    1.4142135623730951
    """
    if activation == "leaky_relu":
        return math.sqrt(2 / (1 + slope**2))
    if activation not in GAINS:
        raise ArgumentError(
            f"gain: none is known for {activation!r}.{did_you_mean(str(activation), GAINS)} They are known for "
            f"{', '.join(GAINS)}, leaky_relu"
        )
    return GAINS[activation]


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
    "identity": identity(),
    "dirac": dirac(),
    "sparse": sparse(),
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
