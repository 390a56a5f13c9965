"""A model, a loss, an optimizer and metrics, with steps that are compiled whole."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import septet.optim as optim
from septet.base.errors import ArgumentError
from septet.graph.op import ops
from septet.metrics import Metric
from septet.metrics import get as get_metric
from septet.nn import losses
from septet.nn.constraints import apply_constraints
from septet.nn.module import Module
from septet.nn.regularizers import has_penalties, regularization_loss
from septet.run.compile import compile
from septet.run.gradients import no_grad
from septet.tensor.creation import tensor
from septet.tensor.tensor import Tensor
from septet.train.log import Row
from septet.train.monitor import collecting, selected, watch
from septet.train.nested import apply, count_of, given_away
from septet.train.values import Means, arrays_of, results
from septet.transform.amp import amp

PRECISIONS = ("float32", "mixed")


class Tester:
    """A model, a loss and metrics with a compiled step that evaluates.

    Parameters
    ----------
    model : Module
    loss : str or callable
    metrics : sequence of str or callable
    class_weight : mapping of int to float, or sequence of float, optional
        What the losses of the examples of each class are multiplied by; classes that a mapping lacks have 1.
    precision : str
        "float32", or "mixed": products in bfloat16, see `septet.amp`.

    Attributes
    ----------
    test_step : Compiled
        A function of (inputs, targets), or (inputs, targets, weights), that returns the loss of the batch (with the
        penalties that `Module.regularize` has set) and updates metrics. With weights, of examples or classes, the loss
        is a weighted mean, and "weight" is their sum.
    """

    def __init__(
        self, model: Module, loss: Any = "cross_entropy", metrics: Sequence[Any] | None = None, *,
        class_weight: Any = None, precision: str = "float32",
    ) -> None:  # fmt: skip
        if precision not in PRECISIONS:
            raise ArgumentError(f"precision {precision!r} does not exist; there are {', '.join(PRECISIONS)}")
        self.model = model
        self.loss = losses.get(loss)
        self._guesses = metrics is None and is_own(self.loss)
        self.test_metrics = as_metrics(default_metrics(self.loss) if metrics is None else metrics)
        self.class_weight = class_weight
        self.test_step = compile(self._test_step if precision == "float32" else amp(self._test_step))

    def test(self, batches: Any) -> Row:
        """Return loss and metrics on data, in evaluation mode."""
        means = Means()
        for metric in self.test_metrics.values():
            metric.reset()
        with self.model.evaluating():
            for batch in batches:
                arrays = arrays_of(batch)
                values = self.test_step(*[given_away(array) for array in arrays])
                means.add({name: float(value) for name, value in values.items()}, count_of(arrays[0]))
        if not means.count:
            raise ArgumentError("the data to test on gives no batches")
        return means.values() | results(self.test_metrics)

    def _test_step(self, inputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
        with no_grad():
            return self.values(inputs, targets, weights, self.test_metrics)

    def values(
        self, inputs: Tensor, targets: Tensor, weights: Tensor | None, metrics: dict[str, Metric]
    ) -> dict[str, Tensor]:
        """Record the loss of a batch, and show the predictions to metrics.

        A loss of the user's own may be one of classes or of numbers. Where nobody has asked for metrics, the outputs
        tell: of one number for each example there is no accuracy, and it is taken out of the metrics.
        """
        predictions = apply(self.model, inputs)
        if weights is None and self.class_weight is None:
            values = {"loss": self.loss(predictions, targets)}
        else:
            values = self._weighted_loss(predictions, targets, weights)
        if has_penalties(self.model):
            values["loss"] = values["loss"] + regularization_loss(self.model)
        if self._guesses and not has_classes(predictions):
            metrics.clear()
        for metric in metrics.values():
            metric.update(predictions, targets)
        return values

    def _weighted_loss(self, predictions: Tensor, targets: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
        """Return the weighted mean of the losses of the examples, and the sum of the weights."""
        try:
            each = self.loss(predictions, targets, reduction="none")
        except TypeError as error:
            raise ArgumentError(
                f"weights need a loss of each example: {getattr(self.loss, '__name__', self.loss)} must take "
                'reduction="none"'
            ) from error
        if each.ndim > 1:
            each = each.mean(axis=tuple(range(1, each.ndim)))
        if each.ndim != 1:
            raise ArgumentError("weights need a loss of each example, got one of the batch")
        if self.class_weight is not None:
            own = self._class_weights(predictions, targets).astype(each.dtype)
            weights = own if weights is None else weights.astype(each.dtype) * own
        assert weights is not None
        if weights.ndim != 1:
            raise ArgumentError(f"weights of examples have shape (B,), got {weights.shape}")
        weights = weights.astype(each.dtype)
        total = weights.sum()
        return {"loss": (each * weights).sum() / total, "weight": total}

    def _class_weights(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Return the weights of the examples that follow from their classes."""
        if targets.dtype.kind not in "iu" or targets.ndim != 1:
            raise ArgumentError(f"class_weight needs targets that are classes, int (B,), got {targets.type!r}")
        if isinstance(self.class_weight, Mapping):
            table = np.ones(predictions.shape[-1], np.float32)
            wrong = [key for key in self.class_weight if not 0 <= key < len(table)]
            if wrong:
                raise ArgumentError(f"class_weight: there is no class {wrong[0]!r}; there are 0 to {len(table) - 1}")
            for key, value in self.class_weight.items():
                table[key] = value
        else:
            table = np.asarray(self.class_weight, np.float32)
        return Tensor(ops.take(tensor(table).node, targets.node, axis=0))


class Trainer(Tester):
    """A model, a loss and an optimizer with their compiled steps.

    Parameters
    ----------
    model : Module
    optimizer : str or Optimizer
    loss : str or callable
    metrics : sequence of str or callable
    learning_rate : float, Schedule or callable, optional
        For an optimizer given by name.
    class_weight, precision
        See `Tester`.

    Attributes
    ----------
    train_step : Compiled
        A function like `test_step` that changes the parameters.
    metrics, test_metrics : dict of str to Metric
        Those of training, and of `test`; see `values`.
    """

    def __init__(
        self, model: Module, optimizer: Any = "adam", loss: Any = "cross_entropy",
        metrics: Sequence[Any] | None = None, learning_rate: Any = None, *, class_weight: Any = None,
        precision: str = "float32",
    ) -> None:  # fmt: skip
        super().__init__(model, loss, metrics, class_weight=class_weight, precision=precision)
        if not isinstance(optimizer, optim.Optimizer):
            words = {} if learning_rate is None else {"learning_rate": learning_rate}
            optimizer = optim.by_name(optimizer)(model, **words)
        elif learning_rate is not None:
            raise ArgumentError("learning_rate is for an optimizer given by name; this one has its own")
        self.optimizer: optim.Optimizer = optimizer
        self.metrics = as_metrics(default_metrics(self.loss) if metrics is None else metrics)
        self.watches: tuple[str, ...] | None = None  # whose gradients, where anything is watched
        self.train_step = compile(self._train_step if precision == "float32" else amp(self._train_step))

    def train(self, *arrays: Any) -> dict[str, Tensor]:
        """Train on the arrays of a batch, which are given away; return the loss."""
        return self.train_step(*[given_away(array) for array in arrays])

    def _train_step(self, inputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
        with collecting(self.watches is not None) as watched:
            values = self.values(inputs, targets, weights, self.metrics)
            values["loss"].backward()  # type: ignore[attr-defined]
            for path, parameter in selected(self.model, self.watches or ()):
                if parameter.grad is not None:
                    watch(f"gradient {path}", parameter.grad)
        self.optimizer.step()
        apply_constraints(self.model)
        return {**values, **watched}


def is_own(loss: Any) -> bool:
    """Return whether a loss is a function of the user's own."""
    return all(loss is not each for each in losses.LOSSES.values())


def has_classes(predictions: Any) -> bool:
    """Return whether outputs may have an element for each class: more than one for each example."""
    return not isinstance(predictions, Tensor) or (predictions.ndim > 1 and predictions.type.shape[-1] != 1)


def default_metrics(loss: Any) -> tuple[str, ...]:
    """Return what is measured where nobody says what: accuracy, unless the loss is one that knows no classes.

    The share of hits of a regression would be 1, as a row of one number is always largest at 0.
    """
    knows_none = any(loss is each for name, each in losses.LOSSES.items() if name not in losses.OF_CLASSES)
    return () if knows_none else ("accuracy",)


def as_metrics(metrics: Any) -> dict[str, Metric]:
    """Return metrics, given in any way that `septet.metrics.get` knows, by their names, with nothing seen so far."""
    found: dict[str, Metric] = {}
    for each in metrics if isinstance(metrics, (list, tuple)) else [metrics]:
        metric = copy.copy(get_metric(each))
        metric.states = {}
        if metric.name in found or metric.name == "loss":
            raise ArgumentError(
                f"metrics: two values are called {metric.name!r}", hint="metrics take a name: F1(name=...)"
            )
        found[metric.name] = metric
    return found
