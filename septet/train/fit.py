"""`fit`, `evaluate` and `predict`: training in one line, on a compiled step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import septet.metrics as metric_functions
import septet.optim as optim
from septet.base.errors import ArgumentError, NonFiniteError
from septet.data.stream import Batches
from septet.nn import losses
from septet.nn.module import Module
from septet.run.compile import compile
from septet.tensor.creation import owned
from septet.tensor.tensor import Tensor
from septet.train.progress import Progress


class History(list[dict[str, float]]):
    """One row for each epoch: epoch, loss, metrics, their values on held-out data (``val_...``), seconds."""


def _metrics(names: Sequence[Any]) -> dict[str, Callable[..., Tensor]]:
    found: dict[str, Callable[..., Tensor]] = {}
    for each in names:
        found[each if isinstance(each, str) else each.__name__] = metric_functions.by_name(each) if isinstance(each, str) else each
    return found


def as_batches(data: Any, batch_size: int, shuffle: bool, seed: int) -> Batches:
    """Return batches of a data set, of a tuple of arrays, or the batches themselves."""
    if isinstance(data, Batches):
        return data
    return Batches(data, batch_size=batch_size, shuffle=shuffle, seed=seed)


def _pairs(batches: Batches) -> Iterator[tuple[Tensor, Tensor]]:
    for batch in batches:
        values = tuple(batch.values()) if isinstance(batch, dict) else batch
        if len(values) != 2:
            raise ArgumentError(f"training needs batches of (inputs, targets), got {len(values)} arrays")
        yield owned(values[0]), owned(values[1])


class Trainer:
    """A model, a loss and an optimizer with their compiled steps.

    Parameters
    ----------
    model : Module
    optimizer : str or Optimizer
    loss : str or callable
    metrics : sequence of str or callable
    learning_rate : float, optional
        For an optimizer given by name.
    """

    def __init__(
        self, model: Module, optimizer: Any = "adam", loss: Any = "cross_entropy", metrics: Sequence[Any] = ("accuracy",),
        learning_rate: float | None = None,
    ) -> None:  # fmt: skip
        self.model = model
        if isinstance(optimizer, str):
            words = {} if learning_rate is None else {"learning_rate": learning_rate}
            optimizer = optim.by_name(optimizer)(model, **words)
        self.optimizer: optim.Optimizer = optimizer
        self.loss = losses.get(loss)
        self.metrics = _metrics(metrics)
        self.train_step = compile(self._train_step)
        self.test_step = compile(self._test_step)

    def _values(self, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        predictions = self.model(inputs)
        values = {"loss": self.loss(predictions, targets)}
        for name, metric in self.metrics.items():
            values[name] = metric(predictions, targets)
        return values

    def _train_step(self, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        values = self._values(inputs, targets)
        values["loss"].backward()  # type: ignore[attr-defined]
        self.optimizer.step()
        return values

    def _test_step(self, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return self._values(inputs, targets)

    def train_epoch(self, batches: Batches, progress: Progress) -> dict[str, float]:
        """Train on every batch once; return the means over the examples."""
        self.model.train()
        means = Means()
        for number, (inputs, targets) in enumerate(_pairs(batches)):
            means.add({k: float(v) for k, v in self.train_step(inputs, targets).items()}, inputs.shape[0])
            if not np.isfinite(means.last["loss"]):
                raise NonFiniteError(
                    f"the loss became {means.last['loss']} at batch {number}",
                    hint="a smaller learning rate, scaled inputs; data.ArrayDataset.check_finite() finds bad samples",
                )
            progress.step(means.values())
        return means.values()

    def test(self, batches: Batches) -> dict[str, float]:
        """Return loss and metrics on data, in evaluation mode."""
        self.model.eval()
        means = Means()
        for inputs, targets in _pairs(batches):
            means.add({k: float(v) for k, v in self.test_step(inputs, targets).items()}, inputs.shape[0])
        return means.values()


class Means:
    """Means over examples of values that come batch by batch."""

    def __init__(self) -> None:
        self.totals: dict[str, float] = {}
        self.count = 0
        self.last: dict[str, float] = {}

    def add(self, values: dict[str, float], count: int) -> None:
        """Take in the means over one batch of `count` examples."""
        self.last = values
        self.count += count
        for name, value in values.items():
            self.totals[name] = self.totals.get(name, 0.0) + value * count

    def values(self) -> dict[str, float]:
        """Return the means so far."""
        return {name: total / max(self.count, 1) for name, total in self.totals.items()}


def fit(
    model: Module,
    data: Any,
    epochs: int = 1,
    *,
    validation: Any = None,
    optimizer: Any = "adam",
    loss: Any = "cross_entropy",
    metrics: Sequence[Any] = ("accuracy",),
    batch_size: int = 32,
    learning_rate: float | None = None,
    shuffle: bool = True,
    seed: int = 0,
    verbose: bool = True,
    on_epoch: Callable[[dict[str, float]], Any] | None = None,
) -> History:
    """Train a model.

    The first Ctrl-C ends the training after the batch under way; what was learned and logged so far stays.

    Parameters
    ----------
    model : Module
    data : Batches, ArrayDataset or (inputs, targets)
    epochs : int
    validation : like `data`, optional
        Held-out data, evaluated after each epoch.
    optimizer : str or Optimizer
    loss : str or callable
    metrics : sequence of str or callable
    batch_size : int
    learning_rate : float, optional
        For an optimizer given by name.
    shuffle : bool
    seed : int
        Of the order of the data.
    verbose : bool
        Show progress.
    on_epoch : callable, optional
        Called with the row of each finished epoch.

    Returns
    -------
    History
    """
    if epochs < 1:
        raise ArgumentError(f"fit: epochs must be at least 1, got {epochs}")
    batches = as_batches(data, batch_size, shuffle, seed)
    held_out = None if validation is None else as_batches(validation, max(batch_size, 256), False, seed)
    trainer = Trainer(model, optimizer, loss, metrics, learning_rate)
    progress = Progress(epochs, len(batches)) if verbose else Progress(0, 0, _Nowhere())
    history = History()
    try:
        for epoch in range(1, epochs + 1):
            started = time.perf_counter()
            progress.start(epoch)
            row: dict[str, float] = {"epoch": epoch, **trainer.train_epoch(batches, progress)}
            if held_out is not None:
                row |= {f"val_{name}": value for name, value in trainer.test(held_out).items()}
            row["seconds"] = time.perf_counter() - started
            history.append(row)
            progress.end(row)
            if on_epoch is not None:
                on_epoch(row)
    except KeyboardInterrupt:
        progress.stop()
        if verbose:
            print(f"stopped by hand after {len(history)} whole epochs; the model keeps what it learned", flush=True)
    finally:
        progress.stop()
        model.eval()
    return history


class _Nowhere:
    """A stream that swallows."""

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return None


def evaluate(
    model: Module, data: Any, *, loss: Any = "cross_entropy", metrics: Sequence[Any] = ("accuracy",), batch_size: int = 256
) -> dict[str, float]:
    """Return loss and metrics of a model on data.

    Parameters
    ----------
    model : Module
    data : Batches, ArrayDataset or (inputs, targets)
    loss, metrics
        As for `fit`.
    batch_size : int
    """
    mode = model.is_training
    model.eval()
    wanted = _metrics(metrics)
    criterion = losses.get(loss)

    def step(inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        predictions = model(inputs)
        return {"loss": criterion(predictions, targets), **{n: m(predictions, targets) for n, m in wanted.items()}}

    compiled, means = compile(step), Means()
    for inputs, targets in _pairs(as_batches(data, batch_size, False, 0)):
        means.add({k: float(v) for k, v in compiled(inputs, targets).items()}, inputs.shape[0])
    model.train(mode)
    return means.values()


def predict(model: Module, inputs: Any, *, batch_size: int = 256) -> np.ndarray:
    """Return the outputs of a model, in evaluation mode, for an array of inputs.

    Parameters
    ----------
    model : Module
    inputs : array, (N, ...)
    batch_size : int

    Returns
    -------
    ndarray, (N, ...)
    """
    array = np.asarray(inputs)
    if array.ndim == 0 or not len(array):
        raise ArgumentError(f"predict needs at least one example, got shape {array.shape}")
    mode = model.is_training
    model.eval()
    compiled = compile(model.__call__)
    parts = [compiled(array[i : i + batch_size]).numpy() for i in range(0, len(array), batch_size)]
    model.train(mode)
    return np.concatenate(parts)
