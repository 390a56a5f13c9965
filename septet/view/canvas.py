"""What the pictures share: a figure without global state, its colours, and saving it whole."""

from __future__ import annotations

import base64
import contextlib
import html
import io
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from septet.base.errors import ArgumentError, NotSupportedError
from septet.base.files import open_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "BLUE", "COLOURS", "GRAY", "INK", "LIGHT", "MARKERS", "ORANGE", "RED", "TINTS", "Picture", "finish", "head",
    "needs", "new_figure", "save_figure",
]  # fmt: skip

# Okabe and Ito's palette, told apart with every kind of colour vision ("Color Universal Design", 2008).
BLUE = "#0072b2"
ORANGE = "#d55e00"
RED = "#c1121f"  # only together with a frame and words, never as the one sign of an error
INK = "#222222"
GRAY = "#6b6b6b"
LIGHT = "#dddddd"

COLOURS = (BLUE, ORANGE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c8c00")
MARKERS = "osD^vPX*"
"""For classes: colour and form change together, so that no class is told by its colour alone."""
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


def new_figure(function: str, width: float, height: float, layout: Any = "constrained") -> Figure:
    """Return an empty figure of a size in inches, with its own canvas: no window, no pyplot, safe in threads."""
    with needs("matplotlib", function):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    return figure


class Picture:
    """A picture; notebooks show it.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
    about : str
        What is on it, for those who cannot see it.
    """

    def __init__(self, figure: Figure, about: str) -> None:
        self.figure = figure
        self.about = about

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture, whole or not at all; the suffix says whether as .png, .svg or .pdf."""
        save_figure(self.figure, path)

    def png(self) -> bytes:
        """Return the picture as PNG."""
        return _drawn(self.figure, "png")

    def svg(self) -> str:
        """Return the picture as SVG."""
        return _drawn(self.figure, "svg").decode()

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png()).decode()
        return f'<img src="data:image/png;base64,{data}" alt="{html.escape(self.about)}" style="max-width: 100%">'

    def __repr__(self) -> str:
        return f"Picture({self.about})"


def finish(figure: Figure, path: str | os.PathLike[str] | None, about: str) -> Picture:
    """Return a picture, and write it where a path is given."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # each drawing would move panels a little: all files show the same
    if path is not None:
        save_figure(figure, path)
    return Picture(figure, about)


def head(figure: Figure, title: str, note: str = "") -> None:
    """Put a title above a picture, and a note below it."""
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=13, fontweight="bold")
    if note:
        figure.supxlabel(note, x=0.99, ha="right", color=GRAY, fontsize=9)


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write the figure as its suffix says, PNG without one, whole or not at all; the same figure gives the same bytes.

    Raises
    ------
    ArgumentError
        For a suffix that is not known.
    """
    form = os.path.splitext(os.fspath(path))[1].lower().lstrip(".") or "png"
    if form not in _METADATA:
        known = ", ".join(f".{name}" for name in _METADATA)
        raise ArgumentError(f"pictures are saved as {known}, received {os.fspath(path)!r}")
    data = _drawn(figure, form)
    with open_atomic(path) as file:
        file.write(data)


_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What files would say about when and by what they were made."""


def _drawn(figure: Figure, form: str) -> bytes:
    from matplotlib import rc_context

    file = io.BytesIO()
    with rc_context({"svg.hashsalt": "septet", "svg.fonttype": "none"}):
        figure.savefig(file, format=form, dpi=_DPI, metadata=_METADATA[form])
    return file.getvalue()
