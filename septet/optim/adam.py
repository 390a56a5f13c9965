"""Adam, and AdamW."""

from __future__ import annotations

from typing import Any

from septet.graph.op import ops
from septet.optim.optimizer import Optimizer, State
from septet.tensor.tensor import Tensor


class Adam(Optimizer):
    """Follow the mean of the gradients, divided by their root mean square.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float
    beta1, beta2 : float
        How much of the running mean of the gradients and of their squares stays at each step.
    epsilon : float
        Added to the root.
    weight_decay : float
        Added times the parameter to its gradient; `AdamW` decays the parameter itself.

    Source
    ------
    D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1.
    """

    slots = ("mean", "square")

    def __init__(
        self, parameters: Any, learning_rate: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999,
        epsilon: float = 1e-8, *, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        self.beta1 = self.number("beta1", beta1, 1)
        self.beta2 = self.number("beta2", beta2, 1)
        self.epsilon = self.number("epsilon", epsilon)
        super().__init__(parameters, learning_rate, weight_decay=weight_decay)

    def prepare(self, step: Tensor) -> dict[str, Tensor]:
        return {
            "correction1": 1 - self.beta1**step,
            "correction2": Tensor(ops.sqrt((1 - self.beta2**step).node)),
        }

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: dict[str, Tensor]
    ) -> tuple[Tensor, State]:
        mean = state["mean"] * self.beta1 + gradient * (1 - self.beta1)
        square = state["square"] * self.beta2 + gradient * gradient * (1 - self.beta2)
        root = Tensor(ops.sqrt(square.node)) / shared["correction2"] + self.epsilon
        return parameter - mean / root * (learning_rate / shared["correction1"]), {"mean": mean, "square": square}


class AdamW(Adam):
    """Adam with the decay of weights apart from the gradient: ``p -= learning_rate * weight_decay * p``.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float
    beta1, beta2 : float
    epsilon : float
    weight_decay : float

    Source
    ------
    I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2; the decay is multiplied by the
    learning rate, as in torch.optim.AdamW.
    """

    def __init__(
        self, parameters: Any, learning_rate: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999,
        epsilon: float = 1e-8, *, weight_decay: float = 0.01,
    ) -> None:  # fmt: skip
        super().__init__(parameters, learning_rate, beta1, beta2, epsilon)
        self.decay = self.number("weight_decay", weight_decay)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: dict[str, Tensor]
    ) -> tuple[Tensor, State]:
        decayed = parameter - parameter * (learning_rate * self.decay)
        return super().update(decayed, gradient, state, learning_rate, shared)
