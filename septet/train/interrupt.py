"""Ctrl-C while training: the first ends the training after the batch under way, the second at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["Interrupt"]


class Interrupt:
    """A context in which the first Ctrl-C only sets a flag, so that no step is left half done.

    Outside the main thread, which alone receives signals, it changes nothing.

    Attributes
    ----------
    is_set : bool
        Whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.is_set = False
        self._before: Any = None
        self._is_active = False

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
            self._is_active = True
        return self

    def __exit__(self, *error: object) -> None:
        if self._is_active:
            signal.signal(signal.SIGINT, self._before)
            self._is_active = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.is_set:
            raise KeyboardInterrupt
        self.is_set = True
