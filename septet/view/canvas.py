"""What the pictures share: a figure without global state, its colours, and saving it whole."""

from __future__ import annotations

import importlib
import os
from typing import Any

from septet.base.errors import NotSupportedError
from septet.base.files import open_atomic

__all__ = ["BLUE", "GRAY", "INK", "LIGHT", "ORANGE", "RED", "new_figure", "require", "save_figure"]

# Okabe and Ito's palette, told apart with every kind of colour vision ("Color Universal Design", 2008).
BLUE = "#0072b2"
ORANGE = "#d55e00"
RED = "#c1121f"  # only together with a frame and words, never as the one sign of an error
INK = "#222222"
GRAY = "#6b6b6b"
LIGHT = "#dddddd"

_DPI = 120


def require(module: str, package: str, function: str) -> Any:
    """Import a module of the optional packages that pictures need.

    Raises
    ------
    NotSupportedError
        When the package is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise NotSupportedError(
            f"{function} needs {package}, which cannot be imported ({error}): pip install septet[view]"
        ) from error


def new_figure(function: str, width: float, height: float) -> Any:
    """Return an empty figure of a size in inches, with its own canvas: no window, no pyplot, safe in threads."""
    figure_module = require("matplotlib.figure", "matplotlib", function)
    canvas_module = require("matplotlib.backends.backend_agg", "matplotlib", function)
    figure = figure_module.Figure(figsize=(width, height), dpi=_DPI, facecolor="white", layout="constrained")
    canvas_module.FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, path: str | os.PathLike[str]) -> None:
    """Write the figure as PNG, whole or not at all; the same figure gives the same bytes."""
    with open_atomic(path) as file:
        figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None})
