"""Slices and None as variables."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.dialects.theano.dtypes import DISCRETE
from septet.dialects.theano.gof.graph import Apply, Constant
from septet.dialects.theano.gof.op import Op
from septet.dialects.theano.gof.type import Generic, SingletonType
from septet.dialects.theano.tensor.convert import as_tensor_variable


class SliceType(SingletonType):
    """The type of slices."""

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        if not isinstance(data, slice):
            raise TypeError("Expected a slice!")
        return data

    def __str__(self) -> str:
        return "slice"


class SliceConstant(Constant):
    """A slice whose bounds are known."""

    def __init__(self, type: Any, data: Any, name: str | None = None) -> None:
        bounds = [int(one) if isinstance(one, np.ndarray) else one for one in (data.start, data.stop, data.step)]
        super().__init__(type, slice(*bounds), name)

    def signature(self) -> Any:
        return (SliceConstant, self.data.start, self.data.stop, self.data.step)

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{self.data.start}, {self.data.stop}, {self.data.step}}}"


SliceType.Constant = SliceConstant
slicetype = SliceType()


class NoneTypeT(Generic):
    """The type of None."""

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        if data is not None:
            raise TypeError("Expected None!")
        return None


none_type_t = NoneTypeT()
NoneConst = Constant(none_type_t, None, name="NoneConst")


def as_int_none_variable(x: Any) -> Any:
    """Return an integer or None as a variable."""
    if x is None or NoneConst.equals(x):
        return NoneConst
    x = as_tensor_variable(x, ndim=0)
    if x.type.dtype not in DISCRETE or x.type.dtype == "bool":
        raise TypeError("index must be integers")
    return x


class MakeSlice(Op):
    """A slice made of its bounds."""

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        first, *rest = inputs
        bounds = [first.start, first.stop, first.step] if isinstance(first, slice) else [first, *rest]
        bounds += [None] * (3 - len(bounds))
        return Apply(self, [as_int_none_variable(one) for one in bounds], [slicetype()])

    def perform(self, node: Apply, inputs: Any, output_storage: Any, params: Any = None) -> None:
        output_storage[0][0] = slice(*inputs)


make_slice = MakeSlice()

__all__ = [
    "MakeSlice", "NoneConst", "NoneTypeT", "SliceConstant", "SliceType", "as_int_none_variable", "make_slice", "none_type_t",
    "slicetype",
]  # fmt: skip
