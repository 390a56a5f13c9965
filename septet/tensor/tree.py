"""Nested tuples, lists and dicts: taken apart into leaves, and put together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


class Structure:
    """How leaves were nested; hashable, equal for values nested alike.

    Attributes
    ----------
    kind : type or None
        tuple, list, dict, a named tuple, NoneType; None for a leaf.
    keys : tuple
        The keys of a dict, sorted by their text: dicts that differ in order only have equal structures.
    order : tuple
        The keys of a dict in its own order, in which it is put together again.
    children : tuple of Structure
    """

    __slots__ = ("children", "count", "keys", "kind", "order")

    def __init__(
        self, kind: Any, keys: tuple[Any, ...] = (), children: tuple[Structure, ...] = (), order: tuple[Any, ...] = ()
    ) -> None:
        self.kind = kind
        self.keys = keys
        self.order = order
        self.children = children
        self.count: int = 1 if kind is None else sum(child.count for child in children)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Structure)
            and self.kind is other.kind
            and self.keys == other.keys
            and self.children == other.children
        )

    def __hash__(self) -> int:
        return hash((self.kind, self.keys, self.children))

    def __repr__(self) -> str:
        """Return the nesting with ``*`` for each leaf."""
        parts = [repr(child) for child in self.children]
        if self.kind is None:
            return "*"
        if self.kind is type(None):
            return "None"
        if self.kind is dict:
            return "{" + ", ".join(f"{key!r}: {part}" for key, part in zip(self.keys, parts, strict=True)) + "}"
        if self.kind is list:
            return "[" + ", ".join(parts) + "]"
        if self.kind is tuple:
            return "(" + ", ".join(parts) + (",)" if len(parts) == 1 else ")")
        return f"{self.kind.__name__}({', '.join(parts)})"


LEAF = Structure(None)
_NONE = Structure(type(None))


def flatten(value: Any) -> tuple[list[Any], Structure]:
    """Return the leaves of nested tuples, lists and dicts, and the structure; None is structure, not a leaf.

    Examples
    --------
    >>> flatten({"a": 1, "b": [2, None]})
    ([1, 2], {'a': *, 'b': [*, None]})
    """
    leaves: list[Any] = []
    return leaves, _flatten(value, leaves)


def _flatten(value: Any, leaves: list[Any]) -> Structure:
    if value is None:
        return _NONE
    kind = type(value)
    if kind is tuple or kind is list or (isinstance(value, tuple) and hasattr(value, "_fields")):
        return Structure(kind, (), tuple([_flatten(item, leaves) for item in value]))
    if kind is dict:
        keys = tuple(sorted(value, key=repr))
        return Structure(dict, keys, tuple([_flatten(value[key], leaves) for key in keys]), tuple(value))
    leaves.append(value)
    return LEAF


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Any:
    """Nest leaves as a structure says.

    Examples
    --------
    >>> unflatten(flatten((1, [2]))[1], "ab")
    ('a', ['b'])
    """
    return _unflatten(structure, iter(leaves))


def _unflatten(structure: Structure, leaves: Iterator[Any]) -> Any:
    kind = structure.kind
    if kind is None:
        return next(leaves)
    if kind is type(None):
        return None
    items = [_unflatten(child, leaves) for child in structure.children]
    if kind is dict:
        found = dict(zip(structure.keys, items, strict=True))
        return {key: found[key] for key in structure.order}
    return kind(*items) if hasattr(kind, "_fields") else kind(items)


def paths(value: Any) -> list[str]:
    """Return, for each leaf, how it is reached in Python.

    Examples
    --------
    >>> paths({"a": 1, "b": [2, 3]})
    ["['a']", "['b'][0]", "['b'][1]"]
    """
    found: list[str] = []
    _paths(flatten(value)[1], "", found)
    return found


def _paths(structure: Structure, path: str, found: list[str]) -> None:
    if structure.kind is None:
        found.append(path)
    names = getattr(structure.kind, "_fields", None)
    for index, child in enumerate(structure.children):
        if structure.kind is dict:
            step = f"[{structure.keys[index]!r}]"
        else:
            step = f"[{index}]" if names is None else f".{names[index]}"
        _paths(child, path + step, found)
