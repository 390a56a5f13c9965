"""Adafactor."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from septet.graph.node import constant
from septet.graph.op import ops
from septet.optim.optimizer import Optimizer, Options, Rate, Shared, State
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class Adafactor(Optimizer):
    """Divide the gradient by its root mean square, kept as a product of rows and columns: little memory.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float, Schedule or callable
        At most ``1 / sqrt(step)`` of it is used, times the root mean square of the parameter.
    decay : float
        Of the running means: ``1 - step ** decay`` stays of them at each step.
    least : float
        The least root mean square of a parameter.
    threshold : float
        The greatest root mean square of an update, before the learning rate.
    **options
        See `Optimizer`; the weight decay is decoupled.

    Source
    ------
    N. Shazeer, M. Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018, algorithms 4 and 5,
    with the learning rate of torch.optim.Adafactor.
    """

    has_own_decay = True

    def __init__(
        self, parameters: Any, learning_rate: Rate = 1e-2, decay: float = -0.8, least: float = 1e-3,
        threshold: float = 1.0, **options: Unpack[Options],
    ) -> None:  # fmt: skip
        self.decay = -self.number("-decay", -decay)
        self.least = self.number("least", least)
        self.threshold = self.number("threshold", threshold)
        super().__init__(parameters, learning_rate, **options)

    def slots_of(self, parameter: Variable) -> tuple[str, ...]:
        return ("rows", "columns") if len(parameter.variable_type.shape) > 1 else ("square",)

    def first(self, slot: str, parameter: Variable) -> np.ndarray:
        shape, dtype = parameter.variable_type.shape, parameter.variable_type.dtype
        sizes = {"rows": (*shape[:-1], 1), "columns": (*shape[:-2], 1, *shape[-1:]), "square": shape}
        return np.zeros(sizes[slot], dtype)

    def prepare(self, step: Tensor, rate: Tensor, counters: State) -> Shared:
        return {"fresh": step**self.decay, "most": 1 / step.sqrt()}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: Shared
    ) -> tuple[Tensor, State]:
        fresh, dtype = shared["fresh"], gradient.dtype
        tiny = float(np.finfo(dtype).eps) if dtype.kind == "f" else 2.0**-7  # what torch.optim takes; bfloat16
        square = gradient * gradient
        if "square" in state:
            after = {"square": _mix(state["square"], square, fresh)}
            variance = after["square"]
        else:
            rows = _mix(state["rows"], square.mean(axis=-1, keepdims=True), fresh)
            columns = _mix(state["columns"], square.mean(axis=-2, keepdims=True), fresh)
            after = {"rows": rows, "columns": columns}
            variance = rows * columns / _at_least(rows.mean(axis=-2, keepdims=True), tiny)
        direction = gradient / _at_least(variance, tiny * tiny).sqrt()
        size = _at_least(_root_mean_square(direction) / self.threshold, 1.0)
        rate = Tensor(ops.minimum(learning_rate.node, shared["most"].node))
        rate = rate * _at_least(_root_mean_square(parameter), self.least)
        kept = parameter - parameter * (learning_rate * shared["weight_decay"])
        return kept - direction * (rate / size), after


def _mix(before: Tensor, now: Tensor, share: Tensor) -> Tensor:
    return before * (1 - share) + now * share


def _at_least(value: Tensor, least: float) -> Tensor:
    return Tensor(ops.maximum(value.node, constant(np.asarray(least, value.dtype))))


def _root_mean_square(value: Tensor) -> Tensor:
    return (value * value).mean().sqrt()
