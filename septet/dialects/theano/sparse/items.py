"""Parts of sparse matrices: elements, rows, and rectangles."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.dialects.theano.gof.graph import Apply, Variable
from septet.dialects.theano.missing import disconnected_type
from septet.dialects.theano.sparse.structure import SparseOp
from septet.dialects.theano.sparse.type import SCIPY
from septet.dialects.theano.sparse.variables import FORMATS, as_sparse_variable, integer_dtypes
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.subtensor import Key
from septet.dialects.theano.tensortype import TensorType


def _check_indices(*indices: Any) -> None:
    for index in indices:
        if index.type.dtype not in integer_dtypes or index.type.ndim != 1:
            raise TypeError(f"elements and rows are chosen by vectors of integers, got {index.type}")


class GetItemList(SparseOp):
    """The rows of a sparse matrix that a vector names: sparse."""

    inputs_with_gradient = slice(1)
    takes = "sd"

    def types(self, *inputs: Any) -> Any:
        _check_indices(inputs[1])
        return inputs[0].type

    def run(self, *values: Any) -> Any:
        return values[0][values[1]]

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [get_item_list_grad(*inputs, output_grads[0]), disconnected_type()]


class GetItemListGrad(SparseOp):
    """A sparse matrix of the shape of the first with rows added at the places that a vector names."""

    takes = "sds"

    def run(self, *values: Any) -> Any:
        x, index, gz = values
        index = np.where(index < 0, index + x.shape[0], index)
        chosen = SCIPY.csr_matrix(
            (np.ones(len(index), gz.dtype), (index, np.arange(len(index)))), (x.shape[0], len(index))
        )
        return chosen @ gz


class GetItem2Lists(GetItemList):
    """The elements of a sparse matrix at the rows and columns that two vectors name: a vector."""

    takes = "sdd"

    def types(self, *inputs: Any) -> Any:
        _check_indices(*inputs[1:])
        return TensorType(inputs[0].dtype, (False,))

    def run(self, *values: Any) -> Any:
        return np.asarray(values[0][values[1], values[2]]).ravel()

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [get_item_2lists_grad(*inputs, output_grads[0]), disconnected_type(), disconnected_type()]


class GetItem2ListsGrad(SparseOp):
    """A sparse matrix of the shape of the first with elements added at the rows and columns that two vectors name."""

    takes = "sddd"

    def run(self, *values: Any) -> Any:
        x, rows, columns, gz = values
        places = [
            np.where(index < 0, index + size, index) for index, size in zip((rows, columns), x.shape, strict=True)
        ]
        return FORMATS[x.format](SCIPY.coo_matrix((gz, tuple(places)), x.shape))


class GetItem2d(SparseOp):
    """``x[a:b, c:d]``: sparse, without a gradient."""

    __props__ = ("key",)

    def __init__(self, key: Key) -> None:
        self.key = key

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, list(inputs), [inputs[0].type()])

    def run(self, *values: Any) -> Any:
        bounds = [int(value) for value in values[1:]]
        return values[0][self.key.with_variables(bounds)]


def get_item_2d(x: Any, index: Any) -> Any:
    """Return ``x[a:b, c:d]`` as a sparse matrix.

    Raises
    ------
    NotImplementedError
        For rows and columns by themselves, which would be sparse vectors.
    ValueError
        For other keys than slices.
    """
    x = as_sparse_variable(x)
    items = index if isinstance(index, tuple) else (index,)
    for item in items:
        if np.isscalar(item) or (isinstance(item, Variable) and item.type.is_tensor and item.type.ndim == 0):
            raise NotImplementedError("Theano has no sparse vector. Use X[a:b, c:d], X[a:b, c:c+1] or X[a:b] instead.")
        if not isinstance(item, slice):
            raise ValueError(
                f"Advanced indexing is not implemented for sparse matrices. Argument not supported: {item}"
            )
    try:
        key, found = Key.read(items)
    except TypeError as error:
        raise ValueError(f"Impossible to index into a sparse matrix: {error}") from None
    if any(one.type.ndim for one in found):
        raise ValueError("Impossible to index into a sparse matrix with bounds that are no scalars")
    return GetItem2d(key)(x, *found)


class GetItemScalar(SparseOp):
    """``x[row, column]`` as a scalar tensor, without a gradient."""

    takes = "sdd"

    def make_node(self, *inputs: Any) -> Apply:
        x, *index = inputs
        given = [as_tensor_variable(one) for one in (index[0] if isinstance(index[0], tuple) else index)]
        if len(given) != 2 or any(one.type.ndim for one in given):
            raise TypeError("GetItemScalar takes a row and a column")
        x = as_sparse_variable(x)
        return Apply(self, [x, *given], [TensorType(x.dtype, ())()])

    def run(self, *values: Any) -> Any:
        return np.asarray(values[0][int(values[1]), int(values[2])])


get_item_list, get_item_list_grad, get_item_scalar = GetItemList(), GetItemListGrad(), GetItemScalar()
get_item_2lists, get_item_2lists_grad = GetItem2Lists(), GetItem2ListsGrad()


def get_item(x: Any, key: Any) -> Any:
    """Return ``x[key]``: an element, rows that a list names, elements that two lists name, or a rectangle."""
    items = key if isinstance(key, tuple) else (key,)
    are_lists = [isinstance(item, (list, np.ndarray)) for item in items]
    if len(items) == 2 and all(_is_integer(item) for item in items):
        return get_item_scalar(x, items)
    if are_lists[0]:
        return get_item_2lists(x, *items) if len(items) == 2 else get_item_list(x, items[0])
    return get_item_2d(x, items)


def _is_integer(item: Any) -> bool:
    return np.isscalar(item) or (isinstance(item, Variable) and item.type.is_tensor and item.type.ndim == 0)


__all__ = [
    "GetItem2Lists", "GetItem2ListsGrad", "GetItem2d", "GetItemList", "GetItemListGrad", "GetItemScalar",
    "get_item_2d", "get_item_2lists", "get_item_2lists_grad", "get_item_list", "get_item_list_grad", "get_item_scalar",
]  # fmt: skip
