"""Showing progress: a live bar on a terminal, plain lines in a file."""

from __future__ import annotations

import sys
from typing import Any, TextIO

from septet.base.text import seconds_text


class Progress:
    """The progress of a training: one bar for each epoch on a terminal, one line for each epoch elsewhere.

    Parameters
    ----------
    epochs : int
    steps : int, optional
        Batches in an epoch, where that is known.
    stream : file, optional
        By default standard output.
    """

    def __init__(self, epochs: int, steps: int | None, stream: TextIO | None = None) -> None:
        self.epochs, self.steps = epochs, steps
        self.stream = sys.stdout if stream is None else stream
        self._bar: Any = None
        self._task: Any = None

    def start(self, epoch: int) -> None:
        """Begin an epoch, counted from 1."""
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
        self._task = self._bar.add_task("", total=self.steps, epoch=f"{epoch}/{self.epochs}", values="")

    def step(self, values: dict[str, float]) -> None:
        """Show one more batch."""
        if self._bar is not None:
            self._bar.update(self._task, advance=1, values=values_text(values))

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def end(self, row: dict[str, float]) -> None:
        """Write the line of a finished epoch."""
        self.stop()
        values = {k: v for k, v in row.items() if k not in ("epoch", "seconds")}
        seconds = seconds_text(row["seconds"])
        print(
            f"epoch {int(row['epoch'])}/{self.epochs}  {values_text(values)}  {seconds}", file=self.stream, flush=True
        )

    def note(self, text: str) -> None:
        """Write a line."""
        print(text, file=self.stream, flush=True)


def values_text(values: dict[str, float]) -> str:
    """Return ``loss 0.1234  accuracy 0.9876``."""
    return "  ".join(
        f"{name} {value:.4f}" if abs(value) < 1e6 else f"{name} {value:.3e}" for name, value in values.items()
    )


class Quiet(Progress):
    """Progress that shows nothing."""

    def __init__(self) -> None:
        super().__init__(0, 0)

    def start(self, epoch: int) -> None:
        """Show nothing."""

    def end(self, row: dict[str, float]) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""
