"""Element types and their one promotion table.

A dtype is a ``numpy.dtype``; ``bfloat16`` comes from ml-dtypes. Promotion follows NumPy 2 (and so the Python Array API
standard where that defines a result): Python scalars are weak, they take the dtype of the tensor that they meet unless
their kind is higher.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from septet.base.config import config
from septet.base.errors import DTypeError
from septet.base.text import nearest

DType = np.dtype

bool_ = np.dtype(np.bool_)
int8, int16, int32, int64 = (np.dtype(f"int{n}") for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (np.dtype(f"uint{n}") for n in (8, 16, 32, 64))
float16, float32, float64 = (np.dtype(f"float{n}") for n in (16, 32, 64))
bfloat16 = np.dtype(ml_dtypes.bfloat16)
complex64, complex128 = np.dtype("complex64"), np.dtype("complex128")

SIGNED = (int8, int16, int32, int64)
UNSIGNED = (uint8, uint16, uint32, uint64)
INTEGERS = SIGNED + UNSIGNED
FLOATS = (float16, bfloat16, float32, float64)
COMPLEXES = (complex64, complex128)
ALL = (bool_, *INTEGERS, *FLOATS, *COMPLEXES)
BY_NAME: dict[str, DType] = {d.name: d for d in ALL}
NAMES: dict[DType, str] = {d: name for name, d in BY_NAME.items()}
"""A look-up takes a twentieth of the time that NumPy takes to put a name together."""

# Kinds, in the order in which a weak scalar may lift a tensor.
BOOL, INTEGER, FLOAT, COMPLEX = 0, 1, 2, 3
KIND: dict[DType, int] = (
    {bool_: BOOL} | dict.fromkeys(INTEGERS, INTEGER) | dict.fromkeys(FLOATS, FLOAT) | dict.fromkeys(COMPLEXES, COMPLEX)
)
SCALARS: dict[type, int] = {bool: BOOL, int: INTEGER, float: FLOAT, complex: COMPLEX}


# Bits of integer precision that a float type holds exactly, or that an integer type needs.
_SIGNIFICANT_BITS = {float16: 11, bfloat16: 8, float32: 24, float64: 53} | {
    dtype: 8 * dtype.itemsize - (dtype in SIGNED) for dtype in INTEGERS
}


def _promote(a: DType, b: DType) -> DType:
    """Work out one cell of the table."""
    if a == b:
        return a
    if KIND[a] > KIND[b]:
        a, b = b, a
    low, high = KIND[a], KIND[b]
    if low == BOOL:
        return b
    if high == INTEGER:
        if (a in SIGNED) == (b in SIGNED):
            return max(a, b, key=lambda d: d.itemsize)
        signed, unsigned = (a, b) if a in SIGNED else (b, a)
        if signed.itemsize > unsigned.itemsize:
            return signed
        wider = 2 * unsigned.itemsize
        return np.dtype(f"int{8 * wider}") if wider <= 8 else float64
    if high == FLOAT:
        if low == FLOAT:
            if {a, b} == {float16, bfloat16}:
                return float32
            return max(a, b, key=lambda d: d.itemsize)
        for candidate in (b, float32, float64):  # the smallest float, at least b, that holds the integers of a
            if candidate.itemsize >= b.itemsize and (
                _SIGNIFICANT_BITS[candidate] >= _SIGNIFICANT_BITS[a] or candidate == float64
            ):
                return candidate
    part = a if low == FLOAT else (a if low == COMPLEX else _promote(a, float32))
    wide = part in (float64, complex128) or b == complex128
    return complex128 if wide else complex64


PROMOTION: dict[tuple[DType, DType], DType] = {(a, b): _promote(a, b) for a in ALL for b in ALL}


def promote(*dtypes: DType) -> DType:
    """Return the dtype that holds all of the given ones, by the promotion table."""
    result = dtypes[0]
    for dtype in dtypes[1:]:
        result = PROMOTION[result, dtype]
    return result


class Reads:
    """How often a default dtype was looked up: what is kept by way of one must not outlive the setting."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


reads_of_defaults = Reads()


def default_of_kind(kind: int) -> DType:
    """Return the default dtype of a kind: bool, the settings' default integer and float, and its complex."""
    reads_of_defaults.count += 1
    if kind == BOOL:
        return bool_
    if kind == INTEGER:
        return BY_NAME[config.default_int]
    if kind == FLOAT:
        return BY_NAME[config.default_float]
    return complex128 if config.default_float == "float64" else complex64


def scalar_dtype(value: bool | int | float | complex, dtype: DType | None = None) -> DType:
    """Return the dtype that a Python scalar takes beside a tensor of the given dtype, or alone."""
    kind = SCALARS[type(value)]
    if dtype is None:
        return default_of_kind(kind)
    own = KIND[dtype]
    if kind <= own:
        return dtype
    if kind == COMPLEX and own == FLOAT:
        return complex128 if dtype == float64 else complex64
    return default_of_kind(kind)


def beside(numbers: Sequence[bool | int | float | complex], strong: Sequence[DType]) -> DType:
    """Return the dtype that some Python numbers take, all the same, where they are combined with tensors.

    Numbers are weak: the one of the highest kind decides, and only where no tensor is of that kind. It is the dtype of
    the result then, so that beside int64, which makes 0.5 a float64, 0.1 is not rounded to float32 on the way.

    Parameters
    ----------
    numbers : sequence of number
        One or more.
    strong : sequence of dtype
        Those of the tensors; may be empty.
    """
    top = max(numbers, key=_kind_of_scalar)
    if not strong:
        return scalar_dtype(top)
    common = promote(*strong)
    return PROMOTION[common, scalar_dtype(top, common)]


def _kind_of_scalar(number: object) -> int:
    return SCALARS[type(number)]


def is_scalar(value: object) -> bool:
    """Tell whether a value is a plain Python number, which is weak in promotion."""
    return type(value) in SCALARS


def as_dtype(value: Any) -> DType:
    """Return the dtype that a name, a NumPy dtype or type, or a Python number type stands for.

    Raises
    ------
    DTypeError
        If there is no such dtype among those that Septet has.
    """
    if value is float:
        return default_of_kind(FLOAT)
    if value is int:
        return default_of_kind(INTEGER)
    if value is complex:
        return default_of_kind(COMPLEX)
    if isinstance(value, str):
        if value in BY_NAME:
            return BY_NAME[value]
        hint = nearest(value, BY_NAME)
        try:
            found = np.dtype(value)
        except TypeError:
            found = None
        if found is not None and found.newbyteorder("=") in KIND:
            return found.newbyteorder("=")
        raise DTypeError(
            f"there is no dtype {value!r}; the dtypes are {', '.join(BY_NAME)}",
            hint=f"did you mean {hint!r}?" if hint else None,
        )
    try:
        dtype = np.dtype(value)
    except TypeError:
        raise DTypeError(f"{value!r} is not a dtype; the dtypes are {', '.join(BY_NAME)}") from None
    if dtype in KIND:
        return dtype
    native = dtype.newbyteorder("=")
    if native in KIND:
        return native
    raise DTypeError(f"dtype {dtype.name} is not one that tensors have; the dtypes are {', '.join(BY_NAME)}")


def is_float(dtype: DType) -> bool:
    """Tell whether a dtype is a real floating-point type."""
    return KIND[dtype] == FLOAT


def is_complex(dtype: DType) -> bool:
    """Tell whether a dtype is complex."""
    return KIND[dtype] == COMPLEX


def is_integer(dtype: DType) -> bool:
    """Tell whether a dtype is a signed or unsigned integer type (bool is not)."""
    return KIND[dtype] == INTEGER


def is_differentiable(dtype: DType) -> bool:
    """Tell whether values of a dtype can carry a gradient."""
    return KIND[dtype] >= FLOAT


def real_of(dtype: DType) -> DType:
    """Return the dtype of the real part of a complex type, and any other type itself."""
    return {complex64: float32, complex128: float64}.get(dtype, dtype)


def complex_of(dtype: DType) -> DType:
    """Return the complex type whose parts hold a float type."""
    return complex128 if dtype in (float64, complex128) else complex64


def accumulator_of(dtype: DType) -> DType:
    """Return the type in which sums of a dtype are accumulated: float32 for the two short floats."""
    return float32 if dtype in (float16, bfloat16) else dtype
