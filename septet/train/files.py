"""The log in files: JSON lines, a table, and the weights of the best epoch."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from septet.base.files import open_atomic
from septet.io.weights import save_weights
from septet.train.extension import Best, Extension
from septet.train.log import Record, Row, to_line

if TYPE_CHECKING:
    from septet.train.loop import Loop


class JsonLines(Extension):
    """Write the log to a file, a line of JSON for each record, as it happens.

    A training that goes on from a checkpoint cuts off what came after it, which will come again.

    Parameters
    ----------
    path : str or path
        A file that is there is replaced, unless the training goes on.
    """

    turn = -100  # before whoever writes to the log, and after checkpoints were read

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: BinaryIO | None = None
        self._length = 0

    def on_record(self, loop: Loop, record: Record) -> None:
        if self._file is None:
            self._open(loop, record)
        assert self._file is not None
        line = to_line(record).encode()
        self._file.write(line)
        self._length += len(line)
        if record["event"] != "batch":  # what others read now is there
            self._file.flush()

    def on_end(self, loop: Loop) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def state(self) -> dict[str, Any]:
        if (
            self._file is not None
        ):  # what the checkpoint takes for written must be there, whatever happens to the machine
            self._file.flush()
            os.fsync(self._file.fileno())
        return {"length": self._length}

    def restore(self, loop: Loop, state: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self._length = state["length"]
        if not self.path.is_file() or self.path.stat().st_size < self._length:
            with open_atomic(self.path) as file:  # somebody has removed it: what is known of it is written again
                file.write("".join(map(to_line, loop.log.records)).encode())
                self._length = file.tell()
        self._file = open(self.path, "r+b")  # noqa: SIM115 (kept open)
        self._file.truncate(self._length)
        self._file.seek(self._length)

    def _open(self, loop: Loop, record: Record) -> None:
        """Go on in the file where the training is run again; or begin it, with what is known from a checkpoint."""
        self._file = open(self.path, "r+b" if self._length else "wb")  # noqa: SIM115 (kept open)
        self._file.seek(self._length)
        if not self._length:
            before = [each for each in loop.log.records if each is not record]
            self._length = self._file.write("".join(map(to_line, before)).encode())


class CSV(Extension):
    """Write the values of each epoch to a table with commas; it is whole at any time.

    Parameters
    ----------
    path : str or path
        A file that is there is replaced.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def on_epoch(self, loop: Loop, row: Row) -> None:
        rows = loop.log.rows()
        text = io.StringIO()
        writer = csv.DictWriter(text, dict.fromkeys(name for each in rows for name in each), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        with open_atomic(self.path) as file:
            file.write(text.getvalue().encode())


class SaveWeights(Extension):
    """Save the weights after each epoch, or only where a value improved.

    Parameters
    ----------
    path : str or path
    monitor : str, optional
        The value of a row that decides, such as "val_loss"; without it every epoch is saved.
    is_higher_better : bool, optional
        By default, whether the name ends with "accuracy".
    """

    def __init__(
        self, path: str | os.PathLike[str], monitor: str | None = None, *, is_higher_better: bool | None = None
    ) -> None:
        self.path = Path(path)
        self._best = Best("SaveWeights", monitor, is_higher_better) if monitor else None

    def on_epoch(self, loop: Loop, row: Row) -> None:
        if loop.model is not None and (self._best is None or self._best.improves(loop, row)):
            save_weights(loop.model, self.path)

    def state(self) -> dict[str, Any]:
        return {"best": None if self._best is None else self._best.value}

    def restore(self, loop: Loop, state: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        if self._best is not None and state["best"] is not None:
            self._best.value = state["best"]
