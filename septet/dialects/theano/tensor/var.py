"""Variables that are tensors. Their operators and methods are set by `operators`, when all functions are there."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.dialects.theano.gof.graph import Constant, Variable
from septet.dialects.theano.tensortype import TensorType


class AsTensorError(TypeError):
    """A value that cannot become a tensor."""


class _tensor_py_operators:
    """Operators and methods of tensors; see `operators`."""

    __array_priority__ = 1000
    _is_nonzero = True

    def __bool__(self) -> bool:
        if self._is_nonzero:
            return True
        raise TypeError("Variables do not support boolean operations.")

    def __iter__(self) -> Any:
        from septet.dialects.theano.tensor.shaping import get_vector_length

        try:
            length = get_vector_length(self)
        except (TypeError, ValueError):
            raise TypeError(
                "TensorType does not support iteration. Maybe you are using builtins.sum instead of theano.tensor.sum? (Maybe .max?)"
            ) from None
        return iter([self[index] for index in range(length)])


class TensorVariable(_tensor_py_operators, Variable):
    """A tensor without a value of its own."""


class TensorConstantSignature(tuple[Any, ...]):
    """What equal constants have in common: type and values; NaN equals NaN."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        (t0, d0), (t1, d1) = self, other
        return bool(t0 == t1 and d0.shape == d1.shape and TensorType.values_eq(d0, d1))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((type(self), self[0], self[1].shape, float(np.nansum(self[1].real)) if self[1].size else 0.0))


class TensorConstant(_tensor_py_operators, Constant):
    """A tensor whose value is known."""

    def __init__(self, type: Any, data: Any, name: str | None = None) -> None:
        super().__init__(type, data, name)
        self.tag.unique_value = (
            data.flat[0] if self.data.ndim and self.data.size and np.all(self.data == self.data.flat[0]) else None
        )

    def signature(self) -> TensorConstantSignature:
        return TensorConstantSignature((self.type, self.data))

    def __str__(self) -> str:
        one = self.tag.unique_value
        text = f"{self.data}" if one is None else f"{self.data.shape} of {one}"
        return f"TensorConstant{{{text if len(text) <= 20 else text[:10] + '..' + text[-10:]}}}"

    def __copy__(self) -> TensorConstant:
        return self

    def __deepcopy__(self, memo: Any) -> TensorConstant:
        return self


TensorType.Variable = TensorVariable
TensorType.Constant = TensorConstant
