"""Metrics of numbers."""

from __future__ import annotations

from septet.base import dtypes
from septet.metrics.metric import Mean, Metric, as_double, ratio, same_shape, weights_for
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor


class _Difference(Mean):
    """The mean over all elements of a function of predictions and targets of one shape."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name=name)

    def values(self, predictions: Tensor, targets: Tensor) -> Tensor:
        targets = same_shape(self.name, predictions, targets)
        return self.difference(predictions.astype(dtypes.float64), targets.astype(dtypes.float64))

    def difference(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Return a value for each element, in double precision."""
        raise NotImplementedError


class MeanSquaredError(_Difference):
    """The mean of (prediction - target) squared."""

    def difference(self, predictions: Tensor, targets: Tensor) -> Tensor:
        return (predictions - targets).square()


class RootMeanSquaredError(MeanSquaredError):
    """The square root of the mean of (prediction - target) squared."""

    def result(self) -> Tensor:
        return super().result().sqrt()


class MeanAbsoluteError(_Difference):
    """The mean of |prediction - target|."""

    def difference(self, predictions: Tensor, targets: Tensor) -> Tensor:
        return (predictions - targets).abs()


class MeanAbsolutePercentageError(_Difference):
    """The mean of 100 |prediction - target| / |target|; a target nearer to 0 than 1e-7 counts as 1e-7."""

    def difference(self, predictions: Tensor, targets: Tensor) -> Tensor:
        return (predictions - targets).abs() * 100.0 / f.maximum(targets.abs(), 1e-7)


class MeanSquaredLogarithmicError(_Difference):
    """The mean of (log(1 + prediction) - log(1 + target)) squared, for numbers above -1."""

    def difference(self, predictions: Tensor, targets: Tensor) -> Tensor:
        return (f.log1p(predictions) - f.log1p(targets)).square()


class CosineSimilarity(Mean):
    """The mean of the cosine of the angle between prediction and target along an axis.

    Parameters
    ----------
    axis : int
    name : str, optional
    """

    def __init__(self, axis: int = -1, name: str = "") -> None:
        super().__init__(name=name)
        self.axis = axis

    def values(self, predictions: Tensor, targets: Tensor) -> Tensor:
        return f.cosine_similarity(predictions, same_shape(self.name, predictions, targets), axis=self.axis)


class R2(Metric):
    """The coefficient of determination: 1 - (sum of squared errors) / (sum of squared distances from the mean target).

    It is 1 for perfect predictions and 0 for those of the mean. Over several outputs (the last axis of tensors with
    more than one) it is the mean of theirs.

    Parameters
    ----------
    name : str, optional

    Examples
    --------
    >>> from septet import metrics
    >>> r2 = metrics.R2()
    >>> r2.update([1.0, 2.0], [1.0, 3.0])
    >>> float(r2([5.0], [5.0]))
    0.875
    """

    def accumulate(self, predictions: Tensor, targets: Tensor, weights: Tensor | None) -> None:
        targets = same_shape(self.name, predictions, targets).astype(dtypes.float64)
        error = (predictions.astype(dtypes.float64) - targets).square()
        weights = weights_for(self.name, targets, weights)
        if weights is None:
            weights = f.ones_like(targets)
        axes = tuple(range(max(targets.ndim - 1, 1)))
        self.add(
            count=weights.sum(axis=axes),
            errors=(error * weights).sum(axis=axes),
            targets=(targets * weights).sum(axis=axes),
            squares=(targets.square() * weights).sum(axis=axes),
        )

    def result(self) -> Tensor:
        if not self.states:
            return as_double(0)
        count, total = self.state("count"), self.state("targets")
        spread = self.state("squares") - ratio(total * total, count)
        return (1.0 - ratio(self.state("errors"), spread)).mean()
