"""Recurrent layers: a cell, or several on each other, along sequences; `Recurrent` for any cell, RNN, LSTM and GRU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn.dropout import Dropout
from septet.nn.module import Module
from septet.nn.recurrent.cell import Cell
from septet.nn.recurrent.cells import GRUCell, LSTMCell, RNNCell
from septet.nn.recurrent.loop import mask_of, run, swap
from septet.nn.sizes import check_count, check_share
from septet.nn.updates import check_updates
from septet.tensor import tree
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable, assign_all

MASKED = ("zeros", "hold")


class Recurrent(Module):
    """Run cells along sequences: the outputs of one are the inputs of the next.

    One loop of the graph for each cell (`st.scan`): a compiled layer is native code, whatever the number of steps.

    Parameters
    ----------
    cell : Cell or sequence of Cell{shared}

    Elsewhere
    ---------
    Keras ``RNN``, ``StackedRNNCells`` and ``Masking`` (`mask` and `lengths`), Lasagne ``CustomRecurrentLayer``.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> layer = nn.Recurrent([nn.LSTMCell(8), nn.GRUCell(4)], return_sequences=True)
    >>> layer(st.ones((2, 5, 3)), lengths=[5, 2]).shape
    (2, 5, 4)
    """

    def __init__(
        self, cell: Cell | Sequence[Cell], *, dropout: float = 0.0, return_sequences: bool = False,
        return_state: bool = False, go_backwards: bool = False, stateful: bool = False, learned_state: bool = False,
        truncate: int | None = None, masked: str = "zeros", time_major: bool = False,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        cells = list(cell) if isinstance(cell, (list, tuple)) else [cell]
        if not cells or not all(isinstance(item, Cell) for item in cells):
            raise ArgumentError(
                f"{name}: needs a cell, or a list of cells, got {cell!r}",
                hint="nn.RNNCell, nn.LSTMCell, nn.GRUCell, or a class of your own derived from nn.Cell",
            )
        if masked not in MASKED:
            raise ArgumentError(f"{name}: masked must be one of {', '.join(MASKED)}, got {masked!r}")
        if stateful and learned_state:
            raise ArgumentError(f"{name}: stateful and learned_state are two beginnings of a batch, choose one")
        self.cells = cells
        self.dropout = check_share(name, "dropout", dropout)
        self.dropouts = [Dropout(self.dropout) for _ in cells[1:]] if self.dropout else []
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.learned_state = bool(learned_state)
        for one in cells if learned_state else ():
            one.learned_state = True
        self.truncate = None if truncate is None else check_count(name, "truncate", truncate)
        self.masked = masked
        self.time_major = bool(time_major)
        self.states: list[Variable] = []

    @property
    def cell(self) -> Any:
        """The cell, or the cells of a stack."""
        return self.cells[0] if len(self.cells) == 1 else self.cells

    def forward(self, x: Tensor, state: Any = None, *, mask: Any = None, lengths: Any = None) -> Any:
        """Return the outputs; with `return_state` also the last state.

        Parameters
        ----------
        x : Tensor
        state : tensor or tuple, optional
            Before the first step; of a stack one for each cell, in a tuple.
        mask : tensor of bool, optional
            (B, T): whether a step counts. Where it does not, the state stays.
        lengths : tensor of int, optional
            (B,): how many steps count of each sequence, from its beginning.
        """
        rank = self.cells[0].rank
        if x.ndim < 2 or (rank is not None and x.ndim != rank + 2):
            first = "(T, B, ...)" if self.time_major else "(B, T, ...)"
            number = "" if rank is None else f" with {rank + 2} axes"
            raise ShapeError(f"{self.label}: takes {first}{number}, got shape {shape_text(x.type.shape)}")
        x = x if self.time_major else swap(x)  # (T, B, ...)
        allowed = mask_of(self, x, mask, lengths)
        states = self._first_states(state)
        last = []
        for index, cell in enumerate(self.cells):
            is_inner = index < len(self.cells) - 1
            x, after = run(
                cell, x, states[index], allowed, reverse=self.go_backwards, truncate=self.truncate,
                keeps_all=is_inner or self.return_sequences, holds=self.masked == "hold",
            )  # fmt: skip
            last.append(after)
            if is_inner and self.dropout:
                x = self.dropouts[index](x)
        if self.stateful:
            self._keep(x, last)
        y = swap(x) if self.return_sequences and not self.time_major else x
        return (y, last[0] if len(last) == 1 else tuple(last)) if self.return_state else y

    def _first_states(self, state: Any) -> Sequence[Any]:
        """Return the state before the first step of each cell, or None for it."""
        count = len(self.cells)
        if state is None:
            return self._kept() if self.states else [None] * count
        if count == 1:
            return [state]
        if not isinstance(state, (tuple, list)) or len(state) != count:
            got = f"a tuple of {len(state)}" if isinstance(state, (tuple, list)) else f"one {type(state).__name__}"
            raise ArgumentError(f"{self.label}: the state of a stack is a tuple of {count}, got {got}")
        return state

    def _kept(self) -> Sequence[Any]:
        return tree.unflatten(self._structure, self.states)

    def _keep(self, x: Tensor, last: list[Any]) -> None:
        """Keep the last state for the next batch."""
        check_updates(self.label, x)
        leaves, structure = tree.flatten(last)
        if not self.states:
            self._structure = structure
            self.states = [self._state_variable(index, leaf) for index, leaf in enumerate(leaves)]
        assign_all({variable: leaf.detach() for variable, leaf in zip(self.states, leaves, strict=True)})

    def _state_variable(self, index: int, leaf: Tensor) -> Variable:
        shape = leaf.type.shape
        if None in shape:
            raise ShapeError(
                f"{self.label}: a state that is kept needs a batch of a known size, it has shape {shape_text(shape)}",
                hint="call the layer with data first, or give the symbol its first size",
            )
        variable = self.variable(f"state_{index}", shape, "zeros", role="state", dtype=leaf.dtype)
        delattr(self, f"state_{index}")  # it is held in the list
        return variable

    def extra(self) -> str:
        flags = ("return_sequences", "return_state", "go_backwards", "stateful", "learned_state", "time_major")
        parts = [f"{name}=True" for name in flags if getattr(self, name)]
        parts += [f"{name}={getattr(self, name)!r}" for name in ("dropout", "truncate") if getattr(self, name)]
        return ", ".join(parts)


_SHARED = """
    dropout : float
        The share of the outputs between two cells of a stack that is set to 0 while training.
    return_sequences : bool
        Whether the outputs of all steps are returned, or that of the last one (of the first, backwards).
    return_state : bool
        Whether the pair (outputs, last state) is returned; of a stack a tuple with a state for each cell.
    go_backwards : bool
        Whether steps run from the last to the first; an output stands at the step that it belongs to all the same.
    stateful : bool
        Whether a batch begins with the state in which the one before ended: batches then have one size, and example i
        continues example i. See `reset_state`.
    learned_state : bool
        Whether the state before the first step is learned, the same for all sequences (zeros at first), or zeros.
    truncate : int, optional
        Cut gradients after each so many steps: truncated backpropagation through time.
    masked : {"zeros", "hold"}
        What the outputs are at steps that a mask or lengths leave out: zeros, or the output before.
    time_major : bool
        Whether inputs and outputs have the time on axis 0, which saves the exchange of two axes.

    Shape
    -----
    x (B, T, ...); outputs (B, T, ...) or (B, ...); mask (B, T); lengths (B,). With `time_major` x and outputs are
    (T, B, ...).

    Raises
    ------
    ShapeError
        If the rank of the input differs, or mask, lengths or state do not fit.
    ArgumentError
        If a length is negative or above the number of steps, or a state has another structure."""

Recurrent.__doc__ = (Recurrent.__doc__ or "").replace("{shared}", _SHARED)


class _Named(Recurrent):
    """What RNN, LSTM and GRU share: the parameters of their cells are their own."""

    def __init__(self, make: type[Cell], units: int, layers: int, of_cell: dict[str, Any], **words: Any) -> None:
        name = type(self).__name__
        check_count(name, "layers", layers)
        check_count(name, "units", units)
        super().__init__([make(units, **of_cell) for _ in range(layers)], **words)
        self.units = units
        self.layers = layers
        for key in of_cell:
            setattr(self, key, getattr(self.cells[0], key))

    def extra(self) -> str:
        layers = [f"layers={self.layers}"] if self.layers > 1 else []
        if self.cells[0].recurrent_dropout:
            layers.append(f"recurrent_dropout={self.cells[0].recurrent_dropout!r}")
        return ", ".join([str(self.units), *layers, *([super().extra()] if super().extra() else [])])


class RNN(_Named):
    """Run a simple recurrent network along sequences; see `RNNCell` for what a step computes.

    Parameters
    ----------
    units : int
        The size of the state, H.
    layers : int
        How many cells stand on each other.
    activation : str or callable, optional
    use_bias : bool
    recurrent_dropout : float
        The share of the state that its product does not see while training: the same for all steps of a sequence.
        Inputs are dropped in the same way by ``nn.Dropout(rate, shared_axes=[1])`` before the layer.
    kernel_initializer, recurrent_initializer, bias_initializer : str or callable{shared}

    Source
    ------
    J. L. Elman, "Finding Structure in Time", 1990.

    Elsewhere
    ---------
    Keras ``SimpleRNN``, Lasagne ``RecurrentLayer``, PyTorch ``RNN``.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> nn.RNN(4)(st.ones((2, 5, 3))).shape
    (2, 4)
    """

    __doc__ = (__doc__ or "").replace("{shared}", _SHARED)

    def __init__(
        self, units: int, layers: int = 1, *, activation: Any = "tanh", use_bias: bool = True, dropout: float = 0.0,
        recurrent_dropout: float = 0.0, return_sequences: bool = False, return_state: bool = False,
        go_backwards: bool = False, stateful: bool = False, learned_state: bool = False,
        truncate: int | None = None, masked: str = "zeros", time_major: bool = False,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        of_cell = {
            "activation": activation, "use_bias": use_bias, "recurrent_dropout": recurrent_dropout,
            "kernel_initializer": kernel_initializer,
            "recurrent_initializer": recurrent_initializer, "bias_initializer": bias_initializer,
        }  # fmt: skip
        super().__init__(
            RNNCell, units, layers, of_cell, dropout=dropout, return_sequences=return_sequences,
            return_state=return_state, go_backwards=go_backwards, stateful=stateful, learned_state=learned_state,
            truncate=truncate, masked=masked, time_major=time_major,
        )  # fmt: skip


class LSTM(_Named):
    """Run a long short-term memory along sequences; see `LSTMCell` for what a step computes.

    Parameters
    ----------
    units : int
        The size of each part of the state, H.
    layers : int
        How many cells stand on each other.
    activation, recurrent_activation : str or callable
    use_bias : bool
    peepholes : bool
        Whether the gates see the cell.
    forget_bias : float
        What is added to the first values of the bias of the forget gate.
    recurrent_dropout : float
        The share of the state that its product does not see while training: the same for all steps of a sequence.
        Inputs are dropped in the same way by ``nn.Dropout(rate, shared_axes=[1])`` before the layer.
    kernel_initializer, recurrent_initializer, bias_initializer : str or callable{shared}

    Source
    ------
    S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", 1997.

    Elsewhere
    ---------
    Keras ``LSTM`` and ``CuDNNLSTM``, Lasagne ``LSTMLayer``, PyTorch ``LSTM``.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> y, (hidden, cell) = nn.LSTM(4, return_sequences=True, return_state=True)(st.ones((2, 5, 3)))
    >>> y.shape, hidden.shape, cell.shape
    ((2, 5, 4), (2, 4), (2, 4))
    """

    __doc__ = (__doc__ or "").replace("{shared}", _SHARED)

    def __init__(
        self, units: int, layers: int = 1, *, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
        use_bias: bool = True, peepholes: bool = False, forget_bias: float = 1.0, dropout: float = 0.0,
        recurrent_dropout: float = 0.0, return_sequences: bool = False, return_state: bool = False,
        go_backwards: bool = False, stateful: bool = False, learned_state: bool = False,
        truncate: int | None = None, masked: str = "zeros", time_major: bool = False,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        of_cell = {
            "activation": activation, "recurrent_activation": recurrent_activation, "use_bias": use_bias,
            "peepholes": peepholes, "forget_bias": forget_bias,
            "recurrent_dropout": recurrent_dropout, "kernel_initializer": kernel_initializer,
            "recurrent_initializer": recurrent_initializer, "bias_initializer": bias_initializer,
        }  # fmt: skip
        super().__init__(
            LSTMCell, units, layers, of_cell, dropout=dropout, return_sequences=return_sequences,
            return_state=return_state, go_backwards=go_backwards, stateful=stateful, learned_state=learned_state,
            truncate=truncate, masked=masked, time_major=time_major,
        )  # fmt: skip


class GRU(_Named):
    """Run a gated recurrent unit along sequences; see `GRUCell` for what a step computes.

    Parameters
    ----------
    units : int
        The size of the state, H.
    layers : int
        How many cells stand on each other.
    activation, recurrent_activation : str or callable
    use_bias : bool
    reset_after : bool
        Whether the reset gate multiplies the product with the recurrent kernel, or the state before that product.
    recurrent_dropout : float
        The share of the state that its product does not see while training: the same for all steps of a sequence.
        Inputs are dropped in the same way by ``nn.Dropout(rate, shared_axes=[1])`` before the layer.
    kernel_initializer, recurrent_initializer, bias_initializer : str or callable{shared}

    Source
    ------
    K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation",
    2014.

    Elsewhere
    ---------
    Keras ``GRU`` and ``CuDNNGRU``, Lasagne ``GRULayer``, PyTorch ``GRU``.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> nn.GRU(4, layers=2, dropout=0.1, return_sequences=True)(st.ones((2, 5, 3)), lengths=[5, 3]).shape
    (2, 5, 4)
    """

    __doc__ = (__doc__ or "").replace("{shared}", _SHARED)

    def __init__(
        self, units: int, layers: int = 1, *, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
        use_bias: bool = True, reset_after: bool = True, dropout: float = 0.0,
        recurrent_dropout: float = 0.0, return_sequences: bool = False, return_state: bool = False,
        go_backwards: bool = False, stateful: bool = False, learned_state: bool = False, truncate: int | None = None,
        masked: str = "zeros", time_major: bool = False, kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        of_cell = {
            "activation": activation, "recurrent_activation": recurrent_activation, "use_bias": use_bias,
            "reset_after": reset_after, "recurrent_dropout": recurrent_dropout,
            "kernel_initializer": kernel_initializer, "recurrent_initializer": recurrent_initializer,
            "bias_initializer": bias_initializer,
        }  # fmt: skip
        super().__init__(
            GRUCell, units, layers, of_cell, dropout=dropout, return_sequences=return_sequences,
            return_state=return_state, go_backwards=go_backwards, stateful=stateful, learned_state=learned_state,
            truncate=truncate, masked=masked, time_major=time_major,
        )  # fmt: skip
