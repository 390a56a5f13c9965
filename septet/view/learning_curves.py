"""Learning curves."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from septet.base.errors import ArgumentError, DataError, MissingDataError
from septet.view.canvas import BLUE, INK, LIGHT, ORANGE, Picture, finish, head, new_figure

__all__ = ["curves", "plot_curves", "read_log"]

_LOG_SCALE_FROM = 20.0  # a loss that falls by more than this factor is drawn on a logarithmic axis
_MARKERS_UP_TO = 30  # epochs; beyond it, markers would touch
_SERIES = (("", "train", BLUE, "o", "-"), ("val_", "held out", ORANGE, "s", "--"))


def plot_curves(
    log: Sequence[Mapping[str, Any]] | str | os.PathLike[str],
    path: str | os.PathLike[str] | None = None,
    *,
    title: str = "Learning curve",
) -> Picture:
    """Draw loss and accuracy of each epoch, on training and on held-out data; also called `curves`.

    Parameters
    ----------
    log : sequence of mappings, or path
        What `fit` returned, or the file of JSON lines that it wrote: one mapping per epoch, in order, with ``loss``
        and, where known, ``val_loss``, ``accuracy``, ``val_accuracy`` (0 to 1), ``seconds`` and ``epoch``. A value that
        is absent, None or NaN leaves a gap. Without ``epoch``, epochs count from 1.
    path : str or os.PathLike, optional
        The PNG, SVG or PDF file to make or to replace. It appears whole or not at all.
    title : str
        The heading.

    Returns
    -------
    Picture

    Raises
    ------
    ArgumentError
        When the log is empty, has no loss, or holds something else than numbers.
    NotSupportedError
        When matplotlib is not installed: ``pip install septet[view]``.
    """
    if isinstance(log, str | os.PathLike):
        log = read_log(log)
    if not log:
        raise ArgumentError("plot_curves: the log is empty; expected one mapping per epoch")
    if all(math.isnan(value) for value in _column(log, "loss") + _column(log, "val_loss")):
        keys = sorted({str(key) for entry in log for key in entry})
        raise ArgumentError(f"plot_curves: no epoch has a finite 'loss' or 'val_loss'; the log's keys are {keys}")
    epochs = _epochs(log)
    accuracies = [value for key in ("accuracy", "val_accuracy") for value in _column(log, key)]
    has_accuracy = not all(math.isnan(value) for value in accuracies)

    figure = new_figure("plot_curves", 11.0 if has_accuracy else 6.0, 4.4)
    panels = figure.subplots(1, 2 if has_accuracy else 1, squeeze=False)[0]
    _draw_panel(panels[0], log, epochs, "loss", best=min)
    panels[0].set_title("Loss", loc="left", color=INK, fontsize=11, fontweight="bold")
    _scale_loss(panels[0], [value for key in ("loss", "val_loss") for value in _column(log, key)])
    if has_accuracy:
        _draw_panel(panels[1], log, epochs, "accuracy", best=max)
        panels[1].set_title("Accuracy", loc="left", color=INK, fontsize=11, fontweight="bold")
        _scale_accuracy(panels[1], accuracies)
    head(figure, title, _footer(log))
    return finish(figure, path, f"{title}: loss{' and accuracy' if has_accuracy else ''} of {len(log)} epochs")


curves = plot_curves


def read_log(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines that have a loss of an epoch.

    Raises
    ------
    MissingDataError, DataError
        If there is no such file, or a line is not JSON.
    """
    if not os.path.isfile(path):
        raise MissingDataError(f"there is no log {os.fspath(path)!r}")
    rows = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(f"{os.fspath(path)!r}, line {number}: this is no JSON: {error}") from None
            if isinstance(row, dict) and row.get("event", "epoch") == "epoch" and "loss" in row:
                rows.append(row)
    return rows


def _draw_panel(panel: Any, log: Sequence[Mapping[str, Any]], epochs: list[float], key: str, best: Any) -> None:
    for prefix, name, colour, marker, line in _SERIES:
        values = _column(log, prefix + key)
        known = [value for value in values if not math.isnan(value)]
        if not known:
            continue
        panel.plot(
            epochs,
            values,
            line,
            color=colour,
            linewidth=1.8,
            marker=marker if len(log) <= _MARKERS_UP_TO or len(known) == 1 else None,
            markersize=4,
            label=f"{name}: {_show(known[-1], key)} at the end",
        )
        if prefix and len(known) > 1:
            place = values.index(best(known))
            panel.plot(
                epochs[place],
                values[place],
                linestyle="none",
                marker="o",
                markersize=11,
                markerfacecolor="none",
                markeredgecolor=colour,
                markeredgewidth=1.6,
                label=f"best held out: {_show(values[place], key)}, epoch {epochs[place]:g}",
            )
    panel.set_xlabel("epoch", color=INK)
    if len(epochs) == 1:
        panel.set_xticks(epochs)
    else:
        panel.xaxis.get_major_locator().set_params(integer=True)
    margin = 0.5 if len(epochs) == 1 else 0.03 * (epochs[-1] - epochs[0])
    panel.set_xlim(epochs[0] - margin, epochs[-1] + margin)
    panel.grid(True, color=LIGHT, linewidth=0.7)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=True, framealpha=0.9, edgecolor="none", fontsize=9, loc="best")


def _scale_loss(panel: Any, values: list[float]) -> None:
    known = [value for value in values if not math.isnan(value)]
    if min(known) > 0 and max(known) / min(known) > _LOG_SCALE_FROM:
        panel.set_yscale("log", subs=(2, 5))
        panel.yaxis.set_major_formatter(_plain)
        panel.yaxis.set_minor_formatter(_plain)
        panel.tick_params(axis="y", which="both", length=3)
    elif min(known) >= 0:
        panel.set_ylim(0, 1.06 * max(known) or 1.0)


def _plain(value: float, _: int) -> str:
    return f"{value:g}"


def _scale_accuracy(panel: Any, values: list[float]) -> None:
    lowest = min(value for value in values if not math.isnan(value))
    highest = max(value for value in values if not math.isnan(value))
    room = max(0.05 * (highest - lowest), 0.01)
    panel.set_ylim(lowest - room, highest + room)
    panel.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %" if value <= 1 + 1e-9 else "")


def _show(value: float, key: str) -> str:
    return f"{100 * value:.2f} %" if key == "accuracy" else f"{value:.4g}"


def _footer(log: Sequence[Mapping[str, Any]]) -> str:
    count = f"{len(log)} epoch" + ("" if len(log) == 1 else "s")
    seconds = [value for value in _column(log, "seconds") if not math.isnan(value)]
    if not seconds:
        return count
    return f"{count} in {sum(seconds):.1f} s ({sum(seconds) / len(seconds):.2f} s each)"


def _epochs(log: Sequence[Mapping[str, Any]]) -> list[float]:
    if all("epoch" in entry for entry in log):
        epochs = _column(log, "epoch")
        if any(not later > sooner for sooner, later in itertools.pairwise(epochs)):
            raise ArgumentError(f"plot_curves: 'epoch' must increase from entry to entry, received {epochs}")
        return epochs
    return [float(number) for number in range(1, len(log) + 1)]


def _column(log: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    """Return the values of a key, with NaN for those that are absent or infinite (which no axis can show)."""
    values = []
    for number, entry in enumerate(log):
        value = entry.get(key)
        try:
            value = math.nan if value is None else float(value)
        except (TypeError, ValueError):
            raise ArgumentError(f"plot_curves: log[{number}][{key!r}] must be a number, received {value!r}") from None
        values.append(value if math.isfinite(value) else math.nan)
    return values
