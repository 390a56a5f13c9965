"""Known texts: film reviews, sentences about films, and Shakespeare's plays."""

from __future__ import annotations

import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy

from septet.base.errors import DataError
from septet.data.fetching import find_file
from septet.data.known import KNOWN
from septet.data.tables import split_arrays

__all__ = ["load_imdb", "load_movie_reviews", "load_sentence_polarity", "load_tiny_shakespeare"]

Texts = tuple[list[str], numpy.ndarray]
Folder = str | os.PathLike[str] | None

_SIGNS = ("neg", "pos")
_SHAKESPEARE_SHARE = 0.9


def load_tiny_shakespeare(split: str = "all", folder: Folder = None) -> str:
    """Load a million characters of Shakespeare's plays.

    Parameters
    ----------
    split : {"all", "train", "test"}
        All, the first nine tenths, or the last tenth.
    folder : path, optional
        The folder with ``tinyshakespeare.txt`` (or ``input.txt``).

    Returns
    -------
    str
    """
    path = _find("tiny-shakespeare", folder)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{str(path)!r}, byte {error.start}: not UTF-8") from error
    cut = int(len(text) * _SHAKESPEARE_SHARE)
    return text if split == "all" else text[:cut] if split == "train" else text[cut:]


def load_sentence_polarity(split: str = "all", folder: Folder = None) -> Texts:
    """Load 10,662 sentences from film reviews, negative (0) or positive (1).

    Parameters
    ----------
    split : {"all", "train", "test"}
        All, the negative ones first; or four fifths and one fifth, drawn by label with seed 0.
    folder : path, optional
        The folder with ``sentence_polarity.zip``, or what is in it.

    Returns
    -------
    (sentences, labels) : (list of str, ndarray of int64)
    """
    path = _find("sentence-polarity", folder)
    files = dict(_files(path, "rt-polarity."))
    texts: list[str] = []
    counts = []
    for sign in _SIGNS:
        name = next((name for name in files if name.endswith(f"rt-polarity.{sign}")), None)
        if name is None:
            raise DataError(f"{str(path)!r} holds no file rt-polarity.{sign}")
        lines = files[name].decode("latin-1").splitlines()  # as its authors wrote them
        texts += [line.strip() for line in lines if line.strip()]
        counts.append(len(texts))
    return _labelled(texts, counts[0], split)


def load_movie_reviews(split: str = "all", folder: Folder = None) -> Texts:
    """Load 2,000 film reviews, negative (0) or positive (1).

    Parameters
    ----------
    split : {"all", "train", "test"}
        All, the negative ones first; or four fifths and one fifth, drawn by label with seed 0.
    folder : path, optional
        The folder with ``movie_reviews.zip``, or what is in it.

    Returns
    -------
    (reviews, labels) : (list of str, ndarray of int64)
    """
    path = _find("movie-reviews", folder)
    found = sorted(_files(path, ".txt"))
    parts = [[content.decode("latin-1") for name, content in found if f"/{sign}/" in f"/{name}"] for sign in _SIGNS]
    if not all(parts):
        raise DataError(f"{str(path)!r} holds no reviews in folders neg and pos")
    return _labelled(parts[0] + parts[1], len(parts[0]), split)


def load_imdb(split: str = "all", folder: Folder = None) -> Texts:
    """Load 50,000 film reviews, negative (0) or positive (1), in the two halves of their authors.

    Parameters
    ----------
    split : {"all", "train", "test"}
    folder : path, optional
        The folder with ``aclImdb_v1.tar.gz``, or what is in it.

    Returns
    -------
    (reviews, labels) : (list of str, ndarray of int64)
    """
    path = _find("imdb", folder)
    wanted = ("train", "test") if split == "all" else (split,)
    texts: dict[tuple[str, str], dict[str, str]] = {(part, sign): {} for part in wanted for sign in _SIGNS}
    for name, content in _files(path, ".txt"):
        pieces = name.split("/")
        place = texts.get((pieces[-3], pieces[-2])) if len(pieces) >= 3 else None
        if place is not None:
            place[name] = content.decode("utf-8")
    reviews, labels = [], []
    for (part, sign), found in texts.items():
        if not found:
            raise DataError(f"{str(path)!r} holds no reviews in {part}/{sign}")
        reviews += [found[name] for name in sorted(found)]
        labels += [_SIGNS.index(sign)] * len(found)
    return reviews, numpy.array(labels, numpy.int64)


def _find(name: str, folder: Folder) -> Path:
    (file,) = KNOWN[name].files
    return find_file(f"load({name!r})", name, file, folder)


def _labelled(texts: list[str], negative: int, split: str) -> Texts:
    labels = (numpy.arange(len(texts)) >= negative).astype(numpy.int64)
    return split_arrays(texts, labels, split, by_label=True)


def _files(path: Path, part: str) -> Iterator[tuple[str, bytes]]:
    """Give name and content of the files in a folder, a zip or a tar archive whose name has a part."""
    try:
        if path.is_dir():
            for each in sorted(path.rglob("*")):
                if part in each.name and each.is_file():
                    yield each.relative_to(path.parent).as_posix(), each.read_bytes()
        elif path.name.endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if part in name and not name.endswith("/"):
                        yield name, archive.read(name)
        else:
            with tarfile.open(path, "r:*") as packed:
                for entry in packed:
                    if part in entry.name and entry.isreg():
                        content = packed.extractfile(entry)
                        assert content is not None
                        yield entry.name, content.read()
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, OSError, NotImplementedError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{str(path)!r} is damaged or truncated: {error}") from error
