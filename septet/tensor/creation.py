"""Tensors from data, and symbols."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import ArgumentError
from septet.base.shapes import as_shape
from septet.base.source import here
from septet.graph import node as nodes
from septet.graph.op import as_array, cast_to
from septet.graph.types import tensor_type
from septet.tensor.tensor import Tensor, check_device
from septet.tensor.variable import Variable


def tensor(data: Any, dtype: Any = None) -> Tensor:
    """Make a tensor of data, which is copied.

    Parameters
    ----------
    data : array-like
        Numbers, nested lists, NumPy arrays, anything with ``__array__``; or a tensor.
    dtype : dtype, optional
        By default an array keeps its own; Python numbers take the default of their kind (int64, float32, complex64).

    Returns
    -------
    Tensor

    Raises
    ------
    DTypeError
        If the elements are not numbers or the rows of a nested list differ in length.

    Examples
    --------
    >>> import septet as st
    >>> st.tensor([1.5, 2.5])
    tensor([1.5, 2.5], dtype=float32)
    """
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    if isinstance(data, Tensor):
        return Tensor(data.node if wanted is None else cast_to(data.node, wanted))
    if isinstance(data, (list, tuple)) and _holds_tensors(data):
        data = _values(data)
    return Tensor(nodes.constant(as_array(data, wanted), source=here()))


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """Make a tensor of data (Python Array API name of `tensor`).

    Parameters
    ----------
    obj : array-like
    dtype : dtype, optional
    device : str, optional
        "cpu".
    copy : bool, optional
        False asks for no copy, which only a tensor of the right dtype can give: the very same handle is returned.
    """
    check_device(device)
    if copy is False and not (isinstance(obj, Tensor) and (dtype is None or obj.dtype == dtypes.as_dtype(dtype))):
        raise ValueError(
            "asarray(copy=False): data is always copied into a tensor, so that it can never change behind it"
        )
    return obj if copy is False else tensor(obj, dtype)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """Make a tensor of an object of another library that supports DLPack; the data is copied."""
    check_device(device)
    return tensor(np.from_dlpack(x))


def owned(array: np.ndarray) -> Tensor:
    """Make a tensor of an array that the caller gives away and never writes to again: no copy."""
    if array.dtype not in dtypes.KIND:
        array = as_array(array)
    array = array.view()
    array.flags.writeable = False
    return Tensor(nodes.constant(array, source=None))


def _holds_tensors(data: Any) -> bool:
    return any(isinstance(item, Tensor) or (isinstance(item, (list, tuple)) and _holds_tensors(item)) for item in data)


def _values(data: Any) -> Any:
    if isinstance(data, Tensor):
        return data.value
    return [_values(item) for item in data] if isinstance(data, (list, tuple)) else data


def symbol(name: str = "", shape: Any = (), dtype: Any = None) -> Tensor:
    """Make a symbol: a tensor without a value, the input of a graph.

    Parameters
    ----------
    name : str
        Shown in errors and printing, and the keyword under which a function takes it.
    shape : tuple of (int or None)
        None for a size that is not known before the graph runs. An unknown size never broadcasts as 1.
    dtype : dtype, optional
        The default float type if not given.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import septet as st
    >>> x = st.symbol("x", (None, 3))
    >>> (x * 2).sum().eval({x: [[1, 2, 3], [4, 5, 6]]})
    tensor(42., dtype=float32)
    """
    if not isinstance(name, str):
        raise ArgumentError(f"symbol takes a name first, got {name!r}", hint='st.symbol("x", (None, 784))')
    type_ = tensor_type(dtypes.as_dtype(float if dtype is None else dtype), as_shape(shape))
    return Tensor(nodes.symbol(type_, name))


__all__ = ["Tensor", "Variable", "asarray", "from_dlpack", "owned", "symbol", "tensor"]
