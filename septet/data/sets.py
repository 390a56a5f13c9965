"""The data sets that Septet knows by name. Here: digits, MNIST, Fashion-MNIST, and the table of all."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy

from septet.base.errors import ArgumentError, DataError, MissingDataError
from septet.base.text import type_text
from septet.data.arrays import split_indices
from septet.data.cifar_sets import load_cifar10, load_cifar100
from septet.data.corpora import load_imdb, load_movie_reviews, load_sentence_polarity, load_tiny_shakespeare
from septet.data.fetching import download_files, folders
from septet.data.idx import read_idx
from septet.data.known import KNOWN
from septet.data.tables import load_california_housing, load_table

__all__ = ["class_names", "load", "load_digits", "load_fashion_mnist", "load_mnist", "names"]

Arrays = tuple[numpy.ndarray, numpy.ndarray]

SPLITS = ("train", "test", "all")
DIGITS_FILE = Path(__file__).parent / "files" / "digits.npz"
_DIGITS_LARGEST = 16  # a pixel counts the dark points of a 4 x 4 block
_DIGITS_TRAIN_SHARE = 0.8
_DIGITS_SPLIT_SEED = 0

_MNIST_SIZE = (28, 28)
_MNIST_CLASSES = 10
_MNIST_PARTS = {"train": "train", "test": "t10k"}

_FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_DIGIT_CLASSES = tuple("0123456789")


def load_digits(split: str = "all") -> Arrays:
    """Load the 1,797 handwritten digits, 8 x 8, that come with Septet.

    Parameters
    ----------
    split : {"all", "train", "test"}
        All 1,797 images in the order of the source, the 1,438 to train on, or the 359 to test with. The split is fixed
        and stratified: ``split_indices(1797, 0.8, seed=0, stratify=labels)``.

    Returns
    -------
    (images, labels)
        New arrays.

    Shape
    -----
    images ``(N, 1, 8, 8)``, labels ``(N,)``.

    Dtype
    -----
    images float32 from 0 (paper) to 1 (ink), multiples of 1/16; labels int64 from 0 to 9.

    Source
    ------
    E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
    DOI 10.24432/C50P49, CC BY 4.0; the test file's images. See ``files/DIGITS.md``.

    Examples
    --------
    >>> images, labels = load_digits("test")
    >>> images.shape, labels[:5]
    ((359, 1, 8, 8), array([4, 8, 0, 3, 6]))
    """
    _check_split("load_digits", split)
    with numpy.load(DIGITS_FILE, allow_pickle=False) as archive:
        images, labels = archive["images"], archive["labels"]
    images = images[:, None].astype(numpy.float32) / numpy.float32(_DIGITS_LARGEST)  # (N, 1, H, W)
    labels = labels.astype(numpy.int64)
    if split == "all":
        return images, labels
    train, test = split_indices(len(labels), _DIGITS_TRAIN_SHARE, seed=_DIGITS_SPLIT_SEED, stratify=labels)
    chosen = train if split == "train" else test
    return images[chosen], labels[chosen]


def load_mnist(split: str = "all", folder: str | os.PathLike[str] | None = None) -> Arrays:
    """Load MNIST, 70,000 handwritten digits, from its four IDX files.

    Parameters
    ----------
    split : {"all", "train", "test"}
        The 60,000 images to train on, the 10,000 to test with, or all, those to train on first.
    folder : str or os.PathLike, optional
        The folder with the files, with or without ``.gz``. When not given: those of the setting ``data_dir``
        (``$SEPTET_DATA/mnist``, ``$SEPTET_DATA``), then ``/usr/share/datasets/mnist``.

    Returns
    -------
    (images, labels)
        New arrays.

    Shape
    -----
    images ``(N, 1, 28, 28)``, labels ``(N,)``; N is what the files hold.

    Dtype
    -----
    images float32 from 0 (paper) to 1 (ink); labels int64 from 0 to 9.

    Raises
    ------
    MissingDataError
        When files are missing. The message says which, where they were sought, and how to get them.
    DataError
        When a file is damaged, or the files do not fit together.

    Source
    ------
    Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", 1998.
    """
    return _load_idx_set("mnist", "load_mnist", split, folder)


def load_fashion_mnist(split: str = "all", folder: str | os.PathLike[str] | None = None) -> Arrays:
    """Load Fashion-MNIST, 70,000 images of clothes, from its four IDX files.

    Parameters
    ----------
    split : {"all", "train", "test"}
        The 60,000 images to train on, the 10,000 to test with, or all, those to train on first.
    folder : str or os.PathLike, optional
        The folder with the files, with or without ``.gz``. When not given: those of the setting
        ``data_dir`` (``$SEPTET_DATA/fashion-mnist``, ``$SEPTET_DATA``), then ``/usr/share/datasets/fashion-mnist``,
        where Debian's package ``dataset-fashion-mnist`` puts them.

    Returns
    -------
    (images, labels)
        New arrays.

    Shape
    -----
    images ``(N, 1, 28, 28)``, labels ``(N,)``; N is what the files hold.

    Dtype
    -----
    images float32 from 0 (background) to 1; labels int64 from 0 to 9, the places in ``class_names("fashion-mnist")``.

    Raises
    ------
    MissingDataError
        When files are missing. The message says which, where they were sought, and how to get them.
    DataError
        When a file is damaged, or the files do not fit together.

    Source
    ------
    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms",
    arXiv:1708.07747, 2017. MIT licence.
    """
    return _load_idx_set("fashion-mnist", "load_fashion_mnist", split, folder)


@dataclass(frozen=True)
class _Entry:
    """What the table of data sets says about one of them."""

    loader: Callable[..., Any]
    class_names: tuple[str, ...]
    how_to_get: str = ""  # ends the message of MissingDataError


_SETS = {
    "breast-cancer": _Entry(partial(load_table, "breast-cancer"), KNOWN["breast-cancer"].class_names),
    "california-housing": _Entry(load_california_housing, ()),
    "cifar10": _Entry(load_cifar10, KNOWN["cifar10"].class_names),
    "cifar100": _Entry(load_cifar100, KNOWN["cifar100"].class_names),
    "digits": _Entry(load_digits, _DIGIT_CLASSES, "The digits come with Septet: install it again."),
    "fashion-mnist": _Entry(
        load_fashion_mnist,
        _FASHION_CLASSES,
        "On Debian and Ubuntu: apt install dataset-fashion-mnist. Elsewhere: copy the four files from the project "
        "zalandoresearch/fashion-mnist (folder data/fashion) into one folder.",
    ),
    "imdb": _Entry(load_imdb, KNOWN["imdb"].class_names),
    "iris": _Entry(partial(load_table, "iris"), KNOWN["iris"].class_names),
    "mnist": _Entry(
        load_mnist,
        _DIGIT_CLASSES,
        'Copy the four files of "The MNIST database of handwritten digits" (LeCun, Cortes, Burges) into one folder.',
    ),
    "movie-reviews": _Entry(load_movie_reviews, KNOWN["movie-reviews"].class_names),
    "sentence-polarity": _Entry(load_sentence_polarity, KNOWN["sentence-polarity"].class_names),
    "tiny-shakespeare": _Entry(load_tiny_shakespeare, ()),
    "wine": _Entry(partial(load_table, "wine"), KNOWN["wine"].class_names),
}


def names() -> tuple[str, ...]:
    """Return the names of the data sets that `load` knows.

    Examples
    --------
    >>> names()[:5]
    ('breast-cancer', 'california-housing', 'cifar10', 'cifar100', 'digits')
    """
    return tuple(_SETS)


def load(
    name: str, split: str = "all", folder: str | os.PathLike[str] | None = None, *, download: bool = False
) -> Any:  # fmt: skip
    """Load a data set by name.

    Parameters
    ----------
    name : str
        One of `names`.
    split : {"all", "train", "test"}
        Which part. Where the authors made none, a fixed one.
    folder : str or os.PathLike, optional
        Where its files are, for the sets that do not come with Septet. When not given, they are looked for in the
        setting ``data_dir`` (``$SEPTET_DATA``: in a folder of the set's name, then in the folder itself), and in
        ``/usr/share/datasets``.
    download : bool
        Whether to fetch files that are missing, from the address that is known, into the first of these folders. Their
        check sums are compared.

    Returns
    -------
    (inputs, targets), or str
        Images float32 (N, C, H, W) from 0 to 1 with int64 labels; tables float32 (N, columns) with labels or values;
        lists of texts with labels; one text for ``tiny-shakespeare``.

    Raises
    ------
    ArgumentError
        When there is no such set or part, or a folder is given for a set that comes with Septet.
    MissingDataError
        When files are missing, or cannot be fetched. The message says which file to put where.
    DataError
        When a file is damaged, or is not what it should be.

    Examples
    --------
    >>> images, labels = load("digits", "train")
    >>> images.shape
    (1438, 1, 8, 8)
    """
    entry = _entry("load", name)
    _check_split("load", split)
    if name == "digits":
        if folder is not None:
            raise ArgumentError(f"load: the digits come with Septet and take no folder, received {os.fspath(folder)!r}")
        return entry.loader(split)
    try:
        return entry.loader(split, folder)
    except MissingDataError:
        if not download:
            raise
    return entry.loader(split, download_files(name, KNOWN[name].files, folder))


def class_names(name: str) -> tuple[str, ...]:
    """Return what the labels of a data set stand for; label i is the i-th name. Where there are no labels: nothing.

    Raises
    ------
    ArgumentError
        When there is no such set.

    Examples
    --------
    >>> class_names("fashion-mnist")[9]
    'Ankle boot'
    """
    return _entry("class_names", name).class_names


def _entry(function: str, name: str) -> _Entry:
    entry = _SETS.get(name)
    if entry is None:
        raise ArgumentError(f"{function}: there is no data set {name!r}; the names are {', '.join(_SETS)}")
    return entry


def _check_split(function: str, split: str) -> None:
    if split not in SPLITS:
        raise ArgumentError(f"{function}: split must be one of {', '.join(map(repr, SPLITS))}, received {split!r}")


def _load_idx_set(name: str, function: str, split: str, folder: str | os.PathLike[str] | None) -> Arrays:
    _check_split(function, split)
    parts = [part for part in _MNIST_PARTS if split in (part, "all")]
    files = _find_files(name, function, parts, folder)
    loaded = [_read_part(function, files[part, "images"], files[part, "labels"]) for part in parts]
    if len(loaded) == 1:
        return loaded[0]
    images, labels = zip(*loaded)
    return numpy.concatenate(images), numpy.concatenate(labels)


def _find_files(
    name: str, function: str, parts: list[str], folder: str | os.PathLike[str] | None
) -> dict[tuple[str, str], Path]:
    """Return the path for each (part, kind) in the first folder that holds them all."""
    needed = {(part, kind): _file_names(part, kind) for part in parts for kind in ("images", "labels")}
    searched = []
    for place in folders(name, folder):
        found = {
            key: next((place / file for file in files if (place / file).is_file()), None)
            for key, files in needed.items()
        }
        missing = [needed[key][0] for key, path in found.items() if path is None]
        if not missing:
            return {key: path for key, path in found.items() if path is not None}
        state = f"lacks {', '.join(missing)}" if place.is_dir() else "there is no such folder"
        searched.append(f"  {place}: {state}")
    wanted = "\n".join(f"  {files[0]} (or without .gz)" for files in needed.values())
    place_hint = (
        f"Then give that folder, or name its parent in SEPTET_DATA (and call it {name}). Or let "
        f"st.data.load({name!r}, download=True) fetch them."
    )
    raise MissingDataError(
        f"{function}: no folder holds the files of {name}. Needed:\n{wanted}\nSearched:\n"
        + "\n".join(searched)
        + f"\n{_SETS[name].how_to_get} {place_hint}"
    )


def _file_names(part: str, kind: str) -> list[str]:
    """Return the names that a file may have: the original ones first, then those of a common way of unpacking."""
    rank = 3 if kind == "images" else 1
    stem = f"{_MNIST_PARTS[part]}-{kind}"
    return [f"{stem}{sign}idx{rank}-ubyte{end}" for sign in "-." for end in (".gz", "")]


def _read_part(function: str, images_path: Path, labels_path: Path) -> Arrays:
    images, labels = read_idx(images_path), read_idx(labels_path)
    for path, array, shape in ((images_path, images, ("N", *_MNIST_SIZE)), (labels_path, labels, ("N",))):
        if array.dtype != numpy.uint8 or array.ndim != len(shape) or array.shape[1:] != shape[1:] or not len(array):
            raise DataError(
                f"{function}: {str(path)!r}: expected uint8[{', '.join(map(str, shape))}] with N at least 1, "
                f"found {type_text(array)}"
            )
    if len(images) != len(labels):
        raise DataError(
            f"{function}: {str(images_path)!r} holds {len(images)} images, {str(labels_path)!r} {len(labels)} labels"
        )
    if labels.max() >= _MNIST_CLASSES:
        place = int(numpy.argmax(labels >= _MNIST_CLASSES))
        header = 4 + 4 * labels.ndim
        raise DataError(
            f"{function}: {str(labels_path)!r}, byte {header + place} of the data: expected a label from 0 to "
            f"{_MNIST_CLASSES - 1}, found {labels[place]} (sample {place})"
        )
    pixels = images[:, None].astype(numpy.float32)  # (N, 1, H, W)
    pixels /= numpy.float32(255)
    return pixels, labels.astype(numpy.int64)
