"""HDF5 files: their data sets, as samples by numbers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy

from septet.base.errors import ArgumentError, DataError, IndexOutOfRangeError
from septet.base.text import did_you_mean
from septet.data.sources.extras import needs
from septet.data.sources.opened import Opened
from septet.data.sources.records import expand

__all__ = ["HDF5Dataset"]


class HDF5Dataset(Opened):
    """Data sets of an HDF5 file that have equally many rows. What is asked for is read, and nothing else.

    Parameters
    ----------
    path : path
    names : sequence of str, optional
        The data sets, by their names in the file (``"images"``, ``"train/labels"``). All at the top level when not
        given.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When it is no HDF5 file, or damaged, or its data sets differ in length.
    ArgumentError
        When there is no data set of a name.
    NotSupportedError
        When h5py is not installed.

    Examples
    --------
    >>> import h5py, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "some.h5"
    >>> with h5py.File(path, "w") as file:
    ...     file["x"], file["y"] = numpy.zeros((4, 3)), numpy.arange(4)
    >>> samples = HDF5Dataset(path)
    >>> len(samples), samples[2]["y"].tolist(), samples.take([3, 0])["y"].tolist()
    (4, 2, [3, 0])
    """

    def __init__(self, path: str | os.PathLike[str], names: Sequence[str] | None = None) -> None:
        (self.path,) = expand("HDF5Dataset", path)
        super().__init__()
        file = self._open()
        with needs("h5py", "reading HDF5 files"):
            import h5py
        found = [name for name, part in file.items() if isinstance(part, h5py.Dataset)]
        self.names = tuple(found if names is None else names)
        if not self.names:
            raise DataError(
                f"HDF5Dataset: {self.path!r} has no data set at its top level: {', '.join(file) or 'empty'}"
            )
        for name in self.names:
            if name not in file or not isinstance(file[name], h5py.Dataset):
                raise ArgumentError(
                    f"HDF5Dataset: {self.path!r} has no data set {name!r}; it has {', '.join(found)}."
                    f"{did_you_mean(name, found)}"
                )
        lengths = {name: file[name].shape[0] if file[name].shape else None for name in self.names}
        if len(set(lengths.values())) > 1 or None in lengths.values():
            raise DataError(
                f"HDF5Dataset: {self.path!r}: data sets must have the same number of rows; "
                + ", ".join(f"{name!r} has shape {file[name].shape}" for name in self.names)
            )
        self._length = int(next(iter(lengths.values())) or 0)
        self.close()

    def _open(self) -> Any:
        with needs("h5py", "reading HDF5 files"):
            import h5py
        if self._file is None:
            try:
                self._file = h5py.File(self.path, "r")
            except OSError as error:
                raise DataError(f"HDF5Dataset: {self.path!r}: no HDF5 file, or a damaged one: {error}") from error
        return self._file

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return one sample: a dict by the names of the data sets."""
        if not -len(self) <= index < len(self):
            raise IndexOutOfRangeError(f"HDF5Dataset: index {index} is out of range for {len(self)} samples")
        return {name: numpy.asarray(part) for name, part in self._rows(int(index) % len(self)).items()}

    def take(self, indices: Any) -> dict[str, numpy.ndarray]:
        """Return samples as a batch, in any order, repeats allowed."""
        chosen = numpy.asarray(indices, dtype=numpy.int64)
        if chosen.size and not (-len(self) <= chosen.min() and chosen.max() < len(self)):
            raise IndexOutOfRangeError(f"HDF5Dataset: an index is out of range for {len(self)} samples")
        rows, places = numpy.unique(chosen % len(self), return_inverse=True)  # h5py reads ascending rows only
        is_run = len(rows) > 0 and rows[-1] - rows[0] == len(rows) - 1
        found = self._rows(slice(int(rows[0]), int(rows[-1]) + 1) if is_run else rows)
        is_ascending = len(rows) == len(chosen) and bool((places[1:] > places[:-1]).all())
        return found if is_ascending else {name: part[places] for name, part in found.items()}

    def _rows(self, key: Any) -> dict[str, Any]:
        with self._lock:
            file = self._open()
            try:
                return {name: file[name][key] for name in self.names}
            except OSError as error:
                raise DataError(f"HDF5Dataset: {self.path!r}: reading {key!r} failed: {error}") from error

    def where(self, index: int) -> str:
        """Name a sample in errors."""
        return f"{self.path!r}, row {index}"

    def __repr__(self) -> str:
        return f"HDF5Dataset({len(self)} samples of {', '.join(self.names)} in {self.path!r})"
