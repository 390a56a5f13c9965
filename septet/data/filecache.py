"""A cache of values in a folder: they outlive the process, and need no memory."""

from __future__ import annotations

import json
import os
import struct
import threading
from pathlib import Path
from typing import Any

import numpy

from septet.base.errors import ArgumentError, DataError
from septet.base.files import open_atomic

__all__ = ["Files"]

_VERSION = 1
_HEAD = struct.Struct("<qII")  # position in the epoch (-1: the end), bytes of the description, bytes of the content
_END = -1


class Files:
    """Values in a file that only grows, found by their positions.

    A value is nested tuples, lists and dicts of arrays, numbers, texts and bytes: nothing in the file is code. What a
    process left unfinished when it was killed is written over.

    Parameters
    ----------
    folder : path
        Made when it is missing.
    description : dict
        Of the stream below; a folder that holds another stream is an error.

    Raises
    ------
    ArgumentError
        When the folder holds values of another stream.
    DataError
        When a file in it is damaged.
    """

    def __init__(self, folder: str | os.PathLike[str], description: dict[str, Any]) -> None:
        self.folder = Path(folder).expanduser().absolute()
        self.about = json.loads(json.dumps({"version": _VERSION, "stream": description}))
        self.length: int | None = None
        self._open()

    def _open(self) -> None:
        self._lock = threading.Lock()
        self.places: dict[int, tuple[int, int, int]] = {}  # position -> offset, bytes of description, of content
        self.folder.mkdir(parents=True, exist_ok=True)
        about = self.folder / "about.json"
        if about.exists():
            try:
                found = json.loads(about.read_bytes())
            except ValueError as error:
                raise DataError(f"cache: {str(about)!r} is damaged: {error}") from error
            if found != self.about:
                raise ArgumentError(
                    f"cache: {str(self.folder)!r} holds the values of another stream",
                    hint="another folder, or delete this one",
                )
        else:
            with open_atomic(about) as file:
                file.write(json.dumps(self.about).encode())
        self._file = os.open(self.folder / "values", os.O_RDWR | os.O_CREAT, 0o666)
        self._size = self._scan()
        if os.fstat(self._file).st_size > self._size:
            os.ftruncate(self._file, self._size)  # or the rest of it would follow a shorter value

    def _scan(self) -> int:
        """Find the values, and return where the next one goes."""
        offset, size = 0, os.fstat(self._file).st_size
        while offset + _HEAD.size <= size:
            position, described, length = _HEAD.unpack(os.pread(self._file, _HEAD.size, offset))
            following = offset + _HEAD.size + described + length
            if following > size:
                break
            if position == _END:
                self.length = described_length(os.pread(self._file, described, offset + _HEAD.size), self.folder)
            else:
                self.places[position] = (offset + _HEAD.size, described, length)
            offset = following
        return offset

    def get(self, position: int) -> tuple[Any, ...] | None:
        """Return (value, origin, key), or None when there is none."""
        place = self.places.get(position)
        if place is None:
            return None
        offset, described, length = place
        data = os.pread(self._file, described + length, offset)
        try:
            value, origin, key = json.loads(data[:described])
            return _restored(value, memoryview(data)[described:]), origin, tuple(key)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"cache: {str(self.folder / 'values')!r}, byte {offset}: damaged: {error}") from error

    def put(self, position: int, entry: tuple[Any, ...]) -> None:
        """Keep (value, origin, key)."""
        value, origin, key = entry
        content: list[bytes] = []
        description = json.dumps([_described(value, content), origin, key]).encode()
        self._append(position, description, b"".join(content))

    def finish(self, length: int) -> None:
        """Keep how many values there are."""
        if self.length is None:
            self._append(_END, json.dumps(length).encode(), b"")
            self.length = length

    def _append(self, position: int, description: bytes, content: bytes) -> None:
        with self._lock:
            data = _HEAD.pack(position, len(description), len(content)) + description + content
            written = 0
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self._size + written)
            if position != _END:
                self.places[position] = (self._size + _HEAD.size, len(description), len(content))
            self._size += len(data)

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "about": self.about, "length": self.length}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)


def described_length(data: bytes, folder: Path) -> int:
    """Return the number of values that an end says."""
    try:
        return int(json.loads(data))
    except (ValueError, TypeError) as error:
        raise DataError(f"cache: {str(folder / 'values')!r} is damaged: {error}") from error


def _described(value: Any, content: list[bytes]) -> Any:
    """Return a value as JSON, with the bytes of arrays put into `content`."""
    if value is None or isinstance(value, bool | int | float | str):
        return {"plain": value}
    if isinstance(value, bytes):
        content.append(value)
        return {"bytes": len(value)}
    if isinstance(value, numpy.ndarray | numpy.generic):
        array = numpy.asarray(value)
        if array.dtype.hasobject:
            raise ArgumentError(f"cache: arrays of Python objects cannot be kept in files, received {array.dtype}")
        content.append(array.tobytes())
        kind = "array" if isinstance(value, numpy.ndarray) else "scalar"
        return {kind: [array.dtype.str if array.dtype.kind != "V" else array.dtype.name, list(array.shape)]}
    if isinstance(value, dict):
        return {"dict": [[_described(key, content), _described(part, content)] for key, part in value.items()]}
    if isinstance(value, tuple | list):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_described(part, content) for part in value]}
    raise ArgumentError(
        f"cache: a {type(value).__name__} cannot be kept in files; arrays, numbers, texts, bytes, and tuples, lists "
        "and dicts of them can"
    )


def _restored(described: Any, content: memoryview) -> Any:
    value, rest = _take(described, content)
    if len(rest):
        raise ValueError(f"{len(rest)} bytes too many")
    return value


def _take(described: Any, content: memoryview) -> tuple[Any, memoryview]:
    ((kind, what),) = described.items()
    if kind == "plain":
        return what, content
    if kind == "bytes":
        return bytes(content[:what]), content[what:]
    if kind in ("array", "scalar"):
        dtype = numpy.dtype(what[0])
        size = dtype.itemsize * int(numpy.prod(what[1], dtype=numpy.int64))
        array = numpy.frombuffer(content[:size], dtype).reshape(what[1]).copy()
        return array if kind == "array" else array[()], content[size:]
    if kind == "dict":
        result = {}
        for key, part in what:
            name, content = _take(key, content)
            result[name], content = _take(part, content)
        return result, content
    parts = []
    for part in what:
        value, content = _take(part, content)
        parts.append(value)
    return (tuple(parts) if kind == "tuple" else parts), content
