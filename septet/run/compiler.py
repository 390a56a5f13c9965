"""The thread that compiles what define-by-run code does often, so that nobody waits for it."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Callable


class Job:
    """Something to compile.

    Attributes
    ----------
    is_done : bool
    """

    __slots__ = ("_done", "_generation", "_work", "is_done")

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._done = threading.Event()
        self._generation = _Present.generation
        self.is_done = False

    def run(self) -> None:
        """Do the work, in this thread."""
        try:
            self._work()
        finally:
            self.is_done = True
            self._done.set()

    def wait(self) -> None:
        """Wait until it is done; a child of the process that asked for it does it itself: the thread is not there."""
        if self.is_done:
            return
        if self._generation == _Present.generation:
            self._done.wait()
        else:
            self.run()


class Compiler:
    """A thread that does jobs one after the other; it starts with the first of them.

    Attributes
    ----------
    open : int
        Jobs that are not done.
    """

    def __init__(self) -> None:
        import queue  # only a program that compiles needs it

        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_over = False
        self.open = 0

    def ask(self, job: Job) -> None:
        """Have a job done; it keeps its errors to itself."""
        self.open += 1
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="septet-compiler", daemon=True)
            thread.start()
            self._thread = thread
        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None or self._is_over:
                return
            with contextlib.suppress(BaseException):  # whoever waits finds nothing made; the next job is done
                job.run()
            self.open -= 1

    def stop(self) -> None:
        """End the thread, after what it is doing now."""
        self._is_over = True
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()


class _Present:
    """The compiler of this process, once there was something to compile."""

    compiler: Compiler | None = None
    generation = 0  # rises in a forked child


def ask(work: Callable[[], None]) -> Job:
    """Have something done by the compiling thread."""
    if _Present.compiler is None:
        _Present.compiler = Compiler()
    job = Job(work)
    _Present.compiler.ask(job)
    return job


def is_busy() -> bool:
    """Tell whether jobs are open."""
    return _Present.compiler is not None and _Present.compiler.open > 0


def _forget() -> None:
    """Start anew in a forked child."""
    _Present.compiler = None
    _Present.generation += 1


def _stop() -> None:
    """End the thread with the process."""
    if _Present.compiler is not None:
        _Present.compiler.stop()


atexit.register(_stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
