"""The cells RNNCell, LSTMCell and GRUCell: they hold the parameters of the functions in `ops.composite.recurrent`."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.nn import activation as activations
from septet.nn import initializers
from septet.nn.recurrent.cell import Cell
from septet.nn.sizes import check_count, check_share, static_size
from septet.ops.composite import recurrent
from septet.ops.creation import zeros
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable
from septet.tensor.wrap import unwrap


def function_of(activation: Any) -> Any:
    """Return an activation as functions of nodes take it."""
    if activation is None or isinstance(activation, str):
        return activation
    return lambda x: unwrap(activation(Tensor(x)))


def _seen(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """Return what of a state its product sees."""
    return hidden if mask is None else hidden * mask


class _Gated(Cell):
    """What the three cells share: a kernel, a recurrent kernel and a bias for some gates side by side."""

    rank = 1
    state_names = ("hidden",)
    output_is_state = True
    gates = 1
    kernel: Variable
    recurrent_kernel: Variable
    bias: Variable

    def __init__(
        self, units: int, activation: Any, use_bias: bool, recurrent_dropout: float, kernel_initializer: Any,
        recurrent_initializer: Any, bias_initializer: Any,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        self.units = check_count(name, "units", units)
        self.activation = activations.check(name, activation)
        self.use_bias = bool(use_bias)
        self.recurrent_dropout = check_share(name, "recurrent_dropout", recurrent_dropout)
        self.kernel_initializer = kernel_initializer
        self.recurrent_initializer = recurrent_initializer
        self.bias_initializer = bias_initializer

    def build(self, x: Tensor, state: Any = None) -> None:
        width = self.gates * self.units
        self.variable("kernel", (static_size(x, -1, self), width), self.kernel_initializer)
        self.variable("recurrent_kernel", (self.units, width), self._each_gate(self.recurrent_initializer))
        if self.use_bias:
            self.variable("bias", (width,), self.bias_initializer, role="bias")

    def _each_gate(self, initializer: Any) -> Any:
        """Return the initializer that draws the square matrix of each gate by itself."""
        draw = initializers.get(initializer)
        units = self.units

        def initialize(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
            return np.concatenate([draw((units, units), dtype) for _ in range(self.gates)], axis=1)

        return initialize

    def project(self, x: Tensor) -> Tensor:
        y = x @ self.kernel  # (..., gates * H)
        return y + self.bias if self.use_bias else y

    def initial_state(self, shape: tuple[Any, ...], dtype: Any) -> Any:
        """Return zeros."""
        state = Tensor(zeros(unwrap((*shape[:-1], self.units)), dtype=dtype))
        return state if len(self.state_names) == 1 else (state,) * len(self.state_names)

    def extra(self) -> str:
        return f"{self.units}"


class RNNCell(_Gated):
    """Go one step of a simple recurrent network: ``activation(x @ kernel + hidden @ recurrent_kernel + bias)``.

    Parameters
    ----------
    units : int
        The size of the state, H.
    activation : str or callable, optional
    use_bias : bool
    recurrent_dropout : float
        The share of the state that its product does not see while training: the same for all steps of a sequence.
    kernel_initializer, recurrent_initializer, bias_initializer : str or callable

    Shape
    -----
    x (B, C), hidden (B, H); kernel (C, H), recurrent_kernel (H, H), bias (H,).

    Source
    ------
    J. L. Elman, "Finding Structure in Time", 1990.

    Elsewhere
    ---------
    Keras ``SimpleRNNCell``, PyTorch ``RNNCell``.

    Examples
    --------
    >>> import septet as st
    >>> output, hidden = RNNCell(4)(st.ones((2, 3)))
    >>> hidden.shape
    (2, 4)
    """

    def __init__(
        self, units: int, activation: Any = "tanh", *, use_bias: bool = True, recurrent_dropout: float = 0.0,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        super().__init__(
            units, activation, use_bias, recurrent_dropout, kernel_initializer, recurrent_initializer, bias_initializer
        )

    def step(self, x: Tensor, state: Any, mask: Tensor | None = None) -> tuple[Tensor, Any]:
        hidden = recurrent.rnn_cell(
            x.node, unwrap(_seen(state, mask)), None, self.recurrent_kernel.node,
            activation=function_of(self.activation),
        )  # fmt: skip
        return Tensor(hidden), Tensor(hidden)


class LSTMCell(_Gated):
    """Go one step of a long short-term memory.

    With the gates i, f, g, o of ``x @ kernel + hidden @ recurrent_kernel + bias``: ``cell = sigmoid(f) * cell +
    sigmoid(i) * tanh(g)``, ``hidden = sigmoid(o) * tanh(cell)``. With peepholes the gates i and f see the cell before,
    and o the cell after, element by element.

    Parameters
    ----------
    units : int
        The size of each part of the state, H.
    activation, recurrent_activation : str or callable
        What g and the cell go through, and what the gates i, f, o go through.
    use_bias : bool
    peepholes : bool
    forget_bias : float
        What is added to the first values of the bias of f, so that a new memory does not forget.
    recurrent_dropout : float
        The share of the state that its product does not see while training: the same for all steps of a sequence.
    kernel_initializer, recurrent_initializer, bias_initializer : str or callable

    Shape
    -----
    x (B, C), state (hidden, cell) of (B, H) each; kernel (C, 4 H), recurrent_kernel (H, 4 H), bias (4 H,), peephole
    (3 H,) for i, f, o.

    Source
    ------
    S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", 1997; forget gates: F. Gers et al., "Learning to Forget",
    2000; peepholes: F. Gers et al., "Learning Precise Timing with LSTM Recurrent Networks", 2002; forget_bias:
    R. Jozefowicz et al., "An Empirical Exploration of Recurrent Network Architectures", 2015.

    Elsewhere
    ---------
    Keras ``LSTMCell``, Lasagne ``Gate``, PyTorch ``LSTMCell``.

    Examples
    --------
    >>> import septet as st
    >>> cell, state = LSTMCell(4, peepholes=True), None
    >>> for x in st.ones((5, 2, 3)):  # five steps by hand
    ...     output, state = cell(x, state)
    >>> output.shape, len(state)
    ((2, 4), 2)
    """

    gates = 4
    state_names = ("hidden", "cell")
    peephole: Variable

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", *, use_bias: bool = True,
        peepholes: bool = False, forget_bias: float = 1.0, recurrent_dropout: float = 0.0,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        super().__init__(
            units, activation, use_bias, recurrent_dropout, kernel_initializer, recurrent_initializer, bias_initializer
        )
        self.recurrent_activation = activations.check("LSTMCell", recurrent_activation)
        self.peepholes = bool(peepholes)
        self.forget_bias = float(forget_bias)

    def build(self, x: Tensor, state: Any = None) -> None:
        super().build(x)
        if self.use_bias and self.forget_bias:
            bias = np.array(self.bias.current())
            bias[self.units : 2 * self.units] += self.forget_bias
            self.bias.store(bias)
        if self.peepholes:
            self.variable("peephole", (3 * self.units,), initializers.uniform())

    def step(self, x: Tensor, state: Any, mask: Tensor | None = None) -> tuple[Tensor, Any]:
        hidden, cell = recurrent.lstm_cell(
            x.node, *unwrap((_seen(state[0], mask), state[1])), None, self.recurrent_kernel.node,
            peepholes=self.peephole.node if self.peepholes else None, activation=function_of(self.activation),
            recurrent_activation=function_of(self.recurrent_activation),
        )  # fmt: skip
        return Tensor(hidden), (Tensor(hidden), Tensor(cell))


class GRUCell(_Gated):
    """Go one step of a gated recurrent unit.

    With the gates z (update) and r (reset), and the candidate n, which sees the state through r: ``hidden = z * hidden
    + (1 - z) * n``.

    Parameters
    ----------
    units : int
        The size of the state, H.
    activation, recurrent_activation : str or callable
        What the candidate goes through, and what the gates go through.
    use_bias : bool
    reset_after : bool
        Whether r multiplies the product with the recurrent kernel, which then has a bias of its own (as in cuDNN,
        PyTorch and Keras), or the state before that product (as in the paper).
    recurrent_dropout : float
        The share of the state that its product does not see while training: the same for all steps of a sequence.
    kernel_initializer, recurrent_initializer, bias_initializer : str or callable

    Shape
    -----
    x (B, C), hidden (B, H); kernel (C, 3 H), recurrent_kernel (H, 3 H), bias and recurrent_bias (3 H,), all in the
    order z, r, n.

    Source
    ------
    K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation",
    2014, equations 5 to 8; there and in PyTorch z is the share of the old state, as here.

    Elsewhere
    ---------
    Keras ``GRUCell``, PyTorch ``GRUCell``.

    Examples
    --------
    >>> import septet as st
    >>> output, hidden = GRUCell(4, reset_after=False)(st.ones((2, 3)))
    >>> hidden.shape
    (2, 4)
    """

    gates = 3
    recurrent_bias: Variable

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", *, use_bias: bool = True,
        reset_after: bool = True, recurrent_dropout: float = 0.0, kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        super().__init__(
            units, activation, use_bias, recurrent_dropout, kernel_initializer, recurrent_initializer, bias_initializer
        )
        self.recurrent_activation = activations.check("GRUCell", recurrent_activation)
        self.reset_after = bool(reset_after)

    def build(self, x: Tensor, state: Any = None) -> None:
        super().build(x)
        if self.use_bias and self.reset_after:
            self.variable("recurrent_bias", (3 * self.units,), self.bias_initializer, role="bias")

    def step(self, x: Tensor, state: Any, mask: Tensor | None = None) -> tuple[Tensor, Any]:
        hidden = recurrent.gru_cell(
            x.node, unwrap(state), None, self.recurrent_kernel.node, None,
            self.recurrent_bias.node if self.use_bias and self.reset_after else None,
            None if mask is None else mask.node, reset_after=self.reset_after, activation=function_of(self.activation),
            recurrent_activation=function_of(self.recurrent_activation),
        )  # fmt: skip
        return Tensor(hidden), Tensor(hidden)
