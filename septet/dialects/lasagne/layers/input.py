"""Where data enters a network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.lasagne.layers.base import Layer

__all__ = ["InputLayer"]


class InputLayer(Layer):
    """A layer without one below: its output is a variable, or what `get_output` is given for it."""

    def __init__(
        self, shape: Iterable[int | None], input_var: Any = None, name: str | None = None, **kwargs: Any
    ) -> None:
        self.shape = tuple(shape)
        if any(size is not None and size <= 0 for size in self.shape):
            raise ValueError(
                f"Cannot create InputLayer with a non-positive shape dimension. shape={self.shape!r}, self.name={name!r}"
            )
        if input_var is None:
            kind = T.TensorType(theano.config.floatX, [size == 1 for size in self.shape])
            input_var = kind("input" if name is None else f"{name}.input")
        elif input_var.ndim != len(self.shape):
            raise ValueError(f"shape has {len(self.shape)} dimensions, but variable has {input_var.ndim}")
        self.input_var = input_var
        self._begin(name)

    @property
    def output_shape(self) -> Any:
        """The shape of the data."""
        return self.shape
