"""Containers: modules in a row, modules in a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from septet.base.errors import ArgumentError
from septet.nn.activation import Activation
from septet.nn.module import Module


class ModuleList(Module):
    """A list of modules, which are the children "0", "1" ...; how they are applied is up to you.

    Parameters
    ----------
    modules : iterable of Module

    Examples
    --------
    >>> from septet import nn
    >>> towers = ModuleList([nn.Dense(2), nn.Dense(3)])
    >>> len(towers), towers[1].units
    (2, 3)

    Elsewhere
    ---------
    PyTorch ``ModuleList``.
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self._is_built = True
        for module in modules:
            self.append(module)

    def append(self, module: Any) -> None:
        """Add a module (a function becomes an `Activation`)."""
        if not isinstance(module, Module):
            if not callable(module):
                raise ArgumentError(f"{type(self).__name__}: takes modules and functions, got {module!r}")
            module = Activation(module)
        setattr(self, str(len(self)), module)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Module]:
        return (child for child in vars(self).values() if isinstance(child, Module))

    def __getitem__(self, index: Any) -> Any:
        found = list(self)[index]
        return type(self)(*found) if isinstance(index, slice) and isinstance(self, Sequential) else found


class Sequential(ModuleList):
    """Modules in a row: each is applied to the result of the one before.

    Parameters
    ----------
    *modules : Module or function of a tensor

    Shape
    -----
    x as the first module takes it, result as the last one returns it.

    Elsewhere
    ---------
    Keras ``Sequential``, PyTorch ``Sequential``.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> model = Sequential(nn.Dense(4, activation="relu"), nn.Dense(2))
    >>> model(st.ones((3, 5))).shape
    (3, 2)
    >>> [name for name, _ in model.named_parameters()]
    ['0.kernel', '0.bias', '1.kernel', '1.bias']
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__(modules)

    def forward(self, x: Any) -> Any:
        for module in self:
            x = module(x)
        return x
