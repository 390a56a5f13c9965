"""Losses of classes: targets are classes (integers), probabilities of classes, or signs.

A class that does not exist, a negative one too, is an error that names the loss, the class and its position.
"""

from __future__ import annotations

from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.base.shapes import check_axis
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import as_node, cast_to, explain_call, function, ops
from septet.ops.checks import classes
from septet.ops.composite.activations import log_softmax
from septet.ops.composite.losses import check_at_least, pair, positive_part, reduce_loss, same_shapes
from septet.ops.keys import one_hot
from septet.ops.shaping import reshape, sizes_of


def _check_share(name: str, what: str, value: float) -> float:
    if check_at_least(name, what, value, 0) > 1:
        raise ArgumentError(f"{name}: {what} must be between 0 and 1, got {value!r}")
    return value


def _class_axis(name: str, logits: Node, labels: Node, axis: int) -> int:
    """Return the axis of the classes, counted from the front."""
    try:
        return check_axis(axis, logits.ndim)
    except ArgumentError as error:
        raise explain_call(error, name, ("logits", "labels"), (logits, labels)) from None


def _one_for_each_class(name: str, weights: Any, logits: Node, axis: int) -> Node | None:
    """Return the weights of the classes."""
    if weights is None:
        return None
    node = as_node(weights, logits.dtype)
    expected = (logits.shape[axis],)
    if node.ndim != 1 or (None not in (node.shape[0], expected[0]) and node.shape != expected):
        error = ShapeError(
            f"class_weights has shape {shape_text(node.shape)}, one weight for each class is {shape_text(expected)}",
            marks=[(0, axis), *[(1, i) for i in range(node.ndim)]],
        )
        raise explain_call(error, name, ("logits", "class_weights"), (logits, node))
    return cast_to(node, logits.dtype)


def _along(weights: Node, like: Node, axis: int) -> Node:
    """Bring weights (C,) to the rank of the logits."""
    return reshape(weights, tuple(-1 if i == axis else 1 for i in range(like.ndim)))


def _of_classes(
    name: str, log_p: Node, labels: Node, axis: int, weights: Node | None, ignore_index: int | None, smoothing: float
) -> tuple[Node, Node | None]:
    """Return the losses of integer labels, and what a mean divides by, where that is not their number."""
    ignored = None
    if ignore_index is not None:
        ignored = ops.equal(labels, as_node(ignore_index, dtypes.int64))
        labels = ops.where(ignored, as_node(0, labels.dtype), labels)
    labels = classes(labels, log_p, axis, name)
    sizes = sizes_of(labels)
    picked = ops.take_along_axis(log_p, reshape(labels, (*sizes[:axis], 1, *sizes[axis:])), axis=axis)
    losses = -reshape(picked, sizes)
    own = None if weights is None else ops.take(weights, labels, axis=0)
    if own is not None:
        losses = losses * own
    if smoothing:
        spread = log_p if weights is None else log_p * _along(weights, log_p, axis)
        losses = losses * (1 - smoothing) - ops.mean(spread, axis=axis) * smoothing
    if ignored is not None:
        zero = as_node(0, log_p.dtype)
        losses = ops.where(ignored, zero, losses)
        own = ops.where(ignored, zero, as_node(1, log_p.dtype) if own is None else own)
    return losses, None if own is None else ops.sum(own)


@function()
def cross_entropy(
    logits: Any, labels: Any, *, reduction: str = "mean", label_smoothing: float = 0.0, axis: int = -1,
    class_weights: Any = None, ignore_index: int | None = None,
) -> Node:  # fmt: skip
    """Return the cross-entropy between softmax(logits) and labels.

    Parameters
    ----------
    logits : tensor
        Unnormalized, with the classes along `axis`.
    labels : tensor
        Integer classes, or probabilities of the classes.
    reduction : str
        "mean" over the examples, "sum", or "none".
    label_smoothing : float
        The share of probability that is spread evenly over the classes.
    axis : int
        The axis of the classes.
    class_weights : tensor (C,), optional
        A factor for each class. With integer classes a mean is then weighted: it divides by the sum of the factors.
    ignore_index : int, optional
        Integer labels of this value count nowhere: their loss is 0, and a mean is over the others.

    Shape
    -----
    logits (N, ..., C), labels (N, ...) or, as probabilities, (N, ..., C); the losses of reduction "none" are (N, ...).

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    IndexOutOfRangeError
        If a class does not exist: they are 0 to C - 1, and a negative one is not counted from the end.
    DTypeError
        If the labels are neither integers nor floats.

    Source
    ------
    Label smoothing: Szegedy et al., Rethinking the Inception architecture, 2016, section 7. With class weights as in
    PyTorch's ``cross_entropy``.

    Examples
    --------
    >>> import septet as st
    >>> logits = st.log(st.tensor([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]))
    >>> st.cross_entropy(logits, st.tensor([0, 2]), reduction="none") / st.log(2.0)
    tensor([1., 2.], dtype=float32)
    """
    name = "cross_entropy"
    logits, labels = as_node(logits), as_node(labels)
    smoothing = _check_share(name, "label_smoothing", label_smoothing)
    axis = _class_axis(name, logits, labels, axis)
    log_p = log_softmax(logits, axis)
    weights = _one_for_each_class(name, class_weights, log_p, axis)
    if dtypes.is_integer(labels.dtype):
        losses, total = _of_classes(name, log_p, labels, axis, weights, ignore_index, smoothing)
        return reduce_loss(losses, reduction, total)
    if not dtypes.is_float(labels.dtype):
        error = DTypeError(f"labels must be integers or floats, got {labels.dtype.name}")
        raise explain_call(error, name, ("logits", "labels"), (logits, labels))
    if ignore_index is not None:
        raise ArgumentError(f"{name}: ignore_index is for integer labels, these are {labels.dtype.name}")
    labels = same_shapes(name, logits, labels, ("logits", "labels"))
    if smoothing:
        count = sizes_of(logits)[axis]
        share = smoothing / count if isinstance(count, int) else smoothing / cast_to(count, labels.dtype)
        labels = labels * (1 - smoothing) + share
    terms = labels * log_p
    if weights is not None:
        terms = terms * _along(weights, log_p, axis)
    return reduce_loss(-ops.sum(terms, axis=axis), reduction)


@function("nll_loss")
def negative_log_likelihood(
    log_probabilities: Any, labels: Any, *, reduction: str = "mean", axis: int = -1, class_weights: Any = None,
    ignore_index: int | None = None,
) -> Node:  # fmt: skip
    """Return minus the log-probability of integer labels: `cross_entropy` of what `log_softmax` returned.

    Parameters
    ----------
    log_probabilities : tensor
    labels : tensor of int
    reduction : str
    axis : int
        The axis of the classes.
    class_weights : tensor (C,), optional
    ignore_index : int, optional
        Labels of this value count nowhere.

    Shape
    -----
    log_probabilities (N, ..., C), labels (N, ...).

    Raises
    ------
    ShapeError, IndexOutOfRangeError, DTypeError
        As for `cross_entropy`.
    """
    name = "negative_log_likelihood"
    log_p, labels = as_node(log_probabilities), as_node(labels)
    if not dtypes.is_float(log_p.dtype) or not dtypes.is_integer(labels.dtype):
        error = DTypeError(f"takes floats and integer labels, got {log_p.dtype.name} and {labels.dtype.name}")
        raise explain_call(error, name, ("log_probabilities", "labels"), (log_p, labels))
    axis = _class_axis(name, log_p, labels, axis)
    weights = _one_for_each_class(name, class_weights, log_p, axis)
    losses, total = _of_classes(name, log_p, labels, axis, weights, ignore_index, 0.0)
    return reduce_loss(losses, reduction, total)


@function("binary_cross_entropy_with_logits")
def binary_cross_entropy(
    logits: Any, targets: Any, *, reduction: str = "mean", positive_weight: Any = None, label_smoothing: float = 0.0
) -> Node:
    """Return the cross-entropy between sigmoid(logits) and targets in [0, 1], computed without overflow.

    Parameters
    ----------
    logits, targets : tensor of one shape
    reduction : str
    positive_weight : float or tensor, optional
        A factor for targets of 1, which broadcasts against the logits: above 1 it makes missed ones cost more.
    label_smoothing : float
        Moves targets towards 1/2: by half of this share.

    Raises
    ------
    ShapeError
        If the shapes differ.
    """
    name = "binary_cross_entropy"
    smoothing = _check_share(name, "label_smoothing", label_smoothing)
    z, t = pair(name, logits, targets, ("logits", "targets"))
    if smoothing:
        t = t * (1 - smoothing) + 0.5 * smoothing
    if positive_weight is None:
        return reduce_loss(ops.softplus(z) - t * z, reduction)
    weight = cast_to(as_node(positive_weight, z.dtype), z.dtype)
    return reduce_loss((1 - t) * z + (1 + (weight - 1) * t) * ops.softplus(-z), reduction)


@function()
def binary_focal_loss(
    logits: Any, targets: Any, gamma: float = 2.0, alpha: float | None = None, *, reduction: str = "mean"
) -> Node:
    """Return the binary cross-entropy, scaled down where the prediction is right already.

    Parameters
    ----------
    logits, targets : tensor of one shape
        Targets are 0 or 1.
    gamma : float
        How much: the factor is the probability of the wrong class to this power.
    alpha : float, optional
        The weight of targets of 1; those of 0 have the weight 1 - alpha. Without it, both have the weight 1.
    reduction : str

    Source
    ------
    Lin et al., Focal loss for dense object detection, 2017, equations 4 and 5.
    """
    gamma = check_at_least("binary_focal_loss", "gamma", gamma, 0)
    z, t = pair("binary_focal_loss", logits, targets, ("logits", "targets"))
    right = (t * 2 - 1) * z  # the logit of the true class
    losses = ops.exp(ops.softplus(right) * -gamma) * ops.softplus(-right)
    if alpha is not None:
        alpha = _check_share("binary_focal_loss", "alpha", alpha)
        losses = losses * (t * alpha + (1 - t) * (1 - alpha))
    return reduce_loss(losses, reduction)


@function()
def hinge_loss(predictions: Any, targets: Any, *, reduction: str = "mean") -> Node:
    """Return max(0, 1 - target * prediction) for targets -1 and 1.

    Parameters
    ----------
    predictions, targets : tensor of one shape
    reduction : str

    Source
    ------
    Cortes and Vapnik, Support-vector networks, 1995.
    """
    p, t = pair("hinge_loss", predictions, targets)
    return reduce_loss(positive_part(1 - t * p), reduction)


@function()
def squared_hinge_loss(predictions: Any, targets: Any, *, reduction: str = "mean") -> Node:
    """Return the square of the hinge loss, for targets -1 and 1.

    Parameters
    ----------
    predictions, targets : tensor of one shape
    reduction : str
    """
    p, t = pair("squared_hinge_loss", predictions, targets)
    return reduce_loss(ops.square(positive_part(1 - t * p)), reduction)


@function()
def multiclass_hinge_loss(
    scores: Any, labels: Any, margin: float = 1.0, *, axis: int = -1, reduction: str = "mean"
) -> Node:
    """Return max(0, margin + the largest score of another class - the score of the label).

    Parameters
    ----------
    scores : tensor
    labels : tensor of int
    margin : float
    axis : int
        The axis of the classes.
    reduction : str

    Shape
    -----
    scores (N, ..., C), labels (N, ...).

    Raises
    ------
    ShapeError, IndexOutOfRangeError, DTypeError
        As for `cross_entropy`.

    Source
    ------
    Crammer and Singer, On the algorithmic implementation of multiclass kernel-based vector machines, 2001.
    """
    name = "multiclass_hinge_loss"
    scores, labels = as_node(scores), as_node(labels)
    if not dtypes.is_float(scores.dtype) or not dtypes.is_integer(labels.dtype):
        error = DTypeError(f"takes floats and integer labels, got {scores.dtype.name} and {labels.dtype.name}")
        raise explain_call(error, name, ("scores", "labels"), (scores, labels))
    axis = _class_axis(name, scores, labels, axis)
    labels = classes(labels, scores, axis, name)
    is_own = one_hot(labels, sizes_of(scores)[axis], axis=axis, dtype=bool)
    own = ops.sum(ops.where(is_own, scores, as_node(0, scores.dtype)), axis=axis)
    others = ops.max(ops.where(is_own, as_node(float("-inf"), scores.dtype), scores), axis=axis)
    return reduce_loss(positive_part(others - own + margin), reduction)
