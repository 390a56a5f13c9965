"""Adam and its relatives: AdamW, Adamax, Nadam."""

from __future__ import annotations

from typing import Any, Unpack

from septet.graph.op import ops
from septet.optim.optimizer import Optimizer, Options, Rate, Shared, State
from septet.tensor.tensor import Tensor


class Adam(Optimizer):
    """Follow the mean of the gradients, divided by their root mean square.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float, Schedule or callable
    beta1, beta2 : float
        How much of the running mean of the gradients and of their squares stays at each step.
    epsilon : float
        Added to the root.
    amsgrad : bool
        Divide by the root of the greatest mean square so far.
    **options
        See `Optimizer`.

    Source
    ------
    D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1; S. J. Reddi, S. Kale,
    S. Kumar, "On the Convergence of Adam and Beyond", 2018, algorithm 2, with the corrections of bias of the former, as
    in torch.optim.Adam.
    """

    def __init__(
        self, parameters: Any, learning_rate: Rate = 1e-3, beta1: float = 0.9, beta2: float = 0.999,
        epsilon: float = 1e-8, *, amsgrad: bool = False, **options: Unpack[Options],
    ) -> None:  # fmt: skip
        self.beta1 = self.number("beta1", beta1, 1)
        self.beta2 = self.number("beta2", beta2, 1)
        self.epsilon = self.number("epsilon", epsilon)
        self.amsgrad = amsgrad
        self.slots = ("mean", "square", "greatest") if amsgrad else ("mean", "square")
        super().__init__(parameters, learning_rate, **options)

    def prepare(self, step: Tensor, rate: Tensor, counters: State) -> Shared:
        return {"correction1": 1 - self.beta1**step, "correction2": (1 - self.beta2**step).sqrt()}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: Shared
    ) -> tuple[Tensor, State]:
        mean = state["mean"] * self.beta1 + gradient * (1 - self.beta1)
        square = state["square"] * self.beta2 + gradient * gradient * (1 - self.beta2)
        after = {"mean": mean, "square": square}
        if self.amsgrad:
            square = after["greatest"] = Tensor(ops.maximum(state["greatest"].node, square.node))
        root = square.sqrt() / shared["correction2"] + self.epsilon
        return parameter - mean / root * (learning_rate / shared["correction1"]), after


class AdamW(Adam):
    """Adam with the decay of weights apart from the gradient: ``p -= learning_rate * weight_decay * p``.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float, Schedule or callable
    beta1, beta2 : float
    epsilon : float
    weight_decay : float
    **options
        See `Optimizer` and `Adam`.

    Source
    ------
    I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2; the decay is multiplied by the
    learning rate, as in torch.optim.AdamW.
    """

    def __init__(
        self, parameters: Any, learning_rate: Rate = 1e-3, beta1: float = 0.9, beta2: float = 0.999,
        epsilon: float = 1e-8, *, weight_decay: float = 0.01, **options: Any,
    ) -> None:  # fmt: skip
        options.setdefault("is_decoupled", True)
        super().__init__(parameters, learning_rate, beta1, beta2, epsilon, weight_decay=weight_decay, **options)


class Adamax(Optimizer):
    """Follow the mean of the gradients, divided by the greatest of them, which fades.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float, Schedule or callable
    beta1, beta2 : float
        How much of the running mean of the gradients, and of the greatest magnitude, stays at each step.
    epsilon : float
        Added to each magnitude.
    **options
        See `Optimizer`.

    Source
    ------
    D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 2, with epsilon as in
    torch.optim.Adamax.
    """

    slots = ("mean", "greatest")

    def __init__(
        self, parameters: Any, learning_rate: Rate = 2e-3, beta1: float = 0.9, beta2: float = 0.999,
        epsilon: float = 1e-8, **options: Unpack[Options],
    ) -> None:  # fmt: skip
        self.beta1 = self.number("beta1", beta1, 1)
        self.beta2 = self.number("beta2", beta2, 1)
        self.epsilon = self.number("epsilon", epsilon)
        super().__init__(parameters, learning_rate, **options)

    def prepare(self, step: Tensor, rate: Tensor, counters: State) -> Shared:
        return {"correction": 1 - self.beta1**step}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: Shared
    ) -> tuple[Tensor, State]:
        mean = state["mean"] * self.beta1 + gradient * (1 - self.beta1)
        faded = state["greatest"] * self.beta2
        greatest = Tensor(ops.maximum(faded.node, (gradient.abs() + self.epsilon).node))
        step = mean / greatest * (learning_rate / shared["correction"])
        return parameter - step, {"mean": mean, "greatest": greatest}


class Nadam(Optimizer):
    """Adam that looks ahead, as Nesterov's momentum does.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float, Schedule or callable
    beta1, beta2 : float
    epsilon : float
    momentum_decay : float
        How fast the momentum grows to `beta1`: ``beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay))``.
    **options
        See `Optimizer`.

    Source
    ------
    T. Dozat, "Incorporating Nesterov Momentum into Adam", 2016, algorithm 2, with the schedule of momentum of
    torch.optim.NAdam.
    """

    slots = ("mean", "square")
    counters = {"momenta": 1.0}  # the product of all momenta so far

    def __init__(
        self, parameters: Any, learning_rate: Rate = 2e-3, beta1: float = 0.9, beta2: float = 0.999,
        epsilon: float = 1e-8, *, momentum_decay: float = 0.004, **options: Unpack[Options],
    ) -> None:  # fmt: skip
        self.beta1 = self.number("beta1", beta1, 1)
        self.beta2 = self.number("beta2", beta2, 1)
        self.epsilon = self.number("epsilon", epsilon)
        self.momentum_decay = self.number("momentum_decay", momentum_decay)
        super().__init__(parameters, learning_rate, **options)

    def prepare(self, step: Tensor, rate: Tensor, counters: State) -> Shared:
        now, later = (self.beta1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay)) for t in (step, step + 1))
        product = counters["momenta"] = counters["momenta"] * now
        return {
            "of_gradient": (1 - now) / (1 - product),
            "of_mean": later / (1 - product * later),
            "correction": (1 - self.beta2**step).sqrt(),
        }

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: Shared
    ) -> tuple[Tensor, State]:
        mean = state["mean"] * self.beta1 + gradient * (1 - self.beta1)
        square = state["square"] * self.beta2 + gradient * gradient * (1 - self.beta2)
        root = square.sqrt() / shared["correction"] + self.epsilon
        direction = gradient * shared["of_gradient"] + mean * shared["of_mean"]
        return parameter - direction / root * learning_rate, {"mean": mean, "square": square}
