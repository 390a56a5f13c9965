"""Known tables of numbers: iris, wine, breast cancer, California housing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy

from septet.base.errors import DataError
from septet.data.arrays import split_indices
from septet.data.fetching import find_file, scikit_learn_folder
from septet.data.known import KNOWN
from septet.data.sources.csv import read_csv

__all__ = ["OCEAN_PROXIMITY", "load_california_housing", "load_table", "split_arrays"]

OCEAN_PROXIMITY = ("<1H OCEAN", "INLAND", "ISLAND", "NEAR BAY", "NEAR OCEAN")
_NUMBERS = (
    "longitude", "latitude", "housing_median_age", "total_rooms", "total_bedrooms", "population", "households",
    "median_income",
)  # fmt: skip
_TRAIN_SHARE = 0.8

Arrays = tuple[numpy.ndarray, numpy.ndarray]


def load_table(name: str, split: str = "all", folder: str | os.PathLike[str] | None = None) -> Arrays:
    """Load one of the small tables that come with scikit-learn: ``iris``, ``wine``, ``breast-cancer``.

    Parameters
    ----------
    name : str
    split : {"all", "train", "test"}
        All rows in their order; or four fifths and one fifth, drawn by class with seed 0.
    folder : path, optional
        The folder with the file. When not given: the usual ones, and that of an installed scikit-learn.

    Returns
    -------
    (features, labels) : (ndarray of float32, ndarray of int64)

    Raises
    ------
    MissingDataError
        When the file is missing.
    DataError
        When it is damaged.
    """
    (file,) = KNOWN[name].files
    path = find_file(f"load({name!r})", name, file, folder, tuple(scikit_learn_folder()))
    return split_arrays(*_read(path), split, by_label=True)


def _read(path: Path) -> Arrays:
    """Read a file whose first row says how many rows and columns follow."""
    try:
        with open(path, encoding="utf-8") as lines:
            rows, columns = (int(field) for field in lines.readline().split(",")[:2])
            values = numpy.array([[float(field) for field in line.split(",")] for line in lines if line.strip()])
        if values.shape != (rows, columns + 1):
            raise ValueError(f"expected {rows} rows of {columns + 1} numbers, found shape {values.shape}")
    except ValueError as error:
        raise DataError(f"{str(path)!r} is not the table that it should be: {error}") from error
    return values[:, :-1].astype(numpy.float32), values[:, -1].astype(numpy.int64)


def load_california_housing(split: str = "all", folder: str | os.PathLike[str] | None = None) -> Arrays:
    """Load the houses of California: 20,640 districts of the census of 1990.

    Parameters
    ----------
    split : {"all", "train", "test"}
        All rows in their order; or four fifths and one fifth, drawn with seed 0.
    folder : path, optional
        The folder with the file ``california_housing.csv`` (or ``housing.csv``).

    Returns
    -------
    (features, values) : (ndarray of float32, ndarray of float32)
        Eight numbers (longitude, latitude, age, rooms, bedrooms, people, households, income), then one column for each
        of `OCEAN_PROXIMITY` with 1 or 0. Of 207 districts the bedrooms are missing: NaN. Values are in dollars.

    Shape
    -----
    (N, 13), (N,)
    """
    (file,) = KNOWN["california-housing"].files
    path = find_file("load('california-housing')", "california-housing", file, folder)
    table: Any = read_csv(path, types={name: float for name in (*_NUMBERS, "median_house_value")}).arrays
    places = numpy.asarray(table["ocean_proximity"])
    strange = sorted(set(places.tolist()) - set(OCEAN_PROXIMITY))
    if strange:
        raise DataError(
            f"{str(path)!r}: ocean_proximity must be one of {', '.join(OCEAN_PROXIMITY)}; found {strange[0]!r}"
        )
    near = [(places == place).astype(numpy.float32) for place in OCEAN_PROXIMITY]
    features = numpy.stack([*(table[name] for name in _NUMBERS), *near], axis=1).astype(numpy.float32)
    return split_arrays(features, table["median_house_value"].astype(numpy.float32), split, by_label=False)


def split_arrays(inputs: Any, targets: numpy.ndarray, split: str, by_label: bool) -> Any:
    """Return all samples, or a fixed part of them."""
    if split == "all":
        return inputs, targets
    parts = split_indices(len(targets), _TRAIN_SHARE, seed=0, stratify=targets if by_label else None)
    chosen = parts[0] if split == "train" else parts[1]
    if isinstance(inputs, list):
        return [inputs[index] for index in chosen.tolist()], targets[chosen]
    return inputs[chosen], targets[chosen]
