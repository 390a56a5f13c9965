"""Mixtures of images, for batches: mixup and cutmix."""

from __future__ import annotations

import math
from typing import Any

import numpy

from septet.base.errors import ArgumentError, IndexOutOfRangeError
from septet.data.stage import positive

__all__ = ["CutMix", "Mixup"]


class _Mixing:
    """What both share: pairs of samples, and their labels as probabilities."""

    def __init__(self, classes: int, alpha: float) -> None:
        self.classes = positive(type(self).__name__, "classes", classes)
        if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < float("inf"):
            raise ArgumentError(f"{type(self).__name__}: alpha must be above 0, received {alpha!r}")
        self.alpha = float(alpha)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(classes={self.classes}, alpha={self.alpha})"

    def __call__(self, batch: Any, random: numpy.random.Generator) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Mix the images of a batch (images, labels), in pairs drawn at random.

        Returns
        -------
        (images, probabilities) : (ndarray, ndarray of float32)

        Shape
        -----
        (N, C, H, W), (N,) -> (N, C, H, W), (N, classes)
        """
        images, labels = batch
        labels = numpy.asarray(labels)
        if labels.ndim == 1:
            if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < self.classes:
                raise IndexOutOfRangeError(f"{self!r}: labels reach from {labels.min()} to {labels.max()}")
            labels = numpy.eye(self.classes, dtype=numpy.float32)[labels]
        share = float(random.beta(self.alpha, self.alpha))
        others = random.permutation(len(images))
        mixed, share = self.mix(numpy.asarray(images), others, share, random)
        return mixed, numpy.float32(share) * labels + numpy.float32(1 - share) * labels[others]

    def mix(
        self, images: numpy.ndarray, others: numpy.ndarray, share: float, random: Any
    ) -> tuple[numpy.ndarray, float]:  # fmt: skip
        """Return mixed images, and the share of the first of each pair."""
        raise NotImplementedError


class Mixup(_Mixing):
    """Weighted means of two images and of their labels. For ``stream.batch(...).map(Mixup(10), seed=...)``.

    Parameters
    ----------
    classes : int
        How many classes there are.
    alpha : float
        The weight is drawn from the beta distribution (alpha, alpha): small ones mix little.

    Source
    ------
    H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2017.
    """

    def __init__(self, classes: int, alpha: float = 0.2) -> None:
        super().__init__(classes, alpha)

    def mix(
        self, images: numpy.ndarray, others: numpy.ndarray, share: float, random: Any
    ) -> tuple[numpy.ndarray, float]:  # fmt: skip
        """Take means."""
        mixed = images.astype(numpy.float32, copy=False)
        result = mixed * numpy.float32(share) + mixed[others] * numpy.float32(1 - share)
        if images.dtype.kind in "iu":
            return numpy.rint(result).astype(images.dtype), share
        return result.astype(images.dtype, copy=False), share


class CutMix(_Mixing):
    """A part of each image from another one; the labels by the shares of the area.

    Parameters
    ----------
    classes : int
    alpha : float
        The share is drawn from the beta distribution (alpha, alpha).

    Source
    ------
    S. Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features", 2019.
    """

    def __init__(self, classes: int, alpha: float = 1.0) -> None:
        super().__init__(classes, alpha)

    def mix(
        self, images: numpy.ndarray, others: numpy.ndarray, share: float, random: Any
    ) -> tuple[numpy.ndarray, float]:  # fmt: skip
        """Copy one box from the other images."""
        rows, columns = images.shape[-2:]
        side = math.sqrt(1 - share)
        middle = random.integers(rows), random.integers(columns)
        top, low = (max(0, min(rows, round(middle[0] + sign * rows * side / 2))) for sign in (-1, 1))
        left, right = (max(0, min(columns, round(middle[1] + sign * columns * side / 2))) for sign in (-1, 1))
        mixed = images.copy()
        mixed[..., top:low, left:right] = images[others][..., top:low, left:right]
        return mixed, 1 - (low - top) * (right - left) / (rows * columns)
