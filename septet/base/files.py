"""Write files whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_atomic"]


@contextlib.contextmanager
def open_atomic(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary neighbour of `path` for writing and rename it to `path` on success.

    Parameters
    ----------
    path : str or os.PathLike
        The file to make or to replace. Its folder must exist.

    Returns
    -------
    context manager of a binary file
        What is written to it appears at `path` when the block ends without an exception; when there is one, `path` is
        as it was and the temporary file is gone.

    Raises
    ------
    OSError
        When the folder does not exist or cannot be written to.
    """
    target = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _permissions(target))
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _permissions(target: Path) -> int:
    """Return the mode of the file that is replaced, or the one an ordinary `open` would give a new file."""
    try:
        return target.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)  # the only portable way to read it is to set it
        os.umask(mask)
        return 0o666 & ~mask
