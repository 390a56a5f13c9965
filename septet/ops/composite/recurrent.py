"""Recurrent cells: one step in time, from an input and a state to the next state.

Kernels are written as in `Dense`, (inputs, outputs), with the gates side by side along the last axis: i, f, g, o for
`lstm_cell`, and z, r, n for `gru_cell`. Keras has the same orientation and order. PyTorch's kernels are transposed, and
its GRU has r before z. A cell has two biases, as in PyTorch and cuDNN; where only their sum matters, one is enough.

A layer that runs over a sequence can multiply all inputs by the kernel at once and give the cells the products, with
None for the kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.base.errors import ShapeError
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import as_node, explain_call, function
from septet.ops.composite.activations import activation_of
from septet.ops.keys import get_item
from septet.ops.matmul import matmul


class _Step:
    """The tensors of one step, checked: `inputs` is what the input adds to the gates, (..., gates * H)."""

    def __init__(
        self, name: str, gates: int, x: Any, hidden: Any, kernel: Any, recurrent_kernel: Any, bias: Any,
        recurrent_bias: Any,
    ) -> None:  # fmt: skip
        given = {
            "x": x, "hidden": hidden, "kernel": kernel, "recurrent_kernel": recurrent_kernel, "bias": bias,
            "recurrent_bias": recurrent_bias,
        }  # fmt: skip
        self.name = name
        self.nodes = {word: as_node(value) for word, value in given.items() if value is not None}
        self.hidden, self.kernel = self.nodes["hidden"], self.nodes["recurrent_kernel"]
        self.bias: Node | None = self.nodes.get("recurrent_bias")
        self._check_rank("x", 1, is_least=True)
        self._check_rank("hidden", 1, is_least=True)
        self._check_rank("recurrent_kernel", 2)
        units = self.kernel.shape[0] if self.hidden.shape[-1] is None else self.hidden.shape[-1]
        if units is None:
            raise self._error("the number of units must be known", ["hidden", "recurrent_kernel"])
        self.units = units
        self._check_size("hidden", -1, units)
        self._check_size("recurrent_kernel", 0, units)
        self._check_size("recurrent_kernel", 1, gates * units)
        if kernel is None:
            self._check_size("x", -1, gates * units)
        else:
            self._check_rank("kernel", 2)
            self._check_size("kernel", 1, gates * units)
            size = self.nodes["x"].shape[-1]
            if size is not None:
                self._check_size("kernel", 0, size)
        for word in ("bias", "recurrent_bias"):
            if word in self.nodes:
                self._check_rank(word, 1)
                self._check_size(word, 0, gates * units)
        self.inputs = self.nodes["x"] if kernel is None else matmul(self.nodes["x"], self.nodes["kernel"])
        if bias is not None:
            self.inputs = self.inputs + self.nodes["bias"]

    def add(self, word: str, value: Any, gates: int = 1) -> Node:
        """Check one more tensor of units, or of some gates of them, and return it."""
        node = self.nodes[word] = as_node(value)
        self._check_rank(word, 1, is_least=True)
        self._check_size(word, -1, gates * self.units)
        return node

    def _error(self, text: str, words: Sequence[str], axes: Sequence[int] = ()) -> Exception:
        names = list(self.nodes)
        marks = [(names.index(word), axis) for word in words for axis in axes]
        return explain_call(ShapeError(text, marks=marks), self.name, names, list(self.nodes.values()))

    def _check_rank(self, word: str, rank: int, *, is_least: bool = False) -> None:
        own = self.nodes[word].ndim
        if own < rank if is_least else own != rank:
            least = " at least" if is_least else ""
            axes = "axis" if rank == 1 else "axes"
            raise self._error(f"{word} needs {rank} {axes}{least}, it has {own}", [word], range(own))

    def _check_size(self, word: str, axis: int, size: int) -> None:
        node = self.nodes[word]
        own = node.shape[axis]
        if own not in (None, size):
            shape = shape_text(node.shape)
            where = "the last axis" if axis == -1 else f"axis {axis}"
            raise self._error(f"{where} of {word} {shape} must have size {size}", [word], [axis % node.ndim])

    def recurrent(self, hidden: Node, first: int, last: int) -> Node:
        """Return what the state adds to the gates `first` to below `last`."""
        kernel, bias = self.kernel, self.bias
        if (last - first) * self.units != kernel.shape[1]:
            kernel = _columns(kernel, first * self.units, last * self.units)
            bias = None if bias is None else _columns(bias, first * self.units, last * self.units)
        product = matmul(hidden, kernel)
        return product if bias is None else product + bias

    def gate(self, x: Node, index: int, count: int = 1) -> Node:
        """Return some of the gates that stand side by side."""
        return _columns(x, index * self.units, (index + count) * self.units)


def _columns(x: Node, start: int, stop: int) -> Node:
    """Select along the last axis."""
    return get_item(x, (Ellipsis, slice(start, stop)))


@function()
def rnn_cell(
    x: Any, hidden: Any, kernel: Any, recurrent_kernel: Any, bias: Any = None, recurrent_bias: Any = None, *,
    activation: Any = "tanh",
) -> Node:  # fmt: skip
    """Return the next state of a simple recurrent network: activation(x @ kernel + hidden @ recurrent_kernel + biases).

    Parameters
    ----------
    x : tensor
    hidden : tensor
        The state.
    kernel : tensor or None
        None: `x` is the product already.
    recurrent_kernel : tensor
    bias, recurrent_bias : tensor, optional
    activation : str or callable, optional
        A name, or a function of nodes; None for none.

    Shape
    -----
    x (..., I), hidden (..., H), kernel (I, H), recurrent_kernel (H, H), biases (H,); result (..., H).

    Raises
    ------
    ShapeError
        If the shapes do not fit together.
    ArgumentError
        If there is no such activation.

    Source
    ------
    Elman, Finding structure in time, 1990.
    """
    activate = activation_of("rnn_cell", activation)
    step = _Step("rnn_cell", 1, x, hidden, kernel, recurrent_kernel, bias, recurrent_bias)
    return activate(step.inputs + step.recurrent(step.hidden, 0, 1))


@function()
def lstm_cell(
    x: Any, hidden: Any, cell: Any, kernel: Any, recurrent_kernel: Any, bias: Any = None, recurrent_bias: Any = None,
    peepholes: Any = None, *, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
) -> tuple[Node, Node]:  # fmt: skip
    """Return the next state (hidden, cell) of a long short-term memory.

    With the gates i, f, g, o = x @ kernel + hidden @ recurrent_kernel + biases, of which g goes through the activation
    and the others through the recurrent activation: ``cell = f * cell + i * g``, ``hidden = o * activation(cell)``.
    With peepholes p, q, r, before that: ``i += p * cell``, ``f += q * cell``, and ``o += r * cell`` with the new cell.

    Parameters
    ----------
    x : tensor
    hidden, cell : tensor
        The state.
    kernel : tensor or None
        None: `x` is the product already.
    recurrent_kernel : tensor
    bias, recurrent_bias : tensor, optional
    peepholes : tensor, optional
        What the gates i, f and o see of the cell, side by side.
    activation, recurrent_activation : str or callable
        A name, or a function of nodes.

    Shape
    -----
    x (..., I), hidden and cell (..., H), kernel (I, 4 H), recurrent_kernel (H, 4 H), biases (4 H,), peepholes (3 H,);
    results (..., H).

    Raises
    ------
    ShapeError
        If the shapes do not fit together.
    ArgumentError
        If there is no such activation.

    Source
    ------
    Hochreiter and Schmidhuber, Long short-term memory, 1997, with the forget gate of Gers, Schmidhuber and Cummins,
    Learning to forget, 2000. The order of the gates is that of Keras and PyTorch. Peepholes: Gers, Schraudolph and
    Schmidhuber, Learning precise timing with LSTM recurrent networks, 2002.
    """
    activate = activation_of("lstm_cell", activation)
    open_gate = activation_of("lstm_cell", recurrent_activation)
    step = _Step("lstm_cell", 4, x, hidden, kernel, recurrent_kernel, bias, recurrent_bias)
    cell = step.add("cell", cell)
    total = step.inputs + step.recurrent(step.hidden, 0, 4)  # (..., 4 H)
    i, f, g, o = [step.gate(total, index) for index in range(4)]
    if peepholes is None:
        cell = open_gate(f) * cell + open_gate(i) * activate(g)
    else:
        seen = step.add("peepholes", peepholes, 3)
        p, q, r = [step.gate(seen, index) for index in range(3)]
        cell = open_gate(f + q * cell) * cell + open_gate(i + p * cell) * activate(g)
        o = o + r * cell
    return open_gate(o) * activate(cell), cell


@function()
def gru_cell(
    x: Any, hidden: Any, kernel: Any, recurrent_kernel: Any, bias: Any = None, recurrent_bias: Any = None,
    mask: Any = None, *, reset_after: bool = True, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
) -> Node:  # fmt: skip
    """Return the next state of a gated recurrent unit.

    The gates z (update) and r (reset) are x @ kernel + hidden @ recurrent_kernel + biases, through the recurrent
    activation; the candidate n is made in the same way of the rest of the kernels, through the activation, but of the
    state that the gate r lets through. Then ``hidden = z * hidden + (1 - z) * n``.

    Parameters
    ----------
    x : tensor
    hidden : tensor
        The state.
    kernel : tensor or None
        None: `x` is the product already.
    recurrent_kernel : tensor
    bias, recurrent_bias : tensor, optional
        The recurrent one is part of what is reset, with `reset_after`.
    mask : tensor, optional
        What the state is multiplied by before its products with the recurrent kernel: recurrent dropout.
    reset_after : bool
        Whether r multiplies the product with the recurrent kernel (as in PyTorch, cuDNN, and Keras by default), or the
        state before it is multiplied (as in the paper).
    activation, recurrent_activation : str or callable
        A name, or a function of nodes.

    Shape
    -----
    x (..., I), hidden (..., H), kernel (I, 3 H), recurrent_kernel (H, 3 H), biases (3 H,); result (..., H).

    Raises
    ------
    ShapeError
        If the shapes do not fit together.
    ArgumentError
        If there is no such activation.

    Source
    ------
    Cho et al., Learning phrase representations using RNN encoder-decoder, 2014. The order of the gates is that of
    Keras and ONNX: z, r, n; PyTorch has r, z, n.
    """
    activate = activation_of("gru_cell", activation)
    open_gate = activation_of("gru_cell", recurrent_activation)
    step = _Step("gru_cell", 3, x, hidden, kernel, recurrent_kernel, bias, recurrent_bias)
    own = step.hidden
    seen = own if mask is None else own * step.add("mask", mask)
    candidate = step.gate(step.inputs, 2)
    if reset_after:
        product = step.recurrent(seen, 0, 3)  # (..., 3 H)
        gates = open_gate(step.gate(step.inputs, 0, 2) + step.gate(product, 0, 2))
        z, r = step.gate(gates, 0), step.gate(gates, 1)
        candidate = candidate + r * step.gate(product, 2)
    else:
        gates = open_gate(step.gate(step.inputs, 0, 2) + step.recurrent(seen, 0, 2))
        z, r = step.gate(gates, 0), step.gate(gates, 1)
        candidate = candidate + step.recurrent(r * seen, 2, 3)
    return z * own + (1 - z) * activate(candidate)
