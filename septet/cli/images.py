"""A folder of images, a sub-folder for each class, as arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from septet.base.errors import ArgumentError, DataError, MissingDataError
from septet.base.text import plural
from septet.view.canvas import needs

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
TRAINING, HELD_OUT = ("train", "training"), ("val", "valid", "validation", "test", "testing")
LARGEST = 64  # pixels of a side, where nobody asks for more: a small network trains on it in minutes on two cores
MULTIPLE = 8  # of sides, so that pooling by 2 loses no border


class Form(NamedTuple):
    """What every image of a model's input is made into.

    Attributes
    ----------
    height, width : int
    channels : int
        1 for gray, 3 for colours.
    """

    height: int
    width: int
    channels: int


class Files(NamedTuple):
    """The images that a folder holds.

    Attributes
    ----------
    paths : list of Path
    labels : ndarray of int64, (N,)
    """

    paths: list[Path]
    labels: np.ndarray

    def take(self, indices: np.ndarray) -> Files:
        """Return some of them."""
        return Files([self.paths[index] for index in indices], self.labels[indices])


def find_images(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the image files in a folder and below, in the order of their names."""
    return sorted(
        path
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )


def class_folders(folder: Path) -> dict[str, Path]:
    """Return the sub-folders of a folder by name."""
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")}


def list_folder(folder: str | os.PathLike[str], classes: Sequence[str] | None = None) -> tuple[Files, list[str]]:
    """Return the images of a folder with a sub-folder for each class, and the names of the classes.

    Parameters
    ----------
    folder : path
    classes : sequence of str, optional
        The classes to look for; others are an error. By default all sub-folders.

    Raises
    ------
    MissingDataError
        If there is no such folder.
    DataError
        If it has not at least two sub-folders with images (one, where the classes are given), or an unknown class.
    """
    place = Path(folder)
    if not place.is_dir():
        raise MissingDataError(f"there is no folder {os.fspath(folder)!r}")
    found = {name: find_images(path) for name, path in class_folders(place).items()}
    if classes is not None:
        strange = sorted(set(found) - set(classes))
        if strange:
            raise DataError(
                f"{place}: the model has no class {strange[0]!r}; its classes are {', '.join(classes)}",
                hint="sub-folders must have the names of the classes that the model was trained on",
            )
        names = list(classes)
    else:
        names = [name for name, paths in found.items() if paths]
    least = 2 if classes is None else 1
    filled = [name for name in names if found.get(name)]
    if len(filled) < least:
        raise DataError(
            f"{place}: expected a sub-folder with images for each class, {least} at least; "
            f"found {plural(len(filled), 'sub-folder')} with images ({', '.join(SUFFIXES)})",
            hint=f"for example {place / 'cat' / '1.jpg'} and {place / 'dog' / '1.jpg'}",
        )
    paths = [path for name in names for path in found.get(name, [])]
    labels = [index for index, name in enumerate(names) for _ in found.get(name, [])]
    return Files(paths, np.array(labels, np.int64)), names


def split_folders(folder: Path) -> tuple[Path, Path | None]:
    """Return the folders to train on and to hold out, where a folder is divided so by the names of sub-folders."""
    below = {name.lower(): path for name, path in class_folders(folder).items()} if folder.is_dir() else {}
    training = next((below[name] for name in TRAINING if name in below), None)
    held_out = next((below[name] for name in HELD_OUT if name in below), None)
    return (folder, None) if training is None else (training, held_out)


def choose_form(paths: Sequence[Path], size: int | None = None) -> Form:
    """Return the form of a model's input for some images: square, gray where none of them has colours."""
    with needs("Pillow", "reading images"):
        from PIL import Image
    sizes, is_colour = [], False
    for path in paths[:: max(1, len(paths) // 200)]:
        with _opened(path, Image) as picture:
            sizes.append(max(picture.size))
            is_colour = is_colour or picture.mode not in ("1", "L", "LA", "I", "I;16", "F")
    side = size or min(LARGEST, int(np.median(sizes)))
    side = max(MULTIPLE, MULTIPLE * round(side / MULTIPLE)) if size is None else side
    return Form(side, side, 3 if is_colour else 1)


def read_image(path: str | os.PathLike[str], form: Form) -> np.ndarray:
    """Return an image as uint8 (C, H, W), as large as it fits, with its border's colour around it.

    Raises
    ------
    DataError
        If it is no image, or damaged.
    """
    with needs("Pillow", "reading images"):
        from PIL import Image, ImageOps
    with _opened(path, Image) as opened:
        try:
            opened.draft("RGB" if form.channels == 3 else "L", (2 * form.width, 2 * form.height))  # JPEG: fewer pixels
            picture = ImageOps.exif_transpose(opened)
            if picture.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in picture.info:
                paper = Image.new("RGBA", picture.size, "white")
                picture = Image.alpha_composite(paper, picture.convert("RGBA"))
            if picture.mode.startswith("I") or picture.mode == "F":
                picture = Image.fromarray((np.asarray(picture, np.float32) / 257).clip(0, 255).astype(np.uint8))
            picture = picture.convert("RGB" if form.channels == 3 else "L")
        except (OSError, ValueError, SyntaxError) as error:
            raise DataError(f"{os.fspath(path)!r} is not an image that can be read: {error}") from error
    factor = min(form.width / picture.width, form.height / picture.height)
    inner = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
    if picture.size != inner:
        picture = picture.resize(inner, Image.Resampling.LANCZOS)
    pixels = np.asarray(picture).reshape(inner[1], inner[0], form.channels)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    page = np.empty((form.height, form.width, form.channels), np.uint8)
    page[...] = np.median(border, axis=0)
    above, left = (form.height - inner[1]) // 2, (form.width - inner[0]) // 2
    page[above : above + inner[1], left : left + inner[0]] = pixels
    return np.ascontiguousarray(page.transpose(2, 0, 1))


def read_images(
    paths: Sequence[Path], form: Form, progress: Callable[[Iterable[Any], int], Iterable[Any]] | None = None
) -> np.ndarray:
    """Return images as uint8 (N, C, H, W), read by some threads.

    Parameters
    ----------
    paths : sequence of Path
    form : Form
    progress : callable, optional
        Is given an iterable and its length, and returns it with a bar that shows how far it is.
    """
    with ThreadPoolExecutor() as pool:
        read = pool.map(lambda path: read_image(path, form), paths)
        return np.stack(list(progress(read, len(paths)) if progress else read))


def as_floats(batch: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Return a batch with its pixels as float32 from 0 to 1."""
    return (batch[0].astype(np.float32) / np.float32(255), *batch[1:])


def _opened(path: str | os.PathLike[str], image: Any) -> Any:
    try:
        return image.open(path)
    except FileNotFoundError:
        raise MissingDataError(f"there is no file {os.fspath(path)!r}") from None
    except (OSError, ValueError, image.DecompressionBombError) as error:
        raise DataError(f"{os.fspath(path)!r} is not an image that can be read: {error}") from error


def check_size(size: int | None) -> None:
    """Raise where a side is too short for the network."""
    if size is not None and size < MULTIPLE:
        raise ArgumentError(f"size must be at least {MULTIPLE} pixels, received {size}")
