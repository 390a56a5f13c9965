"""Extensions: what happens beside a training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from septet.base.errors import ArgumentError
from septet.base.text import did_you_mean
from septet.train.log import Record, Row

if TYPE_CHECKING:
    from septet.train.loop import Loop


class Extension:
    """The base of extensions: override what you need.

    Extensions are called in the order in which they were given, those of a higher `turn` later. They talk through
    ``loop.log``; ``loop.stop(reason)`` ends the training after the batch or epoch under way.

    Attributes
    ----------
    turn : int
        Checkpoints, which keep what all others have done, come last.
    """

    turn = 0

    def on_resume(self, loop: Loop) -> None:
        """Called first of all: to go on where another training stood."""

    def on_start(self, loop: Loop) -> None:
        """Called before the first batch."""

    def on_epoch_start(self, loop: Loop) -> None:
        """Called before the first batch of an epoch, or the first one after a resume."""

    def on_batch(self, loop: Loop) -> None:
        """Called after each batch."""

    def measure(self, loop: Loop, row: Row) -> None:
        """Add values to the row of an epoch, before it is written to the log."""

    def on_epoch(self, loop: Loop, row: Row) -> None:
        """Called after each epoch, with its row."""

    def on_record(self, loop: Loop, record: Record) -> None:
        """Called with each record of the log."""

    def on_stop(self, loop: Loop) -> None:
        """Called after the last epoch or batch of a training that ends without an error."""

    def on_end(self, loop: Loop) -> None:
        """Called at the end, after Ctrl-C and errors too (``loop.error``)."""

    def state(self) -> dict[str, Any]:
        """Return what must be known to go on, as plain values: it is a part of checkpoints."""
        return {}

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what else must be known, as arrays."""
        return {}

    def restore(self, loop: Loop, state: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Take over what `state` and `arrays` returned."""


def overrides(extension: Extension, method: str) -> bool:
    """Tell whether an extension does anything when it is called by a method."""
    return getattr(type(extension), method) is not getattr(Extension, method)


class OnEpoch(Extension):
    """Call a function with the row of each epoch; the training ends when it returns True."""

    def __init__(self, call: Callable[[Row], Any]) -> None:
        self._call = call

    def on_epoch(self, loop: Loop, row: Row) -> None:
        if self._call(row) is True:
            loop.stop(f"{getattr(self._call, '__name__', 'a function')} said so")


class Best:
    """The best value so far of one that is measured after each epoch.

    Parameters
    ----------
    owner : str
        For messages.
    monitor : str
        The name of the value in the rows.
    is_higher_better : bool, optional
        By default, whether the name ends with "accuracy".
    min_change : float
        A value must be better by more than this.
    """

    def __init__(self, owner: str, monitor: str, is_higher_better: bool | None = None, min_change: float = 0.0) -> None:
        self.owner, self.monitor, self.min_change = owner, monitor, min_change
        self.sign = 1 if (monitor.endswith("accuracy") if is_higher_better is None else is_higher_better) else -1
        self.value = -math.inf  # times the sign: higher is better

    def improves(self, loop: Loop, row: Row) -> bool | None:
        """Take in a row; tell whether it is the best, or None where the value is not measured after each epoch.

        Raises
        ------
        ArgumentError
            If the row has no such value.
        """
        if self.monitor not in row and loop.comes_later(self.monitor):
            return None
        if self.monitor not in row:
            raise ArgumentError(
                f"{self.owner}: there is no {self.monitor!r} in the rows, only {', '.join(row)}."
                + did_you_mean(self.monitor, row),
                hint="values on held-out data are there with validation=..." if "val_" in self.monitor else None,
            )
        value = self.sign * row[self.monitor]
        if not value > self.value + self.min_change:
            return False
        self.value = value
        return True


def as_extensions(callbacks: Any) -> list[Extension]:
    """Return a list of extensions; a plain function is called with the row of each epoch."""
    is_one = isinstance(callbacks, Extension) or (callable(callbacks) and not isinstance(callbacks, Iterable))
    found = [callbacks] if is_one else list(callbacks)
    wrong = [item for item in found if not isinstance(item, Extension) and not callable(item)]
    if wrong:
        raise ArgumentError(f"callbacks must be Extension objects or functions, got {wrong[0]!r}")
    return [item if isinstance(item, Extension) else OnEpoch(item) for item in found]
