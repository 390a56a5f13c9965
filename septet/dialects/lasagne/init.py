"""Initial values of parameters: callables that make an array of a shape, with the generator of `random.get_rng`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.dialects.lasagne.random import get_rng
from septet.dialects.lasagne.utils import floatX


class Initializer:
    """The base of initializers: subclasses define `sample`."""

    def __call__(self, shape: Sequence[int]) -> np.ndarray:
        return self.sample(shape)

    def sample(self, shape: Sequence[int]) -> np.ndarray:
        """Return an array of a shape, of dtype floatX."""
        raise NotImplementedError


class Normal(Initializer):
    """Normally distributed values."""

    def __init__(self, std: float = 0.01, mean: float = 0.0) -> None:
        self.std = std
        self.mean = mean

    def sample(self, shape: Sequence[int]) -> np.ndarray:
        return floatX(get_rng().normal(self.mean, self.std, size=shape))


class Uniform(Initializer):
    """Uniformly distributed values, between two bounds or from ``-range`` to it; or with a mean and a deviation."""

    def __init__(self, range: Any = 0.01, std: float | None = None, mean: float = 0.0) -> None:
        if std is not None:
            low, high = mean - np.sqrt(3) * std, mean + np.sqrt(3) * std
        else:
            low, high = (-range, range) if np.ndim(range) == 0 else range
        self.range = (low, high)

    def sample(self, shape: Sequence[int]) -> np.ndarray:
        return floatX(get_rng().uniform(low=self.range[0], high=self.range[1], size=shape))


def _gain(gain: Any) -> Any:
    return np.sqrt(2) if gain == "relu" else gain


class Scaled:
    """Makes an initializer one whose standard deviation follows from the shape.

    With `c01b` shapes are those of cuda-convnet: (input channels, height, width, output channels).
    """

    def __init__(self, initializer: Callable[..., Initializer], gain: Any = 1.0, c01b: bool = False) -> None:
        self.initializer = initializer
        self.gain = _gain(gain)
        self.c01b = c01b

    def sample(self, shape: Sequence[int]) -> np.ndarray:
        if self.c01b and len(shape) != 4:
            raise RuntimeError("If c01b is True, only shapes of length 4 are accepted")
        if len(shape) < 2:
            raise RuntimeError("This initializer only works with shapes of length >= 2")
        return self.initializer(std=self.gain * self.deviation(shape)).sample(shape)

    def deviation(self, shape: Sequence[int]) -> float:
        """Return the standard deviation for gain 1."""
        raise NotImplementedError


class Glorot(Scaled, Initializer):
    """Values whose variance is 2 over the sum of the numbers of inputs and outputs (Glorot and Bengio 2010)."""

    def deviation(self, shape: Sequence[int]) -> float:
        if self.c01b:
            ends, field = shape[0] + shape[3], shape[1] * shape[2]
        else:
            ends, field = shape[0] + shape[1], np.prod(shape[2:])
        return np.sqrt(2.0 / (ends * field))


class He(Scaled, Initializer):
    """Values whose variance is 1 over the number of inputs (He et al. 2015): ``gain="relu"`` is for rectifiers."""

    def deviation(self, shape: Sequence[int]) -> float:
        if self.c01b:
            inputs = np.prod(shape[:3])
        else:
            inputs = shape[0] if len(shape) == 2 else np.prod(shape[1:])
        return np.sqrt(1.0 / inputs)


class GlorotNormal(Glorot):
    """`Glorot` with normally distributed values."""

    def __init__(self, gain: Any = 1.0, c01b: bool = False) -> None:
        super().__init__(Normal, gain, c01b)


class GlorotUniform(Glorot):
    """`Glorot` with uniformly distributed values."""

    def __init__(self, gain: Any = 1.0, c01b: bool = False) -> None:
        super().__init__(Uniform, gain, c01b)


class HeNormal(He):
    """`He` with normally distributed values."""

    def __init__(self, gain: Any = 1.0, c01b: bool = False) -> None:
        super().__init__(Normal, gain, c01b)


class HeUniform(He):
    """`He` with uniformly distributed values."""

    def __init__(self, gain: Any = 1.0, c01b: bool = False) -> None:
        super().__init__(Uniform, gain, c01b)


class Constant(Initializer):
    """One value everywhere."""

    def __init__(self, val: Any = 0.0) -> None:
        self.val = val

    def sample(self, shape: Sequence[int]) -> np.ndarray:
        return floatX(np.ones(shape) * self.val)


class Sparse(Initializer):
    """A matrix in which a share of each column is normally distributed and the rest is zero (Martens 2010)."""

    def __init__(self, sparsity: float = 0.1, std: float = 0.01) -> None:
        self.sparsity = sparsity
        self.std = std

    def sample(self, shape: Sequence[int]) -> np.ndarray:
        if len(shape) != 2:
            raise RuntimeError("sparse initializer only works with shapes of length 2")
        rows, columns = shape
        count = int(self.sparsity * rows)
        values = floatX(np.zeros(shape))
        for column in range(columns):
            order = np.arange(rows)
            get_rng().shuffle(order)
            values[order[:count], column] = get_rng().normal(0.0, self.std, size=count)
        return values


class Orthogonal(Initializer):
    """A matrix with orthonormal rows or columns, times a gain (Saxe et al. 2014); axes after the first count as one."""

    def __init__(self, gain: Any = 1.0) -> None:
        self.gain = _gain(gain)

    def sample(self, shape: Sequence[int]) -> np.ndarray:
        if len(shape) < 2:
            raise RuntimeError("Only shapes of length 2 or more are supported.")
        flat = (shape[0], int(np.prod(shape[1:])))
        left, _, right = np.linalg.svd(get_rng().normal(0.0, 1.0, flat), full_matrices=False)
        basis = left if left.shape == flat else right
        return floatX(self.gain * basis.reshape(shape))
