"""What stands in for `nose` and `six` where they are not installed: what tests and programs import from them."""

from __future__ import annotations

import builtins
import collections
import functools
import importlib
import io
import itertools
import operator
import os
import re
import shlex
import sys
import unittest
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from septet.dialects.running.shims.numpy_names import raises
from septet.dialects.running.shims.shim import NewModule, Uses

__all__ = ["TESTING"]

_CASE = unittest.TestCase()


def _tools(uses: Uses) -> Mapping[str, Any]:
    """``assert_equal`` and all the others: the methods of a test case, by nose's names."""
    found: dict[str, Any] = {}
    for name in dir(_CASE):
        if name.startswith("assert") and name != "assert_":
            found[re.sub("([A-Z])", lambda match: "_" + match[1].lower(), name)] = getattr(_CASE, name)
    found["assert_items_equal"] = _CASE.assertCountEqual
    found["assert_raises_regexp"] = _CASE.assertRaisesRegex
    found["assert_regexp_matches"] = _CASE.assertRegex
    for name in ("assert_equal", "assert_not_equal", "assert_almost_equal", "assert_not_almost_equal"):
        found[name + "s"] = found[name]
    found.update(ok_=_ok, eq_=_eq, raises=raises, istest=_mark(True), nottest=_mark(False), timed=_timed)
    found["with_setup"] = _with_setup
    return found


def _ok(expr: Any, msg: str | None = None) -> None:
    if not expr:
        raise AssertionError(msg)


def _eq(a: Any, b: Any, msg: str | None = None) -> None:
    if not a == b:
        raise AssertionError(msg or f"{a!r} != {b!r}")


def _mark(is_test: bool) -> Callable[[Any], Any]:
    def mark(function: Any) -> Any:
        function.__test__ = is_test
        return function

    return mark


def _timed(limit: float) -> Callable[[Any], Any]:
    return lambda function: function  # machines have become faster since


def _with_setup(setup: Any = None, teardown: Any = None) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        @functools.wraps(function)
        def test(*args: Any, **kwargs: Any) -> Any:
            if setup is not None:
                setup()
            try:
                return function(*args, **kwargs)
            finally:
                if teardown is not None:
                    teardown()

        return test

    return decorate


def _attr(*names: str, **values: Any) -> Callable[[Any], Any]:
    def mark(function: Any) -> Any:
        for name in names:
            setattr(function, name, True)
        for name, value in values.items():
            setattr(function, name, value)
        return function

    return mark


def _nose(uses: Uses) -> Mapping[str, Any]:
    return {
        "SkipTest": unittest.SkipTest,
        "main": unittest.main,
        "run": unittest.main,
        "runmodule": unittest.main,
        "__getattr__": _of_nose,
    }


# What `six` says about the Python that runs, and its helpers.


def _with_metaclass(meta: type, *bases: type) -> type:
    class Temporary(type):
        def __new__(cls, name: str, this_bases: Any, namespace: dict[str, Any]) -> Any:
            return meta(name, bases, namespace)

    return type.__new__(Temporary, "temporary_class", (), {})


def _add_metaclass(metaclass: type) -> Callable[[type], type]:
    def remake(cls: type) -> type:
        namespace = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
        return metaclass(cls.__name__, cls.__bases__, namespace)

    return remake


def _reraise(tp: Any, value: BaseException | None, tb: Any = None) -> None:
    raise (tp() if value is None else value).with_traceback(tb)


def _six(uses: Uses) -> Mapping[str, Any]:
    views = ("keys", "values", "items")
    return {
        "PY2": False,
        "PY3": True,
        "PY34": True,
        "__version__": "1.16.0",
        "string_types": (str,),
        "integer_types": (int,),
        "class_types": (type,),
        "text_type": str,
        "binary_type": bytes,
        "MAXSIZE": sys.maxsize,
        **{f"iter{view}": lambda d, _view=view, **kw: iter(getattr(d, _view)(**kw)) for view in views},
        **{f"view{view}": operator.methodcaller(view) for view in views},
        "u": lambda s: s,
        "b": lambda s: s.encode("latin-1"),
        "unichr": chr,
        "int2byte": lambda i: bytes((i,)),
        "byte2int": operator.itemgetter(0),
        "indexbytes": operator.getitem,
        "iterbytes": iter,
        "StringIO": io.StringIO,
        "BytesIO": io.BytesIO,
        "next": next,
        "advance_iterator": next,
        "callable": callable,
        "Iterator": object,
        "wraps": functools.wraps,
        "__getattr__": functools.partial(_import_of, "six"),
        "print_": print,
        "exec_": exec,
        "reraise": _reraise,
        "raise_from": _raise_from,
        "with_metaclass": _with_metaclass,
        "add_metaclass": _add_metaclass,
        "python_2_unicode_compatible": lambda cls: cls,
        "get_method_function": operator.attrgetter("__func__"),
        "get_method_self": operator.attrgetter("__self__"),
        "get_function_code": operator.attrgetter("__code__"),
        "get_function_globals": operator.attrgetter("__globals__"),
        "get_function_defaults": operator.attrgetter("__defaults__"),
        "get_function_closure": operator.attrgetter("__closure__"),
        "get_unbound_function": lambda function: function,
        "create_bound_method": lambda function, instance: function.__get__(instance),
        "create_unbound_method": lambda function, cls: function,
        "assertCountEqual": lambda case, *args, **kw: case.assertCountEqual(*args, **kw),
        "assertRaisesRegex": lambda case, *args, **kw: case.assertRaisesRegex(*args, **kw),
        "assertRegex": lambda case, *args, **kw: case.assertRegex(*args, **kw),
        "ensure_str": lambda s, encoding="utf-8", errors="strict": s if isinstance(s, str) else s.decode(encoding),
        "ensure_text": lambda s, encoding="utf-8", errors="strict": s if isinstance(s, str) else s.decode(encoding),
        "ensure_binary": lambda s, encoding="utf-8", errors="strict": s.encode(encoding) if isinstance(s, str) else s,
    }


def _raise_from(value: BaseException, from_value: BaseException | None) -> None:
    raise value from from_value


def _of_nose(name: str) -> ModuleType:
    return _import_of("nose", name)


def _moves(uses: Uses) -> Mapping[str, Any]:
    same = "filter map zip range input".split()  # noqa: SIM905
    return {
        **{name: getattr(builtins, name) for name in same},
        "xrange": range,
        "raw_input": input,
        "unichr": chr,
        "intern": sys.intern,
        "reduce": functools.reduce,
        "reload_module": importlib.reload,
        "filterfalse": itertools.filterfalse,
        "zip_longest": itertools.zip_longest,
        "shlex_quote": shlex.quote,
        "getcwd": os.getcwd,
        "StringIO": io.StringIO,
        "cStringIO": io.StringIO,
        "UserDict": collections.UserDict,
        "UserList": collections.UserList,
        "__getattr__": functools.partial(_import_of, "six.moves"),
    }


def _import_of(package: str, name: str) -> ModuleType:
    try:
        return __import__(f"{package}.{name}", fromlist=["*"])
    except ImportError as error:
        raise AttributeError(f"module {package!r} has no attribute {name!r}") from error


def _urllib(uses: Uses) -> Mapping[str, Any]:
    return {name: importlib.import_module(f"urllib.{name}") for name in ("request", "parse", "error", "response")}


_MOVED = {
    "builtins": "builtins",
    "cPickle": "pickle",
    "configparser": "configparser",
    "copyreg": "copyreg",
    "queue": "queue",
    "http_client": "http.client",
    "http_cookies": "http.cookies",
    "html_parser": "html.parser",
    "collections_abc": "collections.abc",
    "urllib.request": "urllib.request",
    "urllib.parse": "urllib.parse",
    "urllib.error": "urllib.error",
    "urllib_parse": "urllib.parse",
    "urllib_error": "urllib.error",
    "_thread": "_thread",
    "tkinter": "tkinter",
}

_SIX = [
    NewModule("six", _six, "its names for Python 3", is_package=True),
    NewModule("six.moves", _moves, "where the names are now", is_package=True),
    NewModule("six.moves.urllib", _urllib, "urllib", is_package=True),
    *(NewModule(f"six.moves.{name}", now) for name, now in _MOVED.items()),
]

TESTING = [
    NewModule("nose", _nose, "unittest, by nose's names", is_package=True),
    NewModule("nose.tools", _tools, "the methods of unittest.TestCase"),
    NewModule("nose.plugins", lambda uses: {}, "a package", is_package=True),
    NewModule("nose.plugins.skip", lambda uses: {"SkipTest": unittest.SkipTest, "Skip": object}, "unittest.SkipTest"),
    NewModule("nose.plugins.attrib", lambda uses: {"attr": _attr}, "a decorator that sets attributes"),
    *_SIX,
    *(replace(module, name=f"theano.compat.{module.name}") for module in _SIX),  # Theano brought its own until 0.7
]
"""Modules that many programs import and few installations still have."""
