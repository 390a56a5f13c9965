"""What sources share that are read from the front: files of records, one after the other."""

from __future__ import annotations

import glob
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from septet.base.errors import ArgumentError, DataError, MissingDataError
from septet.data.schemes import check_seed, random_order
from septet.data.stage import Cursor, Item, Stage, Value

__all__ = ["Paths", "Records", "expand", "open_binary", "read_exactly"]

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, section 2.3.1


class Records(Stage):
    """The records of files, read from the front. Subclasses define `read`, and `decode` for what workers can do.

    Parameters
    ----------
    paths : path or sequence of paths
        A name may hold ``*``, ``?`` and ``[...]``, and stands for the files that fit, in the order of their names.
    shuffle_files : bool
        Whether the files come in another order in each epoch.
    seed : int
        Of that order.
    """

    def __init__(self, paths: Paths, shuffle_files: bool = False, seed: int = 0) -> None:
        super().__init__()
        check_seed(self.name, seed)
        self.files = expand(self.name, paths)
        self.shuffle_files, self.seed = bool(shuffle_files), int(seed)

    def read(self, path: str, place: Any) -> Iterator[tuple[Any, Any]]:
        """Give (record, place of the next record in the file), from a place on; None is the beginning."""
        raise NotImplementedError

    def decode(self, record: Any) -> Any:
        """Make the value of a record."""
        return record

    def start(self, epoch: int, state: Any) -> RecordsCursor:
        """Begin with the first file, or in the middle of one."""
        return RecordsCursor(self, epoch, state)

    def work(self, item: Item) -> Any:
        """Decode a record."""
        return self.decode(item.payload.value)

    def where(self, origin: tuple[int, int]) -> str:
        """Name file and record."""
        return f"{self.files[origin[0]]!r}, record {origin[1]}"

    def describe(self) -> dict[str, Any]:
        """Return how many files there are, and their order. The files may lie elsewhere when a run goes on."""
        names = [os.path.basename(file) for file in self.files]
        order = {"shuffle_files": self.shuffle_files, "seed": self.seed} if self.shuffle_files else {}
        return {"stage": self.name, "files": names, **order}


class RecordsCursor(Cursor):
    """A file, and a place in it."""

    def __init__(self, stage: Records, epoch: int, state: Any) -> None:
        self.stage, self.epoch = stage, epoch
        count = len(stage.files)
        self.order = random_order(count, stage.seed, epoch).tolist() if stage.shuffle_files else list(range(count))
        self.turn, self.number, self.place = state or (0, 0, None)
        self.records: Iterator[tuple[Any, Any]] | None = None

    def __next__(self) -> Item:
        while self.turn < len(self.order):
            file = self.order[self.turn]
            if self.records is None:
                self.records = self.stage.read(self.stage.files[file], self.place)
            found = next(self.records, None)
            if found is not None:
                record, self.place = found
                number = self.number
                self.number += 1
                return Item(Value(record, (file, number)), (self.epoch, file, number))
            self.close()
            self.turn, self.number, self.place = self.turn + 1, 0, None
        raise StopIteration

    def state(self) -> list[Any]:
        """Return which file it is, how many records were read in it, and the place."""
        return [self.turn, self.number, self.place]

    def close(self) -> None:
        """Close the file."""
        if self.records is not None:
            self.records.close()  # type: ignore[attr-defined]
            self.records = None


def expand(function: str, paths: Paths) -> list[str]:
    """Return the files that names and patterns stand for.

    Raises
    ------
    MissingDataError
        When a name or a pattern fits no file.
    """
    several: Iterable[Any] = [paths] if isinstance(paths, str | os.PathLike) else paths
    files: list[str] = []
    for path in several:
        if not isinstance(path, str | os.PathLike):
            raise ArgumentError(f"{function}: expected names of files, received {type(path).__name__}")
        name = os.path.expanduser(os.fspath(path))
        found = [name] if os.path.isfile(name) else sorted(filter(os.path.isfile, glob.glob(name, recursive=True)))
        if not found:
            raise MissingDataError(f"{function}: there is no file {name!r}")
        files += found
    if not files:
        raise ArgumentError(f"{function}: expected at least one file, received none")
    return files


def open_binary(path: str) -> BinaryIO:
    """Open a file for reading, unpacking it when its first bytes say that it is compressed with gzip."""
    file = open(path, "rb")  # noqa: SIM115 (the caller closes it)
    is_compressed = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    return _Unpacked(path, file) if is_compressed else file  # type: ignore[return-value]


class _Unpacked(gzip.GzipFile):
    """An unpacked file whose damages are errors with a place."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        super().__init__(fileobj=file, mode="rb")
        self.path, self.packed = path, file

    def _guarded(self, read: Any, *arguments: Any) -> Any:
        try:
            return read(*arguments)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f"{self.path!r}, byte {super().tell()} of the uncompressed data: a damaged or truncated gzip stream "
                f"({error})"
            ) from error

    def read(self, size: int | None = -1) -> bytes:
        """Read bytes."""
        return self._guarded(super().read, size)

    def readline(self, size: int | None = -1) -> bytes:
        """Read a line."""
        return self._guarded(super().readline, size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place: forward by reading, back by reading from the front."""
        return self._guarded(super().seek, offset, whence)

    def close(self) -> None:
        """Close both files."""
        super().close()
        self.packed.close()


def read_exactly(file: BinaryIO, count: int, path: str, offset: int, expected: str) -> bytes:
    """Read a number of bytes, or raise DataError with file and offset."""
    data = file.read(count)
    if len(data) < count:
        raise DataError(
            f"{path!r}, byte {offset}: expected {expected} ({count} bytes), found only {len(data)} before the end of "
            "the file"
        )
    return data
