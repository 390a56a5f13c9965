"""The first native program of a process: what all of them need is made by another thread, while Python still imports.

Python imports and plans with one core, and LLVM does not need Python's lock: it is loaded, and compiles the functions
that run programs, beside that. What that thread needs is imported before: two threads that import wait for each other.
"""

from __future__ import annotations

import threading
from contextlib import suppress

from septet.backends.cpu import calling, jit, native
from septet.base import forks
from septet.base.threads import thread_count


def begin() -> None:
    """Begin to make the functions that run programs; who needs one waits for it, or makes it and gets its errors."""
    if thread_count() > 1:
        with suppress(RuntimeError):  # the interpreter is about to end
            threading.Thread(target=_make, name="septet-start").start()


def _make() -> None:
    with suppress(Exception), forks.work:
        modules = [native.module("parallel"), native.module("start")]
        jit.addresses([*modules, calling.module()] if calling.is_supported() else modules, threads=1)
        calling.make()
