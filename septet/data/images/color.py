"""Steps that change colours, and bring pixels to the range that models like."""

from __future__ import annotations

from typing import Any

import numpy

from septet.base.errors import ArgumentError, ShapeError
from septet.data.images.chain import Step

__all__ = ["ColorJitter", "Normalize", "Scale"]

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601: how bright red, green and blue are


class Scale(Step):
    """Bring integers to floats from 0 to 1: uint8 is divided by 255. Floats stay as they are."""

    def apply(self, image: numpy.ndarray, random: Any) -> numpy.ndarray:
        """Divide by the largest value of the dtype."""
        if image.dtype.kind == "f":
            return image.astype(numpy.float32, copy=False)
        return image * numpy.float32(1 / _largest(image))


class Normalize(Step):
    """Bring pixels to floats from 0 to 1, subtract a mean, and divide by a standard deviation.

    Parameters
    ----------
    mean, std : float or sequence of float
        One for all channels, or one for each. Those of ImageNet are ``(0.485, 0.456, 0.406)`` and
        ``(0.229, 0.224, 0.225)``.
    """

    def __init__(self, mean: Any, std: Any) -> None:
        self.mean, self.std = mean, std
        means, deviations = numpy.asarray(mean, numpy.float64), numpy.asarray(std, numpy.float64)
        if means.ndim > 1 or deviations.ndim > 1 or not (deviations > 0).all():
            raise ArgumentError(
                f"Normalize: mean and std must be numbers or sequences of them, std above 0; received {mean!r}, {std!r}"
            )

    def apply(self, image: numpy.ndarray, random: Any) -> numpy.ndarray:
        """Multiply and add, in one pass each."""
        factor = 1 / (numpy.asarray(self.std, numpy.float64) * (1 if image.dtype.kind == "f" else _largest(image)))
        offset = -numpy.asarray(self.mean, numpy.float64) / numpy.asarray(self.std, numpy.float64)
        for values in (factor, offset):
            if values.ndim and len(values) != len(image):
                raise ShapeError(f"Normalize: {len(values)} values do not fit {len(image)} channels")
        result = numpy.multiply(image, _column(factor), dtype=numpy.float32, order="C")
        result += _column(offset)
        return result


class ColorJitter(Step):
    """Change brightness, contrast, saturation and hue by random factors, in random order.

    Parameters
    ----------
    brightness, contrast, saturation : float
        Each factor is drawn evenly from ``max(0, 1 - x)`` to ``1 + x``.
    hue : float
        The hue is turned by a share of the circle, drawn evenly from ``-hue`` to ``hue``; at most 0.5.
    """

    is_random = True

    def __init__(
        self, brightness: float = 0.0, contrast: float = 0.0, saturation: float = 0.0, hue: float = 0.0
    ) -> None:  # fmt: skip
        amounts = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue}
        for name, value in amounts.items():
            if not isinstance(value, int | float) or not 0 <= value < (0.5000001 if name == "hue" else float("inf")):
                raise ArgumentError(f"ColorJitter: {name} must be at least 0 (hue at most 0.5), received {value!r}")
        self.brightness, self.contrast, self.saturation, self.hue = brightness, contrast, saturation, hue

    def apply(self, image: numpy.ndarray, random: Any) -> numpy.ndarray:
        """Draw factors, and apply them from 0 to 1."""
        if (self.saturation or self.hue) and len(image) != 3:
            raise ShapeError(f"ColorJitter: saturation and hue need 3 channels (RGB), the image has {len(image)}")
        most = 1.0 if image.dtype.kind == "f" else _largest(image)
        result = image * numpy.float32(1 / most)
        for change in random.permutation(4):
            amount = (self.brightness, self.contrast, self.saturation, self.hue)[change]
            draw = random.uniform(-amount, amount) if change == 3 else random.uniform(max(0.0, 1 - amount), 1 + amount)
            if not amount:
                continue
            if change == 3:
                result = _turn_hue(result, draw)
                continue
            other: Any = 0.0
            if change == 1:
                other = (_gray(result) if len(result) == 3 else result).mean(dtype=numpy.float64)
            elif change == 2:
                other = _gray(result)
            result = numpy.clip(result * numpy.float32(draw) + numpy.float32(1 - draw) * other, 0, 1)
        if image.dtype.kind == "f":
            return result.astype(image.dtype, copy=False)
        return numpy.rint(result * numpy.float32(most)).astype(image.dtype)


def _largest(image: numpy.ndarray) -> int:
    return 1 if image.dtype.kind == "b" else int(numpy.iinfo(image.dtype).max)


def _column(values: numpy.ndarray) -> numpy.ndarray:
    values = values.astype(numpy.float32)
    return values.reshape(-1, 1, 1) if values.ndim else values


def _gray(image: numpy.ndarray) -> numpy.ndarray:
    red, green, blue = (numpy.float32(weight) for weight in _LUMA)
    return image[0] * red + image[1] * green + image[2] * blue


def _turn_hue(image: numpy.ndarray, turn: float) -> numpy.ndarray:
    """Turn the hue in the hexagon of HSV (A. R. Smith, "Color gamut transform pairs", 1978)."""
    value = image.max(axis=0)
    chroma = value - image.min(axis=0)
    safe = numpy.where(chroma > 0, chroma, 1)
    red, green, blue = image
    hue = numpy.where(
        value == red,
        (green - blue) / safe,
        numpy.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    hue = hue + numpy.float32(6 * turn)
    channels = []
    for offset in (5, 3, 1):
        k = (hue + offset) % 6
        channels.append(value - chroma * numpy.clip(numpy.minimum(k, 4 - k), 0, 1))
    return numpy.stack(channels).astype(numpy.float32)
