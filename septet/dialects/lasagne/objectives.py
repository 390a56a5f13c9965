"""Losses and accuracies: for each prediction, to be aggregated by `aggregate` or ``.mean()``."""

from __future__ import annotations

from typing import Any

import septet.dialects.theano.tensor as T
from septet.dialects.lasagne.utils import as_theano_expression
from septet.dialects.theano.tensor import nnet

__all__ = [
    "aggregate", "binary_accuracy", "binary_crossentropy", "binary_hinge_loss", "categorical_accuracy",
    "categorical_crossentropy", "huber_loss", "multiclass_hinge_loss", "squared_error",
]  # fmt: skip


def align_targets(predictions: Any, targets: Any) -> tuple[Any, Any]:
    """Return predictions, and targets as a column where the predictions are one and the targets are a vector."""
    if getattr(predictions, "broadcastable", None) == (False, True) and getattr(targets, "ndim", None) == 1:
        targets = as_theano_expression(targets).dimshuffle(0, "x")
    return predictions, targets


def binary_crossentropy(predictions: Any, targets: Any) -> Any:
    """Return ``-t log(p) - (1 - t) log(1 - p)`` for each prediction, a probability."""
    return nnet.binary_crossentropy(*align_targets(predictions, targets))


def categorical_crossentropy(predictions: Any, targets: Any) -> Any:
    """Return the negative log-likelihood of the targets for each row of probabilities."""
    return nnet.categorical_crossentropy(predictions, targets)


def squared_error(a: Any, b: Any) -> Any:
    """Return ``(a - b) ** 2``."""
    a, b = align_targets(a, b)
    return T.sqr(a - b)


def aggregate(loss: Any, weights: Any = None, mode: str = "mean") -> Any:
    """Return one number for losses."""
    if weights is not None:
        loss = loss * weights
    if mode == "mean":
        return loss.mean()
    if mode == "sum":
        return loss.sum()
    if mode != "normalized_sum":
        raise ValueError(f"mode must be 'mean', 'sum' or 'normalized_sum', got {mode!r}")
    if weights is None:
        raise ValueError("require weights for mode='normalized_sum'")
    return loss.sum() / weights.sum()


def binary_hinge_loss(predictions: Any, targets: Any, delta: Any = 1, log_odds: Any = None, binary: bool = True) -> Any:
    """Return ``max(0, delta - t p)`` for each prediction."""
    if log_odds is None:
        raise FutureWarning(
            "The `log_odds` argument to `binary_hinge_loss` has no default any more: give log_odds=True for predictions that are log-odds, log_odds=False for probabilities"
        )
    if not log_odds:
        predictions = T.log(predictions / (1 - predictions))
    if binary:
        targets = 2 * targets - 1
    predictions, targets = align_targets(predictions, targets)
    return nnet.relu(delta - predictions * targets)


def multiclass_hinge_loss(predictions: Any, targets: Any, delta: Any = 1) -> Any:
    """Return by how much the score of the best wrong class, plus a margin, exceeds that of the right one."""
    if targets.ndim not in (predictions.ndim, predictions.ndim - 1):
        raise TypeError("rank mismatch between targets and predictions")
    classes = predictions.shape[1]
    if targets.ndim < predictions.ndim:
        targets = T.extra_ops.to_one_hot(targets, classes)
    right = predictions[targets.nonzero()]
    wrong = T.reshape(predictions[(1 - targets).nonzero()], (-1, classes - 1))
    return nnet.relu(T.max(wrong, axis=1) - right + delta)


def huber_loss(predictions: Any, targets: Any, delta: Any = 1) -> Any:
    """Return half the squared error of errors up to `delta`, and what grows linearly from there (Huber 1964)."""
    predictions, targets = align_targets(predictions, targets)
    error = abs(targets - predictions)
    return T.switch(error <= delta, 0.5 * squared_error(targets, predictions), delta * (error - delta / 2.0))


def binary_accuracy(predictions: Any, targets: Any, threshold: float = 0.5) -> Any:
    """Return for each prediction whether it lies on the same side of a threshold as its target, 0 or 1."""
    predictions, targets = align_targets(predictions, targets)
    return T.eq(T.ge(predictions, threshold), targets)


def categorical_accuracy(predictions: Any, targets: Any, top_k: int = 1) -> Any:
    """Return for each row of probabilities whether the right class is among the `top_k` most probable."""
    if targets.ndim == predictions.ndim:
        targets = T.argmax(targets, axis=-1)
    elif targets.ndim != predictions.ndim - 1:
        raise TypeError("rank mismatch between targets and predictions")
    if top_k == 1:
        return T.eq(T.argmax(predictions, axis=-1), targets)
    best = T.argsort(predictions, axis=-1)[(slice(None),) * (predictions.ndim - 1) + (slice(-top_k, None),)]
    return T.any(T.eq(best, T.shape_padaxis(targets, axis=-1)), axis=-1)
