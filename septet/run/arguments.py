"""Checking and converting the arguments of a compiled graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import DTypeError, ShapeError
from septet.base.text import type_text
from septet.graph.op import as_array
from septet.graph.types import TensorType
from septet.tensor.tensor import Tensor


def as_argument(value: Any, type_: TensorType, function: str, name: str) -> np.ndarray:
    """Return a value as an array of the type that an input has, without a copy where it has it already.

    Raises
    ------
    DTypeError
        If the dtype would have to be converted to a lower kind (float to integer).
    ShapeError
        If rank or a known size differs; the message shows both shapes.
    """
    if isinstance(value, Tensor):
        array = value.value
    elif isinstance(value, np.ndarray):
        array = value.view()
        array.flags.writeable = False
    else:
        array = as_array(value)
    if array.dtype != type_.dtype:
        array = _convert(array, type_, function, name, is_weak=not hasattr(value, "dtype"))
    if array.ndim != type_.ndim or any(w is not None and w != s for w, s in zip(type_.shape, array.shape, strict=True)):
        raise ShapeError(f"{function}: input {name!r} must be {type_text(type_)}, got {type_text(array)}")
    return array


def _convert(array: np.ndarray, type_: TensorType, function: str, name: str, is_weak: bool) -> np.ndarray:
    """Convert within a kind or to a higher one."""
    if array.dtype not in dtypes.KIND or dtypes.KIND[array.dtype] > dtypes.KIND[type_.dtype]:
        raise DTypeError(
            f"{function}: input {name!r} must be {type_!r}, got {type_text(array)}",
            hint=f"convert it with .astype({type_.dtype.name!r})",
        )
    return array.astype(type_.dtype)
