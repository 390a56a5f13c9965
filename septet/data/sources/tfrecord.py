"""TFRecord files: records of bytes with check sums, as TensorFlow writes them. TensorFlow is not needed."""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from septet.base.errors import ArgumentError, DataError
from septet.base.files import open_atomic
from septet.data.sources.checksum import masked_crc32c
from septet.data.sources.example import decode_example, encode_example
from septet.data.sources.records import Paths, Records, open_binary, read_exactly
from septet.data.stream import Stream

__all__ = ["tfrecords", "write_tfrecords"]

_HEADER = struct.Struct("<QI")  # length, its check sum
_FOOTER = struct.Struct("<I")  # check sum of the data
_CHUNK = 1 << 24  # a damaged length must not take all memory: what is not there is not asked for at once


class _TFRecords(Records):
    name = "tfrecords"

    def __init__(self, paths: Paths, parse: bool, check: bool, shuffle_files: bool, seed: int) -> None:
        super().__init__(paths, shuffle_files, seed)
        self.parse, self.check = bool(parse), bool(check)

    def read(self, path: str, place: Any) -> Iterator[tuple[bytes, int]]:
        offset = place or 0
        with open_binary(path) as file:
            file.seek(offset)
            while header := file.read(_HEADER.size):
                if len(header) < _HEADER.size:
                    raise DataError(
                        f"tfrecords: {path!r}, byte {offset}: expected the length of a record (12 bytes), found only "
                        f"{len(header)} before the end of the file"
                    )
                length, check_sum = _HEADER.unpack(header)
                self._compare(path, offset, "the length of a record", header[:8], check_sum)
                offset += _HEADER.size
                parts = []
                for start in range(0, length, _CHUNK):
                    count = min(_CHUNK, length - start)
                    parts.append(read_exactly(file, count, path, offset + start, f"a record of {length} bytes"))
                data = parts[0] if len(parts) == 1 else b"".join(parts)
                end = read_exactly(file, _FOOTER.size, path, offset + length, "a check sum")
                if self.check:
                    self._compare(path, offset, f"a record of {length} bytes", data, _FOOTER.unpack(end)[0])
                offset += length + _FOOTER.size
                yield data, offset

    def _compare(self, path: str, offset: int, what: str, data: bytes, expected: int) -> None:
        found = masked_crc32c(data)
        if found != expected:
            raise DataError(
                f"tfrecords: {path!r}, byte {offset}: the check sum of {what} is 0x{found:08x}, but the file says "
                f"0x{expected:08x}: it is damaged, or no TFRecord file"
            )

    def decode(self, record: bytes) -> Any:
        return decode_example(record) if self.parse else record


def tfrecords(
    paths: Paths, *, parse: bool = True, check: bool = True, shuffle_files: bool = False, seed: int = 0
) -> Stream:  # fmt: skip
    """Stream the records of TFRecord files.

    Parameters
    ----------
    paths : path or sequence of paths
        Plain or gzip; patterns such as ``"train-*.tfrecord"``.
    parse : bool
        Whether records are messages `tf.train.Example`, which become dicts; bytes otherwise.
    check : bool
        Whether the check sums of the data are compared. Those of the lengths always are.
    shuffle_files, seed
        As for `text_lines`.

    Returns
    -------
    Stream of (dict of str to (list of bytes, or ndarray)) or of bytes

    Raises
    ------
    MissingDataError
        When a file is missing.
    DataError
        When a file is damaged or ends early; with file and offset.

    Source
    ------
    "TFRecord and tf.train.Example", TensorFlow's guide: uint64 length, masked CRC32C of it, data, masked CRC32C.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "some.tfrecord"
    >>> write_tfrecords(path, [{"label": 3, "name": "cat"}])
    1
    >>> list(tfrecords(path))
    [{'label': array([3]), 'name': [b'cat']}]
    """
    return Stream(_TFRecords(paths, parse, check, shuffle_files, seed))


def write_tfrecords(path: str | os.PathLike[str], records: Iterable[bytes | Mapping[str, Any]]) -> int:
    """Write a TFRecord file, whole or not at all; compressed when its name ends in ``.gz``.

    Parameters
    ----------
    path : path
    records : iterable of bytes or mapping
        A mapping is written as `tf.train.Example`: see `encode_example`.

    Returns
    -------
    int
        How many records there are.
    """
    count = 0
    with open_atomic(path) as target:
        is_packed = os.fspath(path).endswith(".gz")
        file = gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0) if is_packed else target
        for record in records:
            data = encode_example(record) if isinstance(record, Mapping) else record
            if not isinstance(data, bytes):
                raise ArgumentError(f"write_tfrecords: expected bytes or a mapping, received {type(data).__name__}")
            length = struct.pack("<Q", len(data))
            for part in (length, _FOOTER.pack(masked_crc32c(length)), data, _FOOTER.pack(masked_crc32c(data))):
                file.write(part)
            count += 1
        if is_packed:
            file.close()
    return count
