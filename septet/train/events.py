"""Event files, which TensorBoard shows: records of protocol buffers, each in a frame with checksums."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

VARINT, DOUBLE, BYTES, FLOAT = 0, 1, 2, 5
"""How fields are written: the wire types of protocol buffers."""

STRING = 7  # the dtype of TensorFlow's tensors of text
START = 1  # of a session: what a training that goes on will write again is left out from here on

_numbers = iter(range(1 << 62))


class EventFile:
    """Write an event file.

    Parameters
    ----------
    folder : str or path
        Made where it is not there. Several files in one folder are shown as one run.

    Source
    ------
    ``tensorflow/core/util/event.proto``, ``tensorflow/core/framework/summary.proto`` and
    ``tensorflow/core/lib/io/record_writer.h`` of TensorFlow, and the encoding of protocol buffers.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        self.path = Path(folder) / name
        self._file = open(self.path, "xb")  # noqa: SIM115 (kept open)
        self._write(_text(3, "brain.Event:2"))
        self.flush()

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Write a number."""
        self._summary(step, _text(1, tag) + _field(2, FLOAT, struct.pack("<f", value)))

    def image(self, tag: str, png: bytes, height: int, width: int, step: int) -> None:
        """Write a picture, the contents of a PNG file."""
        picture = _number(1, height) + _number(2, width) + _number(3, 3) + _bytes(4, png)
        self._summary(step, _text(1, tag) + _bytes(4, picture))

    def histogram(
        self, tag: str, edges: Sequence[float], counts: Sequence[float], total: float, squares: float, step: int
    ) -> None:
        """Write how many values lie between edges, one more than counts; their sum and the sum of their squares."""
        histogram = b"".join(
            _field(number, DOUBLE, struct.pack("<d", value))
            for number, value in ((1, edges[0]), (2, edges[-1]), (3, sum(counts)), (4, total), (5, squares))
        )
        histogram += _bytes(6, struct.pack(f"<{len(counts)}d", *edges[1:]))
        histogram += _bytes(7, struct.pack(f"<{len(counts)}d", *counts))
        self._summary(step, _text(1, tag) + _bytes(5, histogram))

    def text(self, tag: str, text: str, step: int) -> None:
        """Write a text; TensorBoard shows it as Markdown."""
        tensor = _number(1, STRING) + _bytes(2, _bytes(2, _number(1, 1))) + _text(8, text)
        self._summary(step, _text(1, tag) + _bytes(8, tensor) + _bytes(9, _bytes(1, _text(1, "text"))))

    def start(self, step: int) -> None:
        """Say that what other files of the run have from this step on is outdated."""
        self._write(_number(2, step) + _bytes(7, _number(1, START)))

    def flush(self) -> None:
        """Let others read what was written."""
        self._file.flush()

    def close(self) -> None:
        """End the file."""
        self._file.close()

    def _summary(self, step: int, value: bytes) -> None:
        self._write(_number(2, step) + _bytes(5, _bytes(1, value)))

    def _write(self, event: bytes) -> None:
        data = _field(1, DOUBLE, struct.pack("<d", time.time())) + event
        length = struct.pack("<Q", len(data))
        self._file.write(length + _checksum(length) + data + _checksum(data))


def _varint(value: int) -> bytes:
    """Return a number of at least 0 in groups of 7 bits, the lowest first."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


def _field(number: int, kind: int, data: bytes) -> bytes:
    return _varint(number << 3 | kind) + data


def _number(number: int, value: int) -> bytes:
    return _field(number, VARINT, _varint(value))


def _bytes(number: int, data: bytes) -> bytes:
    return _field(number, BYTES, _varint(len(data)) + data)


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode())


def _table() -> Iterable[int]:
    """Go through the remainders of all bytes by the polynomial of CRC-32C (Castagnoli), bits reversed."""
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        yield value


_TABLE = tuple(_table())


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of some bytes.

    Examples
    --------
    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    found, table = 0xFFFFFFFF, _TABLE
    for byte in data:
        found = table[(found ^ byte) & 255] ^ found >> 8
    return found ^ 0xFFFFFFFF


def _checksum(data: bytes) -> bytes:
    """Return a CRC-32C as frames have it: turned by 15 bits, plus a constant."""
    found = crc32c(data)
    return struct.pack("<I", ((found >> 15 | found << 17) + 0xA282EAD8) & 0xFFFFFFFF)
