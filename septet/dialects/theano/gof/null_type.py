"""The type of what does not exist: gradients that are not defined, with the reason."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.gof.type import Type


class NullType(Type):
    """No value can be of this type; `why_null` says why a program arrived here."""

    def __init__(self, why_null: str = "(no explanation given)") -> None:
        self.why_null = why_null

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        raise ValueError("NullType has no values")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __str__(self) -> str:
        return "NullType"


null_type = NullType()
