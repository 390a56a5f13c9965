"""Checkpoints of a training, and going on from the latest good one to the very same bits."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from septet.base.errors import ArgumentError, FileFormatError, SeptetError
from septet.base.text import plural
from septet.io.checkpoints import (
    Checkpoint,
    checkpoints_in,
    read_checkpoint,
    remove_checkpoint,
    remove_remains,
    step_of,
    write_checkpoint,
)
from septet.train.extension import Best, Extension
from septet.train.log import Row
from septet.train.nested import build, types_of, zeros_of
from septet.train.state import random_state, restore_random_state

if TYPE_CHECKING:
    from septet.train.loop import Loop


class Checkpoints(Extension):
    """Write checkpoints, and go on from the latest one.

    A training that was killed at any moment and goes on has the same losses and weights to the last bit as one that was
    not: the weights, the optimizer, the generators of random numbers, the place in the data, the values of the epoch so
    far, the log and the state of all extensions are kept. (Define-by-run steps of your own are the exception: when they
    are compiled is a matter of time; ``st.compile`` them.)

    A checkpoint that is damaged is passed over for the one before, with a warning. Where a checkpoint cannot be
    written (a full disk), a warning says so and the training goes on; those that are there stay.

    Parameters
    ----------
    folder : str or path
    every_epochs : int
        After every so many epochs; 0 for never.
    every_steps : int, optional
    every_seconds : float, optional
        After the batch under way when so much time has gone by.
    keep : int
        How many of the latest to keep.
    best : str, optional
        The value of a row, such as "val_loss": the checkpoint of its best epoch is kept, too.
    is_higher_better : bool, optional
        By default, whether the name ends with "accuracy".
    resumes : bool
        Whether to go on from the latest checkpoint in the folder. Otherwise there must be none.

    Raises
    ------
    ArgumentError
        At the start, if the folder cannot be written to, or holds checkpoints and `resumes` is False.
    """

    turn = 100  # after all others, whose states are kept

    def __init__(
        self, folder: str | os.PathLike[str], every_epochs: int = 1, *, every_steps: int | None = None,
        every_seconds: float | None = None, keep: int = 3, best: str | None = None,
        is_higher_better: bool | None = None, resumes: bool = False,
    ) -> None:  # fmt: skip
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            raise ArgumentError(f"Checkpoints: keep must be an integer of at least 1, got {keep!r}")
        self.folder = Path(folder)
        self.every_epochs, self.every_steps, self.every_seconds = every_epochs, every_steps, every_seconds
        self.keep, self.resumes = keep, resumes
        self.best = None if best is None else Best("Checkpoints", best, is_higher_better)
        self.best_step: int | None = None
        self._written: int | None = None  # the step of the latest
        self._time = time.monotonic()

    def on_resume(self, loop: Loop) -> None:
        if loop.step:  # the loop is run again
            return
        found = checkpoints_in(self.folder)
        if found and not self.resumes:
            raise ArgumentError(
                f"Checkpoints: {self.folder} holds {plural(len(found), 'checkpoint')} of another training",
                hint="resume=True goes on from the latest one; or choose another folder",
            )
        self._try_folder()
        remove_remains(self.folder)
        if found:
            checkpoint = self._latest_good(checkpoints_in(self.folder))
            self._written = step_of(checkpoint.path)
            _take_up(loop, checkpoint)
            loop.log.write("resume", path=os.fspath(checkpoint.path))
        self._time = time.monotonic()

    def on_batch(self, loop: Loop) -> None:
        is_due = self.every_steps and not loop.step % self.every_steps
        if not is_due and self.every_seconds is not None:
            is_due = time.monotonic() - self._time >= self.every_seconds
        if is_due and loop.batch != loop.steps:  # the end of the epoch, which comes at once, has more to keep
            self._write(loop)

    def on_epoch(self, loop: Loop, row: Row) -> None:
        best_before = self.best_step
        if self.best is not None and self.best.improves(loop, row):
            self.best_step = loop.step
        is_due = self.every_epochs and not loop.epoch % self.every_epochs
        is_due = is_due or (self.every_steps and not loop.step % self.every_steps) or loop.step == self.best_step
        if is_due or (self.every_seconds is not None and time.monotonic() - self._time >= self.every_seconds):
            self._write(loop)
        if self.best_step == loop.step != self._written:  # it is not there: the one before stays the best that is
            self.best_step = best_before

    def on_stop(self, loop: Loop) -> None:
        if self._written != loop.step:
            self._write(loop)

    def state(self) -> dict[str, Any]:
        return {"best": None if self.best is None else self.best.value, "best_step": self.best_step}

    def restore(self, loop: Loop, state: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        if self.best is not None and state["best"] is not None:
            self.best.value, self.best_step = state["best"], state["best_step"]

    def _write(self, loop: Loop) -> None:
        self._time = time.monotonic()
        try:
            write_checkpoint(self.folder, loop.step, arrays_of_training(loop), _state_of_training(loop))
        except OSError as error:
            text = f"no checkpoint of step {loop.step}: {error.strerror}: {error.filename or self.folder}"
            loop.log.note(f"{text}; the training goes on", error=error.strerror)
            warnings.warn(f"{text}; the training goes on, those before are still there", RuntimeWarning, stacklevel=2)
            return
        self._written = loop.step
        for path in checkpoints_in(self.folder)[self.keep :]:
            if step_of(path) != self.best_step:
                remove_checkpoint(path)

    def _latest_good(self, found: list[Path]) -> Checkpoint:
        """Read the latest checkpoint that is whole; damaged ones are named, and put aside."""
        problems = []
        for path in found:
            try:
                checkpoint = read_checkpoint(path)
            except FileFormatError as error:
                problems.append(error.message)
                continue
            for problem in problems:
                warnings.warn(f"{problem}; going on from {path}, which is older", RuntimeWarning, stacklevel=2)
            for damaged in found[: len(problems)]:
                os.replace(damaged, damaged.with_name(f"damaged-{damaged.name}-{time.time_ns()}"))
            return checkpoint
        raise FileFormatError(f"no checkpoint in {self.folder} can be read: {'; '.join(problems)}")

    def _try_folder(self) -> None:
        """Find out now, and not after hours of training, whether the folder can be written to."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe = self.folder / f".partial-probe-{os.getpid()}"
            probe.mkdir(exist_ok=True)
            probe.rmdir()
        except OSError as error:
            raise ArgumentError(f"Checkpoints: {self.folder} cannot be written to: {error.strerror}") from None


def arrays_of_training(loop: Loop) -> dict[str, dict[str, np.ndarray]]:
    """Return everything of a training that is kept as arrays, by the names of files."""
    files: dict[str, dict[str, np.ndarray]] = {"random": random_state(loop.model)}
    if loop.model is not None:
        files["model"] = loop.model.state_dict()
    if loop.optimizer is not None:
        files["optimizer"] = loop.optimizer.state_dict()
    metrics = {
        f"{name}/{key}": variable.current()
        for name, metric in loop.metrics.items()
        for key, variable in metric.states.items()
    }
    extensions = {
        f"{name}/{key}": value
        for name, extension in loop.named_extensions()
        for key, value in extension.arrays().items()
    }
    return files | ({"metrics": metrics} if metrics else {}) | ({"extensions": extensions} if extensions else {})


def _state_of_training(loop: Loop) -> dict[str, Any]:
    example = None if loop.example is None else types_of(loop.example)
    optimizer = None if loop.optimizer is None else type(loop.optimizer).__name__
    return {"example": example, "optimizer": optimizer, **loop.state()}


def _take_up(loop: Loop, checkpoint: Checkpoint) -> None:
    """Go on where the training of a checkpoint stood."""
    arrays, state = checkpoint.arrays, checkpoint.state
    try:
        if loop.model is not None:
            if not loop.model.is_built and state["example"] is not None:
                build(loop.model, zeros_of(state["example"]))
            loop.model.load_state_dict(arrays["model"])
        if loop.optimizer is not None:
            name = type(loop.optimizer).__name__
            if state["optimizer"] != name:
                raise FileFormatError(f"its optimizer is {state['optimizer']}, this one is {name}")
            loop.optimizer.load_state_dict(arrays["optimizer"])
        for name, values in _by_owner(arrays.get("metrics", {})).items():
            for key, value in values.items() if name in loop.metrics else ():
                loop.metrics[name].state(key, value.shape).assign(value)
        loop.restore(state, _by_owner(arrays.get("extensions", {})))
        restore_random_state(loop.model, arrays["random"])
    except KeyError as error:
        raise FileFormatError(f"{checkpoint.path}: there is no {error.args[0]!r} in it") from None
    except SeptetError as error:
        raise FileFormatError(f"{checkpoint.path} belongs to another training: {error.message}") from error


def _by_owner(arrays: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Return arrays by what stands before the first slash of their names, and by the rest."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, value in arrays.items():
        owner, _, rest = name.partition("/")
        found.setdefault(owner, {})[rest] = value
    return found
