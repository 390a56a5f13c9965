"""Convolutional long short-term memories: the products of an LSTM are convolutions, its states are images."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.nn import activation as activations
from septet.nn.padding import AXES
from septet.nn.recurrent.cell import Cell
from septet.nn.recurrent.layers import Recurrent
from septet.nn.sizes import check_count, check_share, static_size
from septet.nn.windowed import spatial
from septet.ops.conv import conv
from septet.ops.creation import zeros
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable
from septet.tensor.wrap import unwrap


class ConvLSTMCell(Cell):
    """Go one step of a convolutional long short-term memory, on sequences, images or volumes.

    As `LSTMCell`, with convolutions of input and state in place of products, and without peepholes: i, f, g, o =
    ``conv(x, kernel) + conv(hidden, recurrent_kernel) + bias``. The state keeps its size: its convolution is padded so.

    Parameters
    ----------
    filters : int
        The channels of the state, F.
    kernel_size : int or one for each spatial axis
    dimensions : {1, 2, 3}
        The number of spatial axes.
    activation, recurrent_activation : str or callable
    stride, dilation : int or one for each spatial axis
        Of the convolution of the input.
    padding : str, int or one int or pair (low, high) for each spatial axis
        Of the convolution of the input.
    use_bias : bool
    forget_bias : float
        What is added to the first values of the bias of f.
    recurrent_dropout : float
        The share of the state that its convolution does not see while training: the same for all steps of a sequence.
    kernel_initializer, recurrent_initializer, bias_initializer : str or callable

    Shape
    -----
    x (B, C, spatial ...), state (hidden, cell) of (B, F, spatial ...); kernel (4 F, C, *kernel_size), recurrent_kernel
    (4 F, F, *kernel_size), bias (4 F,).

    Source
    ------
    X. Shi et al., "Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting", 2015,
    equation 3, without the terms W ∘ C (as in Keras).

    Elsewhere
    ---------
    Keras ``ConvLSTM2DCell``.

    Examples
    --------
    >>> import septet as st
    >>> output, (hidden, cell) = ConvLSTMCell(4, 3, padding="same")(st.ones((2, 1, 6, 6)))
    >>> cell.shape
    (2, 4, 6, 6)
    """

    state_names = ("hidden", "cell")
    output_is_state = True
    kernel: Variable
    recurrent_kernel: Variable
    bias: Variable

    def __init__(
        self, filters: int, kernel_size: Any, dimensions: int = 2, activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid", *, stride: Any = 1, padding: Any = "valid", dilation: Any = 1,
        use_bias: bool = True, forget_bias: float = 1.0, recurrent_dropout: float = 0.0,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        name = "ConvLSTMCell"
        self.filters = check_count(name, "filters", filters)
        self.dimensions = rank = check_count(name, "dimensions", dimensions)
        self.rank = rank + 1  # the channels too
        self.kernel_size = spatial(name, "kernel_size", kernel_size, rank)
        self.activation = activations.check(name, activation)
        self.recurrent_activation = activations.check(name, recurrent_activation)
        self.stride = spatial(name, "stride", stride, rank)
        self.padding = padding
        self.dilation = spatial(name, "dilation", dilation, rank)
        self.use_bias = bool(use_bias)
        self.forget_bias = float(forget_bias)
        self.recurrent_dropout = check_share(name, "recurrent_dropout", recurrent_dropout)
        self.kernel_initializer = kernel_initializer
        self.recurrent_initializer = recurrent_initializer
        self.bias_initializer = bias_initializer

    def build(self, x: Tensor, state: Any = None) -> None:
        channels, width = static_size(x, -self.rank, self), 4 * self.filters
        self.variable("kernel", (width, channels, *self.kernel_size), self.kernel_initializer)
        self.variable("recurrent_kernel", (width, self.filters, *self.kernel_size), self.recurrent_initializer)
        if self.use_bias:
            self.variable("bias", (width,), self.bias_initializer, role="bias")
            bias = np.array(self.bias.current())
            bias[self.filters : 2 * self.filters] += self.forget_bias
            self.bias.store(bias)

    def project(self, x: Tensor) -> Tensor:
        front, image = x.shape[: -self.rank], x.shape[-self.rank :]
        flat = x.reshape(-1, *image)  # (N, C, spatial ...)
        y = conv(
            flat.node, self.kernel.node, stride=self.stride, padding=self.padding, dilation=self.dilation
        )  # (N, 4 F, spatial ...)
        y = Tensor(y)
        if self.use_bias:
            y = y + self.bias.reshape(-1, *(1,) * (self.rank - 1))
        return y.reshape(*front, *y.shape[1:])

    def initial_state(self, shape: tuple[Any, ...], dtype: Any) -> Any:
        """Return zeros."""
        state = Tensor(zeros(unwrap((shape[0], self.filters, *shape[2:])), dtype=dtype))
        return state, state

    def step(self, x: Tensor, state: Any, mask: Tensor | None = None) -> tuple[Tensor, Any]:
        hidden, cell = state
        hidden = hidden if mask is None else hidden * mask
        total = x + Tensor(conv(hidden.node, self.recurrent_kernel.node, padding="same"))  # (B, 4 F, spatial ...)
        size = self.filters
        i, f, g, o = [total[:, index * size : (index + 1) * size] for index in range(4)]
        gate, activation = self.recurrent_activation, self.activation
        cell = activations.apply(gate, f) * cell + activations.apply(gate, i) * activations.apply(activation, g)
        hidden = activations.apply(gate, o) * activations.apply(activation, cell)
        return hidden, (hidden, cell)

    def extra(self) -> str:
        return f"{self.filters}, {'x'.join(map(str, self.kernel_size))}"


class _ConvLSTM(Recurrent):
    """What the three layers share."""

    dimensions = 0

    def __init__(
        self, filters: int, kernel_size: Any, layers: int = 1, *, activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid", stride: Any = 1, padding: Any = "valid", dilation: Any = 1,
        use_bias: bool = True, forget_bias: float = 1.0, dropout: float = 0.0, recurrent_dropout: float = 0.0,
        return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False, stateful: bool = False,
        learned_state: bool = False, truncate: int | None = None, masked: str = "zeros", time_major: bool = False,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        of_cell = {
            "activation": activation, "recurrent_activation": recurrent_activation, "stride": stride,
            "padding": padding, "dilation": dilation, "use_bias": use_bias, "forget_bias": forget_bias,
            "recurrent_dropout": recurrent_dropout, "kernel_initializer": kernel_initializer,
            "recurrent_initializer": recurrent_initializer, "bias_initializer": bias_initializer,
        }  # fmt: skip
        count = check_count(type(self).__name__, "layers", layers)
        super().__init__(
            [ConvLSTMCell(filters, kernel_size, self.dimensions, **of_cell) for _ in range(count)], dropout=dropout,
            return_sequences=return_sequences, return_state=return_state, go_backwards=go_backwards, stateful=stateful,
            learned_state=learned_state, truncate=truncate, masked=masked, time_major=time_major,
        )  # fmt: skip
        self.layers = count
        for key in ("filters", "kernel_size", *of_cell):
            setattr(self, key, getattr(self.cells[0], key))

    def extra(self) -> str:
        own = [self.cells[0].extra(), *([f"layers={self.layers}"] if self.layers > 1 else [])]
        return ", ".join([*own, *([super().extra()] if super().extra() else [])])


def _examples(rank: int) -> dict[str, Any]:
    """Return what the docstrings of the three layers differ in."""
    return {"axes": AXES[rank][4:-1], "rank": rank, "sizes": ", ".join("6" * rank), "result": ", ".join("4" * rank)}


_PARAMETERS = """

    Parameters
    ----------
    filters : int
        The channels of the state, F.
    kernel_size : int or one for each spatial axis
    layers : int
        How many cells stand on each other.
    activation, recurrent_activation, stride, padding, dilation, use_bias, forget_bias, recurrent_dropout,
    kernel_initializer, recurrent_initializer, bias_initializer
        See `ConvLSTMCell`.
    dropout, return_sequences, return_state, go_backwards, stateful, learned_state, truncate, masked, time_major
        See `Recurrent`.

    Shape
    -----
    x (B, T, {axes}); outputs (B, T, F, ...) or (B, F, ...); the state is a pair of (B, F, ...).

    Source
    ------
    X. Shi et al., "Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting", 2015.

    Elsewhere
    ---------
    Keras ``ConvLSTM{rank}D``.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> nn.ConvLSTM{rank}D(4, 3)(st.ones((2, 5, 1, {sizes}))).shape
    (2, 4, {result})
    """


class ConvLSTM1D(_ConvLSTM):
    """Run a convolutional long short-term memory along sequences of rows."""

    __doc__ = f"{__doc__}{_PARAMETERS.format(**_examples(1))}"
    dimensions = 1


class ConvLSTM2D(_ConvLSTM):
    """Run a convolutional long short-term memory along sequences of images."""

    __doc__ = f"{__doc__}{_PARAMETERS.format(**_examples(2))}"
    dimensions = 2


class ConvLSTM3D(_ConvLSTM):
    """Run a convolutional long short-term memory along sequences of volumes."""

    __doc__ = f"{__doc__}{_PARAMETERS.format(**_examples(3))}"
    dimensions = 3
