"""Beam search: the most probable sequences that a model writes, as far as a few at a time show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.graph.op import ops
from septet.ops.creation import arange, full, zeros
from septet.ops.sorting import top_k
from septet.tensor import tree
from septet.tensor.control import scan
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor
from septet.tensor.wrap import unwrap

LEAST = -1e30
"""The score of what cannot be: no infinity, of which differences are not numbers."""


def repeat(value: Any, width: int) -> Any:
    """Return a tree of tensors (B, ...) with each example `width` times in a row: (B * width, ...)."""
    leaves, structure = tree.flatten(value)
    return tree.unflatten(structure, [f.repeat(leaf, width, axis=0) for leaf in leaves])


def search(
    step: Callable[[Tensor, Any], tuple[Tensor, Any]], state: Any, batch: Any, begin: int, count: int, width: int,
    end: int | None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Write the best sequences of each example.

    Parameters
    ----------
    step : callable
        From the last tokens (B * width,) and a state to logits (B * width, V) and the next state.
    state : tree of Tensor
        (B * width, ...)
    batch : int or scalar tensor
    begin, count, width : int
    end : int, optional
        The token after which a sequence is complete; it is repeated then.

    Returns
    -------
    tuple of (Tensor, Tensor)
        Tokens (B, width, count) and the logarithms of their probabilities (B, width), the best first.
    """
    rows = Tensor(arange(unwrap(batch))).reshape(-1, 1) * width  # (B, 1): where the beams of an example begin
    first = Tensor(full(unwrap((batch, width)), begin, dtype="int64"))
    places = Tensor(arange(width)) + rows * 0  # (B, W)

    def advance(carry: Any, _: Any) -> Any:
        tokens, scores, is_complete, before = carry
        logits, after = step(tokens.reshape(-1), before)
        classes = logits.shape[-1]
        found = f.log_softmax(logits, axis=-1).reshape(-1, width, classes)  # (B, W, V)
        if end is not None:
            only_end = Tensor(ops.where((Tensor(arange(classes)) == end).node, 0.0, LEAST)).astype(found.dtype)
            found = Tensor(ops.where(is_complete.reshape(-1, width, 1).node, only_end.node, found.node))
        total = (scores.reshape(-1, width, 1) + found).reshape(-1, width * classes)
        best = top_k(total.node, width)
        scores, index = Tensor(best.values), Tensor(best.indices)
        beam, tokens = index // classes, index % classes
        leaves, structure = tree.flatten(after)
        chosen = (rows + beam).reshape(-1)
        after = tree.unflatten(structure, [f.take(leaf, chosen, axis=0) for leaf in leaves])
        if end is not None:
            is_complete = tokens == end
        return (tokens, scores, is_complete, after), (tokens, beam)

    nothing = Tensor(zeros(unwrap((batch, width)), dtype="float32"))
    scores = nothing + Tensor(ops.where((Tensor(arange(width)) == 0).node, 0.0, LEAST)).astype("float32")
    carry = (first, scores, first != first, state)
    (_, scores, _, _), (tokens, beams) = scan(advance, carry, length=count)

    def back(place: Tensor, now: Any) -> Any:
        token, beam = now
        return f.take_along_axis(beam, place, 1), f.take_along_axis(token, place, 1)

    _, written = scan(back, places, (tokens, beams), reverse=True)  # (count, B, W)
    return written.transpose((1, 2, 0)), scores
