"""Shares of right answers."""

from __future__ import annotations

from septet.base import dtypes
from septet.base.errors import ArgumentError
from septet.metrics.metric import Mean, labels_of, same_shape
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor


class Accuracy(Mean):
    """The share of examples whose largest prediction is at the label.

    Parameters
    ----------
    name : str, optional

    Shape
    -----
    predictions (N, ..., C); labels (N, ...) of integers, or (N, ..., C), whose largest element is then the label.

    Examples
    --------
    >>> from septet import metrics
    >>> accuracy = metrics.Accuracy()
    >>> float(accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1]))
    0.5
    """

    def __init__(self, name: str = "") -> None:
        super().__init__(name=name)

    def values(self, predictions: Tensor, targets: Tensor) -> Tensor:
        if targets.ndim == predictions.ndim and predictions.ndim and not dtypes.is_integer(targets.dtype):
            targets = same_shape(self.name, predictions, targets).argmax(axis=-1)
        else:
            targets = labels_of(self.name, predictions, targets)
        return f.equal(predictions.argmax(axis=-1), targets)


class BinaryAccuracy(Mean):
    """The share of elements that are on the right side of a threshold.

    Parameters
    ----------
    threshold : float
        0.5 for probabilities, 0 for logits.
    name : str, optional

    Shape
    -----
    predictions and targets of one shape; targets of 0 and 1.
    """

    def __init__(self, threshold: float = 0.5, name: str = "") -> None:
        super().__init__(name=name)
        self.threshold = float(threshold)

    def values(self, predictions: Tensor, targets: Tensor) -> Tensor:
        targets = same_shape(self.name, predictions, targets)
        return f.equal(predictions > self.threshold, targets > 0.5)


class TopKAccuracy(Mean):
    """The share of examples whose label is among the k largest predictions; of equal ones the label comes first.

    Parameters
    ----------
    k : int
    name : str, optional
        By default "top_5_accuracy", with the k.

    Shape
    -----
    predictions (N, ..., C), labels (N, ...) of integers.
    """

    def __init__(self, k: int = 5, name: str = "") -> None:
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ArgumentError(f"TopKAccuracy: k must be an integer of at least 1, got {k!r}")
        super().__init__(name=name or f"top_{k}_accuracy")
        self.k = k

    def values(self, predictions: Tensor, targets: Tensor) -> Tensor:
        targets = labels_of(self.name, predictions, targets)
        own = f.take_along_axis(predictions, targets.expand_dims(-1), axis=-1)  # (N, ..., 1)
        return (predictions > own).astype(dtypes.int64).sum(axis=-1) < self.k


class Perplexity(Mean):
    """e to the mean cross-entropy: how many classes a model is, on average, undecided between.

    Parameters
    ----------
    ignore_index : int, optional
        Labels of this value do not count.
    name : str, optional

    Shape
    -----
    logits (N, ..., C), labels (N, ...) of integers.
    """

    def __init__(self, ignore_index: int | None = None, name: str = "") -> None:
        super().__init__(name=name)
        self.ignore_index = ignore_index

    def accumulate(self, predictions: Tensor, targets: Tensor, weights: Tensor | None) -> None:
        labels = labels_of(self.name, predictions, targets)
        if self.ignore_index is not None:
            counts = f.not_equal(labels, self.ignore_index).astype(dtypes.float64)
            weights = counts if weights is None else counts * weights
        super().accumulate(predictions, targets, weights)

    def values(self, predictions: Tensor, targets: Tensor) -> Tensor:
        return f.cross_entropy(predictions, targets, reduction="none", ignore_index=self.ignore_index)

    def result(self) -> Tensor:
        return super().result().exp()
