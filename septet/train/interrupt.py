"""Ctrl-C while training: the first ends it after the epoch, the second after the batch, the third at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["Interrupt"]

NUMBERS = {signal.SIGINT: 1, signal.SIGTERM: 2}
"""How much more urgent a signal makes it: who sends SIGTERM (batch systems do, before they kill) will not wait long."""


class Interrupt:
    """A context in which the first two Ctrl-C only count, so that no step is left half done.

    Outside the main thread, which alone receives signals, it changes nothing.

    Attributes
    ----------
    level : int
        0: go on; 1: end after this epoch; 2: end after this batch.
    """

    def __init__(self) -> None:
        self.level = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in NUMBERS:
                before = signal.getsignal(number)
                if before is not None and not (number == signal.SIGTERM and before is not signal.SIG_DFL):
                    self._before[number] = before  # a program's own way with SIGTERM is left to it
                    signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.level >= 2 and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.level = min(self.level + NUMBERS[signal.Signals(number)], 2)
