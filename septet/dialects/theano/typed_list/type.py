"""`theano.typed_list.type`: the type of lists whose elements are of one type."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.gof.graph import Constant, Variable
from septet.dialects.theano.gof.type import Type


class TypedListType(Type):
    """The type of lists of values of one type.

    Parameters
    ----------
    ttype : Type
        Of the elements.
    depth : int
        How many more lists are around these lists.
    """

    def __init__(self, ttype: Any, depth: int = 0) -> None:
        if depth < 0:
            raise ValueError("Please specify a depth superior or equal to 0")
        if not isinstance(ttype, Type):
            raise TypeError("Expected a Theano Type")
        self.ttype: Any = TypedListType(ttype, depth - 1) if depth else ttype

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        if strict and not isinstance(data, list):
            raise TypeError("Expected a python list")
        return data if strict else [self.ttype.filter(part) for part in data]

    def get_depth(self) -> int:
        """Return how many lists are inside of a list of this type, one in another."""
        return self.ttype.get_depth() + 1 if isinstance(self.ttype, TypedListType) else 0

    def values_eq(self, a: Any, b: Any) -> bool:  # type: ignore[override]
        return len(a) == len(b) and all(self.ttype.values_eq(one, other) for one, other in zip(a, b, strict=True))

    def may_share_memory(self, a: Any, b: Any) -> bool:
        """Tell whether an element of one is one of the other, or shares its memory; either may be an element itself."""
        pairs = [(one, other) for one in _listed(a) for other in _listed(b)]
        return a is b or any(self.ttype.may_share_memory(one, other) for one, other in pairs)

    @property
    def dtype(self) -> Any:
        return self.ttype

    @property
    def ndim(self) -> int:
        return int(self.ttype.ndim) + 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypedListType) and self.ttype == other.ttype

    def __hash__(self) -> int:
        return hash((TypedListType, self.ttype))

    def __str__(self) -> str:
        return f"TypedList <{self.ttype}>"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class Operators:
    """What variables of lists have: each is made by an op of `basic`, which sets it."""

    type: Any
    ttype = property(lambda self: self.type.ttype)
    dtype = property(lambda self: self.type.ttype.dtype)
    ndim = property(lambda self: self.type.ttype.ndim + 1)


class TypedListVariable(Operators, Variable):
    """A list that an op makes, or that is given."""


class TypedListConstant(Operators, Constant):
    """A list that is known."""


TypedListType.Variable, TypedListType.Constant = TypedListVariable, TypedListConstant
