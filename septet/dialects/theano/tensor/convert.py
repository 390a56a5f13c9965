"""What users give, as variables: numbers, arrays, lists with variables in them."""

from __future__ import annotations

from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.dtypes import convert
from septet.dialects.theano.gof.graph import Apply, Constant, Variable
from septet.dialects.theano.tensor.var import AsTensorError, TensorConstant
from septet.dialects.theano.tensortype import TensorType


def constant(x: Any, name: str | None = None, ndim: int | None = None, dtype: Any = None) -> TensorConstant:
    """Return a constant tensor.

    Parameters
    ----------
    x : number or array-like
    name : str, optional
    ndim : int, optional
        Axes of size 1 are put in front until there are so many.
    dtype : dtype, optional
        By default the smallest that holds a Python number, and that of an array.

    Raises
    ------
    TypeError
        If the value is no array of numbers.
    ValueError
        If it has more than `ndim` axes.
    """
    array = convert(x, dtype)
    if name is None and ndim is None and array.size == 1 and array.dtype.kind in "iuf":
        key = (array.dtype, array.shape, array.tobytes())
        kept = constant_cache.get(key)
        if kept is not None:
            return kept
        if -10 <= array.reshape(()) <= 10 and len(constant_cache) < 10000:
            constant_cache[key] = _constant(x, array, None)
            return constant_cache[key]
    if ndim is not None:
        if array.ndim > ndim:
            raise ValueError(f"ndarray could not be cast to constant with {ndim} dimensions")
        array = array.reshape((1,) * (ndim - array.ndim) + array.shape)
    return _constant(x, array, name)


constant_cache: dict[Any, TensorConstant] = {}
"""Small numbers that were asked for: each is one constant, as in Theano."""


def _constant(x: Any, array: np.ndarray, name: str | None) -> TensorConstant:
    try:
        type_ = TensorType(array.dtype, [size == 1 for size in array.shape])
    except TypeError:
        raise TypeError(f"Could not convert {x!r} to TensorType", type(x)) from None
    return TensorConstant(type_, array if array is not x else array.copy(), name)


def as_tensor_variable(x: Any, name: str | None = None, ndim: int | None = None) -> Any:
    """Return something as a tensor variable.

    Parameters
    ----------
    x : Variable, Apply, number, array-like, or a list of these
    name : str, optional
        Of a new variable.
    ndim : int, optional
        The rank of the result: axes of size 1 are put in front, or taken away there.

    Raises
    ------
    AsTensorError
        If it cannot become a tensor; True and False do not, because they come from comparing variables with ``==``.
    """
    if hasattr(x, "_as_TensorVariable"):
        return x._as_TensorVariable()
    if isinstance(x, Apply):
        if x.op.default_output is None and len(x.outputs) != 1:
            raise ValueError("It is ambiguous which output of a multi-output Op has to be fetched.", x)
        x = x.default_output()
    if isinstance(x, Variable):
        return _of_rank(x, ndim)
    if isinstance(x, (list, tuple)) and _has_variable(x):
        from septet.dialects.theano.tensor.shaping import stack

        return stack([as_tensor_variable(part) for part in x])
    if isinstance(x, bool):
        raise AsTensorError(
            "Cannot cast True or False as a tensor variable. Please use np.array(True) or np.array(False) if you need "
            "these constants. This error might be caused by using the == operator on Variables. v == w does not do "
            "what you think it does, use theano.tensor.eq(v, w) instead."
        )
    try:
        return constant(x, name=name, ndim=ndim)
    except TypeError:
        raise AsTensorError(f"Cannot convert {x!r} to TensorType", type(x)) from None


def _of_rank(x: Any, ndim: int | None) -> Any:
    if not isinstance(x.type, TensorType):
        raise AsTensorError("Variable type field must be a TensorType.", x, x.type)
    if ndim is None or x.type.ndim == ndim:
        return x
    from septet.dialects.theano.tensor.shaping import shape_padleft

    if x.type.ndim < ndim:
        return shape_padleft(x, ndim - x.type.ndim)
    extra = x.type.ndim - ndim
    if not all(x.type.broadcastable[:extra]):
        raise ValueError(f"TensorType could not be cast to have {ndim} dimensions", x.type)
    return x.dimshuffle(*range(extra, x.type.ndim))


def _has_variable(values: Any) -> bool:
    return any(
        isinstance(v, (Variable, Apply)) or hasattr(v, "_as_TensorVariable")
        or (isinstance(v, (list, tuple)) and _has_variable(v)) for v in values
    )  # fmt: skip


def as_variable(x: Any) -> Any:
    """Return a variable as it is, and anything else as a tensor."""
    return x if isinstance(x, Variable) else as_tensor_variable(x)


def known_value(x: Any) -> np.ndarray | None:
    """Return the value of a number or of a variable that depends on no input, otherwise None."""
    if isinstance(x, Constant):
        return np.asarray(x.data)
    if isinstance(x, Variable):
        tensor = x.tensor
        try:
            return None if tensor.node.is_symbolic else np.asarray(tensor.numpy())
        except st.errors.UserFunctionError:  # an Assert that does not hold
            return None
    return np.asarray(x)
