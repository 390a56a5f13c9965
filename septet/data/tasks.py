"""A task: one item that a worker makes the value of."""

from __future__ import annotations

import threading
from typing import Any

from septet.data.stage import Item

__all__ = ["PATIENCE", "Task"]

PATIENCE = 120.0
"""Seconds after which a sample that is not ready is an error, where nobody says anything else."""


class Task:
    """An item on its way.

    Attributes
    ----------
    done : Lock
        Held until the worker has set `value` or `error`.
    worker : int or None
        Who works on it: the thread's identity or the number of the process.
    started : float
        When, by `time.monotonic`; 0 before.
    """

    __slots__ = ("done", "error", "is_cancelled", "item", "started", "value", "worker")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.value: Any = None
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()
        self.worker: int | None = None
        self.started = 0.0
        self.is_cancelled = False
