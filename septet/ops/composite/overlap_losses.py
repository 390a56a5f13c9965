"""Losses for unbalanced classes and regions: how well what is predicted covers what is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.base import dtypes
from septet.base.errors import DTypeError
from septet.base.shapes import check_axes
from septet.graph.node import Node
from septet.graph.op import as_node, explain_call, function, ops
from septet.ops.checks import classes
from septet.ops.composite.activations import log_softmax
from septet.ops.composite.losses import check_at_least, pair, reduce_loss
from septet.ops.shaping import reshape, sizes_of


@function()
def focal_loss(
    logits: Any, labels: Any, gamma: float = 2.0, class_weights: Any = None, *, reduction: str = "mean"
) -> Node:
    """Return the cross-entropy of classes, scaled down where the prediction is right already.

    Parameters
    ----------
    logits : tensor
    labels : tensor of int
    gamma : float
        How much: the factor is (1 - probability of the label) to this power.
    class_weights : tensor (C,), optional
        A factor for each class.
    reduction : str

    Shape
    -----
    logits (N, ..., C), labels (N, ...); the losses of reduction "none" are (N, ...).

    Raises
    ------
    ShapeError, IndexOutOfRangeError, DTypeError
        As for `cross_entropy`.

    Source
    ------
    Lin et al., Focal loss for dense object detection, 2017, equations 4 and 5. For two classes with one logit, see
    `binary_focal_loss`.
    """
    name = "focal_loss"
    gamma = check_at_least(name, "gamma", gamma, 0)
    logits, labels = as_node(logits), as_node(labels)
    if not dtypes.is_float(logits.dtype) or not dtypes.is_integer(labels.dtype) or not logits.ndim:
        error = DTypeError(
            f"takes floats (N, ..., C) and integer labels, got {logits.dtype.name} and {labels.dtype.name}"
        )
        raise explain_call(error, name, ("logits", "labels"), (logits, labels))
    axis = logits.ndim - 1
    log_p = log_softmax(logits, axis)
    labels = classes(labels, log_p, axis, name)
    sizes = sizes_of(labels)
    own = reshape(ops.take_along_axis(log_p, reshape(labels, (*sizes, 1)), axis=axis), sizes)
    losses = -own if gamma == 0 else ops.power(-ops.expm1(own), as_node(gamma, own.dtype)) * -own
    if class_weights is not None:
        losses = losses * ops.take(ops.cast(as_node(class_weights), dtype=own.dtype), labels, axis=0)
    return reduce_loss(losses, reduction)


@function()
def tversky_loss(
    predictions: Any,
    targets: Any,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: int | Sequence[int] | None = None,
    *,
    smooth: float = 1.0,
    reduction: str = "mean",
) -> Node:
    """Return 1 - TP / (TP + alpha FP + beta FN), where probabilities count as parts of elements.

    Parameters
    ----------
    predictions, targets : tensor of one shape
        Probabilities; what is there.
    alpha, beta : float
        The weights of what is predicted and not there, and of what is there and not predicted.
    axis : int or sequence of int, optional
        The axes that are one region; by default all after the first.
    smooth : float
        Added above and below, so that empty regions are no error.
    reduction : str
        With "none" the result has the other axes.

    Source
    ------
    S. S. M. Salehi, D. Erdogmus, A. Gholipour, Tversky loss function for image segmentation using 3D fully
    convolutional deep networks, 2017.
    """
    return _overlap("tversky_loss", predictions, targets, alpha, beta, axis, smooth, reduction)


@function()
def dice_loss(
    predictions: Any,
    targets: Any,
    axis: int | Sequence[int] | None = None,
    *,
    smooth: float = 1.0,
    reduction: str = "mean",
) -> Node:
    """Return 1 - 2 |both| / (|predicted| + |there|), where probabilities count as parts of elements.

    Parameters
    ----------
    predictions, targets : tensor of one shape
        Probabilities; what is there.
    axis : int or sequence of int, optional
        The axes that are one region; by default all after the first.
    smooth : float
        Added above and below, so that empty regions are no error.
    reduction : str
        With "none" the result has the other axes.

    Source
    ------
    F. Milletari, N. Navab, S. Ahmadi, V-Net, 2016, section 3, with sums in place of sums of squares.

    Examples
    --------
    >>> import septet as st
    >>> st.dice_loss(st.ones((1, 4)), st.ones((1, 4)))
    tensor(0., dtype=float32)
    """
    return _overlap("dice_loss", predictions, targets, 0.5, 0.5, axis, smooth / 2, reduction)


@function("iou_loss")
def jaccard_loss(
    predictions: Any,
    targets: Any,
    axis: int | Sequence[int] | None = None,
    *,
    smooth: float = 1.0,
    reduction: str = "mean",
) -> Node:
    """Return 1 - |both| / |either|, where probabilities count as parts of elements.

    Parameters
    ----------
    predictions, targets : tensor of one shape
        Probabilities; what is there.
    axis : int or sequence of int, optional
        The axes that are one region; by default all after the first.
    smooth : float
        Added above and below, so that empty regions are no error.
    reduction : str
        With "none" the result has the other axes.

    Source
    ------
    M. A. Rahman, Y. Wang, Optimizing intersection-over-union in deep neural networks for image segmentation, 2016.
    """
    return _overlap("jaccard_loss", predictions, targets, 1.0, 1.0, axis, smooth, reduction)


def _overlap(
    name: str, predictions: Any, targets: Any, alpha: float, beta: float, axis: Any, smooth: float, reduction: str
) -> Node:
    for what, value in (("alpha", alpha), ("beta", beta), ("smooth", smooth)):
        check_at_least(name, what, value, 0)
    p, t = pair(name, predictions, targets)
    axes = tuple(range(min(1, p.ndim), p.ndim)) if axis is None else check_axes(axis, p.ndim)
    both, found, there = (ops.sum(each, axis=axes) for each in (p * t, p, t))
    whole = both + (found - both) * alpha + (there - both) * beta
    return reduce_loss(1 - (both + smooth) / (whole + smooth), reduction)
