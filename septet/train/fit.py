"""`fit`, `evaluate` and `predict`: training in one line, on a compiled step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import septet.metrics as metric_functions
import septet.optim as optim
from septet.base.errors import ArgumentError
from septet.data.stream import Batches, Stream
from septet.nn import losses
from septet.nn.module import Module
from septet.run.compile import compile
from septet.run.gradients import no_grad
from septet.tensor.creation import owned
from septet.tensor.tensor import Tensor
from septet.train.callbacks import OnEpoch, as_callbacks
from septet.train.loop import History, Means, pair, run_epochs
from septet.train.progress import Progress, Quiet


def as_batches(data: Any, batch_size: int, shuffle: bool, seed: int) -> Stream:
    """Return batches of a data set, of a tuple of arrays, or the batches themselves."""
    if isinstance(data, Stream):
        return data
    return Batches(data, batch_size=batch_size, shuffle=shuffle, seed=seed)


def as_metrics(metrics: Sequence[Any]) -> dict[str, Callable[..., Tensor]]:
    """Return metrics, given by name or as functions of (predictions, targets), by their names."""
    found: dict[str, Callable[..., Tensor]] = {}
    for each in [metrics] if isinstance(metrics, str) else metrics:
        name = each if isinstance(each, str) else each.__name__
        found[name] = metric_functions.by_name(each) if isinstance(each, str) else each
    return found


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Switch a model to evaluation, and every module of it back to its mode afterwards."""
    modes = [(module, module.is_training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.is_training = mode


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

    Attributes
    ----------
    train_step, test_step : Compiled
        Functions of (inputs, targets) that return loss and metrics of the batch.
    """

    def __init__(
        self, model: Module, optimizer: Any = "adam", loss: Any = "cross_entropy",
        metrics: Sequence[Any] = ("accuracy",), learning_rate: float | None = None,
    ) -> None:  # fmt: skip
        self.model = model
        if not isinstance(optimizer, optim.Optimizer):
            words = {} if learning_rate is None else {"learning_rate": learning_rate}
            optimizer = optim.by_name(optimizer)(model, **words)
        elif learning_rate is not None:
            raise ArgumentError("learning_rate is for an optimizer given by name; this one has its own")
        self.optimizer: optim.Optimizer = optimizer
        self.loss = losses.get(loss)
        self.metrics = as_metrics(metrics)
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
        with no_grad():
            return self._values(inputs, targets)

    def test(self, batches: Stream) -> dict[str, float]:
        """Return loss and metrics on data, in evaluation mode."""
        means = Means()
        with evaluating(self.model):
            for batch in batches:
                inputs, targets = pair(batch)
                values = self.test_step(owned(inputs), owned(targets))
                means.add({name: float(value) for name, value in values.items()}, len(inputs))
        return means.values()


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
    callbacks: Any = (),
    on_epoch: Callable[[dict[str, float]], Any] | None = None,
) -> History:
    """Train a model.

    The first Ctrl-C ends the training after the batch under way; what was learned and logged so far stays.

    Parameters
    ----------
    model : Module
    data : Stream of batches, ArrayDataset or (inputs, targets)
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
    callbacks : sequence of Callback or callable
        A plain function is called with the row of each epoch.
    on_epoch : callable, optional
        One more such function.

    Returns
    -------
    History

    Raises
    ------
    NonFiniteError
        If the loss becomes NaN or infinite.
    """
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise ArgumentError(f"fit: epochs must be at least 1, got {epochs!r}")
    batches = as_batches(data, batch_size, shuffle, seed)
    held_out = None if validation is None else as_batches(validation, max(batch_size, 256), False, seed)
    trainer = Trainer(model, optimizer, loss, metrics, learning_rate)
    return run_epochs(
        model,
        lambda inputs, targets: trainer.train_step(owned(inputs), owned(targets)),
        batches,
        epochs,
        test=None if held_out is None else lambda: trainer.test(held_out),
        progress=Progress(epochs, batches.length) if verbose else Quiet(),
        callbacks=[*as_callbacks(callbacks), *([] if on_epoch is None else [OnEpoch(on_epoch)])],
    )


def evaluate(
    model: Module,
    data: Any,
    *,
    loss: Any = "cross_entropy",
    metrics: Sequence[Any] = ("accuracy",),
    batch_size: int = 256,
) -> dict[str, float]:
    """Return loss and metrics of a model on data, in evaluation mode.

    Parameters
    ----------
    model : Module
    data : Stream of batches, ArrayDataset or (inputs, targets)
    loss, metrics
        As for `fit`.
    batch_size : int

    Returns
    -------
    dict of str to float
        Means over the examples.
    """
    criterion, wanted = losses.get(loss), as_metrics(metrics)

    @compile
    def step(inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        with no_grad():
            predictions = model(inputs)
            return {"loss": criterion(predictions, targets), **{n: m(predictions, targets) for n, m in wanted.items()}}

    means = Means()
    with evaluating(model):
        for batch in as_batches(data, batch_size, False, 0):
            inputs, targets = pair(batch)
            values = step(owned(inputs), owned(targets))
            means.add({name: float(value) for name, value in values.items()}, len(inputs))
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

    @compile
    def apply(batch: Tensor) -> Tensor:
        with no_grad():
            return model(batch)

    with evaluating(model):
        parts = [apply(array[i : i + batch_size]).numpy() for i in range(0, len(array), batch_size)]
    return np.concatenate(parts)
