"""Pooling over features: the best, or another function, of each few neighbours along an axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn.module import Module
from septet.nn.sizes import check_count, static_size
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class _OfGroups(Module):
    """What layers over groups of neighbours share."""

    size: int
    axis: int

    def _split(self, x: Tensor) -> tuple[Tensor, int]:
        """Return x with the axis cut into groups, and the axis of what is in a group."""
        total = static_size(x, self.axis, self)
        axis = self.axis % x.ndim
        if total % self.size:
            raise ShapeError(
                f"{self.label}: axis {axis} of {shape_text(x.type.shape)} has size {total}, no multiple of {self.size}"
            )
        return x.reshape(*x.shape[:axis], total // self.size, self.size, *x.shape[axis + 1 :]), axis + 1


class FeaturePool(_OfGroups):
    """Pool each `size` neighbours along an axis: with the maximum, this is maxout.

    Parameters
    ----------
    size : int
    axis : int
    function : str or callable
        "max", "mean", "sum" and so on, or any function of (tensor, axis=).

    Shape
    -----
    x (..., C, ...), result (..., C / size, ...).

    Raises
    ------
    ShapeError
        If `size` does not divide the axis.

    Source
    ------
    I. J. Goodfellow et al., Maxout networks, 2013.

    Examples
    --------
    >>> import septet as st
    >>> FeaturePool(2)(st.tensor([[1.0, 3.0, 2.0, 0.0]])).tolist()
    [[3.0, 2.0]]

    Elsewhere
    ---------
    Lasagne ``FeaturePoolLayer``.
    """

    def __init__(self, size: int, axis: int = 1, function: str | Callable[..., Tensor] = "max") -> None:
        self.size = check_count("FeaturePool", "size", size)
        self.axis = axis
        names = ("max", "min", "mean", "sum", "prod")
        if not callable(function) and function not in names:
            raise ArgumentError(f"FeaturePool: function {function!r} is none of {', '.join(names)}, and not callable")
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        groups, axis = self._split(x)
        call = getattr(f, self.function) if isinstance(self.function, str) else self.function
        return call(groups, axis=axis)

    def extra(self) -> str:
        return f"{self.size}, axis={self.axis}"


class WinnerTakesAll(_OfGroups):
    """Keep the largest of each `size` neighbours along an axis (all of the largest, where there are several); 0 else.

    Parameters
    ----------
    size : int
    axis : int

    Shape
    -----
    x (..., C, ...), result the same.

    Source
    ------
    R. K. Srivastava et al., Compete to compute, 2013.

    Examples
    --------
    >>> import septet as st
    >>> WinnerTakesAll(2)(st.tensor([[1.0, 3.0, 2.0, 0.0]])).tolist()
    [[0.0, 3.0, 2.0, 0.0]]

    Elsewhere
    ---------
    Lasagne ``FeatureWTALayer``.
    """

    def __init__(self, size: int, axis: int = 1) -> None:
        self.size = check_count("WinnerTakesAll", "size", size)
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        groups, axis = self._split(x)
        best = f.equal(groups, groups.max(axis=axis, keepdims=True))
        return f.where(best, groups, 0.0).reshape(*x.shape)

    def extra(self) -> str:
        return f"{self.size}, axis={self.axis}"


class MaxoutDense(Module):
    """Compute the largest of several products with matrices: a learned activation, convex and linear piece by piece.

    Parameters
    ----------
    units : int
    pieces : int
        How many products each unit chooses from.
    use_bias : bool
    kernel_initializer, bias_initializer : str or callable

    Shape
    -----
    x (..., C), result (..., units); kernel (C, units * pieces), bias (units * pieces,).

    Source
    ------
    I. J. Goodfellow et al., Maxout networks, 2013.

    Examples
    --------
    >>> import septet as st
    >>> MaxoutDense(3, pieces=4)(st.ones((2, 5))).shape
    (2, 3)

    Elsewhere
    ---------
    Keras 1 ``MaxoutDense``.
    """

    kernel: Variable
    bias: Variable

    def __init__(
        self, units: int, pieces: int = 4, *, use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        self.units = check_count("MaxoutDense", "units", units)
        self.pieces = check_count("MaxoutDense", "pieces", pieces)
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer

    def build(self, x: Tensor) -> None:
        self.variable("kernel", (static_size(x, -1, self), self.units * self.pieces), self.kernel_initializer)
        if self.use_bias:
            self.variable("bias", (self.units * self.pieces,), self.bias_initializer, role="bias")

    def forward(self, x: Tensor) -> Tensor:
        y = x @ self.kernel  # (..., units * pieces)
        if self.use_bias:
            y = y + self.bias
        return f.maxout(y, self.pieces)

    def extra(self) -> str:
        return f"{self.units}, pieces={self.pieces}"
