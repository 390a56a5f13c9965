"""Losses. None of them broadcasts: predictions and targets have the shapes that the docstring says; else an error."""

from __future__ import annotations

from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import as_node, explain_call, function, ops
from septet.ops.composite.activations import log_softmax
from septet.ops.shaping import reshape, sizes_of

REDUCTIONS = ("mean", "sum", "none")


def reduce_loss(values: Node, reduction: str) -> Node:
    """Apply "mean", "sum" or "none" to the losses of the examples."""
    if reduction == "mean":
        return ops.mean(values)
    if reduction == "sum":
        return ops.sum(values)
    if reduction == "none":
        return values
    raise ArgumentError(f"reduction {reduction!r} does not exist; the reductions are {', '.join(REDUCTIONS)}")


def same_shapes(name: str, predictions: Node, targets: Node) -> None:
    """Refuse shapes that differ: a loss never broadcasts."""
    a, b = predictions.shape, targets.shape
    if len(a) != len(b) or any(x != y and None not in (x, y) for x, y in zip(a, b, strict=True)):
        marks = [(0, i) for i in range(len(a))] + [(1, i) for i in range(len(b))]
        error = ShapeError(
            f"predictions have shape {shape_text(a)}, targets {shape_text(b)}; a loss never broadcasts", marks=marks,
            hint="reshape or squeeze one of them",
        )  # fmt: skip
        raise explain_call(error, name, ("predictions", "targets"), (predictions, targets))


def _pair(name: str, predictions: Any, targets: Any) -> tuple[Node, Node]:
    predictions = as_node(predictions)
    targets = as_node(targets, predictions.dtype)
    same_shapes(name, predictions, targets)
    if not dtypes.is_differentiable(targets.dtype):
        targets = ops.cast(targets, dtype=predictions.dtype)
    return predictions, targets


@function()
def cross_entropy(
    logits: Any, labels: Any, *, reduction: str = "mean", label_smoothing: float = 0.0, axis: int = -1
) -> Node:
    """Return the cross-entropy between softmax(logits) and labels.

    Parameters
    ----------
    logits : tensor, (N, ..., C)
        Unnormalized; `axis` is the axis of the classes.
    labels : tensor
        Integer classes of the shape of `logits` without the class axis, or probabilities of its shape. A class outside
        0 to C - 1 is an error.
    reduction : str
        "mean", "sum" or "none".
    label_smoothing : float
        The share of probability that is spread evenly over the classes (Szegedy et al. 2016).
    axis : int

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    IndexOutOfRangeError
        If a class does not exist.
    """
    logits, labels = as_node(logits), as_node(labels)
    axis = axis % max(logits.ndim, 1)
    log_p = log_softmax(logits, axis)
    if dtypes.is_integer(labels.dtype):
        expected = tuple(size for i, size in enumerate(logits.shape) if i != axis)
        if len(labels.shape) != len(expected) or any(
            a != b and None not in (a, b) for a, b in zip(labels.shape, expected, strict=True)
        ):
            error = ShapeError(
                f"integer labels must have the shape of the logits without the class axis, {shape_text(expected)}, got "
                f"{shape_text(labels.shape)}",
                marks=[(0, i) for i in range(logits.ndim) if i != axis] + [(1, i) for i in range(labels.ndim)],
            )
            raise explain_call(error, "cross_entropy", ("logits", "labels"), (logits, labels))
        sizes = sizes_of(labels)
        picked = ops.take_along_axis(log_p, reshape(labels, (*sizes[:axis], 1, *sizes[axis:])), axis=axis)
        losses = -reshape(picked, sizes)
        if label_smoothing:
            losses = losses * (1 - label_smoothing) - ops.mean(log_p, axis=axis) * label_smoothing
    elif dtypes.is_float(labels.dtype):
        same_shapes("cross_entropy", logits, labels)
        if label_smoothing:
            classes = logits.shape[axis]
            if classes is None:
                raise ShapeError("cross_entropy: label_smoothing needs a known number of classes")
            labels = labels * (1 - label_smoothing) + label_smoothing / classes
        losses = -ops.sum(labels * log_p, axis=axis)
    else:
        raise DTypeError(f"cross_entropy: labels must be integers or floats, got {labels.dtype.name}")
    return reduce_loss(losses, reduction)


@function("nll_loss")
def negative_log_likelihood(log_probabilities: Any, labels: Any, *, reduction: str = "mean") -> Node:
    """Return minus the log-probability of integer labels.

    Parameters
    ----------
    log_probabilities : tensor, (N, C)
    labels : tensor of int, (N,)
    reduction : str
    """
    log_p, labels = as_node(log_probabilities), as_node(labels)
    if log_p.ndim != 2 or labels.ndim != 1:
        error = ShapeError(f"takes (N, C) and (N,), got {shape_text(log_p.shape)} and {shape_text(labels.shape)}")
        raise explain_call(error, "negative_log_likelihood", ("log_probabilities", "labels"), (log_p, labels))
    picked = ops.take_along_axis(log_p, reshape(labels, (*sizes_of(labels), 1)), axis=1)
    return reduce_loss(-reshape(picked, sizes_of(labels)), reduction)


@function()
def binary_cross_entropy(logits: Any, targets: Any, *, reduction: str = "mean") -> Node:
    """Return the cross-entropy between sigmoid(logits) and targets in [0, 1], computed without overflow.

    Parameters
    ----------
    logits, targets : tensor of one shape
    reduction : str
    """
    z, t = _pair("binary_cross_entropy", logits, targets)
    return reduce_loss(ops.softplus(z) - t * z, reduction)


@function("mse")
def mean_squared_error(predictions: Any, targets: Any, *, reduction: str = "mean") -> Node:
    """Return the squared differences of two tensors of one shape, averaged."""
    p, t = _pair("mean_squared_error", predictions, targets)
    return reduce_loss(ops.square(p - t), reduction)


@function("mae")
def mean_absolute_error(predictions: Any, targets: Any, *, reduction: str = "mean") -> Node:
    """Return the absolute differences of two tensors of one shape, averaged."""
    p, t = _pair("mean_absolute_error", predictions, targets)
    return reduce_loss(ops.abs(p - t), reduction)


@function()
def huber_loss(predictions: Any, targets: Any, delta: float = 1.0, *, reduction: str = "mean") -> Node:
    """Return the Huber loss (Huber 1964): square near 0, linear beyond `delta`."""
    p, t = _pair("huber_loss", predictions, targets)
    size = ops.abs(p - t)
    near = ops.square(size) * 0.5
    return reduce_loss(
        ops.where(ops.less(size, as_node(delta, size.dtype)), near, (size - 0.5 * delta) * delta), reduction
    )


@function()
def hinge_loss(predictions: Any, targets: Any, *, reduction: str = "mean") -> Node:
    """Return max(0, 1 - target * prediction) for targets -1 and 1."""
    p, t = _pair("hinge_loss", predictions, targets)
    return reduce_loss(ops.maximum(1 - t * p, as_node(0, p.dtype)), reduction)


@function("kl_div")
def kl_divergence(log_predictions: Any, targets: Any, *, reduction: str = "mean") -> Node:
    """Return target * (log(target) - log_prediction), with 0 log 0 = 0 (Kullback & Leibler 1951)."""
    p, t = _pair("kl_divergence", log_predictions, targets)
    zero = as_node(0, t.dtype)
    is_positive = ops.greater(t, zero)
    log_t = ops.log(ops.where(is_positive, t, as_node(1, t.dtype)))
    return reduce_loss(ops.where(is_positive, t * (log_t - p), zero), reduction)
