"""Work on items in parallel: in threads here, in processes with `processes`. The order stays, and nothing hangs."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import traceback
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from septet.base.errors import ArgumentError, WorkerError
from septet.base.threads import usable_cores
from septet.data.processes import ProcessPool
from septet.data.stage import Cursor, Item, Stage, Unmoving, Value, positive
from septet.data.tasks import PATIENCE, Task

__all__ = ["Parallel", "ThreadPool"]

_START = 60.0  # seconds that a worker has to begin with a task, when that is more than the time for the task
AHEAD = 2  # items that are given to each worker ahead of the consumer: one to work on, one to go on with


class Pool(Protocol):
    """What `Parallel` asks of workers."""

    pid: int
    is_broken: bool

    def submit(self, task: Task) -> None:
        """Take a task."""

    def frozen(self, task: Task) -> WorkerError:
        """Give up a task that takes too long, and the pool with it; say what it was doing."""

    def close(self) -> None:
        """End the workers."""


class ThreadPool:
    """Threads that work on tasks in the order in which they come.

    Parameters
    ----------
    stage : Stage
        Whose items the tasks are about.
    workers : int
    """

    def __init__(self, stage: Stage, workers: int) -> None:
        self.pid = os.getpid()  # threads do not survive a fork
        self.is_broken = False
        self.tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        for number in range(workers):
            # daemons: a thread that hangs must not keep the program from ending
            threading.Thread(
                target=_work_on, args=(stage, self.tasks), name=f"septet-data-{number}", daemon=True
            ).start()  # fmt: skip
        self.close: Callable[[], Any] = weakref.finalize(self, _end_threads, self.tasks, workers)

    def submit(self, task: Task) -> None:
        """Put a task at the end of the queue."""
        self.tasks.put(task)

    def frozen(self, task: Task) -> WorkerError:
        """Say where the thread is. It cannot be ended, and is left to itself."""
        self.is_broken = True
        frame = sys._current_frames().get(task.worker) if task.worker is not None else None
        if frame is None:
            return WorkerError("no thread has begun with it")
        stack = "".join(traceback.format_stack(frame))
        return WorkerError(f"a thread works on it for {time.monotonic() - task.started:.1f} s, and is at\n{stack}")


def _work_on(stage: Stage, tasks: queue.SimpleQueue[Task | None]) -> None:
    while (task := tasks.get()) is not None:
        if task.is_cancelled:
            continue
        task.worker, task.started = threading.get_ident(), time.monotonic()
        try:
            task.value = stage.finish(task.item)
        except BaseException as error:
            task.error = error
        task.done.release()
        del task  # or the last value would live on until the next task


def _end_threads(tasks: queue.SimpleQueue[Task | None], workers: int) -> None:
    for _ in range(workers):
        tasks.put(None)


class Parallel(Unmoving):
    """Items of the stage below, worked on by several workers, ahead of the consumer and given out in order.

    What runs in the workers is all work on an item that the stages below have put off: loading, maps, batches of them.
    What needs the values of several items to say what comes next (`filter`, `unbatch`, caches) runs in the consumer.

    Parameters
    ----------
    inner : Stage
    workers : int, optional
        As many as cores can be used when not given.
    processes : bool
        Processes instead of threads.
    ahead : int, optional
        How many items may be ready or worked on before the consumer asks for them.
    timeout : float
        Seconds.
    """

    name = "parallel"

    def __init__(
        self, inner: Stage, workers: int | None = None, processes: bool = False, ahead: int | None = None,
        timeout: float = PATIENCE,
    ) -> None:  # fmt: skip
        super().__init__(inner)
        self.workers = usable_cores() if workers is None else positive("parallel", "workers", workers)
        self.processes = bool(processes)
        self.ahead = self.workers * AHEAD if ahead is None else positive("parallel", "ahead", ahead)
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
            raise ArgumentError(f"parallel: timeout must be a number of seconds above 0, received {timeout!r}")
        self.timeout = float(timeout)
        self.pool: Pool | None = None

    def start(self, epoch: int, state: Any) -> ParallelCursor:
        """Begin below, with workers that are there already or are started now."""
        if self.pool is not None and (self.pool.is_broken or self.pool.pid != os.getpid()):
            self.pool = None
        if self.pool is None:
            self.pool = (ProcessPool if self.processes else ThreadPool)(self.inner, self.workers)
        return ParallelCursor(self, self.pool, self.inner.open(epoch, state), state)

    def close(self) -> None:
        """End the workers."""
        if self.pool is not None and self.pool.pid == os.getpid():
            self.pool.close()
        self.pool = None
        super().close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "pool": None}


class ParallelCursor(Cursor):
    """The tasks under way, in order; the states after them."""

    def __init__(self, stage: Parallel, pool: Pool, cursor: Cursor, state: Any) -> None:
        self.stage, self.pool, self.cursor = stage, pool, cursor
        self.tasks: deque[Task] = deque()
        self.drawn = self.given = 0
        self.interval = stage.state_interval
        self.states: deque[tuple[int, Any]] = deque([(0, cursor.state())])
        self.has_ended = False

    def _fill(self) -> None:
        while not self.has_ended and len(self.tasks) < self.stage.ahead:
            item = next(self.cursor, None)
            if item is None:
                self.has_ended = True
                return
            task = Task(item)
            self.tasks.append(task)
            self.pool.submit(task)
            self.drawn += 1
            if self.drawn % self.interval == 0:
                self.states.append((self.drawn, self.cursor.state()))

    def __next__(self) -> Item:
        self._fill()
        if not self.tasks:
            raise StopIteration
        task = self.tasks.popleft()
        self.given += 1
        while len(self.states) > 1 and self.states[1][0] <= self.given:
            self.states.popleft()
        if not task.done.acquire(blocking=False):
            self._wait(task)
        if task.error is not None:
            error, task.error = task.error, None
            if isinstance(error, WorkerError):
                self.pool.is_broken = True
                self.pool.close()
            self.stage.inner.blame(error, task.item)
            raise error
        self._fill()
        value, task.value = task.value, None
        return Item(Value(value, self.stage.inner.origin(task.item)), task.item.key)

    def _wait(self, task: Task) -> None:
        began = time.monotonic()
        timeout = self.stage.timeout
        while True:
            # a process takes its time to start, the more so on a busy machine
            limit = max(began, task.started) + (timeout if task.started else max(timeout, _START))
            left = limit - time.monotonic()
            if left <= 0:
                break
            if task.done.acquire(timeout=min(left, timeout)):  # and look again: it may have begun by now
                return
        error = self.pool.frozen(task)
        where = self.stage.inner.where(self.stage.inner.origin(task.item))
        raise WorkerError(
            f"a sample was not ready after {timeout:g} s: {where}\n{error.message}",
            hint="a longer timeout=... where samples take that long",
        )

    def state(self) -> Any:
        """Return the state below after the last item that was given out."""
        number, state = self.states[0]
        return self.stage.inner.later(state, self.given - number)

    def skip(self, count: int) -> None:
        """Skip below what no worker has yet."""
        while count and self.tasks:
            self.tasks.popleft().is_cancelled = True
            self.given += 1
            count -= 1
        if count:
            self.cursor.skip(count)
            self.drawn += count
            self.given = self.drawn
            self.states = deque([(self.drawn, self.cursor.state())])

    def close(self) -> None:
        """Give up the tasks that no worker has begun."""
        for task in self.tasks:
            task.is_cancelled = True
        self.tasks.clear()
        self.cursor.close()
