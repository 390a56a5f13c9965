"""What runs in a worker process: see `processes` for the parent's side."""

from __future__ import annotations

import contextlib
import faulthandler
import mmap
import os
import pickle
import queue
import signal
import threading
import traceback
from typing import Any

from septet.data.stage import Stage

__all__ = ["HAS_SHARED_MEMORY", "serve"]

HAS_SHARED_MEMORY = hasattr(os, "memfd_create")
"""Whether there is memory without a name that can be sent to another process. Elsewhere results go through the pipe."""

_ALIGNMENT = 64  # of arrays in shared memory: a line of the cache
_SPARE = 1.25  # new memory is so much larger than its first result: the next one may need a little more
_PAGE = mmap.PAGESIZE


class _Memory:
    """Shared memory that the worker fills and the parent reads."""

    def __init__(self, number: int, size: int) -> None:
        self.number = number
        self.size = -(-int(size * _SPARE) // _PAGE) * _PAGE
        self.file = os.memfd_create("septet-data")
        os.ftruncate(self.file, self.size)
        self.map = mmap.mmap(self.file, self.size)


class _Results:
    """Sends results; keeps the memory that the parent has given back."""

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe
        self.memories: dict[int, _Memory] = {}
        self.free: set[int] = set()
        self.count = 0

    def send(self, number: int, value: Any) -> None:
        """Send a value: arrays in shared memory, the rest through the pipe."""
        buffers: list[pickle.PickleBuffer] = []
        packed = pickle.dumps(value, 5, buffer_callback=buffers.append if HAS_SHARED_MEMORY else None)
        if not buffers:
            self.pipe.send_bytes(pickle.dumps(("value", number, packed, None, 0, False, [])))
            return
        views = [buffer.raw() for buffer in buffers]
        places, size = [], 0
        for view in views:
            places.append((size, view.nbytes))
            size += -(-view.nbytes // _ALIGNMENT) * _ALIGNMENT
        memory, is_new = self._find(max(size, 1))
        for view, (start, length) in zip(views, places):
            memory.map[start : start + length] = view
        self.pipe.send_bytes(pickle.dumps(("value", number, packed, memory.number, memory.size, is_new, places)))
        if is_new:
            _send_file(self.pipe, memory.file)
            os.close(memory.file)

    def _find(self, size: int) -> tuple[_Memory, bool]:
        """Return free memory that is large enough, the smallest, or new one."""
        fitting = [self.memories[number] for number in self.free if self.memories[number].size >= size]
        if fitting:
            memory = min(fitting, key=lambda each: each.size)
            self.free.discard(memory.number)
            return memory, False
        memory = _Memory(self.count, size)
        self.count += 1
        self.memories[memory.number] = memory
        return memory, True


def serve(pipe: Any, stage: bytes) -> None:
    """Work on tasks until the parent closes the pipe, or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends the workers
    file = os.memfd_create("septet-data-stack") if HAS_SHARED_MEMORY else None
    if file is not None:
        faulthandler.register(signal.SIGUSR1, file, all_threads=True)
    try:
        work: Stage = pickle.loads(stage)
    except Exception:
        pipe.send_bytes(pickle.dumps(("unpacked", -1, traceback.format_exc())))
        return
    pipe.send_bytes(pickle.dumps(("hello", -1, file is not None)))
    if file is not None:
        _send_file(pipe, file)
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(pipe, tasks), daemon=True).start()
    results = _Results(pipe)
    while True:
        number, freed, item = tasks.get()
        results.free.update(freed)
        try:
            value = work.finish(item)
            del item
            results.send(number, value)
            del value
        except BrokenPipeError:
            return
        except Exception as error:
            pipe.send_bytes(pickle.dumps(("error", number, _packed(error), traceback.format_exc())))


def _read(pipe: Any, tasks: queue.SimpleQueue[Any]) -> None:
    """Take tasks out of the pipe as they come, so that the parent never waits; end with the parent."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            tasks.put(pickle.loads(pipe.recv_bytes()))
    os._exit(0)  # at once, whatever the worker is doing: nobody wants its result


def _packed(error: Exception) -> bytes | None:
    """Return a pickled error, or None when it would not come out again."""
    try:
        packed = pickle.dumps(error)
        pickle.loads(packed)
    except Exception:
        return None
    return packed


def _send_file(pipe: Any, file: int) -> None:
    from multiprocessing.reduction import send_handle

    send_handle(pipe, file, None)
