"""A set that remembers the order of its elements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableSet
from typing import Any


class OrderedSet(MutableSet[Any]):
    """A set whose elements come in the order in which they were added."""

    def __init__(self, iterable: Iterable[Any] = ()) -> None:
        self._elements = dict.fromkeys(iterable)

    def __contains__(self, key: object) -> bool:
        return key in self._elements

    def __iter__(self) -> Iterator[Any]:
        return iter(self._elements)

    def __len__(self) -> int:
        return len(self._elements)

    def add(self, key: Any) -> None:
        self._elements[key] = None

    def discard(self, key: Any) -> None:
        self._elements.pop(key, None)

    def update(self, iterable: Iterable[Any]) -> None:
        self._elements.update(dict.fromkeys(iterable))

    def __repr__(self) -> str:
        return f"OrderedSet({list(self)})"
