"""Rows of a database: SQLite, or anything with Python's database interface (DB-API 2.0)."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from septet.base.errors import ArgumentError, DataError, MissingDataError
from septet.data.stage import Cursor, Item, Stage, Value
from septet.data.stream import Stream

__all__ = ["sql_rows"]

_AT_A_TIME = 1000  # rows that are fetched together


class _Query(Stage):
    name = "sql_rows"

    def __init__(self, connect: Callable[[], Any], query: str, parameters: Any) -> None:
        super().__init__()
        self.connect, self.query, self.parameters = connect, query, parameters

    def start(self, epoch: int, state: Any) -> _QueryCursor:
        cursor = _QueryCursor(self, epoch)
        cursor.skip(state or 0)
        return cursor

    def where(self, origin: int) -> str:
        return f"row {origin} of {self.query!r}"

    def describe(self) -> dict[str, Any]:
        return {"stage": self.name, "query": self.query}


class _QueryCursor(Cursor):
    def __init__(self, stage: _Query, epoch: int) -> None:
        self.epoch, self.number = epoch, 0
        self.connection = stage.connect()
        try:
            self.cursor = self.connection.cursor()
            self.cursor.execute(stage.query, stage.parameters)
        except Exception as error:
            self.connection.close()
            raise DataError(f"sql_rows: the query {stage.query!r} failed: {error}") from error
        if self.cursor.description is None:
            self.connection.close()
            raise ArgumentError(f"sql_rows: the query {stage.query!r} gives no rows")
        self.names = [column[0] for column in self.cursor.description]
        self.stage = stage
        self.rows: list[Any] = []

    def _fetch(self) -> None:
        try:
            self.rows = list(self.cursor.fetchmany(_AT_A_TIME))[::-1]
        except Exception as error:
            raise DataError(
                f"sql_rows: reading after row {self.number} of {self.stage.query!r} failed: {error}"
            ) from error

    def __next__(self) -> Item:
        if not self.rows:
            self._fetch()
            if not self.rows:
                raise StopIteration
        row = self.rows.pop()
        self.number += 1
        value = Value(dict(zip(self.names, row)), self.number - 1)
        return Item(value, (self.epoch, self.number - 1))

    def state(self) -> int:
        return self.number

    def close(self) -> None:
        self.connection.close()


def sql_rows(
    database: str | os.PathLike[str] | Callable[[], Any], query: str, parameters: Sequence[Any] | dict[str, Any] = ()
) -> Stream:
    """Stream the rows that a query gives, each as a dict by the names of columns.

    A stream is taken up again by passing over rows, so the query must give them in the same order each time (ORDER BY),
    and the table must not have changed.

    Parameters
    ----------
    database : path or callable
        An SQLite file, which is opened for reading only; or a function that returns a new connection (DB-API 2.0).
        It is called in the thread that reads, once for each epoch.
    query : str
    parameters : sequence or dict
        The values of the query's parameters, in the style of the database's module.

    Returns
    -------
    Stream of dict

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When the database refuses the query, or is damaged.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "some.db"
    >>> with sqlite3.connect(path) as connection:
    ...     _ = connection.execute("CREATE TABLE points (x REAL, label INTEGER)")
    ...     _ = connection.execute("INSERT INTO points VALUES (0.5, 1), (1.5, 0)")
    >>> list(sql_rows(path, "SELECT x, label FROM points WHERE x < ? ORDER BY x", [1]))
    [{'x': 0.5, 'label': 1}]
    """
    if callable(database):
        return Stream(_Query(database, query, parameters))
    path = os.path.abspath(os.path.expanduser(os.fspath(database)))
    if not os.path.isfile(path):
        raise MissingDataError(f"sql_rows: there is no file {path!r}")
    return Stream(_Query(partial(_open_sqlite, path), query, parameters))


def _open_sqlite(path: str) -> sqlite3.Connection:
    address = "file:" + path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    # a stream may be closed by another thread than the one that read it
    return sqlite3.connect(f"{address}?mode=ro", uri=True, check_same_thread=False)
