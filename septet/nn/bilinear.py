"""Bilinear: products of two inputs with a stack of matrices."""

from __future__ import annotations

from typing import Any

from septet.nn import activation as activations
from septet.nn.module import Module
from septet.nn.sizes import check_count, static_size
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class Bilinear(Module):
    """Compute ``x^T kernel[u] y + bias[u]`` for each unit u, over the last axes of two inputs.

    Parameters
    ----------
    units : int
    activation : str or callable, optional
    use_bias : bool
    kernel_initializer, bias_initializer : str or callable

    Shape
    -----
    x (..., I), y (..., J), result (..., units); kernel (units, I, J), bias (units,).

    Examples
    --------
    >>> import septet as st
    >>> Bilinear(3)(st.ones((2, 4)), st.ones((2, 5))).shape
    (2, 3)

    Elsewhere
    ---------
    PyTorch ``Bilinear``.
    """

    kernel: Variable
    bias: Variable

    def __init__(
        self, units: int, activation: Any = None, *, use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        self.units = check_count("Bilinear", "units", units)
        self.activation = activations.check("Bilinear", activation)
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer

    def build(self, x: Tensor, y: Tensor) -> None:
        shape = (self.units, static_size(x, -1, self), static_size(y, -1, self))
        self.variable("kernel", shape, self.kernel_initializer)
        if self.use_bias:
            self.variable("bias", (self.units,), self.bias_initializer, role="bias")

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        z = f.bilinear(x, y, self.kernel, self.bias if self.use_bias else None)
        return activations.apply(self.activation, z)

    def extra(self) -> str:
        return f"{self.units}" + (f", activation={self.activation!r}" if self.activation is not None else "")
