"""The rest of the Python Array API standard: questions about dtypes, devices and the namespace itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from septet.base import dtypes
from septet.base import shapes as shapes_
from septet.base.config import config
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, DTypeError
from septet.tensor.tensor import Tensor, check_device

_KINDS: Mapping[str, tuple[DType, ...]] = MappingProxyType(
    {
        "bool": (dtypes.bool_,),
        "signed integer": dtypes.SIGNED,
        "unsigned integer": dtypes.UNSIGNED,
        "integral": dtypes.INTEGERS,
        "real floating": dtypes.FLOATS,
        "complex floating": dtypes.COMPLEXES,
        "numeric": dtypes.INTEGERS + dtypes.FLOATS + dtypes.COMPLEXES,
    }
)

_NOT_IN_THE_STANDARD = (dtypes.float16, dtypes.bfloat16)


class FloatInfo(NamedTuple):
    """What a float type can hold; of a complex type, its parts.

    Attributes
    ----------
    bits : int
        Bits of one number.
    eps : float
        The distance from 1 to the next larger number.
    max, min : float
        The largest and the smallest finite number.
    smallest_normal : float
        The smallest positive number with full precision.
    dtype : dtype
        The real type described.
    """

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


class IntegerInfo(NamedTuple):
    """What an integer type can hold.

    Attributes
    ----------
    bits : int
    max, min : int
    dtype : dtype
    """

    bits: int
    max: int
    min: int
    dtype: DType


def _dtype_of(value: Any) -> DType:
    return value.dtype if isinstance(value, Tensor) else dtypes.as_dtype(value)


def finfo(type: Any, /) -> FloatInfo:
    """Describe a float or complex type.

    Parameters
    ----------
    type : dtype or Tensor

    Returns
    -------
    FloatInfo

    Raises
    ------
    DTypeError
        If the type is not a float or complex type.

    Examples
    --------
    >>> import septet as st
    >>> st.finfo(st.float32).eps
    1.1920928955078125e-07
    """
    dtype = dtypes.real_of(_dtype_of(type))
    if not dtypes.is_float(dtype):
        raise DTypeError(
            f"finfo describes float and complex types, got {dtype.name}", hint="st.iinfo describes integers"
        )
    # ml_dtypes knows the types that NumPy does not
    found: Any = ml_dtypes.finfo(dtype) if dtype == dtypes.bfloat16 else np.finfo(dtype)
    return FloatInfo(
        int(found.bits), float(found.eps), float(found.max), float(found.min), float(found.smallest_normal), dtype
    )


def iinfo(type: Any, /) -> IntegerInfo:
    """Describe an integer type.

    Parameters
    ----------
    type : dtype or Tensor

    Returns
    -------
    IntegerInfo

    Raises
    ------
    DTypeError
        If the type is not an integer type.

    Examples
    --------
    >>> import septet as st
    >>> st.iinfo(st.int8).max
    127
    """
    dtype = _dtype_of(type)
    if not dtypes.is_integer(dtype):
        raise DTypeError(f"iinfo describes integer types, got {dtype.name}", hint="st.finfo describes floats")
    found = np.iinfo(dtype)
    return IntegerInfo(int(found.bits), int(found.max), int(found.min), dtype)


def isdtype(dtype: Any, kind: Any) -> bool:
    """Tell whether a dtype is another one, or is of a kind.

    Parameters
    ----------
    dtype : dtype
    kind : dtype, str or tuple of these
        "bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating" or "numeric".

    Returns
    -------
    bool

    Raises
    ------
    ArgumentError
        If there is no such kind.

    Examples
    --------
    >>> import septet as st
    >>> st.isdtype(st.float32, ("integral", "real floating"))
    True
    """
    dtype = dtypes.as_dtype(dtype)
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if isinstance(kind, str):
        return dtype in _of_kind(kind)
    return bool(dtype == dtypes.as_dtype(kind))


def _of_kind(kind: str) -> tuple[DType, ...]:
    try:
        return _KINDS[kind]
    except KeyError:
        raise ArgumentError(f"there is no kind of dtypes {kind!r}; the kinds are {', '.join(_KINDS)}") from None


def result_type(*arrays_and_dtypes: Any) -> DType:
    """Return the dtype that an operation between some tensors, dtypes and Python numbers gives.

    Parameters
    ----------
    *arrays_and_dtypes : Tensor, dtype or Python number
        Python numbers are weak: they count only where their kind is higher than all others.

    Returns
    -------
    dtype

    Raises
    ------
    ArgumentError
        If nothing is given.

    Examples
    --------
    >>> import septet as st
    >>> st.result_type(st.int8, st.float32, 2.0)
    dtype('float32')
    """
    numbers = [value for value in arrays_and_dtypes if dtypes.is_scalar(value)]
    strong = [_dtype_of(value) for value in arrays_and_dtypes if not dtypes.is_scalar(value)]
    if numbers:
        return dtypes.beside(numbers, strong)
    if not strong:
        raise ArgumentError("result_type needs at least one tensor, dtype or number")
    return dtypes.promote(*strong)


def can_cast(from_: Any, to: Any, /) -> bool:
    """Tell whether promotion can turn one dtype into another.

    Parameters
    ----------
    from_ : dtype or Tensor
    to : dtype

    Returns
    -------
    bool

    Examples
    --------
    >>> import septet as st
    >>> st.can_cast(st.int8, st.int32), st.can_cast(st.float64, st.float32)
    (True, False)
    """
    return result_type(from_, dtypes.as_dtype(to)) == dtypes.as_dtype(to)


def broadcast_shapes(*shapes: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """Return the shape to which some shapes broadcast.

    Parameters
    ----------
    *shapes : tuple of (int or None)
        None is a size that is not known; it is taken to equal the size that it meets.

    Returns
    -------
    tuple of (int or None)

    Raises
    ------
    ShapeError
        If two sizes on one axis differ and neither is 1.

    Examples
    --------
    >>> import septet as st
    >>> st.broadcast_shapes((3, 1), (4,))
    (3, 4)
    """
    return shapes_.broadcast(*[shapes_.as_shape(shape) for shape in shapes])


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tensor:
    """Convert a tensor to another dtype.

    Parameters
    ----------
    x : Tensor
    dtype : dtype
    copy : bool
        Accepted for the standard; a tensor's data never changes, so that it makes no difference.
    device : str, optional
        "cpu".

    Returns
    -------
    Tensor

    Raises
    ------
    DTypeError
        If a complex tensor should become a real one, which would silently lose half of it: use ``st.real``.
    """
    check_device(device)
    wanted = dtypes.as_dtype(dtype)
    if dtypes.is_complex(_dtype_of(x)) and wanted in dtypes.INTEGERS + dtypes.FLOATS:
        raise DTypeError(f"astype: {x.dtype.name} does not fit into {wanted.name}", hint="st.real(x) or st.abs(x)")
    return x.astype(wanted)


class NamespaceInfo:
    """What the namespace can do, in the words of the standard."""

    def capabilities(self) -> dict[str, Any]:
        """Return what the standard leaves open: boolean indexing, shapes that depend on data, the most axes."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """Return the device on which tensors are made."""
        return "cpu"

    def devices(self) -> tuple[str, ...]:
        """Return the devices."""
        return ("cpu",)

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        """Return the dtypes of tensors made without saying a dtype, which follow ``st.config``."""
        check_device(device)
        return {
            "real floating": dtypes.default_of_kind(dtypes.FLOAT),
            "complex floating": dtypes.default_of_kind(dtypes.COMPLEX),
            "integral": dtypes.BY_NAME[config.default_int],
            "indexing": dtypes.int64,
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, DType]:
        """Return the dtypes of the standard by name, all or those of some kinds (float16 and bfloat16 are extra).

        Parameters
        ----------
        device : str, optional
        kind : str or tuple of str, optional
            As in `isdtype`.
        """
        check_device(device)
        kinds = ("bool", "numeric") if kind is None else kind if isinstance(kind, tuple) else (kind,)
        found = [dtype for one in kinds for dtype in _of_kind(one) if dtype not in _NOT_IN_THE_STANDARD]
        return {dtype.name: dtype for dtype in found}


def __array_namespace_info__() -> NamespaceInfo:
    """Return what the namespace can do (``st.__array_namespace_info__()``)."""
    return NamespaceInfo()
