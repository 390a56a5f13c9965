"""Tables in text files: comma-separated values, and their kin with other delimiters."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy

from septet.base.errors import ArgumentError, DataError
from septet.base.text import did_you_mean
from septet.data.arrays import ArrayDataset
from septet.data.sources.records import Paths, Records, open_binary
from septet.data.stream import Stream

__all__ = ["csv_rows", "read_csv"]

BLANKS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
"""Texts that mean that there is no value."""
_LOOKED_AT = 1000  # rows from which the types of columns are told, where they are not given

Kind = Callable[[str], Any]


def _boolean(text: str) -> bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    raise ValueError("neither true nor false")


_KINDS: dict[type, Kind] = {int: int, float: float, str: str, bool: _boolean}


class _Rows(Records):
    name = "csv_rows"

    def __init__(
        self, paths: Paths, header: bool | Sequence[str], delimiter: str, types: Mapping[str, type] | type | None,
        columns: Sequence[str] | None, blanks: Sequence[str], encoding: str, shuffle_files: bool, seed: int,
    ) -> None:  # fmt: skip
        super().__init__(paths, shuffle_files, seed)
        if not isinstance(delimiter, str) or len(delimiter) != 1:
            raise ArgumentError(f"{self.name}: delimiter must be one character, received {delimiter!r}")
        self.header, self.delimiter, self.encoding = header, delimiter, encoding
        self.blanks = frozenset(blanks)
        self.names = self._names()
        self.columns = list(self.names if columns is None else columns)
        for name in [*self.columns, *(types if isinstance(types, Mapping) else ())]:
            if name not in self.names:
                raise ArgumentError(
                    f"{self.name}: there is no column {name!r} in {self.files[0]!r}; it has {', '.join(self.names)}."
                    f"{did_you_mean(name, self.names)}"
                )
        self.types = self._types(types)

    def _names(self) -> list[str]:
        first = next(self._raw(self.files[0], 0), None)
        if first is None:
            raise DataError(f"{self.name}: {self.files[0]!r} is empty")
        if self.header is True:
            names = [field.strip() for field in first[0]]
        elif self.header is False:
            names = [str(number) for number in range(len(first[0]))]
        else:
            names = list(self.header)
        if len(set(names)) < len(names):
            raise DataError(f"{self.name}: {self.files[0]!r}: two columns have the same name: {', '.join(names)}")
        return names

    def _types(self, types: Mapping[str, type] | type | None) -> dict[str, type]:
        given = dict.fromkeys(self.columns, types) if isinstance(types, type) else dict(types or {})
        for name, kind in given.items():
            if kind not in _KINDS:
                raise ArgumentError(f"{self.name}: column {name!r}: types are int, float, str, bool; received {kind!r}")
        unknown = [name for name in self.columns if name not in given]
        if not unknown:
            return given
        places = {name: self.names.index(name) for name in unknown}
        texts: dict[str, list[str]] = {name: [] for name in unknown}
        has_blank = dict.fromkeys(unknown, False)
        for number, (row, _, _) in enumerate(self._body(self.files[0], None)):
            if number == _LOOKED_AT:
                break
            for name, place in places.items():
                if row[place] in self.blanks:
                    has_blank[name] = True
                else:
                    texts[name].append(row[place])
        return given | {name: _guess(texts[name], has_blank[name]) for name in unknown}

    def _raw(self, path: str, offset: int) -> Iterator[tuple[list[str], int, int]]:
        """Give the fields of each row, with the offsets of its beginning and of the next row."""
        with open_binary(path) as file:
            file.seek(offset)
            position = start = offset

            def lines() -> Iterator[str]:
                nonlocal position
                for line in iter(file.readline, b""):
                    try:
                        text = line.decode(self.encoding)
                    except UnicodeDecodeError as error:
                        raise DataError(
                            f"{self.name}: {path!r}, byte {position + error.start}: not {self.encoding} "
                            f"({error.reason})"
                        ) from error
                    position += len(line)
                    yield text.removeprefix("\ufeff") if position == len(line) else text

            reader = csv.reader(lines(), delimiter=self.delimiter, strict=True)
            while True:
                try:
                    row = next(reader, None)
                except csv.Error as error:
                    raise DataError(f"{self.name}: {path!r}, byte {start}: {error}") from error
                if row is None:
                    return
                if row:  # a blank line is no row
                    yield row, start, position
                start = position

    def _body(self, path: str, place: int | None) -> Iterator[tuple[list[str], int, int]]:
        is_header = self.header is True and place is None
        for row, start, following in self._raw(path, place or 0):
            if is_header:
                if [field.strip() for field in row] != self.names:
                    raise DataError(
                        f"{self.name}: {path!r} has the columns {', '.join(row)}, but {self.files[0]!r} has "
                        f"{', '.join(self.names)}"
                    )
                is_header = False
                continue
            if len(row) != len(self.names):
                raise DataError(
                    f"{self.name}: {path!r}, byte {start}: expected {len(self.names)} fields, found {len(row)}: "
                    f"{self.delimiter.join(row)[:80]!r}",
                    hint=f"another delimiter=... than {self.delimiter!r} may fit",
                )
            yield row, start, following

    def read(self, path: str, place: Any) -> Iterator[tuple[tuple[list[str], str, int], int]]:
        for row, start, following in self._body(path, place):
            yield (row, path, start), following

    def decode(self, record: tuple[list[str], str, int]) -> dict[str, Any]:
        row, path, start = record
        fields = dict(zip(self.names, row))
        return {name: self._value(name, fields[name], path, start) for name in self.columns}

    def _value(self, name: str, text: str, path: str, start: int) -> Any:
        kind = self.types[name]
        if kind is str:
            return text
        if text in self.blanks:
            if kind is float:
                return math.nan
            raise DataError(
                f"{self.name}: {path!r}, byte {start}: column {name!r} has no value here, and {kind.__name__} has none "
                "for that",
                hint=f"types={{{name!r}: float}} makes it NaN",
            )
        try:
            return _KINDS[kind](text)
        except ValueError:
            raise DataError(
                f"{self.name}: {path!r}, byte {start}: column {name!r}: {text!r} is no {kind.__name__}",
                hint=f"types={{{name!r}: ...}} sets the type, blanks=... what means that a value is missing; types "
                f"that are not given are told from the first {_LOOKED_AT} rows",
            ) from None


class _Table(_Rows):
    name = "read_csv"


def csv_rows(
    paths: Paths, *, header: bool | Sequence[str] = True, delimiter: str = ",",
    types: Mapping[str, type] | type | None = None, columns: Sequence[str] | None = None,
    blanks: Sequence[str] = BLANKS, encoding: str = "utf-8", shuffle_files: bool = False, seed: int = 0,
) -> Stream:  # fmt: skip
    """Stream the rows of tables in text files, each as a dict by the names of columns.

    Parameters
    ----------
    paths : path or sequence of paths
        Plain or gzip; patterns such as ``"part-*.csv"``. All have the same columns.
    header : bool or sequence of str
        Whether the first row of each file holds names; or the names, where it does not. Without names, columns are
        called ``"0"``, ``"1"`` ...
    delimiter : str
        One character.
    types : type or mapping of str to type, optional
        int, float, str or bool, for all columns or for some; others are told from the first rows.
    columns : sequence of str, optional
        The columns to give, in this order; all when not given.
    blanks : sequence of str
        Texts that mean that there is no value: NaN in columns of floats, an error in those of int and bool.
    encoding, shuffle_files, seed
        As for `text_lines`.

    Returns
    -------
    Stream of dict

    Raises
    ------
    MissingDataError
        When a file is missing.
    DataError
        When a row has another number of fields, or a text is no value of its column's type; with file and offset.

    Source
    ------
    RFC 4180, with Python's module ``csv``: fields may be quoted, with delimiters and line ends in them.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "people.csv"
    >>> count = path.write_text("name,age\\nAda,36\\nAlan,\\n")
    >>> list(csv_rows(path))
    [{'name': 'Ada', 'age': 36.0}, {'name': 'Alan', 'age': nan}]
    """
    return Stream(_Rows(paths, header, delimiter, types, columns, blanks, encoding, shuffle_files, seed))


def read_csv(
    paths: Paths, *, header: bool | Sequence[str] = True, delimiter: str = ",",
    types: Mapping[str, type] | type | None = None, columns: Sequence[str] | None = None,
    blanks: Sequence[str] = BLANKS, encoding: str = "utf-8",
) -> ArrayDataset:  # fmt: skip
    """Read tables in text files as a data set of one array for each column.

    Parameters
    ----------
    paths, header, delimiter, types, columns, blanks, encoding
        As for `csv_rows`.

    Returns
    -------
    ArrayDataset
        With the names of the columns; int64, float64, bool and texts.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "points.csv"
    >>> count = path.write_text("x;y\\n1;2.5\\n3;4\\n")
    >>> read_csv(path, delimiter=";").arrays
    {'x': array([1, 3]), 'y': array([2.5, 4. ])}
    """
    table = _Table(paths, header, delimiter, types, columns, blanks, encoding, False, 0)
    values: dict[str, list[Any]] = {name: [] for name in table.columns}
    for row in Stream(table):
        for name, value in row.items():
            values[name].append(value)
    dtypes: dict[type, Any] = {int: numpy.int64, float: numpy.float64, bool: numpy.bool_, str: None}
    try:
        arrays = [numpy.array(values[name], dtype=dtypes[table.types[name]]) for name in table.columns]
    except OverflowError as error:
        raise DataError(
            f"read_csv: {table.files[0]!r}: an integer does not fit into 64 bits",
            hint="types={...: float} or str for its column",
        ) from error
    return ArrayDataset(*arrays, names=table.columns)


def _guess(texts: list[str], has_blank: bool) -> type:
    """Return the narrowest type that fits all texts."""
    for kind in (bool, int, float) if texts else ():
        try:
            for text in texts:
                _KINDS[kind](text)
        except ValueError:
            continue
        return float if has_blank and kind is int else str if has_blank and kind is bool else kind
    return str if texts else float
