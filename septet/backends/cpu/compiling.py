"""Many texts to object code by one native call: without Python's lock, which a busy thread lends for milliseconds.

A thread that runs Python gives its lock away each five milliseconds only. A thread that compiles and wants it after each
of LLVM's functions gets nowhere beside: so the functions are called by native code, one text after the other. Several
threads take texts from the same table.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from septet.backends.cpu import llvm
from septet.base.threads import thread_count

FUNCTIONS = ("ContextCreate", "ParseAssembly", "TargetMachineEmitToMemory", "DisposeModule", "ContextDispose")
ENTRY = "septet_compile"
TEXT = """
declare ptr @ContextCreate()
declare ptr @ParseAssembly(ptr, ptr, ptr)
declare ptr @TargetMachineEmitToMemory(ptr, ptr, i32, ptr)
declare void @DisposeModule(ptr)
declare void @ContextDispose(ptr)
define i64 @septet_compile(ptr %next, ptr %rows, i64 %count, ptr %machines, i64 %most) {
entry:
  br label %take
take:
  %k = phi i64 [ 0, %entry ], [ %k1, %end ]
  %n = atomicrmw add ptr %next, i64 1 monotonic
  %some = icmp ult i64 %n, %count
  br i1 %some, label %parse, label %done
parse:
  %place = mul i64 %n, 4
  %row = getelementptr i64, ptr %rows, i64 %place
  %p.text = getelementptr i64, ptr %row, i64 1
  %p.code = getelementptr i64, ptr %row, i64 2
  %p.error = getelementptr i64, ptr %row, i64 3
  %level = load i64, ptr %row
  %p.machine = getelementptr ptr, ptr %machines, i64 %level
  %machine = load ptr, ptr %p.machine
  %text = load ptr, ptr %p.text
  %context = call ptr @ContextCreate()
  %module = call ptr @ParseAssembly(ptr %context, ptr %text, ptr %p.error)
  %right = icmp ne ptr %module, null
  br i1 %right, label %emit, label %end
emit:
  %code = call ptr @TargetMachineEmitToMemory(ptr %machine, ptr %module, i32 1, ptr %p.error)
  store ptr %code, ptr %p.code
  call void @DisposeModule(ptr %module)
  br label %end
end:
  call void @ContextDispose(ptr %context)
  %k1 = add i64 %k, 1
  %more = icmp slt i64 %k1, %most
  br i1 %more, label %take, label %pause
pause:
  ret i64 1
done:
  ret i64 0
}
"""
"""Rows: level, text, and then what comes of it: a buffer with object code, or an error in words. It takes at most `most`
of them, and returns whether there may be others."""
ROW = 4
FEW = 4
"""Texts up to which the native function is not made for them, if it is not there."""
LEVELS = 4


@lru_cache(maxsize=1)
def _function() -> Any:
    """Return the native function."""
    library = llvm.library()
    known = {name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0 for name in FUNCTIONS}
    (address,) = llvm.link([llvm.compile_text(TEXT, 0)], [ENTRY], known)
    arguments = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64
    return ctypes.CFUNCTYPE(ctypes.c_int64, *arguments)(address)


_lock = threading.Lock()


def compile_texts(texts: Sequence[tuple[str, int]], threads: int = 0, *, verify: bool = False) -> list[bytes]:
    """Compile IR texts to object files for the host.

    Parameters
    ----------
    texts : sequence of (str, int)
        Modules in LLVM's text form, and how much the code generator optimizes each, 0 to 3.
    threads : int
        How many compile at once; by default as many as there are cores.
    verify : bool
        Check the modules first.

    Returns
    -------
    list of bytes

    Raises
    ------
    CompilerError
        When LLVM does not accept a text.
    """
    if verify or (len(texts) <= FEW and not _function.cache_info().currsize):
        return _by_python(texts, threads, verify)
    return _natively(texts, threads)


def _natively(texts: Sequence[tuple[str, int]], threads: int) -> list[bytes]:
    library = llvm.library()
    with _lock:
        function = _function()
    held = [text.encode() for text, _ in texts]
    table = (ctypes.c_uint64 * (ROW * len(texts)))()
    # The longest first, so that no core is left with it alone.
    order = sorted(range(len(texts)), key=lambda place: -len(held[place]))
    for row, place in enumerate(order):
        table[ROW * row] = texts[place][1]
        table[ROW * row + 1] = ctypes.cast(held[place], ctypes.c_void_p).value or 0
    following = ctypes.c_int64(0)

    def work() -> None:
        # Where Ctrl-C ends the call, other threads go on for a moment: so the function holds what they read and write.
        places, count = [ctypes.addressof(words) for words in (following, table)], len(held)
        is_main = threading.current_thread() is threading.main_thread()
        most = 1 if is_main else len(texts)  # between two of them the handlers of signals run
        machines = (ctypes.c_void_p * LEVELS)()
        try:
            for level in {level for _, level in texts}:
                machines[level] = library.borrow_machine(level)
            while function(*places, count, ctypes.addressof(machines), most):
                pass
        except BaseException:
            following.value = len(texts)  # nobody begins with another one
            raise
        finally:
            library.give_back([(level, machine) for level, machine in enumerate(machines) if machine])

    _together(work, len(texts), threads)
    codes = [b""] * len(texts)
    for row, place in enumerate(order):
        code, error = table[ROW * row + 2], table[ROW * row + 3]
        library.take(ctypes.c_void_p(error))
        codes[place] = library.take_code(code) if code else llvm.compile_text(*texts[place])  # which tells the error
    return codes


def _by_python(texts: Sequence[tuple[str, int]], threads: int, verify: bool) -> list[bytes]:
    codes = [b""] * len(texts)
    errors: list[BaseException] = []
    places = iter(sorted(range(len(texts)), key=lambda place: -len(texts[place][0])))
    lock = threading.Lock()

    def work() -> None:
        while not errors:
            with lock:
                place = next(places, None)
            if place is None:
                return
            try:
                codes[place] = llvm.compile_text(*texts[place], verify=verify)
            except BaseException as error:
                errors.append(error)

    _together(work, len(texts), threads)
    if errors:
        raise errors[0]
    return codes


def _together(work: Any, count: int, threads: int) -> None:
    """Do some work for so many texts, in this thread and in others."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    helpers = [threading.Thread(target=guarded, daemon=True) for _ in range(min(threads or thread_count(), count) - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]
