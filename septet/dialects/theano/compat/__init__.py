"""`theano.compat`: what was the same in Python 2 and 3."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, MutableMapping, ValuesView
from collections.abc import MutableMapping as DictMixin
from functools import cmp_to_key, partial, reduce
from importlib import reload
from io import BytesIO
from operator import truediv as operator_div
from typing import Any

PY3 = True
izip = zip
imap = map
ifilter = filter
any, all, next = any, all, next
string_types, integer_types = (str,), (int,)


def b(s: str) -> bytes:
    """Return text as bytes, one for each character."""
    return s.encode("latin-1")


def maybe_add_to_os_environ_pathlist(var: str, newpath: str) -> None:
    """Put an absolute path in front of those in an environment variable, unless it is one of them."""
    known = os.environ.get(var, "").split(os.pathsep)
    if var in os.environ and os.path.isabs(newpath) and newpath not in known:
        os.environ[var] = os.pathsep.join([newpath, *known])


def decode(x: bytes) -> str:
    """Return bytes as text."""
    return x.decode()


def decode_iter(itr: Iterable[bytes]) -> Any:
    """Return bytes as text, one by one."""
    return (decode(x) for x in itr)


def get_unbound_function(unbound: Any) -> Any:
    """Return a method as a function."""
    return getattr(unbound, "__func__", unbound)


def exc_message(e: BaseException) -> Any:
    """Return what an exception says, which may be in an exception that it was given."""
    return exc_message(e.args[0]) if isinstance(e.args[0], BaseException) else e.args[0]


def cmp(x: Any, y: Any) -> int:
    """Return -1, 0 or 1 for smaller, equal or greater."""
    return (x > y) - (x < y)


class DefaultOrderedDict(OrderedDict[Any, Any]):
    """A dict that remembers its order, and makes what is not there by calling a function."""

    def __init__(self, default_factory: Callable[[], Any] | None = None, *a: Any, **kw: Any) -> None:
        if default_factory is not None and not callable(default_factory):
            raise TypeError("first argument must be callable")
        super().__init__(*a, **kw)
        self.default_factory = default_factory

    def __missing__(self, key: Any) -> Any:
        if self.default_factory is None:
            raise KeyError(key)
        self[key] = value = self.default_factory()
        return value

    def __reduce__(self) -> Any:
        return type(self), (self.default_factory,), None, None, iter(self.items())

    def copy(self) -> DefaultOrderedDict:
        return type(self)(self.default_factory, self)

    __copy__ = copy
