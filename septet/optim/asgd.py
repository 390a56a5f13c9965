"""Averaged stochastic gradient descent."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from septet.graph.node import constant
from septet.graph.op import ops
from septet.optim.optimizer import Optimizer, Options, Rate, Shared, State
from septet.tensor.tensor import Tensor


class ASGD(Optimizer):
    """Stochastic gradient descent with fading steps, and the mean of all parameters on the way.

    The means are the slots "mean" of `state_dict`.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float, Schedule or callable
    decay : float
        How fast the steps fade: ``learning_rate / (1 + decay * learning_rate * step) ** power``; times the last step,
        it is also what parameters lose at each step.
    power : float
    start : int
        The step from which the mean is taken.
    **options
        See `Optimizer`.

    Source
    ------
    B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging", 1992, with the steps of
    torch.optim.ASGD.
    """

    slots = ("mean",)
    counters = {"fade": 1.0, "share": 1.0}  # of the step before: the factor of the learning rate, a new value's share

    def __init__(
        self, parameters: Any, learning_rate: Rate = 0.01, decay: float = 1e-4, power: float = 0.75,
        start: int = 1_000_000, **options: Unpack[Options],
    ) -> None:  # fmt: skip
        self.decay = self.number("decay", decay)
        self.power = self.number("power", power)
        self.start = self.number("start", start)
        super().__init__(parameters, learning_rate, **options)

    def prepare(self, step: Tensor, rate: Tensor, counters: State) -> Shared:
        shared = {"fade": counters["fade"], "share": counters["share"]}
        one = constant(np.float64(1))
        counters["fade"] = 1 / (1 + self.decay * rate * step) ** self.power
        counters["share"] = 1 / Tensor(ops.maximum((step - self.start).node, one))
        return shared

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: Shared
    ) -> tuple[Tensor, State]:
        rate = learning_rate * shared["fade"]
        new = parameter * (1 - rate * self.decay) - gradient * rate
        return new, {"mean": state["mean"] + (new - state["mean"]) * shared["share"]}
