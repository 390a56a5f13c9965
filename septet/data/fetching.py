"""The files of known data sets: where they are looked for, and how they are fetched and checked."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from septet.base.config import cache_folder, config
from septet.base.errors import DataError, MissingDataError
from septet.base.files import open_atomic
from septet.base.text import bytes_text

__all__ = ["RemoteFile", "download_files", "find_file", "folders"]

SYSTEM_FOLDER = Path("/usr/share/datasets")  # where Debian's dataset-* packages put their files
_TIMEOUT = 30.0  # seconds without an answer of a server
_CHUNK = 1 << 20


@dataclass(frozen=True)
class RemoteFile:
    """A file that a data set needs.

    Attributes
    ----------
    names : tuple of str
        What it may be called; the first is its own name.
    url : str
        Where it comes from.
    check_sum : str
        ``md5:...`` or ``sha256:...``, of the file at that address.
    """

    names: tuple[str, ...]
    url: str
    check_sum: str

    @property
    def name(self) -> str:
        """Its own name."""
        return self.names[0]


def folders(name: str, folder: str | os.PathLike[str] | None = None) -> list[Path]:
    """Return where the files of a data set are looked for: a folder that is given is the only one.

    The first is where they are downloaded to.
    """
    if folder is not None:
        return [Path(folder).expanduser()]
    if config.data_dir != "auto":
        own = [Path(config.data_dir) / name, Path(config.data_dir)]
    else:
        own = [Path(cache_folder("auto")) / "data" / name]
    return [*own, SYSTEM_FOLDER / name]


def scikit_learn_folder() -> list[Path]:
    """Return the folder in which scikit-learn keeps small data sets, where it is installed. It is not imported."""
    found = importlib.util.find_spec("sklearn")
    places = found.submodule_search_locations if found is not None else None
    return [Path(place) / "datasets" / "data" for place in places or ()]


def find_file(function: str, name: str, file: RemoteFile, folder: Any = None, also: tuple[Path, ...] = ()) -> Path:
    """Return the path of a file of a data set.

    Raises
    ------
    MissingDataError
        When no folder holds it; the message says which file to put where.
    """
    places = folders(name, folder)
    searched = [*places, *(also if folder is None else ())]
    for place in searched:
        for each in file.names:
            if (place / each).exists():
                return place / each
    raise MissingDataError(
        f"{function}: no folder holds the file {file.name} of {name}. Searched:\n"
        + "\n".join(f"  {place}" for place in searched)
        + f"\nIt is at {file.url}",
        hint=f"st.data.load({name!r}, download=True) fetches it; or put it into {places[0]}, or into a folder that "
        "folder=... or SEPTET_DATA names",
    )


def download_files(name: str, files: tuple[RemoteFile, ...], folder: Any = None) -> Path:
    """Fetch the files of a data set that are not there yet, and return the folder.

    Raises
    ------
    MissingDataError
        When a server cannot be reached.
    DataError
        When a file is not what it should be. It is not kept.
    """
    place = folders(name, folder)[0]
    for file in files:
        if not any((place / each).exists() for each in file.names):
            place.mkdir(parents=True, exist_ok=True)
            _download(name, file, place / file.name)
    return place


def _download(name: str, file: RemoteFile, path: Path) -> None:
    from urllib.request import Request, urlopen

    kind, _, expected = file.check_sum.partition(":")
    digest = hashlib.new(kind, usedforsecurity=False)
    size = 0
    try:
        request = Request(file.url, headers={"User-Agent": "septet"})
        with urlopen(request, timeout=_TIMEOUT) as answer, open_atomic(path) as target:
            while part := answer.read(_CHUNK):
                digest.update(part)
                size += len(part)
                target.write(part)
            if digest.hexdigest() != expected:
                raise DataError(
                    f"download of {name}: {file.url} gave {bytes_text(size)} whose {kind} is {digest.hexdigest()}, "
                    f"expected {expected}: the transfer was cut off, or the file has changed",
                    hint=f"try again, or get the file elsewhere and put it into {path.parent}",
                )
    except OSError as error:
        if isinstance(error, DataError):
            raise
        raise MissingDataError(
            f"download of {name}: {file.url} cannot be reached: {error}",
            hint=f"get the file on another machine, and put it there: {path}",
        ) from error
