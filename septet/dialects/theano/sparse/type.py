"""The type of sparse matrices: their values are SciPy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.base.errors import LibraryError
from septet.dialects.theano.gof.type import NotTensorError, Type


def _scipy_sparse() -> Any:
    """Return SciPy's module, which belongs to an extra."""
    try:
        import scipy.sparse
    except ImportError:
        raise LibraryError("theano.sparse keeps matrices as SciPy does", hint="pip install 'septet[theano]'") from None
    return scipy.sparse


SCIPY = _scipy_sparse()
FORMATS: dict[str, Any] = {"csr": SCIPY.csr_matrix, "csc": SCIPY.csc_matrix}


def _is_sparse(x: Any) -> bool:
    """Tell whether a value is a sparse matrix; NotImplementedError for what is no matrix at all."""
    if not SCIPY.issparse(x) and not isinstance(x, (np.ndarray, tuple, list)):
        raise NotImplementedError("_is_sparse takes a matrix of SciPy or an array of NumPy, not", x)
    return bool(SCIPY.issparse(x))


class SparseType(Type):
    """Sparse matrices of a format and dtype.

    Parameters
    ----------
    format : "csr" or "csc"
    dtype : str
    """

    format_cls = FORMATS
    dtype_set = frozenset(
        f"{kind}{bits}"
        for kind, sizes in {
            "int": (8, 16, 32, 64),
            "uint": (8, 16, 32, 64),
            "float": (32, 64),
            "complex": (64, 128),
        }.items()
        for bits in sizes
    )
    ndim = 2
    broadcastable = (False, False)

    def __init__(self, format: str, dtype: Any) -> None:
        self.dtype = str(np.dtype(dtype))
        if self.dtype not in self.dtype_set:
            raise NotImplementedError(f'unsupported dtype "{dtype}" not in list', sorted(self.dtype_set))
        if format not in FORMATS:
            raise NotImplementedError(f'unsupported format "{format}" not in list', list(FORMATS))
        self.format = format

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """Return a value as a matrix of this type.

        Raises
        ------
        TypeError
            If its dtype is another one, unless `allow_downcast` says to convert; with `strict`, if it is no such matrix.
        """
        if isinstance(value, FORMATS[self.format]) and value.dtype == self.dtype:
            return value
        if strict:
            raise TypeError(f"{value} is not sparse, or not the right dtype (expected {self})")
        found = FORMATS[self.format](value, dtype=self.dtype if allow_downcast else None)
        if found.dtype != self.dtype:
            raise TypeError(f"Expected {self.dtype} dtype but got {found.dtype}")
        return found

    def is_valid_value(self, a: Any, strict: bool = True) -> bool:
        return SCIPY.issparse(a) and a.format == self.format

    def leaf(self, variable: Any) -> Any:
        raise NotTensorError(
            f"{variable} of type {self} is no tensor: loops, ifelse and Rop take none such; compute with it outside of them, "
            "or make it dense: sparse.dense_from_sparse"
        )

    @staticmethod
    def may_share_memory(a: Any, b: Any) -> bool:
        """Tell whether two matrices, or a matrix and an array, may share memory."""

        def parts(x: Any) -> list[Any]:
            return [x.data, x.indices, x.indptr] if _is_sparse(x) else [x]

        return any(np.may_share_memory(x, y) for x in parts(a) for y in parts(b))

    @staticmethod
    def values_eq(a: Any, b: Any) -> bool:
        return _are_both(a, b) and abs(a - b).sum() == 0

    @staticmethod
    def values_eq_approx(a: Any, b: Any, eps: float = 1e-6) -> bool:
        return _are_both(a, b) and bool(abs(a - b).max() < eps)

    def get_shape_info(self, obj: Any) -> Any:
        obj = self.filter(obj)
        return (obj.shape, obj.data.size, obj.indices.size, obj.indptr.size, obj.nnz)

    def get_size(self, shape_info: Any) -> int:
        """Return the number of bytes that a matrix takes."""
        _, data, indices, pointers, _ = shape_info
        return int(data * np.dtype(self.dtype).itemsize + (indices + pointers) * np.dtype("int32").itemsize)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and (other.dtype, other.format) == (self.dtype, self.format)

    def __hash__(self) -> int:
        return hash((self.dtype, self.format))

    def __str__(self) -> str:
        return f"Sparse[{self.dtype}, {self.format}]"

    __repr__ = __str__


def _are_both(a: Any, b: Any) -> bool:
    return bool(SCIPY.issparse(a) and SCIPY.issparse(b) and a.shape == b.shape)


__all__ = ["SparseType", "_is_sparse"]
