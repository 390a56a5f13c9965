"""Activations with variables of their own, or random ones: leaky rectifiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.graph.op import ops
from septet.nn import initializers
from septet.nn.activation import call
from septet.nn.module import Module
from septet.nn.sizes import static_size
from septet.nn.updates import check_updates
from septet.tensor import random
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class PReLU(Module):
    """x where it is positive, else slope * x with learned slopes.

    Parameters
    ----------
    shared_axes : sequence of int or "space"
        Axes along which a slope is shared, besides that of the examples; "space" is all after that of the channels.
    initializer : str or callable
        Of the slopes.

    Shape
    -----
    x (B, C, ...), result the same; slope (C, ...) with 1 in place of the shared axes.

    Source
    ------
    K. He, X. Zhang, S. Ren, J. Sun, Delving deep into rectifiers, 2015, equation 1.

    Examples
    --------
    >>> import septet as st
    >>> PReLU()(st.tensor([[-4.0, 4.0]])).tolist()
    [[-1.0, 4.0]]

    Elsewhere
    ---------
    Keras ``PReLU``, Lasagne ``ParametricRectifierLayer`` and ``prelu``, PyTorch ``PReLU``.
    """

    slope: Variable

    def __init__(self, shared_axes: Sequence[int] | str = "space", *, initializer: Any = None) -> None:
        if isinstance(shared_axes, str) and shared_axes != "space":
            raise ArgumentError(f"PReLU: shared_axes is 'space' or a sequence of integers, got {shared_axes!r}")
        self.shared_axes = shared_axes if isinstance(shared_axes, str) else tuple(shared_axes)
        self.initializer = initializers.constant(0.25) if initializer is None else initializer

    def build(self, x: Tensor) -> None:
        axes = range(2, x.ndim) if isinstance(self.shared_axes, str) else self.shared_axes
        shared = {axis % x.ndim for axis in axes}
        shape = tuple(1 if axis in shared else static_size(x, axis, self) for axis in range(1, x.ndim))
        self.variable("slope", shape, self.initializer)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != self.slope.ndim + 1:
            raise ShapeError(f"{self.label}: was made for {self.slope.ndim + 1} axes, got {shape_text(x.type.shape)}")
        return call("leaky_relu", x, slope=self.slope.node)

    def extra(self) -> str:
        return "" if self.shared_axes == "space" else f"shared_axes={self.shared_axes}"


class RReLU(Module):
    """x where it is positive, else slope * x with a slope drawn anew for each element while training.

    Parameters
    ----------
    low, high : float
        Between which the slopes are drawn evenly; in evaluation the slope is their mean.
    generator : Generator, optional

    Shape
    -----
    x (...), result the same.

    Source
    ------
    B. Xu et al., Empirical evaluation of rectified activations in convolutional network, 2015.

    Examples
    --------
    >>> import septet as st
    >>> RReLU(0.25, 0.5).eval()(st.tensor([-2.0, 0.5, 8.0])).tolist()
    [-0.75, 0.5, 8.0]

    Elsewhere
    ---------
    Lasagne ``RandomizedRectifierLayer`` and ``rrelu``, PyTorch ``RReLU``.
    """

    def __init__(self, low: float = 1 / 8, high: float = 1 / 3, generator: Any = None) -> None:
        if not 0 <= low <= high:
            raise ArgumentError(f"RReLU: low must be at least 0 and at most high, got low={low!r}, high={high!r}")
        self.low, self.high = float(low), float(high)
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.is_training:
            return call("leaky_relu", x, slope=(self.low + self.high) / 2)
        check_updates(self.label, x)
        slope = random.uniform(x.shape, self.low, self.high, x.dtype, self.generator)
        return Tensor(ops.where(ops.greater(x.node, 0.0), x.node, (x * slope).node))

    def extra(self) -> str:
        return f"{self.low}, {self.high}"
