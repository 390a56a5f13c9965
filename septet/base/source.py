"""Where in the user's program something was made, recorded for well under a microsecond.

A source is the pair (code object, instruction offset) of the innermost frame outside the package. Line numbers and text
are worked out only when somebody reads them, which is when something went wrong.
"""

from __future__ import annotations

import linecache
import os
import sys
from types import CodeType

Source = tuple[CodeType, int]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class _Files(dict[str, bool]):
    """For each file name of a code object, whether it belongs to the package; worked out when it is first asked for."""

    def __missing__(self, name: str) -> bool:
        found = self[name] = os.path.abspath(name).startswith(_PACKAGE)
        return found


is_inside = _Files()


def here(depth: int = 1) -> Source | None:
    """Return the source of the innermost frame outside the package, starting `depth` frames up."""
    frame = sys._getframe(depth)
    while frame is not None:
        code = frame.f_code
        if not is_inside[code.co_filename]:
            return code, frame.f_lasti
        frame = frame.f_back  # type: ignore[assignment]
    return None


def line_of(source: Source) -> tuple[str, int]:
    """Return the file name and the line number of a source."""
    code, offset = source
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= offset < end and number is not None:
            line = number
            break
    return code.co_filename, line


def source_text(source: Source | None) -> str:
    """Return ``file:line: code`` for people, or an empty string where the source is unknown."""
    if source is None:
        return ""
    name, number = line_of(source)
    text = linecache.getline(name, number).strip()
    return f"{name}:{number}" + (f": {text}" if text else "")


def place_text(source: Source | None) -> str:
    """Return ``file:line`` with the file's base name, for the middle of a sentence."""
    if source is None:
        return ""
    name, number = line_of(source)
    return f"{os.path.basename(name)}:{number}"
