"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable

from septet.base.errors import ArgumentError
from septet.graph.node import Node
from septet.nn.module import Module
from septet.optim.optimizer import Optimizer
from septet.tensor.variable import Variable


class SGD(Optimizer):
    """Gradient descent, with momentum and Nesterov's variant.

    Parameters
    ----------
    parameters : Module or iterable of Variable
    learning_rate : float
    momentum : float
        ``v = momentum * v + g; p = p - rate * v`` (Polyak 1964).
    nesterov : bool
        ``p = p - rate * (g + momentum * v)`` (Sutskever et al. 2013).
    weight_decay : float
        Added to the gradient, times the parameter.
    """

    def __init__(
        self, parameters: Module | Iterable[Variable], learning_rate: float = 0.01, momentum: float = 0.0,
        nesterov: bool = False, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, learning_rate)
        if not 0 <= momentum < 1:
            raise ArgumentError(f"SGD: momentum must be in [0, 1), got {momentum}")
        if nesterov and not momentum:
            raise ArgumentError("SGD: nesterov needs a momentum")
        self.momentum, self.nesterov, self.weight_decay = momentum, nesterov, weight_decay
        self.slots = ("velocity",) if momentum else ()

    def rule(self, p: Node, g: Node, state: dict[str, Node], rate: Node, step: Node) -> tuple[Node, dict[str, Node]]:
        """Move against the gradient or the velocity."""
        if self.weight_decay:
            g = g + p * self.weight_decay
        if not self.momentum:
            return p - rate * g, {}
        velocity = state["velocity"] * self.momentum + g
        direction = g + velocity * self.momentum if self.nesterov else velocity
        return p - rate * direction, {"velocity": velocity}
