"""Processes that work on tasks: their results come through shared memory, their deaths and errors as exceptions here.

Each worker has a pipe (a pair of sockets). The parent sends numbers of tasks with their items; the worker answers with
results. Arrays of a result lie in memory that both have mapped and that has no name (a `memfd`), so that nothing can be
left behind, however processes end, and small limits of ``/dev/shm`` do not matter. The arrays that the consumer gets
are in that memory; when the last of them is gone, the worker may use it again.
"""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import pickle
import signal
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy

from septet.base.errors import ArgumentError, WorkerError
from septet.data.stage import Stage
from septet.data.tasks import Task
from septet.data.worker import serve

__all__ = ["ProcessPool"]

_FAREWELL = 1.0  # seconds that a worker has to end by itself before it is killed
_DUMP = 0.3  # seconds that a worker has to write where it is


class ProcessPool:
    """Spawned processes, and a thread that talks with them.

    Parameters
    ----------
    stage : Stage
        Sent to each worker once, so it must be possible to pickle it.
    workers : int

    Raises
    ------
    ArgumentError
        When the stage cannot be pickled.
    """

    def __init__(self, stage: Stage, workers: int) -> None:
        self.pid = os.getpid()
        self.is_broken = False
        self.shared = _Shared(_pickled(stage), workers)
        self.close: Callable[[], Any] = weakref.finalize(self, self.shared.close)

    def submit(self, task: Task) -> None:
        """Give a task to the worker that has the fewest."""
        self.shared.submit(task)

    def frozen(self, task: Task) -> WorkerError:
        """Ask the worker where it is, and end all workers."""
        self.is_broken = True
        error = self.shared.frozen(task)
        self.close()
        return error


class _Worker:
    """What the parent knows about one process."""

    def __init__(self, number: int, process: Any, pipe: Any) -> None:
        self.number, self.process, self.pipe = number, process, pipe
        self.tasks: dict[int, Task] = {}  # by numbers, in the order in which they were sent
        self.memory: dict[int, mmap.mmap] = {}
        self.freed: deque[int] = deque()  # numbers of memory that no array needs any more
        self.dump: int | None = None  # the file into which the worker writes where it is
        self.is_ready = False  # whether it has started: only then does the time of its tasks count
        self.reason = ""  # why it could not take the stages
        self.is_gone = False


class _Shared:
    """The processes and what the thread needs: all but the pool itself, whose end is the end of this."""

    def __init__(self, stage: bytes, workers: int) -> None:
        from multiprocessing import get_context

        context = get_context("spawn")
        self.lock = threading.RLock()  # the garbage collector may close a pool in the midst of anything
        self.numbers = itertools.count()
        self.outbox: deque[tuple[_Worker, int, Task]] = deque()
        self.pid = os.getpid()
        self.bell, self.clapper = context.Pipe(duplex=False)
        self.is_ringing = False  # whether there is a message in that pipe: one is enough, and it never fills
        self.is_closed = False
        self.workers: list[_Worker] = []
        try:
            for number in range(workers):
                mine, theirs = context.Pipe()
                process = context.Process(
                    target=serve, args=(theirs, stage), name=f"septet-data-{number}", daemon=True
                )  # fmt: skip
                process.start()
                theirs.close()
                self.workers.append(_Worker(number, process, mine))
        except BaseException:
            self.close()
            raise
        self.thread = threading.Thread(target=self._talk, name="septet-data-processes", daemon=True)
        self.thread.start()

    # --- called by the consumer

    def submit(self, task: Task) -> None:
        """Queue a task for the worker that has the fewest."""
        with self.lock:
            worker = min(self.workers, key=lambda each: (each.is_gone, len(each.tasks)))
            number = next(self.numbers)
            task.worker = worker.number
            if worker.is_gone or self.is_closed:
                task.error = WorkerError("the workers of this stream have ended")
                task.done.release()
                return
            if worker.is_ready and not worker.tasks:
                task.started = time.monotonic()
            worker.tasks[number] = task
            self.outbox.append((worker, number, task))
        self._ring()

    def _ring(self) -> None:
        with self.lock:
            if not self.is_ringing:
                self.is_ringing = True
                self.clapper.send_bytes(b"!")

    def frozen(self, task: Task) -> WorkerError:
        """Say what the worker of a task is doing."""
        worker = self.workers[task.worker or 0]
        process = worker.process
        text = f"worker {worker.number} (process {process.pid}) has it"
        if (state := _process_state(process.pid)) == "T":
            return WorkerError(f"{text}, and is stopped by a signal")
        if worker.dump is not None and hasattr(signal, "SIGUSR1") and process.is_alive():
            os.kill(process.pid, signal.SIGUSR1)
            time.sleep(_DUMP)
            if stack := os.pread(worker.dump, 1 << 20, 0).decode("utf-8", "replace"):
                return WorkerError(f"{text}, and is at\n{stack}")
        return WorkerError(f"{text}, and does not answer{f' (state {state})' if state else ''}")

    def close(self) -> None:
        """End the processes, gently first."""
        with self.lock:
            if self.is_closed or os.getpid() != self.pid:  # a copy made by a fork leaves the workers alone
                return
            self.is_closed = True
            for worker in self.workers:
                self._fail(worker, WorkerError("the stream was closed"))
            self.outbox.clear()
        self._ring()
        for worker in self.workers:
            with contextlib.suppress(OSError):
                worker.process.terminate()
        end = time.monotonic() + _FAREWELL
        for worker in self.workers:
            worker.process.join(max(end - time.monotonic(), 0))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join(_FAREWELL)
        thread = getattr(self, "thread", None)
        if thread is not None and thread is not threading.current_thread():
            thread.join(_FAREWELL)
        for worker in self.workers:
            worker.pipe.close()
            if worker.dump is not None:
                os.close(worker.dump)
                worker.dump = None
        self.bell.close()
        self.clapper.close()

    # --- the thread

    def _talk(self) -> None:
        """Send tasks and receive results until the pool is closed."""
        from multiprocessing.connection import wait

        while not self.is_closed:
            living = [worker for worker in self.workers if not worker.is_gone]
            by_source: dict[Any, _Worker] = {worker.pipe: worker for worker in living}
            by_source |= {worker.process.sentinel: worker for worker in living}
            ready = wait([*by_source, self.bell])
            if self.is_closed:
                return
            if self.bell in ready:
                with self.lock:
                    self.bell.recv_bytes()
                    self.is_ringing = False
            # what is in the pipe comes before the news that its process has ended
            for source in sorted(ready, key=lambda each: isinstance(each, int)):
                worker = by_source.get(source)
                if worker is None or worker.is_gone:
                    continue
                try:
                    self._receive(worker) if source is worker.pipe else self._drain(worker)
                except (EOFError, OSError, pickle.UnpicklingError):
                    self._bury(worker)
            self._send()

    def _send(self) -> None:
        while self.outbox and not self.is_closed:
            worker, number, task = self.outbox.popleft()
            if worker.is_gone:
                continue
            if task.is_cancelled:
                with self.lock:
                    worker.tasks.pop(number, None)
                continue
            freed = [worker.freed.popleft() for _ in range(len(worker.freed))]
            try:
                message = pickle.dumps((number, freed, task.item), pickle.HIGHEST_PROTOCOL)
            except Exception as error:
                worker.freed.extend(freed)
                self._finish(worker, number, None, error)
                continue
            try:
                worker.pipe.send_bytes(message)
            except OSError:
                self._bury(worker)

    def _receive(self, worker: _Worker) -> None:
        """Take one message."""
        kind, number, *rest = pickle.loads(worker.pipe.recv_bytes())
        if kind == "hello":
            worker.dump = _receive_file(worker.pipe) if rest[0] else None
            with self.lock:
                worker.is_ready = True
                for task in itertools.islice(worker.tasks.values(), 1):
                    task.started = time.monotonic()
        elif kind == "unpacked":
            worker.reason = rest[0]
        elif kind == "error":
            packed, text = rest
            error = pickle.loads(packed) if packed is not None else WorkerError(text.strip().splitlines()[-1])
            error.add_note(f"  in worker {worker.number} (process {worker.process.pid}):\n{text}")
            self._finish(worker, number, None, error)
        else:
            packed, memory, size, is_new, places = rest
            if is_new:
                file = _receive_file(worker.pipe)
                worker.memory[memory] = mmap.mmap(file, size)
                os.close(file)
            try:
                value = pickle.loads(packed, buffers=self._arrays(worker, memory, places))
            except Exception as error:
                self._finish(worker, number, None, error)
            else:
                self._finish(worker, number, value, None)

    def _arrays(self, worker: _Worker, memory: int | None, places: list[tuple[int, int]]) -> list[Any]:
        """Return the parts of shared memory that hold the arrays of a result; the last that dies gives it back."""
        if memory is None:
            return []
        whole = numpy.frombuffer(worker.memory[memory], numpy.uint8)
        weakref.finalize(whole, worker.freed.append, memory).atexit = False
        return [whole[start : start + size] for start, size in places]

    def _drain(self, worker: _Worker) -> None:
        """Take the last messages of a process that has ended, and tell what became of the others."""
        while worker.pipe.poll():
            self._receive(worker)
        self._bury(worker)

    def _bury(self, worker: _Worker) -> None:
        worker.is_gone = True
        worker.process.join(_FAREWELL)
        with self.lock:
            self._fail(worker, WorkerError(_death(worker), hint=_advice(worker)))

    def _fail(self, worker: _Worker, error: WorkerError) -> None:
        for task in worker.tasks.values():
            task.error = WorkerError(error.message, hint=error.hint)  # its own one: each names its own sample
            task.done.release()
        worker.tasks.clear()

    def _finish(self, worker: _Worker, number: int, value: Any, error: BaseException | None) -> None:
        with self.lock:
            task = worker.tasks.pop(number, None)
            if task is None:
                return
            following = next(iter(worker.tasks.values()), None)
            if following is not None:
                following.started = time.monotonic()
        if not task.is_cancelled:
            task.value, task.error = value, error
        task.done.release()


def _pickled(stage: Stage) -> bytes:
    try:
        return pickle.dumps(stage, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        raise ArgumentError(
            f"parallel: the stream cannot be sent to other processes: {error}",
            hint="functions must be defined with def at the top of a module (no lambda, none inside of functions); "
            "or use threads, processes=False",
        ) from error


def _receive_file(pipe: Any) -> int:
    from multiprocessing.reduction import recv_handle

    return recv_handle(pipe)


def _process_state(pid: int) -> str:
    """Return the letter of a process's state, on Linux."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rsplit(b")", 1)[1].split()[0].decode()
    except (OSError, IndexError):
        return ""


def _death(worker: _Worker) -> str:
    code = worker.process.exitcode
    if code is not None and code < 0:
        try:
            reason = f"was ended by signal {-code} ({signal.Signals(-code).name})"
        except ValueError:
            reason = f"was ended by signal {-code}"
    else:
        reason = f"has ended with exit code {code}"
    why = f", because it could not take the stream:\n{worker.reason}" if worker.reason else ""
    return f"worker {worker.number} (process {worker.process.pid}) {reason}{why}"


def _advice(worker: _Worker) -> str:
    if worker.process.exitcode == -getattr(signal, "SIGKILL", 9):
        return "the system ends processes so when memory runs out: fewer workers or smaller batches need less"
    if worker.reason:
        return "a process imports the modules that define the functions and the data set: they must be found there, too"
    if not worker.is_ready:
        main = os.path.basename(getattr(sys.modules.get("__main__"), "__file__", None) or "the script")
        return f'it ended while it started: processes need {main} to be guarded by `if __name__ == "__main__":`'
    return "what it wrote to standard error may say why"
