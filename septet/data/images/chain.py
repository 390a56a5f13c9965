"""A step changes one image; a chain of steps changes the image of a sample."""

from __future__ import annotations

from typing import Any

import numpy

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import type_text

__all__ = ["Chain", "Step", "pair_of", "range_of"]


class Step:
    """A change of one image. Subclasses define `apply`, and set `is_random` where they use the generator."""

    is_random = False

    def apply(self, image: numpy.ndarray, random: Any) -> numpy.ndarray:
        """Return the changed image; `random` is a `numpy.random.Generator`."""
        raise NotImplementedError

    def __call__(self, sample: Any, random: numpy.random.Generator | None = None) -> Any:
        """Change the image of a sample: see `Chain`."""
        return Chain(self)(sample, random)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


class Chain:
    """Steps one after the other, on the image of a sample.

    Parameters
    ----------
    *steps : Step
        Such as `RandomCrop`. A function of (image, random) works, too.
    name : str
        Under which the image stands, in samples that are dicts.

    Notes
    -----
    A sample is an image, a tuple whose first part is one, or a dict. An image is an array (C, H, W), uint8 from 0 to
    255 or floats from 0 to 1.

    Examples
    --------
    >>> from septet.data import Stream
    >>> pictures = numpy.arange(2 * 3 * 8 * 8, dtype=numpy.uint8).reshape(2, 3, 8, 8)
    >>> from septet.data.images import Normalize, RandomCrop, RandomFlip
    >>> steps = Chain(RandomCrop(6, padding=1), RandomFlip(), Normalize(0.5, 0.25))
    >>> stream = Stream((pictures, [0, 1])).map(steps, seed=1).batch(2)
    >>> next(iter(stream))[0].shape
    (2, 3, 6, 6)
    """

    def __init__(self, *steps: Any, name: str = "image") -> None:
        for step in steps:
            if not callable(step):
                raise ArgumentError(f"Chain: expected steps, received {type(step).__name__}")
        self.steps, self.name = steps, name

    @property
    def is_random(self) -> bool:
        """Whether a step needs random numbers."""
        return any(getattr(step, "is_random", True) for step in self.steps)

    def __call__(self, sample: Any, random: numpy.random.Generator | None = None) -> Any:
        """Change the image of a sample.

        Parameters
        ----------
        sample : array, tuple or dict
        random : numpy.random.Generator, optional
            `Stream.map` gives one for each sample when it has a seed.

        Raises
        ------
        ArgumentError
            When a step needs random numbers and there are none, or the sample has no image.
        ShapeError
            When the image has not three axes.
        """
        if random is None and self.is_random:
            raise ArgumentError(f"{self!r} needs random numbers", hint="stream.map(steps, seed=...) gives them")
        if isinstance(sample, dict):
            if self.name not in sample:
                raise ArgumentError(f"Chain: the sample has no {self.name!r}; it has {', '.join(map(str, sample))}")
            return {**sample, self.name: self._change(sample[self.name], random)}
        if isinstance(sample, tuple):
            return (self._change(sample[0], random), *sample[1:])
        return self._change(sample, random)

    def _change(self, image: Any, random: Any) -> numpy.ndarray:
        image = numpy.asarray(image)
        if image.ndim != 3:
            raise ShapeError(f"Chain: an image has the axes (C, H, W); received {type_text(image)}")
        for step in self.steps:
            image = step.apply(image, random) if isinstance(step, Step) else step(image, random)
        return image

    def __repr__(self) -> str:
        return f"Chain({', '.join(map(repr, self.steps))})"


def pair_of(function: str, name: str, value: Any) -> tuple[int, int]:
    """Return a height and a width, of two integers or of one for both."""
    pair = (value, value) if isinstance(value, int) else value
    if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(isinstance(p, int) and p > 0 for p in pair):
        raise ArgumentError(f"{function}: {name} must be an integer above 0, or two of them, received {value!r}")
    return int(pair[0]), int(pair[1])


def range_of(function: str, name: str, value: Any, least: float) -> tuple[float, float]:
    """Return the ends of a range of numbers."""
    is_pair = isinstance(value, tuple | list) and len(value) == 2
    if not is_pair or not least <= value[0] <= value[1] < float("inf"):
        raise ArgumentError(f"{function}: {name} must be two ascending numbers of at least {least}, received {value!r}")
    return float(value[0]), float(value[1])
