"""`theano.tensor.nlinalg`: linear algebra as in NumPy."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.tensor.basic import diagonal, sum


def trace(X: Any) -> Any:
    """Return the sum of the diagonal of a matrix."""
    return sum(diagonal(X))
