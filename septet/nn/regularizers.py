"""Regularizers: penalties on variables, which are added to a loss."""

from __future__ import annotations

import functools
import operator
from typing import Any

from septet.base.errors import ArgumentError
from septet.base.text import did_you_mean
from septet.tensor.creation import tensor
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor

ACTIVITY = "_activity"
"""The attribute in which a layer keeps the penalty on what it has returned, until it is asked for."""


class Regularizer:
    """The base of regularizers: from a tensor to a scalar."""

    def __call__(self, value: Tensor) -> Tensor:
        raise NotImplementedError

    def __repr__(self) -> str:
        words = ", ".join(f"{name}={own!r}" for name, own in vars(self).items())
        return f"{type(self).__name__}({words})"


class L1L2(Regularizer):
    """Return l1 * (the sum of absolute values) + l2 * (the sum of squares).

    Parameters
    ----------
    l1, l2 : float

    Examples
    --------
    >>> import septet as st
    >>> float(L1L2(0.5, 0.25)(st.tensor([1.0, -2.0])))
    2.75
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = _rate("L1L2", "l1", l1), _rate("L1L2", "l2", l2)

    def __call__(self, value: Tensor) -> Tensor:
        if not self.l1:
            return value.square().sum() * self.l2
        absolute = value.abs().sum() * self.l1
        return absolute + value.square().sum() * self.l2 if self.l2 else absolute


class L1(L1L2):
    """Return rate * (the sum of absolute values): it makes weights 0.

    Parameters
    ----------
    rate : float
    """

    def __init__(self, rate: float = 0.01) -> None:
        super().__init__(l1=rate)


class L2(L1L2):
    """Return rate * (the sum of squares): it keeps weights small.

    Parameters
    ----------
    rate : float
    """

    def __init__(self, rate: float = 0.01) -> None:
        super().__init__(l2=rate)


class Orthogonal(Regularizer):
    """Return rate * (the mean |cosine| between different rows, or columns, of a matrix): it makes them orthogonal.

    Parameters
    ----------
    rate : float
    mode : {"rows", "columns"}
        The first axis counts the rows; the others are joined.

    Source
    ------
    A. Brock et al., Neural photo editing with introspective adversarial networks, 2017, section 3.4.

    Examples
    --------
    >>> import septet as st
    >>> float(Orthogonal(2.0)(st.tensor([[1.0, 0.0], [3.0, 4.0]])))
    1.2000000476837158
    """

    def __init__(self, rate: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise ArgumentError(f"Orthogonal: mode is 'rows' or 'columns', got {mode!r}")
        self.rate, self.mode = _rate("Orthogonal", "rate", rate), mode

    def __call__(self, value: Tensor) -> Tensor:
        if value.ndim < 2:
            raise ArgumentError(f"Orthogonal: takes matrices and more, got shape {value.type.shape}")
        matrix = value.reshape(value.shape[0], -1)
        matrix = matrix if self.mode == "rows" else matrix.T
        units = matrix / f.sqrt(f.maximum(matrix.square().sum(axis=1, keepdims=True), 1e-12))
        cosines, count = units @ units.T, units.shape[0]
        others = (cosines * (1.0 - f.eye(count, dtype=cosines.dtype))).abs().sum()
        return others * (self.rate / max(count * (count - 1), 1))


REGULARIZERS: dict[str, type[Regularizer]] = {"l1": L1, "l2": L2, "l1_l2": L1L2, "orthogonal": Orthogonal}
"""The regularizers by name."""


def get(regularizer: Any) -> Any:
    """Return the regularizer of a name, or the function from a tensor to a scalar that was given.

    Raises
    ------
    ArgumentError
        If there is none; the message names the nearest.
    """
    if callable(regularizer):
        return regularizer
    if regularizer not in REGULARIZERS:
        raise ArgumentError(
            f"regularizer {regularizer!r} does not exist.{did_you_mean(str(regularizer), REGULARIZERS)} There are "
            f"{', '.join(REGULARIZERS)}, or any function from a tensor to a scalar"
        )
    return REGULARIZERS[regularizer](0.01, 0.01) if regularizer == "l1_l2" else REGULARIZERS[regularizer]()


def regularization_loss(model: Any) -> Tensor:
    """Return the sum of a model's penalties: 0 where there are none.

    `fit` adds it to the loss by itself. See `Module.regularize`, which sets the penalties; those on activities (see
    `ActivityRegularization`) count once.

    Parameters
    ----------
    model : Module

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> model = nn.Sequential(nn.Dense(2, kernel_initializer="ones"), nn.ReLU()).regularize(nn.regularizers.L2(0.5))
    >>> y = model(st.ones((1, 3)))
    >>> float(regularization_loss(model))
    3.0
    """
    parts: list[Tensor] = []
    for module in model.modules():
        parts += [rule(variable) for rule, roles in module.penalties for variable in module.variables(*roles)]
        if ACTIVITY in vars(module):
            parts.append(vars(module).pop(ACTIVITY))
    return functools.reduce(operator.add, parts) if parts else tensor(0.0)


def has_penalties(model: Any) -> bool:
    """Tell whether a model has penalties: on variables, or on what layers have just returned."""
    return any(module.penalties or ACTIVITY in vars(module) for module in model.modules())


def _rate(name: str, what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ArgumentError(f"{name}: {what} must be a number of at least 0, got {value!r}")
    return float(value)
