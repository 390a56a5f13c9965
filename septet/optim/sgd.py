"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any, Unpack

from septet.base.errors import ArgumentError
from septet.optim.optimizer import Optimizer, Options, Rate, Shared, State
from septet.tensor.tensor import Tensor


class SGD(Optimizer):
    """Subtract the gradient times the learning rate, with momentum where asked.

    With momentum, ``v = momentum * v + g`` and ``p -= learning_rate * v``; with Nesterov's,
    ``p -= learning_rate * (g + momentum * v)``.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float, Schedule or callable
    momentum : float
        At least 0 and below 1.
    nesterov : bool
    **options
        See `Optimizer`.

    Source
    ------
    I. Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013, with the learning
    rate outside the velocity, as in torch.optim.SGD.
    """

    def __init__(
        self, parameters: Any, learning_rate: Rate = 0.01, momentum: float = 0.0, *, nesterov: bool = False,
        **options: Unpack[Options],
    ) -> None:  # fmt: skip
        self.momentum = self.number("momentum", momentum, 1)
        self.nesterov = nesterov
        if nesterov and not self.momentum:
            raise ArgumentError("SGD: nesterov=True needs a momentum above 0")
        self.slots = ("velocity",) if self.momentum else ()
        super().__init__(parameters, learning_rate, **options)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: Shared
    ) -> tuple[Tensor, State]:
        if not self.momentum:
            return parameter - gradient * learning_rate, {}
        velocity = state["velocity"] * self.momentum + gradient
        direction = gradient + velocity * self.momentum if self.nesterov else velocity
        return parameter - direction * learning_rate, {"velocity": velocity}
