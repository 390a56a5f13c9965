"""Native code as functions of Python, and running a plan by one of them: without ctypes, which costs more than it.

A plan has a function of its own. It takes the arrays of a call in a list, writes down where their elements lie, gives
Python's lock away, and runs the steps.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from septet.backends.cpu import jit

FAST_CALL, ONE_ARGUMENT = 0x80, 0x08
"""How Python hands arguments over: METH_FASTCALL, by position, as an array; METH_O, a single one."""

TEXT = """
declare ptr @PyList_GetItem(ptr, i64)
declare i64 @PyList_Size(ptr)
declare i64 @PyLong_AsLongLong(ptr)
declare ptr @PyLong_FromLongLong(i64)
declare void @PyEval_RestoreThread(ptr)
declare ptr @PyEval_SaveThread()
define ptr @call(ptr %self, ptr %arrays) #0 {
entry:
  %address = call i64 @PyLong_AsLongLong(ptr %self)
  %record = inttoptr i64 %address to ptr
  %run = load ptr, ptr %record
  %own = getelementptr i64, ptr %record, i64 1
  %bases = load ptr, ptr %own
  %p1 = getelementptr i64, ptr %own, i64 1
  %moves = load ptr, ptr %p1
  %p2 = getelementptr i64, ptr %own, i64 2
  %n_moves = load i64, ptr %p2
  %p3 = getelementptr i64, ptr %own, i64 3
  %slots = load ptr, ptr %p3
  %p4 = getelementptr i64, ptr %own, i64 4
  %steps = load ptr, ptr %p4
  %p5 = getelementptr i64, ptr %own, i64 5
  %n_steps = load i64, ptr %p5
  %p6 = getelementptr i64, ptr %own, i64 6
  %status = load ptr, ptr %p6
  %count = call i64 @PyList_Size(ptr %arrays)
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %place ]
  %some = icmp slt i64 %i, %count
  br i1 %some, label %place, label %go
place:
  %array = call ptr @PyList_GetItem(ptr %arrays, i64 %i)
  %field = getelementptr i8, ptr %array, i64 {HEAD}
  %elements = load i64, ptr %field
  %i1 = add i64 %i, 1
  %base = getelementptr i64, ptr %bases, i64 %i1
  store i64 %elements, ptr %base
  br label %next
go:
  %thread = call ptr @PyEval_SaveThread()
  %failed = call i64 %run(ptr %bases, ptr %moves, i64 %n_moves, ptr %slots, ptr %steps, i64 %n_steps, ptr %status)
  call void @PyEval_RestoreThread(ptr %thread)
  %result = call ptr @PyLong_FromLongLong(i64 %failed)
  ret ptr %result
}
attributes #0 = { nounwind }
"""


def _address_by_interface(array: np.ndarray) -> int:
    """Return where an array's elements lie, as NumPy tells it."""
    return array.__array_interface__["data"][0]


def _address_by_layout(array: np.ndarray) -> int:
    """Return where an array's elements lie: the first field behind the head of NumPy's object, a fifth of the time."""
    return _Word.from_address(id(array) + _HEAD).value


_Word = ctypes.c_int64
_HEAD = object.__basicsize__


def _choose_address_of() -> Any:
    """Take the fast way where it gives what NumPy says, for a few arrays of different kinds."""
    base = np.arange(24, dtype=np.int64).reshape(4, 6)
    for array in (base, base[1:], base[:, 2:].T, np.empty((), np.float32), np.zeros(0)):
        if ctypes.sizeof(ctypes.c_void_p) != 8 or _address_by_layout(array) != _address_by_interface(array):
            return _address_by_interface
    return _address_by_layout


address_of = _choose_address_of()


def of_python(name: str) -> int:
    """Return the address of a function of Python's C interface."""
    found = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert found
    return found


class _Definition(ctypes.Structure):
    """What Python wants to know of a function in C: PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p),
    )  # fmt: skip


_definitions: dict[tuple[str, int], _Definition] = {}  # Python refers to them as long as the functions live


def function(name: str, address: int, own: Any = None, flags: int = FAST_CALL) -> Any:
    """Return native code as a function of Python; it is given its own object beside its arguments."""
    definition = _definitions.setdefault((name, address), _Definition(name.encode(), address, flags, None))
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    return new(ctypes.addressof(definition), own, None)


def is_supported() -> bool:
    """Tell whether this Python and this NumPy are those that the native function knows."""
    has_lock = getattr(sys, "_is_gil_enabled", lambda: True)()
    return sys.implementation.name == "cpython" and has_lock and address_of is _address_by_layout


@lru_cache(maxsize=1)
def module() -> jit.Module:
    """Return the function, to be compiled."""
    names = re.findall(r"declare .*@(\w+)", TEXT)
    return jit.Module("call", TEXT.replace("{HEAD}", str(_HEAD)), {name: of_python(name) for name in names})


def caller(address: int, run: int, addresses: Sequence[int]) -> tuple[Callable[[list[np.ndarray]], int], Any]:
    """Return a function that runs a plan, and what must live as long as it.

    Parameters
    ----------
    address, run : int
        Where the machine code of `module` and of `native.RUN` lies.
    addresses : sequence of int
        What `native.RUN` takes.

    Returns
    -------
    callable
        Takes the arrays of a call, each in C order, in the order of the plan's bases; returns what `run` does.
    ndarray
    """
    record = np.array([run, *addresses], np.int64)
    return function("call", address, address_of(record), ONE_ARGUMENT), record
