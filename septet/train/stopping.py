"""Ending a training when it gets no better, and lowering learning rates before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from septet.base.errors import ArgumentError
from septet.optim.schedules import Plateau, Schedule
from septet.train.extension import Best, Extension
from septet.train.log import Row

if TYPE_CHECKING:
    from septet.train.loop import Loop


class EarlyStopping(Extension):
    """End the training when a value has not improved for some epochs.

    Parameters
    ----------
    monitor : str
    patience : int
        How many epochs without improvement are allowed; of those after which the value is measured.
    is_higher_better : bool, optional
        By default, whether the name ends with "accuracy".
    min_change : float
        What counts as an improvement.
    restores_best : bool
        Whether the model ends with the weights of its best epoch.
    """

    def __init__(
        self, monitor: str = "val_loss", patience: int = 3, *, is_higher_better: bool | None = None,
        min_change: float = 0.0, restores_best: bool = False,
    ) -> None:  # fmt: skip
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 0:
            raise ArgumentError(f"EarlyStopping: patience must be at least 0, got {patience!r}")
        self.patience, self.restores_best = patience, restores_best
        self.best = Best("EarlyStopping", monitor, is_higher_better, min_change)
        self.waited = 0
        self.best_epoch = 0
        self.weights: dict[str, np.ndarray] = {}

    def on_start(self, loop: Loop) -> None:
        if not loop.step:
            self.best.value, self.waited, self.best_epoch, self.weights = -np.inf, 0, 0, {}

    def on_epoch(self, loop: Loop, row: Row) -> None:
        improves = self.best.improves(loop, row)
        if improves is None:
            return
        if improves:
            self.waited, self.best_epoch = 0, loop.epoch
            if self.restores_best and loop.model is not None:
                self.weights = {name: value.copy() for name, value in loop.model.state_dict().items()}
        else:
            self.waited += 1
        if self.waited > self.patience:
            times = "measurements" if loop.comes_later(self.best.monitor) else "epochs"
            loop.stop(f"{self.best.monitor} has not improved for {self.waited} {times}")

    def on_end(self, loop: Loop) -> None:
        if self.weights and loop.model is not None and loop.error is None and self.best_epoch < loop.epoch:
            loop.model.load_state_dict(self.weights)
            loop.log.note(f"the model has the weights of its best epoch, {self.best_epoch}")

    def state(self) -> dict[str, Any]:
        return {"best": self.best.value, "waited": self.waited, "best_epoch": self.best_epoch}

    def arrays(self) -> dict[str, np.ndarray]:
        return self.weights

    def restore(self, loop: Loop, state: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.best.value, self.waited, self.best_epoch = state["best"], state["waited"], state["best_epoch"]
        self.weights = arrays


class ObservePlateaus(Extension):
    """Tell schedules of the kind `Plateau` the values that they wait for."""

    def on_epoch(self, loop: Loop, row: Row) -> None:
        for schedule in loop.optimizer.schedules if loop.optimizer is not None else ():
            for plateau in _plateaus(schedule):
                if plateau.monitor not in row and loop.comes_later(plateau.monitor):
                    continue
                if plateau.monitor not in row:
                    raise ArgumentError(f"Plateau: there is no {plateau.monitor!r} in the rows, only {', '.join(row)}")
                plateau.observe(row[plateau.monitor])


def _plateaus(schedule: Schedule) -> list[Plateau]:
    """Return the plateaus in a schedule, which may be a part of others."""
    if isinstance(schedule, Plateau):
        return [schedule]
    parts = [part for value in vars(schedule).values() for part in (value if isinstance(value, list) else [value])]
    return [plateau for part in parts if isinstance(part, Schedule) for plateau in _plateaus(part)]
