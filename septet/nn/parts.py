"""What modules are asked for and given, as values: parameters, inputs, types, names, states."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError
from septet.base.text import did_you_mean, listing, plural
from septet.tensor.creation import owned, tensor
from septet.tensor.tensor import Tensor
from septet.tensor.tree import flatten, unflatten
from septet.tensor.variable import ROLES, Variable


class Parameters(Sequence[Variable]):
    """The trainable variables of a module, looked up anew at each use: so it may be asked for before the first input.

    Parameters
    ----------
    module : Module
    roles : tuple of str, optional
        Only variables of these roles.
    """

    def __init__(self, module: Any, roles: tuple[str, ...] = ()) -> None:
        self._module = module
        self._roles = roles

    def _find(self) -> list[Variable]:
        return [v for _, v in self.named()]

    def named(self) -> list[tuple[str, Variable]]:
        """Return the variables with their paths in the module."""
        return [(p, v) for p, v in self._module.named_parameters() if not self._roles or v.role in self._roles]

    def __iter__(self) -> Iterator[Variable]:
        return iter(self._find())

    def __len__(self) -> int:
        return len(self._find())

    def __getitem__(self, index: Any) -> Any:
        return self._find()[index]

    def __repr__(self) -> str:
        return f"Parameters({', '.join(v.name for v in self._find()) or 'none before the first input'})"


def check_roles(roles: tuple[str, ...]) -> tuple[str, ...]:
    """Return roles of variables that exist; "weight" if there are none."""
    for role in roles:
        if role not in ROLES:
            raise ArgumentError(
                f"role {role!r} does not exist.{did_you_mean(role, ROLES)} The roles are {listing(ROLES)}"
            )
    return roles or ("weight",)


def as_input(value: Any) -> Any:
    """Convert arrays, also in lists, tuples and dicts, to tensors; leave everything else as it is."""
    if isinstance(value, (list, tuple, dict)):
        leaves, structure = flatten(value)
        if any(isinstance(leaf, (np.ndarray, np.generic)) for leaf in leaves):
            return unflatten(structure, [as_input(leaf) for leaf in leaves])
        return value
    if not isinstance(value, (np.ndarray, np.generic)):
        return value
    return owned(value) if not value.flags.writeable else tensor(value)


def types_of(inputs: tuple[Any, ...]) -> Any:
    """Return inputs with types in place of tensors."""
    leaves, structure = flatten(inputs)
    return unflatten(structure, [leaf.node.tensor_type if isinstance(leaf, Tensor) else leaf for leaf in leaves])


def snake_case(name: str) -> str:
    """Return the name of a class as a name of attributes.

    Examples
    --------
    >>> [snake_case(name) for name in ("Dense", "MaxPool2D", "LeakyReLU", "LSTMCell")]
    ['dense', 'max_pool2d', 'leaky_relu', 'lstm_cell']
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def differences(
    own: Mapping[str, Variable], state: Mapping[str, Any], arrays: Mapping[str, np.ndarray], strict: bool
) -> list[str]:
    """Return what keeps a state from fitting some variables, as phrases."""
    problems = []
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    if strict and missing:
        problems.append(f"missing {plural(len(missing), 'tensor')}: {', '.join(missing[:8])}")
    if strict and unexpected:
        hint = f".{did_you_mean(unexpected[0], missing)}".rstrip(".")
        problems.append(f"unexpected {plural(len(unexpected), 'tensor')}: {', '.join(unexpected[:8])}{hint}")
    for name, array in arrays.items():
        type_ = own[name].variable_type
        if array.shape != type_.shape:
            problems.append(f"{name} has shape {array.shape}, the model needs {type_.shape}")
    return problems
