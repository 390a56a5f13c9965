"""Confusion matrices: which class is taken for which."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, ShapeError
from septet.view.canvas import GRAY, INK, Picture, finish, head, new_figure

__all__ = ["plot_confusion"]

_NUMBERS_UP_TO = 25  # classes; with more, numbers would not fit into their cells


def plot_confusion(
    counts: Any,
    class_names: Sequence[str] | None = None,
    path: str | os.PathLike[str] | None = None,
    *,
    title: str = "Confusion matrix",
) -> Picture:
    """Draw how often examples of each class were taken for each class.

    A cell's shade is the share of its row, so that rare classes are seen as well as frequent ones; its number counts
    examples. What is right lies on the diagonal.

    Parameters
    ----------
    counts : array_like or ConfusionMatrix
        A row for each true class, a column for each predicted one.
    class_names : sequence of str, optional
    path : str or os.PathLike, optional
        The PNG, SVG or PDF file to make or to replace.
    title : str

    Returns
    -------
    Picture

    Shape
    -----
    counts ``(C, C)``.

    Raises
    ------
    ShapeError
        If the counts are not a square matrix, or not for as many classes as there are names.
    ArgumentError
        If a count is negative or not finite.

    Examples
    --------
    >>> plot_confusion([[8, 2], [0, 10]], ["cat", "dog"])
    Picture(Confusion matrix: 18 of 20 examples right)
    """
    table = np.asarray(counts.matrix() if hasattr(counts, "matrix") else counts, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not table.size:
        raise ShapeError(f"plot_confusion: counts must be a square matrix, received shape {table.shape}")
    names = [str(index) for index in range(len(table))] if class_names is None else list(class_names)
    if len(names) != len(table):
        raise ShapeError(f"plot_confusion: {len(names)} class names for counts of shape {table.shape}")
    if not (np.isfinite(table) & (table >= 0)).all():
        raise ArgumentError("plot_confusion: counts must be finite, and at least 0")
    totals = table.sum(axis=1, keepdims=True)
    shares = np.divide(table, totals, out=np.zeros_like(table), where=totals > 0)

    side = min(max(3.2, 0.55 * len(names) + 2.0), 14.0)
    figure = new_figure("plot_confusion", side + 1.2, side)
    panel = figure.subplots()
    shown = panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(names) <= _NUMBERS_UP_TO:
        for (row, column), count in np.ndenumerate(table):
            colour = "white" if shares[row, column] > 0.55 else INK if count else GRAY
            panel.text(column, row, f"{count:g}", ha="center", va="center", color=colour, fontsize=9)
    ticks = range(len(names))
    is_long = max(map(len, names)) > 3
    panel.set_xticks(ticks, names, rotation=45 if is_long else 0, ha="right" if is_long else "center", parse_math=False)
    panel.set_yticks(ticks, names, parse_math=False)
    panel.set_xlabel("predicted class", color=INK)
    panel.set_ylabel("true class", color=INK)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    bar = figure.colorbar(shown, ax=panel, shrink=0.8, format=lambda value, _: f"{100 * value:.0f} %")
    bar.set_label("share of the true class", color=INK)
    bar.outline.set_visible(False)  # type: ignore[operator]
    right, whole = table.trace(), table.sum()
    head(figure, title, f"{right:g} of {whole:g} right ({100 * right / max(whole, 1):.1f} %)")
    return finish(figure, path, f"{title}: {right:g} of {whole:g} examples right")
