"""The main loop: epochs and batches. It does little; extensions do the work, and talk through the log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, NonFiniteError
from septet.base.text import plural
from septet.data.stream import Stream
from septet.metrics import Metric
from septet.nn.module import Module
from septet.optim.optimizer import Optimizer
from septet.train.extension import Extension, overrides
from septet.train.interrupt import Interrupt
from septet.train.log import History, Log, Record, Row
from septet.train.measuring import Validation
from septet.train.monitor import described
from septet.train.nested import count_of
from septet.train.state import data_state, restore_data, skipping
from septet.train.values import PREFIX, Means, arrays_of, results

NOTES = {
    1: "stopping after this epoch (Ctrl-C again: after this batch)",
    2: "stopping after this batch (Ctrl-C again: at once)",
}


class Loop:
    """Train on batches, epoch after epoch.

    The first Ctrl-C ends the training after the epoch under way, the second after the batch, the third at once. The
    model keeps what it learned, and after the first two checkpoints are written.

    Parameters
    ----------
    train_step : callable
        Trains on the arrays of a batch and returns ``{"loss": ..., metric: ...}``, means over the batch; see
        `Means`.
    batches : iterable
        Gives batches of (inputs, targets), or (inputs, targets, weights), each time it is gone through: `Batches`, a
        stream, a list. One that can say where it stands (``state_dict`` and ``load_state_dict``) resumes anywhere; of
        another one, the batches before are gone through again.
    model : Module, optional
        Switched to training for each epoch, and to evaluation at the end.
    optimizer : Optimizer, optional
        A part of checkpoints.
    metrics : mapping of str to Metric, optional
        Metrics that `train_step` updates: set back when an epoch begins, their results stand in its row.
    extensions : sequence of Extension
    log_every : int, optional
        Write the values of the batch to the log at every so many steps.

    Attributes
    ----------
    log : Log
    step, epoch : int
        How many steps were made, how many epochs were finished.
    epochs : int
        How many are to be made.
    batch : int
        How many batches of the epoch under way were trained on.
    means : Means
        Of the epoch so far; ``means.last`` are the values of the last batch.
    waited : float
        Seconds of the epoch that were spent waiting for data.
    began : float
        When the epoch began, on the clock of `time.perf_counter`; time in which the training was stopped is left out.
    watched : dict of str to float, or None
        What a step has measured of tensors that are watched, where somebody asks for it; see `Monitor`.
    example : array, or nested arrays, or None
        The inputs of a batch.
    error : BaseException or None
        What ended the training, if it was an error.
    """

    def __init__(
        self, train_step: Callable[..., Mapping[str, Any]], batches: Any, *, model: Module | None = None,
        optimizer: Optimizer | None = None, metrics: Mapping[str, Metric] | None = None,
        extensions: Sequence[Extension] = (), log_every: int | None = None,
    ) -> None:  # fmt: skip
        if log_every is not None and (isinstance(log_every, bool) or not isinstance(log_every, int) or log_every < 1):
            raise ArgumentError(f"log_every must be an integer of at least 1, got {log_every!r}")
        self.train_step, self.batches, self.model, self.optimizer = train_step, batches, model, optimizer
        self.metrics = {} if metrics is None else metrics  # the same mapping: the first batch may change it
        self.extensions = sorted(extensions, key=lambda extension: extension.turn)
        self.log = Log()
        for extension in self.extensions:
            if overrides(extension, "on_record"):
                self.log.readers.append(self._reader(extension))
        self.log_every = log_every
        self.step = self.epoch = self.batch = self.epochs = 0
        self.means = Means()
        self.waited = self.elapsed = self.began = 0.0
        self.watched: Row | None = None
        self.example: Any = None
        self.error: BaseException | None = None
        self.reason = ""
        self._interrupt = Interrupt()
        self._told = 0  # the level of interrupt that people know of

    # What extensions ask for.

    @property
    def steps(self) -> int | None:
        """The number of batches in an epoch, where it is known."""
        if isinstance(self.batches, Stream):
            return self.batches.length
        return len(self.batches) if hasattr(self.batches, "__len__") else None

    @property
    def was_interrupted(self) -> bool:
        """Whether Ctrl-C, or a signal to end, was received."""
        return self._interrupt.level > 0

    @property
    def must_stop_now(self) -> bool:
        """Whether the training is to end after the batch under way."""
        return self._interrupt.level > 1 or bool(self.reason)

    def stop(self, reason: str) -> None:
        """End the training after the batch under way, or now where an epoch has just ended; it is over then."""
        self.reason = self.reason or reason

    def comes_later(self, name: str) -> bool:
        """Tell whether a value is measured after some epochs only."""
        tests = [each for each in self.extensions if isinstance(each, Validation)]
        return any(each.every > 1 and name.startswith(f"{each.name}_") for each in tests)

    def values(self) -> Row:
        """Return the values of the epoch so far."""
        return {**self.means.values(), **results(self.metrics)}

    # The training.

    def run(self, epochs: int) -> History:
        """Train until so many epochs are finished.

        Returns
        -------
        History
            With a row for the part of an epoch that was interrupted, too.

        Raises
        ------
        NonFiniteError
            If a loss is NaN or infinite.
        """
        if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
            raise ArgumentError(f"epochs must be at least 1, got {epochs!r}")
        self.epochs, self.error, self.reason, self._told = epochs, None, "", 0
        part: Row | None = None
        self._interrupt = Interrupt()
        try:
            with self._interrupt:
                self._tell("on_resume")
                self._tell("on_start")
                if not self.log.records:
                    self.log.write("start", epochs=epochs, batches=self.steps)
                if self.epoch >= epochs and not self.reason:  # a training that was taken up again
                    done = plural(self.epoch, "epoch is", "epochs are")
                    self.log.note(f"nothing to train: {done} done, and {epochs} were asked for")
                while self.epoch < epochs and not (self.reason or self.was_interrupted):
                    part = self._run_epoch()
                self._tell("on_stop")
        except KeyboardInterrupt as error:
            self._interrupt.level, self.error = 3, error
        except BaseException as error:
            self.error = error
            raise
        finally:
            if self.model is not None:
                self.model.eval()
            self._say_why()
            self._tell("on_end")
        rows = self.log.rows()
        return History(rows if part is None else [*rows, part], self.reason, self.was_interrupted)

    def _run_epoch(self) -> Row | None:
        """Train for an epoch, or the rest of it; return the row of one that was not finished."""
        log = self.log
        log.epoch = self.epoch + 1
        if not self.batch:
            self.means, self.waited, self.elapsed = Means(), 0.0, 0.0
            for metric in self.metrics.values():
                metric.reset()
        if self.model is not None:
            self.model.train()
        self._tell("on_epoch_start")
        clock, train_step, every = time.perf_counter, self.train_step, self.log_every
        after_batch = self._methods("on_batch")
        is_whole = True
        before = self.began = clock() - self.elapsed
        asked = clock()
        for batch in skipping(self.batches, self.batch):
            self.waited += clock() - asked
            arrays = arrays_of(batch)
            if self.example is None:
                self.example = arrays[0]
            values = {name: float(value) for name, value in train_step(*arrays).items()}
            if self.watched is not None:
                self.watched = {name: values.pop(name) for name in [*values] if name.startswith(PREFIX)}
            self.step += 1
            self.batch += 1
            log.step = self.step
            if not math.isfinite(values["loss"]):
                raise self._not_finite(values["loss"])
            self.means.add(values, count_of(arrays[0]))
            if every and not self.step % every:
                log.write("batch", **values)
            for call in after_batch:
                call(self)
            if self._interrupt.level > self._told:
                self._say_interrupt()
            if self.must_stop_now and self.batch != self.steps:
                is_whole = False
                break
            asked = clock()
        self.elapsed = clock() - before
        if not self.batch:
            raise ArgumentError(f"{type(self.batches).__name__} gave no batches in epoch {self.epoch + 1}")
        if not is_whole:
            return {"epoch": self.epoch + 1, **self.values(), "seconds": self.elapsed}
        self._end_epoch(clock, before)
        return None

    def _end_epoch(self, clock: Callable[[], float], before: float) -> None:
        """Write the row of an epoch to the log."""
        row: Row = {"epoch": self.epoch + 1, **self.values()}
        for extension in self.extensions:
            extension.measure(self, row)
        row["seconds"] = clock() - before
        self.epoch, self.batch = self.epoch + 1, 0
        self.log.write("epoch", **row)
        for extension in self.extensions:
            extension.on_epoch(self, row)
        if self._interrupt.level > self._told:
            self._say_interrupt()

    def _not_finite(self, loss: float) -> NonFiniteError:
        names = [
            name.removesuffix("/bad") for name, bad in (self.watched or {}).items() if bad and name.endswith("/bad")
        ]
        found = [described(name.removeprefix(PREFIX)) for name in names]
        return NonFiniteError(
            f"the loss became {loss} in epoch {self.epoch + 1}, batch {self.batch}"
            + (f"; not finite: {', '.join(found)}" if found else ""),
            hint="fit(..., check_nan=True) names the op that makes it; a smaller learning rate or scaled inputs may "
            "help, and data.ArrayDataset.check_finite() finds bad samples",
        )

    def _say_interrupt(self) -> None:
        self._told = self._interrupt.level
        is_last = not self.batch and self._told < 2
        if self._told in NOTES and not is_last:
            self.log.note(NOTES[self._told])

    def _say_why(self) -> None:
        if not self.log.records:  # it has not begun
            return
        if self.was_interrupted:
            whole = plural(self.epoch, "whole epoch", "whole epochs")
            self.log.note(f"stopped by hand after {whole}; the model keeps what it learned")
        elif self.reason:
            self.log.note(f"stopped after {plural(self.epoch, 'epoch')}: {self.reason}")
        ended = "finished" if self.error is None else type(self.error).__name__
        self.log.write("end", reason=self.reason or ("interrupted" if self.was_interrupted else ended))

    # Where it stands, for checkpoints.

    def state(self) -> dict[str, Any]:
        """Return where the training stands, as plain values; weights and the like are kept beside it."""
        return {
            "step": self.step, "epoch": self.epoch, "batch": self.batch, "reason": self.reason, "waited": self.waited,
            "elapsed": time.perf_counter() - self.began if self.batch else 0.0, "means": self.means.state(),
            "data": data_state(self.batches), "records": self.log.records,
            "extensions": {name: each.state() for name, each in self.named_extensions()},
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any], arrays: Mapping[str, Mapping[str, np.ndarray]]) -> None:
        """Go on where another loop over the same data stood, with the arrays of its extensions."""
        restore_data(self.batches, state["data"])
        self.step, self.epoch, self.batch, self.reason = (state[k] for k in ("step", "epoch", "batch", "reason"))
        self.elapsed, self.waited = state["elapsed"], state["waited"]
        self.means.restore(state["means"])
        self.log.records[:] = state["records"]
        self.log.step, self.log.epoch = self.step, self.epoch + bool(self.batch)
        for name, extension in self.named_extensions():
            if name in state["extensions"]:
                extension.restore(self, state["extensions"][name], dict(arrays.get(name, {})))

    def named_extensions(self) -> list[tuple[str, Extension]]:
        """Return the extensions with names: those of their classes, numbered where there are several."""
        names = [type(extension).__name__ for extension in self.extensions]
        numbers = [names[:index].count(name) for index, name in enumerate(names)]
        return [(f"{n}{i + 1}" if i else n, e) for n, i, e in zip(names, numbers, self.extensions, strict=True)]

    # How extensions are called.

    def _methods(self, name: str) -> list[Callable[..., Any]]:
        return [getattr(each, name) for each in self.extensions if overrides(each, name)]

    def _tell(self, name: str) -> None:
        for call in self._methods(name):
            call(self)

    def _reader(self, extension: Extension) -> Callable[[Record], None]:
        return lambda record: extension.on_record(self, record)
