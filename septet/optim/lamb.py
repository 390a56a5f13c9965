"""LAMB."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from septet.graph.node import constant
from septet.graph.op import ops
from septet.optim.adam import Adam
from septet.optim.optimizer import Options, Rate, Shared, State
from septet.tensor.tensor import Tensor


class LAMB(Adam):
    """Adam whose steps are as long as the parameter itself, times the learning rate: for large batches.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float, Schedule or callable
    beta1, beta2 : float
    epsilon : float
    weight_decay : float
        Times the parameter, a part of the direction whose length is then set.
    **options
        See `Optimizer`.

    Source
    ------
    Y. You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 Minutes", 2020, algorithm 2, where
    the function of the norm is the norm itself; a parameter or a direction of norm 0 makes the ratio 1.
    """

    has_own_decay = True

    def __init__(
        self, parameters: Any, learning_rate: Rate = 1e-3, beta1: float = 0.9, beta2: float = 0.999,
        epsilon: float = 1e-6, **options: Unpack[Options],
    ) -> None:  # fmt: skip
        super().__init__(parameters, learning_rate, beta1, beta2, epsilon, **options)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: Shared
    ) -> tuple[Tensor, State]:
        mean = state["mean"] * self.beta1 + gradient * (1 - self.beta1)
        square = state["square"] * self.beta2 + gradient * gradient * (1 - self.beta2)
        root = square.sqrt() / shared["correction2"] + self.epsilon
        direction = mean / root / shared["correction1"] + parameter * shared["weight_decay"]
        ratio = _ratio((parameter * parameter).sum().sqrt(), (direction * direction).sum().sqrt())
        return parameter - direction * (learning_rate * ratio), {"mean": mean, "square": square}


def _ratio(of_parameter: Tensor, of_direction: Tensor) -> Tensor:
    """Return the quotient of two norms, or 1 where one of them is 0."""
    one = constant(np.ones((), of_parameter.dtype))
    is_usable = ops.logical_and((of_parameter > 0).node, (of_direction > 0).node)
    return Tensor(ops.where(is_usable, of_parameter.node / ops.where(is_usable, of_direction.node, one), one))
