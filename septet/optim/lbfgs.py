"""L-BFGS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, GradientError, NotSupportedError
from septet.optim.line_search import Point, strong_wolfe
from septet.optim.optimizer import Optimizer
from septet.run.gradients import enable_grad
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable, assign_all


class LBFGS(Optimizer):
    """Newton's method with curvature estimated from the last steps, and a line search: for losses without noise.

    Each step calls a function that computes the loss, several times. What happens around it is computed with NumPy, in
    float64; the loss itself is compiled as define-by-run code is.

    Parameters
    ----------
    parameters : iterable of Variable, or Module
    learning_rate : float
        The distance, as a share of Newton's step, that is tried first.
    history : int
        From how many steps the curvature is estimated.
    iterations : int
        How many directions a step goes along at most.
    tolerance : float
        The step ends where no element of the gradient is greater.
    min_change : float
        The step ends where the loss has changed by less, as a share of it.
    decrease, curvature : float
        The constants of the strong Wolfe conditions; see `strong_wolfe`.

    Source
    ------
    J. Nocedal, S. J. Wright, "Numerical Optimization", 2006, algorithms 7.4 and 7.5.

    Examples
    --------
    >>> import septet as st
    >>> x = st.Variable([-1.5, 2.0], dtype=st.float64)
    >>> optimizer = st.optim.LBFGS([x])
    >>> for _ in range(3):
    ...     loss = optimizer.step(lambda: (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2)
    >>> x.value.round(6).tolist()
    [1.0, 1.0]
    """

    def __init__(
        self, parameters: Any, learning_rate: float = 1.0, history: int = 10, iterations: int = 20, *,
        tolerance: float = 1e-7, min_change: float = 1e-12, decrease: float = 1e-4, curvature: float = 0.9,
    ) -> None:  # fmt: skip
        for name, value in (("history", history), ("iterations", iterations)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ArgumentError(f"LBFGS: {name} must be an integer of at least 1, got {value!r}")
        self.history, self.iterations = history, iterations
        self.tolerance = self.number("tolerance", tolerance)
        self.min_change = self.number("min_change", min_change)
        self.curvature = self.number("curvature", curvature, 1)
        self.decrease = self.number("decrease", decrease, self.curvature)
        super().__init__(parameters, learning_rate)
        if self.schedules:
            raise ArgumentError("LBFGS: the line search finds the distance; learning_rate is a number")
        self._moves: list[np.ndarray] = []  # of the parameters, the latest last
        self._turns: list[np.ndarray] = []  # of the gradient
        self.evaluations = 0

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor:  # type: ignore[override]
        """Go along some directions.

        Parameters
        ----------
        closure : callable
            Computes the loss, a real scalar, from the present parameters; it may call ``backward`` itself.

        Returns
        -------
        Tensor
            The loss before the step.

        Raises
        ------
        ArgumentError
            If there is no function.
        GradientError
            If the loss depends on none of the parameters.
        """
        if closure is None:
            raise ArgumentError("LBFGS.step: takes a function that computes the loss", hint="optimizer.step(loss_of)")
        at = _flat([parameter.current() for parameter in self._source])
        first, point = self._look(closure, at, None, 0.0)
        for _ in range(self.iterations):
            gradient = point.gradient
            if not np.isfinite(point.value) or np.abs(gradient).max() <= self.tolerance:
                break
            direction = -self._times_inverse_curvature(gradient)
            if not gradient @ direction < 0:  # of an estimate that is spoilt by rounding
                self._moves, self._turns, direction = [], [], -gradient
            start = Point(0.0, point.value, float(gradient @ direction), gradient)
            share = 1.0 if self._moves else min(1.0, 1.0 / float(np.abs(gradient).sum()))
            found, _ = strong_wolfe(
                lambda t, at=at, d=direction: self._look(closure, at + t * d, d, t)[1], start,
                share * self.learning_rate, decrease=self.decrease, curvature=self.curvature,
            )  # fmt: skip
            if found.distance == 0.0:
                break
            move, turn = found.distance * direction, found.gradient - gradient
            if move @ turn > 1e-10 * (move @ move) ** 0.5 * (turn @ turn) ** 0.5:
                self._moves, self._turns = [*self._moves, move][-self.history :], [*self._turns, turn][-self.history :]
            at, before, point = at + move, point.value, found
            if abs(before - point.value) <= self.min_change * max(abs(point.value), 1e-300):
                break
        self._set(at)
        self.zero_grad()
        self._steps.assign(self.steps + 1)
        return first

    def updates(self, loss: Tensor) -> dict[Variable, Tensor]:
        raise NotSupportedError("LBFGS.updates: how often the loss is computed is not known before; use step")

    def state_dict(self) -> dict[str, np.ndarray]:
        found = super().state_dict()
        size = sum(p.variable_type.size or 0 for p in self._source)
        for name, vectors in (("moves", self._moves), ("turns", self._turns)):
            found[name] = np.array(vectors).reshape(len(vectors), size)
        return found

    def load_state_dict(self, state: dict[str, Any]) -> None:
        rest = {name: value for name, value in state.items() if name not in ("moves", "turns")}
        if len(rest) + 2 != len(state) or np.shape(state["moves"]) != np.shape(state["turns"]):
            raise ArgumentError("LBFGS.load_state_dict: moves and turns must be matrices of one shape")
        super().load_state_dict(rest)
        self._moves, self._turns = list(np.asarray(state["moves"])), list(np.asarray(state["turns"]))

    def _look(
        self, closure: Callable[[], Tensor], at: np.ndarray, direction: Any, distance: float
    ) -> tuple[Tensor, Point]:
        """Compute loss and gradient at a place."""
        if direction is not None:
            self._set(at)
        self.zero_grad()
        with enable_grad():
            loss = closure()
            if all(parameter.grad is None for parameter in self._source):
                loss.backward()  # type: ignore[attr-defined]
        gradients = [(parameter, parameter.grad) for parameter in self._source]
        if all(gradient is None for _, gradient in gradients):
            raise GradientError(f"LBFGS.step: the loss depends on none of {len(gradients)} parameters")
        flat = _flat([np.zeros(p.variable_type.shape) if g is None else g.value for p, g in gradients])
        self.evaluations += 1
        slope = 0.0 if direction is None else float(flat @ direction)
        return loss, Point(distance, float(loss), slope, flat)

    def _set(self, at: np.ndarray) -> None:
        parameters = list(self._source)
        sizes = [int(np.prod(p.variable_type.shape)) for p in parameters]
        pieces = np.split(at, np.cumsum(sizes)[:-1])
        assign_all({p: v.reshape(p.variable_type.shape) for p, v in zip(parameters, pieces, strict=True)})

    def _times_inverse_curvature(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient multiplied by the estimate of the inverse Hessian: the two loops of algorithm 7.4."""
        if not self._moves:
            return gradient
        result, weights = gradient.copy(), []
        for move, turn in zip(self._moves[::-1], self._turns[::-1], strict=True):
            weights.append((move @ result) / (move @ turn))
            result -= weights[-1] * turn
        move, turn = self._moves[-1], self._turns[-1]
        result *= (move @ turn) / (turn @ turn)
        for move, turn, weight in zip(self._moves, self._turns, weights[::-1], strict=True):
            result += (weight - (turn @ result) / (move @ turn)) * move
        return result


def _flat(arrays: list[np.ndarray]) -> np.ndarray:
    """Return all elements in one float64 vector."""
    return np.concatenate([np.ravel(array).astype(np.float64) for array in arrays])
