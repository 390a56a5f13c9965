"""F7: metrics of predictions: as objects that are updated batch by batch, and as functions of one batch."""

from __future__ import annotations

import re
from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import did_you_mean, shape_text
from septet.graph.op import ops
from septet.graph.pending import want
from septet.metrics.accuracy import Accuracy, BinaryAccuracy, Perplexity, TopKAccuracy
from septet.metrics.counts import AUC, F1, ConfusionMatrix, MeanIoU, Precision, Recall
from septet.metrics.metric import Mean, Metric, Of, agree
from septet.metrics.regression import (
    R2,
    CosineSimilarity,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    RootMeanSquaredError,
)
from septet.nn import losses
from septet.tensor.tensor import Tensor

METRICS: dict[str, type[Metric]] = {
    "accuracy": Accuracy,
    "binary_accuracy": BinaryAccuracy,
    "top_k_accuracy": TopKAccuracy,
    "perplexity": Perplexity,
    "precision": Precision,
    "recall": Recall,
    "f1": F1,
    "auc": AUC,
    "confusion_matrix": ConfusionMatrix,
    "mean_iou": MeanIoU,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "root_mean_squared_error": RootMeanSquaredError,
    "rmse": RootMeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "mae": MeanAbsoluteError,
    "mean_absolute_percentage_error": MeanAbsolutePercentageError,
    "mape": MeanAbsolutePercentageError,
    "mean_squared_logarithmic_error": MeanSquaredLogarithmicError,
    "msle": MeanSquaredLogarithmicError,
    "cosine_similarity": CosineSimilarity,
    "r2": R2,
}
"""The metrics by name."""


def get(metric: Any) -> Metric:
    """Return the metric that a name, a class or a function stands for; a metric is returned as it is.

    Parameters
    ----------
    metric : str, Metric, type or callable
        A name of `METRICS`, "top_5_accuracy" with any number, or the name of a loss; a metric; its class; a function of
        (predictions, targets), of which the mean is taken.

    Returns
    -------
    Metric
        With the name that was given.

    Raises
    ------
    ArgumentError
        If there is none; the message names the nearest.

    Examples
    --------
    >>> from septet import metrics
    >>> metrics.get("top_3_accuracy").k, metrics.get("mse").name, metrics.get(metrics.F1).name
    (3, 'mse', 'f1')
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, type) and issubclass(metric, Metric):
        return metric()
    if callable(metric):
        return Mean(metric)
    if metric in METRICS:
        return METRICS[metric](name=metric)  # type: ignore[call-arg]
    found = re.fullmatch(r"top_(\d+)_accuracy", str(metric))
    if found and int(found[1]):
        return TopKAccuracy(int(found[1]))
    if metric in losses.LOSSES:
        return Mean(losses.LOSSES[metric], metric)
    raise ArgumentError(
        f"metric {metric!r} does not exist.{did_you_mean(str(metric), [*METRICS, *losses.LOSSES])} The metrics are "
        f"{', '.join(METRICS)}, all losses, any Metric, or any function (predictions, targets) -> tensor"
    )


def accuracy(predictions: Tensor, labels: Tensor) -> Tensor:
    """Return the share of examples whose largest prediction is at the label.

    Parameters
    ----------
    predictions : tensor, (N, ..., C)
    labels : tensor of int, (N, ...)

    Raises
    ------
    ShapeError
        If the shapes do not fit; a metric never broadcasts.
    """
    p, y = predictions.node, labels.node
    if not p.ndim or not agree(p.shape[:-1], y.shape):
        expected = shape_text(p.shape[:-1]) if p.ndim else "an axis less"
        raise ShapeError(
            f"accuracy: predictions have shape {shape_text(p.shape)}, so labels {expected}, got {shape_text(y.shape)}"
        )
    hits = ops.equal(ops.argmax(p, axis=-1), ops.cast(y, dtype=dtypes.int64))
    return Tensor(want(ops.mean(ops.cast(hits, dtype=dtypes.float32))))


def mean_absolute_error(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of |prediction - target| for tensors of one shape."""
    a, b = predictions.type.shape, targets.type.shape
    if not agree(a, b):
        raise ShapeError(f"mean_absolute_error: shapes {shape_text(a)} and {shape_text(b)} differ")
    return Tensor(want(ops.mean(ops.abs(predictions.node - targets.node))))


__all__ = [
    "AUC", "F1", "METRICS", "R2", "Accuracy", "BinaryAccuracy", "ConfusionMatrix", "CosineSimilarity", "Mean",
    "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanIoU", "MeanSquaredError", "MeanSquaredLogarithmicError",
    "Metric", "Of", "Perplexity", "Precision", "Recall", "RootMeanSquaredError", "TopKAccuracy", "accuracy", "get",
    "mean_absolute_error",
]  # fmt: skip
