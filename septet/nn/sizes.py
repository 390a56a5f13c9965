"""Checks of the numbers that layers are made with, and of the sizes that they meet."""

from __future__ import annotations

import operator
from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.tensor.tensor import Tensor


def check_count(layer: str, name: str, value: Any, least: int = 1) -> int:
    """Return a parameter as an int of at least `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise ArgumentError(f"{layer}: {name} must be an integer of at least {least}, got {value!r}")
    return number


def check_share(layer: str, name: str, value: Any) -> float:
    """Return a parameter as a float from 0 to below 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ArgumentError(f"{layer}: {name} must be at least 0 and below 1, got {value!r}")
    return float(value)


def static_size(x: Tensor, axis: int, layer: Any) -> int:
    """Return a size that a layer needs in order to make its variables.

    Raises
    ------
    ShapeError
        If there is no such axis, or its size is not known.
    """
    shape = x.type.shape
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(f"{layer.label}: the input of shape {shape_text(shape)} has no axis {axis}")
    size = shape[axis]
    if size is None:
        raise ShapeError(
            f"{layer.label}: the size of axis {axis} of the first input, of shape {shape_text(shape)}, is not known",
            hint="give the symbol that size, or build the layer first with build_for(example)",
        )
    return size


def check_rank(x: Tensor, rank: int, layer: Any, axes: str) -> None:
    """Refuse an input of another rank than a layer takes."""
    if x.ndim != rank:
        raise ShapeError(f"{layer.label}: takes {axes}, got shape {shape_text(x.type.shape)}")
