"""RMSprop."""

from __future__ import annotations

from typing import Any, Unpack

from septet.optim.optimizer import Optimizer, Options, Rate, Shared, State
from septet.tensor.tensor import Tensor


class RMSprop(Optimizer):
    """Divide the gradient by its root mean square.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float, Schedule or callable
    decay : float
        How much of the running mean of squares stays at each step.
    epsilon : float
        Added to the root.
    momentum : float
    centered : bool
        Whether the squared running mean is subtracted, so that the root is a standard deviation.
    **options
        See `Optimizer`.

    Source
    ------
    T. Tieleman, G. Hinton, lecture 6.5 of "Neural Networks for Machine Learning", 2012; centered and with momentum as
    in A. Graves, "Generating Sequences With Recurrent Neural Networks", 2013, equations 38 to 41, but with epsilon
    outside the root, as in torch.optim.RMSprop.
    """

    def __init__(
        self, parameters: Any, learning_rate: Rate = 0.01, decay: float = 0.99, epsilon: float = 1e-8, *,
        momentum: float = 0.0, centered: bool = False, **options: Unpack[Options],
    ) -> None:  # fmt: skip
        self.decay = self.number("decay", decay, 1)
        self.epsilon = self.number("epsilon", epsilon)
        self.momentum = self.number("momentum", momentum, 1)
        self.centered = centered
        self.slots = ("square", *(("mean",) if centered else ()), *(("velocity",) if self.momentum else ()))
        super().__init__(parameters, learning_rate, **options)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: Shared
    ) -> tuple[Tensor, State]:
        after = {"square": state["square"] * self.decay + gradient * gradient * (1 - self.decay)}
        variance = after["square"]
        if self.centered:
            after["mean"] = state["mean"] * self.decay + gradient * (1 - self.decay)
            variance = variance - after["mean"] * after["mean"]
        direction = gradient / (variance.sqrt() + self.epsilon)
        if self.momentum:
            direction = after["velocity"] = state["velocity"] * self.momentum + direction
        return parameter - direction * learning_rate, after
