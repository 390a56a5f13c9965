"""The data sets CIFAR-10 and CIFAR-100, from their archives or what is in them."""

from __future__ import annotations

import os
import tarfile
import zlib
from pathlib import Path

import numpy

from septet.base.errors import DataError
from septet.data.fetching import find_file
from septet.data.known import KNOWN
from septet.data.sources.cifar import parse_cifar

__all__ = ["load_cifar10", "load_cifar100"]

Arrays = tuple[numpy.ndarray, numpy.ndarray]
Folder = str | os.PathLike[str] | None

_PARTS_10 = {"train": [f"data_batch_{number}.bin" for number in range(1, 6)], "test": ["test_batch.bin"]}
_PARTS_100 = {"train": ["train.bin"], "test": ["test.bin"]}


def load_cifar10(split: str = "all", folder: Folder = None) -> Arrays:
    """Load CIFAR-10: 60,000 small photographs of ten kinds of things.

    Parameters
    ----------
    split : {"all", "train", "test"}
        The 50,000 images to train on, the 10,000 to test with, or all, those to train on first.
    folder : path, optional
        The folder with ``cifar-10-binary.tar.gz``, or with the folder ``cifar-10-batches-bin``.

    Returns
    -------
    (images, labels) : (ndarray of float32 from 0 to 1, ndarray of int64)

    Shape
    -----
    (N, 3, 32, 32), (N,)
    """
    return _load("cifar10", _PARTS_10, 1, split, folder)


def load_cifar100(split: str = "all", folder: Folder = None) -> Arrays:
    """Load CIFAR-100: 60,000 small photographs of a hundred kinds of things.

    Parameters
    ----------
    split : {"all", "train", "test"}
    folder : path, optional
        The folder with ``cifar-100-binary.tar.gz``, or with the folder ``cifar-100-binary``.

    Returns
    -------
    (images, labels) : (ndarray of float32 from 0 to 1, ndarray of int64)
        Labels are those of the hundred classes; `read_cifar` also gives those of the twenty classes of classes.

    Shape
    -----
    (N, 3, 32, 32), (N,)
    """
    return _load("cifar100", _PARTS_100, 2, split, folder)


def _load(name: str, parts: dict[str, list[str]], labels: int, split: str, folder: Folder) -> Arrays:
    (file,) = KNOWN[name].files
    path = find_file(f"load({name!r})", name, file, folder)
    wanted = [each for part in parts if split in (part, "all") for each in parts[part]]
    contents = _contents(path, wanted)
    found = [parse_cifar(f"{path}/{each}", contents[each], labels) for each in wanted]
    images = numpy.concatenate([each[0] for each in found]).astype(numpy.float32)
    images /= numpy.float32(255)
    classes = numpy.concatenate([each[1] for each in found])
    return images, classes if labels == 1 else numpy.ascontiguousarray(classes[:, -1])


def _contents(path: Path, names: list[str]) -> dict[str, bytes]:
    """Return the files with some names in a folder or an archive."""
    found: dict[str, bytes] = {}
    if path.is_dir():
        found = {name: (path / name).read_bytes() for name in names if (path / name).is_file()}
    else:
        try:
            with tarfile.open(path, "r:*") as archive:
                for entry in archive:
                    name = entry.name.rpartition("/")[2]
                    if name in names and (content := archive.extractfile(entry)) is not None:
                        found[name] = content.read()
        except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
            raise DataError(f"{str(path)!r} is damaged or truncated: {error}") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(f"{str(path)!r} lacks {', '.join(missing)}")
    return found
