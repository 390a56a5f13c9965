"""Optimizer: from gradients to new values of parameters.

A rule (`update`) is written once, for one parameter. The three styles share it: `step` takes the gradients that
``backward`` left, at once or inside ``st.compile``; `updates` makes the updates of a symbolic ``st.function``.
Everything that changes from step to step is a Variable (moments, the number of steps, the learning rate), so a compiled
step is never traced again for it, and a saved optimizer goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypedDict

import numpy as np

from septet.base.errors import ArgumentError, GradientError
from septet.graph.context import context, recording
from septet.graph.graph import order
from septet.graph.node import VARIABLE
from septet.graph.op import ops
from septet.nn.module import Module
from septet.nn.parts import Parameters
from septet.ops.shaping import ones_like, zeros_like
from septet.optim.clipping import clip_by_global_norm, clip_by_norm, clip_by_value
from septet.optim.groups import Group, assign_groups, check_groups
from septet.optim.schedules import Constant, Schedule, as_schedule
from septet.run import eager
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Note, note, note_change
from septet.tensor.variable import Variable, assign_all
from septet.transform.vjp import vjp

State = dict[str, Tensor]
Shared = dict[str, Any]
Triple = tuple[Variable, Tensor, Any]
"""A parameter, its present value, its gradient."""
Rate = float | Schedule
"""What a learning rate may be; a function of the step, too."""


class Options(TypedDict, total=False):
    """What every optimizer takes by name; see `Optimizer`."""

    weight_decay: float
    is_decoupled: bool
    groups: Sequence[Group] | Group
    clip_value: float | None
    clip_norm: float | None
    clip_global_norm: float | None
    accumulate: int
    average: float | None


class Optimizer:
    """The base of optimizers. Subclasses define `slots` and `update`, and may define `prepare`.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
        ``model.parameters()`` may be given before the model has seen an input.
    learning_rate : float, Schedule or callable
        A schedule is a function of the number of steps; see `septet.optim.schedules`.
    weight_decay : float
        Added times the parameter to its gradient (L2 regularization), or decoupled from it.
    is_decoupled : bool
        Whether the decay is taken from the parameter itself, times the learning rate, and kept out of the gradient.
    groups : sequence of Group
        Learning rates and weight decays of some parameters.
    clip_value, clip_norm, clip_global_norm : float, optional
        The greatest element, norm of each gradient, and norm of all of them together; in this order.
    accumulate : int
        Only every so many calls of `step` change the parameters, with the mean of the gradients of all of them.
    average : float, optional
        Keep an exponential moving average of the parameters; this much of it stays at each step. See `averaged`.

    Attributes
    ----------
    learning_rate : float
        The one of the next step, or, under a schedule, of the last one. May be assigned to at any time.
    steps : int
        How many steps were made.

    Raises
    ------
    ArgumentError
        If something is no Variable, comes twice, or the learning rate is negative.
    """

    slots: tuple[str, ...] = ()
    counters: Mapping[str, float] = {}
    """First values of float64 numbers that `prepare` changes from step to step."""
    has_own_decay = False
    """Whether `update` applies the weight decay itself: ``shared["weight_decay"]``."""

    def __init__(
        self, parameters: Iterable[Variable] | Module, learning_rate: Rate, *, weight_decay: float = 0.0,
        is_decoupled: bool = False, groups: Sequence[Group] | Group = (), clip_value: float | None = None,
        clip_norm: float | None = None, clip_global_norm: float | None = None, accumulate: int = 1,
        average: float | None = None,
    ) -> None:  # fmt: skip
        self._source: Iterable[Variable] = parameters.parameters() if isinstance(parameters, Module) else parameters
        if not isinstance(self._source, Parameters):
            self._source = self._checked(self._source)
        self._steps = Variable(np.int64(0), "steps", role="state")
        self.groups = check_groups(type(self).__name__, groups)
        self._rates = [_Rate("learning_rate"), *[_Rate(f"group {i}.learning_rate") for i, _ in enumerate(self.groups)]]
        self.learning_rate = learning_rate
        for rate, group in zip(self._rates[1:], self.groups, strict=True):
            rate.set(group.learning_rate)
        self.weight_decay = self.number("weight_decay", weight_decay)
        self.is_decoupled = is_decoupled
        limits = {"clip_value": clip_value, "clip_norm": clip_norm, "clip_global_norm": clip_global_norm}
        self.limits = {name: self.number(name, limit) for name, limit in limits.items() if limit is not None}
        if isinstance(accumulate, bool) or not isinstance(accumulate, int) or accumulate < 1:
            raise ArgumentError(
                f"{type(self).__name__}: accumulate must be an integer of at least 1, got {accumulate!r}"
            )
        self.accumulate = accumulate
        self.average = None if average is None else self.number("average", average, 1)
        self._calls = Variable(np.int64(0), "calls", role="state")  # since the last step, where gradients accumulate
        self._counters = {
            name: Variable(np.float64(value), name, role="state") for name, value in self.counters.items()
        }
        self._states: dict[Variable, dict[str, Variable]] = {}
        self._members: tuple[tuple[Variable, ...], dict[Variable, int]] = ((), {})

    # What subclasses define.

    def slots_of(self, parameter: Variable) -> tuple[str, ...]:
        """Return the names of a parameter's slots; by default the same for all."""
        return self.slots

    def first(self, slot: str, parameter: Variable) -> np.ndarray:
        """Return the first value of a slot of a parameter; zeros by default."""
        type_ = parameter.variable_type
        return np.zeros(type_.shape, type_.dtype)

    def prepare(self, step: Tensor, rate: Tensor, counters: State) -> Shared:
        """Return what all parameters share in a step, as float64 scalars; `step` counts from 1.

        New values of counters are put into `counters`.
        """
        return {}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, learning_rate: Tensor, shared: Shared
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
        return float(self._rates[0].variable.current())

    @learning_rate.setter
    def learning_rate(self, value: Rate) -> None:
        before = self._rates[0].schedule
        self._rates[0].set(as_schedule(type(self).__name__, value), self.steps)
        if before is not None or self._rates[0].schedule is not None:
            note_change(Settings, self)

    @property
    def schedules(self) -> list[Schedule]:
        """The schedules of the learning rates that are no plain numbers."""
        return [rate.schedule for rate in self._rates if rate.schedule is not None]

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

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the moving averages in the place of the parameters inside of a ``with`` block, and the parameters back.

        Raises
        ------
        ArgumentError
            If the optimizer was made without `average`.
        """
        self.swap_average()
        try:
            yield
        finally:
            self.swap_average()

    def swap_average(self) -> None:
        """Exchange the parameters and their moving averages; once more exchanges them back.

        Raises
        ------
        ArgumentError
            If the optimizer was made without `average`.
        """
        if self.average is None:
            raise ArgumentError(
                f"{type(self).__name__}: there is no moving average", hint="make the optimizer with average=0.999"
            )
        pairs = [(p, self._states[p]["average"]) for p in self._source if p in self._states]
        assign_all({a: b.current() for pair in pairs for a, b in (pair, pair[::-1])})

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return everything that changes from step to step, by name.

        These are learning rates, steps, and the slots of the parameters: ``"PARAMETER.SLOT"``, with the path of the
        parameter in its model; where names are missing or not unique, with its index.
        """
        return {name: variable.current() for name, variable in self._named_states()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned, for the same parameters.

        Raises
        ------
        ArgumentError
            If names or shapes differ; nothing is changed then.
        """
        fresh: dict[Variable, dict[str, Variable]] = {}
        for name, parameter in self._named_parameters():
            names = [f"{name}.{slot}" for slot in self._all_slots_of(parameter)]
            if parameter not in self._states and any(each in state for each in names):
                fresh[parameter] = self._new_slots(parameter)
        own = dict(self._named_states({**self._states, **fresh}))
        wrong = sorted(set(own) ^ set(state))
        wrong += [name for name in own if name in state and np.shape(state[name]) != own[name].variable_type.shape]
        if wrong:
            names = ", ".join(wrong[:8])
            raise ArgumentError(f"{type(self).__name__}.load_state_dict: names or shapes differ: {names}")
        self._states.update(fresh)
        assign_all({variable: np.asarray(state[name]) for name, variable in own.items()})

    # How it works.

    def _changes(self, found: list[Triple]) -> dict[Variable, Tensor]:
        """Return the new values for triples of parameter, its present value, its gradient."""
        changes: dict[Variable, Tensor] = {}
        members = self._group_members()
        with recording(False):
            if context.trace is not None:
                note(Settings, self)
            sums: dict[Variable, Tensor] = {}
            if self.accumulate > 1:
                found, sums, is_due = self._accumulated(found)
            before = Tensor(self._steps.node)
            changes[self._steps] = before + 1
            rates = [rate.of(before, changes) for rate in self._rates]
            counters = {name: Tensor(variable.node) for name, variable in self._counters.items()}
            shared = self.prepare((before + 1).astype(np.float64), rates[0], counters)
            changes.update((self._counters[name], value) for name, value in counters.items())
            gradients = self._clipped([gradient for _, _, gradient in found])
            casts: dict[Any, Any] = {}
            for (parameter, value, _), gradient in zip(found, gradients, strict=True):
                dtype, index = parameter.variable_type.dtype, members.get(parameter, -1)
                if (dtype, index) not in casts:
                    casts[dtype, index] = self._cast(dtype, index, rates, shared)
                rate, decay, words = casts[dtype, index]
                if decay and not self.has_own_decay:
                    if self.is_decoupled:
                        value = value - value * (rate * decay)
                    else:
                        gradient = gradient + value * decay
                slots = self._slots_of(parameter)
                state = {name: Tensor(variable.node) for name, variable in slots.items()}
                new, after = self.update(value, gradient, state, rate, words)
                changes[parameter] = new
                if self.average is not None:
                    after["average"] = state["average"] * self.average + new * (1 - self.average)
                changes.update((slots[name], item) for name, item in after.items())
            if sums:
                changes = {v: Tensor(ops.where(is_due.node, new.node, v.node)) for v, new in changes.items()}
                zeros = {v: Tensor(zeros_like(total.node)) for v, total in sums.items()}
                changes |= {v: Tensor(ops.where(is_due.node, zeros[v].node, total.node)) for v, total in sums.items()}
        return changes

    def _cast(self, dtype: Any, index: int, rates: list[Tensor], shared: Shared) -> tuple[Tensor, float, Shared]:
        """Return learning rate, weight decay and shared numbers for parameters of one dtype and group."""
        rate, decay = rates[0], self.weight_decay
        if index >= 0:
            group = self.groups[index]
            rate = rate if group.learning_rate is None else rates[index + 1]
            rate = rate if group.scale == 1 else rate * group.scale
            decay = decay if group.weight_decay is None else self.number("weight_decay", group.weight_decay)
        words = {name: item.astype(dtype) if isinstance(item, Tensor) else item for name, item in shared.items()}
        return rate.astype(dtype), decay, {**words, "weight_decay": decay}

    def _clipped(self, gradients: list[Tensor]) -> list[Tensor]:
        rules = {"clip_value": clip_by_value, "clip_norm": clip_by_norm, "clip_global_norm": clip_by_global_norm}
        for name, limit in self.limits.items():
            gradients = rules[name](gradients, limit)
        return gradients

    def _accumulated(self, found: list[Triple]) -> tuple[list[Triple], dict[Variable, Tensor], Tensor]:
        """Return means in the place of gradients, sums that go on and the number of calls, and whether a step is due.

        Parameters that had a gradient in an earlier call only take part, too. Where no step is due its new values are
        computed all the same, and dropped: so the same program runs at each call.
        """
        calls = Tensor(self._calls.node) + 1
        sums = {self._calls: calls}
        given = {parameter for parameter, _, _ in found}
        rest = [(p, Tensor(p.node), None) for p in self._source if p not in given and p in self._states]
        means = []
        for parameter, value, gradient in [*found, *rest]:
            variable = self._slots_of(parameter)["total"]
            total = Tensor(variable.node) if gradient is None else Tensor(variable.node) + gradient
            sums[variable] = total
            means.append((parameter, value, total * (1 / self.accumulate)))
        return means, sums, calls >= self.accumulate

    def _group_members(self) -> dict[Variable, int]:
        """Return the indices of the groups that parameters belong to; found anew when there are other parameters."""
        if not self.groups:
            return {}
        parameters = tuple(self._source)
        if self._members[0] != parameters:
            found = assign_groups(type(self).__name__, self.groups, self._named_parameters())
            self._members = parameters, found
        return self._members[1]

    def _all_slots_of(self, parameter: Variable) -> tuple[str, ...]:
        more = ("total",) if self.accumulate > 1 else ()
        return (*self.slots_of(parameter), *more, *(() if self.average is None else ("average",)))

    def _new_slots(self, parameter: Variable) -> dict[str, Variable]:
        found = {}
        for slot in self._all_slots_of(parameter):
            if slot == "average":
                value = parameter.current().copy()
            elif slot == "total":
                value = np.zeros(parameter.variable_type.shape, parameter.variable_type.dtype)
            else:
                value = self.first(slot, parameter)
            found[slot] = Variable(value, f"{parameter.name}.{slot}", role="state")
        return found

    def _slots_of(self, parameter: Variable) -> dict[str, Variable]:
        slots = self._states.get(parameter)
        if slots is None:
            slots = self._states[parameter] = self._new_slots(parameter)
        return slots

    def _named_parameters(self) -> list[tuple[str, Variable]]:
        """Return the parameters with their paths, or names, or where these are missing or not unique, indices."""
        if isinstance(self._source, Parameters):
            return self._source.named()
        names = [parameter.name for parameter in self._source]
        if "" in names or len(set(names)) < len(names):
            names = [str(index) for index in range(len(names))]
        return list(zip(names, self._source, strict=True))

    def _named_states(
        self, states: Mapping[Variable, Mapping[str, Variable]] | None = None
    ) -> Iterator[tuple[str, Variable]]:
        states = self._states if states is None else states
        for rate in self._rates:
            yield rate.name, rate.variable
            if rate.schedule is not None:
                yield from ((f"{rate.name}.{name}", variable) for name, variable in rate.schedule.variables().items())
        yield "steps", self._steps
        if self.accumulate > 1:
            yield "calls", self._calls
        yield from self._counters.items()
        for name, parameter in self._named_parameters():
            for slot, variable in states.get(parameter, {}).items():
                yield f"{name}.{slot}", variable

    def _checked(self, parameters: Iterable[Variable]) -> list[Variable]:
        found = list(parameters)
        strange = [item for item in found if not isinstance(item, Variable)]
        if strange or not found:
            raise ArgumentError(f"{type(self).__name__}: takes variables, got {strange[0] if strange else 'none'!r}")
        if len(set(found)) < len(found):
            raise ArgumentError(f"{type(self).__name__}: a parameter comes twice")
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if not name.startswith("_") and name != "learning_rate":
            note_change(Settings, self)

    def number(self, name: str, value: Any, below: float = float("inf")) -> float:
        """Return a hyper-parameter as a float from 0 to below `below`."""
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value < below:
            limit = "" if below == float("inf") else f" and below {below:g}"
            raise ArgumentError(f"{type(self).__name__}: {name} must be a number of at least 0{limit}, got {value!r}")
        return float(value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(learning_rate={self.learning_rate:g}, steps={self.steps})"


class Settings(Note):
    """The hyper-parameters of an optimizer and its schedules: a compiled step is traced again when one is changed."""

    __slots__ = ()

    def read(self) -> dict[str, Any]:
        found = {name: value for name, value in vars(self.owner).items() if not name.startswith("_")}
        return {**found, "learning_rate": tuple(self.owner.schedules)}

    @classmethod
    def describe(cls, changed: Sequence[Settings]) -> list[str]:
        return [
            f"{type(note.owner).__name__}.{name}: {note.value.get(name)!r} -> {value!r}"
            for note in changed
            for name, value in note.read().items()
            if value != note.value.get(name)
        ]


class _Rate:
    """A learning rate: its present value, and the schedule that it follows where it is no plain number."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.variable = Variable(np.float64(0.0), name, role="state")
        self.schedule: Schedule | None = None

    def set(self, schedule: Schedule | None, steps: int = 0) -> None:
        """Follow a schedule from now on; None is for groups that have the learning rate of all."""
        if schedule is None:
            return
        self.schedule = None if isinstance(schedule, Constant) else schedule
        self.variable.store(np.array(schedule(steps), np.float64))

    def of(self, steps: Tensor, changes: dict[Variable, Tensor]) -> Tensor:
        """Return the rate of a step, which is kept to be looked at."""
        if self.schedule is None:
            return Tensor(self.variable.node)
        rate = changes[self.variable] = self.schedule(steps)
        return rate
