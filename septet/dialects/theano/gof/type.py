"""Types of variables: what values they take, and how values are brought into that form."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.gof.graph import Constant, Variable
from septet.dialects.theano.gof.utils import MethodNotDefined, object2


class PureType:
    """What a variable's values have in common.

    A type that programs define gives `filter`. Values of types that are not tensors pass through graphs as Python
    objects; a function with such values calls `perform` op by op.
    """

    Variable: Any = Variable
    Constant: Any = Constant
    is_tensor = False

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        raise MethodNotDefined("filter", type(self), type(self).__name__)

    def filter_variable(self, other: Any, allow_convert: bool = True) -> Any:
        """Return a variable of this type, or raise TypeError."""
        if not isinstance(other, Variable):
            other = self.Constant(type=self, data=other)
        if other.type != self and allow_convert:
            converted = self.convert_variable(other)
            if converted is not None:
                return converted
        if other.type != self:
            raise TypeError(f"{other} is a variable of type {other.type}; it cannot be converted into a {self}")
        return other

    def convert_variable(self, var: Any) -> Any:
        """Return a variable as one of this type, or None."""
        return var if var.type == self else None

    def is_valid_value(self, a: Any, strict: bool = True) -> bool:
        """Tell whether a value is of this type."""
        try:
            self.filter(a, strict=strict)
        except (TypeError, ValueError):
            return False
        return True

    def value_validity_msg(self, a: Any) -> str:
        return "none"

    def make_variable(self, name: str | None = None) -> Any:
        return self.Variable(self, name=name)

    def make_constant(self, value: Any, name: str | None = None) -> Any:
        return self.Constant(type=self, data=value, name=name)

    def __call__(self, name: str | None = None) -> Any:
        """Return a new variable of this type."""
        return self.make_variable(name)

    @classmethod
    def values_eq(cls, a: Any, b: Any) -> bool:
        return bool(a == b)

    @classmethod
    def values_eq_approx(cls, a: Any, b: Any) -> bool:
        return cls.values_eq(a, b)

    def check_tensor(self) -> None:
        """Raise NotTensorError for a type whose values are not tensors."""
        if not self.is_tensor:
            raise NotTensorError(f"values of type {self} are not tensors")

    def leaf(self, variable: Any) -> Any:
        """Return the tensor that an input of this type stands for."""
        raise NotTensorError(f"{variable} of type {self} is not a tensor")

    def holding(self, tensor: Any, like: Any = None) -> Any:
        """Return a variable of this type that stands for a tensor."""
        found = self(None if like is None else like.name)
        found.tensor = tensor
        return found

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(type(self))


class NotTensorError(TypeError):
    """A value that has no place in a graph of tensors; functions over it call Python op by op."""


class Type(object2, PureType):
    """The base of all types; see `PureType`."""


CLinkerType = Type


class SingletonType(Type):
    """A type of which there is one."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __str__(self) -> str:
        return type(self).__name__


class Generic(SingletonType):
    """Any Python object."""

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        return data

    def is_valid_value(self, a: Any, strict: bool = True) -> bool:
        return True


generic = Generic()
