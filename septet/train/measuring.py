"""What is measured after each epoch: values on held-out data, time, memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from septet.base.errors import ArgumentError, NotSupportedError
from septet.train.extension import Extension
from septet.train.log import Row

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from septet.train.loop import Loop


class Validation(Extension):
    """Measure values on held-out data after epochs.

    Parameters
    ----------
    test : callable
        Returns values by name.
    name : str
        What the names in the row begin with: ``val_loss``.
    every : int
        After every so many epochs.
    is_averaged : bool
        Whether the moving averages of the parameters stand in their places meanwhile; see `Optimizer.averaged`.
    """

    def __init__(
        self, test: Callable[[], Row], name: str = "val", every: int = 1, *, is_averaged: bool = False
    ) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ArgumentError(f"Validation: every must be an integer of at least 1, got {every!r}")
        self.test, self.name, self.every, self.is_averaged = test, name, every, is_averaged

    def measure(self, loop: Loop, row: Row) -> None:
        if (loop.epoch + 1) % self.every and loop.epoch + 1 != loop.epochs:
            return
        if self.is_averaged and loop.optimizer is not None:
            with loop.optimizer.averaged():
                values = self.test()
        else:
            values = self.test()
        row.update((f"{self.name}_{name}", value) for name, value in values.items())


class LearningRate(Extension):
    """Add the learning rate of the last step to the rows."""

    def measure(self, loop: Loop, row: Row) -> None:
        if loop.optimizer is not None:
            row["learning_rate"] = loop.optimizer.learning_rate


class Timing(Extension):
    """Add to the rows how long a step took, and which share of the time the training waited for data."""

    def measure(self, loop: Loop, row: Row) -> None:
        elapsed = time.perf_counter() - loop.began
        row["seconds_per_step"] = elapsed / max(loop.batch, 1)
        row["waited"] = loop.waited / elapsed if elapsed else 0.0


class Memory(Extension):
    """Add to the rows the most memory that the process has taken so far, in bytes."""

    def on_start(self, loop: Loop) -> None:
        if resource is None:
            raise NotSupportedError("Memory: this system does not tell how much memory a process has taken")

    def measure(self, loop: Loop, row: Row) -> None:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        row["memory"] = float(most if sys.platform == "darwin" else most * 1024)
