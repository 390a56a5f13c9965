"""The log: what happened in a training, event by event. Everything that shows or keeps anything reads it."""

from __future__ import annotations

import base64
import json
import math
import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, FileFormatError
from septet.base.hooks import hook
from septet.train.png import png_bytes

Record = dict[str, Any]
Row = dict[str, float]

PASSING = frozenset(("batch", "monitor", "histogram", "image", "text"))
"""Events that readers get and nobody keeps for ever: there may be millions of them, or large ones."""

_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Log:
    """Records of events, in order.

    A record is a dict of plain values: ``event`` says what happened ("start", "batch", "epoch", "note", "checkpoint",
    "end" ...), ``step`` and ``epoch`` say when.

    Attributes
    ----------
    records : list of dict
        All but passing events: those of single batches, measurements, histograms, images, text.
    recent : deque of dict
        The last 1000 passing events.
    readers : list of callable
        Called with each record.
    step, epoch : int
        Put into each record.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.recent: deque[Record] = deque(maxlen=1000)
        self.readers: list[Callable[[Record], Any]] = []
        self.step = 0
        self.epoch = 0

    def write(self, event: str, **values: Any) -> Record:
        """Write a record.

        Parameters
        ----------
        event : str
        **values
            Plain values: numbers, text, lists and dicts of them.
        """
        record = {"event": event, "epoch": self.epoch, "step": self.step}
        for name, value in values.items():
            record[name] = value if type(value) is float else plain(value)
        (self.recent if event in PASSING else self.records).append(record)
        for read in self.readers:
            read(record)
        return record

    def note(self, text: str, **values: Any) -> Record:
        """Write something for people to read."""
        return self.write("note", text=text, **values)

    def histogram(self, name: str, values: Any, bins: int = 30) -> Record:
        """Write how many of the finite elements of an array lie in each of some intervals.

        Parameters
        ----------
        name : str
        values : array-like
        bins : int
        """
        array = np.asarray(values, np.float64).ravel()
        finite = array[np.isfinite(array)]
        counts, edges = np.histogram(finite, bins)
        squares = float(finite @ finite)
        return self.write(
            "histogram", name=name, edges=edges.tolist(), counts=counts.tolist(), sum=float(finite.sum()),
            sum_of_squares=squares, least=float(finite.min(initial=0)) if finite.size else 0.0,
            greatest=float(finite.max()) if finite.size else 0.0,
        )  # fmt: skip

    def image(self, name: str, pixels: Any) -> Record:
        """Write a picture.

        Parameters
        ----------
        name : str
        pixels : array, (H, W) or (H, W, C)
            Gray, RGB or RGBA: uint8, or floats from 0 to 1.
        """
        array = np.asarray(pixels)
        data = base64.b64encode(png_bytes(array)).decode()
        return self.write("image", name=name, height=array.shape[0], width=array.shape[1], png=data)

    def text(self, name: str, text: str) -> Record:
        """Write a text, such as a sample of what a model writes."""
        return self.write("text", name=name, text=text)

    def rows(self) -> list[Row]:
        """Return the values of each epoch."""
        return [row_of(record) for record in self.records if record["event"] == "epoch"]


class History(list[Row]):
    """One row for each epoch: epoch, loss, metrics, their values on held-out data (``val_...``), seconds.

    Attributes
    ----------
    was_interrupted : bool
        Whether Ctrl-C ended the training; the last row may then stand for a part of an epoch.
    reason : str
        Why the training ended, where it was not for its last epoch.
    """

    def __init__(self, rows: Iterable[Row] = (), reason: str = "", was_interrupted: bool = False) -> None:
        super().__init__(rows)
        self.reason = reason
        self.was_interrupted = was_interrupted

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> History:
        """Read the rows of the epochs from a file that `JsonLines` wrote."""
        return cls(row_of(record) for record in read_log(path) if record["event"] == "epoch")

    def plot(self, path: str | os.PathLike[str], **words: Any) -> Any:
        """Draw the learning curves; see `septet.view.plot_curves`, which takes the same arguments."""
        return hook("view").plot_curves(self, path, **words)


def row_of(record: Record) -> Row:
    """Return the values of an epoch, without what says where in the training it was."""
    return {name: value for name, value in record.items() if name not in ("event", "step")}


def to_line(record: Record) -> str:
    """Return a record as a line of JSON; numbers that JSON has no word for are written as text."""
    return json.dumps({name: _worded(value) for name, value in record.items()}, allow_nan=False) + "\n"


def from_line(line: str) -> Record:
    """Return the record of a line."""
    record = json.loads(line).items()
    return {name: _WORDS.get(value, value) if isinstance(value, str) else value for name, value in record}


def read_log(path: str | os.PathLike[str]) -> list[Record]:
    """Read the records of a file of JSON lines, as `JsonLines` writes it. A last line that is cut off is left out.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    FileFormatError
        If another line is no record.
    """
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    records = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            records.append(from_line(line))
        except (ValueError, AttributeError):
            raise FileFormatError(
                f"{os.fspath(path)}, line {number}: this is no record of a log: {line[:80]!r}"
            ) from None
    return records


def plain(value: Any) -> Any:
    """Return a value as numbers, text, lists and dicts of Python.

    Raises
    ------
    ArgumentError
        If it holds anything else.
    """
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise ArgumentError(f"a record of a log holds plain values, got {type(value).__name__}: {value!r}")


def _worded(value: Any) -> Any:
    """Return a value with words for the numbers that JSON lacks."""
    if isinstance(value, float) and not math.isfinite(value):
        return next(word for word, number in _WORDS.items() if number == value or (number != number and value != value))
    if isinstance(value, dict):
        return {name: _worded(item) for name, item in value.items()}
    return [_worded(item) for item in value] if isinstance(value, list) else value
