"""`theano.compat`: what was the same in Python 2 and 3."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from functools import cmp_to_key, partial, reduce
from operator import truediv as operator_div
from typing import Any

PY3 = True
izip = zip
imap = map
ifilter = filter
any, all = any, all


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


class DefaultOrderedDict(defaultdict[Any, Any]):
    """A dict with a default that remembers its order, as all do by now."""
