"""Containers of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from septet.base.errors import ArgumentError
from septet.nn.module import Module
from septet.tensor.tensor import Tensor


class Sequential(Module):
    """Apply layers one after the other.

    Parameters
    ----------
    *layers : Module or function of a tensor
    """

    def __init__(self, *layers: Module | Callable[[Any], Any]) -> None:
        super().__init__()
        wrapped: list[Module] = []
        for position, each in enumerate(layers):
            if not callable(each):
                raise ArgumentError(f"Sequential: layer {position} is neither a Module nor a function: {each!r}")
            wrapped.append(each if isinstance(each, Module) else Lambda(each))
        for position, each in enumerate(wrapped):
            if not each.__dict__.get("_name"):
                object.__setattr__(each, "_name", f"{type(each).__name__.lower()}_{position}")
        self.layers = wrapped

    def forward(self, x: Any) -> Any:
        """Apply all layers."""
        for each in self.layers:
            x = each(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> Module:
        return self.layers[index]


class Lambda(Module):
    """A function of tensors as a layer.

    Parameters
    ----------
    function : callable
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        """Call the function."""
        return self.function(*inputs)
