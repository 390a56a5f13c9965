"""Layers that only change the shape."""

from __future__ import annotations

import math
from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn.module import Module
from septet.nn.sizes import check_count
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor


class Flatten(Module):
    """Join all axes after the first: (B, ...) to (B, C).

    Shape
    -----
    x (B, ...), result (B, C).

    Examples
    --------
    >>> import septet as st
    >>> Flatten()(st.tensor([[[1.0, 2.0], [3.0, 4.0]]])).tolist()
    [[1.0, 2.0, 3.0, 4.0]]

    Elsewhere
    ---------
    Keras ``Flatten``, Lasagne ``FlattenLayer``, PyTorch ``Flatten``.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 1:
            raise ShapeError(f"{self.label}: a scalar has no axis of examples")
        rest = x.type.shape[1:]
        return x.reshape(x.shape[0], -1 if None in rest else math.prod(rest))


class Reshape(Module):
    """Give each example another shape: (B, ...) to (B, *shape).

    Parameters
    ----------
    shape : tuple of int
        One size may be -1: what is left.

    Shape
    -----
    x (B, ...), result (B, *shape).

    Examples
    --------
    >>> import septet as st
    >>> Reshape((2, -1))(st.ones((5, 6))).shape
    (5, 2, 3)

    Elsewhere
    ---------
    Keras ``Reshape``, Lasagne ``ReshapeLayer``, PyTorch ``Unflatten``.
    """

    def __init__(self, shape: Any) -> None:
        self.shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
        if not all(isinstance(size, int) and size >= -1 for size in self.shape) or self.shape.count(-1) > 1:
            raise ArgumentError(f"Reshape: shape must hold integers, one of which may be -1, got {shape!r}")

    def forward(self, x: Tensor) -> Tensor:
        rest = x.type.shape[1:]
        shape = self.shape
        if -1 in shape and None not in rest:
            others = math.prod(size for size in shape if size != -1)
            left = math.prod(rest) // others if others else 0
            shape = tuple(left if size == -1 else size for size in shape)
        return x.reshape(x.shape[0], *shape)

    def extra(self) -> str:
        return f"{self.shape}"


class Permute(Module):
    """Bring the axes of each example into another order.

    Parameters
    ----------
    axes : tuple of int
        The axes of x in the order of the result, counted from 1: axis 0, that of the examples, stays.

    Shape
    -----
    x (B, ...), result (B, ...).

    Examples
    --------
    >>> import septet as st
    >>> Permute((2, 1))(st.ones((5, 3, 4))).shape
    (5, 4, 3)

    Elsewhere
    ---------
    Keras ``Permute``, Lasagne ``DimshuffleLayer``.
    """

    def __init__(self, axes: Any) -> None:
        self.axes = tuple(axes) if isinstance(axes, (tuple, list)) else (axes,)
        if sorted(self.axes) != list(range(1, len(self.axes) + 1)):
            raise ArgumentError(f"Permute: axes must hold 1, 2, 3 ... once each, in any order, got {axes!r}")

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != len(self.axes) + 1:
            raise ShapeError(
                f"{self.label}: takes {len(self.axes)} axes after that of the examples, got shape "
                f"{shape_text(x.type.shape)}"
            )
        return f.permute_dims(x, (0, *self.axes))

    def extra(self) -> str:
        return f"{self.axes}"


class RepeatVector(Module):
    """Repeat each vector: (B, C) to (B, count, C).

    Parameters
    ----------
    count : int

    Shape
    -----
    x (B, C), result (B, count, C).

    Examples
    --------
    >>> import septet as st
    >>> RepeatVector(3)(st.tensor([[1.0, 2.0]])).tolist()
    [[[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]]

    Elsewhere
    ---------
    Keras ``RepeatVector``.
    """

    def __init__(self, count: int) -> None:
        self.count = check_count("RepeatVector", "count", count)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 2:
            raise ShapeError(f"{self.label}: takes (B, C), got shape {shape_text(x.type.shape)}")
        return f.broadcast_to(x.expand_dims(1), (x.shape[0], self.count, x.shape[1]))

    def extra(self) -> str:
        return f"{self.count}"


class Slice(Module):
    """Take a part of an axis, or one place of it.

    Parameters
    ----------
    indices : int or slice
        An int takes the axis away.
    axis : int

    Shape
    -----
    x (..., C, ...), result the same with a smaller axis, or without it.

    Examples
    --------
    >>> import septet as st
    >>> Slice(-1, axis=1)(st.ones((2, 5, 3))).shape, Slice(slice(0, 2))(st.ones((2, 5, 3))).shape
    ((2, 3), (2, 5, 2))

    Elsewhere
    ---------
    Lasagne ``SliceLayer``.
    """

    def __init__(self, indices: int | slice, axis: int = -1) -> None:
        if isinstance(indices, bool) or not isinstance(indices, (int, slice)):
            raise ArgumentError(f"Slice: indices is an integer or a slice, got {indices!r}")
        self.indices = indices
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        if not -x.ndim <= self.axis < x.ndim:
            raise ShapeError(f"{self.label}: there is no axis {self.axis} in shape {shape_text(x.type.shape)}")
        return x[(slice(None),) * (self.axis % x.ndim) + (self.indices,)]

    def extra(self) -> str:
        return f"{self.indices}, axis={self.axis}"
