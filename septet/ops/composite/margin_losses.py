"""Losses with margins: of scores of classes, and of pairs that belong together or not."""

from __future__ import annotations

from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.base.shapes import check_axis
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import as_node, explain_call, function, ops
from septet.ops.checks import classes
from septet.ops.composite.losses import (
    as_real,
    check_at_least,
    cosine_similarity,
    pair,
    positive_part,
    reduce_loss,
    same_shapes,
)
from septet.ops.shaping import reshape, sizes_of


@function()
def soft_margin_loss(predictions: Any, targets: Any, *, reduction: str = "mean") -> Node:
    """Return log(1 + exp(-target * prediction)) for targets -1 and 1, computed without overflow.

    Parameters
    ----------
    predictions, targets : tensor of one shape
    reduction : str
    """
    p, t = pair("soft_margin_loss", predictions, targets)
    return reduce_loss(ops.softplus(-(t * p)), reduction)


@function()
def categorical_hinge_loss(predictions: Any, targets: Any, axis: int = -1, *, reduction: str = "mean") -> Node:
    """Return max(0, 1 + the largest wrong prediction - the right one), for targets of 0 and a single 1.

    Parameters
    ----------
    predictions, targets : tensor of one shape
    axis : int
        The axis of the classes; with reduction "none" the result has the other axes.
    reduction : str

    Source
    ------
    As keras.losses.categorical_hinge: the right class counts as a wrong one of 0. See `multiclass_hinge_loss` for
    integer labels.
    """
    p, t = pair("categorical_hinge_loss", predictions, targets)
    axis = check_axis(axis, p.ndim)
    right = ops.sum(t * p, axis=axis)
    wrong = ops.max((1 - t) * p, axis=axis)
    return reduce_loss(positive_part(wrong - right + 1), reduction)


@function()
def multi_margin_loss(
    scores: Any, labels: Any, margin: float = 1.0, power: int = 1, *, reduction: str = "mean"
) -> Node:
    """Return the mean over the classes of max(0, margin + score - score of the label) to a power, the label left out.

    Parameters
    ----------
    scores : tensor
    labels : tensor of int
    margin : float
    power : {1, 2}
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
    J. Weston, C. Watkins, Support vector machines for multi-class pattern recognition, 1999; divided by the number of
    classes as in torch.nn.MultiMarginLoss.
    """
    name = "multi_margin_loss"
    scores, labels = as_node(scores), as_node(labels)
    if power not in (1, 2):
        raise ArgumentError(f"{name}: power must be 1 or 2, got {power!r}")
    if not dtypes.is_float(scores.dtype) or not dtypes.is_integer(labels.dtype) or not scores.ndim:
        error: Exception = DTypeError(
            f"takes floats (N, ..., C) and integer labels, got {scores.dtype.name} and {labels.dtype.name}"
        )
        raise explain_call(error, name, ("scores", "labels"), (scores, labels))  # type: ignore[arg-type]
    labels = classes(labels, scores, scores.ndim - 1, name)
    sizes = sizes_of(labels)
    own = ops.take_along_axis(scores, reshape(labels, (*sizes, 1)), axis=scores.ndim - 1)  # (N, ..., 1)
    parts = positive_part(scores - own + margin)
    count = sizes_of(scores)[-1]
    least = float(margin) ** power if margin > 0 else 0.0  # what the label itself adds to the sum
    total = ops.sum(parts if power == 1 else ops.square(parts), axis=scores.ndim - 1) - least
    divisor = as_node(count, scores.dtype) if isinstance(count, int) else ops.cast(count, dtype=scores.dtype)
    return reduce_loss(total / divisor, reduction)


@function()
def hinge_embedding_loss(distances: Any, targets: Any, margin: float = 1.0, *, reduction: str = "mean") -> Node:
    """Return the distance of pairs that belong together (target 1), and max(0, margin - distance) of others (-1).

    Parameters
    ----------
    distances, targets : tensor of one shape
    margin : float
    reduction : str
    """
    d, t = pair("hinge_embedding_loss", distances, targets, ("distances", "targets"))
    together = ops.greater(t, as_node(0, t.dtype))
    return reduce_loss(ops.where(together, d, positive_part(margin - d)), reduction)


@function()
def contrastive_loss(distances: Any, targets: Any, margin: float = 1.0, *, reduction: str = "mean") -> Node:
    """Return distance ** 2 of pairs that belong together (target 1), and max(0, margin - distance) ** 2 of others (0).

    Parameters
    ----------
    distances, targets : tensor of one shape
    margin : float
        Above 0.
    reduction : str

    Source
    ------
    R. Hadsell, S. Chopra, Y. LeCun, Dimensionality reduction by learning an invariant mapping, 2006, equation 4,
    without the factor 1/2; there, 0 says that a pair belongs together.
    """
    margin = check_at_least("contrastive_loss", "margin", margin, 0, is_open=True)
    d, t = pair("contrastive_loss", distances, targets, ("distances", "targets"))
    return reduce_loss(t * ops.square(d) + (1 - t) * ops.square(positive_part(margin - d)), reduction)


@function()
def cosine_embedding_loss(
    a: Any, b: Any, targets: Any, margin: float = 0.0, axis: int = -1, *, reduction: str = "mean"
) -> Node:
    """Return 1 - cosine of pairs that belong together (target 1), and max(0, cosine - margin) of others (-1).

    Parameters
    ----------
    a, b : tensor of one shape
    targets : tensor
    margin : float
    axis : int
        Along which the vectors lie.
    reduction : str

    Shape
    -----
    a, b (N, ..., D), targets (N, ...).
    """
    name = "cosine_embedding_loss"
    a, b, t = as_real(name, {"a": a, "b": b, "targets": targets})
    b = same_shapes(name, a, b, ("a", "b"))
    axis = check_axis(axis, a.ndim)
    cosine = cosine_similarity(a, b, axis)
    if len(t.shape) != len(cosine.shape):
        error = ShapeError(f"the pairs are {shape_text(cosine.shape)}, targets have shape {shape_text(t.shape)}")
        raise explain_call(error, name, ("a", "b", "targets"), (a, b, t))
    t = same_shapes(name, cosine, t, ("pairs", "targets"))
    together = ops.greater(t, as_node(0, t.dtype))
    return reduce_loss(ops.where(together, 1 - cosine, positive_part(cosine - margin)), reduction)
