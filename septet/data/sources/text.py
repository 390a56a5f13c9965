"""Lines of text files, plain or compressed with gzip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from septet.base.errors import DataError
from septet.data.sources.records import Paths, Records, open_binary
from septet.data.stream import Stream

__all__ = ["text_lines"]


class _Lines(Records):
    name = "text_lines"

    def __init__(self, paths: Paths, encoding: str, keep_blank: bool, shuffle_files: bool, seed: int) -> None:
        super().__init__(paths, shuffle_files, seed)
        self.encoding, self.keep_blank = encoding, keep_blank
        "".encode(encoding)  # LookupError: there is no such encoding

    def read(self, path: str, place: Any) -> Iterator[tuple[str, int]]:
        offset = place or 0
        with open_binary(path) as file:
            file.seek(offset)
            for line in iter(file.readline, b""):
                start, offset = offset, offset + len(line)
                try:
                    text = line.decode(self.encoding)
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"text_lines: {path!r}, byte {start + error.start}: not {self.encoding} ({error.reason})",
                        hint="another encoding=... may fit",
                    ) from error
                text = text.rstrip("\r\n")
                if text or self.keep_blank:
                    yield text, offset


def text_lines(
    paths: Paths, *, encoding: str = "utf-8", keep_blank: bool = True, shuffle_files: bool = False, seed: int = 0
) -> Stream:
    """Stream the lines of text files, without their line ends.

    Parameters
    ----------
    paths : path or sequence of paths
        Plain or gzip, which their first bytes tell; patterns such as ``"part-*.txt"``.
    encoding : str
        One in which a line feed is the byte 10, as UTF-8 and Latin-1.
    keep_blank : bool
        Whether lines without text count.
    shuffle_files, seed
        Whether the files come in another order in each epoch, and the seed of these orders.

    Returns
    -------
    Stream of str

    Raises
    ------
    MissingDataError
        When a file is missing.
    DataError
        When bytes are no text in this encoding, or a compressed file is damaged; with file and offset.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "poem.txt"
    >>> path.write_text("one\\ntwo\\n")
    8
    >>> list(text_lines(path))
    ['one', 'two']
    """
    return Stream(_Lines(paths, encoding, keep_blank, shuffle_files, seed))
