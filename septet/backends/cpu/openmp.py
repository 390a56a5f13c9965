"""OpenMP's library, libgomp, for oneDNN: its threads sleep when they have nothing to do.

Our own kernels run on the threads of `pool`. oneDNN brings no threads but uses those of libgomp, and these wait in a loop
by default: beside another busy process, a program that waits so falls to a tenth of its speed. How they wait is read from
the environment when the library is loaded, and never again; so it is set while it is loaded here, unless the user has
set it. Where something else (PyTorch) has loaded the same library before, it stays as it is, and `status` says so.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from septet.backends.cpu.loading import failure, reason_of
from septet.base import forks
from septet.base.errors import LibraryError

NAME = "libgomp.so.1"  # the name that oneDNN asks for; a copy under another name would not do
HINT = "install the package libgomp1 (Debian, Ubuntu) or libgomp (Fedora, conda)"

# How idle threads wait. Either variable decides it; ours counts where neither is set.
VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
WAITING = {"OMP_WAIT_POLICY": "passive"}

HARD = 2  # the kind of pause that gives everything back

_lock = forks.hold(threading.Lock())
_found: list[ctypes.CDLL | LibraryError] = []  # the library, or why there is none
_was_loaded = False


def library() -> ctypes.CDLL:
    """Return libgomp, loaded so that its idle threads sleep.

    Raises
    ------
    LibraryError
        Where there is none.
    """
    with _lock:
        if not _found:
            _found.append(_load())
    if isinstance(_found[0], LibraryError):
        raise _found[0].with_traceback(None)
    return _found[0]


def _end_threads() -> None:
    """Before a fork, end the threads that wait for work of this thread: the child would wait for them for ever."""
    if _found and hasattr(_found[0], "omp_pause_resource_all"):  # libgomp of GCC 9 and later
        _found[0].omp_pause_resource_all(HARD)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_end_threads)


def status() -> str:
    """Say whether there is a libgomp, and how its idle threads wait."""
    try:
        library()
    except LibraryError as error:
        return f"{error.message}\n  {HINT}"
    given = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
    if given:
        return f"{NAME}: its threads wait as the environment says, {', '.join(given)}"
    if _was_loaded:
        return f"{NAME} was loaded by another package: its threads may wait in a loop; import septet first"
    return f"{NAME}: its threads sleep when they have nothing to do"


def _load() -> ctypes.CDLL | LibraryError:
    global _was_loaded
    if sys.platform != "linux":
        return failure(NAME, {sys.platform: "it is a library of Linux"}, HINT)
    _was_loaded = _is_loaded()
    tried = {}
    for path in _places():
        try:
            with _environment(WAITING if not any(name in os.environ for name in VARIABLES) else {}):
                return ctypes.CDLL(path)  # the first by name: where the system looks
        except OSError as error:
            tried[path] = reason_of(error, path)
    return failure(NAME, tried, HINT)


def _places() -> Iterator[str]:
    """Where the library may lie: where the system looks, then in the environment, then in PyTorch."""
    yield NAME
    yield os.path.join(sys.prefix, "lib", NAME)
    for folder in sys.path:
        path = os.path.join(folder, "torch", "lib", NAME)
        if os.path.exists(path):
            yield path


def _is_loaded() -> bool:
    """Whether the library is in the process already."""
    try:
        ctypes.CDLL(NAME, mode=ctypes.DEFAULT_MODE | os.RTLD_NOLOAD)
    except OSError:
        return False
    return True


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables of the environment for a moment, where libraries that are written in C see them too."""
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            del os.environ[name]
