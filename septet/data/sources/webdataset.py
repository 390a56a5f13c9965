"""WebDataset: samples as neighbouring files of a tar archive that have the same name and other endings."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy

from septet.base.errors import ArgumentError, DataError
from septet.data.sources.pictures import decode_image
from septet.data.sources.records import Paths, Records, open_binary, read_exactly
from septet.data.stream import Stream

__all__ = ["web_dataset", "write_web_dataset"]

_BLOCK = 512  # bytes: POSIX.1-1988, ustar
_END = bytes(_BLOCK)
_IMAGES = ("jpg", "jpeg", "png", "webp", "bmp", "ppm", "gif")
_LONG_NAME, _EXTENDED, _EXTENDED_FOR_ALL = b"L", b"x", b"g"  # kinds of entries that tell about the next one


class _Samples(Records):
    name = "web_dataset"

    def __init__(self, paths: Paths, decode: bool, shuffle_files: bool, seed: int) -> None:
        super().__init__(paths, shuffle_files, seed)
        self.does_decode = bool(decode)

    def read(self, path: str, place: Any) -> Iterator[tuple[dict[str, bytes], int]]:
        with open_binary(path) as file:
            sample: dict[str, Any] = {}
            for name, content, start, end in _entries(file, path, place or 0):  # noqa: B007 (used after the loop)
                folder, _, base = name.rpartition("/")
                stem, _, ending = base.partition(".")
                key = f"{folder}/{stem}" if folder else stem
                if sample and sample["__key__"] != key:
                    yield sample, start
                    sample = {}
                ending = ending.lower()
                if ending in sample:
                    raise DataError(f"web_dataset: {path!r}, byte {start}: sample {key!r} has two parts {ending!r}")
                sample.setdefault("__key__", key)
                sample[ending] = content
            if sample:
                yield sample, end

    def decode(self, record: dict[str, Any]) -> dict[str, Any]:
        if not self.does_decode:
            return record
        key = record["__key__"]
        return {name: part if name == "__key__" else _decoded(name, part, key) for name, part in record.items()}


def web_dataset(paths: Paths, *, decode: bool = True, shuffle_files: bool = False, seed: int = 0) -> Stream:
    """Stream the samples of tar archives.

    Parameters
    ----------
    paths : path or sequence of paths
        Plain or gzip; patterns such as ``"train-*.tar"``.
    decode : bool
        Whether parts become what their endings say: images (``jpg png webp``) uint8 arrays (C, H, W), ``cls id``
        integers, ``txt text`` texts, ``json`` values, ``npy`` arrays; others stay bytes.
    shuffle_files, seed
        As for `text_lines`.

    Returns
    -------
    Stream of dict
        The parts by their endings, and the sample's name as ``__key__``.

    Raises
    ------
    MissingDataError
        When a file is missing.
    DataError
        When an archive is damaged or ends early (with file and offset), or a part is not what its ending says.

    Source
    ------
    "The WebDataset Format Specification"; POSIX.1-2001 (ustar and pax), and GNU tar's long names.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "some.tar"
    >>> write_web_dataset(path, [{"__key__": "a", "txt": "hello", "cls": 3}])
    1
    >>> list(web_dataset(path))
    [{'__key__': 'a', 'txt': 'hello', 'cls': 3}]
    """
    return Stream(_Samples(paths, decode, shuffle_files, seed))


def write_web_dataset(path: Any, samples: Any) -> int:
    """Write samples to a tar archive.

    Parameters
    ----------
    path : path
    samples : iterable of mapping
        Parts by their endings, with ``__key__``: bytes, texts, integers, arrays (``npy``), or what JSON can hold.

    Returns
    -------
    int
        How many samples there are.
    """
    count = 0
    with tarfile.open(path, "w") as archive:
        for sample in samples:
            if not isinstance(sample, Mapping) or "__key__" not in sample:
                raise ArgumentError("write_web_dataset: expected mappings with '__key__', the name of the sample")
            for ending, part in sample.items():
                if ending == "__key__":
                    continue
                content = _encoded(ending, part)
                entry = tarfile.TarInfo(f"{sample['__key__']}.{ending}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            count += 1
    return count


def _entries(file: BinaryIO, path: str, offset: int) -> Iterator[tuple[str, bytes, int, int]]:
    """Give name, content, beginning and end of each file in an archive.

    Python's module ends without a word at a damaged head that is not the first, so only its parser of heads is used.
    """
    file.seek(offset)
    start, long_name = offset, None
    while True:
        head = file.read(_BLOCK)
        if head == _END:
            return
        if not head:
            raise DataError(
                f"web_dataset: {path!r}, byte {offset}: the file ends without the block that ends an archive"
            )
        try:
            entry = tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise DataError(
                f"web_dataset: {path!r}, byte {offset}: no head of a tar archive's file: {error}"
            ) from error
        if entry.size < 0:
            raise DataError(f"web_dataset: {path!r}, byte {offset}: a file of {entry.size} bytes")
        padded = -(-entry.size // _BLOCK) * _BLOCK
        content = _content(file, path, offset + _BLOCK, entry.size, padded)
        offset += _BLOCK + padded
        if entry.type == _LONG_NAME:
            long_name = content.rstrip(b"\0").decode("utf-8", "surrogateescape")
        elif entry.type in (_EXTENDED, _EXTENDED_FOR_ALL):
            long_name = _extended_name(content, path, offset - padded) or long_name
        else:
            if entry.isreg():
                yield long_name or entry.name, content, start, offset
            start, long_name = offset, None


def _content(file: BinaryIO, path: str, offset: int, size: int, padded: int) -> bytes:
    chunk = 1 << 24  # a damaged size must not take all memory
    parts = []
    for begin in range(0, padded, chunk):
        count = min(chunk, padded - begin)
        parts.append(read_exactly(file, count, path, offset + begin, f"a file of {size} bytes"))
    return b"".join(parts)[:size]


def _extended_name(content: bytes, path: str, offset: int) -> str | None:
    """Return the path in the records ``length key=value`` of a pax head."""
    place, found = 0, None
    while place < len(content):
        length, space, _ = content[place : place + 20].partition(b" ")
        if not space or not length.isdigit() or int(length) < 5 or place + int(length) > len(content):
            raise DataError(f"web_dataset: {path!r}, byte {offset + place}: a damaged pax head")
        record = content[place + len(length) + 1 : place + int(length) - 1]
        key, _, value = record.partition(b"=")
        if key == b"path":
            found = value.decode("utf-8", "surrogateescape")
        place += int(length)
    return found


def _decoded(ending: str, part: bytes, key: str) -> Any:
    last = ending.rpartition(".")[2]
    try:
        if last in _IMAGES:
            return decode_image(part, name=f"{key}.{ending}")
        if last in ("cls", "id", "index"):
            return int(part)
        if last in ("txt", "text"):
            return part.decode()
        if last == "json":
            return json.loads(part)
        if last == "npy":
            return numpy.load(io.BytesIO(part), allow_pickle=False)
    except (ValueError, EOFError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"web_dataset: sample {key!r}: part {ending!r} is not what its ending says: {error}") from error
    return part


def _encoded(ending: str, part: Any) -> bytes:
    if isinstance(part, bytes):
        return part
    if isinstance(part, str):
        return part.encode()
    if isinstance(part, numpy.ndarray) and ending.rpartition(".")[2] == "npy":
        buffer = io.BytesIO()
        numpy.save(buffer, part, allow_pickle=False)
        return buffer.getvalue()
    return json.dumps(part).encode()
