"""Shared libraries: looking for one, loading it without risk, and the error that says what was tried.

A file that an installation left incomplete is a danger: the system maps it, and the process dies when a page is touched
that the file does not have. So what a library's own header asks for is compared with the size of the file first.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Mapping
from contextlib import suppress

from septet.base.errors import LibraryError, SeptetError

# The head of a file in the Executable and Linkable Format of 64 bits, and a row of its table of segments.
ELF = b"\x7fELF"
HEAD = struct.Struct("<4sBBBB8xHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
LOADED = 1  # the kind of segment that is mapped into memory


def load(path: str | os.PathLike[str]) -> ctypes.CDLL:
    """Load a library by its path.

    Raises
    ------
    OSError
        If there is no such file, it is incomplete, no library, or needs what is not there.
    """
    path = os.fspath(path)
    _check_size(path)
    _load_apart(path)
    return ctypes.CDLL(path)


def _load_apart(path: str) -> None:
    """Have the system load a library without Python's lock, which ctypes keeps meanwhile: other threads go on.

    Whether it can be loaded is found out by the one who asks for it by name afterwards.
    """
    if hasattr(os, "RTLD_NOW"):
        with suppress(AttributeError, OSError):
            system_load = ctypes.CDLL(None).dlopen
            system_load.restype, system_load.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
            system_load(os.fsencode(path), os.RTLD_NOW)


def _check_size(path: str) -> None:
    """Refuse a library whose file ends before its last segment; what has another format is the system's to judge."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(HEAD.size)
        if len(head) < HEAD.size:
            raise OSError(f"the file is no library: it has {size} bytes")
        fields = HEAD.unpack(head)
        magic, is_64, is_little = fields[:3]
        if (magic, is_64, is_little) != (ELF, 2, 1):
            return
        start, row, count = fields[9], fields[13], fields[14]
        file.seek(start)
        table = file.read(row * count)
    end = start + row * count
    for place in range(0, len(table) - SEGMENT.size + 1, max(row, SEGMENT.size)):
        kind, _, offset, _, _, length, _, _ = SEGMENT.unpack_from(table, place)
        if kind == LOADED:
            end = max(end, offset + length)
    if size < end:
        raise OSError(f"the file is incomplete: it has {size} bytes of {end}")


def failure(name: str, tried: Mapping[str, str], hint: str) -> LibraryError:
    """Return the error about a library that could not be loaded.

    Parameters
    ----------
    name : str
        Of the library, for people.
    tried : mapping of str to str
        Where it was looked for, and what was wrong there.
    hint : str
        What to do.
    """
    lines = [f"the library {name} cannot be loaded"]
    lines += [f"  tried {place}: {reason}" for place, reason in tried.items()]
    return LibraryError("\n".join(lines), hint=hint)


def reason_of(error: BaseException, path: str = "") -> str:
    """Return what was wrong, in a line, without the path that stands before it anyway."""
    if isinstance(error, SeptetError):
        text = error.message
    else:
        text = (error.strerror or "").lower() if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.replace(f"{path}: ", "").split()) or type(error).__name__
