"""Files that the tutorials downloaded from hosts that are gone: what they are, where copies may be, what makes them."""

from __future__ import annotations

import gzip
import os
import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy

from septet.base.config import cache_folder, config
from septet.base.errors import ArgumentError, MissingDataError
from septet.base.files import open_atomic

__all__ = ["GONE_HOSTS", "LOST", "LostFile", "advice", "find", "is_gone", "lookup", "make", "mnist_by_digit"]

GONE_HOSTS = (
    "deeplearning.net/",
    "www.deeplearning.net/",
    "www.iro.umontreal.ca/",
    "lisaweb.iro.umontreal.ca/",
    "yann.lecun.com/",
    "s3.amazonaws.com/lasagne/",
    "s3.amazonaws.com/text-datasets/",
    "s3.amazonaws.com/img-datasets/",
)
"""Where programs still look for data that is there no more."""

_HELD_OUT = 10_000  # of MNIST's 60,000 images, the tutorials kept the last for validation
_LEVELS = 256  # mnist.pkl.gz holds the grey values divided by 256


@dataclass(frozen=True)
class LostFile:
    """A file that programs ask for.

    Attributes
    ----------
    name : str
        Its name, with its folder where the name alone says little.
    set : str
        The data set, whose folders are searched.
    text : str
        What it holds.
    make : callable, optional
        ``make(path, places)`` writes it from other files in some folders, or raises `MissingDataError`.
    source : str
        What it is made from, in words.
    """

    name: str
    set: str
    text: str
    make: Callable[[Path, Sequence[Path]], None] | None = None
    source: str = ""


def _mnist(split: str, places: Sequence[Path]) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return grey values (N, 784) of MNIST and the labels, from the first folder that has its four files."""
    from septet.data.sets import load_mnist  # the library of data is loaded for programs that need it

    for place in places:
        try:
            images, labels = load_mnist(split, place)
        except MissingDataError:
            continue
        pixels = numpy.rint(images.reshape(len(images), -1) * 255).astype(numpy.uint8)
        return pixels, labels
    raise MissingDataError("no folder holds the four files of MNIST")


def mnist_by_digit() -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return MNIST's grey values (N, 784) and labels as floats, each part ordered by digit, those to train on first.

    Raises
    ------
    MissingDataError
        When its files are missing.
    """
    parts = []
    for split in ("train", "test"):
        pixels, labels = _mnist(split, set_folders(LOST["mnist.npz"]))
        order = numpy.argsort(labels, kind="stable")
        parts.append((pixels[order], labels[order].astype(numpy.float64)))
    (first, first_labels), (second, second_labels) = parts
    return numpy.concatenate([first, second]), numpy.concatenate([first_labels, second_labels])


def _three_parts(places: Sequence[Path]) -> list[tuple[numpy.ndarray, numpy.ndarray]]:
    """Return MNIST as the tutorials divide it: to train on, to validate with, to test with."""
    parts = []
    pixels, labels = _mnist("train", places)
    kept = len(labels) - min(_HELD_OUT, len(labels) // 6)
    for part, of in ((pixels[:kept], labels[:kept]), (pixels[kept:], labels[kept:]), _mnist("test", places)):
        parts.append((part.astype(numpy.float32) / numpy.float32(_LEVELS), of))
    return parts


def _write_mnist_pickle(path: Path, places: Sequence[Path]) -> None:
    content = pickle.dumps(tuple(_three_parts(places)), protocol=2)
    with open_atomic(path) as file:
        file.write(gzip.compress(content, 1, mtime=0) if path.suffix == ".gz" else content)


def _write_mnist_npz(path: Path, places: Sequence[Path]) -> None:
    (x_train, y_train), (x_test, y_test) = _mnist("train", places), _mnist("test", places)
    arrays = {
        "x_train": x_train.reshape(-1, 28, 28),
        "y_train": y_train.astype(numpy.uint8),
        "x_test": x_test.reshape(-1, 28, 28),
        "y_test": y_test.astype(numpy.uint8),
    }
    with open_atomic(path) as file:
        numpy.savez(file, **arrays)


def _write_idx(path: Path, places: Sequence[Path]) -> None:
    """Write one of MNIST's four files in another spelling, or with or without compression."""
    from septet.data.idx import write_idx

    split = "train" if path.name.startswith("train") else "test"
    pixels, labels = _mnist(split, places)
    array = pixels.reshape(-1, 28, 28) if "images" in path.name else labels.astype(numpy.uint8)
    write_idx(path, array)


def _write_cifar(path: Path, places: Sequence[Path]) -> None:
    """Write a batch of CIFAR-10 as the version for Python has it."""
    from septet.data.cifar_sets import load_cifar10

    for place in places:
        try:
            images, labels = load_cifar10("test" if "test" in path.name else "train", place)
            break
        except MissingDataError:
            continue
    else:
        raise MissingDataError("no folder holds CIFAR-10's binary version")
    if path.name == "test_batch":
        chosen = slice(None)
    else:
        fifth = len(labels) // 5
        number = int(path.name[-1]) - 1
        chosen = slice(number * fifth, (number + 1) * fifth)
    pixels = numpy.rint(images[chosen] * 255).astype(numpy.uint8).reshape(len(labels[chosen]), -1)
    batch = {"data": pixels, "labels": [int(label) for label in labels[chosen]], "batch_label": path.name}
    with open_atomic(path) as file:
        pickle.dump(batch, file, protocol=2)


def _files() -> Iterator[LostFile]:
    four = "the four files of MNIST, as st.data.load('mnist') finds them"
    pickled = "MNIST in three parts (train, valid, test), a pickle"
    for name in ("mnist.pkl.gz", "mnist_py3k.pkl.gz", "mnist.pkl"):
        yield LostFile(name, "mnist", pickled, _write_mnist_pickle, four)
    yield LostFile("mnist.npz", "mnist", "MNIST in arrays x_train, y_train, x_test, y_test", _write_mnist_npz, four)
    for part in ("train", "t10k"):
        for kind, rank in (("images", 3), ("labels", 1)):
            for sign in "-.":
                for end in (".gz", ""):
                    name = f"{part}-{kind}{sign}idx{rank}-ubyte{end}"
                    yield LostFile(name, "mnist", f"{kind} of MNIST", _write_idx, four)
    for name in ("imdb.pkl", "imdb.pkl.gz", "imdb.dict.pkl.gz"):
        yield LostFile(name, "imdb", "film reviews as numbers of words, with labels; or the words' numbers")
    for number in range(5):
        yield LostFile(f"atis.fold{number}.pkl.gz", "atis", "sentences of travellers, with the words' roles")
    yield LostFile("nietzsche.txt", "nietzsche", "any English text serves")
    yield LostFile("cifar-10-python.tar.gz", "cifar10", "CIFAR-10, the version for Python")
    binary = "CIFAR-10's binary version, as st.data.load('cifar10') finds it"
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        yield LostFile(f"cifar-10-batches-py/{name}", "cifar10", "a batch of CIFAR-10", _write_cifar, binary)
    yield LostFile("cifar-10-batches-py/batches.meta", "cifar10", "the names of CIFAR-10's classes")
    for name in ("mnist_cluttered_60x60_6distortions.npz", "mnist_sequence1_sample_5distortions5x5.npz"):
        yield LostFile(name, "mnist", "digits of MNIST among pieces of others, 60 x 60")
    yield LostFile("Nottingham.zip", "nottingham", "folk tunes, as MIDI files")
    yield LostFile("midi.zip", "midi", "pieces for piano, as MIDI files")


LOST = {file.name: file for file in _files()}
"""The files, by name."""


_PLAIN = frozenset(
    """
    data dataset datasets set sets raw original file files digits handwritten database db pkl pickle gz npz idx ubyte
    processed py3k python
    """.split()  # noqa: SIM905 (one name per line would fill a page)
)
"""What names of folders say besides the data set without meaning another one."""


def _is_of_another(folder: str, file: LostFile) -> bool:
    """Tell whether a folder's name says another data set than a file's: ``mnist_binarized``, ``fashion-mnist``, ``svhn``."""
    words = re.findall(r"[a-z0-9]+", folder.lower())
    if file.set not in "".join(words):
        return any(other.set in words for other in LOST.values())
    if file.set != "mnist":  # the one that others took their form from
        return False
    rest = {word.replace(file.set, "") for word in words} - {""}
    return not rest <= {*_PLAIN, *re.findall(r"[a-z0-9]+", file.name)}


def lookup(path: Any, folder: Path | None = None) -> LostFile | None:
    """Return which of the files a path or an address names, if any.

    Many data sets have files of the same names: what lies in a folder that is called like another one is not meant.

    Parameters
    ----------
    path : str or path
    folder : Path, optional
        The program's, whose name says nothing about data.
    """
    if not isinstance(path, str | os.PathLike):
        return None
    text = os.fspath(path)
    if not isinstance(text, str):
        return None
    parts = PurePath(text.partition("?")[0]).parts
    file = LOST.get("/".join(parts[-1:]))
    if file is None:
        return LOST.get("/".join(parts[-2:]))
    if len(parts) > 1 and Path(*parts[:-1]) != folder and _is_of_another(parts[-2], file):
        return None
    return file


def places(file: LostFile, folder: Path) -> list[Path]:
    """Return the folders in which a file is looked for: the program's, then those of the data set."""
    near = [folder, folder / "data", folder.parent / "data", Path.cwd()]
    return list(dict.fromkeys([*near, *set_folders(file)]))


def set_folders(file: LostFile) -> list[Path]:
    """Return the folders of a file's data set; the first is the one to put it into."""
    from septet.data.fetching import folders

    return folders(file.set)


def made_in(file: LostFile) -> Path:
    """Return where a file is put that is made."""
    return Path(cache_folder(config.cache_dir)) / "data" / file.set / file.name


def find(file: LostFile, folder: Path) -> Path | None:
    """Return a local copy of a file, made from others where that is possible; None where there is none."""
    searched = places(file, folder)
    for place in (*searched, made_in(file).parents[file.name.count("/")]):
        if (place / file.name).is_file():
            return place / file.name
    if file.make is None:
        return None
    path = made_in(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file.make(path, searched)
    except MissingDataError:
        return None
    return path


def make(name: str, from_folder: Path | None, to_folder: Path | None) -> Path:
    """Make a file from others.

    Parameters
    ----------
    name : str
        Its name in `LOST`.
    from_folder : Path, optional
        Where the others are; by default those of the data set.
    to_folder : Path, optional
        Where it is put; by default where programs find it.

    Raises
    ------
    ArgumentError
        When there is no such file, or nothing makes it.
    MissingDataError
        When the files that it is made from are missing.
    """
    file = LOST.get(name)
    if file is None or file.make is None:
        makeable = ", ".join(each.name for each in LOST.values() if each.make is not None)
        raise ArgumentError(f"data make: {name!r} is not one of the files that can be made: {makeable}")
    path = made_in(file) if to_folder is None else to_folder / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    searched = set_folders(file) if from_folder is None else [from_folder]
    try:
        file.make(path, searched)
    except MissingDataError as error:
        raise MissingDataError(
            f"data make: {name} is made from {file.source}; they were sought in "
            + ", ".join(str(place) for place in searched),
            hint="name their folder: --from FOLDER",
        ) from error
    return path


def advice(file: LostFile, folder: Path) -> str:
    """Say which file to put where."""
    target = set_folders(file)[0]
    text = (
        f"{file.name} ({file.text}) is no longer where this program looks for it. Put a copy into {folder or '.'} or into "
        f"{target}, or name a folder that holds it in SEPTET_DATA"
    )
    if file.make is not None:
        text += f"; or let `septet data make {file.name}` make it from {file.source}"
    return text


def is_gone(address: str) -> bool:
    """Tell whether an address is one of a host that no longer has what it had."""
    return address.partition("://")[2].startswith(GONE_HOSTS)
