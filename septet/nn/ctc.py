"""Connectionist temporal classification: the loss of all alignments of a label sequence, and decoding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.base.text import shape_text
from septet.graph.op import ops, record
from septet.ops.assembling import concatenate, stack
from septet.ops.checks import check_classes
from septet.ops.composite.activations import log_softmax
from septet.ops.composite.losses import reduce_loss
from septet.ops.creation import arange, full, zeros
from septet.ops.gradient import stop_gradient
from septet.ops.shaping import broadcast_to, split_sizes, transpose
from septet.tensor.control import scan
from septet.tensor.creation import tensor
from septet.tensor.tensor import Tensor
from septet.tensor.wrap import explained, unwrap

NEVER = -1e30
"""The logarithm of a probability of zero: finite, so that differences of two are numbers."""


@explained
def ctc(
    logits: Any, labels: Any, logit_lengths: Any = None, label_lengths: Any = None, *, blank: int = 0,
    zero_infinity: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return minus the logarithm of the probability of label sequences, summed over all alignments with the outputs.

    An alignment gives each output step a class or the blank; without repetitions, and then without blanks, it is the
    label sequence.

    Parameters
    ----------
    logits : tensor
        Unnormalized, or logarithms of probabilities, which is the same.
    labels : tensor of int
        What follows the length of a sequence does not matter.
    logit_lengths, label_lengths : tensor of int, optional
        How many steps count of each example, from the beginning; by default all.
    blank : int
        The class that stands for no label.
    zero_infinity : bool
        Whether an example that has no alignment, since it has too few steps, has a loss of 0 instead of infinity.
    reduction : {"mean", "sum", "none"}
        "mean" is over the examples, whatever their lengths. (PyTorch's divides by the lengths of the labels first.)

    Returns
    -------
    Tensor

    Shape
    -----
    logits (B, T, C), labels (B, S), lengths (B,); the losses of reduction "none" are (B,).

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    DTypeError
        If labels or lengths are no integers.
    ArgumentError
        If a length is negative or too large, or the blank is no class.
    IndexOutOfRangeError
        If a label is no class.

    Gradient
    --------
    That of the sum over alignments; 0 where the loss is infinite.

    Source
    ------
    A. Graves, S. Fernandez, F. Gomez, J. Schmidhuber, "Connectionist Temporal Classification: Labelling Unsegmented
    Sequence Data with Recurrent Neural Networks", 2006, equations 6 to 8, in logarithms.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> logits = st.zeros((1, 2, 3))  # two steps, three classes, all alike: 3 of 9 alignments are the label 1
    >>> st.exp(-nn.losses.ctc(logits, [[1]]))
    tensor(0.33333334, dtype=float32)
    """
    logits = logits if isinstance(logits, Tensor) else tensor(logits)
    labels = labels if isinstance(labels, Tensor) else tensor(labels)
    _check_shapes(logits, labels, blank)
    (batch, steps, _), (_, count) = logits.shape, labels.shape
    logit_lengths = _lengths("logit_lengths", logit_lengths, logits)
    label_lengths = _lengths("label_lengths", label_lengths, labels)
    log_p = Tensor(log_softmax(logits.node, -1))  # (B, T, C)
    blanks = Tensor(full(unwrap((batch, count + 1)), blank, dtype=dtypes.int64))
    labels = labels.astype(dtypes.int64)
    if label_lengths is not None:
        is_label = Tensor(arange(unwrap(count))) < label_lengths.reshape(-1, 1)
        labels = Tensor(ops.where(is_label.node, labels.node, blank))
    static, dynamic = split_sizes((unwrap(logits.shape[-1]),))
    labels = Tensor(record(check_classes, (labels.node, *dynamic), (static[0], "ctc")))
    # Blanks around all labels: position 2 s + 1 is label s.
    pairs = Tensor(stack([blanks[:, :-1].node, labels.node], axis=-1)).reshape(batch, 2 * count)
    path = Tensor(concatenate([pairs.node, blanks[:, :1].node], axis=-1))  # (B, 2 S + 1)
    size = 2 * count + 1
    index = Tensor(broadcast_to(path.reshape(batch, 1, size).node, unwrap((batch, steps, size))))
    scores = Tensor(ops.take_along_axis(log_p.node, index.node, axis=-1))  # (B, T, 2 S + 1)
    never = Tensor(full(unwrap((batch, 2)), NEVER, dtype=log_p.dtype))
    # A label may follow another one without a blank between, where they differ.
    may_skip = path != Tensor(concatenate([blanks[:, :1].node, blanks[:, :1].node, path.node], axis=-1))[:, :-2]
    first = Tensor(
        concatenate([zeros(unwrap((batch, 1)), dtype=log_p.dtype), _never(batch, 2 * count, log_p)], axis=-1)
    )

    def step(before: Tensor, inputs: Any) -> Any:
        now, is_there = inputs
        padded = Tensor(concatenate([never.node, before.node], axis=-1))
        stay, move = before, padded[:, 1:-1]
        skip = Tensor(ops.where(may_skip.node, padded[:, :-2].node, NEVER))
        after = _log_sum(stay, move, skip) + now
        if is_there is not None:
            after = Tensor(ops.where(is_there.reshape(-1, 1).node, after.node, before.node))
        return after, None

    is_there = None
    if logit_lengths is not None:
        is_there = Tensor(arange(unwrap(steps))).reshape(-1, 1) < logit_lengths  # (T, B)
    last, _ = scan(step, first, (Tensor(transpose(scores.node, axes=(1, 0, 2))), is_there))  # (B, 2 S + 1)
    total = _at_the_end(last, label_lengths, count)
    is_impossible = total < 0.5 * NEVER
    instead = 0.0 if zero_infinity else math.inf
    losses = ops.where(is_impossible.node, instead, (-total).node)
    return Tensor(reduce_loss(losses, reduction))


def _check_shapes(logits: Tensor, labels: Tensor, blank: Any) -> None:
    a, b = logits.type.shape, labels.type.shape
    if len(a) != 3 or len(b) != 2 or (None not in (a[0], b[0]) and a[0] != b[0]):
        raise ShapeError(f"ctc: takes logits (B, T, C) and labels (B, S), got {shape_text(a)} and {shape_text(b)}")
    if not dtypes.is_integer(labels.dtype):
        raise DTypeError(f"ctc: labels are integers, got {labels.dtype.name}")
    if isinstance(blank, bool) or not isinstance(blank, int) or blank < 0 or (a[2] is not None and blank >= a[2]):
        raise ArgumentError(f"ctc: the blank must be a class, got {blank!r} of {a[2]}")


def _lengths(name: str, lengths: Any, x: Tensor) -> Tensor | None:
    """Return lengths (B,) that fit a tensor (B, T, ...)."""
    if lengths is None:
        return None
    lengths = lengths if isinstance(lengths, Tensor) else tensor(lengths)
    batch, most = x.type.shape[:2]
    shape = lengths.type.shape
    if not dtypes.is_integer(lengths.dtype):
        raise DTypeError(f"ctc: {name} are integers, got {lengths.dtype.name}")
    if len(shape) != 1 or (None not in (shape[0], batch) and shape[0] != batch):
        raise ShapeError(f"ctc: {name} must have shape ({batch},), got {shape_text(shape)}")
    known = lengths.node.value
    if known is not None and most is not None and known.size and (known.min() < 0 or known.max() > most):
        raise ArgumentError(f"ctc: {name} must be from 0 to {most}, they are from {known.min()} to {known.max()}")
    return lengths


def _never(batch: Any, count: Any, like: Tensor) -> Any:
    return full(unwrap((batch, count)), NEVER, dtype=like.dtype)


def _log_sum(*values: Tensor) -> Tensor:
    """Return the logarithm of the sum of the exponentials of some tensors."""
    nodes = [value.node for value in values]
    top = nodes[0]
    for node in nodes[1:]:
        top = ops.maximum(top, node)
    top = stop_gradient(top)
    total = ops.exp(nodes[0] - top)
    for node in nodes[1:]:
        total = total + ops.exp(node - top)
    return Tensor(top + ops.log(total))


def _at_the_end(last: Tensor, label_lengths: Tensor | None, count: Any) -> Tensor:
    """Return the logarithm of the probability of being at the last label, or at the blank after it: (B,)."""
    if label_lengths is None:
        ends = last[:, 2 * count]
        return ends if isinstance(count, int) and count == 0 else _log_sum(ends, last[:, 2 * count - 1])
    end = (2 * label_lengths.astype(dtypes.int64)).reshape(-1, 1)
    at_blank = Tensor(ops.take_along_axis(last.node, end.node, axis=-1))[:, 0]
    before = Tensor(ops.maximum((end - 1).node, 0))
    at_label = Tensor(ops.take_along_axis(last.node, before.node, axis=-1))[:, 0]
    at_label = Tensor(ops.where((end[:, 0] > 0).node, at_label.node, NEVER))
    return _log_sum(at_blank, at_label)


def _outputs(name: str, logits: Any, lengths: Any, blank: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the logarithms of probabilities as an array (B, T, C), and the lengths."""
    x = np.asarray(logits, np.float64)
    if x.ndim != 3:
        raise ShapeError(f"{name}: takes logits (B, T, C), got shape {shape_text(x.shape)}")
    if isinstance(blank, bool) or not isinstance(blank, int) or not 0 <= blank < x.shape[2]:
        raise ArgumentError(f"{name}: the blank must be a class, got {blank!r} of {x.shape[2]}")
    counts = np.full(x.shape[0], x.shape[1]) if lengths is None else np.asarray(lengths)
    if (
        counts.shape != (x.shape[0],)
        or counts.dtype.kind not in "iu"
        or (counts > x.shape[1]).any()
        or (counts < 0).any()
    ):
        raise ArgumentError(
            f"{name}: lengths must be {x.shape[0]} integers from 0 to {x.shape[1]}, got {counts.tolist()}"
        )
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True)), counts


def greedy_decode(logits: Any, lengths: Any = None, *, blank: int = 0) -> list[np.ndarray]:
    """Return the labels of the best class at each step, without repetitions and blanks.

    Parameters
    ----------
    logits : array-like
        (B, T, C)
    lengths : array-like of int, optional
        (B,)
    blank : int

    Returns
    -------
    list of ndarray
        Labels of each example.

    Source
    ------
    Graves et al., 2006, section 3.2, "best path decoding".

    Examples
    --------
    >>> import numpy as np
    >>> greedy_decode(np.eye(3)[None, [1, 1, 0, 1, 2]])
    [array([1, 1, 2])]
    """
    log_p, counts = _outputs("greedy_decode", logits, lengths, blank)
    found = []
    for row, count in zip(log_p.argmax(-1), counts, strict=True):
        path = row[:count]
        is_new = np.append(True, path[1:] != path[:-1])[:count]
        found.append(path[is_new & (path != blank)])
    return found


def beam_decode(
    logits: Any, lengths: Any = None, *, beam: int = 16, top: int = 1, blank: int = 0
) -> list[list[tuple[np.ndarray, float]]]:
    """Return the most probable label sequences, whose alignments are summed, by a search that keeps the best prefixes.

    Parameters
    ----------
    logits : array-like
        (B, T, C)
    lengths : array-like of int, optional
        (B,)
    beam : int
        How many prefixes are kept at each step.
    top : int
        How many sequences are returned, at most `beam`.
    blank : int

    Returns
    -------
    list of lists of (ndarray, float)
        For each example labels and the logarithm of their probability (of the alignments that were kept), best first.

    Source
    ------
    A. Graves, N. Jaitly, "Towards End-to-End Speech Recognition with Recurrent Neural Networks", 2014, algorithm 1,
    without a language model.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([[[0.6, 0.4], [0.6, 0.4]]])  # the best path is two blanks, 0.36; the label 1 has 0.64
    >>> labels, log_p = beam_decode(np.log(p))[0][0]
    >>> labels, round(float(np.exp(log_p)), 2)
    (array([1]), 0.64)
    """
    for name, value in (("beam", beam), ("top", top)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ArgumentError(f"beam_decode: {name} must be an integer of at least 1, got {value!r}")
    if top > beam:
        raise ArgumentError(f"beam_decode: top={top} is above beam={beam}")
    log_p, counts = _outputs("beam_decode", logits, lengths, blank)
    found = []
    for steps, count in zip(log_p, counts, strict=True):
        prefixes: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
        for row in steps[:count]:
            prefixes = _advance(prefixes, row, beam, blank)
        best = sorted(prefixes, key=lambda prefix: -np.logaddexp(*prefixes[prefix]))[:top]
        found.append([(np.array(prefix, np.int64), float(np.logaddexp(*prefixes[prefix]))) for prefix in best])
    return found


def _advance(
    prefixes: dict[tuple[int, ...], tuple[float, float]], row: np.ndarray, beam: int, blank: int
) -> dict[tuple[int, ...], tuple[float, float]]:
    """Go one step: logarithms of the probabilities of each prefix with a blank at the end, and with its last label."""
    after: dict[tuple[int, ...], list[float]] = {}
    grown = []  # (total, prefix, class) of what is new
    for prefix, (at_blank, at_label) in prefixes.items():
        total = np.logaddexp(at_blank, at_label)
        own = after.setdefault(prefix, [-math.inf, -math.inf])
        own[0] = np.logaddexp(own[0], total + row[blank])
        if prefix:
            own[1] = np.logaddexp(own[1], at_label + row[prefix[-1]])
        more = total + row
        if prefix:
            more[prefix[-1]] = at_blank + row[prefix[-1]]  # a repetition needs a blank between
        more[blank] = -math.inf
        for label in np.argsort(-more)[:beam]:
            grown.append((float(more[label]), prefix, int(label)))
        for other in prefixes:
            if len(other) == len(prefix) + 1 and other[:-1] == prefix:
                seen = after.setdefault(other, [-math.inf, -math.inf])
                seen[1] = np.logaddexp(seen[1], more[other[-1]])
    for score, prefix, label in grown:
        longer = (*prefix, label)
        if longer not in prefixes and score > -math.inf:
            after[longer] = [-math.inf, score]
    best = sorted(after, key=lambda prefix: -np.logaddexp(*after[prefix]))[:beam]
    return {prefix: (after[prefix][0], after[prefix][1]) for prefix in best}
