"""Shapes: tuples of sizes, each an int or None where the size is not known before the graph runs.

An unknown size broadcasts as an ordinary one: it is taken to equal the size that it meets, never to be 1, and this is
checked when the graph runs.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

from septet.base.errors import ArgumentError, AxisError, ShapeError
from septet.base.sizes import Size

Shape = tuple[int | None, ...]


def as_shape(value: Any, name: str = "shape") -> Shape:
    """Return a tuple of sizes from an int or a sequence of ints and Nones.

    Raises
    ------
    ArgumentError
        If a size is not an integer or is negative.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = (value,)
    try:
        found: list[Any] = [size if size is None or type(size) is Size else operator.index(size) for size in value]
    except TypeError:
        raise ArgumentError(f"{name} must be an int or a sequence of ints, got {value!r}") from None
    sizes = tuple(found)
    for size in sizes:
        if size is not None and size < 0:
            raise ArgumentError(f"{name} has a negative size: {sizes}")
    return sizes


def is_known(shape: Shape) -> bool:
    """Tell whether every size of a shape is known."""
    return None not in shape


def count(shape: Iterable[int | None]) -> int | None:
    """Return the number of elements, or None where a size is unknown (and none is 0)."""
    total: int | None = 1
    for size in shape:
        if size == 0:
            return 0
        total = None if total is None or size is None else total * size
    return total


def broadcast(*shapes: Shape) -> Shape:
    """Return the shape that the given shapes broadcast to, by NumPy's rule.

    Raises
    ------
    ShapeError
        If two sizes on one axis differ and neither is 1; the error marks both axes.
    """
    rank = max(map(len, shapes), default=0)
    result: list[int | None] = [1] * rank
    origin = [-1] * rank  # which argument set the size
    for position, shape in enumerate(shapes):
        offset = rank - len(shape)
        for axis, size in enumerate(shape):
            known = result[offset + axis]
            if size == known or size == 1:
                continue
            if known == 1 or known is None:
                result[offset + axis], origin[offset + axis] = size, position
            elif size is not None:
                other = origin[offset + axis]
                other_axis = offset + axis - (rank - len(shapes[other]))
                raise ShapeError(
                    f"shapes do not broadcast: size {known} against size {size} on axis {offset + axis - rank}",
                    marks=((other, other_axis), (position, axis)),
                    hint="two sizes on one axis must be equal, or one of them 1; axes are aligned from the right",
                )
    return tuple(result)


def cut(start: Any, stop: Any, step: Any, size: Any) -> tuple[Any, Any, Any, Any]:
    """Return where a slice of an axis begins and ends, its step, and how many it selects, as Python's ``slice`` has it.

    Examples
    --------
    >>> cut(None, -1, 2, 6)
    (0, 5, 2, 3)
    """
    if Size not in (type(start), type(stop), type(size)):
        first, last, step = slice(start, stop, step).indices(size)
        return first, last, step, len(range(first, last, step))
    step = 1 if step is None else operator.index(step)
    low, high = (0, size) if step > 0 else (-1, size - 1)

    def inside(bound: Any, default: Any) -> Any:
        if bound is None:
            return default
        return max(bound + size, low) if bound < 0 else min(bound, high)

    first, last = (inside(start, low), inside(stop, high)) if step > 0 else (inside(start, high), inside(stop, low))
    if not (first < last if step > 0 else last < first):
        return first, last, step, 0
    return first, last, step, (last - first - 1) // step + 1 if step > 0 else (first - last - 1) // -step + 1


def check_axis(axis: Any, rank: int, name: str = "axis") -> int:
    """Return an axis counted from the front.

    Raises
    ------
    ArgumentError
        If the axis is not an integer.
    AxisError
        If it lies outside the rank.
    """
    try:
        index = operator.index(axis)
    except TypeError:
        raise ArgumentError(f"{name} must be an integer, got {axis!r}") from None
    if not -rank <= index < rank:
        allowed = f"-{rank} to {rank - 1}" if rank else "none: the tensor is a scalar"
        raise AxisError(f"{name} {index} is out of range for a tensor of rank {rank} (allowed: {allowed})")
    return index % rank


def check_axes(axes: Any, rank: int, name: str = "axis") -> tuple[int, ...]:
    """Return distinct axes, sorted and counted from the front; None stands for all of them.

    Raises
    ------
    ArgumentError
        If an axis lies outside the rank or appears twice.
    """
    if axes is None:
        return tuple(range(rank))
    if not isinstance(axes, Sequence):
        return (check_axis(axes, rank, name),)
    found = [check_axis(axis, rank, name) for axis in axes]
    if len(set(found)) != len(found):
        raise ArgumentError(f"{name} {tuple(axes)} names an axis twice")
    return tuple(sorted(found))
