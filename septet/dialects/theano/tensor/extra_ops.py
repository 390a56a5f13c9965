"""`theano.tensor.extra_ops`: cumulative sums, repetitions, differences, counts, indices in other forms."""

from __future__ import annotations

from typing import Any

import septet as st
from septet.dialects.theano.dtypes import DISCRETE
from septet.dialects.theano.gof.native import native
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.shaping import element


@native(name="CumOp")
def _cumulate(x: Any, *, mode: str, axis: int | None) -> Any:
    if axis is None:
        x, axis = st.reshape(x, (-1,)), 0
    call = st.cumsum if mode == "add" else st.cumprod
    return call(x, axis=axis, dtype=x.dtype)


def cumsum(x: Any, axis: int | None = None) -> Any:
    """Return cumulative sums along an axis, or of the flattened tensor."""
    return _cumulate(x, mode="add", axis=axis)


def cumprod(x: Any, axis: int | None = None) -> Any:
    """Return cumulative products along an axis, or of the flattened tensor."""
    return _cumulate(x, mode="mul", axis=axis)


@native(name="Repeat")
def _repeat(x: Any, repeats: Any, *, axis: int | None) -> Any:
    return st.repeat(x, element(repeats) if repeats.ndim == 0 else repeats, axis=axis)


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Return a tensor with each element repeated along an axis (of the flattened tensor, by default)."""
    repeats = as_tensor_variable(repeats)
    if repeats.ndim > 1:
        raise ValueError("The dimension of repeats should not exceed 1.")
    if repeats.dtype not in DISCRETE or repeats.dtype == "uint64":
        raise TypeError(f"repeats.dtype must be an integer, got {repeats.dtype}")
    return _repeat(x, repeats, axis=axis)


def squeeze(x: Any, axis: Any = None) -> Any:
    """Return a tensor without its axes of size 1."""
    x = as_tensor_variable(x)
    if axis is not None:
        gone = [one % x.ndim for one in ([axis] if isinstance(axis, int) else axis)]
        return x.dimshuffle(*[one for one in range(x.ndim) if one not in gone])
    return x.dimshuffle(*[one for one in range(x.ndim) if not x.broadcastable[one]])


@native(name="SearchsortedOp")
def _searchsorted(x: Any, v: Any, *, side: str) -> Any:
    return st.searchsorted(x, v, side=side)


def searchsorted(x: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Return where elements would be put into a sorted vector."""
    x = as_tensor_variable(x)
    if sorter is not None:
        x = x[as_tensor_variable(sorter)]
    return _searchsorted(x, v, side=side)


def compress(condition: Any, x: Any, axis: int | None = None) -> Any:
    """Return the slices of a tensor along an axis for which a condition holds."""
    from septet.dialects.theano.tensor.basic import nonzero

    indices = nonzero(as_tensor_variable(condition))[0]
    x = as_tensor_variable(x)
    return x.take(indices, axis=axis)
