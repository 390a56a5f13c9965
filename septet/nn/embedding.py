"""Embedding: rows of a table."""

from __future__ import annotations

from typing import Any

from septet.nn.module import Module
from septet.nn.sizes import check_count
from septet.ops.keys import take_rows
from septet.tensor.tensor import Tensor


class Embedding(Module):
    """Look up rows of a learned table.

    Parameters
    ----------
    count : int
        The number of rows.
    size : int
        The size of a row.
    initializer : str or callable

    Shape
    -----
    indices (...), result (..., size); table (count, size).

    Raises
    ------
    IndexOutOfRangeError
        If an index is not a row.

    Examples
    --------
    >>> import septet as st
    >>> Embedding(10, 4)(st.tensor([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(self, count: int, size: int, *, initializer: Any = "uniform") -> None:
        self.count = check_count("Embedding", "count", count)
        self.size = check_count("Embedding", "size", size)
        self.initializer = initializer

    def build(self, indices: Tensor) -> None:
        self.variable("table", (self.count, self.size), self.initializer, role="embedding")

    def forward(self, indices: Tensor) -> Tensor:
        return Tensor(take_rows(self.table.node, indices.node, axis=0))

    def extra(self) -> str:
        return f"{self.count}, {self.size}"
