"""What Python's standard library has lost since 2.6, as far as old programs use it: names and modules."""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import inspect
import io
import sys
import threading
import types
import unittest
from collections import UserDict, UserList, UserString, namedtuple
from collections.abc import Mapping, MutableMapping
from contextlib import ExitStack
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

from septet.dialects.running.shims.shim import Change, Names, NewModule, Uses, Value, renamed_methods

__all__ = ["PYTHON"]


ArgSpec = namedtuple("ArgSpec", "args varargs keywords defaults")


def getargspec(func: Any) -> Any:
    """Return the names of a function's parameters, as a tuple of four."""
    return ArgSpec(*inspect.getfullargspec(func)[:4])


def gcd(a: int, b: int) -> int:
    """Return the greatest common divisor, with the sign of `b`."""
    while b:
        a, b = b, a % b
    return a


def maketrans(frm: str, to: str) -> dict[int, int]:
    """Return a table for ``str.translate``."""
    return str.maketrans(frm, to)


def imap(function: Any, *iterables: Any) -> Any:
    """Return what ``itertools.imap`` gave: like ``map``; where there is no function, tuples."""
    return zip(*iterables) if function is None else map(function, *iterables)


def ifilter(predicate: Any, iterable: Any) -> Any:
    """Return what ``itertools.ifilter`` gave."""
    return filter(predicate, iterable)


def setdefaultencoding(name: str) -> None:
    """Do nothing: Python's text is Unicode."""


class StringIO(io.StringIO):
    """``StringIO.StringIO``: of text, or a binary file of bytes."""

    def __new__(cls, buffer: Any = "") -> Any:
        """Return a binary file where the content is bytes: a picture, an archive ..."""
        return io.BytesIO(buffer) if isinstance(buffer, bytes | bytearray) else super().__new__(cls)

    def __init__(self, buffer: Any = "") -> None:
        super().__init__(_as_text(buffer))

    def write(self, s: Any) -> int:
        """Write text, or bytes as text."""
        return super().write(_as_text(s))


def _as_text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes | bytearray) else value


_STRING_FUNCTIONS = tuple(
    """
    capitalize expandtabs find rfind index rindex count lower upper split rsplit strip lstrip rstrip swapcase
    translate ljust rjust center zfill replace
    """.split()  # noqa: SIM905 (one name per line would fill a page)
)
_ABSTRACT = tuple(
    """
    Awaitable Coroutine AsyncIterable AsyncIterator AsyncGenerator Hashable Iterable Iterator Generator
    Reversible Sized Container Callable Collection Set MutableSet Mapping MutableMapping MappingView KeysView
    ItemsView ValuesView Sequence MutableSequence
    """.split()  # noqa: SIM905 (one name per line would fill a page)
)
_TYPES: dict[str, str | Value] = {
    **{f"{name.title()}Type": f"builtins:{name}" for name in ("int", "float", "complex", "list", "tuple", "dict")},
    "StringType": "builtins:str",
    "UnicodeType": "builtins:str",
    "StringTypes": Value((str,), "(str,)"),
    "LongType": "builtins:int",
    "BooleanType": "builtins:bool",
    "DictionaryType": "builtins:dict",
    "FileType": "io:IOBase",
    "TypeType": "builtins:type",
    "ClassType": "builtins:type",
    "ObjectType": "builtins:object",
    "SliceType": "builtins:slice",
    "XRangeType": "builtins:range",
    "InstanceType": "builtins:object",
    "UnboundMethodType": "types:FunctionType",
}


def _function(name: str) -> Value:
    method = getattr(str, name)
    return Value(lambda text, *args: method(text, *args), f"str.{name}")


_NAMES = [
    Names("inspect", "Python 3.11", {"getargspec": Value(getargspec, "inspect.getfullargspec")}),
    Names("collections", "Python 3.10", {name: f"collections.abc:{name}" for name in _ABSTRACT}),
    Names("time", "Python 3.8", {"clock": "time:process_time"}),
    Names("fractions", "Python 3.9", {"gcd": Value(gcd, "math.gcd")}),
    Names(
        "itertools",
        "Python 3",
        {
            "izip": "builtins:zip",
            "imap": Value(imap, "map"),
            "ifilter": Value(ifilter, "filter"),
            "ifilterfalse": "itertools:filterfalse",
            "izip_longest": "itertools:zip_longest",
        },
    ),
    Names(
        "string",
        "Python 3",
        {
            "letters": "string:ascii_letters",
            "lowercase": "string:ascii_lowercase",
            "uppercase": "string:ascii_uppercase",
            "maketrans": Value(maketrans, "str.maketrans"),
            "join": Value(lambda words, sep=" ": sep.join(words), "str.join"),
            "joinfields": Value(lambda words, sep=" ": sep.join(words), "str.join"),
            "atoi": "builtins:int",
            "atol": "builtins:int",
            "atof": "builtins:float",
            **{name: _function(name) for name in _STRING_FUNCTIONS},
        },
    ),
    Names("os", "Python 3", {"getcwdu": "os:getcwd", "errno": "errno"}),
    Names(
        "sys",
        "Python 3",
        {
            "maxint": "sys:maxsize",
            "setdefaultencoding": Value(setdefaultencoding, "nothing"),
            "exc_clear": Value(lambda: None, "nothing"),
            "exc_type": Value(None),
            "exc_value": Value(None),
            "exc_traceback": Value(None),
            "setcheckinterval": Value(lambda interval: None, "nothing"),
            "getcheckinterval": Value(lambda: 100, "100"),
            "subversion": Value(("CPython", "", "")),
        },
    ),
    Names(
        "base64", "Python 3.9", {"encodestring": "base64:encodebytes", "decodestring": "base64:decodebytes"}
    ),
    Names("cgi", "Python 3.8", {"escape": "html:escape"}),
    Names("platform", "Python 3.8", {
        "linux_distribution": Value(lambda *args, **kwargs: ("", "", ""), "three empty texts"),
        "dist": Value(lambda *args, **kwargs: ("", "", ""), "three empty texts"),
    }),
    Names("operator", "Python 3", {
        "div": "septet.dialects.running.python2_names:divide",
        "idiv": "septet.dialects.running.python2_names:divide_in_place",
        "isCallable": "builtins:callable",
        "sequenceIncludes": "operator:contains",
        "isSequenceType": Value(lambda x: hasattr(x, "__getitem__") and not hasattr(x, "keys"), "whether it has items"),
        "isMappingType": Value(lambda x: hasattr(x, "keys"), "whether it has keys"),
        "isNumberType": Value(lambda x: hasattr(x, "__int__"), "whether it is a number"),
    }),
    Names("types", "Python 3", _TYPES),
    Names("locale", "Python 3.12", {"format": "locale:format_string"}),
    Names("urllib", "Python 3", {
        **{name: f"urllib.request:{name}" for name in (
            "urlopen", "urlretrieve", "urlcleanup", "URLopener", "FancyURLopener", "pathname2url", "url2pathname",
        )},
        **{name: f"urllib.parse:{name}" for name in ("quote", "quote_plus", "unquote", "unquote_plus", "urlencode")},
        "ContentTooShortError": "urllib.error:ContentTooShortError",
    }),
]  # fmt: skip


def _urllib2(uses: Uses) -> Mapping[str, Any]:
    import urllib.error
    import urllib.parse
    import urllib.request

    found: dict[str, Any] = {}
    for module in (urllib.error, urllib.parse, urllib.request):
        found.update({name: value for name, value in vars(module).items() if not name.startswith("_")})
    return found


def _urlparse(uses: Uses) -> Mapping[str, Any]:
    import urllib.parse

    return {name: value for name, value in vars(urllib.parse).items() if not name.startswith("_")}


def _text_buffers(uses: Uses) -> Mapping[str, Any]:
    return {"StringIO": StringIO, "InputType": StringIO, "OutputType": StringIO}


def _exceptions(uses: Uses) -> Mapping[str, Any]:
    found = {
        name: value
        for name, value in vars(builtins).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    }
    return {**found, "StandardError": Exception}


def _imp(uses: Uses) -> Mapping[str, Any]:
    def load_source(name: str, pathname: str, file: Any = None) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, pathname)
        if spec is None or spec.loader is None:
            raise ImportError(f"imp.load_source: {pathname!r} is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    def find_module(name: str, path: Any = None) -> Any:
        spec = PathFinder.find_spec(name, path)
        if spec is None:
            raise ImportError(f"No module named {name!r}")
        return None, spec.origin, ("", "", 5 if spec.submodule_search_locations is not None else 1)

    return {
        "load_source": load_source,
        "find_module": find_module,
        "load_module": lambda name, file, pathname, description: load_source(name, pathname),
        "new_module": ModuleType,
        "reload": importlib.reload,
        "acquire_lock": lambda: None,
        "release_lock": lambda: None,
        "lock_held": lambda: False,
        "get_suffixes": lambda: [(".py", "r", 1)],
        "PY_SOURCE": 1,
        "PKG_DIRECTORY": 5,
    }


def _new(uses: Uses) -> Mapping[str, Any]:
    return {
        "classobj": type,
        "function": types.FunctionType,
        "code": types.CodeType,
        "module": ModuleType,
        "instancemethod": lambda function, instance, owner=None: types.MethodType(function, instance),
    }


def _sets(uses: Uses) -> Mapping[str, Any]:
    return {"Set": set, "ImmutableSet": frozenset}


def _digest(name: str) -> NewModule:
    def make(uses: Uses) -> Mapping[str, Any]:
        import hashlib

        return {"new": getattr(hashlib, name), name: getattr(hashlib, name)}

    return NewModule({"md5": "md5", "sha1": "sha"}[name], make, f"hashlib.{name}")


def _future_builtins(uses: Uses) -> Mapping[str, Any]:
    return {"ascii": ascii, "filter": filter, "hex": hex, "map": map, "oct": oct, "zip": zip}


def _user_dict(uses: Uses) -> Mapping[str, Any]:
    return {"UserDict": UserDict, "IterableUserDict": UserDict, "DictMixin": MutableMapping}


def _mock(uses: Uses) -> Mapping[str, Any]:
    import unittest.mock

    own = {name: value for name, value in vars(unittest.mock).items() if not name.startswith("__")}
    return {**own, "__version__": "3.0.5", "version_info": (3, 0, 5)}  # the last one for Python 2


_RENAMED = {
    "cPickle": "pickle",
    "Queue": "queue",
    "ConfigParser": "configparser",
    "SocketServer": "socketserver",
    "BaseHTTPServer": "http.server",
    "SimpleHTTPServer": "http.server",
    "httplib": "http.client",
    "cookielib": "http.cookiejar",
    "Cookie": "http.cookies",
    "HTMLParser": "html.parser",
    "htmlentitydefs": "html.entities",
    "xmlrpclib": "xmlrpc.client",
    "robotparser": "urllib.robotparser",
    "copy_reg": "copyreg",
    "thread": "_thread",
    "dummy_thread": "_thread",
    "commands": "subprocess",
    "__builtin__": "builtins",
    "repr": "reprlib",
    "anydbm": "dbm",
    "dbhash": "dbm",
    "dumbdbm": "dbm.dumb",
    "gdbm": "dbm.gnu",
    "Tkinter": "tkinter",
    "tkFileDialog": "tkinter.filedialog",
    "tkMessageBox": "tkinter.messagebox",
    "ttk": "tkinter.ttk",
    "xml.etree.cElementTree": "xml.etree.ElementTree",
    "ordereddict": "collections",
    "unittest2": "unittest",
}

_MODULES = [
    *(NewModule(name, now) for name, now in _RENAMED.items()),
    NewModule("StringIO", _text_buffers, "io.StringIO, which takes bytes too"),
    NewModule("cStringIO", _text_buffers, "io.StringIO, which takes bytes too"),
    NewModule("urllib2", _urllib2, "urllib.request, urllib.parse, urllib.error"),
    NewModule("urlparse", _urlparse, "urllib.parse"),
    NewModule("exceptions", _exceptions, "the exceptions among the built-in names"),
    NewModule("UserDict", _user_dict, "collections.UserDict"),
    NewModule("UserList", lambda uses: {"UserList": UserList}, "collections.UserList"),
    NewModule("UserString", lambda uses: {"UserString": UserString}, "collections.UserString"),
    NewModule("imp", _imp, "importlib, in part"),
    NewModule("mock", _mock, "unittest.mock"),
    NewModule("new", _new, "types"),
    NewModule("sets", _sets, "set and frozenset"),
    NewModule("future_builtins", _future_builtins, "the built-in names"),
    _digest("md5"),
    _digest("sha1"),
]  # fmt: skip


_ASSERTIONS = {
    "assertEquals": "assertEqual",
    "assertNotEquals": "assertNotEqual",
    "assertAlmostEquals": "assertAlmostEqual",
    "assertNotAlmostEquals": "assertNotAlmostEqual",
    "assert_": "assertTrue",
    "assertItemsEqual": "assertCountEqual",
    "assertRaisesRegexp": "assertRaisesRegex",
    "assertRegexpMatches": "assertRegex",
    "assertNotRegexpMatches": "assertNotRegex",
    "failUnless": "assertTrue",
    "failIf": "assertFalse",
    "failUnlessEqual": "assertEqual",
    "failIfEqual": "assertNotEqual",
    "failUnlessAlmostEqual": "assertAlmostEqual",
    "failIfAlmostEqual": "assertNotAlmostEqual",
    "failUnlessRaises": "assertRaises",
}


def _assertions(module: ModuleType, uses: Uses, stack: ExitStack) -> None:
    renamed_methods(module, unittest.TestCase, _ASSERTIONS, uses, stack)


def _threads(module: ModuleType, uses: Uses, stack: ExitStack) -> None:
    renamed_methods(module, threading.Thread, {"isAlive": "is_alive"}, uses, stack)


_CHANGES = [
    Change("unittest", "unittest.TestCase.assertEquals ...", ", ".join(_ASSERTIONS), _assertions),
    Change("threading", "threading.Thread.isAlive", "is_alive", _threads),
]

PYTHON: list[Names | NewModule | Change] = [*_NAMES, *_MODULES, *_CHANGES]
