"""Python's collector of garbage: it has nothing to find while modules are imported, and looks often.

Importing makes tens of thousands of objects, and none of them is garbage. The collector counts what is new, and goes
through all objects of the process again and again: a quarter of the time of the first compiled step was that.
"""

from __future__ import annotations

import gc
import threading


class _Paused:
    """No collecting, as a ``with`` block; blocks nest, also those of different threads.

    Afterwards everything that there is counts as old, as if it had been looked at: young garbage is found as soon as
    ever, and cycles that died meanwhile are found when all objects are looked at next.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._was_on = False

    def __enter__(self) -> None:
        with self._lock:
            if not self._depth:
                self._was_on = gc.isenabled()
                gc.disable()
            self._depth += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth or not self._was_on:
                return
            if not gc.get_freeze_count():  # what a user has frozen stays frozen
                gc.freeze()
                gc.unfreeze()
            gc.enable()


paused = _Paused()
