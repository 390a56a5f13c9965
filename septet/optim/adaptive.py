"""Optimizers with a step size for each parameter."""

from __future__ import annotations

from collections.abc import Iterable

from septet.base.errors import ArgumentError
from septet.graph.node import Node
from septet.graph.op import as_node, ops
from septet.nn.module import Module
from septet.optim.optimizer import Optimizer
from septet.tensor.variable import Variable


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, algorithm 1).

    Parameters
    ----------
    parameters : Module or iterable of Variable
    learning_rate : float
    beta1, beta2 : float
        Decay of the averages of the gradient and of its square.
    epsilon : float
    weight_decay : float
        Added to the gradient, times the parameter; see `AdamW` for the decoupled form.
    """

    slots = ("first", "second")

    def __init__(
        self, parameters: Module | Iterable[Variable], learning_rate: float = 1e-3, beta1: float = 0.9,
        beta2: float = 0.999, epsilon: float = 1e-8, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, learning_rate)
        for name, beta in (("beta1", beta1), ("beta2", beta2)):
            if not 0 <= beta < 1:
                raise ArgumentError(f"{type(self).__name__}: {name} must be in [0, 1), got {beta}")
        self.beta1, self.beta2, self.epsilon, self.weight_decay = beta1, beta2, epsilon, weight_decay

    def rule(self, p: Node, g: Node, state: dict[str, Node], rate: Node, step: Node) -> tuple[Node, dict[str, Node]]:
        """Divide the corrected average by the root of the corrected average of squares."""
        if self.weight_decay:
            g = g + p * self.weight_decay
        return self.adam(p, g, state, rate, step)

    def adam(self, p: Node, g: Node, state: dict[str, Node], rate: Node, step: Node) -> tuple[Node, dict[str, Node]]:
        """The step without weight decay."""
        first = state["first"] * self.beta1 + g * (1 - self.beta1)
        second = state["second"] * self.beta2 + ops.square(g) * (1 - self.beta2)
        correct1 = 1 - ops.power(as_node(self.beta1, g.dtype), step)
        correct2 = 1 - ops.power(as_node(self.beta2, g.dtype), step)
        p = p - rate * (first / correct1) / (ops.sqrt(second / correct2) + self.epsilon)
        return p, {"first": first, "second": second}


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2).

    Parameters
    ----------
    parameters, learning_rate, beta1, beta2, epsilon
        As for `Adam`.
    weight_decay : float
        ``p = p * (1 - rate * weight_decay)`` before the step.
    """

    def __init__(
        self, parameters: Module | Iterable[Variable], learning_rate: float = 1e-3, beta1: float = 0.9,
        beta2: float = 0.999, epsilon: float = 1e-8, weight_decay: float = 0.01,
    ) -> None:  # fmt: skip
        super().__init__(parameters, learning_rate, beta1, beta2, epsilon, weight_decay)

    def rule(self, p: Node, g: Node, state: dict[str, Node], rate: Node, step: Node) -> tuple[Node, dict[str, Node]]:
        """Shrink the parameter, then step."""
        return self.adam(p * (1 - rate * self.weight_decay), g, state, rate, step)


class RMSprop(Optimizer):
    """Divide by the root of a running average of squares (Tieleman & Hinton 2012, lecture 6.5).

    Parameters
    ----------
    parameters : Module or iterable of Variable
    learning_rate : float
    decay : float
    epsilon : float
    momentum : float
    """

    def __init__(
        self, parameters: Module | Iterable[Variable], learning_rate: float = 1e-2, decay: float = 0.99,
        epsilon: float = 1e-8, momentum: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, learning_rate)
        self.decay, self.epsilon, self.momentum = decay, epsilon, momentum
        self.slots = ("square", "velocity") if momentum else ("square",)

    def rule(self, p: Node, g: Node, state: dict[str, Node], rate: Node, step: Node) -> tuple[Node, dict[str, Node]]:
        """Divide by the root of the average."""
        square = state["square"] * self.decay + ops.square(g) * (1 - self.decay)
        direction = g / (ops.sqrt(square) + self.epsilon)
        if not self.momentum:
            return p - rate * direction, {"square": square}
        velocity = state["velocity"] * self.momentum + direction
        return p - rate * velocity, {"square": square, "velocity": velocity}


class Adagrad(Optimizer):
    """Divide by the root of the sum of squares (Duchi et al. 2011).

    Parameters
    ----------
    parameters : Module or iterable of Variable
    learning_rate : float
    epsilon : float
    initial : float
        The first value of the sum.
    """

    slots = ("total",)

    def __init__(
        self, parameters: Module | Iterable[Variable], learning_rate: float = 0.01, epsilon: float = 1e-10,
        initial: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, learning_rate)
        self.epsilon, self.initial = epsilon, initial

    def start(self, slot: str) -> float:
        """The first value of the sum."""
        return self.initial

    def rule(self, p: Node, g: Node, state: dict[str, Node], rate: Node, step: Node) -> tuple[Node, dict[str, Node]]:
        """Divide by the root of the sum."""
        total = state["total"] + ops.square(g)
        return p - rate * g / (ops.sqrt(total) + self.epsilon), {"total": total}


class Adadelta(Optimizer):
    """Steps in the units of the parameters (Zeiler 2012, algorithm 1).

    Parameters
    ----------
    parameters : Module or iterable of Variable
    learning_rate : float
        1 in the paper.
    decay, epsilon : float
    """

    slots = ("square", "delta")

    def __init__(
        self, parameters: Module | Iterable[Variable], learning_rate: float = 1.0, decay: float = 0.9, epsilon: float = 1e-6
    ) -> None:
        super().__init__(parameters, learning_rate)
        self.decay, self.epsilon = decay, epsilon

    def rule(self, p: Node, g: Node, state: dict[str, Node], rate: Node, step: Node) -> tuple[Node, dict[str, Node]]:
        """Scale by the ratio of two root mean squares."""
        square = state["square"] * self.decay + ops.square(g) * (1 - self.decay)
        change = g * ops.sqrt(state["delta"] + self.epsilon) / ops.sqrt(square + self.epsilon)
        delta = state["delta"] * self.decay + ops.square(change) * (1 - self.decay)
        return p - rate * change, {"square": square, "delta": delta}
