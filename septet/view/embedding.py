"""Embeddings: many numbers for each example, seen in two of their directions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, ShapeError
from septet.view.canvas import BLUE, COLOURS, INK, LIGHT, MARKERS, Picture, finish, head, new_figure

__all__ = ["plot_embedding", "principal_components"]


def principal_components(vectors: Any, count: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Project vectors on the directions in which they vary most.

    Parameters
    ----------
    vectors : array_like, (N, features)
    count : int
        How many directions.

    Returns
    -------
    (ndarray, ndarray)
        The coordinates, (N, count), and the share of the variance along each direction, (count,). Each direction points
        to where the coordinate of largest size is positive, so that equal data give equal pictures.

    Raises
    ------
    ShapeError
        If the vectors are no matrix, or too few.
    ArgumentError
        If they are not finite.

    Source
    ------
    Pearson, "On lines and planes of closest fit to systems of points in space" (1901), by singular values.

    Examples
    --------
    >>> points, shares = principal_components([[1, 1, 0], [2, 2, 0], [6, 6, 0]], 1)
    >>> points.round(6).tolist(), shares.round(6).tolist()
    ([[-2.828427], [-1.414214], [4.242641]], [1.0])
    """
    table = np.asarray(vectors, dtype=np.float64)
    if table.ndim != 2 or min(table.shape, default=0) < max(count, 1) or len(table) < 2:
        raise ShapeError(
            f"principal_components: expected (N, features) with {max(count, 2)} vectors and {count} features at least, "
            f"received shape {table.shape}"
        )
    if not np.isfinite(table).all():
        raise ArgumentError("principal_components: the vectors must be finite")
    centred = table - table.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    points = left[:, :count] * sizes[:count]
    peaks = points[np.abs(points).argmax(axis=0), np.arange(count)]
    total = float((sizes**2).sum()) or 1.0
    return points * np.where(peaks < 0, -1.0, 1.0), sizes[:count] ** 2 / total


def plot_embedding(
    vectors: Any,
    labels: Any = None,
    class_names: Sequence[str] | None = None,
    path: str | os.PathLike[str] | None = None,
    *,
    texts: Sequence[str] | None = None,
    title: str = "Embedding",
) -> Picture:
    """Draw vectors as points, in the two directions in which they vary most (PCA).

    Parameters
    ----------
    vectors : array_like, (N, features)
        Such as the result of a model's last layer but one, or the table of an `Embedding`.
    labels : array_like of int, (N,), optional
        Classes: each has a colour and a form.
    class_names : sequence of str, optional
    path : str or os.PathLike, optional
        The PNG, SVG or PDF file to make or to replace.
    texts : sequence of str, (N,), optional
        What is written beside the points.
    title : str

    Returns
    -------
    Picture

    Raises
    ------
    ShapeError
        If there is not one label and one text for each vector, or the vectors are no matrix.
    ArgumentError
        If a class has no name.
    """
    points, shares = principal_components(vectors)
    classes = None if labels is None else np.asarray(labels)
    for name, values in (("labels", classes), ("texts", texts)):
        if values is not None and len(values) != len(points):
            raise ShapeError(f"plot_embedding: {len(values)} {name} for {len(points)} vectors")
    figure = new_figure("plot_embedding", 7.4 if classes is not None else 6.0, 5.4)
    panel = figure.subplots()
    if classes is None:
        panel.scatter(*points.T, s=18, color=BLUE, alpha=0.8, linewidth=0)
    else:
        if classes.ndim != 1 or classes.dtype.kind not in "iu" or classes.min() < 0:
            raise ArgumentError(f"plot_embedding: labels must be integers of at least 0, received {classes.dtype}")
        names = [str(index) for index in range(classes.max() + 1)] if class_names is None else list(class_names)
        if classes.max() >= len(names):
            raise ArgumentError(f"plot_embedding: there is a label {classes.max()}, but {len(names)} class names")
        for index in np.unique(classes):
            colour, form = COLOURS[index % len(COLOURS)], MARKERS[(index + index // len(COLOURS)) % len(MARKERS)]
            chosen = points[classes == index]
            panel.scatter(*chosen.T, s=24, color=colour, marker=form, alpha=0.75, linewidth=0, label=names[index])
        legend = panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9, title="class")
        for text in legend.get_texts():
            text.set_parse_math(False)
    for text, (x, y) in zip(texts or (), points, strict=False):
        panel.annotate(text, (x, y), xytext=(4, 3), textcoords="offset points", fontsize=8, color=INK, parse_math=False)
    panel.set_xlabel(f"first direction ({100 * shares[0]:.0f} % of the variance)", color=INK)
    panel.set_ylabel(f"second direction ({100 * shares[1]:.0f} %)", color=INK)
    panel.grid(True, color=LIGHT, linewidth=0.7)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    head(figure, title)
    return finish(figure, path, f"{title}: {len(points)} vectors in two directions")
