"""Positions: what tells attention, which sees a set, the order of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.graph.op import ops
from septet.nn.module import Module
from septet.nn.sizes import check_count, static_size
from septet.ops.assembling import concatenate, stack
from septet.ops.creation import arange
from septet.ops.keys import take_rows
from septet.tensor.creation import tensor
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable
from septet.tensor.wrap import unwrap


def positions_of(x: Tensor, start: Any = 0) -> Tensor:
    """Return the positions of the steps of x (..., T, C), from `start` on: (T,)."""
    steps = Tensor(arange(unwrap(x.shape[-2])))
    return steps if isinstance(start, int) and start == 0 else steps + start


def angles(positions: Tensor, size: int, base: float, dtype: Any) -> Tensor:
    """Return positions times size / 2 frequencies, which fall from 1 to nearly 1 / base: (T, C / 2)."""
    frequencies = np.asarray(base ** (-2.0 * np.arange(size // 2) / size), dtype)
    return positions.astype(dtype).reshape(-1, 1) * tensor(frequencies)


def check_even(name: str, size: int) -> int:
    """Return a number of features that make pairs."""
    if size % 2:
        raise ShapeError(f"{name}: sines and cosines come in pairs, the size {size} is odd")
    return size


def sinusoids(positions: Any, size: int, base: float = 10000.0, dtype: Any = np.float32) -> Tensor:
    """Return sines and cosines of positions, in turns along the last axis.

    Parameters
    ----------
    positions : tensor (T,)
    size : int
        Even.
    base : float
    dtype : dtype

    Returns
    -------
    Tensor (T, size)

    Source
    ------
    Vaswani et al., "Attention is all you need", 2017, section 3.5.

    Examples
    --------
    >>> import septet as st
    >>> sinusoids(st.tensor([0, 1]), 2).round(3)
    tensor([[0.   , 1.   ],
            [0.841, 0.54 ]], dtype=float32)
    """
    positions = positions if isinstance(positions, Tensor) else tensor(positions)
    phases = angles(positions, check_even("sinusoids", size), base, dtype).node
    return Tensor(stack([ops.sin(phases), ops.cos(phases)], axis=-1)).reshape(-1, size)


def rotary(x: Any, positions: Any = None, base: float = 10000.0, is_interleaved: bool = False) -> Tensor:
    """Rotate pairs of features by angles that grow with the position: products of two depend on their distance.

    Parameters
    ----------
    x : tensor
        Queries or keys.
    positions : tensor (T,), optional
        By default 0, 1, 2 ...
    base : float
    is_interleaved : bool
        Whether neighbours are a pair (as in the paper), or a feature of the first half and one of the second half,
        which is the same up to the order of the features, and what most checkpoints have.

    Shape
    -----
    x (..., T, D) with an even D, result the same.

    Source
    ------
    J. Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021, equation 34.

    Examples
    --------
    >>> import septet as st
    >>> rotary(st.tensor([[1.0, 0.0], [1.0, 0.0]])).round(3)
    tensor([[1.   , 0.   ],
            [0.54 , 0.841]], dtype=float32)
    """
    x = x if isinstance(x, Tensor) else tensor(x)
    size = x.type.shape[-1] if x.ndim >= 2 else None
    if size is None:
        raise ShapeError(f"rotary: takes (..., T, D) with a known D, got shape {shape_text(x.type.shape)}")
    half = check_even("rotary", size) // 2
    phases = angles(positions_of(x) if positions is None else positions, size, base, x.dtype)  # (T, D / 2)
    cos, sin = Tensor(ops.cos(phases.node)), Tensor(ops.sin(phases.node))
    if is_interleaved:
        pairs = x.reshape(*x.shape[:-1], half, 2)
        a, b = pairs[..., 0], pairs[..., 1]
        rotated = stack([(a * cos - b * sin).node, (a * sin + b * cos).node], axis=-1)
        return Tensor(rotated).reshape(*x.shape)
    a, b = x[..., :half], x[..., half:]
    return Tensor(concatenate([(a * cos - b * sin).node, (a * sin + b * cos).node], axis=-1))


class SinusoidalPositions(Module):
    """Add sines and cosines of the position.

    Parameters
    ----------
    base : float
        The longest wave is 2 pi times this.

    Shape
    -----
    x (B, T, C) with an even C, result the same. `position` is that of the first step.

    Source
    ------
    Vaswani et al., "Attention is all you need", 2017, section 3.5.

    Examples
    --------
    >>> import septet as st
    >>> SinusoidalPositions()(st.zeros((1, 3, 4)))[0, 0]
    tensor([0., 1., 0., 1.], dtype=float32)
    """

    def __init__(self, base: float = 10000.0) -> None:
        self.base = float(base)

    def forward(self, x: Tensor, position: Any = 0) -> Tensor:
        return x + sinusoids(positions_of(x, position), static_size(x, -1, self), self.base, x.dtype)


class LearnedPositions(Module):
    """Add a learned vector for each position.

    Parameters
    ----------
    count : int
        The longest sequence.
    initializer : str or callable

    Shape
    -----
    x (B, T, C) with T up to `count`, result the same; table (count, C). `position` is that of the first step.

    Raises
    ------
    ShapeError
        If the sequences are longer than `count`.

    Examples
    --------
    >>> import septet as st
    >>> LearnedPositions(16)(st.zeros((2, 3, 4))).shape
    (2, 3, 4)
    """

    table: Variable

    def __init__(self, count: int, *, initializer: Any = "uniform") -> None:
        self.count = check_count("LearnedPositions", "count", count)
        self.initializer = initializer

    def build(self, x: Tensor, position: Any = 0) -> None:
        self.variable("table", (self.count, static_size(x, -1, self)), self.initializer, role="embedding")

    def forward(self, x: Tensor, position: Any = 0) -> Tensor:
        steps = x.type.shape[-2] if x.ndim >= 2 else None
        start = position if isinstance(position, int) else 0
        if start < 0:
            raise ArgumentError(f"{self.label}: a position is not negative, got {position}")
        if steps is not None and start + steps > self.count:
            raise ShapeError(f"{self.label}: there are {self.count} positions, the input ends at {start + steps}")
        if isinstance(position, int) and steps is not None:
            return x + self.table[start : start + steps]
        return x + Tensor(take_rows(self.table.node, positions_of(x, position).node, axis=0))

    def extra(self) -> str:
        return f"{self.count}"
