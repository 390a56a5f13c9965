"""Lion."""

from __future__ import annotations

from typing import Any, Unpack

from septet.graph.op import ops
from septet.optim.optimizer import Optimizer, Options, Rate, Shared, State
from septet.tensor.tensor import Tensor


class Lion(Optimizer):
    """Go the same distance in each coordinate, in the direction of a mean of gradients.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float, Schedule or callable
        Three to ten times smaller than Adam's, the paper says, with a weight decay that is as much larger.
    beta1 : float
        How much the running mean counts against the present gradient in the direction.
    beta2 : float
        How much of the running mean stays at each step.
    **options
        See `Optimizer`; the weight decay is decoupled.

    Source
    ------
    X. Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023, algorithm 2.
    """

    slots = ("mean",)

    def __init__(
        self, parameters: Any, learning_rate: Rate = 1e-4, beta1: float = 0.9, beta2: float = 0.99,
        **options: Unpack[Options],
    ) -> None:  # fmt: skip
        self.beta1 = self.number("beta1", beta1, 1)
        self.beta2 = self.number("beta2", beta2, 1)
        options.setdefault("is_decoupled", True)
        super().__init__(parameters, learning_rate, **options)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: Shared
    ) -> tuple[Tensor, State]:
        direction = state["mean"] * self.beta1 + gradient * (1 - self.beta1)
        mean = state["mean"] * self.beta2 + gradient * (1 - self.beta2)
        return parameter - Tensor(ops.sign(direction.node)) * learning_rate, {"mean": mean}
