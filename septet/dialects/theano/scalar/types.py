"""Types of single numbers, variables and constants of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.dtypes import ALL, COMPLEXES, CONTINUOUS, DISCRETE, FLOATS, INTS, UINTS, convert, upcast
from septet.dialects.theano.gof.graph import Apply, Constant, Variable
from septet.dialects.theano.tensortype import TensorType


class ComplexError(NotImplementedError):
    """An operation that complex numbers do not have."""


class IntegerDivisionError(Exception):
    """``/`` between integers, where the setting ``int_division`` forbids it."""


class Scalar(TensorType):
    """The type of one number."""

    def __init__(self, dtype: Any) -> None:
        super().__init__(dtype, ())

    def clone(self, dtype: Any = None, broadcastable: Any = None) -> Any:
        return Scalar(self.dtype if dtype is None else dtype)

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        value = np.asarray(data) if not strict else data
        if not strict and value.ndim == 0 and value.dtype.kind in "biuf":
            with np.errstate(all="ignore"):
                own = value.astype(self.dtype)
            value = own if own == value else value
        return super().filter(value, strict, allow_downcast)

    def of_array(self, x: np.ndarray) -> Any:
        """Return an array of no axes as a number."""
        return x[()]

    def __str__(self) -> str:
        return self.dtype


class _scalar_py_operators:
    """Operators and methods of single numbers; `basic` sets them, when all functions are there."""

    ndim = 0
    dtype = property(lambda self: self.type.dtype)
    astype: Any
    zeros_like: Any


class ScalarVariable(_scalar_py_operators, Variable):
    """One number without a value of its own."""


class ScalarConstant(_scalar_py_operators, Constant):
    """One known number."""


Scalar.Variable = ScalarVariable
Scalar.Constant = ScalarConstant

_types: dict[str, Scalar] = {}


def get_scalar_type(dtype: Any) -> Scalar:
    """Return the scalar type of a dtype, always the same one."""
    name = str(np.dtype(dtype)) if str(dtype) != "floatX" else config.floatX
    if name not in _types:
        _types[name] = Scalar(name)
    return _types[name]


bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, float32, float64, complex64, complex128 = map(
    get_scalar_type, ALL
)
int_types = tuple(map(get_scalar_type, INTS))
uint_types = tuple(map(get_scalar_type, UINTS))
integer_types = int_types + uint_types
discrete_types = tuple(map(get_scalar_type, DISCRETE))
float_types = tuple(map(get_scalar_type, FLOATS))
complex_types = tuple(map(get_scalar_type, COMPLEXES))
continuous_types = tuple(map(get_scalar_type, CONTINUOUS))
all_types = tuple(map(get_scalar_type, ALL))


def constant(x: Any, name: str | None = None, dtype: Any = None) -> ScalarConstant:
    """Return a known number."""
    array = convert(x, dtype)
    return ScalarConstant(get_scalar_type(array.dtype), array, name)


def as_scalar(x: Any, name: str | None = None) -> Any:
    """Return a number, or a tensor of rank 0, as a scalar variable."""
    if isinstance(x, Apply):
        x = x.out
    if isinstance(x, Variable):
        if isinstance(x.type, Scalar):
            return x
        if isinstance(x.type, TensorType) and x.type.ndim == 0:
            from septet.dialects.theano.tensor.basic import scalar_from_tensor

            return scalar_from_tensor(x)
        raise TypeError("Variable type field must be a Scalar.", x, x.type)
    return constant(x)


def as_common_dtype(*variables: Any) -> Any:
    """Return variables in the dtype that holds them all."""
    return tuple([v.astype(upcast(*[own.dtype for own in variables])) for v in variables])


__all__ = [
    "ComplexError", "IntegerDivisionError", "Scalar", "ScalarConstant", "ScalarVariable", "all_types", "as_common_dtype", "as_scalar", "bool", "complex128",
    "complex64", "complex_types", "constant", "continuous_types", "discrete_types", "float16", "float32", "float64",
    "float_types", "get_scalar_type", "int16", "int32", "int64", "int8", "int_types", "integer_types", "uint16", "uint32",
    "uint64", "uint8", "uint_types",
]  # fmt: skip
