"""Pickles of Python 2: byte strings become text, and files that were opened as text are read as bytes."""

from __future__ import annotations

import functools
import io
from contextlib import ExitStack
from types import ModuleType
from typing import Any

from septet.dialects.running.byte_strings import to_bytes
from septet.dialects.running.shims.shim import Change, Uses, replaced

__all__ = ["PICKLES"]

LOADS, FILES = "pickle.load(latin1)", "pickle(text file)"


def _binary(file: Any, uses: Uses) -> Any:
    """Return the bytes below a text file, which closes them when it goes: callers keep it."""
    if isinstance(file, io.TextIOWrapper):
        uses.record(FILES)
        return file.buffer
    return file


def _load(module: ModuleType, uses: Uses, stack: ExitStack) -> None:
    """``pickle.load`` tries latin1 where the pickle's strings are no ASCII, which means that Python 2 wrote it."""
    load, loads, dump = module.load, module.loads, module.dump

    @functools.wraps(load)
    def load_of_old(file: Any, **options: Any) -> Any:
        content = _binary(file, uses)
        seekable = getattr(content, "seekable", None)
        if options or seekable is None or not seekable():
            return load(content, **options)
        start = content.tell()
        try:
            return load(content)
        except UnicodeDecodeError:
            content.seek(start)
            uses.record(LOADS)
            return load(content, encoding="latin1")

    @functools.wraps(loads)
    def loads_of_old(data: Any, **options: Any) -> Any:
        if isinstance(data, str):
            uses.record(LOADS)
            data = to_bytes(data)
        try:
            return loads(data, **options)
        except UnicodeDecodeError:
            if options:
                raise
            uses.record(LOADS)
            return loads(data, encoding="latin1")

    @functools.wraps(dump)
    def dump_of_old(obj: Any, file: Any, *args: Any, **options: Any) -> None:
        content = _binary(file, uses)
        dump(obj, content, *args, **options)
        if content is not file:
            content.flush()

    replaced(module, "load", load_of_old, stack)
    replaced(module, "loads", loads_of_old, stack)
    replaced(module, "dump", dump_of_old, stack)


PICKLES = [
    Change("pickle", LOADS, "pickles of Python 2: latin1 where the strings are no ASCII", _load),
    Change("pickle", FILES, "files that were opened as text are read and written as bytes", lambda *args: None),
]
