"""Adadelta."""

from __future__ import annotations

from typing import Any, Unpack

from septet.optim.optimizer import Optimizer, Options, Rate, Shared, State
from septet.tensor.tensor import Tensor


class Adadelta(Optimizer):
    """Scale the gradient by the root mean square of the past updates over that of the gradients.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float, Schedule or callable
        The paper has none, which is 1.
    decay : float
        How much of the running means of squares stays at each step.
    epsilon : float
        Added under both roots.
    **options
        See `Optimizer`.

    Source
    ------
    M. D. Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012, algorithm 1.
    """

    slots = ("square", "update")

    def __init__(
        self, parameters: Any, learning_rate: Rate = 1.0, decay: float = 0.9, epsilon: float = 1e-6,
        **options: Unpack[Options],
    ) -> None:  # fmt: skip
        self.decay = self.number("decay", decay, 1)
        self.epsilon = self.number("epsilon", epsilon)
        super().__init__(parameters, learning_rate, **options)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: Shared
    ) -> tuple[Tensor, State]:
        square = state["square"] * self.decay + gradient * gradient * (1 - self.decay)
        ratio = (state["update"] + self.epsilon) / (square + self.epsilon)
        change = gradient * ratio.sqrt()
        past = state["update"] * self.decay + change * change * (1 - self.decay)
        return parameter - change * learning_rate, {"square": square, "update": past}
