"""Learned biases and scales by themselves, and standardization by fixed numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn.module import Module
from septet.nn.sizes import static_size
from septet.tensor.creation import tensor
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class _PerAxis(Module):
    """What layers with one number for each place along some axes share."""

    axes: tuple[int, ...]

    def __init__(self, axes: Any) -> None:
        self.axes = tuple(axes) if isinstance(axes, (tuple, list)) else (axes,)
        if not all(isinstance(axis, int) for axis in self.axes):
            raise ArgumentError(f"{type(self).__name__}: axes is an integer or several, got {axes!r}")

    def _sizes(self, x: Tensor) -> tuple[int, ...]:
        return tuple(static_size(x, axis, self) for axis in self.axes)

    def _spread(self, x: Tensor, variable: Variable) -> Tensor:
        """Return a variable with an axis for each axis of x."""
        if any(not -x.ndim <= axis < x.ndim for axis in self.axes):
            raise ShapeError(f"{self.label}: axes {self.axes} do not all exist in shape {shape_text(x.type.shape)}")
        own = {axis % x.ndim: size for axis, size in zip(self.axes, variable.type.shape, strict=True)}
        return variable.reshape(tuple(own.get(axis, 1) for axis in range(x.ndim)))

    def extra(self) -> str:
        return f"axes={self.axes}"


class Bias(_PerAxis):
    """Add a learned number for each place along some axes, by default the channels.

    Parameters
    ----------
    axes : int or tuple of int
        In rising order.
    initializer : str or callable

    Shape
    -----
    x (B, C, ...), result the same; bias (C,).

    Examples
    --------
    >>> import septet as st
    >>> Bias(initializer="ones")(st.tensor([[1.0, 5.0]])).tolist()
    [[2.0, 6.0]]

    Elsewhere
    ---------
    Lasagne ``BiasLayer``.
    """

    bias: Variable

    def __init__(self, axes: Any = 1, *, initializer: Any = "zeros") -> None:
        super().__init__(axes)
        self.initializer = initializer

    def build(self, x: Tensor) -> None:
        self.variable("bias", self._sizes(x), self.initializer, role="bias")

    def forward(self, x: Tensor) -> Tensor:
        return x + self._spread(x, self.bias)


class Scale(_PerAxis):
    """Multiply by a learned number for each place along some axes, by default the channels.

    Parameters
    ----------
    axes : int or tuple of int
        In rising order.
    initializer : str or callable

    Shape
    -----
    x (B, C, ...), result the same; scale (C,).

    Examples
    --------
    >>> import septet as st
    >>> Scale()(st.tensor([[1.0, 5.0]])).tolist()
    [[1.0, 5.0]]

    Elsewhere
    ---------
    Lasagne ``ScaleLayer``.
    """

    scale: Variable

    def __init__(self, axes: Any = 1, *, initializer: Any = "ones") -> None:
        super().__init__(axes)
        self.initializer = initializer

    def build(self, x: Tensor) -> None:
        self.variable("scale", self._sizes(x), self.initializer, role="scale")

    def forward(self, x: Tensor) -> Tensor:
        return x * self._spread(x, self.scale)


class Standardize(Module):
    """Subtract a mean and divide by a standard deviation that are given, or those of each example.

    Parameters
    ----------
    mean, std : number or sequence, optional
        One for each channel (axis 1), or for all. Without them, those of each example.
    epsilon : float
        Added to the variance of an example.

    Shape
    -----
    x (B, C, ...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> Standardize([1.0, 2.0], 2.0)(st.tensor([[3.0, 4.0]])).tolist()
    [[1.0, 1.0]]

    Elsewhere
    ---------
    Keras ``Normalization``, Lasagne ``StandardizationLayer``.
    """

    def __init__(self, mean: Any = None, std: Any = None, epsilon: float = 1e-5) -> None:
        if (mean is None) != (std is None):
            raise ArgumentError("Standardize: takes both mean and std, or none of them")
        self.mean = _numbers("mean", mean)
        self.std = _numbers("std", std)
        if self.std is not None and not all(number > 0 for number in self.std):
            raise ArgumentError(f"Standardize: std must be above 0, got {std!r}")
        self.epsilon = float(epsilon)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 2:
            raise ShapeError(f"{self.label}: takes (B, C, ...), got shape {shape_text(x.type.shape)}")
        if self.mean is None or self.std is None:
            mean, variance = f.moments(x, tuple(range(1, x.ndim)), keepdims=True)
            return f.normalize(x, mean, variance, epsilon=self.epsilon)
        return (x - self._channels(x, self.mean)) / self._channels(x, self.std)

    def _channels(self, x: Tensor, numbers: Sequence[float]) -> Any:
        if len(numbers) not in (1, x.type.shape[1]):
            raise ShapeError(
                f"{self.label}: has numbers for {len(numbers)} channels, got shape {shape_text(x.type.shape)}"
            )
        return tensor(numbers, x.dtype).reshape(-1, *(1,) * (x.ndim - 2))

    def extra(self) -> str:
        return "" if self.mean is None else f"{list(self.mean)}, {list(self.std or ())}"


def _numbers(name: str, value: Any) -> tuple[float, ...] | None:
    if value is None:
        return None
    values = value if hasattr(value, "__len__") else [value]
    try:
        return tuple(float(number) for number in values)
    except (TypeError, ValueError):
        raise ArgumentError(f"Standardize: {name} is a number or a sequence of numbers, got {value!r}") from None
