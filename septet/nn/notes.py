"""What a traced function has read of a module: whether it is training, and what it is made of and configured with."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from septet.tensor.trace import Note

_PLAIN = (type(None), bool, int, float, complex, str, bytes)


class Mode(Note):
    """Whether a module is training."""

    __slots__ = ()

    def read(self) -> bool:
        return bool(self.owner._is_training)

    @classmethod
    def describe(cls, changed: Sequence[Mode]) -> list[str]:
        """A switch of many modules is one phrase, about the module that holds all of them."""
        found = []
        for before, text in ((True, "training -> evaluation"), (False, "evaluation -> training")):
            places = [note.place or (note.owner.label,) for note in changed if note.value is before]
            if places:
                common = _common(places)
                found.append(f"{'/'.join(common) if common else ', '.join(map('/'.join, places))}: {text}")
        return found


def _common(places: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the path that several paths of layers begin with."""
    return [
        labels[0]
        for index, labels in enumerate(zip(*places, strict=False))
        if all(place[: index + 1] == places[0][: index + 1] for place in places)
    ]


class Configuration(Note):
    """The parts of a module, and its attributes named like parameters of its class.

    Other attributes may be anybody's bookkeeping (a number of steps, say), which no module's result depends on.
    """

    __slots__ = ()

    def read(self) -> dict[str, Any]:
        return {name: _frozen(value) for name, value in self.owner.configuration()}

    def settle(self) -> None:
        """A module makes its variables, and perhaps its parts, when it is first applied."""
        self.value = self.read()

    @classmethod
    def describe(cls, changed: Sequence[Configuration]) -> list[str]:
        found = []
        for note in changed:
            place, new = "/".join(note.place or (note.owner.label,)), note.read()
            for name in dict.fromkeys([*note.value, *new]):
                before, after = note.value.get(name, _Nothing), new.get(name, _Nothing)
                if before != after:
                    texts = _text(before), _text(after)
                    change = f"another {texts[0]}" if texts[0] == texts[1] else f"{texts[0]} -> {texts[1]}"
                    found.append(f"{place}.{name}: {change}")
        return found


@lru_cache(maxsize=1024)
def parameter_names(cls: type) -> frozenset[str]:
    """Return the names of the parameters that a class is made with."""
    try:
        return frozenset(inspect.signature(cls).parameters)
    except (TypeError, ValueError):
        return frozenset()


class _Same:
    """A value that is compared by identity."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value

    __hash__ = None  # type: ignore[assignment]


class _Exact(_Same):
    """A plain value, compared with its class and as it is written: 1 is not True, and a NaN is a NaN."""

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Exact)
            and type(self.value) is type(other.value)
            and (self.value == other.value or repr(self.value) == repr(other.value))
        )

    __hash__ = None  # type: ignore[assignment]


class _Nothing:
    """There is no such attribute."""


def _frozen(value: Any) -> Any:
    """Return a stand-in that stays what the value is now."""
    kind = type(value)
    if kind is list or kind is tuple:
        return kind, tuple([_frozen(item) for item in value])
    if kind is dict:
        return kind, tuple(value), tuple([_frozen(item) for item in value.values()])
    return _Exact(value) if isinstance(value, _PLAIN) else _Same(value)


def _text(frozen: Any) -> str:
    if frozen is _Nothing:
        return "none"
    if isinstance(frozen, _Exact):
        return repr(frozen.value)
    if isinstance(frozen, _Same):
        return getattr(frozen.value, "__name__", None) or type(frozen.value).__name__
    parts = [_text(part) for part in frozen[-1]]
    return f"{frozen[0].__name__} of {', '.join(parts) or 'nothing'}"
