"""Adagrad."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from septet.optim.optimizer import Optimizer, Options, Rate, Shared, State
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class Adagrad(Optimizer):
    """Divide the gradient by the root of the sum of all its squares.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float, Schedule or callable
    first_sum : float
        Where the sums start.
    epsilon : float
        Added to the root.
    **options
        See `Optimizer`.

    Source
    ------
    J. Duchi, E. Hazan, Y. Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", 2011,
    figure 1 with diagonal matrices.
    """

    slots = ("sum",)

    def __init__(
        self, parameters: Any, learning_rate: Rate = 0.01, *, first_sum: float = 0.0, epsilon: float = 1e-10,
        **options: Unpack[Options],
    ) -> None:  # fmt: skip
        self.first_sum = self.number("first_sum", first_sum)
        self.epsilon = self.number("epsilon", epsilon)
        super().__init__(parameters, learning_rate, **options)

    def first(self, slot: str, parameter: Variable) -> np.ndarray:
        type_ = parameter.variable_type
        return np.full(type_.shape, self.first_sum, type_.dtype)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: Shared
    ) -> tuple[Tensor, State]:
        total = state["sum"] + gradient * gradient
        return parameter - gradient / (total.sqrt() + self.epsilon) * learning_rate, {"sum": total}
