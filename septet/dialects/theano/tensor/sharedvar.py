"""Shared variables that are tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.dialects.theano.sharing import SharedVariable as SharedVariable
from septet.dialects.theano.sharing import TensorCells, shared_constructor
from septet.dialects.theano.tensor.var import _tensor_py_operators
from septet.dialects.theano.tensortype import TensorType


class TensorSharedVariable(_tensor_py_operators, TensorCells):
    """A shared tensor."""


class ScalarSharedVariable(TensorSharedVariable):
    """A shared number."""


@shared_constructor
def tensor_constructor(
    value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None, borrow: bool = False,
    broadcastable: Any = None, target: str = "cpu",
) -> Any:  # fmt: skip
    """Return a shared tensor with the value of an array."""
    if target != "cpu":
        raise TypeError("not for cpu")
    if not isinstance(value, np.ndarray):
        raise TypeError("tensor_constructor takes an array")
    ones = (False,) * value.ndim if broadcastable is None else broadcastable
    return TensorSharedVariable(
        type=TensorType(value.dtype, broadcastable=ones), value=value if borrow else np.array(value), name=name,
        strict=strict, allow_downcast=allow_downcast,
    )  # fmt: skip


@shared_constructor
def scalar_constructor(
    value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None, borrow: bool = False,
    target: str = "cpu",
) -> Any:  # fmt: skip
    """Return a shared number with the value of one of Python's or NumPy's."""
    if target != "cpu":
        raise TypeError("not for cpu")
    if not isinstance(value, (np.number, np.bool_, float, int, complex)):
        raise TypeError("scalar_constructor takes a number")
    array = np.asarray(value)
    return ScalarSharedVariable(
        type=TensorType(array.dtype, []), value=np.array(array), name=name, strict=strict, allow_downcast=allow_downcast
    )


shared = tensor_constructor
