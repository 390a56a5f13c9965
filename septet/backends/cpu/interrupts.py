"""Signals while native code runs: Ctrl-C ends a long program after the chunk of work under way.

Python runs the handlers of signals between two of its own instructions, and only in its main thread: while that thread
is in native code, nothing would happen. So native programs look, between steps and between the chunks of a step, whether
a tenth of a second has gone by, and then let Python run what is waiting. Where a handler raises (as that of Ctrl-C does)
the program stops; the exception is that thread's, and comes out of the call. Nothing is lost: values that were on the
way belong to nobody, and variables have their old values, since a program that has begun to write over these does not
look any more (see `native.START`).

The functions, for native code that has `imports` among its imports:

- ``ptr signals_open(i64 may)`` lets go of Python's lock before a program, and returns what takes it again; from here on
  the main thread may stop, if `may` is 1.
- ``i64 signals_look()`` tells whether this thread must stop.
- ``i64 signals_look_between(ptr status)`` does so between steps: -1, which the status is then, too, or after how many
  steps to look again.
- ``i64 signals_hold()`` says that it may not stop any more, and tells whether it was stopped: then Python has an
  exception to raise, when its lock is taken again.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import threading
import time
from collections.abc import Mapping
from functools import lru_cache

from septet.backends.cpu import jit

FIELDS = {
    "allowed": 0,  # i64: whether the main thread may stop
    "last": 8,  # i64: when it looked last
    "stopped": 16,  # i64: whether it must stop
    "main": 24,  # i64: which thread it is
}
LINE = 64  # of the cache: nothing else lies beside it

WORDS = 3  # of the status of a plan: 0, or that a step has found an error, or that it was stopped; and these
LEFT, SEEN = 1, 2
"""How many steps to run before the next look, where a row of steps ends; and when it looked last. Reading the clock takes
half as long as the smallest steps do: where `STRIDE` of them take less than `SHORT`, it is read once for as many."""
STRIDE = 64

HAS_COUNTER = platform.machine() in ("x86_64", "AMD64")
PERIOD = 1 << 28 if HAS_COUNTER else 100_000_000
"""Cycles of the counter of x86, or nanoseconds, until Python is asked again: 0.05 to 0.15 seconds."""
SHORT = 1 << 18 if HAS_COUNTER else 100_000

COUNTER = """
declare i64 @llvm.readcyclecounter()
define internal i64 @clock() {
  %now = call i64 @llvm.readcyclecounter()
  ret i64 %now
}
"""
CLOCK = """
declare i32 @clock_gettime(i32, ptr)
define internal i64 @clock() {
  %time = alloca [2 x i64]
  %r = call i32 @clock_gettime(i32 {CLOCK_MONOTONIC}, ptr %time)
  %p.nanos = getelementptr i64, ptr %time, i64 1
  %seconds = load i64, ptr %time
  %nanos = load i64, ptr %p.nanos
  %big = mul i64 %seconds, 1000000000
  %now = add i64 %big, %nanos
  ret i64 %now
}
"""

MAIN = """
declare i64 @PyThread_get_thread_ident()
define internal i1 @is_main() {
  %p.main = getelementptr i8, ptr @signals, i64 {main}
  %main = load i64, ptr %p.main
  %own = call i64 @PyThread_get_thread_ident()
  %same = icmp eq i64 %main, %own
  ret i1 %same
}
"""

LOOK = """
declare i32 @PyGILState_Ensure()
declare void @PyGILState_Release(i32)
declare i32 @PyErr_CheckSignals()
define internal i64 @ask(i64 %now) {
entry:
  %p.last = getelementptr i8, ptr @signals, i64 {last}
  %p.allowed = getelementptr i8, ptr @signals, i64 {allowed}
  %p.stopped = getelementptr i8, ptr @signals, i64 {stopped}
  %is = call i1 @is_main()
  br i1 %is, label %mine, label %on
mine:
  %before = load atomic i64, ptr %p.stopped monotonic, align 8
  %must = icmp ne i64 %before, 0
  br i1 %must, label %stop, label %handle
handle:                                           ; a handler may run programs of its own
  store atomic i64 0, ptr %p.allowed monotonic, align 8
  %lock = call i32 @PyGILState_Ensure()
  %raised = call i32 @PyErr_CheckSignals()
  call void @PyGILState_Release(i32 %lock)
  %after = call i64 @clock()
  store atomic i64 %after, ptr %p.last monotonic, align 8
  store atomic i64 1, ptr %p.allowed monotonic, align 8
  %bad = icmp ne i32 %raised, 0
  br i1 %bad, label %stop, label %on
stop:
  store atomic i64 1, ptr %p.stopped monotonic, align 8
  ret i64 1
on:
  ret i64 0
}
define i64 @signals_look() {
entry:
  %p.allowed = getelementptr i8, ptr @signals, i64 {allowed}
  %allowed = load atomic i64, ptr %p.allowed monotonic, align 8
  %off = icmp eq i64 %allowed, 0
  br i1 %off, label %on, label %clock
clock:
  %p.last = getelementptr i8, ptr @signals, i64 {last}
  %p.stopped = getelementptr i8, ptr @signals, i64 {stopped}
  %last = load atomic i64, ptr %p.last monotonic, align 8
  %now = call i64 @clock()
  %gone = sub i64 %now, %last
  %late = icmp sgt i64 %gone, {PERIOD}
  %stopped = load atomic i64, ptr %p.stopped monotonic, align 8
  %must = icmp ne i64 %stopped, 0
  %due = or i1 %late, %must
  br i1 %due, label %serious, label %on
serious:
  %found = call i64 @ask(i64 %now)
  ret i64 %found
on:
  ret i64 0
}
"""

LOOK_BETWEEN = """
declare i64 @signals_look()
define i64 @signals_look_between(ptr %status) {
entry:
  %p.left = getelementptr i64, ptr %status, i64 {LEFT}
  %p.seen = getelementptr i64, ptr %status, i64 {SEEN}
  %now = call i64 @clock()
  %seen = load i64, ptr %p.seen
  store i64 %now, ptr %p.seen
  %gone = sub i64 %now, %seen
  %is.quick = icmp ult i64 %gone, {SHORT}
  %stride = select i1 %is.quick, i64 {STRIDE}, i64 1
  %must = call i64 @signals_look()
  %stops = icmp ne i64 %must, 0
  br i1 %stops, label %stop, label %on
stop:
  store i64 1, ptr %p.left
  store i64 -1, ptr %status
  ret i64 -1
on:
  ret i64 %stride
}
"""

OPEN = """
declare ptr @PyEval_SaveThread()
define ptr @signals_open(i64 %may) {
entry:
  %state = call ptr @PyEval_SaveThread()
  %is = call i1 @is_main()
  br i1 %is, label %mine, label %done
mine:
  %p.allowed = getelementptr i8, ptr @signals, i64 {allowed}
  %p.last = getelementptr i8, ptr @signals, i64 {last}
  %p.stopped = getelementptr i8, ptr @signals, i64 {stopped}
  %now = call i64 @clock()
  store atomic i64 %now, ptr %p.last monotonic, align 8
  store atomic i64 0, ptr %p.stopped monotonic, align 8
  store atomic i64 %may, ptr %p.allowed monotonic, align 8
  br label %done
done:
  ret ptr %state
}
"""

HOLD = """
define i64 @signals_hold() {
entry:
  %is = call i1 @is_main()
  br i1 %is, label %mine, label %done
mine:
  %p.allowed = getelementptr i8, ptr @signals, i64 {allowed}
  %p.stopped = getelementptr i8, ptr @signals, i64 {stopped}
  %stopped = load atomic i64, ptr %p.stopped monotonic, align 8
  store atomic i64 0, ptr %p.allowed monotonic, align 8
  store atomic i64 0, ptr %p.stopped monotonic, align 8
  br label %done
done:
  %found = phi i64 [ 0, %entry ], [ %stopped, %mine ]
  ret i64 %found
}
"""


class _Signals:
    """What native code shares; its memory is never freed."""

    def __init__(self) -> None:
        memory = ctypes.create_string_buffer(2 * LINE)
        self._memory = memory
        self.address = -(-ctypes.addressof(memory) // LINE) * LINE
        self.find_main()

    def find_main(self) -> None:
        """Note which thread is the main one."""
        for name, value in (("allowed", 0), ("stopped", 0), ("main", threading.main_thread().ident or 0)):
            ctypes.c_int64.from_address(self.address + FIELDS[name]).value = value


_signals = _Signals()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_signals.find_main)


def fill(text: str) -> str:
    """Put numbers in the place of names."""
    words = {**FIELDS, "PERIOD": PERIOD, "SHORT": SHORT, "STRIDE": STRIDE, "LEFT": LEFT, "SEEN": SEEN}
    if not HAS_COUNTER:
        words["CLOCK_MONOTONIC"] = time.CLOCK_MONOTONIC
    for word, value in words.items():
        text = text.replace("{" + word + "}", str(value))
    return text


TEXTS = {
    "signals_look": (LOOK, MAIN, COUNTER if HAS_COUNTER else CLOCK),
    "signals_look_between": (LOOK_BETWEEN, COUNTER if HAS_COUNTER else CLOCK),
    "signals_open": (OPEN, MAIN, COUNTER if HAS_COUNTER else CLOCK),
    "signals_hold": (HOLD, MAIN),
}


def _module(name: str, known: Mapping[str, jit.Module]) -> jit.Module:
    text = fill("\n".join(["@signals = external global i8", *TEXTS[name]]))
    names = re.findall(r"^declare .*@(\w+)\(", text, re.MULTILINE)
    own: dict[str, int | jit.Module] = {called: known.get(called) or of_process(called) for called in names}
    return jit.Module(name, text, {**own, "signals": _signals.address}, jit.LIGHT)


@lru_cache(maxsize=1)
def imports() -> Mapping[str, int | jit.Module]:
    """Return what modules need that declare the functions."""
    known = {"signals_look": _module("signals_look", {})}
    known.update([(name, _module(name, known)) for name in TEXTS if name not in known])
    return {**known, "PyEval_RestoreThread": of_process("PyEval_RestoreThread")}


def of_process(name: str) -> int:
    """Return the address of a function of Python, or of the C library."""
    found = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert found
    return found
