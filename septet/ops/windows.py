"""Windows that slide over spatial axes: sizes, padding, and the slices that reference implementations loop over."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Sequence
from typing import Any

from septet.base.errors import ArgumentError
from septet.base.shapes import Shape

Pairs = tuple[tuple[int, int], ...]


def _as_int(value: Any, name: str, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise ArgumentError(f"{name} must be made of integers, got {value!r}") from None
    if number < least or isinstance(value, bool):
        raise ArgumentError(f"{name} must be at least {least}, got {value!r}")
    return number


def per_axis(value: Any, rank: int, name: str, least: int = 1) -> tuple[int, ...]:
    """Return one integer for each spatial axis from an integer or a sequence.

    Raises
    ------
    ArgumentError
        If there are more or fewer than axes, or one is below `least`.
    """
    if not isinstance(value, (tuple, list)):
        return (_as_int(value, name, least),) * rank
    if len(value) != rank:
        raise ArgumentError(f"{name} {tuple(value)} does not have one entry for each of the {rank} spatial axes")
    return tuple(_as_int(item, name, least) for item in value)


def check_groups(groups: Any) -> int:
    """Return the number of groups."""
    return _as_int(groups, "groups", 1)


def window_extent(size: int, dilation: int) -> int:
    """Return how many elements a dilated window reaches over."""
    return dilation * (size - 1) + 1


def output_size(size: int | None, window: int | None, stride: int, pad: tuple[int, int], dilation: int) -> int | None:
    """Return the number of windows along one axis (0 or less: none fits), or None where it is not known."""
    if size is None or window is None:
        return None
    return (size + pad[0] + pad[1] - window_extent(window, dilation)) // stride + 1


def resolve_padding(
    padding: Any, spatial: Shape, window: Shape, stride: Sequence[int], dilation: Sequence[int]
) -> Pairs:
    """Return padding as one pair (low, high) for each spatial axis.

    Raises
    ------
    ArgumentError
        If the mode is not known, the number of entries is wrong, or "same" depends on a size that is not known.
    """
    rank = len(spatial)
    if isinstance(padding, str):
        return _named_padding(padding, spatial, window, stride, dilation)
    if not isinstance(padding, (tuple, list)):
        return ((_as_int(padding, "padding", 0),) * 2,) * rank
    if len(padding) != rank:
        raise ArgumentError(
            f"padding {tuple(padding)} does not have one entry for each of the {rank} spatial axes",
            hint="an entry is an int, or a pair (low, high)",
        )
    pairs = []
    for entry in padding:
        pair = entry if isinstance(entry, (tuple, list)) else (entry, entry)
        if len(pair) != 2:
            raise ArgumentError(f"padding {tuple(padding)}: {entry!r} is neither an int nor a pair (low, high)")
        pairs.append((_as_int(pair[0], "padding", 0), _as_int(pair[1], "padding", 0)))
    return tuple(pairs)


def _named_padding(name: str, spatial: Shape, window: Shape, stride: Sequence[int], dilation: Sequence[int]) -> Pairs:
    if name not in ("valid", "same", "causal"):
        raise ArgumentError(f"padding {name!r} is not known; it is 'valid', 'same', 'causal' (one axis) or numbers")
    if name == "valid":
        return ((0, 0),) * len(spatial)
    if name == "causal" and len(spatial) != 1:
        raise ArgumentError(f"padding 'causal' is for one spatial axis, there are {len(spatial)}")
    pairs = []
    for axis, (size, width) in enumerate(zip(spatial, window, strict=True)):
        if width is None:
            raise ArgumentError(f"padding {name!r} needs a window of known size (spatial axis {axis})")
        extent, step = window_extent(width, dilation[axis]), stride[axis]
        if name == "causal":
            pairs.append((extent - 1, 0))
            continue
        if size is None and step > 1:
            raise ArgumentError(
                f"padding 'same' with stride {step} depends on the size of spatial axis {axis}, which is not known",
                hint="give the padding in numbers",
            )
        total = extent - 1 if size is None or step == 1 else max((-(-size // step) - 1) * step + extent - size, 0)
        pairs.append((total // 2, total - total // 2))
    return tuple(pairs)


def window_slices(
    window: Sequence[int], result: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Iterator[tuple[Any, ...]]:
    """Yield, for each element of a window in row-major order, the index of that element of every window.

    The index begins with an ellipsis, so it applies to the last axes of a padded array.
    """
    for position in itertools.product(*[range(size) for size in window]):
        yield (
            ...,
            *[
                slice(at * d, at * d + max((count - 1) * step + 1, 0), step)
                for at, d, count, step in zip(position, dilation, result, stride, strict=True)
            ],
        )
