"""`theano.tensor.sort`: sorting."""

from __future__ import annotations

from typing import Any

import septet as st
from septet.dialects.theano.gof.native import native
from septet.dialects.theano.tensor.convert import as_tensor_variable, known_value


@native(name="SortOp")
def _sort(x: Any, *, axis: int | None) -> Any:
    return st.sort(st.reshape(x, (-1,)) if axis is None else x, axis=-1 if axis is None else axis)


@native(name="ArgSortOp")
def _argsort(x: Any, *, axis: int | None) -> Any:
    return st.argsort(st.reshape(x, (-1,)) if axis is None else x, axis=-1 if axis is None else axis)


def _axis(axis: Any) -> int | None:
    if axis is None:
        return None
    value = known_value(axis)
    if value is None:
        raise NotImplementedError("sort: the axis is a number that is known before anything is computed")
    return int(value)


def sort(a: Any, axis: Any = -1, kind: str = "quicksort", order: Any = None) -> Any:
    """Return a tensor sorted along an axis (the flattened tensor, where it is None)."""
    return _sort(as_tensor_variable(a), axis=_axis(axis))


def argsort(a: Any, axis: Any = -1, kind: str = "quicksort", order: Any = None) -> Any:
    """Return the indices that sort a tensor along an axis (the flattened tensor, where it is None)."""
    return _argsort(as_tensor_variable(a), axis=_axis(axis))
