"""Tables of Apache Arrow, and files of them: Arrow (Feather) by numbers of rows, Parquet as a stream."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy

from septet.base.errors import ArgumentError, DataError, IndexOutOfRangeError
from septet.base.text import did_you_mean
from septet.data.sources.extras import needs
from septet.data.sources.records import Paths, Records, expand
from septet.data.stream import Stream

__all__ = ["ArrowDataset", "parquet_rows"]


class ArrowDataset:
    """The rows of an Arrow table, by their numbers.

    Parameters
    ----------
    source : path or pyarrow.Table
        An Arrow file (``.arrow``, ``.feather``: the IPC format), which is mapped into memory and read where rows are
        asked for; or a Parquet file, which is read whole: for large ones see `parquet_rows`.
    columns : sequence of str, optional
        The columns to give; all when not given.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When it is no such file, or damaged.
    NotSupportedError
        When pyarrow is not installed.

    Examples
    --------
    >>> import pyarrow
    >>> rows = ArrowDataset(pyarrow.table({"x": [0.5, 1.5], "name": ["a", "b"]}))
    >>> rows[1], rows.take([1, 0])
    ({'x': 1.5, 'name': 'b'}, {'x': array([1.5, 0.5]), 'name': ['b', 'a']})
    """

    def __init__(self, source: Any, columns: Sequence[str] | None = None) -> None:
        with needs("pyarrow", "reading Arrow tables"):
            import pyarrow
        self.path = ""
        self._columns = columns
        if isinstance(source, pyarrow.Table):
            table = source
        else:
            (self.path,) = expand("ArrowDataset", source)
            table = _read_table(self.path)
        self._table = _chosen(table, columns, "ArrowDataset", self.path)
        self.names = tuple(self._table.column_names)

    def __len__(self) -> int:
        return self._table.num_rows

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return one row: a dict by the names of columns."""
        if not -len(self) <= index < len(self):
            raise IndexOutOfRangeError(f"ArrowDataset: index {index} is out of range for {len(self)} rows")
        index = int(index) % len(self)
        return {name: _scalar(column[index]) for name, column in zip(self.names, self._table.columns)}

    def take(self, indices: Any) -> dict[str, Any]:
        """Return rows as a batch: arrays for numbers, lists for texts and the rest."""
        chosen = numpy.asarray(indices, dtype=numpy.int64)
        if chosen.size and not (-len(self) <= chosen.min() and chosen.max() < len(self)):
            raise IndexOutOfRangeError(f"ArrowDataset: an index is out of range for {len(self)} rows")
        taken = self._table.take(chosen % max(len(self), 1))
        return {name: _array(column) for name, column in zip(self.names, taken.columns)}

    def where(self, index: int) -> str:
        """Name a row in errors."""
        return f"{self.path!r}, row {index}" if self.path else f"row {index} of a table"

    def __repr__(self) -> str:
        return f"ArrowDataset({len(self)} rows of {', '.join(self.names)}{f' in {self.path!r}' if self.path else ''})"

    def __getstate__(self) -> dict[str, Any]:
        # a file is mapped again where the data set arrives; a table in memory travels
        return {**self.__dict__, "_table": None} if self.path else self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._table is None:
            self._table = _chosen(_read_table(self.path), self._columns, "ArrowDataset", self.path)


class _ParquetRows(Records):
    name = "parquet_rows"

    def __init__(self, paths: Paths, columns: Sequence[str] | None, shuffle_files: bool, seed: int) -> None:
        super().__init__(paths, shuffle_files, seed)
        self.columns = columns
        lengths = []
        for path in self.files:
            file = _open_parquet(path)
            if columns is not None:
                _chosen(file.schema_arrow, columns, self.name, path)
            lengths.append(file.metadata.num_rows)
        self.total = sum(lengths)

    @property
    def length(self) -> int:
        """The number of rows, from the ends of the files."""
        return self.total

    def read(self, path: str, place: Any) -> Iterator[tuple[Any, list[int]]]:
        with needs("pyarrow", "reading Parquet files"):
            import pyarrow
        group, row = place or (0, 0)
        file = _open_parquet(path)
        with file:
            while group < file.num_row_groups:
                try:
                    table = file.read_row_group(group, columns=self.columns)
                except (pyarrow.ArrowException, OSError, ValueError) as error:
                    raise DataError(f"parquet_rows: {path!r}, row group {group}: {str(error).strip()}") from error
                columns = [column.combine_chunks() for column in table.columns]
                for number in range(row, table.num_rows):
                    after = [group, number + 1] if number + 1 < table.num_rows else [group + 1, 0]
                    yield {name: _scalar(column[number]) for name, column in zip(table.column_names, columns)}, after
                group, row = group + 1, 0


def parquet_rows(
    paths: Paths, *, columns: Sequence[str] | None = None, shuffle_files: bool = False, seed: int = 0
) -> Stream:
    """Stream the rows of Parquet files, each as a dict by the names of columns; one row group is in memory at a time.

    Parameters
    ----------
    paths : path or sequence of paths
        Patterns such as ``"part-*.parquet"``, too.
    columns : sequence of str, optional
        The columns to read; all when not given.
    shuffle_files, seed
        As for `text_lines`.

    Returns
    -------
    Stream of dict

    Raises
    ------
    MissingDataError
        When a file is missing.
    DataError
        When it is no Parquet file, or damaged; with the row group.
    NotSupportedError
        When pyarrow is not installed.

    Examples
    --------
    >>> import pathlib, tempfile, pyarrow, pyarrow.parquet
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "some.parquet"
    >>> pyarrow.parquet.write_table(pyarrow.table({"x": [1, 2], "name": ["a", "b"]}), path)
    >>> list(parquet_rows(path, columns=["name"]))
    [{'name': 'a'}, {'name': 'b'}]
    """
    return Stream(_ParquetRows(paths, columns, shuffle_files, seed))


def _read_table(path: str) -> Any:
    with needs("pyarrow", "reading Arrow files"):
        import pyarrow
    with open(path, "rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    if is_parquet:
        with _open_parquet(path) as file:
            try:
                return file.read()
            except (pyarrow.ArrowException, OSError, ValueError) as error:
                raise DataError(f"ArrowDataset: {path!r}: {str(error).strip()}") from error
    try:
        source = pyarrow.memory_map(path)
        try:
            return pyarrow.ipc.open_file(source).read_all()
        except pyarrow.ArrowInvalid:
            source.seek(0)
            return pyarrow.ipc.open_stream(source).read_all()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"ArrowDataset: {path!r}: neither an Arrow file nor a Parquet file, or a damaged one: {str(error).strip()}"
        ) from error


def _open_parquet(path: str) -> Any:
    with needs("pyarrow", "reading Parquet files"):
        import pyarrow
        import pyarrow.parquet
    try:
        return pyarrow.parquet.ParquetFile(path, memory_map=False)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        size = os.path.getsize(path)
        raise DataError(
            f"parquet_rows: {path!r}, at the end of its {size} bytes: no Parquet file, or a truncated one: "
            f"{str(error).strip()}"
        ) from error


def _chosen(table: Any, columns: Sequence[str] | None, function: str, path: str) -> Any:
    names = table.names if hasattr(table, "names") else table.column_names
    for name in columns or ():
        if name not in names:
            raise ArgumentError(
                f"{function}: there is no column {name!r}{f' in {path!r}' if path else ''}; there are "
                f"{', '.join(names)}.{did_you_mean(name, names)}"
            )
    return table if columns is None or not hasattr(table, "select") else table.select(list(columns))


def _scalar(value: Any) -> Any:
    """Return a cell: a Python value, an array for a list of numbers."""
    found = value.as_py()
    if isinstance(found, list) and found and all(isinstance(part, int | float) for part in found):
        return numpy.asarray(found)
    return found


def _array(column: Any) -> Any:
    """Return a column: an array for numbers without gaps, else a list."""
    kind = column.type
    is_number = str(kind).startswith(("int", "uint", "float", "double", "halffloat", "bool"))
    if is_number and (column.null_count == 0 or str(kind).startswith(("float", "double", "halffloat"))):
        return column.to_numpy()
    return [_scalar(value) for value in column]
