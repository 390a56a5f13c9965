"""RecordIO files: records of bytes behind a magic number, as MXNet's `im2rec` writes them."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy

from septet.base.errors import ArgumentError, DataError, IndexOutOfRangeError
from septet.base.files import open_atomic
from septet.data.sources.opened import Opened
from septet.data.sources.records import expand, read_exactly

__all__ = ["ImageRecord", "RecordIO", "pack_image_record", "unpack_image_record", "write_recordio"]

_MAGIC = 0xCED7230A  # dmlc-core, recordio.h
_HEADER = struct.Struct("<II")  # magic, kind of part (3 bits) and length (29 bits)
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)  # kinds: a record in which the magic occurs is cut there
_LONGEST = (1 << 29) - 1
_IMAGE_HEADER = struct.Struct("<IfQQ")  # how many labels follow, label, id, second id: mxnet.recordio.IRHeader


class ImageRecord(NamedTuple):
    """A record as `im2rec` makes them.

    Attributes
    ----------
    label : float or ndarray of float32
    id : int
    content : bytes
        Mostly a JPEG file.
    """

    label: Any
    id: int
    content: bytes


class RecordIO(Opened):
    """The records of a RecordIO file, by their numbers.

    Where they begin is found out once, by going from head to head.

    Parameters
    ----------
    path : path

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When the file is damaged or ends early; with its offset.

    Source
    ------
    ``recordio.h`` of dmlc-core.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "some.rec"
    >>> write_recordio(path, [b"one", b"three"])
    2
    >>> records = RecordIO(path)
    >>> len(records), records[1]
    (2, b'three')
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        (self.path,) = expand("RecordIO", path)
        super().__init__()
        with open(self.path, "rb") as file:
            self._offsets = numpy.fromiter(self._scan(file), numpy.int64)

    def _scan(self, file: BinaryIO) -> Iterator[int]:
        """Give where each record begins."""
        size, offset, is_open = os.fstat(file.fileno()).st_size, 0, False
        while offset < size:
            file.seek(offset)
            kind, length = self._head(file, offset)
            if (kind in (_WHOLE, _FIRST)) == is_open:
                raise DataError(
                    f"RecordIO: {self.path!r}, byte {offset}: "
                    + (
                        "a record begins inside of another one"
                        if is_open
                        else "a part of a record without its beginning"
                    )
                )
            if not is_open:
                yield offset
            is_open = kind in (_FIRST, _MIDDLE)
            following = offset + _HEADER.size + _padded(length)
            if following > size:
                raise DataError(
                    f"RecordIO: {self.path!r}, byte {offset + _HEADER.size}: expected {_padded(length)} bytes of a "
                    f"record, found only {size - offset - _HEADER.size} before the end of the file"
                )
            offset = following
        if is_open:
            raise DataError(f"RecordIO: {self.path!r}, byte {size}: the file ends inside of a record")

    def _head(self, file: BinaryIO, offset: int) -> tuple[int, int]:
        head = read_exactly(file, _HEADER.size, self.path, offset, "the head of a record")
        magic, word = _HEADER.unpack(head)
        if magic != _MAGIC:
            raise DataError(
                f"RecordIO: {self.path!r}, byte {offset}: expected the magic number 0x{_MAGIC:08x}, found 0x{magic:08x}"
            )
        kind = word >> 29
        if kind > _LAST:
            raise DataError(f"RecordIO: {self.path!r}, byte {offset}: there is no part of kind {kind}")
        return kind, word & _LONGEST

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, index: int) -> bytes:
        """Return one record."""
        if not -len(self) <= index < len(self):
            raise IndexOutOfRangeError(f"RecordIO: index {index} is out of range for {len(self)} records")
        offset = int(self._offsets[index])
        with self._lock:
            if self._file is None:
                self._file = open(self.path, "rb")  # noqa: SIM115 (kept open)
            self._file.seek(offset)
            parts = []
            while True:
                kind, length = self._head(self._file, offset)
                data = read_exactly(self._file, _padded(length), self.path, offset, "a record")
                parts.append(data[:length])
                offset += _HEADER.size + len(data)
                if kind in (_WHOLE, _LAST):
                    return struct.pack("<I", _MAGIC).join(parts)

    def where(self, index: int) -> str:
        """Name a record in errors."""
        return f"{self.path!r}, record {index}"

    def __repr__(self) -> str:
        return f"RecordIO({len(self)} records of {self.path!r})"


def write_recordio(path: str | os.PathLike[str], records: Iterable[bytes]) -> int:
    """Write a RecordIO file, whole or not at all.

    Returns
    -------
    int
        How many records there are.
    """
    magic = struct.pack("<I", _MAGIC)
    count = 0
    with open_atomic(path) as file:
        for record in records:
            if not isinstance(record, bytes):
                raise ArgumentError(f"write_recordio: expected bytes, received {type(record).__name__}")
            parts = _cut(record, magic)
            for place, part in enumerate(parts):
                if len(part) > _LONGEST:
                    raise ArgumentError(f"write_recordio: a record has at most {_LONGEST} bytes, received {len(part)}")
                kind = _WHOLE if len(parts) == 1 else _FIRST if not place else _MIDDLE if parts[place + 1 :] else _LAST
                file.write(_HEADER.pack(_MAGIC, kind << 29 | len(part)))
                file.write(part.ljust(_padded(len(part)), b"\0"))
            count += 1
    return count


def unpack_image_record(record: bytes) -> ImageRecord:
    """Take a record of `im2rec` apart into label, id and content.

    Examples
    --------
    >>> unpack_image_record(pack_image_record(ImageRecord(3.0, 7, b"...")))
    ImageRecord(label=3.0, id=7, content=b'...')
    """
    if len(record) < _IMAGE_HEADER.size:
        raise DataError(
            f"unpack_image_record: expected a head of {_IMAGE_HEADER.size} bytes, found {len(record)} bytes"
        )
    count, label, number, _ = _IMAGE_HEADER.unpack_from(record)
    content = record[_IMAGE_HEADER.size :]
    if not count:
        return ImageRecord(label, number, content)
    if 4 * count > len(content):
        raise DataError(f"unpack_image_record: expected {count} labels, found {len(content)} bytes for them")
    return ImageRecord(numpy.frombuffer(content, "<f4", count).astype(numpy.float32), number, content[4 * count :])


def pack_image_record(record: ImageRecord) -> bytes:
    """Put label, id and content together to a record as `im2rec` makes them."""
    if numpy.ndim(record.label) == 0:
        return _IMAGE_HEADER.pack(0, float(record.label), record.id, 0) + record.content
    labels = numpy.asarray(record.label, "<f4").reshape(-1)
    return _IMAGE_HEADER.pack(len(labels), 0.0, record.id, 0) + labels.tobytes() + record.content


def _padded(length: int) -> int:
    return -(-length // 4) * 4


def _cut(record: bytes, magic: bytes) -> list[bytes]:
    """Cut a record where the magic number stands at a multiple of four."""
    parts, start, place = [], 0, record.find(magic)
    while place >= 0:
        if place % 4 == 0:
            parts.append(record[start:place])
            start = place + 4
            place = record.find(magic, start)
        else:
            place = record.find(magic, place + 1)
    return [*parts, record[start:]]
