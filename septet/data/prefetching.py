"""Read ahead in one thread: what a stream gives next is made while the consumer works."""

from __future__ import annotations

import sys
import threading
import traceback
from collections import deque
from typing import Any

from septet.base.errors import WorkerError
from septet.data.stage import Cursor, Item, Stage, Unmoving, Value, positive
from septet.data.tasks import PATIENCE

__all__ = ["Prefetch"]

_FAREWELL = 1.0  # seconds that closing waits for the thread; it is left alone after them


class Prefetch(Unmoving):
    """Values of the stage below, made by a thread that is some values ahead.

    Unlike `Parallel`, the thread also does what stages below must do in order: filter, read, cut batches up.

    Parameters
    ----------
    inner : Stage
    count : int
        How many values may wait for the consumer.
    timeout : float
        Seconds until a value that does not come is an error.
    """

    name = "prefetch"

    def __init__(self, inner: Stage, count: int = 2, timeout: float = PATIENCE) -> None:
        super().__init__(inner)
        self.count, self.timeout = positive("prefetch", "count", count), timeout

    def start(self, epoch: int, state: Any) -> PrefetchCursor:
        """Begin below."""
        return PrefetchCursor(self, self.inner.open(epoch, state))


class PrefetchCursor(Cursor):
    """The thread, and the values that wait."""

    def __init__(self, stage: Prefetch, cursor: Cursor) -> None:
        self.stage, self.cursor = stage, cursor
        self.interval = stage.state_interval
        self.given = 0
        self.states: deque[tuple[int, Any]] = deque([(0, cursor.state())])
        self.ready: deque[tuple[Item | None, BaseException | None]] = deque()
        self.changed = threading.Condition()
        self.is_closed = False
        self.failure: BaseException | None = None
        self.has_ended = False
        self.thread: threading.Thread | None = None

    def _run(self) -> None:
        """Fill `ready` up until the end, an error, or the closing of the consumer."""
        drawn, inner = 0, self.stage.inner
        is_over = False
        while not is_over:
            item, error, state = None, None, None
            try:
                below = next(self.cursor, None)
                if below is not None:
                    item = Item(Value(inner.finish(below), inner.origin(below)), below.key)
                    drawn += 1
                    if drawn % self.interval == 0:
                        state = (drawn, self.cursor.state())
            except BaseException as problem:
                error = problem
            is_over = item is None
            with self.changed:
                while len(self.ready) >= self.stage.count and not self.is_closed:
                    self.changed.wait()
                if self.is_closed:
                    break
                if state is not None:
                    self.states.append(state)
                self.ready.append((item, error))
                self.changed.notify_all()
            del item, error  # values must not live on here while the thread waits
        self.cursor.close()

    def __next__(self) -> Item:
        if self.has_ended:
            raise StopIteration
        if self.thread is None:
            self.thread = threading.Thread(target=self._run, name="septet-data-prefetch", daemon=True)
            self.thread.start()
        with self.changed:
            if not self.ready and not self.changed.wait_for(lambda: self.ready, self.stage.timeout):
                raise self._frozen()
            item, error = self.ready.popleft()
            self.changed.notify_all()
            if item is not None:
                self.given += 1
                while len(self.states) > 1 and self.states[1][0] <= self.given:
                    self.states.popleft()
        if error is not None:
            self.has_ended = True
            raise error
        if item is None:
            self.has_ended = True
            raise StopIteration
        return item

    def _frozen(self) -> WorkerError:
        assert self.thread is not None
        frame = sys._current_frames().get(self.thread.ident or 0)
        stack = "" if frame is None else ", which is at\n" + "".join(traceback.format_stack(frame))
        return WorkerError(
            f"value number {self.given} of the epoch was not ready after {self.stage.timeout:g} s: it comes from "
            f"a thread that reads ahead{stack}",
            hint="a longer timeout=... where values take that long",
        )

    def state(self) -> Any:
        """Return the state below after the last value that was given out."""
        with self.changed:
            number, state = self.states[0]
            return self.stage.inner.later(state, self.given - number)

    def skip(self, count: int) -> None:
        """Skip below, before the thread has begun."""
        if self.thread is not None or self.has_ended:
            super().skip(count)
            return
        self.cursor.skip(count)
        self.states = deque([(self.given, self.cursor.state())])

    def close(self) -> None:
        """End the thread."""
        with self.changed:
            self.is_closed = True
            self.ready.clear()
            self.changed.notify_all()
        if self.thread is None:
            self.cursor.close()
        elif self.thread is not threading.current_thread():
            self.thread.join(_FAREWELL)
