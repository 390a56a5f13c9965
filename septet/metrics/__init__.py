"""F7: metrics of predictions, as functions of tensors."""

from __future__ import annotations

from collections.abc import Callable

from septet.base import dtypes
from septet.base.errors import ArgumentError, ShapeError
from septet.base.shapes import Shape
from septet.base.text import nearest, shape_text
from septet.graph.op import ops
from septet.graph.pending import want
from septet.tensor.tensor import Tensor


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
    if not p.ndim or not _agree(p.shape[:-1], y.shape):
        expected = shape_text(p.shape[:-1]) if p.ndim else "an axis less"
        raise ShapeError(
            f"accuracy: predictions have shape {shape_text(p.shape)}, so labels {expected}, got {shape_text(y.shape)}"
        )
    hits = ops.equal(ops.argmax(p, axis=-1), ops.cast(y, dtype=dtypes.int64))
    return Tensor(want(ops.mean(ops.cast(hits, dtype=dtypes.float32))))


def mean_absolute_error(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of |prediction - target| for tensors of one shape."""
    a, b = predictions.type.shape, targets.type.shape
    if not _agree(a, b):
        raise ShapeError(f"mean_absolute_error: shapes {shape_text(a)} and {shape_text(b)} differ")
    return Tensor(want(ops.mean(ops.abs(predictions.node - targets.node))))


def _agree(first: Shape, second: Shape) -> bool:
    """Tell whether two shapes are the same, as far as their sizes are known."""
    return len(first) == len(second) and all(a == b or None in (a, b) for a, b in zip(first, second, strict=True))


BY_NAME: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "accuracy": accuracy,
    "mean_absolute_error": mean_absolute_error,
}


def by_name(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the metric with a name.

    Raises
    ------
    ArgumentError
        If there is none; the message names the nearest.
    """
    if name not in BY_NAME:
        near = nearest(name, BY_NAME)
        raise ArgumentError(
            f"there is no metric {name!r}; there are {', '.join(BY_NAME)}",
            hint=f"did you mean {near!r}?" if near else None,
        )
    return BY_NAME[name]
