"""Variables that are sparse matrices, and what becomes one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.gof.graph import Apply, Constant, Variable
from septet.dialects.theano.sharing import SharedVariable, shared_constructor
from septet.dialects.theano.sparse.type import FORMATS, SCIPY, SparseType, _is_sparse
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensortype import TensorType

sparse_formats = ["csc", "csr"]
_mtypes = [SCIPY.csc_matrix, SCIPY.csr_matrix]

all_dtypes = SparseType.dtype_set
complex_dtypes = [name for name in all_dtypes if name.startswith("complex")]
float_dtypes = [name for name in all_dtypes if name.startswith("float")]
int_dtypes = [name for name in all_dtypes if name.startswith("int")]
uint_dtypes = [name for name in all_dtypes if name.startswith("uint")]
integer_dtypes = discrete_dtypes = int_dtypes + uint_dtypes
continuous_dtypes = complex_dtypes + float_dtypes


class _sparse_py_operators:
    """Operators and methods of sparse matrices; `operators` sets those that ops stand for."""

    type: Any
    ndim = 2
    __array_priority__ = 1001
    __array_ufunc__ = None
    dtype = property(lambda self: self.type.dtype)
    format = property(lambda self: self.type.format)

    def __str__(self) -> str:
        return getattr(self, "name", None) or f"{type(self).__name__}{{{self.format},{self.dtype}}}"

    __repr__ = __str__


class SparseVariable(_sparse_py_operators, Variable):
    """A sparse matrix without a value of its own."""


class SparseConstant(_sparse_py_operators, Constant):
    """A sparse matrix whose value is known."""

    def signature(self) -> Any:
        own = self.data
        return (self.type, own.shape, *[part.tobytes() for part in (own.data, own.indices, own.indptr)])


class SparseTensorSharedVariable(_sparse_py_operators, SharedVariable):
    """A sparse matrix whose value persists."""


SparseType.Variable, SparseType.Constant = SparseVariable, SparseConstant


@shared_constructor
def sparse_constructor(
    value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None, borrow: bool = False,
    format: str | None = None,
) -> Any:  # fmt: skip
    """Return a shared variable that holds a sparse matrix; see `theano.shared`."""
    if not SCIPY.issparse(value):
        raise TypeError("a shared sparse variable holds a matrix of SciPy, got", type(value))
    kind = SparseType(format=value.format if format is None else format, dtype=value.dtype)
    value = value if borrow else copy.deepcopy(value)
    return SparseTensorSharedVariable(name, kind, value, strict, allow_downcast)


def matrix(format: str, name: str | None = None, dtype: Any = None) -> Any:
    """Return a sparse matrix of a format, "csr" or "csc"; of dtype `floatX`, unless it is given."""
    return SparseType(format=format, dtype=config.floatX if dtype is None else dtype)(name)


def _constructor(format: str) -> Callable[..., Any]:
    def make(name: str | None = None, dtype: Any = None) -> Any:
        return matrix(format, name, dtype)

    make.__doc__ = f"Return a sparse matrix of format {format}; see `matrix`."
    return make


csr_matrix, csc_matrix, bsr_matrix = _constructor("csr"), _constructor("csc"), _constructor("bsr")
csr_dmatrix, csc_dmatrix = SparseType("csr", "float64"), SparseType("csc", "float64")
csr_fmatrix, csc_fmatrix = SparseType("csr", "float32"), SparseType("csc", "float32")


# What becomes a sparse matrix.


def constant(x: Any, name: str | None = None) -> SparseConstant:
    """Return a sparse matrix of SciPy as a constant, with a copy of its value."""
    if not SCIPY.issparse(x):
        raise TypeError("sparse.constant must be called on a scipy.sparse.spmatrix")
    try:
        return SparseConstant(SparseType(format=x.format, dtype=x.dtype), x.copy(), name=name)
    except TypeError:
        raise TypeError(f"Could not convert {x} to SparseType", type(x)) from None


def as_sparse_variable(x: Any, name: str | None = None) -> Any:
    """Return a sparse variable, or a matrix of SciPy, as a sparse variable.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(x, Apply):
        if len(x.outputs) != 1:
            raise ValueError("It is ambiguous which output of a multi-output Op has to be fetched.", x)
        x = x.outputs[0]
    if isinstance(x, Variable):
        if not isinstance(x.type, SparseType):
            raise TypeError("Variable type field must be a SparseType.", x, x.type)
        return x
    return constant(x, name=name)


as_sparse = as_sparse_variable


def as_sparse_or_tensor_variable(x: Any, name: str | None = None) -> Any:
    """Return a sparse variable where it is one or can become one, otherwise a tensor."""
    try:
        return as_sparse_variable(x, name)
    except (ValueError, TypeError):
        return as_tensor_variable(x, name)


def _is_sparse_variable(x: Any) -> bool:
    """Tell whether a variable is a sparse matrix; NotImplementedError for what is neither that nor a tensor."""
    if not isinstance(x, Variable) or not isinstance(x.type, (SparseType, TensorType)):
        raise NotImplementedError("this takes a sparse variable or a tensor variable, not", x)
    return isinstance(x.type, SparseType)


def _is_dense_variable(x: Any) -> bool:
    return not _is_sparse_variable(x)


def _is_dense(x: Any) -> bool:
    return not _is_sparse(x)


__all__ = [
    "FORMATS", "SparseConstant", "SparseTensorSharedVariable", "SparseType", "SparseVariable", "_is_dense",
    "_is_dense_variable", "_is_sparse", "_is_sparse_variable", "_mtypes", "_sparse_py_operators", "all_dtypes", "as_sparse",
    "as_sparse_or_tensor_variable", "as_sparse_variable", "bsr_matrix", "complex_dtypes", "constant", "continuous_dtypes",
    "csc_dmatrix", "csc_fmatrix", "csc_matrix", "csr_dmatrix", "csr_fmatrix", "csr_matrix", "discrete_dtypes", "float_dtypes",
    "int_dtypes", "integer_dtypes", "matrix", "sparse_constructor", "sparse_formats", "uint_dtypes",
]  # fmt: skip
