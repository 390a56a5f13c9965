"""AttentionDecoder: a recurrent decoder that looks at the states of an encoder at each step."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError
from septet.nn.attention.scores import Attention
from septet.nn.dense import Dense
from septet.nn.module import Module
from septet.nn.recurrent.cell import Cell
from septet.nn.recurrent.loop import swap
from septet.nn.sizes import check_rank, static_size
from septet.ops.assembling import concatenate
from septet.ops.creation import zeros
from septet.tensor import tree
from septet.tensor.control import scan
from septet.tensor.tensor import Tensor
from septet.tensor.wrap import unwrap

STYLES = ("before", "after")


class AttentionDecoder(Module):
    """Run a cell along a sequence, with attention over a memory at each step.

    Parameters
    ----------
    cell : Cell
        Its output is what attention is asked with.
    attention : Attention
        `AdditiveAttention` or `DotAttention`.
    style : {"before", "after"}
        "before": what attention finds with the output before is a further input of the cell (Bahdanau); the results are
        the outputs beside what was found. "after": attention is asked with the new output, and ``tanh`` of a product
        of both is the result and a further input of the next step (Luong's "input feeding").

    Shape
    -----
    x (B, T, C), memory (B, S, M), memory_mask (B, S): True for the states that there are; outputs (B, T, H + M) or,
    "after", (B, T, H).

    Source
    ------
    D. Bahdanau, K. Cho, Y. Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", 2015; M.-T.
    Luong, H. Pham, C. D. Manning, "Effective Approaches to Attention-based Neural Machine Translation", 2015, section
    3 and 3.3.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> decoder = nn.AttentionDecoder(nn.GRUCell(4), nn.DotAttention("general"), style="after")
    >>> outputs, state = decoder(st.ones((2, 5, 3)), st.ones((2, 7, 6)))
    >>> outputs.shape
    (2, 5, 4)
    """

    def __init__(self, cell: Cell, attention: Attention, style: str = "before") -> None:
        if not isinstance(cell, Cell) or not isinstance(attention, Attention):
            raise ArgumentError(f"AttentionDecoder: takes a cell and an attention, got {cell!r} and {attention!r}")
        if not cell.output_is_state:
            raise ArgumentError(f"AttentionDecoder: the output of the cell must be its state, {cell!r} has others")
        if style not in STYLES:
            raise ArgumentError(f"AttentionDecoder: style must be one of {', '.join(STYLES)}, got {style!r}")
        if style == "after" and not hasattr(cell, "units"):
            raise ArgumentError(f"AttentionDecoder: with style 'after' the cell must have units, {cell!r} has none")
        self.cell = cell
        self.attention = attention
        self.style = style
        if style == "after":
            self.output = Dense(cell.units, "tanh", use_bias=False)

    def forward(self, x: Tensor, memory: Tensor, state: Any = None, *, memory_mask: Any = None) -> tuple[Tensor, Any]:
        """Return outputs and the last state.

        Parameters
        ----------
        x : Tensor
        memory : Tensor
        state : tuple (state of the cell, Tensor or None), optional
            As it was returned; with None what was found begins with zeros, so that a decoder can begin with the state
            of an encoder: ``(state, None)``.
        memory_mask : tensor of bool, optional
        """
        check_rank(x, 3, self, "(B, T, C)")
        check_rank(memory, 3, self, "a memory (B, S, M)")
        if state is not None and (not isinstance(state, (tuple, list)) or len(state) != 2):
            raise ArgumentError(f"{self.label}: the state is a pair (state of the cell, what was found), got {state!r}")
        own, found = (None, None) if state is None else state
        is_after = self.style == "after"
        if found is None:
            size = self.cell.units if is_after else static_size(memory, -1, self)
            found = Tensor(zeros(unwrap((x.shape[0], size)), dtype=memory.dtype))
        with self.cell.entered(_join(x[:, 0], found)):
            if own is None:
                z = self.cell.project(_join(x[:, 0], found))
                own = self.cell.first_state(tuple(z.shape), z.dtype)
            else:
                self.cell.check_state(own)
                own = tuple(own) if isinstance(own, list) else own
            dropped = self.cell.recurrent_mask(own)
        with self.attention.entered(_output_of(own), memory):
            keys = self.attention.prepare(memory)

        def step(carry: Any, now: Tensor) -> Any:
            before, context = carry
            if not is_after:
                context = self._look(_output_of(before), keys, memory, memory_mask)
            with self.cell.entered():
                hidden, after = self.cell.go(self.cell.project(_join(now, context)), before, dropped)
            if is_after:
                context = self.output(_join(hidden, self._look(hidden, keys, memory, memory_mask)))
            return (after, context), context if is_after else _join(hidden, context)

        last, outputs = scan(step, (own, found), swap(x))
        return swap(outputs), last

    def _look(self, query: Tensor, keys: Tensor, memory: Tensor, mask: Any) -> Tensor:
        with self.attention.entered():
            return self.attention.weigh(query, keys, memory, mask)[0]

    def extra(self) -> str:
        return f"style={self.style!r}"


def _join(a: Tensor, b: Tensor) -> Tensor:
    return Tensor(concatenate([a.node, b.node], axis=-1))


def _output_of(state: Any) -> Tensor:
    """Return the part of a state that is the cell's output."""
    found: Tensor = tree.flatten(state)[0][0]
    return found
