"""Callbacks: what happens beside a training."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from septet.base.errors import ArgumentError
from septet.base.files import open_atomic
from septet.io.weights import save_weights
from septet.nn.module import Module

Row = dict[str, float]


class Callback:
    """The base of callbacks: override what you need.

    A method that returns True ends the training after it.
    """

    def on_start(self, model: Module) -> bool | None:
        """Called before the first batch."""

    def on_batch(self, model: Module, values: Row) -> bool | None:
        """Called after each batch, with the means of the epoch so far."""

    def on_epoch(self, model: Module, row: Row) -> bool | None:
        """Called after each epoch, with its row of the history."""

    def on_end(self, model: Module) -> bool | None:
        """Called at the end, after Ctrl-C and errors too."""


class OnEpoch(Callback):
    """Call a function with the row of each epoch."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def on_epoch(self, model: Module, row: Row) -> bool | None:
        return self._call(row)


class JsonLines(Callback):
    """Write the history to a file of JSON lines, one for each epoch; it is whole at any time.

    Parameters
    ----------
    path : str or path
        A file that is there is replaced.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._rows: list[Row] = []

    def on_start(self, model: Module) -> None:
        self._rows = []

    def on_epoch(self, model: Module, row: Row) -> None:
        self._rows.append(row)
        with open_atomic(self.path) as file:
            file.write("".join(json.dumps(entry) + "\n" for entry in self._rows).encode())


class SaveWeights(Callback):
    """Save the weights after each epoch, or only where a value improved.

    Parameters
    ----------
    path : str or path
    monitor : str, optional
        The value of a row that decides, such as "val_loss"; without it every epoch is saved.
    is_higher_better : bool, optional
        By default, whether the name ends with "accuracy".
    """

    def __init__(
        self, path: str | os.PathLike[str], monitor: str | None = None, *, is_higher_better: bool | None = None
    ) -> None:
        self.path = Path(path)
        self._best = _Best("SaveWeights", monitor, is_higher_better) if monitor else None

    def on_epoch(self, model: Module, row: Row) -> None:
        if self._best is None or self._best.improves(row):
            save_weights(model, self.path)


class EarlyStopping(Callback):
    """End the training when a value has not improved for some epochs.

    Parameters
    ----------
    monitor : str
    patience : int
        How many epochs without improvement are allowed.
    is_higher_better : bool, optional
        By default, whether the name ends with "accuracy".
    """

    def __init__(self, monitor: str = "val_loss", patience: int = 3, *, is_higher_better: bool | None = None) -> None:
        if patience < 0:
            raise ArgumentError(f"EarlyStopping: patience must be at least 0, got {patience!r}")
        self.patience = patience
        self._best = _Best("EarlyStopping", monitor, is_higher_better)
        self._waited = 0

    def on_start(self, model: Module) -> None:
        self._best.value, self._waited = -math.inf, 0

    def on_epoch(self, model: Module, row: Row) -> bool:
        self._waited = 0 if self._best.improves(row) else self._waited + 1
        return self._waited > self.patience


class _Best:
    """The best value so far."""

    def __init__(self, owner: str, monitor: str, is_higher_better: bool | None) -> None:
        self.owner, self.monitor = owner, monitor
        self.sign = 1 if (monitor.endswith("accuracy") if is_higher_better is None else is_higher_better) else -1
        self.value = -math.inf

    def improves(self, row: Row) -> bool:
        """Take in a row; tell whether it is the best."""
        if self.monitor not in row:
            raise ArgumentError(f"{self.owner}: there is no {self.monitor!r} in the rows, only {', '.join(row)}")
        value = self.sign * row[self.monitor]
        if not value > self.value:
            return False
        self.value = value
        return True


def as_callbacks(callbacks: Any) -> list[Callback]:
    """Return a list of callbacks; a plain function is called with the row of each epoch."""
    found = [callbacks] if isinstance(callbacks, Callback) or callable(callbacks) else list(callbacks)
    wrong = [item for item in found if not isinstance(item, Callback) and not callable(item)]
    if wrong:
        raise ArgumentError(f"callbacks must be Callback objects or functions, got {wrong[0]!r}")
    return [item if isinstance(item, Callback) else OnEpoch(item) for item in found]
