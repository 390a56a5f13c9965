"""Recording and walking define-by-run graphs in native code, through Python's own C interface.

What `graph.op.record` and the functions of `run.walk` do for each node is a few dozen steps of the interpreter. The
functions of `recorder_code`, `walk_code`, `unit_code` and `pull_code` do the same steps without it, on the same objects,
in the cases that are frequent; in all others they say so, and Python goes on. What they mean is written there, in
Python; here is no rule that is not there, too.

They are machine code made by LLVM, like kernels, and use nothing of Python but the functions of its public C interface,
the place of an object's type, and the places of attributes in instances of our own classes with `__slots__`, which are
found by looking for one that was set.
"""

from __future__ import annotations

import ctypes
import itertools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any, NamedTuple

from septet.backends.cpu import jit
from septet.backends.cpu.calling import Places, function, knows_python, of_python
from septet.backends.cpu.common_code import COMMON, SOURCE
from septet.backends.cpu.pieces import Calls, Piece
from septet.backends.cpu.pull_code import PULL
from septet.backends.cpu.recorder_code import MAKE, OPERATOR, RECORD
from septet.backends.cpu.unit_code import COUNT, COUNT_DOWN, UNITS, WORK
from septet.backends.cpu.walk_code import FOLLOW, HELD, PENDING, ROWS, SIGNATURE
from septet.base.source import Source, is_inside
from septet.graph import pending
from septet.graph.context import SPENT, TRACKED, context
from septet.graph.node import SYMBOL, VARIABLE, Node, serials, weak
from septet.graph.op import ITEM, Op
from septet.graph.resolution import Resolution
from septet.graph.types import TensorType
from septet.transform.pull import Pull
from septet.transform.pullback import Pullback

SOURCES = 1024
"""Places in programs whose source is kept."""

FOUND = 1024
"""Combinations of op, parameters and two types whose resolution is found by identity."""

PRIME_1, PRIME_2, PRIME_5 = 11400714785074694791, 14029467366897019727, 2870177450012600261  # of xxHash

INTERFACE = {
    "Py_IncRef": "void (ptr)",
    "Py_DecRef": "void (ptr)",
    "PyDict_GetItemWithError": "ptr (ptr, ptr)",
    "PyDict_DelItem": "i32 (ptr, ptr)",
    "PyDict_SetItem": "i32 (ptr, ptr, ptr)",
    "PyDict_Size": "i64 (ptr)",
    "PyErr_Clear": "void ()",
    "PyEval_GetFrame": "ptr ()",
    "PyErr_Occurred": "ptr ()",
    "PyFrame_GetBack": "ptr (ptr)",
    "PyFrame_GetCode": "ptr (ptr)",
    "PyFrame_GetLasti": "i32 (ptr)",
    "PyIter_Next": "ptr (ptr)",
    "PyList_Append": "i32 (ptr, ptr)",
    "PyList_GetItem": "ptr (ptr, i64)",
    "PyList_New": "ptr (i64)",
    "PyList_SetSlice": "i32 (ptr, i64, i64, ptr)",
    "PyList_Size": "i64 (ptr)",
    "PyLong_AsLongLong": "i64 (ptr)",
    "PyLong_FromLongLong": "ptr (i64)",
    "PyObject_GetAttr": "ptr (ptr, ptr)",
    "PyObject_Vectorcall": "ptr (ptr, ptr, i64, ptr)",
    "PyObject_VectorcallMethod": "ptr (ptr, ptr, i64, ptr)",
    "PySequence_Contains": "i32 (ptr, ptr)",
    "PySet_Add": "i32 (ptr, ptr)",
    "PySet_Contains": "i32 (ptr, ptr)",
    "PyThreadState_Get": "ptr ()",
    "PyThreadState_GetID": "i64 (ptr)",
    "PyTuple_GetItem": "ptr (ptr, i64)",
    "PyTuple_New": "ptr (i64)",
    "PyTuple_SetItem": "i32 (ptr, i64, ptr)",
    "PyTuple_Size": "i64 (ptr)",
    "PyType_GenericAlloc": "ptr (ptr, i64)",
}

FUNCTIONS = ("record", "operator", "pending", "held", "signature", "rows", "tracked", "units", "count", "pull")
TEXT = COMMON + SOURCE + MAKE + RECORD + OPERATOR + PENDING + HELD + SIGNATURE + ROWS + FOLLOW
TEXT += WORK + COUNT + UNITS + COUNT_DOWN + PULL

FORMS = {
    "NUMBER": "{target} = call i64 @PyLong_AsLongLong(ptr {0})",
    "ITEM": "{target} = call ptr @PyTuple_GetItem(ptr {0}, i64 {1})",
    "LOOK": "{target} = call ptr @PyDict_GetItemWithError(ptr {0}, ptr {1})",
    "NEED": "{own} = icmp eq ptr {0}, null\n  IF {own} {1}",
    "TEST": "{own} = icmp slt i32 {0}, 0\n  IF {own} {1}",
    "APPEND": "{own} = call i32 @PyList_Append(ptr {0}, ptr {1})\n  TEST {own} {2}",
    "NOTE": "{own} = call i32 @PyDict_SetItem(ptr {0}, ptr {1}, ptr {2})\n  TEST {own} {3}",
    "DROP": "{own} = call i32 @PyDict_DelItem(ptr {0}, ptr {1})\n  TEST {own} {2}",
    "IF": "br i1 {0}, label %{1}, label {own}\n{name}:",
    "OBJECT": "{own} = getelementptr i8, ptr @state, i64 {0}\n  {target} = load ptr, ptr {own}",
    "ARGUMENT": "{own} = getelementptr ptr, ptr %args, i64 {0}\n  {target} = load ptr, ptr {own}",
    "TYPE": "{own} = getelementptr i8, ptr {0}, i64 8\n  {target} = load ptr, ptr {own}",
    "FIELD": "{own} = getelementptr i8, ptr {0}, i64 {1}\n  {target} = load ptr, ptr {own}",
    "KEEP": "{own} = getelementptr i8, ptr {0}, i64 {1}\n  store ptr {2}, ptr {own}",
    "SET": "call void @Py_IncRef(ptr {2})\n  KEEP {0} {1} {2}",
    "PUT": "{own} = getelementptr i8, ptr {0}, i64 {1}\n  call void @put(ptr {own}, ptr {2})",
}
"""The short forms, see `expand`."""


def expand(text: str, places: Places, numbers: Mapping[str, int]) -> str:
    """Write the short forms out.

    Some read: ``%x = OBJECT name`` what the functions refer to, ``%x = ARGUMENT n`` an argument of the call, ``%x =
    TYPE %o`` the type of an object, ``%x = FIELD %o Class.name`` an attribute, ``%x = ITEM %tuple n``, ``%x = LOOK
    %dict %key`` (null where there is none), ``%x = NUMBER %o`` an integer.

    Some write: ``SET %o Class.name %x`` sets an attribute that was not set, ``KEEP`` does so and takes the reference
    over, ``PUT`` sets one that was.

    Some end a block, and begin another one without a name of its own: ``IF %c label`` goes elsewhere where that holds,
    ``NEED %x label`` where it is null, ``TEST %x label`` where it is an error; ``APPEND %list %x label``, ``NOTE %dict
    %key %x label`` and ``DROP %dict %key label`` do so where Python's function fails.
    """
    count = itertools.count()

    def written(found: re.Match[str]) -> str:
        target, kind, words = found.groups()
        values = words.split()
        if kind == "OBJECT":
            values[0] = str(8 * numbers[values[0]])
        elif kind in ("FIELD", "SET", "KEEP", "PUT") and not values[1].isdigit():
            values[1] = str(places[values[1]])
        name = f"own.{next(count)}"
        whole = "  " + FORMS[kind].format(*values, target=target, own=f"%{name}", name=name)
        return form.sub(written, whole) if "\n" in whole else whole

    form = re.compile(rf"^ +(?:(%\S+) = )?({'|'.join(FORMS)}) ([^;\n]*\S) *(?:;.*)?$", re.MULTILINE)
    text = form.sub(written, text)
    words = {
        "PRIME_1": PRIME_1, "PRIME_2": PRIME_2, "PRIME_5": PRIME_5, "LENGTH": PRIME_5 ^ 3527539, "FOUND": FOUND,
        "SOURCES": SOURCES, "TRACKED": TRACKED, "TRACKED_OR_SPENT": TRACKED | SPENT,
    }  # fmt: skip
    for word, value in words.items():
        text = text.replace("{" + word + "}", str(value))
    return text


_kept: list[Any] = []  # what machine code refers to, for the life of the process


def _compiled(objects: Mapping[str, Any], places: Places) -> dict[str, int]:
    """Compile the functions, all in one module, for they share much; return their addresses."""
    tables = {
        "state": (ctypes.c_void_p * len(objects))(*[id(value) for value in objects.values()]),
        "sources": (ctypes.c_uint64 * (3 * SOURCES))(),
        "found": (ctypes.c_uint64 * (5 * FOUND))(),
        "thread": (ctypes.c_uint64 * 2)(),
    }
    _kept.extend([objects, tables])
    own = {name: ctypes.addressof(table) for name, table in tables.items()}
    numbers = {name: number for number, name in enumerate(objects)}
    lines = [f"declare {type_.replace(' (', f' @{name}(')}" for name, type_ in INTERFACE.items()]
    lines += [f"@{name} = external global i8" for name in own]
    lines += [expand(TEXT, places, numbers), "define void @functions(ptr %table) {"]
    for number, name in enumerate(FUNCTIONS):
        lines += [f"  %p{number} = getelementptr ptr, ptr %table, i64 {number}", f"  store ptr @{name}, ptr %p{number}"]
    lines += ["  ret void", "}"]
    imports = {name: of_python(name) for name in INTERFACE} | own
    (address,) = jit.addresses([jit.Module("functions", "\n".join(lines), imports, jit.LIGHT)])
    table = (ctypes.c_uint64 * len(FUNCTIONS))()
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)(ctypes.addressof(table))
    return dict(zip(FUNCTIONS, table, strict=True))


def _method(function: Any) -> Any:
    """Return a function in C as what becomes a method in a class."""
    new = ctypes.pythonapi.PyInstanceMethod_New
    new.restype, new.argtypes = ctypes.py_object, (ctypes.py_object,)
    return new(function)


_EXAMPLES = ((0, 1), (-1, -2), (2**61 - 1, -(2**61)), (2**62 + 5, 7, -(2**62)), (123456789, -987654321, 0))


def _hash_of(values: tuple[int, ...]) -> int:
    """Return the hash of a tuple as the native functions compute it."""
    whole = 2**64 - 1
    sum_ = PRIME_5
    for value in values:
        sum_ = sum_ + hash(value) * PRIME_2 & whole
        sum_ = (sum_ << 31 | sum_ >> 33) * PRIME_1 & whole
    sum_ = sum_ + (len(values) ^ PRIME_5 ^ 3527539) & whole
    return 1546275796 if sum_ == whole else sum_ - (sum_ >> 63 << 64)


def is_supported() -> bool:
    """Tell whether this Python lays objects out as the functions take for granted."""
    return knows_python() and all(_hash_of(values) == hash(values) for values in _EXAMPLES)


class Functions(NamedTuple):
    """The native forms of functions in Python.

    Attributes
    ----------
    record, pending, held, signature, rows, tracked, units, count, pull
        Those of `graph.op.record`, and of what `run.walk`, `transform.pullback`, `run.gradients`, `run.evaluation` and
        `run.backward` ask for.
    operator
        ``operator(op, method, is_reflected)`` returns a native operator, for one in Python.
    """

    record: Callable[..., Any]
    pending: Callable[..., Any]
    held: Callable[..., Any]
    signature: Callable[..., Any]
    rows: Callable[..., Any]
    tracked: Callable[..., Any]
    units: Callable[..., Any]
    count: Callable[..., Any]
    pull: Callable[..., Any]
    operator: Callable[[Op, Callable[..., Any], bool], Any]


def native(given: Mapping[str, Any], classes: Sequence[type]) -> Functions:
    """Compile the native functions.

    Parameters
    ----------
    given : mapping of str to object
        What they refer to of the floors above: the classes Tensor and Variable, `number_of` and ``cheap`` of
        `run.walk`, the ``sums`` of `run.units`, MOST_SHARED of `run.backward`.
    classes : sequence of type
        Classes of the floors above whose attributes they use.
    """
    words = sorted(set(re.findall(r'OBJECT "(\w+)"', TEXT)))
    objects: dict[str, Any] = {
        "None": None, "True": True, "False": False, "0": 0, "1": 1,
        "int": int, "float": float, "str": str, "tuple": tuple,
        "Node": Node, "TensorType": TensorType, "SYMBOL": SYMBOL, "VARIABLE": VARIABLE, "ITEM": ITEM,
        "context": context, "serials": serials, "after": pending.after, "weak": weak,
        "make_source": _make_source, **given, **{f'"{word}"': sys.intern(word) for word in words},
    }  # fmt: skip
    places = Places(Node, Resolution, TensorType, Pull, Pullback, Piece, Calls, *classes)
    addresses = _compiled(objects, places)

    def operator(op: Op, method: Callable[..., Any], is_reflected: bool) -> Any:
        own = (op, op.default_params, method, None) if is_reflected else (op, op.default_params, method)
        return _method(function(method.__name__, addresses["operator"], own))

    plain = {name: function(name, address) for name, address in addresses.items() if name != "operator"}
    return Functions(**plain, operator=operator)


def _make_source(code: CodeType, place: int) -> Source | None:
    """Return a source, or None for a place inside the package."""
    return None if is_inside[code.co_filename] else (code, place)
