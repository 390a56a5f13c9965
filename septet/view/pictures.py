"""Pages of predictions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import type_text
from septet.view.canvas import INK, LIGHT, RED, Picture, finish, head, new_figure

__all__ = ["plot_predictions"]

_CELL = 1.25  # inches for one image
_LINE = 0.17  # inches for one line of text
_HEAD = 0.75  # inches for the heading


def plot_predictions(
    images: Any,
    labels: Any,
    predictions: Any,
    probabilities: Any,
    class_names: Sequence[str],
    path: str | os.PathLike[str] | None = None,
    *,
    columns: int = 8,
    rows: int = 6,
    title: str = "Predictions",
) -> Picture:
    """Draw a page of images with what the model says they are.

    Wrong predictions have a red frame, and the true name below. The first ``rows * columns`` images are drawn; fewer
    make a smaller page.

    Parameters
    ----------
    images : array_like
        Gray or colour images; the range of each picture's values is taken from all that are drawn.
    labels : array_like of int, or None
        The true classes, where they are known.
    predictions : array_like of int, or None
        The predicted classes; when None, the most probable ones.
    probabilities : array_like of float, or None
        The probability of each class or of the predicted one; when None, no confidence is written.
    class_names : sequence of str
        The name of each class.
    path : str or os.PathLike, optional
        The PNG, SVG or PDF file to make or to replace. It appears whole or not at all.
    columns, rows : int
        The most images beside and below each other.
    title : str
        The heading. How many of the drawn predictions are right is written beside it.

    Returns
    -------
    Picture

    Shape
    -----
    images ``(N, H, W)``, ``(N, 1, H, W)`` or ``(N, 3, H, W)``; labels and predictions ``(N,)``; probabilities ``(N,
    classes)`` or ``(N,)``.

    Raises
    ------
    ShapeError
        When the arrays do not fit together.
    ArgumentError
        When there is no image, a class has no name, or neither predictions nor probabilities are given.
    NotSupportedError
        When matplotlib is not installed: ``pip install septet[view]``.
    """
    if columns < 1 or rows < 1:
        raise ArgumentError(f"plot_predictions: columns and rows must be at least 1, received {columns} and {rows}")
    images = _as_pictures(images)
    names = tuple(class_names)
    predictions, confidences = _read_predictions(len(images), predictions, probabilities, len(names))
    truth = None if labels is None else _read_classes("labels", labels, len(images), len(names))

    count = min(len(images), rows * columns)
    images = images[:count]
    columns = min(columns, count)
    rows = -(-count // columns)
    width = max(columns * _CELL, 3.5)
    figure = new_figure("plot_predictions", width, rows * (_CELL + 2 * _LINE) + _HEAD)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    low, high = _value_range(images)
    for place, panel in enumerate(panels):
        if place >= count:
            panel.set_axis_off()
            continue
        picture = (images[place] - low) / (high - low)
        panel.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        panel.set_xticks([])
        panel.set_yticks([])
        true_name = None if truth is None else names[truth[place]]
        is_wrong = truth is not None and truth[place] != predictions[place]
        panel.spines[:].set(color=RED if is_wrong else LIGHT, linewidth=3 if is_wrong else 0.8)
        panel.set_title(
            _caption(names[predictions[place]], None if confidences is None else confidences[place]),
            color=RED if is_wrong else INK,
            fontsize=8,
            fontweight="bold" if is_wrong else "normal",
            pad=4,
            parse_math=False,
        )
        if is_wrong:
            panel.set_xlabel(f"is {true_name}", color=RED, fontsize=8, labelpad=3, parse_math=False)
    head(figure, title, _note(truth, predictions, count))
    return finish(figure, path, f"{title}: {count} images with predicted classes")


def _caption(name: str, confidence: float | None) -> str:
    return name if confidence is None else f"{name}  {_percent(confidence)}"


def _percent(confidence: float) -> str:
    """Return a probability without claiming certainty: 0.9996 is ">99 %", not "100 %"."""
    if 0.995 <= confidence < 1:
        return ">99 %"
    return f"{100 * confidence:.0f} %"


def _note(truth: numpy.ndarray | None, predictions: numpy.ndarray, count: int) -> str:
    if truth is None:
        return ""
    right = int((truth[:count] == predictions[:count]).sum())
    return f"{right} of {count} right" + ("" if right == count else "; red frame: wrong, with the true class below")


def _as_pictures(images: Any) -> numpy.ndarray:
    """Return float64 images in the layout of pictures: (N, H, W), or (N, H, W, 3)."""
    pictures = numpy.asarray(images)
    is_gray = pictures.ndim == 3 or (pictures.ndim == 4 and pictures.shape[1] == 1)
    if not is_gray and not (pictures.ndim == 4 and pictures.shape[1] == 3):
        raise ShapeError(
            f"plot_predictions: expected images (N, H, W), (N, 1, H, W) or (N, 3, H, W), received {pictures.shape}"
        )
    if pictures.size == 0:
        raise ArgumentError(f"plot_predictions: there is no image to draw, received shape {pictures.shape}")
    pictures = pictures.astype(numpy.float64)
    if is_gray:
        return pictures.reshape(len(pictures), *pictures.shape[-2:])  # (N, H, W)
    return numpy.moveaxis(pictures, 1, -1)  # (N, H, W, 3)


def _value_range(images: numpy.ndarray) -> tuple[float, float]:
    """Return the values to draw in black and in white."""
    finite = images[numpy.isfinite(images)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0 and high <= 1:
        return 0.0, 1.0  # already pictures: the brightness of a dim page is kept
    return low, high if high > low else low + 1


def _read_predictions(
    count: int, predictions: Any, probabilities: Any, classes: int
) -> tuple[numpy.ndarray, numpy.ndarray | None]:
    """Return the predicted classes and, where probabilities are given, the probability of each."""
    if probabilities is None:
        if predictions is None:
            raise ArgumentError("plot_predictions: give predictions, probabilities, or both")
        return _read_classes("predictions", predictions, count, classes), None
    table = numpy.asarray(probabilities, dtype=numpy.float64)
    if table.shape not in ((count,), (count, classes)):
        raise ShapeError(
            f"plot_predictions: probabilities must have shape ({count}, {classes}) or ({count},) for {count} images "
            f"and {classes} class names, received {table.shape}"
        )
    if not ((table >= 0) & (table <= 1 + 1e-3)).all():
        raise ArgumentError(
            "plot_predictions: probabilities must be from 0 to 1, received values from "
            f"{table.min():.4g} to {table.max():.4g}; apply softmax to logits first"
        )
    if predictions is None:
        if table.ndim == 1:
            raise ArgumentError(
                "plot_predictions: predictions=None needs the probabilities of all classes, received one each"
            )
        predictions = table.argmax(axis=1)
    predictions = _read_classes("predictions", predictions, count, classes)
    return predictions, table if table.ndim == 1 else table[numpy.arange(count), predictions]


def _read_classes(name: str, values: Any, count: int, classes: int) -> numpy.ndarray:
    numbers = numpy.asarray(values)
    if numbers.shape != (count,) or numbers.dtype.kind not in "iu":
        raise ShapeError(
            f"plot_predictions: {name} must be {count} integers, one per image, received {type_text(numbers)}"
        )
    is_outside = (numbers < 0) | (numbers >= classes)
    if is_outside.any():
        place = int(is_outside.argmax())
        raise ArgumentError(
            f"plot_predictions: {name}[{place}] is {numbers[place]}, but there are {classes} class names"
        )
    return numbers
