"""Showing progress: a live bar on a terminal, plain lines in a file."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

from septet.base.text import seconds_text
from septet.train.extension import Extension
from septet.train.log import Record, Row

if TYPE_CHECKING:
    from septet.train.loop import Loop


SECONDS = 0.1
"""Between two changes of a bar: values of metrics are computed for it."""


class Progress(Extension):
    """Show the progress of a training: one bar for each epoch on a terminal, one line for each epoch elsewhere.

    Parameters
    ----------
    stream : file, optional
        By default standard output.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._bar: Any = None
        self._task: Any = None
        self._shown = 0.0

    @property
    def stream(self) -> TextIO:
        """Where it is shown."""
        return sys.stdout if self._stream is None else self._stream

    def on_epoch_start(self, loop: Loop) -> None:
        if not self.stream.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("epoch {task.fields[epoch]}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[values]}"), TimeElapsedColumn(), TimeRemainingColumn(),
            console=Console(file=self.stream), transient=True,
        )  # fmt: skip
        self._bar.start()
        epoch = f"{loop.epoch + 1}/{loop.epochs}"
        self._task = self._bar.add_task("", total=loop.steps, completed=loop.batch, epoch=epoch, values="")

    def on_batch(self, loop: Loop) -> None:
        if self._bar is not None and (time.monotonic() - self._shown >= SECONDS or loop.batch == loop.steps):
            self._shown = time.monotonic()
            self._bar.update(self._task, completed=loop.batch, values=values_text(loop.values()))

    def on_record(self, loop: Loop, record: Record) -> None:
        if record["event"] == "epoch":
            self._stop()
            values = {k: v for k, v in record.items() if k not in ("event", "step", "epoch", "seconds")}
            line = f"epoch {record['epoch']}/{loop.epochs}  {values_text(values)}  {seconds_text(record['seconds'])}"
            print(line, file=self.stream, flush=True)
        elif record["event"] == "note":
            if self._bar is not None:
                self._bar.console.print(record["text"], highlight=False, markup=False)
            else:
                print(record["text"], file=self.stream, flush=True)

    def on_end(self, loop: Loop) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def values_text(values: Row) -> str:
    """Return ``loss 0.1234  accuracy 0.9876``."""
    return "  ".join(
        f"{name} {value:.4f}" if abs(value) < 1e6 else f"{name} {value:.3e}"
        for name, value in values.items()
        if isinstance(value, (int, float))
    )
