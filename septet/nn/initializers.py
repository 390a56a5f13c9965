"""Initial values of parameters, drawn from the default generator (or one that is given)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError
from septet.base.text import nearest
from septet.tensor import random

Initializer = Callable[[Sequence[int]], np.ndarray]


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Return fan-in and fan-out: (in, out) matrices; kernels (out, in, *sizes)."""
    if len(shape) < 2:
        size = int(shape[0]) if shape else 1
        return size, size
    if len(shape) == 2:
        return int(shape[0]), int(shape[1])
    field = math.prod(shape[2:])
    return int(shape[1]) * field, int(shape[0]) * field


def constant(value: float = 0.0) -> Initializer:
    """Fill with one value."""
    return lambda shape: np.full(tuple(shape), value, np.float32)


def zeros() -> Initializer:
    """Fill with zeros."""
    return constant(0.0)


def ones() -> Initializer:
    """Fill with ones."""
    return constant(1.0)


def normal(std: float = 0.05, mean: float = 0.0) -> Initializer:
    """Draw from a normal distribution."""
    return lambda shape: random.normal(tuple(shape), mean, std).numpy()


def uniform(limit: float = 0.05) -> Initializer:
    """Draw uniformly from (-limit, limit)."""
    return lambda shape: random.uniform(tuple(shape), -limit, limit).numpy()


def truncated_normal(std: float = 0.05) -> Initializer:
    """Draw from a normal distribution cut off at two standard deviations."""
    return lambda shape: random.truncated_normal(tuple(shape)).numpy() * np.float32(std)


def _scaled(variance: Callable[[int, int], float], is_uniform: bool) -> Initializer:
    def draw(shape: Sequence[int]) -> np.ndarray:
        std = math.sqrt(variance(*fans(shape)))
        return uniform(math.sqrt(3.0) * std)(shape) if is_uniform else normal(std)(shape)

    return draw


def glorot_uniform() -> Initializer:
    """Uniform with variance 2 / (fan-in + fan-out) (Glorot & Bengio 2010, equation 16)."""
    return _scaled(lambda i, o: 2.0 / (i + o), True)


def glorot_normal() -> Initializer:
    """Normal with variance 2 / (fan-in + fan-out) (Glorot & Bengio 2010, equation 12)."""
    return _scaled(lambda i, o: 2.0 / (i + o), False)


def he_uniform() -> Initializer:
    """Uniform with variance 2 / fan-in (He et al. 2015)."""
    return _scaled(lambda i, o: 2.0 / i, True)


def he_normal() -> Initializer:
    """Normal with variance 2 / fan-in (He et al. 2015, equation 10)."""
    return _scaled(lambda i, o: 2.0 / i, False)


def lecun_uniform() -> Initializer:
    """Uniform with variance 1 / fan-in (LeCun et al. 1998)."""
    return _scaled(lambda i, o: 1.0 / i, True)


def lecun_normal() -> Initializer:
    """Normal with variance 1 / fan-in (LeCun et al. 1998)."""
    return _scaled(lambda i, o: 1.0 / i, False)


def orthogonal(gain: float = 1.0) -> Initializer:
    """Orthogonal rows or columns (Saxe et al. 2014)."""

    def draw(shape: Sequence[int]) -> np.ndarray:
        if len(shape) < 2:
            raise ArgumentError(f"orthogonal needs at least two axes, got shape {tuple(shape)}")
        rows, columns = int(shape[0]), math.prod(shape[1:])
        q, r = np.linalg.qr(random.normal((max(rows, columns), min(rows, columns))).numpy().astype(np.float64))
        q = q * np.sign(np.diagonal(r))
        return (gain * (q if rows >= columns else q.T)).reshape(tuple(shape)).astype(np.float32)

    return draw


BY_NAME: dict[str, Callable[[], Initializer]] = {
    "zeros": zeros, "ones": ones, "normal": normal, "uniform": uniform, "truncated_normal": truncated_normal,
    "glorot_uniform": glorot_uniform, "glorot_normal": glorot_normal, "he_uniform": he_uniform, "he_normal": he_normal,
    "lecun_uniform": lecun_uniform, "lecun_normal": lecun_normal, "orthogonal": orthogonal,
}  # fmt: skip


def get(value: Any) -> Initializer:
    """Return the initializer that a name, a number or a function stands for."""
    if callable(value):
        return value
    if isinstance(value, (int, float)):
        return constant(float(value))
    if value in BY_NAME:
        return BY_NAME[value]()
    near = nearest(str(value), BY_NAME)
    raise ArgumentError(
        f"there is no initializer {value!r}; there are {', '.join(BY_NAME)}", hint=f"did you mean {near!r}?" if near else None
    )
