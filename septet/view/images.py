"""Image files as inputs of a model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy

from septet.base.errors import ArgumentError, DataError, MissingDataError
from septet.view.canvas import needs

__all__ = ["LoadedImage", "load_image"]

_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as everywhere in image files
_NPY_MAGIC = b"\x93NUMPY"
_FLAT = 0.02  # a picture whose values span less holds nothing to compare with its background
# A pixel that differs from the border by this share of the greatest difference belongs to the figure.
_FIGURE_FROM = 0.3
_FINER = 4  # a figure is put in its place at up to this many times the size of the input


class LoadedImage(NamedTuple):
    """An image as a model's input, and what was done to it."""

    pixels: numpy.ndarray
    """float32, in the shape asked for, from 0 to 1."""
    is_inverted: bool
    """Whether dark and light were exchanged."""
    note: str
    """One sentence for the user: size, colours and inversion, with its reason."""


def load_image(
    path: str | os.PathLike[str],
    shape: Sequence[int],
    *,
    invert: bool | None = None,
    keep_aspect: bool = True,
    crop: bool = False,
) -> LoadedImage:
    """Read a PNG, JPEG or ``.npy`` file as one input of an image model.

    The image is turned as its camera says, put on plain paper where it is transparent, made gray or RGB as the shape
    asks, resized with an antialiasing filter (Lanczos), and scaled to 0 ... 1. The models of MNIST and its like expect
    light figures on black, so a dark figure on light paper is inverted.

    Parameters
    ----------
    path : str or os.PathLike
        The file; its content decides the format. A ``.npy`` file holds uint8 or uint16 over their
        whole range, booleans, or floats from 0 to 1.
    shape : sequence of int
        The model's input without the batch.
    invert : bool, optional
        Whether to exchange dark and light. When not given, a gray input is inverted if its figure is darker than
        its border; a colour input never is. The note says what was decided, and why.
    keep_aspect : bool
        Whether to fill the rest of the input with the colour of the border rather than to distort the figure.
    crop : bool
        Whether to cut the border off first, so that the figure fills the input, as the 8 x 8 digits do. The centre of
        mass of the figure then comes to the middle, as far as it fits.

    Returns
    -------
    LoadedImage
        ``pixels``, ``is_inverted``, ``note``.

    Shape
    -----
    `shape` is ``(H, W)``, ``(1, H, W)`` or ``(3, H, W)``; so is the result's.

    Dtype
    -----
    float32

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When the file is not an image, or is damaged.
    ArgumentError
        When the shape is not that of an image.
    NotSupportedError
        When Pillow is not installed and needed: ``pip install septet[view]``.
    """
    name = os.fspath(path)
    height, width, channels = _read_shape(shape)
    if not Path(name).is_file():
        raise MissingDataError(f"load_image: there is no file {name!r}")
    values = _read_file(name)  # (H, W) or (H, W, 3), float32 in 0 ... 1
    source_height, source_width = values.shape[:2]
    was_colour = values.ndim == 3
    values = _as_channels(values, channels)
    is_inverted, reason = _decide_inversion(values, invert)
    background = numpy.median(_border(values), axis=0)  # () or (3,)
    if crop:
        values = _crop(values, background)
    values = _fit(values, height, width, background, crop) if keep_aspect else _resize(values, height, width)
    if is_inverted:
        values = 1 - values
    pixels = numpy.moveaxis(values, -1, 0) if values.ndim == 3 else values  # (C, H, W) or (H, W)
    pixels = numpy.ascontiguousarray(pixels, dtype=numpy.float32).reshape(tuple(shape))
    colours = "colour" if was_colour else "gray"
    target = "colour" if channels == 3 else "gray"
    note = (
        f"{source_width} x {source_height} {colours}{' cropped and' if crop else ''} made {width} x {height} {target}; "
        f"{'inverted' if is_inverted else 'not inverted'}: {reason}"
    )
    return LoadedImage(pixels, is_inverted, note)


def _read_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    sizes = tuple(shape)
    channels = sizes[0] if len(sizes) == 3 else 1
    if len(sizes) not in (2, 3) or channels not in (1, 3) or min(sizes) < 1:
        raise ArgumentError(f"load_image: shape must be (H, W), (1, H, W) or (3, H, W), received {sizes}")
    return sizes[-2], sizes[-1], channels


def _read_file(name: str) -> numpy.ndarray:
    with open(name, "rb") as file:
        is_npy = file.read(len(_NPY_MAGIC)) == _NPY_MAGIC
    values = _read_npy(name) if is_npy else _read_picture(name)
    if values.size == 0:
        raise DataError(f"load_image: {name!r} holds no pixels, shape {values.shape}")
    return values


def _read_npy(name: str) -> numpy.ndarray:
    try:
        values = numpy.load(name, allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError, MemoryError) as error:
        raise DataError(f"load_image: {name!r} is a damaged or foreign .npy file: {error}") from error
    if values.ndim == 3 and values.shape[0] in (1, 3) and values.shape[2] not in (1, 3):
        values = numpy.moveaxis(values, 0, -1)  # (H, W, C)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.ndim != 2 and not (values.ndim == 3 and values.shape[2] == 3):
        raise DataError(
            f"load_image: {name!r}: expected (H, W), (1, H, W), (3, H, W) or (H, W, 3), found {values.shape}"
        )
    if values.dtype in (numpy.uint8, numpy.uint16):
        return _scale(values, float(numpy.iinfo(values.dtype).max))
    if values.dtype.kind not in "bf":  # wider integers do not say which value is white
        raise DataError(
            f"load_image: {name!r}: expected uint8 or uint16 over their whole range, booleans, or floats from 0 to 1, "
            f"found dtype {values.dtype}"
        )
    values = values.astype(numpy.float32)
    if not ((values >= 0) & (values <= 1)).all():
        raise DataError(
            f"load_image: {name!r}: floats must be from 0 to 1, found {values.min():.4g} to {values.max():.4g}"
        )
    return values


def _read_picture(name: str) -> numpy.ndarray:
    with needs("Pillow", "load_image"):
        from PIL import Image, ImageOps
    try:
        with Image.open(name) as opened:
            picture = ImageOps.exif_transpose(opened)
            picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"load_image: {name!r} is not an image that can be read: {error}") from error
    if picture.mode.startswith("I;16") or picture.mode == "I":  # 16 bits per pixel
        return _scale(numpy.asarray(picture), 65535.0)
    if picture.mode == "F":
        values = numpy.asarray(picture, dtype=numpy.float32)
        return _scale(values, max(float(values.max()), 1.0))
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        return _on_paper(numpy.asarray(picture.convert("RGBA"), dtype=numpy.float32) / 255)
    if picture.mode in ("1", "L"):
        return _scale(numpy.asarray(picture.convert("L")), 255.0)
    return _scale(numpy.asarray(picture.convert("RGB")), 255.0)


def _scale(values: numpy.ndarray, largest: float) -> numpy.ndarray:
    return numpy.clip(values.astype(numpy.float32) / numpy.float32(largest), 0, 1)


def _on_paper(values: numpy.ndarray) -> numpy.ndarray:
    """Put a transparent picture on white paper or, when what is drawn is light, on black."""
    colours, opacity = values[:, :, :3], values[:, :, 3:]  # (H, W, 3), (H, W, 1)
    weight = float(opacity.sum())
    ink = float((_luminance(colours) * opacity[:, :, 0]).sum()) / weight if weight else 0.0
    paper = 1.0 if ink < 0.5 else 0.0
    return (colours * opacity + paper * (1 - opacity)).astype(numpy.float32)


def _luminance(values: numpy.ndarray) -> numpy.ndarray:
    return values @ numpy.array(_LUMINANCE, dtype=numpy.float32)  # (H, W, 3) -> (H, W)


def _as_channels(values: numpy.ndarray, channels: int) -> numpy.ndarray:
    if channels == 1:
        return _luminance(values) if values.ndim == 3 else values  # (H, W)
    return values if values.ndim == 3 else numpy.repeat(values[:, :, None], 3, axis=2)  # (H, W, 3)


def _border(values: numpy.ndarray) -> numpy.ndarray:
    """Return the pixels of the outermost rows and columns, (P,) or (P, 3)."""
    return numpy.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def _decide_inversion(values: numpy.ndarray, invert: bool | None) -> tuple[bool, str]:
    """Return whether to invert, and the reason."""
    if invert is not None:
        return bool(invert), "as asked"
    if values.ndim == 3:
        return False, "a colour image"
    background = float(numpy.median(_border(values)))
    darkest, lightest = (float(value) for value in numpy.percentile(values, (1, 99)))
    if lightest - darkest < _FLAT:
        darkest, lightest = float(values.min()), float(values.max())  # a few thin lines
    if lightest - darkest < _FLAT:
        return False, "the image is flat"
    if background - darkest > lightest - background:
        return True, "a dark figure on a light background"
    return False, "a light figure on a dark background"


def _crop(values: numpy.ndarray, background: numpy.ndarray) -> numpy.ndarray:
    """Return the smallest rectangle with all pixels that differ clearly from the background; all of a flat picture."""
    difference = numpy.abs(values - background)  # (H, W) or (H, W, 3)
    if values.ndim == 3:
        difference = difference.max(axis=2)
    if difference.max() < _FLAT:
        return values
    is_figure = difference > _FIGURE_FROM * difference.max()
    rows, columns = numpy.flatnonzero(is_figure.any(axis=1)), numpy.flatnonzero(is_figure.any(axis=0))
    return values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fit(values: numpy.ndarray, height: int, width: int, background: numpy.ndarray, by_mass: bool) -> numpy.ndarray:
    """Resize by the same factor both ways, as large as it fits, and put the background around it.

    The figure is put in its place before it shrinks to the last size, so that it can lie between two pixels: half a
    pixel is much in an input of 8 x 8.
    """
    factor = min(height / values.shape[0], width / values.shape[1])
    finer = min(max(1 / factor, 1.0), _FINER)
    page_shape = (round(height * finer), round(width * finer))
    inner_shape = tuple(
        max(1, min(most, round(size * factor * finer))) for size, most in zip(values.shape[:2], page_shape, strict=True)
    )
    inner = _resize(values, *inner_shape)
    centre = _centre(inner, background) if by_mass else (inner_shape[0] / 2, inner_shape[1] / 2)
    above, left = (
        max(0, min(int(outer / 2 - middle), outer - size))
        for outer, middle, size in zip(page_shape, centre, inner_shape, strict=True)
    )
    page = numpy.empty((*page_shape, *values.shape[2:]), dtype=numpy.float32)
    page[...] = background
    page[above : above + inner_shape[0], left : left + inner_shape[1]] = inner
    return _resize(page, height, width)


def _centre(values: numpy.ndarray, background: numpy.ndarray) -> tuple[float, float]:
    """Return the centre of mass of what differs from the background, in pixels from the upper left corner."""
    mass = numpy.abs(values - background)
    if values.ndim == 3:
        mass = mass.sum(axis=2)
    total = float(mass.sum())
    if total == 0:
        return values.shape[0] / 2, values.shape[1] / 2
    row, column = (float(mass.sum(axis=1 - axis) @ (numpy.arange(mass.shape[axis]) + 0.5)) / total for axis in (0, 1))
    return row, column


def _resize(values: numpy.ndarray, height: int, width: int) -> numpy.ndarray:
    """Resize each channel in float32; Pillow's filter covers all source pixels when it shrinks."""
    if values.shape[:2] == (height, width):
        return values
    with needs("Pillow", "load_image"):
        from PIL import Image
    channels = [values] if values.ndim == 2 else list(numpy.moveaxis(values, -1, 0))
    resized = [
        numpy.asarray(
            Image.fromarray(numpy.ascontiguousarray(channel, dtype=numpy.float32)).resize(
                (width, height), Image.Resampling.LANCZOS
            )
        )
        for channel in channels
    ]
    result = resized[0] if values.ndim == 2 else numpy.stack(resized, axis=-1)
    return numpy.clip(result, 0, 1)  # Lanczos overshoots at edges
