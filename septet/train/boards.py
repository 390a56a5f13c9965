"""The log as pictures: TensorBoard's event files, learning curves, a page that can be watched while training runs."""

from __future__ import annotations

import base64
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from septet.base.errors import NotSupportedError
from septet.base.files import open_atomic
from septet.base.hooks import hook
from septet.train.events import EventFile
from septet.train.extension import Extension
from septet.train.log import Record, Row
from septet.train.report import report_page

if TYPE_CHECKING:
    from septet.train.loop import Loop

PLACES = ("event", "epoch", "step")


class TensorBoard(Extension):
    """Write the log as event files: ``tensorboard --logdir FOLDER`` shows them. Nothing else needs to be installed.

    Numbers of epochs are scalars, those of batches are called ``batch/...``; histograms, images and texts of the log
    are shown as such, notes as texts.

    Parameters
    ----------
    folder : str or path
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._file: EventFile | None = None

    def on_record(self, loop: Loop, record: Record) -> None:
        if self._file is None:
            self._file = EventFile(self.folder)
        file, event, step = self._file, record["event"], record["step"]
        if event == "resume":
            file.start(step + 1)
        elif event in ("epoch", "batch", "monitor"):
            prefix = "" if event == "epoch" else f"{event}/"
            for name, value in record.items():
                if name not in PLACES and isinstance(value, (int, float)):
                    file.scalar(prefix + name, value, step)
        elif event == "histogram":
            name, edges, counts = record["name"], record["edges"], record["counts"]
            file.histogram(name, edges, counts, record["sum"], record["sum_of_squares"], step)
        elif event == "image":
            png = base64.b64decode(record["png"])
            file.image(record["name"], png, record["height"], record["width"], step)
        elif event in ("text", "note"):
            file.text(record.get("name", "notes"), record["text"], step)
        if event != "batch":
            file.flush()

    def on_end(self, loop: Loop) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class Curves(Extension):
    """Draw the learning curves to a PNG file after each epoch; see `septet.view.plot_curves`.

    Parameters
    ----------
    path : str or path
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def on_start(self, loop: Loop) -> None:
        try:
            import matplotlib  # noqa: F401 (found out now, not after an epoch)
        except ImportError:
            raise NotSupportedError("Curves needs matplotlib: pip install septet[view]") from None

    def on_epoch(self, loop: Loop, row: Row) -> None:
        hook("view").plot_curves(loop.log.rows(), self.path)


class Report(Extension):
    """Keep a page of HTML with the curves of all values, the last values and the notes: open it in any browser.

    The page needs no other file, and renews itself while the training runs.

    Parameters
    ----------
    path : str or path
    title : str
    every_seconds : float
        How often it is written at most, where batches are logged; after each epoch it is written anyway.
    """

    def __init__(self, path: str | os.PathLike[str], title: str = "Training", every_seconds: float = 5.0) -> None:
        self.path, self.title, self.every_seconds = Path(path), title, every_seconds
        self._written = -math.inf

    def on_record(self, loop: Loop, record: Record) -> None:
        is_time = time.monotonic() - self._written >= self.every_seconds
        if record["event"] in ("epoch", "note", "start", "resume", "end") or (record["event"] == "batch" and is_time):
            self._written = time.monotonic()
            page = report_page(self.title, loop.log, loop.epochs, loop.steps)
            with open_atomic(self.path) as file:
                file.write(page.encode())
