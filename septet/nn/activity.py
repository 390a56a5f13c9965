"""Penalties on what layers return, not on what they have learned."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError
from septet.nn import regularizers
from septet.nn.module import Module
from septet.tensor.tensor import Tensor


class ActivityRegularization(Module):
    """Return what comes in, and add a penalty on it to the next `nn.regularization_loss`, while training.

    Parameters
    ----------
    regularizer : str or callable
        A name or object of `nn.regularizers`, or any function from a tensor to a scalar; its value is divided by the
        number of examples.

    Shape
    -----
    x (B, ...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> model = nn.Sequential(nn.ReLU(), ActivityRegularization(nn.regularizers.L1(0.5)))
    >>> y = model(st.tensor([[2.0], [4.0]]))
    >>> float(nn.regularization_loss(model)), float(nn.regularization_loss(model))
    (1.5, 0.0)

    Elsewhere
    ---------
    Keras ``ActivityRegularization``.
    """

    def __init__(self, regularizer: Any = "l2") -> None:
        self.regularizer = regularizers.get(regularizer)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 1:
            raise ArgumentError(f"{self.label}: a scalar has no axis of examples")
        if self.is_training:
            count = x.shape[0]
            count = count.astype(x.dtype) if isinstance(count, Tensor) else float(count)
            penalty = self.regularizer(x) / count
            object.__setattr__(self, regularizers.ACTIVITY, penalty)  # only the last call counts: nothing piles up
        return x

    def extra(self) -> str:
        return f"{self.regularizer!r}"
