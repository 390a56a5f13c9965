"""Write files whole or not at all."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_atomic"]

_numbers = itertools.count()


@contextlib.contextmanager
def open_atomic(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary neighbour of a file for writing, and rename it to the file on success.

    Parameters
    ----------
    path : str or os.PathLike
        The file to make or to replace. Its folder must exist. A file that is replaced keeps its permissions.

    Returns
    -------
    context manager of a binary file
        What is written to it appears at `path` when the block ends without an exception; when there is one, `path` is
        as it was and the temporary file is gone. A process that dies in between leaves `path` as it was.

    Raises
    ------
    OSError
        When the folder does not exist or cannot be written to, the disk is full, or `path` is a folder; its `filename`
        is `path`.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "greeting.txt")
    >>> with open_atomic(path) as file:
    ...     count = file.write(b"hello")
    >>> open(path).read()
    'hello'
    """
    target = Path(os.path.realpath(path))  # through a symbolic link, so that the link stays one
    try:
        file = _create_neighbour(target)
    except OSError as error:
        error.filename = os.fspath(path)
        raise
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.chmod(file.name, target.stat().st_mode & 0o777)
        os.replace(file.name, target)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file.name)
        if isinstance(error, OSError) and error.errno and error.filename in (None, os.fspath(file.name)):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error  # a full disk names no file
        raise


def _create_neighbour(target: Path) -> BinaryIO:
    """Create a file of an unused name in the same folder, with the permissions that `open` gives to a new file."""
    while True:
        try:
            return open(target.with_name(f".{target.name}.{os.getpid()}-{next(_numbers)}.tmp"), "xb")
        except FileExistsError:  # left by a process of the same number that died
            continue
