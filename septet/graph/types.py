"""The type of a node: dtype and shape, interned, so that comparing and hashing are comparisons of identity."""

from __future__ import annotations

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.shapes import Shape, count
from septet.base.sizes import plain, scope_of
from septet.base.text import type_text


class TensorType:
    """The dtype and the shape of a tensor. Make one with `tensor_type`; equal types are the same object.

    Attributes
    ----------
    dtype : numpy.dtype
    shape : tuple of (int or None)
        None where the size is not known before the graph runs.
    ndim : int
    is_known : bool
        Whether every size is known.
    """

    __slots__ = ("dtype", "is_known", "ndim", "shape")

    def __init__(self, dtype: DType, shape: Shape) -> None:
        self.dtype = dtype
        self.shape = shape
        self.ndim = len(shape)
        self.is_known = None not in shape

    def with_dtype(self, dtype: DType) -> TensorType:
        """Return the type with another dtype."""
        return tensor_type(dtype, self.shape)

    def with_shape(self, shape: Shape) -> TensorType:
        """Return the type with another shape."""
        return tensor_type(self.dtype, shape)

    @property
    def size(self) -> int | None:
        """The number of elements, or None where it is not known."""
        return count(self.shape)

    def accepts(self, other: TensorType) -> bool:
        """Tell whether a value of another type is a value of this one."""
        return (
            self.dtype == other.dtype
            and self.ndim == other.ndim
            and all(mine is None or mine == size for mine, size in zip(self.shape, other.shape, strict=True))
        )

    def __repr__(self) -> str:
        return type_text(self)

    def __reduce__(self) -> tuple[object, ...]:
        return tensor_type, (self.dtype, self.shape)


NodeType = TensorType | tuple[TensorType, ...]

_types: dict[tuple[DType, Shape], TensorType] = {}


def tensor_type(dtype: DType, shape: Shape) -> TensorType:
    """Return the one type object with the given dtype and shape."""
    try:
        return _types[dtype, shape]
    except KeyError:
        scope = scope_of(shape)
        types = _types if scope is None else scope.types
        shape = plain(tuple(shape)) if scope is None else shape  # sizes of a closed scope are numbers
        return types.setdefault((dtype, shape), TensorType(dtypes.as_dtype(dtype), shape))
