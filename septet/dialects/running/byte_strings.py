"""Byte strings of Python 2: text of which each character is a byte, and what binary files give, which is bytes as well."""

from __future__ import annotations

import builtins
import codecs
import io
from typing import Any

__all__ = ["BYTES", "CHANGED", "ByteString", "text", "to_bytes"]

BYTES = {"encoding": "ascii", "errors": "surrogateescape"}
"""How a byte string of Python 2 is held in a str: ASCII as it is, each other byte as one lone surrogate, so that
lengths are those of Python 2, and what is written is what was read."""

_CODECS = ("hex", "base64", "zlib", "bz2")  # from bytes to bytes, where Python 2 gave a str
_ASCII, _SURROGATES = 0x80, 0xDC00


def text(value: Any) -> Any:
    """Return bytes as `BYTES` says, also inside of tuples; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(text(each) for each in value)
    return bytes.decode(value, **BYTES) if isinstance(value, bytes) else value


def to_bytes(value: str) -> bytes:
    """Return the bytes of a byte string; of other text, those of latin1."""
    try:
        return value.encode(**BYTES)
    except UnicodeEncodeError:
        return value.encode("latin1")


class ByteString(bytes):
    """What a program reads from a binary file: bytes for libraries, a byte string of Python 2 where it meets text."""

    def __str__(self) -> str:
        return text(self)

    def __repr__(self) -> str:
        return repr(text(self))

    def __format__(self, spec: str) -> str:
        return format(text(self), spec)

    def __hash__(self) -> int:
        return hash(text(self))

    def __eq__(self, other: Any) -> bool:
        return text(self) == text(other)

    def __ne__(self, other: Any) -> bool:
        return text(self) != text(other)

    def __lt__(self, other: Any) -> bool:
        return text(self) < text(other)

    def __le__(self, other: Any) -> bool:
        return text(self) <= text(other)

    def __gt__(self, other: Any) -> bool:
        return text(self) > text(other)

    def __ge__(self, other: Any) -> bool:
        return text(self) >= text(other)

    def __contains__(self, part: Any) -> bool:
        return text(part) in text(self)

    def __getitem__(self, place: Any) -> ByteString:
        found = super().__getitem__(place)
        return ByteString((found,) if isinstance(found, int) else found)

    def __iter__(self) -> Any:
        return (ByteString((byte,)) for byte in super().__iter__())

    def __add__(self, other: Any) -> Any:
        return text(self) + other if isinstance(other, str) else ByteString(super().__add__(other))

    def __radd__(self, other: Any) -> Any:
        return other + text(self)

    def __mod__(self, values: Any) -> str:
        return text(self) % values


def _method(name: str) -> Any:
    of_text = getattr(str, name)
    return lambda self, *args: of_text(text(self), *(text(each) for each in args))


for _name in """
    capitalize center count endswith expandtabs find index isalnum isalpha isdigit islower isspace istitle isupper ljust
    lower lstrip partition replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase
    title upper zfill
""".split():  # noqa: SIM905 (one name per line would fill a page)
    setattr(ByteString, _name, _method(_name))


def _read(found: Any) -> Any:
    """Return what ``read()`` of anything gave."""
    return ByteString(found) if type(found) is bytes else found


def _lines(found: Any) -> Any:
    """Return what ``readline()`` or ``readlines()`` gave: lines are text."""
    return [text(line) for line in found] if type(found) is list else text(found)


def _join(sign: Any, parts: Any) -> Any:
    """Return ``sign.join(parts)``."""
    if not isinstance(sign, str | ByteString):
        return sign.join(parts)
    return text(sign).join(text(part) for part in parts)


def _to_bytes_text(value: Any, *args: Any, **options: Any) -> Any:
    """Return ``value.encode(...)`` as Python 2 did, where the result is a str."""
    if not isinstance(value, str | bytes):
        return value.encode(*args, **options)
    value = text(value)
    codec = args[0] if args else options.get("encoding", "ascii")
    if codec in _CODECS:
        return codecs.encode(value.encode(**BYTES), codec).decode(**BYTES)
    return value.encode(*args, **options).decode(**BYTES)


def _to_unicode(value: Any, *args: Any, **options: Any) -> Any:
    """Return ``value.decode(...)`` as Python 2 did, where str has such a method."""
    if not isinstance(value, str | bytes):
        return value.decode(*args, **options)
    codec = args[0] if args else options.get("encoding", "ascii")
    content = value if isinstance(value, bytes) else value.encode(**BYTES)
    if codec in _CODECS:
        return codecs.decode(content, codec).decode(**BYTES)
    return bytes.decode(content, *args, **options)


def _chr(number: int) -> str:
    """Return one byte."""
    return chr(number) if number < _ASCII else text(bytes((number,)))


def _ord(sign: Any) -> int:
    """Return the number of a byte, or of a character."""
    code = ord(sign)
    return code - _SURROGATES if _SURROGATES + _ASCII <= code <= _SURROGATES + 0xFF else code


class _Reader(io.BufferedReader):
    """A binary file whose lines are text for those that go through it."""

    def __next__(self) -> Any:
        return text(super().__next__())


class _Writer(io.BufferedWriter):
    """A binary file that takes byte strings of Python 2."""

    def write(self, content: Any) -> int:
        """Write bytes or text."""
        return super().write(content.encode(**BYTES) if isinstance(content, str) else content)


_KINDS: dict[type, Any] = {io.BufferedReader: _Reader, io.BufferedWriter: _Writer}


def open_file(name: Any, mode: str = "r", buffering: int = -1) -> Any:
    """Open a file; without ``b``, its bytes are text as `BYTES` says."""
    if "b" in mode:
        mode = mode.replace("U", "")  # "rbU", "Ub": as they are
        file = builtins.open(name, mode if mode != "b" else "rb", buffering if buffering != 0 else -1)  # noqa: SIM115 (the caller closes it)
        kind = _KINDS.get(type(file))
        return file if kind is None else kind(file.detach())
    return builtins.open(name, mode.replace("U", "") or "r", buffering if buffering != 0 else 1, **BYTES)


CHANGED: dict[str, Any] = {
    "chr": _chr,
    "ord": _ord,
    "open": open_file,
    "_septet_encode": _to_bytes_text,
    "_septet_decode": _to_unicode,
    "_septet_read": _read,
    "_septet_lines": _lines,
    "_septet_join": _join,
}
"""Names of programs that are translated."""
