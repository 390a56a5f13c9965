"""Metrics of classes that are made of counts: which class was taken for which, and how often."""

from __future__ import annotations

from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.graph.op import record
from septet.metrics.metric import Metric, as_double, labels_of, ratio, same_shape, weights_for
from septet.ops.checks import check_classes
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor

AVERAGES = ("macro", "micro", "weighted", "none")


class ConfusionMatrix(Metric):
    """How often each class was taken for each: the examples of class i (row) whose largest prediction is at j (column).

    Parameters
    ----------
    name : str, optional

    Shape
    -----
    predictions (N, ..., C), labels (N, ...) of integers from 0 to C - 1; result (C, C).

    Examples
    --------
    >>> from septet import metrics
    >>> matrix = metrics.ConfusionMatrix()
    >>> matrix([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], [1, 1, 0]).tolist()
    [[0.0, 1.0], [1.0, 1.0]]
    """

    def accumulate(self, predictions: Tensor, targets: Tensor, weights: Tensor | None) -> None:
        labels = labels_of(self.name, predictions, targets)
        count = predictions.type.shape[-1]
        if count is None:
            shape = shape_text(predictions.type.shape)
            raise ShapeError(f"{self.name}: the number of classes must be known, predictions have shape {shape}")
        labels = Tensor(record(check_classes, (labels.node,), (count, self.name)))
        pairs = labels * count + predictions.argmax(axis=-1)
        weights = weights_for(self.name, pairs, weights)
        flat = None if weights is None else weights.reshape(-1)
        self.add(matrix=f.bincount(pairs.reshape(-1), flat, length=count * count).reshape(count, count))

    def matrix(self) -> Tensor:
        """Return the counts, (C, C)."""
        if not self.states:
            raise ArgumentError(f"{self.name}: nothing has been seen yet")
        return self.state("matrix")

    def result(self) -> Tensor:
        return self.matrix()


class MeanIoU(ConfusionMatrix):
    """The mean over the classes of intersection / union of where they are and where they are predicted.

    Classes that occur neither here nor there do not count.

    Parameters
    ----------
    name : str, optional

    Shape
    -----
    predictions (N, ..., C), labels (N, ...) of integers from 0 to C - 1.
    """

    def __init__(self, name: str = "") -> None:
        super().__init__(name or "mean_iou")

    def result(self) -> Tensor:
        matrix = self.matrix()
        both = f.diagonal(matrix)
        union = matrix.sum(axis=0) + matrix.sum(axis=1) - both
        return ratio(ratio(both, union).sum(), (union > 0).astype(dtypes.float64).sum())


class _Rates(Metric):
    """Counts of right, predicted and real positives, for one class or for each."""

    def __init__(self, threshold: float = 0.5, average: str = "macro", name: str = "") -> None:
        if average not in AVERAGES:
            raise ArgumentError(
                f"{type(self).__name__}: average {average!r} does not exist; there are {', '.join(AVERAGES)}"
            )
        super().__init__(name)
        self.threshold = float(threshold)
        self.average = average

    def accumulate(self, predictions: Tensor, targets: Tensor, weights: Tensor | None) -> None:
        if targets.ndim == predictions.ndim:
            targets = same_shape(self.name, predictions, targets)
            predicted, real, axes = predictions > self.threshold, targets > 0.5, None
        else:
            count = predictions.type.shape[-1]
            if count is None:
                raise ShapeError(f"{self.name}: the number of classes must be known")
            labels = Tensor(
                record(check_classes, (labels_of(self.name, predictions, targets).node,), (count, self.name))
            )
            classes = f.arange(count)
            predicted = f.equal(predictions.argmax(axis=-1).expand_dims(-1), classes)  # (N, ..., C)
            real = f.equal(labels.expand_dims(-1), classes)
            axes = tuple(range(predictions.ndim - 1))
        predicted, real = predicted.astype(dtypes.float64), real.astype(dtypes.float64)
        weights = weights_for(self.name, real, weights)
        if weights is None:
            weights = f.ones_like(real)
        self.add(
            right=(predicted * real * weights).sum(axis=axes),
            predicted=(predicted * weights).sum(axis=axes),
            real=(real * weights).sum(axis=axes),
        )

    def rate(self, right: Any, predicted: Any, real: Any) -> Tensor:
        """Return the metric from counts, of one class or of each."""
        raise NotImplementedError

    def result(self) -> Tensor:
        if not self.states:
            return as_double(0)
        right, predicted, real = self.state("right"), self.state("predicted"), self.state("real")
        if self.average == "micro":
            return self.rate(right.sum(), predicted.sum(), real.sum())
        rates = self.rate(right, predicted, real)
        if self.average == "none" or not rates.ndim:
            return rates
        return rates.mean() if self.average == "macro" else ratio((rates * real).sum(), real.sum())


_PARAMETERS = """

    Parameters
    ----------
    threshold : float
        Above it a prediction is positive, where each has a target of its own: 0.5 for probabilities, 0 for logits.
    average : str
        How several classes become one number: "macro" is the mean over the classes, "weighted" the mean weighted by how
        often they occur, "micro" counts all of them together, "none" returns a number for each.
    name : str, optional

    Shape
    -----
    predictions and targets (0 and 1) of one shape, which is one class; or predictions (N, ..., C) and integer labels
    (N, ...), whose largest prediction is the predicted class. A rate whose denominator is 0 is 0.
    """


class Precision(_Rates):
    """The share of the predicted positives that are real."""

    __doc__ = f"{__doc__}{_PARAMETERS}"

    def rate(self, right: Any, predicted: Any, real: Any) -> Tensor:
        return ratio(right, predicted)


class Recall(_Rates):
    """The share of the real positives that are predicted."""

    __doc__ = f"{__doc__}{_PARAMETERS}"

    def rate(self, right: Any, predicted: Any, real: Any) -> Tensor:
        return ratio(right, real)


class F1(_Rates):
    """The harmonic mean of precision and recall."""

    __doc__ = f"{__doc__}{_PARAMETERS}"

    def rate(self, right: Any, predicted: Any, real: Any) -> Tensor:
        return ratio(right * 2.0, predicted + real)


class AUC(Metric):
    """The area under the curve of the true positive rate over the false positive rate (ROC), as the threshold moves.

    It is the probability that a positive example has a larger prediction than a negative one. Predictions are counted
    in bins, and two in one bin count as equal: with predictions that are spread out the error is below 1 / bins.

    Parameters
    ----------
    bins : int
    from_logits : bool
        Whether predictions are logits; else they are probabilities.
    name : str, optional

    Shape
    -----
    predictions and targets (0 and 1) of one shape.

    Examples
    --------
    >>> from septet import metrics
    >>> float(metrics.AUC()([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]))
    0.75
    """

    def __init__(self, bins: int = 1000, from_logits: bool = False, name: str = "") -> None:
        if isinstance(bins, bool) or not isinstance(bins, int) or bins < 2:
            raise ArgumentError(f"AUC: bins must be an integer of at least 2, got {bins!r}")
        super().__init__(name)
        self.bins = bins
        self.from_logits = from_logits

    def accumulate(self, predictions: Tensor, targets: Tensor, weights: Tensor | None) -> None:
        targets = same_shape(self.name, predictions, targets)
        shares = predictions.astype(dtypes.float64)
        if self.from_logits:
            shares = shares.sigmoid()
        places = (shares.clip(0.0, 1.0) * self.bins).astype(dtypes.int64).clip(0, self.bins - 1).reshape(-1)
        weights = weights_for(self.name, targets, weights)
        real = (targets > 0.5).astype(dtypes.float64).reshape(-1)
        weights = f.ones_like(real) if weights is None else weights.reshape(-1)
        self.add(
            positives=f.bincount(places, real * weights, length=self.bins),
            negatives=f.bincount(places, (1.0 - real) * weights, length=self.bins),
        )

    def result(self) -> Tensor:
        positives, negatives = self.state("positives", (self.bins,)), self.state("negatives", (self.bins,))
        below = negatives.cumulative_sum(axis=0) - negatives * 0.5
        return ratio((positives * below).sum(), positives.sum() * negatives.sum())
