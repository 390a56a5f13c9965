"""What all optimizers share: parameters, state, the step in define-by-run, compiled and symbolic programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, GradientError
from septet.graph.context import context, recording
from septet.graph.node import Node
from septet.graph.op import ops
from septet.nn.module import Module
from septet.run import eager
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable
from septet.transform.vjp import grad


class Optimizer:
    """The base of optimizers: subclasses define `slots` and `rule`.

    Parameters
    ----------
    parameters : Module or iterable of Variable
        A module may still be unbuilt: its parameters are looked up at the first step.
    learning_rate : float
        Held in a variable, so that changing it compiles nothing anew.

    Attributes
    ----------
    learning_rate : Variable
    step_count : Variable
        How many steps were made.
    """

    slots: tuple[str, ...] = ()

    def __init__(self, parameters: Module | Iterable[Variable], learning_rate: float) -> None:
        if not learning_rate > 0:
            raise ArgumentError(f"{type(self).__name__}: learning_rate must be positive, got {learning_rate}")
        self._source = parameters if isinstance(parameters, Module) else list(parameters)
        if isinstance(self._source, list):
            wrong = [p for p in self._source if not isinstance(p, Variable)]
            if wrong or not self._source:
                raise ArgumentError(f"{type(self).__name__} needs variables to train, got {wrong[0]!r}" if wrong else
                                    f"{type(self).__name__} got no parameters")  # fmt: skip
        self.learning_rate = Variable(np.float32(learning_rate), "learning_rate", role="state")
        self.step_count = Variable(np.float32(0), "step_count", role="state")
        self._state: dict[tuple[int, str], Variable] = {}

    @property
    def parameters(self) -> list[Variable]:
        """The variables that are trained."""
        return self._source.parameters() if isinstance(self._source, Module) else self._source

    def rule(self, p: Node, g: Node, state: dict[str, Node], rate: Node, step: Node) -> tuple[Node, dict[str, Node]]:
        """Return the new value of a parameter and of its state, from value, gradient, state, learning rate and step number."""
        raise NotImplementedError

    def start(self, slot: str) -> float:
        """The first value of a state."""
        return 0.0

    def state_of(self, variable: Variable) -> dict[str, Variable]:
        """Return a parameter's state, which is made when first asked for."""
        found = {}
        for slot in self.slots:
            key = (id(variable), slot)
            if key not in self._state:
                type_ = variable.variable_type
                self._state[key] = Variable(
                    np.full(type_.shape, self.start(slot), type_.dtype), f"{variable.name}.{slot}", role="state"
                )
            found[slot] = self._state[key]
        return found

    def _updates(self, pairs: list[tuple[Variable, Node]]) -> dict[Variable, Node]:
        """Return the new values of parameters, states and the step count."""
        with recording(False):
            step = self.step_count.node + 1.0
            result: dict[Variable, Node] = {self.step_count: step}
            for variable, g in pairs:
                state = self.state_of(variable)
                dtype = variable.variable_type.dtype
                rate = ops.cast(self.learning_rate.node, dtype=dtype)
                number = ops.cast(step, dtype=dtype)
                value, new = self.rule(
                    variable.node, ops.cast(g, dtype=dtype), {slot: v.node for slot, v in state.items()}, rate, number
                )
                result[variable] = value
                result.update({state[slot]: node for slot, node in new.items()})
        return result

    def step(self) -> None:
        """Move the parameters along the gradients that `backward` left, and forget the gradients.

        Outside compiled functions everything that is needed is computed now, in one program.

        Raises
        ------
        GradientError
            If no parameter has a gradient.
        """
        pairs = [(v, v.grad.node) for v in self.parameters if v.grad is not None]
        if not pairs:
            raise GradientError(f"{type(self).__name__}.step: no parameter has a gradient", hint="call loss.backward() first")
        updates = self._updates(pairs)
        if context.trace is None:
            eager.evaluate(*updates.values(), keep_tracked=False)
        for variable, node in updates.items():
            variable.assign(Tensor(node))
        self.zero_grad()

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for variable in self.parameters:
            variable.grad = None

    def updates(self, loss: Tensor) -> dict[Variable, Tensor]:
        """Return the updates that reduce a symbolic loss, for `septet.function`.

        Parameters
        ----------
        loss : Tensor
            A real scalar.
        """
        parameters = self.parameters
        with recording(True):
            grads = grad(loss.node, [p.node for p in parameters])
        found = self._updates(list(zip(parameters, grads, strict=True)))
        return {variable: Tensor(node) for variable, node in found.items()}

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return learning rate, step count and the states by the names of the parameters' positions."""
        result = {"learning_rate": np.array(self.learning_rate.current()), "step_count": np.array(self.step_count.current())}
        for position, variable in enumerate(self.parameters):
            for slot, state in self.state_of(variable).items():
                result[f"{position}.{slot}"] = np.array(state.current())
        return result

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up where a `state_dict` was taken."""
        own = {"learning_rate": self.learning_rate, "step_count": self.step_count}
        for position, variable in enumerate(self.parameters):
            own.update({f"{position}.{slot}": v for slot, v in self.state_of(variable).items()})
        if own.keys() != state.keys():
            raise ArgumentError(f"the optimizer's state has other entries: {sorted(own.keys() ^ state.keys())}")
        for name, variable in own.items():
            variable.store(np.array(state[name], variable.variable_type.dtype))
