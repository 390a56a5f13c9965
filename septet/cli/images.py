"""A folder of images, a sub-folder for each class: how it is divided, and the form that a model's inputs have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from septet.base.errors import DataError
from septet.base.text import listing, plural
from septet.data import ImageFolder, read_image, split_indices
from septet.data.images import Chain, RandomCrop, RandomFlip, Scale
from septet.data.sources.extras import needs
from septet.data.sources.pictures import SUFFIXES

TRAINING, HELD_OUT = ("train", "training"), ("val", "valid", "validation", "test", "testing")
LARGEST = 64  # pixels of a side, where nobody asks for more: a small network trains on it in minutes on two cores
MULTIPLE = 8  # of sides, so that pooling by 2 loses no border

Bar = Callable[[Iterable[Any], int], Iterable[Any]]
"""Is given an iterable and its length, and returns it with a bar that shows how far it is."""


class Form(NamedTuple):
    """What every image is made into.

    Attributes
    ----------
    height, width : int
    channels : int
        1 for gray, 3 for colours.
    """

    height: int
    width: int
    channels: int

    def read(self, path: str) -> np.ndarray:
        """Return an image as uint8 (C, H, W)."""
        mode = "RGB" if self.channels == 3 else "L"
        return np.ascontiguousarray(read_image(path, size=(self.height, self.width), mode=mode))

    def attempt(self, path: str) -> Any:
        """Return the same, or the error where the image cannot be read."""
        try:
            return self.read(path)
        except DataError as error:
            return error


class Files(NamedTuple):
    """Image files with their classes.

    Attributes
    ----------
    paths : list of str
    labels : ndarray of int64, (N,)
    """

    paths: list[str]
    labels: np.ndarray

    def take(self, indices: np.ndarray) -> Files:
        """Return some of them."""
        return Files([self.paths[index] for index in indices], self.labels[indices])

    def read(self, form: Form, bar: Bar | None = None, skips_damaged: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Read all images, by some threads.

        Parameters
        ----------
        form : Form
        bar : callable, optional
            Shows how far reading is.
        skips_damaged : bool
            Leave out what cannot be read, and say so.

        Returns
        -------
        pixels : ndarray of uint8, (N, C, H, W)
        places : ndarray of int64, (N,)
            Which of the files these are.

        Raises
        ------
        DataError
            If images cannot be read; it names all of them, so that nobody has to find them one by one.
        """
        with ThreadPoolExecutor() as pool:
            tried = pool.map(form.attempt, self.paths)
            found = list(bar(tried, len(self.paths)) if bar else tried)
        errors = {path: item for path, item in zip(self.paths, found) if isinstance(item, DataError)}
        if errors:
            several = f"{plural(len(errors), 'image')} cannot be read: {listing(_some([*map(repr, errors)]))}"
            first = next(iter(errors.values()))
            if not skips_damaged or len(errors) == len(found):
                raise DataError(
                    several if len(errors) > 1 else first.message,
                    hint="take what is damaged out of the folder; or leave it out with --skip-damaged",
                )
            click.echo(f"left out: {several}", err=True)
        places = [place for place, item in enumerate(found) if not isinstance(item, DataError)]
        return np.stack([found[place] for place in places]), np.array(places, np.int64)


def list_folder(folder: str | Path, classes: Sequence[str] | None = None) -> tuple[Files, list[str]]:
    """Return the images of a folder, and the names of the classes: those given, or all sub-folders.

    Raises
    ------
    MissingDataError, DataError
        If there is no such folder, no image in it, a class that the model does not have, or one class only.
    """
    found = ImageFolder(folder, classes=classes)
    filled = [name for index, name in enumerate(found.classes) if (found.labels == index).any()]
    if classes is None and len(filled) < 2:
        raise DataError(
            f"{folder}: a network learns to tell classes apart; found images of one class only, {filled[0]!r}",
            hint="each class has a sub-folder: photos/cat/1.jpg, photos/dog/1.jpg",
        )
    names = list(found.classes) if classes is not None else filled
    labels = np.array([names.index(found.classes[label]) for label in found.labels], np.int64)
    return Files([str(Path(found.folder) / path) for path in found.paths], labels), names


def split_folders(folder: Path) -> tuple[Path, Path | None]:
    """Return the folders to train on and to hold out, where a folder is divided so by the names of sub-folders."""
    below = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else {}
    training = next((below[name] for name in TRAINING if name in below), None)
    held_out = next((below[name] for name in HELD_OUT if name in below), None)
    return (folder, None) if training is None else (training, held_out)


def divide(folder: Path, share: float, seed: int) -> tuple[Files, Files, list[str]]:
    """Return the images of a folder to train on and those held out, and the names of the classes."""
    training, testing = split_folders(folder)
    files, classes = list_folder(training)
    if testing is not None:
        return files, list_folder(testing, classes)[0], classes
    first, second = split_indices(len(files.paths), 1 - share, seed=seed, stratify=files.labels)
    return files.take(first), files.take(second), classes


def find_images(folder: Path) -> list[Path]:
    """Return the image files in a folder and below, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.name[0] != ".")


def choose_form(paths: Sequence[str], size: int | None = None) -> Form:
    """Return the form of a model's input for some images: square, gray where none of them has colours."""
    with needs("Pillow", "reading images"):
        from PIL import Image
    sizes, is_colour = [], False
    for path in paths[:: max(1, len(paths) // 200)]:
        try:
            with Image.open(path) as picture:
                sizes.append(max(picture.size))
                is_colour = is_colour or picture.mode not in ("1", "L", "LA", "I", "I;16", "F")
        except OSError:
            continue  # `Files.read` names all images that cannot be read
    if not sizes:
        raise DataError(f"{listing(_some([*map(repr, paths)]))}: not an image among them that can be read")
    side = size or max(MULTIPLE, MULTIPLE * round(min(LARGEST, float(np.median(sizes))) / MULTIPLE))
    return Form(side, side, 3 if is_colour else 1)


def _some(names: list[str], most: int = 10) -> list[str]:
    return names if len(names) <= most else [*names[:most], f"{len(names) - most} more"]


def as_floats(batch: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Return a batch with its pixels as float32 from 0 to 1."""
    return (Scale().apply(batch[0], None), *batch[1:])


def variations(form: Form) -> Chain:
    """Return what makes another picture of the same thing of an image: moved a little, and mirrored if it has colours.

    Gray images may be letters and digits, which do not stay what they are in a mirror.
    """
    moved = RandomCrop((form.height, form.width), padding=max(1, form.height // 10), mode="edge")
    return Chain(moved, RandomFlip(), Scale()) if form.channels == 3 else Chain(moved, Scale())
