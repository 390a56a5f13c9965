"""Writing: drawing the next token from what a model predicts, in compiled loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.base.errors import ArgumentError
from septet.graph.op import ops
from septet.ops.sorting import top_k as best
from septet.run.compile import compile
from septet.tensor import random
from septet.tensor.tensor import Tensor


def check_drawing(temperature: Any, top_k: Any, classes: int | None) -> None:
    """Refuse a temperature or a number of best classes that cannot be."""
    if isinstance(temperature, bool) or not isinstance(temperature, (int, float)) or not temperature >= 0:
        raise ArgumentError(f"temperature must be at least 0, got {temperature!r}")
    if top_k is not None and (
        isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1 or (classes is not None and top_k > classes)
    ):
        raise ArgumentError(f"top_k must be from 1 to the number of classes, {classes}, got {top_k!r}")


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
    check_drawing(temperature, top_k, logits.type.shape[-1])
    if temperature == 0:
        return Tensor(ops.argmax(logits.node, axis=-1))
    scaled = logits * (1.0 / temperature)
    if top_k is not None:
        least = Tensor(best(scaled.node, top_k).values)[..., -1:]
        scaled = Tensor(ops.where((scaled >= least).node, scaled.node, float("-inf")))
    return random.categorical(scaled, generator=generator)


class Writers:
    """The compiled loops with which a model writes, by what they were compiled for; a copy of the model has none yet.

    Parameters
    ----------
    most : int
        How many are kept: the oldest goes.
    """

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._kept: dict[Any, Any] = {}

    def find(self, write: Callable[..., Any], *options: Any) -> Callable[..., Any]:
        """Return ``write(prompt, *options)`` as a compiled function of the prompt."""
        if options not in self._kept:

            def write_on(prompt: Tensor) -> Any:
                return write(prompt, *options)

            while len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            self._kept[options] = compile(write_on)
        found: Callable[..., Any] = self._kept[options]
        return found

    def __deepcopy__(self, memo: Any) -> Writers:
        return Writers(self._most)
