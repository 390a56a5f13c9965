"""Drawing the next token from what a model predicts."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError
from septet.graph.op import ops
from septet.ops.sorting import top_k as best
from septet.tensor import random
from septet.tensor.tensor import Tensor


def sample(logits: Tensor, temperature: float = 1.0, top_k: int | None = None, generator: Any = None) -> Tensor:
    """Draw one of the classes on the last axis, or take the best one.

    Parameters
    ----------
    logits : Tensor
        (B, C)
    temperature : float
        What logits are divided by; with 0 the best class is taken.
    top_k : int, optional
        Draw from the k best classes only.
    generator : Generator, optional

    Returns
    -------
    Tensor
        (B,) of int64.

    Raises
    ------
    ArgumentError
        If the temperature is negative, or top_k is not a number of classes.
    """
    if isinstance(temperature, bool) or not isinstance(temperature, (int, float)) or not temperature >= 0:
        raise ArgumentError(f"sample: temperature must be at least 0, got {temperature!r}")
    classes = logits.type.shape[-1]
    if top_k is not None and (
        isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1 or (classes is not None and top_k > classes)
    ):
        raise ArgumentError(f"sample: top_k must be from 1 to the number of classes, {classes}, got {top_k!r}")
    if temperature == 0:
        return Tensor(ops.argmax(logits.node, axis=-1))
    scaled = logits * (1.0 / temperature)
    if top_k is not None:
        least = Tensor(best(scaled.node, top_k).values)[..., -1:]
        scaled = Tensor(ops.where((scaled >= least).node, scaled.node, float("-inf")))
    return random.categorical(scaled, generator=generator)
