"""Wrappers of layers over time: in both directions, and step by step."""

from __future__ import annotations

import copy
from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn.module import Module
from septet.nn.recurrent.layers import Recurrent
from septet.ops.assembling import concatenate
from septet.tensor.tensor import Tensor

MERGES = ("concat", "sum", "product", "average")


class Bidirectional(Module):
    """Run a recurrent layer along sequences in both directions.

    Parameters
    ----------
    layer : Recurrent
        RNN, LSTM, GRU, ConvLSTM2D ...
    backward : Recurrent, optional
        What runs in the other direction; by default a layer made like the first one.
    merge : {"concat", "sum", "product", "average"} or None
        How the outputs of both become one; None returns the pair. "concat" joins them along the channels.

    Shape
    -----
    x (B, T, ...); outputs those of the layer, with "concat" twice the channels. With `return_state` the state is the
    pair (forward, backward).

    Source
    ------
    M. Schuster, K. K. Paliwal, "Bidirectional Recurrent Neural Networks", 1997.

    Elsewhere
    ---------
    Keras ``Bidirectional``.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> nn.Bidirectional(nn.GRU(4, return_sequences=True))(st.ones((2, 5, 3)), lengths=[5, 2]).shape
    (2, 5, 8)
    """

    def __init__(self, layer: Recurrent, backward: Recurrent | None = None, merge: str | None = "concat") -> None:
        for one in (layer, backward):
            if not isinstance(one, Recurrent) and not (one is backward is None):
                raise ArgumentError(f"Bidirectional: takes recurrent layers, got {one!r}")
        if merge is not None and merge not in MERGES:
            raise ArgumentError(f"Bidirectional: merge must be None or one of {', '.join(MERGES)}, got {merge!r}")
        if backward is None:
            if any(module._is_built for module in layer.modules()):
                raise ArgumentError(
                    "Bidirectional: the layer has variables already, so that no second one is made like it",
                    hint="give the layer that runs in the other direction: Bidirectional(layer, backward)",
                )
            backward = copy.deepcopy(layer)
            backward._name = ""
            backward.go_backwards = not layer.go_backwards
        names = ("return_sequences", "return_state", "time_major")
        different = [name for name in names if getattr(layer, name) != getattr(backward, name)]
        if different or layer.go_backwards == backward.go_backwards:
            what = f"the same {', '.join(different)}" if different else "other directions: one has go_backwards"
            raise ArgumentError(f"Bidirectional: the two layers must have {what}")
        self.layer = layer
        self.backward = backward
        self.merge = merge

    def forward(self, x: Tensor, state: Any = None, *, mask: Any = None, lengths: Any = None) -> Any:
        if state is not None and (not isinstance(state, (tuple, list)) or len(state) != 2):
            raise ArgumentError(f"{self.label}: the state is a pair (forward, backward), got {type(state).__name__}")
        found = [
            layer(x, None if state is None else state[index], mask=mask, lengths=lengths)
            for index, layer in enumerate((self.layer, self.backward))
        ]
        if self.layer.return_state:
            found, states = zip(*found, strict=True)
            return self._merged(*found), states
        return self._merged(*found)

    def _merged(self, a: Tensor, b: Tensor) -> Any:
        if self.merge is None:
            return a, b
        if self.merge == "concat":
            rank = self.layer.cells[-1].rank or 1
            return Tensor(concatenate([a.node, b.node], axis=-rank))
        if self.merge == "product":
            return a * b
        return a + b if self.merge == "sum" else (a + b) * 0.5

    def extra(self) -> str:
        return "" if self.merge == "concat" else f"merge={self.merge!r}"


class TimeDistributed(Module):
    """Apply a layer to each step of sequences: steps become examples of one large batch.

    Parameters
    ----------
    layer : Module

    Shape
    -----
    x (B, T, ...), result (B, T, ...) with what the layer makes of (B, ...).

    Elsewhere
    ---------
    Keras ``TimeDistributed``.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> nn.TimeDistributed(nn.Conv2D(4, 3))(st.ones((2, 5, 1, 8, 8))).shape
    (2, 5, 4, 6, 6)
    """

    def __init__(self, layer: Module) -> None:
        if not isinstance(layer, Module):
            raise ArgumentError(f"TimeDistributed: takes a layer, got {layer!r}")
        self.layer = layer

    def forward(self, x: Tensor) -> Any:
        if x.ndim < 2:
            raise ShapeError(f"{self.label}: takes (B, T, ...), got shape {shape_text(x.type.shape)}")
        batch, count = x.shape[:2]
        y = self.layer(x.reshape(batch * count, *x.shape[2:]))
        return y.reshape(batch, count, *y.shape[1:])
