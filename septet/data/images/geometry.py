"""Steps that move, cut and resize images."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy

from septet.base.errors import ArgumentError, ShapeError
from septet.data.images.chain import Step, pair_of, range_of

__all__ = [
    "CenterCrop", "RandomAffine", "RandomCrop", "RandomErasing", "RandomFlip", "RandomResizedCrop", "Resize", "resize",
]  # fmt: skip

_TRIES = 10  # draws of a box before the largest one in the middle is taken: as torchvision does


def resize(image: numpy.ndarray, size: int | tuple[int, int]) -> numpy.ndarray:
    """Resize an image with a linear filter, which averages over as many pixels as become one.

    Parameters
    ----------
    image : ndarray, (C, H, W)
    size : int or (int, int)
        Height and width.

    Returns
    -------
    ndarray, (C, *size)
        Of the same dtype; integers are rounded.

    Source
    ------
    The triangle filter of P. Heckbert's "zoom", as in Pillow's BILINEAR; its values differ from Pillow's by at most 1.

    Examples
    --------
    >>> resize(numpy.array([[[0.0, 1.0], [2.0, 3.0]]]), 1)
    array([[[1.5]]])
    """
    height, width = pair_of("resize", "size", size)
    if image.shape[1:] == (height, width):
        return image
    kind = numpy.float64 if image.dtype == numpy.float64 else numpy.float32
    result = image.astype(kind)
    # the axis that shrinks more goes first: less is left for the other one
    for axis in sorted((1, 2), key=lambda axis: (height, width)[axis - 1] / image.shape[axis]):
        result = _along(result, axis, (height, width)[axis - 1])
    return _as(result, image.dtype)


@functools.lru_cache(256)
def _taps(before: int, after: int) -> list[tuple[numpy.ndarray, numpy.ndarray]]:
    """Return positions and weights: entry `i` has the `i`-th pixel that goes into each new one."""
    scale = before / after
    reach = max(scale, 1.0)
    centers = (numpy.arange(after) + 0.5) * scale
    first = numpy.maximum((centers - reach + 0.5).astype(int), 0)
    count = int(numpy.max(numpy.minimum((centers + reach + 0.5).astype(int), before) - first))
    positions = first + numpy.arange(count)[:, None]
    weights = numpy.maximum(1 - abs((positions + 0.5 - centers) / reach), 0) * (positions < before)
    weights /= weights.sum(axis=0)
    return [(numpy.minimum(p, before - 1), w.astype(numpy.float32)) for p, w in zip(positions, weights) if w.any()]


def _along(image: numpy.ndarray, axis: int, size: int) -> numpy.ndarray:
    if image.shape[axis] == size:
        return image
    result: Any = 0
    for positions, weights in _taps(image.shape[axis], size):
        weights = weights[:, None] if axis == 1 else weights
        result = result + image.take(positions, axis=axis) * weights
    return result


def _as(image: numpy.ndarray, dtype: numpy.dtype) -> numpy.ndarray:
    if dtype.kind in "iu":
        limits = numpy.iinfo(dtype)
        return numpy.clip(numpy.rint(image), limits.min, limits.max).astype(dtype)
    return image.astype(dtype, copy=False)


class Resize(Step):
    """Resize to height and width, or so that the shorter side has a size.

    Parameters
    ----------
    size : int or (int, int)
        A single number is the size of the shorter side; the other one follows.
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        pair_of("Resize", "size", size)
        self.size = size

    def apply(self, image: numpy.ndarray, random: Any) -> numpy.ndarray:
        """Resize."""
        if not isinstance(self.size, int):
            return resize(image, self.size)
        height, width = image.shape[1:]
        shorter = min(height, width)
        return resize(image, (max(height * self.size // shorter, 1), max(width * self.size // shorter, 1)))


class CenterCrop(Step):
    """Cut out the middle.

    Parameters
    ----------
    size : int or (int, int)
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.size = pair_of("CenterCrop", "size", size)

    def apply(self, image: numpy.ndarray, random: Any) -> numpy.ndarray:
        """Cut."""
        _check_fits("CenterCrop", image, self.size)
        top, left = (round((have - want) / 2) for have, want in zip(image.shape[1:], self.size))
        return image[:, top : top + self.size[0], left : left + self.size[1]]


class RandomCrop(Step):
    """Cut out a part of a fixed size, at a random place.

    Parameters
    ----------
    size : int or (int, int)
    padding : int
        Pixels that are added on all sides before.
    mode : {"constant", "reflect", "edge"}
        What is added: 0, the image mirrored, or its last pixels.
    """

    is_random = True

    def __init__(self, size: int | tuple[int, int], padding: int = 0, mode: str = "constant") -> None:
        self.size = pair_of("RandomCrop", "size", size)
        if not isinstance(padding, int) or padding < 0 or mode not in ("constant", "reflect", "edge"):
            raise ArgumentError(
                "RandomCrop: padding must be an integer of at least 0, mode 'constant', 'reflect' or 'edge'; received "
                f"padding={padding!r}, mode={mode!r}"
            )
        self.padding, self.mode = padding, mode

    def apply(self, image: numpy.ndarray, random: Any) -> numpy.ndarray:
        """Pad and cut."""
        if self.padding:
            sides = ((0, 0), (self.padding, self.padding), (self.padding, self.padding))
            image = numpy.pad(image, sides, mode=self.mode)  # type: ignore[call-overload]
        _check_fits("RandomCrop", image, self.size)
        top, left = (int(random.integers(have - want + 1)) for have, want in zip(image.shape[1:], self.size))
        return image[:, top : top + self.size[0], left : left + self.size[1]]


class RandomFlip(Step):
    """Mirror with a probability.

    Parameters
    ----------
    axis : {"horizontal", "vertical"}
        Left and right change places, or top and bottom.
    probability : float
    """

    is_random = True

    def __init__(self, axis: str = "horizontal", probability: float = 0.5) -> None:
        if axis not in ("horizontal", "vertical"):
            raise ArgumentError(f"RandomFlip: axis must be 'horizontal' or 'vertical', received {axis!r}")
        self.axis, self.probability = axis, _probability("RandomFlip", probability)

    def apply(self, image: numpy.ndarray, random: Any) -> numpy.ndarray:
        """Mirror or not."""
        if random.random() >= self.probability:
            return image
        return image[:, :, ::-1] if self.axis == "horizontal" else image[:, ::-1]


class RandomResizedCrop(Step):
    """Cut out a part of random size, place and form, and resize it.

    Parameters
    ----------
    size : int or (int, int)
        Of the result.
    scale : (float, float)
        The share of the image's area, drawn evenly.
    ratio : (float, float)
        Width to height, drawn evenly by its logarithm.

    Source
    ------
    C. Szegedy et al., "Going Deeper with Convolutions", 2015, section 6.
    """

    is_random = True

    def __init__(
        self, size: int | tuple[int, int], scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
    ) -> None:  # fmt: skip
        self.size = pair_of("RandomResizedCrop", "size", size)
        self.scale = range_of("RandomResizedCrop", "scale", scale, 0.0)
        self.ratio = range_of("RandomResizedCrop", "ratio", ratio, 1e-3)

    def apply(self, image: numpy.ndarray, random: Any) -> numpy.ndarray:
        """Cut and resize."""
        top, left, height, width = _box(image.shape[1:], self.scale, self.ratio, random)
        return resize(image[:, top : top + height, left : left + width], self.size)


def _box(
    shape: tuple[int, ...], scale: tuple[float, float], ratio: tuple[float, float], random: Any
) -> tuple[int, int, int, int]:
    """Draw top, left, height and width of a part of an image."""
    rows, columns = shape
    for _ in range(_TRIES):
        area = rows * columns * random.uniform(*scale)
        form = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
        height, width = round(math.sqrt(area / form)), round(math.sqrt(area * form))
        if 0 < height <= rows and 0 < width <= columns:
            return int(random.integers(rows - height + 1)), int(random.integers(columns - width + 1)), height, width
    form = min(max(columns / rows, ratio[0]), ratio[1])
    height, width = (
        (rows, max(round(rows * form), 1)) if columns / rows > form else (max(round(columns / form), 1), columns)
    )
    return (rows - height) // 2, (columns - width) // 2, height, width


class RandomAffine(Step):
    """Turn, move, scale and shear about the middle.

    Parameters
    ----------
    degrees : float
        The largest angle, in both directions.
    translate : float
        The largest shift, as a share of height and width.
    scale : (float, float)
        Factors of size, drawn evenly.
    shear : float
        The largest angle of shearing along the rows, in degrees.
    fill : float
        What comes from outside of the image.
    """

    is_random = True

    def __init__(
        self, degrees: float = 0.0, translate: float = 0.0, scale: tuple[float, float] = (1.0, 1.0),
        shear: float = 0.0, fill: float = 0.0,
    ) -> None:  # fmt: skip
        for name, value in (("degrees", degrees), ("translate", translate), ("shear", shear)):
            if not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise ArgumentError(f"RandomAffine: {name} must be a number of at least 0, received {value!r}")
        if shear >= 90:
            raise ArgumentError(f"RandomAffine: shear must be below 90 degrees, received {shear!r}")
        self.degrees, self.translate, self.shear, self.fill = degrees, translate, shear, fill
        self.scale = range_of("RandomAffine", "scale", scale, 1e-6)

    def apply(self, image: numpy.ndarray, random: Any) -> numpy.ndarray:
        """Draw a map, and take each new pixel from where it comes from, between pixels linearly."""
        angle, shear = (math.radians(random.uniform(-most, most)) for most in (self.degrees, self.shear))
        down, right = (random.uniform(-self.translate, self.translate) * have for have in image.shape[1:])
        factor = random.uniform(*self.scale)
        turn = numpy.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])  # (y, x)
        forward = factor * turn @ numpy.array([[1.0, 0.0], [math.tan(shear), 1.0]])
        return _sample(image, numpy.linalg.inv(forward), (down, right), self.fill)


def _sample(image: numpy.ndarray, back: numpy.ndarray, shift: tuple[float, float], fill: float) -> numpy.ndarray:
    rows, columns = image.shape[1:]
    middle = ((rows - 1) / 2, (columns - 1) / 2)
    y = numpy.arange(rows)[:, None] - middle[0] - shift[0]
    x = numpy.arange(columns) - middle[1] - shift[1]
    from_y = (back[0, 0] * y + back[0, 1] * x + middle[0]).astype(numpy.float32)  # (H, W)
    from_x = (back[1, 0] * y + back[1, 1] * x + middle[1]).astype(numpy.float32)
    # a border of `fill` of one pixel on each side: what is taken from further out is all fill
    padded = numpy.pad(image.astype(numpy.float32), ((0, 0), (1, 1), (1, 1)), constant_values=fill)
    from_y = numpy.clip(from_y + 1, 0, rows + 0.9999)
    from_x = numpy.clip(from_x + 1, 0, columns + 0.9999)
    top, left = from_y.astype(numpy.intp), from_x.astype(numpy.intp)
    low, right = from_y - top, from_x - left  # how far below and to the right of the pixel
    flat = padded.reshape(len(padded), -1)
    place = top * (columns + 2) + left
    above = flat[:, place] * (1 - right) + flat[:, place + 1] * right
    below = flat[:, place + columns + 2] * (1 - right) + flat[:, place + columns + 3] * right
    return _as(above * (1 - low) + below * low, image.dtype)


class RandomErasing(Step):
    """Overwrite a part of random size, place and form, with a probability.

    Parameters
    ----------
    probability : float
    scale : (float, float)
        The share of the image's area.
    ratio : (float, float)
        Width to height.
    value : float or None
        What is written: None means random numbers from the range of the dtype.

    Source
    ------
    Z. Zhong et al., "Random Erasing Data Augmentation", 2017; T. DeVries, G. Taylor, "Improved Regularization of
    Convolutional Neural Networks with Cutout", 2017: with ``scale=(s, s), ratio=(1, 1)``.
    """

    is_random = True

    def __init__(
        self, probability: float = 0.5, scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3), value: float | None = 0.0,
    ) -> None:  # fmt: skip
        self.probability = _probability("RandomErasing", probability)
        self.scale = range_of("RandomErasing", "scale", scale, 0.0)
        self.ratio, self.value = range_of("RandomErasing", "ratio", ratio, 1e-3), value

    def apply(self, image: numpy.ndarray, random: Any) -> numpy.ndarray:
        """Overwrite a copy, or return the image."""
        if random.random() >= self.probability:
            return image
        top, left, height, width = _box(image.shape[1:], self.scale, self.ratio, random)
        image = image.copy()
        part = image[:, top : top + height, left : left + width]
        if self.value is not None:
            part[...] = self.value
        elif image.dtype.kind in "iu":
            part[...] = random.integers(0, int(numpy.iinfo(image.dtype).max) + 1, part.shape)
        else:
            part[...] = random.random(part.shape)
        return image


def _check_fits(function: str, image: numpy.ndarray, size: tuple[int, int]) -> None:
    if image.shape[1] < size[0] or image.shape[2] < size[1]:
        raise ShapeError(
            f"{function}: the image has height and width {image.shape[1:]}, less than {size}",
            hint="Resize before, or padding=...",
        )


def _probability(function: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ArgumentError(f"{function}: probability must be from 0 to 1, received {value!r}")
    return float(value)
