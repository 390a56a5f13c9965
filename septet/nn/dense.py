"""Dense layers and embeddings."""

from __future__ import annotations

from typing import Any

from septet.base.dtypes import float32
from septet.base.errors import ArgumentError, ShapeError
from septet.graph.op import ops
from septet.nn import initializers
from septet.nn.module import Module
from septet.ops import indexing  # noqa: F401  (the card take)
from septet.ops.matmul import matmul
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class Dense(Module):
    """Compute ``x @ weight + bias`` over the last axis.

    Parameters
    ----------
    features : int
        Size of the last axis of the output.
    bias : bool
    weight_initializer, bias_initializer : str, number or callable

    Shape
    -----
    (..., I) -> (..., features); I is inferred at first use.
    """

    def __init__(
        self, features: int, bias: bool = True, weight_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros"
    ) -> None:
        super().__init__()
        if features < 1:
            raise ArgumentError(f"Dense: features must be at least 1, got {features}")
        self.features = features
        self._has_bias = bias
        self._initializers = initializers.get(weight_initializer), initializers.get(bias_initializer)
        self.weight: Variable | None = None
        self.bias: Variable | None = None

    def build(self, *inputs: Tensor) -> None:
        """Create weight (I, features) and bias (features,)."""
        size = inputs[0].type.shape[-1] if inputs[0].ndim else None
        if size is None:
            raise ShapeError(f"Dense: the last size of the input must be known to create the weight, got {inputs[0].type!r}")
        self.weight = Variable(self._initializers[0]((size, self.features), float32), "weight", role="weight")
        if self._has_bias:
            self.bias = Variable(self._initializers[1]((self.features,), float32), "bias", role="bias")

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (..., I)."""
        assert self.weight is not None
        y = matmul(x.node, self.weight.node)
        return Tensor(y if self.bias is None else ops.add(y, self.bias.node))


class Embedding(Module):
    """Look up a row of a table for each integer; an index out of range is an error.

    Parameters
    ----------
    count : int
        Rows.
    features : int
        Size of a row.
    initializer : str, number or callable

    Shape
    -----
    (...) of int -> (..., features)
    """

    def __init__(self, count: int, features: int, initializer: Any = "uniform") -> None:
        super().__init__()
        self.count = count
        self.features = features
        self.weight = Variable(initializers.get(initializer)((count, features), float32), "weight", role="embedding")

    def forward(self, x: Tensor) -> Tensor:
        """Look up (...)."""
        return Tensor(ops.take(self.weight.node, x.node, axis=0))
