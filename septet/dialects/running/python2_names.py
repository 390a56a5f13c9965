"""Python 2's built-in names: those that are gone, and those that have another meaning since."""

from __future__ import annotations

import ast
import builtins
import decimal
import dis
import functools
import importlib
import io
import itertools
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

import numpy

from septet.dialects.running import byte_strings
from septet.dialects.running.python2 import compile_python2, read_source, tree_of_python2

__all__ = ["GONE", "builtins_for", "divide", "divide_in_place", "names_in"]

_WHOLE = (int, numpy.integer)


def _is_whole(value: Any) -> bool:
    return isinstance(value, _WHOLE) or (isinstance(value, numpy.ndarray) and value.dtype.kind in "iub")


def _asked(value: Any, name: str, other: Any) -> Any:
    """Return what a method of a value's class gives for another value; NotImplemented where there is none."""
    method = getattr(type(value), name, None)
    return NotImplemented if method is None else method(value, other)


def divide(a: Any, b: Any) -> Any:
    """Return ``a / b`` as Python 2 did: floor division of integers, ``__div__`` where a class defines it."""
    if _is_whole(a) and _is_whole(b):
        return a // b
    found = _asked(a, "__div__", b)
    if found is NotImplemented and not (isinstance(a, numpy.ndarray) and type(b).__module__ == "numpy"):
        found = _asked(b, "__rdiv__", a)
    return a / b if found is NotImplemented else found


def divide_in_place(a: Any, b: Any) -> Any:
    """Return what ``a /= b`` made of a in Python 2."""
    if isinstance(a, numpy.ndarray):
        if _is_whole(a) and _is_whole(b):
            a //= b
        else:
            a /= b
        return a
    found = _asked(a, "__idiv__", b)
    if found is NotImplemented and not _is_whole(a):
        found = _asked(a, "__itruediv__", b)
    return divide(a, b) if found is NotImplemented else found


def _cmp(a: Any, b: Any) -> int:
    return (a > b) - (a < b)


def _class(cls: type) -> type:
    """Give a class of Python 2 the methods by which Python 3 knows what it does."""
    own = vars(cls)
    if "__eq__" in own and own.get("__hash__", cls) is None:
        del cls.__hash__  # it was not written: comparing did not take it away
    given: dict[str, Any] = {}
    if "__cmp__" in own:
        given.update(
            __eq__=lambda self, other: self.__cmp__(other) == 0,
            __ne__=lambda self, other: self.__cmp__(other) != 0,
            __lt__=lambda self, other: self.__cmp__(other) < 0,
            __le__=lambda self, other: self.__cmp__(other) <= 0,
            __gt__=lambda self, other: self.__cmp__(other) > 0,
            __ge__=lambda self, other: self.__cmp__(other) >= 0,
        )
    for side in ("", "r", "i"):
        if f"__{side}div__" in own:
            given[f"__{side}truediv__"] = own[f"__{side}div__"]
    if "__getslice__" in own:
        given["__getitem__"] = _sliced(own["__getslice__"], getattr(cls, "__getitem__", None))
    if "__setslice__" in own:
        given["__setitem__"] = _sliced(own["__setslice__"], getattr(cls, "__setitem__", None))
    for name, method in given.items():
        if name not in own or name.endswith("item__"):
            setattr(cls, name, method)
    return cls


def _sliced(by_bounds: Any, by_item: Any) -> Any:
    def method(self: Any, item: Any, *value: Any) -> Any:
        if isinstance(item, slice) and item.step is None:
            low = 0 if item.start is None else item.start
            high = sys.maxsize if item.stop is None else item.stop
            return by_bounds(self, low, high, *value)
        return by_item(self, item, *value)

    return method


class _FileType(type):
    """The type of files: what opens them, and tells what is one."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, io.IOBase)

    def __call__(cls, *args: Any) -> Any:
        return cls.opens(*args)  # type: ignore[attr-defined]


class file(metaclass=_FileType):
    """``file``, in a program that Python 3 can parse."""

    opens = staticmethod(lambda *args: builtins.open(*args))  # noqa: SIM115 (the caller closes it)


def _run(code: Any, frame: FrameType, space: Any, names: Any) -> Any:
    """Run code where a caller is, or in dicts."""
    if space is None:
        return eval(code, frame.f_globals, frame.f_locals)
    space.setdefault("__builtins__", frame.f_globals.get("__builtins__", builtins))
    return eval(code, space, space if names is None else names)


def _execfile(filename: Any, globals: Any = None, locals: Any = None) -> None:
    with builtins.open(filename, "rb") as file:
        content = file.read()
    _run(compile(content, filename, "exec", dont_inherit=True), sys._getframe(1), globals, locals)


def _apply(function: Callable[..., Any], args: Any = (), kwargs: Any = None) -> Any:
    return function(*args, **(kwargs or {}))


GONE: dict[str, Any] = {
    "xrange": range,
    "raw_input": input,
    "unicode": str,
    "basestring": str,
    "long": int,
    "unichr": chr,
    "reduce": functools.reduce,
    "reload": importlib.reload,
    "cmp": _cmp,
    "execfile": _execfile,
    "apply": _apply,
    "intern": sys.intern,
    "buffer": memoryview,
    "coerce": lambda a, b: (a + 0 * b, b + 0 * a),
    "file": file,
    "StandardError": Exception,
}
"""The built-in names that Python 3 has no more; every program that runs here has them."""


# What has another meaning since: only for programs that are translated.


def _range(*args: Any) -> list[int]:
    return list(range(*(arg.__index__() if hasattr(arg, "__index__") else int(arg) for arg in args)))


def _map(function: Any, *iterables: Any) -> list[Any]:
    if len(iterables) == 1:
        return list(iterables[0]) if function is None else list(map(function, iterables[0]))
    rows = itertools.zip_longest(*iterables)
    return list(rows) if function is None else [function(*row) for row in rows]


def _filter(function: Any, iterable: Any) -> Any:
    kept = [item for item in iterable if (item if function is None else function(item))]
    if isinstance(iterable, str):
        return "".join(kept)
    return tuple(kept) if isinstance(iterable, tuple) else kept


def _zip(*iterables: Any) -> list[Any]:
    return list(zip(*iterables))


def _round(number: Any, ndigits: int = 0) -> Any:
    """Halves are rounded away from zero, and the result is a float."""
    if not isinstance(number, int | float):
        return round(number, ndigits) if ndigits else round(number)
    exact = decimal.Decimal(float(number))
    if not exact.is_finite():
        return float(number)
    return float(exact.quantize(decimal.Decimal(1).scaleb(-ndigits), decimal.ROUND_HALF_UP))


def _code(source: Any, mode: str) -> Any:
    """Return the code of a text of Python 2."""
    if not isinstance(source, str):
        return source
    if mode == "exec":
        return compile_python2(source, "<string>")
    (statement,) = tree_of_python2(source.strip() + "\n", "<string>").body
    assert isinstance(statement, ast.Expr)
    return compile(ast.Expression(statement.value), "<string>", "eval", dont_inherit=True)


def _input(prompt: str = "") -> Any:
    return _run(_code(input(prompt), "eval"), sys._getframe(1), None, None)


def _eval(source: Any, globals: Any = None, locals: Any = None) -> Any:
    return _run(_code(source, "eval"), sys._getframe(1), globals, locals)


def _exec(source: Any, globals: Any = None, locals: Any = None) -> None:
    _run(_code(source, "exec"), sys._getframe(1), globals, locals)


def _execfile_python2(filename: Any, globals: Any = None, locals: Any = None) -> None:
    with builtins.open(filename, "rb") as file:
        source = read_source(file.read())
    _run(compile_python2(source, filename), sys._getframe(1), globals, locals)


def _sorted(iterable: Any, cmp: Any = None, key: Any = None, reverse: bool = False) -> list[Any]:
    if cmp is None:
        return sorted(iterable, key=key, reverse=reverse)
    compared = functools.cmp_to_key(cmp)
    return sorted(iterable, key=compared if key is None else lambda item: compared(key(item)), reverse=reverse)


def _sort(values: Any, *args: Any, **options: Any) -> Any:
    """``values.sort(compare)`` of a list; of anything else, its own method."""
    if not isinstance(values, list):
        return values.sort(*args, **options)
    values[:] = _sorted(values, *args, **options)
    return None


def _oct(number: Any) -> str:
    return oct(number).replace("o", "", 1) if number else "0"


class _File(metaclass=_FileType):
    """``file``, in a program that is translated."""

    opens = staticmethod(byte_strings.open_file)


CHANGED: dict[str, Any] = {
    "range": _range,
    "map": _map,
    "filter": _filter,
    "zip": _zip,
    "round": _round,
    "input": _input,
    "file": _File,
    "eval": _eval,
    "exec": _exec,
    "execfile": _execfile_python2,
    "sorted": _sorted,
    "oct": _oct,
    "_septet_sort": _sort,
    "_septet_class": _class,
    "_septet_divide": divide,
    "_septet_divide_in_place": divide_in_place,
    **byte_strings.CHANGED,
}


def builtins_for(is_python2: bool) -> dict[str, Any]:
    """Return the built-in names of one module of a program.

    A module looks them up in its own ``__builtins__``, so that no other module of the process sees them.
    """
    return {**vars(builtins), **GONE, **(CHANGED if is_python2 else {})}


def names_in(code: CodeType) -> set[str]:
    """Return those of the built-in names of Python 2 that a module's code mentions."""
    loads = {each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_NAME", "LOAD_GLOBAL")}
    found = GONE.keys() & loads
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= names_in(constant)
    return found
