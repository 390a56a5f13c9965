"""Many samples as one batch and back: leaves of nested tuples, lists and dicts, stacked, padded, taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from septet.base.errors import ArgumentError, DataError
from septet.base.text import listing

__all__ = ["collate", "count_rows", "pad", "row"]

_NUMBERS = (bool, int, float, complex, numpy.ndarray, numpy.generic)


def collate(values: Sequence[Any], place: str = "") -> Any:
    """Stack samples to a batch, leaf by leaf.

    Parameters
    ----------
    values : sequence
        Samples of one structure: arrays, numbers and lists of numbers, or tuples, lists and dicts of them. Other leaves
        (texts, bytes) become lists.

    Returns
    -------
    object
        The same structure; axis 0 of each array counts the samples.

    Raises
    ------
    DataError
        When samples differ in structure, or in the shape of an array.

    Examples
    --------
    >>> collate([(1, "a"), (2, "b")])
    (array([1, 2]), ['a', 'b'])
    """
    first = values[0]
    if isinstance(first, dict):
        _same(
            [tuple(sorted(map(str, value))) if isinstance(value, dict) else type(value) for value in values],
            place,
            "keys",
        )
        return {key: collate([value[key] for value in values], f"{place}[{key!r}]") for key in first}
    if isinstance(first, tuple | list) and not _has_axis(first):
        _same([len(value) if isinstance(value, tuple | list) else type(value) for value in values], place, "lengths")
        parts = [collate(column, f"{place}[{i}]") for i, column in enumerate(zip(*values))]
        return _like(first, parts)
    if isinstance(first, _NUMBERS) or _has_axis(first):
        _same(
            [
                numpy.shape(value) if isinstance(value, _NUMBERS) or _has_axis(value) else type(value)
                for value in values
            ],
            place,
            "shapes",
        )
        return numpy.asarray(values) if not isinstance(first, numpy.ndarray) else numpy.stack(values)
    return list(values)


def pad(values: Sequence[Any], value: Any = 0, multiple: int = 1) -> Any:
    """Stack samples to a batch, each array filled up to the largest size on each axis, with the lengths beside it.

    Parameters
    ----------
    values : sequence
        Samples of one structure, as for `collate`; arrays may differ in size, not in rank.
    value : number
        What the arrays are filled up with.
    multiple : int
        Axis 0 is filled up to a multiple of this.

    Returns
    -------
    object
        For one array the pair (padded, lengths). For a dict the padded arrays, and under ``name_lengths`` the lengths
        of those with an axis of their own. For a tuple the parts, followed by these lengths.

    Examples
    --------
    >>> tokens, labels, lengths = pad([(numpy.array([7, 8, 9]), 0), (numpy.array([5]), 1)])
    >>> tokens.tolist(), labels.tolist(), lengths.tolist()
    ([[7, 8, 9], [5, 0, 0]], [0, 1], [3, 1])
    """
    first = values[0]
    if isinstance(first, dict):
        columns = {key: [sample[key] for sample in values] for key in first}
        lengths = {f"{key}_lengths": _lengths(column) for key, column in columns.items() if _has_axis(column[0])}
        taken = sorted(set(lengths) & set(columns))
        if taken:
            raise ArgumentError(f"padded_batch: the samples have {listing(taken)} already, where lengths would go")
        return {key: _padded(column, value, multiple, f"[{key!r}]") for key, column in columns.items()} | lengths
    if isinstance(first, tuple | list) and not _has_axis(first):
        _same([len(sample) for sample in values], "", "lengths")
        columns = list(zip(*values))
        parts = [_padded(column, value, multiple, f"[{i}]") for i, column in enumerate(columns)]
        return (*parts, *[_lengths(column) for column in columns if _has_axis(column[0])])
    return _padded(values, value, multiple, ""), _lengths(values)


def count_rows(value: Any) -> int:
    """Return how many samples a batch holds: the length of its first leaf."""
    if isinstance(value, dict):
        value = next(iter(value.values()), ())
        return count_rows(value)
    if isinstance(value, tuple):
        return count_rows(value[0]) if value else 0
    return len(value)


def row(value: Any, index: int) -> Any:
    """Return one sample of a batch."""
    if isinstance(value, dict):
        return {key: row(part, index) for key, part in value.items()}
    if isinstance(value, tuple):
        return _like(value, [row(part, index) for part in value])
    return value[index]


def _padded(column: Sequence[Any], value: Any, multiple: int, place: str) -> Any:
    if not _has_axis(column[0]):
        return collate(column, place)
    arrays = [numpy.asarray(part) for part in column]
    _same([array.ndim for array in arrays], place, "ranks")
    sizes = numpy.max([array.shape for array in arrays], axis=0)
    sizes[0] += -sizes[0] % multiple
    batch = numpy.full((len(arrays), *sizes), value, dtype=numpy.result_type(*arrays))
    for target, array in zip(batch, arrays):
        target[tuple(map(slice, array.shape))] = array
    return batch


def _has_axis(part: Any) -> bool:
    """Tell whether a leaf is an array (or a list of numbers) with at least one axis."""
    if isinstance(part, list):
        return not part or isinstance(part[0], bool | int | float | complex | numpy.number)
    return isinstance(part, numpy.ndarray) and part.ndim > 0


def _lengths(column: Sequence[Any]) -> numpy.ndarray:
    return numpy.array([len(part) for part in column], dtype=numpy.int64)


def _like(first: Any, parts: list[Any]) -> Any:
    if isinstance(first, list):
        return parts
    return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)


def _same(facts: list[Any], place: str, noun: str) -> Any:
    """Return the one fact about all samples, or raise with the first that differs."""
    first = facts[0]
    for index, fact in enumerate(facts):
        if fact != first:
            raise DataError(
                f"batch: samples differ in their {noun}{' at ' + place if place else ''}: sample 0 of the batch has "
                f"{first}, sample {index} has {fact}",
                hint="padded_batch fills arrays of different sizes up; a map before it can bring them to one size",
            )
    return first
