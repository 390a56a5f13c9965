"""Image files as arrays, and folders of them."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from septet.base.errors import ArgumentError, DataError, IndexOutOfRangeError, MissingDataError
from septet.base.text import plural
from septet.data.sources.extras import needs

__all__ = ["ImageFolder", "decode_image", "read_image"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
_MODES = {"RGB": 3, "L": 1, "RGBA": 4}


def read_image(
    path: str | os.PathLike[str], *, size: tuple[int, int] | None = None, mode: str = "RGB"
) -> numpy.ndarray:  # fmt: skip
    """Read an image file, turned as its camera says; without opacity, what is transparent is on white paper.

    Parameters
    ----------
    path : path
    size : (int, int), optional
        Height and width that the image is resized to. A JPEG file is then decoded at an eighth, a quarter or half of
        its size where that is still larger, which takes less time.
    mode : {"RGB", "L", "RGBA"}
        Colours, gray, or colours with opacity.

    Returns
    -------
    ndarray of uint8, (C, H, W)
        A view of rows of pixels, as they come from the decoder.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When the file is no image, damaged or truncated.
    """
    try:
        return _decode(os.fspath(path), os.fspath(path), size, mode)
    except FileNotFoundError as error:
        if isinstance(error, MissingDataError):
            raise
        raise MissingDataError(f"read_image: there is no file {os.fspath(path)!r}") from None


def decode_image(
    content: bytes, *, size: tuple[int, int] | None = None, mode: str = "RGB", name: str = "the image"
) -> numpy.ndarray:  # fmt: skip
    """Decode the content of an image file. See `read_image`.

    Parameters
    ----------
    content : bytes
    size, mode
        As for `read_image`.
    name : str
        What errors call it.
    """
    return _decode(io.BytesIO(content), name, size, mode)


def _decode(source: Any, name: str, size: tuple[int, int] | None, mode: str) -> numpy.ndarray:
    with needs("Pillow", "reading images"):
        from PIL import Image, ImageOps
    if mode not in _MODES:
        raise ArgumentError(f"read_image: mode must be one of {', '.join(_MODES)}, received {mode!r}")
    try:
        with Image.open(source) as opened:
            if size is not None:
                longest = max(size)  # the image may have to be turned
                opened.draft(mode if mode != "RGBA" else "RGB", (longest, longest))
            image = ImageOps.exif_transpose(opened)
            if mode != "RGBA" and image.has_transparency_data:
                paper = Image.new("RGBA", image.size, "white")
                image = Image.alpha_composite(paper, image.convert("RGBA"))
            if image.mode != mode:
                image = image.convert(mode)
            if size is not None and image.size != (size[1], size[0]):
                image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            pixels = numpy.asarray(image)  # (H, W, C) or (H, W)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, ZeroDivisionError) as error:
        # a damaged file makes Pillow raise any of these
        raise DataError(f"read_image: {name!r}: no image that can be read, or a damaged one: {error}") from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


class ImageFolder:
    """Images in a folder with a sub-folder for each class, read when they are asked for.

    Parameters
    ----------
    folder : path
        Its sub-folders are the classes, in the order of their names; the images in them and below are the samples.
    size : (int, int), optional
        Height and width that images are resized to; as they are when not given.
    mode : {"RGB", "L", "RGBA"}
    classes : sequence of str, optional
        The names of the sub-folders, in the order of the labels: as another folder has them.

    Raises
    ------
    MissingDataError
        When there is no such folder.
    DataError
        When it holds no image, or a folder that is no class.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from PIL import Image
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("cat", "dog"):
    ...     (folder / name).mkdir()
    ...     Image.new("RGB", (8, 6)).save(folder / name / "1.png")
    >>> images = ImageFolder(folder)
    >>> image, label = images[1]
    >>> image.shape, label, images.classes
    ((3, 6, 8), 1, ['cat', 'dog'])
    """

    def __init__(
        self, folder: str | os.PathLike[str], *, size: tuple[int, int] | None = None, mode: str = "RGB",
        classes: Sequence[str] | None = None,
    ) -> None:  # fmt: skip
        place = Path(folder).expanduser()
        if not place.is_dir():
            raise MissingDataError(f"ImageFolder: there is no folder {str(place)!r}")
        found = sorted(path.name for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
        self.classes = found if classes is None else list(classes)
        strange = [name for name in found if name not in self.classes]
        if strange:
            raise DataError(
                f"ImageFolder: {str(place)!r} has the sub-folder {strange[0]!r}, but the classes are "
                f"{', '.join(self.classes)}"
            )
        self.folder, self.size, self.mode = str(place), size, mode
        self.paths: list[str] = []
        labels: list[int] = []
        for label, name in enumerate(self.classes):
            files = sorted(
                str(path.relative_to(place))
                for path in (place / name).rglob("*")
                if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
            )
            self.paths += files
            labels += [label] * len(files)
        self.labels = numpy.array(labels, dtype=numpy.int64)
        if not self.paths:
            raise DataError(
                f"ImageFolder: {str(place)!r} holds no image in a sub-folder for its class ({', '.join(SUFFIXES)})",
                hint=f"for example {place / 'cat' / '1.jpg'} and {place / 'dog' / '1.jpg'}",
            )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[numpy.ndarray, int]:
        """Return (image, label): uint8 (C, H, W), and the number of the class."""
        if not -len(self) <= index < len(self):
            raise IndexOutOfRangeError(f"ImageFolder: index {index} is out of range for {len(self)} images")
        path = os.path.join(self.folder, self.paths[index])
        return read_image(path, size=self.size, mode=self.mode), int(self.labels[index])

    def where(self, index: int) -> str:
        """Name an image in errors."""
        return f"{os.path.join(self.folder, self.paths[index])!r} (image {index})"

    def __repr__(self) -> str:
        return f"ImageFolder({plural(len(self), 'image')} of {plural(len(self.classes), 'class')} in {self.folder!r})"
