"""Constraints: where variables are moved to after each update, so that they keep a property."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError
from septet.base.text import did_you_mean
from septet.graph.context import recording
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor
from septet.tensor.variable import assign_all


class Constraint:
    """The base of constraints: from a tensor to the nearest one that is allowed."""

    def __call__(self, value: Tensor) -> Tensor:
        raise NotImplementedError

    def __repr__(self) -> str:
        words = ", ".join(f"{name}={own!r}" for name, own in vars(self).items())
        return f"{type(self).__name__}({words})"


class NonNegative(Constraint):
    """Set what is below 0 to 0.

    Examples
    --------
    >>> import septet as st
    >>> NonNegative()(st.tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def __call__(self, value: Tensor) -> Tensor:
        return f.maximum(value, 0.0)


class _OfNorms(Constraint):
    """What constraints of the lengths of each unit's weights share."""

    axes: tuple[int, ...] | None

    def __init__(self, axes: Any = None) -> None:
        self.axes = None if axes is None else tuple(axes) if isinstance(axes, (tuple, list)) else (axes,)

    def _norms(self, value: Tensor) -> Tensor:
        """Return lengths, with the axes that they are taken over as axes of size 1."""
        axes = self.axes
        if axes is None:  # what goes into a unit: the columns of a matrix, the filters of a convolution, a vector
            axes = tuple(range(1, value.ndim)) if value.ndim > 2 else (0,)
        if not value.ndim or any(not -value.ndim <= axis < value.ndim for axis in axes):
            raise ArgumentError(f"{type(self).__name__}: axes {axes} do not all exist in shape {value.type.shape}")
        return value.square().sum(axis=axes, keepdims=True).sqrt()


_AXES = """
    axes : int or sequence of int, optional
        What lengths are taken over; by default the weights that go into a unit: axis 0 of matrices and vectors, all but
        the first axis of other kernels.
"""


class MaxNorm(_OfNorms):
    """Shorten each unit's weights that are longer than a limit.

    Parameters
    ----------
    limit : float{}
    Source
    ------
    N. Srivastava et al., Dropout, 2014, section 5.1.

    Examples
    --------
    >>> import septet as st
    >>> MaxNorm(1.0)(st.tensor([[3.0, 0.5], [4.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.5], [0.800000011920929, 0.0]]
    """

    def __init__(self, limit: float = 2.0, axes: Any = None) -> None:
        super().__init__(axes)
        self.limit = _positive("MaxNorm", "limit", limit)

    def __call__(self, value: Tensor) -> Tensor:
        norms = self._norms(value)
        return value * (f.minimum(norms, self.limit) / f.maximum(norms, 1e-7))


class UnitNorm(_OfNorms):
    """Give each unit's weights the length 1.

    Parameters
    ----------{}
    Examples
    --------
    >>> import septet as st
    >>> (UnitNorm()(st.tensor([3.0, 4.0])) * 5).tolist()
    [3.0, 4.0]
    """

    def __call__(self, value: Tensor) -> Tensor:
        return value / f.maximum(self._norms(value), 1e-7)


class MinMaxNorm(_OfNorms):
    """Move the length of each unit's weights into an interval.

    Parameters
    ----------
    low, high : float
    rate : float
        How far it is moved at each update: 1 is all the way.{}
    """

    def __init__(self, low: float = 0.0, high: float = 1.0, rate: float = 1.0, axes: Any = None) -> None:
        super().__init__(axes)
        if not 0 <= low <= high or not 0 < rate <= 1:
            raise ArgumentError(
                f"MinMaxNorm: needs 0 <= low <= high and 0 < rate <= 1, got low={low!r}, high={high!r}, rate={rate!r}"
            )
        self.low, self.high, self.rate = float(low), float(high), float(rate)

    def __call__(self, value: Tensor) -> Tensor:
        norms = self._norms(value)
        wanted = f.maximum(f.minimum(norms, self.high), self.low) * self.rate + norms * (1.0 - self.rate)
        return value * (wanted / f.maximum(norms, 1e-7))


for _cls in (MaxNorm, UnitNorm, MinMaxNorm):
    _cls.__doc__ = (_cls.__doc__ or "").replace("{}", _AXES)

CONSTRAINTS: dict[str, type[Constraint]] = {
    "max_norm": MaxNorm,
    "min_max_norm": MinMaxNorm,
    "non_negative": NonNegative,
    "unit_norm": UnitNorm,
}
"""The constraints by name."""


def get(constraint: Any) -> Any:
    """Return the constraint of a name, or the function from tensors to tensors that was given.

    Raises
    ------
    ArgumentError
        If there is none; the message names the nearest.
    """
    if callable(constraint):
        return constraint
    if constraint not in CONSTRAINTS:
        raise ArgumentError(
            f"constraint {constraint!r} does not exist.{did_you_mean(str(constraint), CONSTRAINTS)} The constraints "
            f"are {', '.join(CONSTRAINTS)}, or any function from a tensor to one of its shape"
        )
    return CONSTRAINTS[constraint]()


def apply_constraints(model: Any) -> None:
    """Move the variables of a model to where its constraints allow; to be called after each update.

    `fit` does it by itself. See `Module.constrain`, which sets the constraints.

    Parameters
    ----------
    model : Module

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> model = nn.Dense(2).constrain("non_negative")
    >>> y = model(st.ones((1, 3)))
    >>> apply_constraints(model)
    >>> bool((model.kernel >= 0).all())
    True
    """
    new: dict[Any, Tensor] = {}
    with recording(False):
        for module in model.modules():
            for constraint, roles in module.constraints:
                for variable in module.variables(*roles):
                    new[variable] = constraint(new.get(variable, variable))
        if new:
            assign_all(new)


def _positive(name: str, what: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ArgumentError(f"{name}: {what} must be a number above 0, got {value!r}")
    return float(value)
