"""Schedules: learning rates as functions of the step.

A schedule is given how many steps were made before, as a float64 scalar of the graph or as a Python number, and returns
the learning rate of the next one. In a compiled step it is a part of the program, so nothing is compiled anew for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError
from septet.graph.node import constant
from septet.graph.op import ops
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable

Number = Any
"""A float64 scalar: of NumPy, or a Tensor."""


class Numbers:
    """The functions that schedules are made of, for numbers of NumPy."""

    cos = staticmethod(np.cos)
    exp = staticmethod(np.exp)
    floor = staticmethod(np.floor)
    log = staticmethod(np.log)
    minimum = staticmethod(np.minimum)
    where = staticmethod(np.where)


class Tensors:
    """The functions that schedules are made of, for tensors."""

    @staticmethod
    def _lift(name: str) -> Callable[..., Tensor]:
        op = getattr(ops, name)
        return lambda *values: Tensor(
            op(*[v.node if isinstance(v, Tensor) else constant(np.float64(v)) for v in values])
        )

    def __getattr__(self, name: str) -> Callable[..., Tensor]:
        return self._lift(name)


class Schedule:
    """The base of schedules: a learning rate for each step. Subclasses define `at`.

    Calling it with a number of steps returns a float; with a tensor, a tensor. ``schedule * 0.1`` is a schedule too.

    Examples
    --------
    >>> from septet.optim import schedules
    >>> warm = schedules.Warmup(10, schedules.Cosine(0.1, 90))
    >>> round(warm(0), 6), warm(9), round(warm(100), 6)
    (0.01, 0.1, 0.0)
    """

    def at(self, step: Number, f: Any) -> Number:
        """Return the rate after `step` steps, made with the functions of `f`: cos, exp, floor, log, minimum, where."""
        raise NotImplementedError

    def variables(self) -> dict[str, Variable]:
        """Return what changes while training, by name: saved with the optimizer."""
        return {}

    def __call__(self, step: Any) -> Any:
        if isinstance(step, Tensor):
            return _as_rate(self.at(step.astype(np.float64), Tensors()))
        with np.errstate(all="ignore"):  # in the branch of `where` that is not taken
            return float(self.at(np.float64(step), Numbers))

    def __mul__(self, factor: float) -> Schedule:
        return _Scaled(self, factor)

    __rmul__ = __mul__

    def __repr__(self) -> str:
        values = {k: v for k, v in vars(self).items() if not k.startswith("_")}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in values.items())})"


class _Scaled(Schedule):
    def __init__(self, schedule: Schedule, factor: float) -> None:
        self.schedule, self.factor = schedule, _positive("a factor of a schedule", factor, least=0)

    def at(self, step: Number, f: Any) -> Number:
        return self.schedule.at(step, f) * self.factor

    def variables(self) -> dict[str, Variable]:
        return self.schedule.variables()


class Function(Schedule):
    """A schedule made of a function of the step.

    Parameters
    ----------
    call : callable
        Is given a float64 scalar, of NumPy or a tensor, and works with both.
    """

    def __init__(self, call: Callable[[Number], Number]) -> None:
        self.call = call

    def at(self, step: Number, f: Any) -> Number:
        return self.call(step)


class Constant(Schedule):
    """The same rate at every step.

    Parameters
    ----------
    rate : float
    """

    def __init__(self, rate: float) -> None:
        self.rate = _positive("Constant: rate", rate, least=0)

    def at(self, step: Number, f: Any) -> Number:
        return step * 0.0 + self.rate


class Step(Schedule):
    """Multiply the rate by a factor every so many steps.

    Parameters
    ----------
    rate : float
    every : int
    factor : float
    """

    def __init__(self, rate: float, every: int, factor: float = 0.1) -> None:
        self.rate = _positive("Step: rate", rate)
        self.every = _positive("Step: every", every)
        self.factor = _positive("Step: factor", factor)

    def at(self, step: Number, f: Any) -> Number:
        return self.rate * _power(self.factor, f.floor(step / self.every), f)


class MultiStep(Schedule):
    """Multiply the rate by a factor at each of some steps.

    Parameters
    ----------
    rate : float
    milestones : sequence of int
    factor : float
    """

    def __init__(self, rate: float, milestones: Sequence[int], factor: float = 0.1) -> None:
        self.rate = _positive("MultiStep: rate", rate)
        self.milestones = [_positive("MultiStep: a milestone", m) for m in milestones]
        self.factor = _positive("MultiStep: factor", factor)

    def at(self, step: Number, f: Any) -> Number:
        rate = step * 0.0 + self.rate
        for milestone in self.milestones:
            rate = rate * f.where(step >= milestone, self.factor, 1.0)
        return rate


class Exponential(Schedule):
    """Multiply the rate by a factor, evenly spread over so many steps.

    Parameters
    ----------
    rate : float
    factor : float
    every : int
    """

    def __init__(self, rate: float, factor: float, every: int = 1) -> None:
        self.rate = _positive("Exponential: rate", rate)
        self.factor = _positive("Exponential: factor", factor)
        self.every = _positive("Exponential: every", every)

    def at(self, step: Number, f: Any) -> Number:
        return self.rate * _power(self.factor, step / self.every, f)


class Polynomial(Schedule):
    """Go from one rate to another in so many steps: ``end + (rate - end) (1 - step / steps) ** power``, then stay.

    Parameters
    ----------
    rate : float
    steps : int
    end : float
    power : float
        1 is a straight line.
    """

    def __init__(self, rate: float, steps: int, end: float = 0.0, power: float = 1.0) -> None:
        self.rate = _positive("Polynomial: rate", rate)
        self.steps = _positive("Polynomial: steps", steps)
        self.end = _positive("Polynomial: end", end, least=0)
        self.power = _positive("Polynomial: power", power)

    def at(self, step: Number, f: Any) -> Number:
        left = 1.0 - f.minimum(step, self.steps) / self.steps
        if self.power != 1:
            left = f.where(left > 0.0, f.exp(f.log(f.where(left > 0.0, left, 1.0)) * self.power), 0.0)
        return self.end + (self.rate - self.end) * left


class Cosine(Schedule):
    """Go from one rate to another along half a period of a cosine, then stay.

    Parameters
    ----------
    rate : float
    steps : int
    end : float

    Source
    ------
    I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, equation 5.
    """

    def __init__(self, rate: float, steps: int, end: float = 0.0) -> None:
        self.rate = _positive("Cosine: rate", rate)
        self.steps = _positive("Cosine: steps", steps)
        self.end = _positive("Cosine: end", end, least=0)

    def at(self, step: Number, f: Any) -> Number:
        return _along_cosine(self.rate, self.end, f.minimum(step, self.steps) / self.steps, f)


class CosineRestarts(Schedule):
    """`Cosine` again and again, each time over more steps.

    Parameters
    ----------
    rate : float
    steps : int
        Of the first time.
    growth : float
        By what the number of steps is multiplied each time, at least 1.
    shrink : float
        By what the rate is multiplied each time.
    end : float

    Source
    ------
    I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, equation 5.
    """

    def __init__(self, rate: float, steps: int, growth: float = 1.0, shrink: float = 1.0, end: float = 0.0) -> None:
        self.rate = _positive("CosineRestarts: rate", rate)
        self.steps = _positive("CosineRestarts: steps", steps)
        self.growth = _positive("CosineRestarts: growth", growth, least=1)
        self.shrink = _positive("CosineRestarts: shrink", shrink)
        self.end = _positive("CosineRestarts: end", end, least=0)

    def at(self, step: Number, f: Any) -> Number:
        if self.growth == 1:
            number = f.floor(step / self.steps)
            share = step / self.steps - number
        else:
            number = f.floor(f.log(1.0 + step * ((self.growth - 1.0) / self.steps)) / math.log(self.growth))
            number = number + f.where(step >= self._start(number + 1.0, f), 1.0, 0.0)  # where the logarithm is rounded
            number = number - f.where(step < self._start(number, f), 1.0, 0.0)
            share = (step - self._start(number, f)) / (self.steps * _power(self.growth, number, f))
        return _along_cosine(self.rate * _power(self.shrink, number, f), self.end, share, f)

    def _start(self, number: Number, f: Any) -> Number:
        """Return the step at which a period begins: half a step is allowed for rounding."""
        start = self.steps * (_power(self.growth, number, f) - 1.0) / (self.growth - 1.0)
        return f.floor(start + 0.5) if float(self.growth).is_integer() and float(self.steps).is_integer() else start


class OneCycle(Schedule):
    """Go up to a peak and down to nearly nothing, both along half a period of a cosine.

    Parameters
    ----------
    peak : float
    steps : int
        Of the whole training.
    warm : float
        The share of the steps that go up.
    start : float
        What the peak is divided by at the beginning.
    end : float
        What the first rate is divided by at the end.

    Source
    ------
    L. N. Smith, N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates", 2018;
    two phases along cosines, as in torch.optim.lr_scheduler.OneCycleLR.
    """

    def __init__(self, peak: float, steps: int, warm: float = 0.3, start: float = 25.0, end: float = 1e4) -> None:
        self.peak = _positive("OneCycle: peak", peak)
        self.steps = _positive("OneCycle: steps", steps, least=2)
        self.warm = _positive("OneCycle: warm", warm)
        self.start = _positive("OneCycle: start", start)
        self.end = _positive("OneCycle: end", end)
        if not 0 < self.warm * self.steps - 1 < self.steps - 1:
            raise ArgumentError(f"OneCycle: warm must leave steps for both ways, got {warm!r} of {steps!r} steps")

    def at(self, step: Number, f: Any) -> Number:
        first, top, last = self.peak / self.start, self.warm * self.steps - 1, self.steps - 1
        up = _along_cosine(first, self.peak, f.minimum(step, top) / top, f)
        down = _along_cosine(self.peak, first / self.end, (f.minimum(step, last) - top) / (last - top), f)
        return f.where(step <= top, up, down)


class Warmup(Schedule):
    """Go up in a straight line to the first rate of another schedule, which begins after that.

    Parameters
    ----------
    steps : int
        The last of them has the full rate.
    then : float or Schedule
    start : float
        The share of the rate from which it goes up, before the first step.
    """

    def __init__(self, steps: int, then: float | Schedule, start: float = 0.0) -> None:
        self.steps = _positive("Warmup: steps", steps)
        self.then = as_schedule("Warmup", then)
        self.start = _positive("Warmup: start", start, least=0)

    def at(self, step: Number, f: Any) -> Number:
        share = self.start + (1.0 - self.start) * (step + 1.0) / self.steps
        late = f.where(step < self.steps, 0.0, step - self.steps)
        return self.then.at(late, f) * f.where(step < self.steps, share, 1.0)

    def variables(self) -> dict[str, Variable]:
        return self.then.variables()


class Chain(Schedule):
    """One schedule after the other; each begins at its own step 0.

    Parameters
    ----------
    *parts : (float or Schedule, int) or float or Schedule
        Schedules with the numbers of their steps; the last one goes on for ever.

    Examples
    --------
    >>> from septet.optim import schedules
    >>> rate = schedules.Chain((0.1, 2), schedules.Exponential(0.01, 0.5))
    >>> [rate(step) for step in range(4)]
    [0.1, 0.1, 0.01, 0.005]
    """

    def __init__(self, *parts: Any) -> None:
        pairs = [part if isinstance(part, tuple) else (part, None) for part in parts]
        if not pairs or any(steps is None for _, steps in pairs[:-1]):
            raise ArgumentError("Chain: takes pairs (schedule, steps); only the last one may lack its steps")
        self.parts = [as_schedule("Chain", part) for part, _ in pairs]
        self.steps = [_positive("Chain: the steps of a part", steps) for _, steps in pairs[:-1]]

    def at(self, step: Number, f: Any) -> Number:
        starts = [sum(self.steps[:i]) for i in range(len(self.parts))]
        rate = self.parts[0].at(step, f)
        for part, start in zip(self.parts[1:], starts[1:], strict=True):
            rate = f.where(step >= start, part.at(f.where(step >= start, step - start, 0.0), f), rate)
        return rate

    def variables(self) -> dict[str, Variable]:
        return {f"{i}.{name}": v for i, part in enumerate(self.parts) for name, v in part.variables().items()}


class Plateau(Schedule):
    """Multiply the rate by a factor when a value has not improved for some time.

    `fit` tells it the value after each epoch; in a loop of your own, call `observe`.

    Parameters
    ----------
    rate : float
    factor : float
        Below 1.
    patience : int
        How many observations without improvement are allowed.
    monitor : str
        The value that `fit` tells.
    is_higher_better : bool, optional
        By default, whether the name ends with "accuracy".
    min_change : float
        What counts as an improvement.
    least : float
        The rate never goes below it.
    """

    def __init__(
        self, rate: float, factor: float = 0.1, patience: int = 10, monitor: str = "val_loss", *,
        is_higher_better: bool | None = None, min_change: float = 0.0, least: float = 0.0,
    ) -> None:  # fmt: skip
        self.rate = _positive("Plateau: rate", rate)
        self.factor = _positive("Plateau: factor", factor)
        self.patience = _positive("Plateau: patience", patience, least=0)
        self.monitor = monitor
        self.is_higher_better = monitor.endswith("accuracy") if is_higher_better is None else is_higher_better
        self.min_change = _positive("Plateau: min_change", min_change, least=0)
        self.least = _positive("Plateau: least", least, least=0)
        if self.factor >= 1:
            raise ArgumentError(f"Plateau: factor must be below 1, got {factor!r}")
        self._state = Variable(np.array([self.rate, -np.inf, 0.0]), "plateau", role="state")  # rate, best, waited

    def observe(self, value: float) -> None:
        """Take in a value; lower the rate when it is time."""
        rate, best, waited = self._state.current().tolist()
        signed = value if self.is_higher_better else -value
        if signed > best + self.min_change:
            best, waited = signed, 0.0
        else:
            waited += 1.0
        if waited > self.patience:
            rate, waited = max(rate * self.factor, self.least), 0.0
        self._state.assign(np.array([rate, best, waited]))

    def at(self, step: Number, f: Any) -> Number:
        return Tensor(self._state.node)[0] if isinstance(step, Tensor) else self._state.current()[0]

    def variables(self) -> dict[str, Variable]:
        return {"plateau": self._state}


def as_schedule(owner: str, rate: Any) -> Schedule:
    """Return a number, a function or a schedule as a schedule."""
    if isinstance(rate, Schedule):
        return rate
    if callable(rate):
        return Function(rate)
    if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)) or not 0 <= rate < math.inf:
        raise ArgumentError(
            f"{owner}: learning_rate must be a number of at least 0, a schedule or a function of the step, got {rate!r}"
        )
    return Constant(float(rate))


def _as_rate(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else Tensor(constant(np.float64(value)))


def _power(base: float, exponent: Number, f: Any) -> Number:
    """Return a power of a positive number."""
    return f.exp(exponent * math.log(base)) if base != 1 else exponent * 0.0 + 1.0


def _along_cosine(first: Number, last: Number, share: Number, f: Any) -> Number:
    """Return what lies between two rates, a share of the way along half a period of a cosine."""
    return last + (first - last) * (0.5 + 0.5 * f.cos(share * math.pi))


def _positive(what: str, value: Any, *, least: float | None = None) -> float:
    """Return a number above 0, or of at least `least`."""
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or (value <= 0 if least is None else value < least):
        limit = "above 0" if least is None else f"of at least {least:g}"
        raise ArgumentError(f"{what} must be a number {limit}, got {value!r}")
    return float(value)
