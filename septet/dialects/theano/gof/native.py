"""Functions of Septet's tensors as functions of variables: each becomes an op under its own name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from septet.dialects.theano.gof.op import NativeOp


class FunctionOp(NativeOp):
    """An op that a function of tensors computes, with parameters that are no tensors."""

    def __init__(self, function: Callable[..., Any], words: Mapping[str, Any], name: str | None = None) -> None:
        self.function = function
        self.words = dict(words)
        self.name = name or "".join(part.capitalize() for part in function.__name__.split("_"))

    def compute(self, *tensors: Any) -> Any:
        return self.function(*tensors, **self.words)

    def _key(self) -> tuple[Any, ...]:
        return (self.function, tuple(sorted((name, repr(value)) for name, value in self.words.items())))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FunctionOp) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value}" for name, value in self.words.items() if value is not None)
        return f"{self.name}{{{given}}}" if given else self.name


def native(function: Callable[..., Any] | None = None, *, name: str | None = None) -> Any:
    """Make a function of tensors one of variables.

    Its positional arguments are variables (or what becomes one), its keywords are parameters of the op.
    """
    if function is None:
        return functools.partial(native, name=name)
    call = function

    @functools.wraps(call)
    def apply(*variables: Any, **words: Any) -> Any:
        return FunctionOp(call, words, name)(*variables)

    apply.on_tensors = call
    return apply
