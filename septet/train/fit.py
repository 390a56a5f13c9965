"""`fit`, `evaluate` and `predict`: training in one line, on a compiled step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError
from septet.data.arrays import ArrayDataset
from septet.data.stream import Batches, Stream
from septet.nn.module import Module
from septet.run.check import check
from septet.run.compile import compile
from septet.run.gradients import no_grad
from septet.tensor.tensor import Tensor
from septet.train.checkpoints import Checkpoints
from septet.train.extension import OnEpoch, as_extensions
from septet.train.files import JsonLines
from septet.train.log import History
from septet.train.loop import Loop
from septet.train.measuring import Validation
from septet.train.monitor import Monitor
from septet.train.nested import apply, count_of, flat_data, joined, slices
from septet.train.progress import Progress
from septet.train.stopping import ObservePlateaus
from septet.train.trainer import Tester, Trainer


def fit(
    model: Module,
    data: Any,
    epochs: int = 1,
    *,
    validation: Any = None,
    validation_split: float = 0.0,
    validation_every: int = 1,
    optimizer: Any = "adam",
    loss: Any = "cross_entropy",
    metrics: Sequence[Any] | None = None,
    batch_size: int = 32,
    learning_rate: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    shuffle: bool = True,
    seed: int = 0,
    verbose: bool = True,
    callbacks: Any = (),
    on_epoch: Callable[[dict[str, float]], Any] | None = None,
    checkpoints: str | os.PathLike[str] | Checkpoints | None = None,
    resume: bool = False,
    log: str | os.PathLike[str] | None = None,
    log_every: int | None = None,
    check_nan: bool = False,
    precision: str = "float32",
) -> History:
    """Train a model.

    The first Ctrl-C ends the training after the epoch under way, the second after the batch, the third at once; what
    was learned and logged so far stays.

    Parameters
    ----------
    model : Module
    data : (inputs, targets), data set, or stream or iterable of batches
        Inputs of several arrays are a tuple or list, which the model is given one by one, or a dict, by name. Batches
        may hold weights of the examples as a third array.
    epochs : int
    validation : like `data`, optional
        Held-out data to evaluate on.
    validation_split : float
        The share of the arrays, at their end, that is held out instead.
    validation_every : int
        After every so many epochs, and the last one.
    optimizer : str or Optimizer
    loss : str or callable
    metrics : sequence of str, Metric or callable, optional
        See `septet.metrics.get`; they are exact over all examples of the epoch. By default accuracy, where the loss is
        of classes (or a function of yours, and the model has several outputs), and nothing for other losses, such as
        mean_squared_error.
    batch_size : int
    learning_rate : float, Schedule or callable, optional
        For an optimizer given by name.
    sample_weight : array, (N,), optional
        What the losses of the examples are multiplied by; the loss is the weighted mean. Metrics are not weighted.
    class_weight : mapping of int to float, or sequence of float, optional
        The same by the class of the example.
    shuffle : bool
    seed : int
        Of the order of the data.
    verbose : bool
        Show progress.
    callbacks : sequence of Extension or callable
        A plain function is called with the row of each epoch, and ends the training by returning True.
    on_epoch : callable, optional
        One more such function.
    checkpoints : path or Checkpoints, optional
        The folder for checkpoints, one after each epoch and the last three kept; `Checkpoints` says more.
    resume : bool
        Go on from the latest checkpoint, where there is one.
    log : path, optional
        Write the log to this file of JSON lines.
    log_every : int, optional
        Write the values of the batch to the log at every so many steps.
    check_nan : bool
        Name the op that makes the first NaN or infinity, which takes time; see `septet.check`.
    precision : str
        "float32", or "mixed": products in bfloat16, see `septet.amp`.

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
    if sample_weight is not None:
        data = _with_weights(data, sample_weight)
    if validation_split:
        if validation is not None:
            raise ArgumentError("fit: give either validation or validation_split, not both")
        data, validation = _split(data, validation_split)
    batches = as_batches(data, batch_size, shuffle, seed)
    trainer = Trainer(
        model, optimizer, loss, metrics, learning_rate, class_weight=class_weight, precision=precision
    )  # fmt: skip
    extensions = as_extensions(callbacks)
    monitors = [extension for extension in extensions if isinstance(extension, Monitor)]
    if monitors:
        trainer.watches = tuple(pattern for monitor in monitors for pattern in monitor.gradients)
    extensions += [] if on_epoch is None else [OnEpoch(on_epoch)]
    extensions += [Progress()] if verbose else []
    extensions += [] if log is None else [JsonLines(log)]
    extensions += [ObservePlateaus()] if trainer.optimizer.schedules else []
    if validation is not None:
        held_out = as_batches(validation, max(batch_size, 256), False, seed)
        extensions.insert(0, Validation(lambda: trainer.test(held_out), every=validation_every))
    if checkpoints is not None:
        own = isinstance(checkpoints, Checkpoints)
        saving = checkpoints if isinstance(checkpoints, Checkpoints) else Checkpoints(checkpoints, resumes=resume)
        saving.resumes = saving.resumes or (own and resume)
        extensions.append(saving)
    elif resume:
        raise ArgumentError("fit: resume=True goes on from checkpoints", hint="say where: checkpoints='FOLDER'")
    loop = Loop(
        trainer.train, batches, model=model, optimizer=trainer.optimizer, metrics=trainer.metrics,
        extensions=extensions, log_every=log_every,
    )  # fmt: skip
    with check(nan=True) if check_nan else nullcontext():
        return loop.run(epochs)


def evaluate(
    model: Module,
    data: Any,
    *,
    loss: Any = "cross_entropy",
    metrics: Sequence[Any] | None = None,
    batch_size: int = 256,
) -> dict[str, float]:
    """Return loss and metrics of a model on data, in evaluation mode.

    Parameters
    ----------
    model : Module
    data : (inputs, targets), data set, or stream or iterable of batches
    loss, metrics
        As for `fit`.
    batch_size : int

    Returns
    -------
    dict of str to float
        Means over the examples.
    """
    return Tester(model, loss, metrics).test(as_batches(data, batch_size, False, 0))


def predict(model: Module, inputs: Any, *, batch_size: int = 256) -> Any:
    """Return the outputs of a model, in evaluation mode, for an array of inputs.

    Parameters
    ----------
    model : Module
    inputs : array, (N, ...), or tuple, list or dict of them
    batch_size : int

    Returns
    -------
    ndarray, (N, ...)
        Or several, nested as the outputs of the model are.
    """

    @compile
    def step(batch: Any) -> Any:
        with no_grad():
            return apply(model, batch)

    with model.evaluating():
        return joined([step(piece) for piece in slices(inputs, batch_size)])


def as_batches(data: Any, batch_size: int, shuffle: bool, seed: int) -> Any:
    """Return batches of a data set, a tuple or a dict of arrays; what gives batches itself is left as it is."""
    dataset, regroup = flat_data(data)
    if dataset is not None:
        return Batches(dataset, batch_size=batch_size, shuffle=shuffle, seed=seed, transform=regroup)
    if not isinstance(data, Stream) and hasattr(data, "__len__") and hasattr(data, "__getitem__"):
        return Batches(data, batch_size=batch_size, shuffle=shuffle, seed=seed)
    if not isinstance(data, Iterable) or isinstance(data, (np.ndarray, Tensor, str)):
        raise ArgumentError(
            f"data must be arrays (inputs, targets), a data set, or give batches of them, got {type(data).__name__}"
        )
    if iter(data) is data:
        raise ArgumentError(
            f"{type(data).__name__} gives its batches only once",
            hint="septet.data.Stream(FUNCTION) calls it anew",
        )
    return data


def _in_memory(what: str, data: Any) -> tuple[Any, ...]:
    """Return inputs and targets that are held in memory, each an array or nested arrays."""
    if isinstance(data, ArrayDataset):
        data = data.arrays
    if isinstance(data, (tuple, dict)):
        return tuple(data.values() if isinstance(data, dict) else data)
    raise ArgumentError(f"fit: {what} needs data given as arrays, got {type(data).__name__}")


def _with_weights(data: Any, weights: Any) -> tuple[Any, ...]:
    found, array = _in_memory("sample_weight", data), np.asarray(weights)
    if len(found) != 2 or array.shape != (count_of(found[1]),):
        raise ArgumentError(
            f"fit: sample_weight has shape {array.shape}; inputs and targets of {count_of(found[1])} examples need "
            f"({count_of(found[1])},)"
        )
    return (*found, array)


def _split(data: Any, share: float) -> tuple[Any, Any]:
    """Return the first examples and the last share of them."""
    found = _in_memory("validation_split", data)
    if not isinstance(share, (int, float)) or not 0 < share < 1:
        raise ArgumentError(f"fit: validation_split must be between 0 and 1, got {share!r}")
    count = count_of(found[-1])
    start = count - round(count * share)
    if not 0 < start < count:
        raise ArgumentError(f"fit: validation_split={share} of {count} examples leaves nothing on one side")
    dataset, regroup = flat_data(found)
    arrays = [np.asarray(array) for array in (found if dataset is None else dataset.arrays)]
    first, last = tuple(array[:start] for array in arrays), tuple(array[start:] for array in arrays)
    return (first, last) if regroup is None else (regroup(first), regroup(last))
