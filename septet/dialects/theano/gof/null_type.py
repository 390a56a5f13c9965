"""The type of what does not exist: gradients that are not defined, with the reason."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.gof.type import SingletonType


class NullType(SingletonType):
    """No value can be of this type; `why_null` says why a program arrived here."""

    def __init__(self, why_null: str = "(no explanation given)") -> None:
        self.why_null = why_null

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        raise ValueError("NullType has no values")


null_type = NullType()
