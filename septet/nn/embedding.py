"""Embedding: rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.base.errors import ArgumentError
from septet.graph.op import ops
from septet.nn.module import Module
from septet.nn.sizes import check_count
from septet.ops.keys import take_rows
from septet.ops.matmul import matmul
from septet.ops.shaping import transpose
from septet.tensor.creation import tensor
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class Embedding(Module):
    """Look up rows of a learned table.

    Parameters
    ----------
    count : int
        The number of rows.
    size : int
        The size of a row.
    padding : int, optional
        An index that stands for nothing, at the end of shorter sequences: its row is zeros and stays so. `mask` says
        where it is not.
    initializer : str or callable

    Shape
    -----
    indices (...), result (..., size); table (count, size).

    Raises
    ------
    IndexOutOfRangeError
        If an index is not a row.

    Elsewhere
    ---------
    Keras ``Embedding``, Lasagne ``EmbeddingLayer``, PyTorch ``Embedding``.

    Examples
    --------
    >>> import septet as st
    >>> embedding = Embedding(10, 4, padding=0)
    >>> words = st.tensor([[1, 2, 0]])
    >>> embedding(words).shape
    (1, 3, 4)
    >>> embedding.mask(words)
    tensor([[ True,  True, False]], dtype=bool)
    """

    table: Variable

    def __init__(self, count: int, size: int, *, padding: int | None = None, initializer: Any = "uniform") -> None:
        self.count = check_count("Embedding", "count", count)
        self.size = check_count("Embedding", "size", size)
        self.padding = None if padding is None else check_count("Embedding", "padding", padding, least=0)
        if self.padding is not None and self.padding >= self.count:
            raise ArgumentError(f"Embedding: padding={padding} is not one of the {self.count} rows")
        self.initializer = initializer

    def build(self, indices: Tensor) -> None:
        self.variable("table", (self.count, self.size), self.initializer, role="embedding")
        if self.padding is not None:
            table = np.array(self.table.current())
            table[self.padding] = 0
            self.table.store(table)

    def forward(self, indices: Tensor) -> Tensor:
        rows = take_rows(self.table.node, indices.node, axis=0)
        if self.padding is None:
            return Tensor(rows)
        there = self.mask(indices).reshape(*indices.shape, 1)
        return Tensor(ops.where(there.node, rows, 0.0))

    def mask(self, indices: Any) -> Tensor:
        """Return where indices are not padding, as layers over time and attention take it."""
        if self.padding is None:
            raise ArgumentError(f"{self.label}: has no padding", hint="nn.Embedding(count, size, padding=0)")
        indices = indices if isinstance(indices, Tensor) else tensor(indices)
        return indices != self.padding

    def scores(self, x: Tensor) -> Tensor:
        """Return products of vectors (..., size) with all rows, (..., count): an output layer that shares the table.

        Source
        ------
        O. Press, L. Wolf, "Using the Output Embedding to Improve Language Models", 2017.
        """
        with self.entered():
            return Tensor(matmul(x.node, transpose(self.table.node)))

    def extra(self) -> str:
        return f"{self.count}, {self.size}" + ("" if self.padding is None else f", padding={self.padding}")
