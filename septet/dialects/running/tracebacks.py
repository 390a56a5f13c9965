"""Tracebacks of programs: the frames of what runs them are left out."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Collection
from types import TracebackType

__all__ = ["own_part", "print_traceback"]

_OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep
_MACHINERY = ("<frozen importlib", "<frozen runpy")


def _is_ours(filename: str) -> bool:
    return filename.startswith((_OWN, *_MACHINERY))


def own_part(tb: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the program's first frame on."""
    while tb is not None and _is_ours(tb.tb_frame.f_code.co_filename):
        tb = tb.tb_next
    return tb


def print_traceback(error: BaseException, translated: Collection[str]) -> None:
    """Print an exception that the program did not catch, as Python does.

    Parameters
    ----------
    error : BaseException
        The exception.
    translated : collection of str
        The files that were translated: their lines are right, but not their columns.
    """
    shown = traceback.TracebackException.from_exception(error)
    _leave_out(shown, translated, set())
    print("".join(shown.format()), end="", file=sys.stderr, flush=True)


def _leave_out(
    shown: traceback.TracebackException | None, translated: Collection[str], seen: set[int]
) -> None:  # fmt: skip
    if shown is None or id(shown) in seen:
        return
    seen.add(id(shown))
    if shown.stack:
        shown.stack[:] = [frame for frame in shown.stack if not _is_ours(frame.filename)]
        for frame in shown.stack:
            if frame.filename in translated:
                frame.colno = frame.end_colno = None
    for each in (shown.__cause__, shown.__context__, *(shown.exceptions or () if hasattr(shown, "exceptions") else ())):
        _leave_out(each, translated, seen)
