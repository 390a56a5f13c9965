"""Files that stay open while samples are read from them, in one thread at a time."""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["Opened"]


class Opened:
    """A data set with a file that is opened when it is needed, in each process anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: Any = None

    def close(self) -> None:
        """Close the file; it is opened again when a sample is asked for."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())
