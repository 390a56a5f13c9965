"""What the pictures share: a figure without global state, its colours, and saving it whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from septet.base.errors import NotSupportedError
from septet.base.files import open_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BLUE", "GRAY", "INK", "LIGHT", "ORANGE", "RED", "TINTS", "needs", "new_figure", "save_figure"]

# Okabe and Ito's palette, told apart with every kind of colour vision ("Color Universal Design", 2008).
BLUE = "#0072b2"
ORANGE = "#d55e00"
RED = "#c1121f"  # only together with a frame and words, never as the one sign of an error
INK = "#222222"
GRAY = "#6b6b6b"
LIGHT = "#dddddd"

TINTS = {
    "input": "#d6e8f5",
    "parameter": "#fde3cf",
    "state": "#f6efc9",
    "constant": "#eeeeee",
    "op": "#ffffff",
    "output": "#d6e8f5",
    "update": "#d5efe3",
    "group": "#f4f4f4",
}
"""What the boxes of graphs are filled with: pale, so that black text on it has a contrast of 14 and more; shape and
words say the same."""

_DPI = 120


@contextlib.contextmanager
def needs(package: str, function: str) -> Iterator[None]:
    """Enclose the import of an optional package, so that its absence is told in the user's terms.

    Raises
    ------
    NotSupportedError
        When the package is not installed; the message says how to install it.
    """
    try:
        yield
    except ImportError as error:
        raise NotSupportedError(
            f"{function} needs {package}, which cannot be imported ({error}): pip install septet[view]"
        ) from error


def new_figure(function: str, width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, with its own canvas: no window, no pyplot, safe in threads."""
    with needs("matplotlib", function):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write the figure as PNG, whole or not at all; the same figure gives the same bytes."""
    with open_atomic(path) as file:
        figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None})
