"""Dense: a matrix product and a bias."""

from __future__ import annotations

from typing import Any

from septet.nn import activation as activations
from septet.nn.module import Module
from septet.nn.sizes import check_count, static_size
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class Dense(Module):
    """Compute ``activation(x @ kernel + bias)`` over the last axis.

    Parameters
    ----------
    units : int
        The size of the last axis of the result.
    activation : str or callable, optional
    use_bias : bool
    kernel_initializer, bias_initializer : str or callable

    Shape
    -----
    x (..., C), result (..., units); kernel (C, units), bias (units,).

    Raises
    ------
    ShapeError
        If x is a scalar, or its last size differs from that of the first input.

    Examples
    --------
    >>> import septet as st
    >>> Dense(2, kernel_initializer="ones")(st.ones((1, 3))).tolist()
    [[3.0, 3.0]]

    Elsewhere
    ---------
    Keras ``Dense``, Lasagne ``DenseLayer`` and ``NINLayer``, PyTorch ``Linear``.
    """

    kernel: Variable
    bias: Variable

    def __init__(
        self, units: int, activation: Any = None, *, use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        self.units = check_count("Dense", "units", units)
        self.activation = activations.check("Dense", activation)
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer

    def build(self, x: Tensor) -> None:
        size = static_size(x, -1, self)
        self.variable("kernel", (size, self.units), self.kernel_initializer)
        if self.use_bias:
            self.variable("bias", (self.units,), self.bias_initializer, role="bias")

    def forward(self, x: Tensor) -> Tensor:
        y = x @ self.kernel  # (..., units)
        if self.use_bias:
            y = y + self.bias
        return activations.apply(self.activation, y)

    def extra(self) -> str:
        return f"{self.units}" + (f", activation={self.activation!r}" if self.activation is not None else "")
