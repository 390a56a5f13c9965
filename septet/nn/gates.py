"""Gated layers: what goes through is decided by what comes in."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ShapeError
from septet.base.text import shape_text
from septet.nn import activation as activations
from septet.nn import initializers
from septet.nn.module import Module
from septet.nn.sizes import check_count, static_size
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class GLU(Module):
    """Multiply one half of the channels by the sigmoid of the other.

    Parameters
    ----------
    axis : int
        Its size is even.

    Shape
    -----
    x (..., 2 C, ...), result (..., C, ...).

    Source
    ------
    Y. N. Dauphin et al., Language modeling with gated convolutional networks, 2017, section 3.

    Examples
    --------
    >>> import septet as st
    >>> GLU()(st.tensor([[3.0, 0.0]])).tolist()
    [[1.5]]

    Elsewhere
    ---------
    PyTorch ``GLU``.
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        return f.glu(x, axis=self.axis)

    def extra(self) -> str:
        return f"axis={self.axis}"


class GatedDense(Module):
    """Compute ``gate(x @ gate_kernel + gate_bias) * (x @ kernel + bias)``: a gated linear unit with weights.

    Parameters
    ----------
    units : int
    gate : str or callable
        "sigmoid" (GLU), "silu" (SwiGLU), "gelu" (GEGLU), "relu" (ReGLU) ...
    use_bias : bool
    kernel_initializer, bias_initializer : str or callable

    Shape
    -----
    x (..., C), result (..., units); kernel, gate_kernel (C, units), bias, gate_bias (units,).

    Source
    ------
    N. Shazeer, GLU variants improve transformer, 2020, equations 5 and 6.

    Examples
    --------
    >>> import septet as st
    >>> GatedDense(3, "silu")(st.ones((2, 5))).shape
    (2, 3)

    Elsewhere
    ---------
    PyTorch ``GLU`` after ``Linear``.
    """

    kernel: Variable
    gate_kernel: Variable

    def __init__(
        self, units: int, gate: Any = "sigmoid", *, use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        self.units = check_count("GatedDense", "units", units)
        self.gate = activations.check("GatedDense", gate)
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer

    def build(self, x: Tensor) -> None:
        size = static_size(x, -1, self)
        for prefix in ("", "gate_"):
            self.variable(f"{prefix}kernel", (size, self.units), self.kernel_initializer)
            if self.use_bias:
                self.variable(f"{prefix}bias", (self.units,), self.bias_initializer, role="bias")

    def forward(self, x: Tensor) -> Tensor:
        value, gate = x @ self.kernel, x @ self.gate_kernel  # (..., units)
        if self.use_bias:
            value, gate = value + self.bias, gate + self.gate_bias
        return activations.apply(self.gate, gate) * value

    def extra(self) -> str:
        return f"{self.units}, {self.gate!r}"


class Highway(Module):
    """Let a learned gate choose, element by element, between the input and a layer of it.

    Parameters
    ----------
    activation : str or callable
    first_gate_bias : float
        What the bias of the gate begins with: below 0, most goes through as it is.
    kernel_initializer : str or callable

    Shape
    -----
    x (..., C), result the same; kernel, gate_kernel (C, C), bias, gate_bias (C,).

    Source
    ------
    R. K. Srivastava, K. Greff, J. Schmidhuber, Highway networks, 2015, equation 3.

    Examples
    --------
    >>> import septet as st
    >>> Highway()(st.ones((2, 5))).shape
    (2, 5)

    Elsewhere
    ---------
    Keras 1 ``Highway``.
    """

    kernel: Variable
    gate_kernel: Variable

    def __init__(
        self, activation: Any = "relu", *, first_gate_bias: float = -2.0, kernel_initializer: Any = "glorot_uniform"
    ) -> None:
        self.activation = activations.check("Highway", activation)
        self.first_gate_bias = float(first_gate_bias)
        self.kernel_initializer = kernel_initializer

    def build(self, x: Tensor) -> None:
        size = static_size(x, -1, self)
        self.variable("kernel", (size, size), self.kernel_initializer)
        self.variable("bias", (size,), "zeros", role="bias")
        self.variable("gate_kernel", (size, size), self.kernel_initializer)
        self.variable("gate_bias", (size,), initializers.constant(self.first_gate_bias), role="bias")

    def forward(self, x: Tensor) -> Tensor:
        if x.type.shape[-1] != self.kernel.type.shape[0]:
            size = self.kernel.type.shape[0]
            raise ShapeError(f"{self.label}: takes (..., {size}), got shape {shape_text(x.type.shape)}")
        gate = (x @ self.gate_kernel + self.gate_bias).sigmoid()  # (..., C)
        value = activations.apply(self.activation, x @ self.kernel + self.bias)
        return value * gate + x * (1.0 - gate)

    def extra(self) -> str:
        return f"{self.activation!r}"
