"""Losses of sequences whose steps do not all count."""

from __future__ import annotations

from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.base.text import shape_text
from septet.graph.op import ops
from septet.ops.composite.class_losses import cross_entropy
from septet.ops.composite.losses import reduce_loss
from septet.ops.creation import arange
from septet.tensor.creation import tensor
from septet.tensor.tensor import Tensor
from septet.tensor.wrap import explained, unwrap


@explained
def sequence_cross_entropy(
    logits: Any, labels: Any, mask: Any = None, *, lengths: Any = None, reduction: str = "mean",
    label_smoothing: float = 0.0, class_weights: Any = None,
) -> Tensor:  # fmt: skip
    """Return the cross-entropy of sequences of classes, over the steps that count.

    Parameters
    ----------
    logits : tensor
    labels : tensor of int
        What stands at steps that do not count does not matter: -1, say.
    mask : tensor of bool, optional
        True at the steps that count.
    lengths : tensor of int, optional
        How many steps count of each sequence, from its beginning; instead of a mask.
    reduction : {"mean", "sum", "none"}
        "mean" is over the steps that count of all sequences: long ones weigh more.
    label_smoothing, class_weights
        See `cross_entropy`; a mean divides by the number of steps all the same.

    Returns
    -------
    Tensor

    Shape
    -----
    logits (B, T, C), labels and mask (B, T), lengths (B,); the losses of reduction "none" are (B, T), 0 where a step
    does not count.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    IndexOutOfRangeError
        If the label of a step that counts is no class.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> logits, labels = st.zeros((2, 3, 4)), st.tensor([[1, 2, 3], [1, -1, -1]])
    >>> nn.losses.sequence_cross_entropy(logits, labels, lengths=[3, 1]) / st.log(4.0)
    tensor(1., dtype=float32)
    """
    logits, labels = (x if isinstance(x, Tensor) else tensor(x) for x in (logits, labels))
    if mask is not None and lengths is not None:
        raise ArgumentError("sequence_cross_entropy: takes a mask or lengths, got both")
    if logits.ndim != 3 or labels.ndim != 2:
        shapes = f"{shape_text(logits.type.shape)} and {shape_text(labels.type.shape)}"
        raise ShapeError(f"sequence_cross_entropy: takes logits (B, T, C) and labels (B, T), got {shapes}")
    if lengths is not None:
        lengths = lengths if isinstance(lengths, Tensor) else tensor(lengths)
        _check("lengths", lengths, labels.type.shape[:1])
        if not dtypes.is_integer(lengths.dtype):
            raise DTypeError(f"sequence_cross_entropy: lengths are integers, got {lengths.dtype.name}")
        mask = Tensor(arange(unwrap(labels.shape[1]))) < lengths.reshape(-1, 1)
    words = {"label_smoothing": label_smoothing, "class_weights": unwrap(class_weights)}
    if mask is None:
        return Tensor(reduce_loss(cross_entropy(logits.node, labels.node, reduction="none", **words), reduction))
    mask = mask if isinstance(mask, Tensor) else tensor(mask)
    if mask.dtype != dtypes.bool_:
        raise DTypeError(f"sequence_cross_entropy: a mask holds booleans, got {mask.dtype.name}")
    _check("the mask", mask, labels.type.shape)
    known = ops.where(mask.node, labels.node, 0)
    losses = ops.where(mask.node, cross_entropy(logits.node, known, reduction="none", **words), 0.0)
    return Tensor(reduce_loss(losses, reduction, ops.sum(mask.astype(logits.dtype).node)))


def _check(what: str, value: Tensor, shape: tuple[int | None, ...]) -> None:
    own = value.type.shape
    if len(own) != len(shape) or any(None not in (a, b) and a != b for a, b in zip(own, shape, strict=True)):
        raise ShapeError(f"sequence_cross_entropy: {what} must have shape {shape_text(shape)}, got {shape_text(own)}")
