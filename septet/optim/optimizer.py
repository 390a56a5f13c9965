"""Optimizer: from gradients to new values of parameters.

A rule (`update`) is written once, for one parameter. The three styles share it: `step` takes the gradients that
``backward`` left, at once or inside ``st.compile``; `updates` makes the updates of a symbolic ``st.function``.
Everything that changes from step to step is a Variable (moments, the number of steps, the learning rate), so a compiled
step is never traced again for it, and a saved optimizer goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, GradientError
from septet.graph.context import context, recording
from septet.graph.graph import order
from septet.graph.node import VARIABLE
from septet.nn.module import Module, Parameters
from septet.ops.shaping import ones_like
from septet.run import eager
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable, assign_all
from septet.transform.vjp import vjp

State = dict[str, Tensor]


class Optimizer:
    """The base of optimizers. Subclasses define `slots` and `update`, and may define `prepare`.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
        ``model.parameters()`` may be given before the model has seen an input.
    learning_rate : float
    weight_decay : float
        Added times the parameter to its gradient (L2 regularization).

    Attributes
    ----------
    learning_rate : float
        May be assigned to at any time.
    steps : int
        How many steps were made.

    Raises
    ------
    ArgumentError
        If something is no Variable, comes twice, or the learning rate is negative.
    """

    slots: tuple[str, ...] = ()

    def __init__(
        self, parameters: Iterable[Variable] | Module, learning_rate: float, *, weight_decay: float = 0.0
    ) -> None:
        self._source: Iterable[Variable] = parameters.parameters() if isinstance(parameters, Module) else parameters
        if not isinstance(self._source, Parameters):
            self._source = self._checked(self._source)
        self._learning_rate = Variable(np.float64(0.0), "learning_rate", role="state")
        self.learning_rate = learning_rate
        self.weight_decay = self.number("weight_decay", weight_decay)
        self._steps = Variable(np.int64(0), "steps", role="state")
        self._states: dict[Variable, dict[str, Variable]] = {}

    # What subclasses define.

    def first(self, slot: str, parameter: Variable) -> np.ndarray:
        """Return the first value of a slot of a parameter; zeros by default."""
        type_ = parameter.variable_type
        return np.zeros(type_.shape, type_.dtype)

    def prepare(self, step: Tensor) -> dict[str, Tensor]:
        """Return what all parameters share in a step, as float64 scalars; `step` counts from 1."""
        return {}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: dict[str, Tensor]
    ) -> tuple[Tensor, State]:
        """Return the new value of one parameter and of its slots."""
        raise NotImplementedError

    # What users call.

    @property
    def parameters(self) -> list[Variable]:
        """The variables that are optimized."""
        return list(self._source)

    @property
    def learning_rate(self) -> float:
        """The learning rate."""
        return float(self._learning_rate.current())

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate.store(np.array(self.number("learning_rate", value), np.float64))

    @property
    def steps(self) -> int:
        """How many steps were made."""
        return int(self._steps.current())

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._source:
            parameter.zero_grad()

    def step(self) -> None:
        """Take the gradients that ``backward`` left in the parameters, update these, and forget the gradients.

        Parameters without a gradient stay as they are. Outside compiled functions all new values, and the loss, are
        computed in one go.

        Raises
        ------
        GradientError
            If no parameter has a gradient.
        """
        changed = self._assign_changes()
        if context.trace is None:
            eager.evaluate(*[variable.node for variable in changed], keep_tracked=False)

    def _assign_changes(self) -> list[Variable]:
        """Give the variables their new values, still to be computed, and let go of the gradients.

        Nobody holds these then, and they need no memory of their own when the new values are computed.
        """
        pairs = [(parameter, parameter.grad) for parameter in self._source]
        found = [(parameter, Tensor(parameter.node), g) for parameter, g in pairs if g is not None]
        if not found:
            raise GradientError(
                f"{type(self).__name__}.step: none of {len(pairs)} parameters has a gradient",
                hint="call loss.backward() first; a model has parameters once it has seen an input",
            )
        changed = self._changes(found)
        assign_all(changed, [parameter for parameter, _, _ in found])
        return list(changed)

    def updates(self, loss: Tensor) -> dict[Variable, Tensor]:
        """Return the updates that one step on a symbolic loss makes, for ``st.function(..., updates=...)``.

        Parameters
        ----------
        loss : Tensor
            A real scalar.

        Returns
        -------
        dict of Variable to Tensor

        Raises
        ------
        GradientError
            If the loss is no real scalar, or depends on none of the parameters.
        """
        if loss.ndim or loss.dtype.kind != "f":
            raise GradientError(f"{type(self).__name__}.updates: the loss must be a real scalar, got {loss.type!r}")
        mine = set(self._source)
        leaves = [n for n in order([loss.node]) if n.op is VARIABLE and not n.inputs and n.params[0] in mine]
        if len({leaf.params[0] for leaf in leaves}) < len(leaves):
            raise GradientError(f"{type(self).__name__}.updates: a parameter was assigned to inside the loss's graph")
        with recording(False):
            gradients = vjp([loss.node], [ones_like(loss.node)], leaves)
        found = [(n.params[0], Tensor(n), Tensor(g)) for n, g in zip(leaves, gradients, strict=True) if g is not None]
        if not found:
            raise GradientError(
                f"{type(self).__name__}.updates: the loss depends on none of the {len(mine)} parameters"
            )
        return self._changes(found)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return everything that changes from step to step: learning rate, steps, slots by index of the parameter."""
        return {name: variable.current() for name, variable in self._named_states()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned, for the same parameters in the same order.

        Raises
        ------
        ArgumentError
            If names or shapes differ; nothing is changed then.
        """
        for parameter in self._source:
            self._slots_of(parameter)
        own = dict(self._named_states())
        wrong = sorted(set(own) ^ set(state))
        wrong += [name for name in own if name in state and np.shape(state[name]) != own[name].variable_type.shape]
        if wrong:
            names = ", ".join(wrong[:8])
            raise ArgumentError(f"{type(self).__name__}.load_state_dict: names or shapes differ: {names}")
        assign_all({variable: np.asarray(state[name]) for name, variable in own.items()})

    # How it works.

    def _changes(self, found: list[tuple[Variable, Tensor, Tensor]]) -> dict[Variable, Tensor]:
        """Return the new values for triples of parameter, its present value, its gradient."""
        changes: dict[Variable, Tensor] = {}
        with recording(False):
            step = Tensor(self._steps.node) + 1
            changes[self._steps] = step
            rate = Tensor(self._learning_rate.node)
            shared = self.prepare(step.astype(np.float64))
            by_dtype: dict[Any, tuple[Tensor, dict[str, Tensor]]] = {}
            for parameter, value, gradient in found:
                dtype = parameter.variable_type.dtype
                if dtype not in by_dtype:
                    by_dtype[dtype] = rate.astype(dtype), {name: item.astype(dtype) for name, item in shared.items()}
                if self.weight_decay:
                    gradient = gradient + value * self.weight_decay
                slots = self._slots_of(parameter)
                state = {name: Tensor(variable.node) for name, variable in slots.items()}
                changes[parameter], after = self.update(value, gradient, state, *by_dtype[dtype])
                changes.update((slots[name], item) for name, item in after.items())
        return changes

    def _slots_of(self, parameter: Variable) -> dict[str, Variable]:
        slots = self._states.get(parameter)
        if slots is None:
            slots = self._states[parameter] = {
                slot: Variable(self.first(slot, parameter), f"{parameter.name}.{slot}", role="state")
                for slot in self.slots
            }
        return slots

    def _named_states(self) -> Iterator[tuple[str, Variable]]:
        yield "learning_rate", self._learning_rate
        yield "steps", self._steps
        for index, parameter in enumerate(self._source):
            for slot, variable in self._states.get(parameter, {}).items():
                yield f"{index}.{slot}", variable

    def _checked(self, parameters: Iterable[Variable]) -> list[Variable]:
        found = list(parameters)
        strange = [item for item in found if not isinstance(item, Variable)]
        if strange or not found:
            raise ArgumentError(f"{type(self).__name__}: takes variables, got {strange[0] if strange else 'none'!r}")
        if len(set(found)) < len(found):
            raise ArgumentError(f"{type(self).__name__}: a parameter comes twice")
        return found

    def number(self, name: str, value: Any, below: float = float("inf")) -> float:
        """Return a hyper-parameter as a float from 0 to below `below`."""
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value < below:
            limit = "" if below == float("inf") else f" and below {below:g}"
            raise ArgumentError(f"{type(self).__name__}: {name} must be a number of at least 0{limit}, got {value!r}")
        return float(value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(learning_rate={self.learning_rate:g}, steps={self.steps})"
