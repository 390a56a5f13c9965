"""How benchmarks of single calls take time."""

from __future__ import annotations

import time
from collections.abc import Callable

LEAST_SECONDS = 0.05  # of a measurement: short ones are repeated


def timed(call: Callable[[], object], threads: int) -> float:
    """Return the seconds of one call, repeated until they can be measured."""
    clock = time.process_time if threads == 1 else time.perf_counter
    count = 1
    while True:
        start = clock()
        for _ in range(count):
            call()
        seconds = clock() - start
        if seconds >= LEAST_SECONDS:
            return seconds / count
        count = max(count + 1, int(1.2 * count * LEAST_SECONDS / max(seconds, 1e-6)))
