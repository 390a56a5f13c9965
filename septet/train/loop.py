"""The loop that every style of training shares: epochs, batches, means, progress, callbacks, Ctrl-C."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from septet.base.errors import ArgumentError, NonFiniteError
from septet.base.text import plural
from septet.data.stream import Stream
from septet.nn.module import Module
from septet.train.callbacks import Callback
from septet.train.interrupt import Interrupt
from septet.train.progress import Progress

Row = dict[str, float]


class History(list[Row]):
    """One row for each epoch: epoch, loss, metrics, their values on held-out data (``val_...``), seconds.

    Attributes
    ----------
    was_interrupted : bool
        Whether Ctrl-C ended the training; the last row may then stand for a part of an epoch.
    """

    was_interrupted = False


class Means:
    """Means over examples of values that come batch by batch."""

    def __init__(self) -> None:
        self.totals: Row = {}
        self.count = 0
        self.last: Row = {}

    def add(self, values: Mapping[str, float], count: int) -> None:
        """Take in the means over one batch of `count` examples."""
        self.last = dict(values)
        self.count += count
        for name, value in values.items():
            self.totals[name] = self.totals.get(name, 0.0) + value * count

    def values(self) -> Row:
        """Return the means so far."""
        return {name: total / max(self.count, 1) for name, total in self.totals.items()}


def pair(batch: Any) -> tuple[Any, Any]:
    """Return inputs and targets of a batch.

    Raises
    ------
    ArgumentError
        If it has another number of arrays.
    """
    values = tuple(batch.values()) if isinstance(batch, dict) else tuple(batch)
    if len(values) != 2:
        raise ArgumentError(f"training needs batches of (inputs, targets), got {len(values)} arrays")
    return values


def run_epochs(
    model: Module,
    step: Callable[[Any, Any], Mapping[str, Any]],
    batches: Stream,
    epochs: int,
    *,
    test: Callable[[], Row] | None = None,
    progress: Progress,
    callbacks: Sequence[Callback] = (),
) -> History:
    """Train for some epochs.

    The first Ctrl-C ends the training after the batch under way, with a row for what was done of the epoch; the second
    ends it at once. In both cases the model keeps what it learned.

    Parameters
    ----------
    model : Module
        Switched to training for each epoch, and to evaluation at the end.
    step : callable
        Trains on (inputs, targets) and returns ``{"loss": ..., metric: ...}``, means over the batch.
    batches : Stream of batches
    epochs : int
    test : callable, optional
        Returns loss and metrics on held-out data.
    progress : Progress
    callbacks : sequence of Callback

    Raises
    ------
    NonFiniteError
        If a loss is NaN or infinite.
    """
    history, whole = History(), 0
    try:
        with Interrupt() as interrupt:
            is_over = _tell(callbacks, "on_start", model)
            for epoch in range(1, epochs + 1):
                if is_over or interrupt.is_set:
                    break
                started, means = time.perf_counter(), Means()
                progress.start(epoch)
                model.train()
                for inputs, targets in map(pair, batches):
                    values = {name: float(value) for name, value in step(inputs, targets).items()}
                    means.add(check_loss(values, epoch, batches.position), len(inputs))
                    progress.step(means.values())
                    is_over = _tell(callbacks, "on_batch", model, means.values())
                    if is_over or interrupt.is_set:
                        break
                is_whole = batches.position in (0, batches.length)  # 0: the epoch has ended by itself
                whole += is_whole
                row: Row = {"epoch": epoch, **means.values()}
                if test is not None and is_whole:
                    row |= {f"val_{name}": value for name, value in test().items()}
                row["seconds"] = time.perf_counter() - started
                history.append(row)
                progress.end(row)
                is_over = _tell(callbacks, "on_epoch", model, row) or is_over
            history.was_interrupted = interrupt.is_set
    except KeyboardInterrupt:
        history.was_interrupted = True
    finally:
        progress.stop()
        model.eval()
        _tell(callbacks, "on_end", model)
    if history.was_interrupted:
        progress.note(
            f"stopped by hand after {plural(whole, 'whole epoch', 'whole epochs')}; the model keeps what it learned"
        )
    return history


def check_loss(values: Row, epoch: int, batch: int) -> Row:
    """Return the values of a batch, whose loss must be finite."""
    if not math.isfinite(values["loss"]):
        raise NonFiniteError(
            f"the loss became {values['loss']} in epoch {epoch}, batch {batch}",
            hint="a smaller learning rate, scaled inputs; data.ArrayDataset.check_finite() finds bad samples",
        )
    return values


def _tell(callbacks: Sequence[Callback], event: str, model: Module, *values: Row) -> bool:
    """Call a method of every callback; tell whether one asked to stop."""
    return any([getattr(callback, event)(model, *values) is True for callback in callbacks])
