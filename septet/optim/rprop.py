"""Rprop."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from septet.graph.node import constant
from septet.graph.op import ops
from septet.optim.optimizer import Optimizer, Options, Rate, Shared, State
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class Rprop(Optimizer):
    """Follow the signs of gradients of the whole data; each coordinate has a step size of its own.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float
        The first step size; later values have no effect.
    shrink, grow : float
        What a step size is multiplied by where the sign of the gradient has changed, and where it has not.
    least, most : float
        Limits of the step sizes.
    **options
        See `Optimizer`.

    Source
    ------
    M. Riedmiller, H. Braun, "A direct adaptive method for faster backpropagation learning: the RPROP algorithm", 1993,
    without weight backtracking, as in torch.optim.Rprop.
    """

    slots = ("gradient", "size")

    def __init__(
        self, parameters: Any, learning_rate: Rate = 0.01, shrink: float = 0.5, grow: float = 1.2, *,
        least: float = 1e-6, most: float = 50.0, **options: Unpack[Options],
    ) -> None:  # fmt: skip
        self.shrink = self.number("shrink", shrink, 1)
        self.grow = self.number("grow", grow)
        self.least, self.most = self.number("least", least), self.number("most", most)
        super().__init__(parameters, learning_rate, **options)

    def first(self, slot: str, parameter: Variable) -> np.ndarray:
        type_ = parameter.variable_type
        return np.full(type_.shape, self.learning_rate if slot == "size" else 0, type_.dtype)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: Shared
    ) -> tuple[Tensor, State]:
        agreement = gradient * state["gradient"]
        shrink, grow, one, zero = (constant(np.asarray(n, gradient.dtype)) for n in (self.shrink, self.grow, 1, 0))
        is_turned = (agreement < 0).node
        factor = ops.where(is_turned, shrink, ops.where((agreement > 0).node, grow, one))
        size = (state["size"] * Tensor(factor)).clip(self.least, self.most)
        kept = Tensor(ops.where(is_turned, zero, gradient.node))
        return parameter - Tensor(ops.sign(kept.node)) * size, {"gradient": kept, "size": size}
