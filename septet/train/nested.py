"""Inputs of several arrays: in a tuple or list, or by name in a dict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError
from septet.data.arrays import ArrayDataset
from septet.nn.module import Module
from septet.tensor import tree
from septet.tensor.creation import owned
from septet.tensor.tensor import Tensor

NESTS = (tuple, list, dict)


def apply(model: Module, inputs: Any) -> Any:
    """Call a model: with arrays of a tuple or list one by one, with those of a dict by name."""
    if isinstance(inputs, (tuple, list)):
        return model(*inputs)
    return model(**inputs) if isinstance(inputs, dict) else model(inputs)


def build(model: Module, inputs: Any) -> None:
    """Have a model make its variables for inputs."""
    if isinstance(inputs, dict):
        raise ArgumentError(
            f"{type(model).__name__} takes inputs by name, and has not seen any yet", hint="call it once before"
        )
    model.build_for(*(inputs if isinstance(inputs, (tuple, list)) else (inputs,)))


def given_away(value: Any) -> Any:
    """Return an array as a tensor without a copy; those of a tuple, list or dict, in one."""
    if not isinstance(value, NESTS):
        return owned(value)
    leaves, structure = tree.flatten(value)
    return tree.unflatten(structure, [owned(leaf) for leaf in leaves])


def count_of(value: Any) -> int:
    """Return the number of examples in arrays."""
    return len(tree.flatten(value)[0][0]) if isinstance(value, NESTS) and is_nested(value) else len(value)


def is_nested(value: Any) -> bool:
    """Tell whether something holds arrays, and is not itself meant as one: a list of numbers is."""
    if isinstance(value, dict):
        return True
    return isinstance(value, (tuple, list)) and bool(value) and all(getattr(item, "ndim", 0) for item in value)


def flat_data(data: Any) -> tuple[ArrayDataset | None, Callable[[Any], Any] | None]:
    """Return nested arrays as a data set of flat samples, and what brings batches of it into their places again.

    Both are None where nothing is nested. A list of arrays is one array, row by row, where it has as many of them as
    there are examples.
    """
    if not isinstance(data, tuple) or not any(is_nested(part) for part in data):
        return None, None
    count = count_of(data[-1])
    rows = [isinstance(part, (tuple, list)) and len(part) == count != count_of(part) for part in data]
    marks = [is_nested(part) and not is_row for part, is_row in zip(data, rows, strict=True)]
    if not any(marks):
        return None, None
    parts = [part if mark else _Whole(part) for part, mark in zip(data, marks, strict=True)]
    leaves, structure = tree.flatten(tuple(parts))
    dataset = ArrayDataset(*[leaf.value if isinstance(leaf, _Whole) else leaf for leaf in leaves])
    return dataset, lambda batch: tree.unflatten(structure, list(batch))


class _Whole:
    """An array-like that is not taken apart."""

    def __init__(self, value: Any) -> None:
        self.value = value


def slices(value: Any, size: int) -> list[Any]:
    """Cut arrays into pieces of so many examples.

    Raises
    ------
    ArgumentError
        If they have no examples, or different numbers of them.
    """
    leaves, structure = tree.flatten(value) if is_nested(value) else ([value], None)
    arrays = [np.asarray(leaf) for leaf in leaves]
    counts = {len(array) if array.ndim else 0 for array in arrays}
    if len(counts) > 1 or not max(counts):
        raise ArgumentError(f"predict needs at least one example, got shape {', '.join(str(a.shape) for a in arrays)}")
    pieces = [[array[start : start + size] for array in arrays] for start in range(0, max(counts), size)]
    return [piece[0] if structure is None else tree.unflatten(structure, piece) for piece in pieces]


def joined(parts: list[Any]) -> Any:
    """Return the results of several batches as one, nested as they are."""
    rows = [tree.flatten(part) for part in parts]
    arrays = [np.concatenate([leaves[i].numpy() for leaves, _ in rows]) for i in range(len(rows[0][0]))]
    return tree.unflatten(rows[0][1], arrays)


def types_of(value: Any) -> Any:
    """Return shapes and dtypes of arrays as plain values, nested as these are."""
    if isinstance(value, dict):
        return {name: types_of(item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [types_of(item) for item in value]
    return {
        "": [list(np.shape(value)), value.dtype.name if isinstance(value, Tensor) else np.asarray(value).dtype.name]
    }


def zeros_of(types: Any) -> Any:
    """Return zeros of the types that `types_of` returned."""
    if isinstance(types, list):
        return [zeros_of(item) for item in types]
    if "" in types:
        return np.zeros(*types[""])
    return {name: zeros_of(item) for name, item in types.items()}
