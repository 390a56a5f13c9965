"""Tables in CSV files as inputs of a model: numbers in units of their spread, texts as one of those of the training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from septet.base.errors import DataError, SettingError
from septet.base.text import did_you_mean, plural
from septet.data import read_csv

MOST_CLASSES = 100
MOST_TEXTS = 100  # values of a column; one with more (names, comments) says little about other rows

Column = dict[str, Any]
"""What a column is made into: ``{"name", "mean", "std"}`` or ``{"name", "values"}``; plain values, for files."""


def read_table(path: str | Path, target: str | None) -> tuple[dict[str, np.ndarray], str]:
    """Return the columns of a file, and the name of the one that is to be predicted: by default the last.

    Raises
    ------
    SettingError
        If there is no such column.
    MissingDataError, DataError
        If there is no such file, or it is no table.
    """
    arrays: Any = read_csv(path).arrays
    name = list(arrays)[-1] if target is None else target
    if name not in arrays:
        raise SettingError(
            f"{path}: there is no column {name!r}.{did_you_mean(name, arrays)} The columns are {', '.join(arrays)}"
        )
    return arrays, name


def find_classes(path: str | Path, name: str, values: np.ndarray) -> list[str]:
    """Return the classes that a column holds, in order; none where it holds numbers that are no classes.

    Raises
    ------
    SettingError
        If there is nothing to tell apart, or too much.
    """
    found = np.unique(values)
    if values.dtype.kind == "f" or (values.dtype.kind in "iu" and len(found) > MOST_CLASSES):
        return []
    if not 2 <= len(found) <= MOST_CLASSES:
        raise SettingError(
            f"{path}: column {name!r} has {plural(len(found), 'different value')}; from tables, septet train learns "
            f"numbers, or 2 to {MOST_CLASSES} classes: texts, integers, or true and false"
        )
    return [str(value) for value in found]


def numbers_of(path: str | Path, name: str, values: np.ndarray) -> np.ndarray:
    """Return the numbers of a column that is to be predicted, (N, 1) float64.

    Raises
    ------
    DataError
        If it holds texts, or a number is missing.
    """
    if values.dtype.kind not in "iuf":
        raise DataError(f"{path}: column {name!r} must hold numbers, as it did in training")
    numbers = values.astype(np.float64)
    missing = np.flatnonzero(~np.isfinite(numbers))
    if missing.size:
        raise DataError(
            f"{path}: column {name!r} has no number in {plural(missing.size, 'row')}, first in row {missing[0] + 1}",
            hint="rows whose target is not known teach nothing: leave them out",
        )
    return numbers[:, None]


def scale_of(numbers: np.ndarray) -> dict[str, float]:
    """Return the mean and the spread of numbers that are learned: a network is trained on (number - mean) / std."""
    return {"mean": float(numbers.mean()), "std": float(numbers.std()) or 1.0}


def judge_numbers(predicted: np.ndarray, numbers: np.ndarray) -> dict[str, float]:
    """Return how far predictions are from numbers, in their own unit, and R2."""
    wrong = predicted - numbers
    spread = float(((numbers - numbers.mean()) ** 2).sum())
    return {
        "mean_absolute_error": float(abs(wrong).mean()),
        "root_mean_squared_error": float(np.sqrt((wrong**2).mean())),
        "r2": 1 - float((wrong**2).sum()) / spread if spread else 0.0,
    }


def labels_of(path: str | Path, name: str, values: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return the numbers of the classes of a column."""
    numbers = {text: index for index, text in enumerate(classes)}
    strange = sorted({str(value) for value in values} - set(numbers))
    if strange:
        raise DataError(f"{path}: column {name!r} has {strange[0]!r}, but the classes are {', '.join(classes)}")
    return np.array([numbers[str(value)] for value in values], np.int64)


def errors_text(name: str, found: dict[str, float]) -> str:
    """Return what `judge_numbers` found as a line."""
    return (
        f"{name}: wrong by {found['mean_absolute_error']:.4g} in the mean, root mean square "
        f"{found['root_mean_squared_error']:.4g}, R2 {found['r2']:.4f}"
    )


def describe(arrays: dict[str, np.ndarray], without: str, rows: np.ndarray) -> list[Column]:
    """Return what each column but one is made into, as some of the rows say."""
    columns: list[Column] = []
    for name, values in arrays.items():
        if name == without:
            continue
        if values.dtype.kind in "iufb":
            known = values[rows].astype(np.float64)
            known = known[np.isfinite(known)]
            mean, spread = (float(known.mean()), float(known.std())) if known.size else (0.0, 1.0)
            columns.append({"name": name, "mean": mean, "std": spread or 1.0})
        else:
            texts = np.unique(values[rows]).tolist()
            if len(texts) <= MOST_TEXTS:
                columns.append({"name": name, "values": texts})
    return columns


def encode(path: str | Path, arrays: dict[str, np.ndarray], columns: Sequence[Column]) -> np.ndarray:
    """Return the inputs of a model, (N, features) float32: an unknown number is the mean, an unknown text is nothing.

    Raises
    ------
    DataError
        If a column is missing, or holds texts where numbers are expected.
    """
    parts = []
    for column in columns:
        name = column["name"]
        if name not in arrays:
            raise DataError(f"{path}: the model needs the column {name!r}; there are {', '.join(arrays)}")
        values = arrays[name]
        if "values" in column:
            parts.append(values.astype(str)[:, None] == np.array(column["values"], str))
            continue
        if values.dtype.kind not in "iufb":
            raise DataError(f"{path}: column {name!r} must hold numbers, as it did in training")
        scaled = (values.astype(np.float64) - column["mean"]) / column["std"]
        parts.append(np.nan_to_num(scaled, nan=0.0)[:, None])
    if not parts:
        raise DataError(f"{path}: there is no column to learn from")
    return np.concatenate(parts, axis=1).astype(np.float32)
