"""Small things that the graph's classes share."""

from __future__ import annotations

import collections
import functools
import graphlib
import sys
import traceback
import warnings
from typing import Any


class scratchpad:
    """A bag of attributes: what users and ops note beside a variable or an application."""

    def clear(self) -> None:
        self.__dict__.clear()

    def __update__(self, other: scratchpad) -> scratchpad:
        self.__dict__.update(other.__dict__)
        return self

    def __str__(self) -> str:
        return f"scratchpad{self.__dict__}"

    def __repr__(self) -> str:
        return str(self)

    def info(self) -> None:
        """Print what is in it."""
        print(f"<theano.gof.utils.scratchpad instance at {id(self)}>")
        for name, value in self.__dict__.items():
            print(f"  {name}: {value}")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the tag has no attribute {name!r}")


class MethodNotDefined(AttributeError):
    """A method that an op or a type may define, and does not."""


class TestValueError(Exception):
    """A variable without a test value, where one is asked for."""


class object2:
    """An object with ``__props__``: equality, hash and text follow from the attributes that it names."""

    __props__: tuple[str, ...]

    def _props(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self.__props__])

    def _props_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__props__}

    def __init_subclass__(cls, **words: Any) -> None:
        super().__init_subclass__(**words)
        if "__props__" not in cls.__dict__:
            return
        if "__eq__" not in cls.__dict__:
            cls.__eq__ = lambda self, other: type(self) is type(other) and self._props() == other._props()
            if "__hash__" not in cls.__dict__:
                cls.__hash__ = lambda self: hash((type(self), self._props()))
        if "__str__" not in cls.__dict__:
            cls.__str__ = _text_of_props


def _text_of_props(self: object2) -> str:
    if not self.__props__:
        return type(self).__name__
    return f"{type(self).__name__}{{{', '.join(f'{name}={getattr(self, name)!r}' for name in self.__props__)}}}"


def hashtype(self: Any) -> int:
    """Return a hash of an object's class."""
    return hash(type(self).__name__) ^ hash(type(self).__module__)


def flatten(a: Any) -> list[Any]:
    """Return the elements of nested lists and tuples in one list."""
    if isinstance(a, (tuple, list, set)):
        return [element for part in a for element in flatten(part)]
    return [a]


def uniq(seq: Any) -> list[Any]:
    """Return the elements without repetitions, in order."""
    return list(dict.fromkeys(seq))


def difference(seq1: Any, seq2: Any) -> list[Any]:
    """Return the elements of the first that are not in the second."""
    gone = set(seq2)
    return [element for element in seq1 if element not in gone]


def to_return_values(values: Any) -> Any:
    """Return the one element of a list with one element, otherwise the list."""
    return values[0] if len(values) == 1 else values


def from_return_values(values: Any) -> Any:
    """Return a list or tuple in any case."""
    return values if isinstance(values, (list, tuple)) else [values]


def memoize(f: Any) -> Any:
    """Return a function that remembers its results."""
    return functools.lru_cache(maxsize=None)(f)


def deprecated(filename: str, msg: str = "") -> Any:
    """Have a function warn, the first time that it is called, that it is out of use."""

    def decorator(f: Any) -> Any:
        @functools.wraps(f)
        def call(*args: Any, **words: Any) -> Any:
            warnings.warn(f"{filename}.{f.__name__} is deprecated. {msg}", DeprecationWarning, stacklevel=2)
            return f(*args, **words)

        return call

    return decorator


def toposort(prereqs_d: dict[Any, Any]) -> list[Any]:
    """Return the keys of a dict from each to what has to come before it, in such an order."""
    return list(graphlib.TopologicalSorter(prereqs_d).static_order())


def unique(x: Any) -> bool:
    """Tell whether no element occurs twice."""
    return len(set(x)) == len(x)


def hist(coll: Any) -> dict[Any, int]:
    """Return how often each element occurs."""
    return dict(collections.Counter(coll))


def remove(predicate: Any, coll: Any) -> list[Any]:
    """Return the elements for which a predicate does not hold."""
    return [x for x in coll if not predicate(x)]


def give_variables_names(variables: Any) -> Any:
    """Return variables, of which those without a name, or with that of another one, got a name with a number.

    Raises
    ------
    ValueError
        If some have the same name even so.
    """
    names = [v.name for v in variables]
    for number, v in enumerate([v for v in variables if not v.name or names.count(v.name) > 1]):
        v.name = f"{v.name or ''}_{number}"
    if not unique([v.name for v in variables]):
        raise ValueError("Not all variables have unique names. Maybe you've named some of the variables identically")
    return variables


def simple_extract_stack(f: Any = None, limit: int | None = None, skips: Any = ()) -> list[Any]:
    """Return where a program is: (file, line, function, text) of each call under way."""
    found = traceback.extract_stack(f or sys._getframe(1), limit)
    return [(e.filename, e.lineno, e.name, e.line) for e in found]


def add_tag_trace(thing: Any, user_line: int | None = None) -> Any:
    """Note where something was made."""
    thing.tag.trace = [simple_extract_stack(limit=user_line or 8)]
    return thing


def get_variable_trace_string(v: Any) -> str:
    """Return where a variable was made, as text."""
    rows = [row for trace in getattr(v.tag, "trace", ()) for row in trace]
    return "".join(traceback.format_list(rows))
