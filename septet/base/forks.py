"""Forks: what other threads of a process must not be in the midst of when it is copied.

A fork copies the memory, and of the threads only the one that makes it. What another thread holds then, nobody gives
back in the child: locks of our own, of LLVM, oneDNN, and those that Python has for each module being imported. So a
fork waits until no other thread compiles or imports (`work`), and takes our own locks (`hold`) before it happens; both
processes let go of them afterwards. Where nobody forks, this costs nothing: the locks are there anyway.

A fork waits `PATIENCE` seconds at most. Then it goes on with a warning, and the child has fresh locks in place of those
that it has not got. There, compiling is an error with a clear text, and what was being written over may be half new.
"""

from __future__ import annotations

import math
import os
import threading
import time
import warnings
import weakref
from operator import itemgetter
from threading import get_ident
from typing import Any, TypeVar

from septet.base.errors import NotSupportedError

PATIENCE = 30.0
"""Seconds that a fork waits at most."""
ATTEMPT = 0.25
"""Seconds after which it lets go of all locks for a moment: whom it waits for may be waiting for one of them."""
PAUSE = 0.0005  # seconds between two looks at what other threads do

# When locks are taken: one that is held while another is waited for comes first.
DRAWS, EVALUATIONS, RUNS, WORK, OTHERS = range(5)
NEVER = -1
"""The order of locks that are not waited for: the child has them free, and what they guard needs not be whole there."""

_locks: dict[weakref.ref[Any], int] = {}
Lock = TypeVar("Lock")


def hold(lock: Lock, order: int = OTHERS) -> Lock:
    """Let forks take a lock, so that what it guards is whole in a child.

    Parameters
    ----------
    lock : Lock or RLock
        Held weakly.
    order : int
        DRAWS, EVALUATIONS, RUNS, OTHERS or NEVER.

    Returns
    -------
    Lock or RLock
        The same.
    """
    _locks[weakref.ref(lock, _forget)] = order
    return lock


def _forget(reference: weakref.ref[Any]) -> None:
    _locks.pop(reference, None)


class _Work:
    """Work that forks wait for, as a ``with`` block; blocks of a thread nest.

    No block may wait for a thread that has yet to begin with one. Modules that are imported only when they are needed
    are imported inside of one.
    """

    def __init__(self) -> None:
        self._depths: dict[int, int] = {}  # of the threads that work
        self._door = threading.Lock()  # shut while a fork waits
        self._is_lost = False

    @property
    def is_lost(self) -> bool:
        """Whether nothing can be made in this process: it was forked in the midst of another thread's work."""
        return self._is_lost

    def __enter__(self) -> None:
        own = get_ident()
        depth = self._depths.get(own, 0)
        if depth:
            self._depths[own] = depth + 1
            return
        if self._is_lost:
            raise NotSupportedError(
                "nothing can be compiled in this process: it was forked while another thread of its parent compiled",
                hint="fork before there is anything to compile, or start processes by the method 'spawn'",
            )
        with self._door:
            self._depths[own] = 1

    def __exit__(self, *error: object) -> None:
        own = get_ident()
        self._depths[own] -= 1
        if not self._depths[own]:
            del self._depths[own]

    # A lock to forks.

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Shut the door, and wait until no other thread is inside."""
        latest = time.monotonic() + timeout
        if not (self._door.acquire(timeout=timeout) if blocking else self._door.acquire(blocking=False)):
            return False
        own = get_ident()
        while any([thread != own for thread in list(self._depths)]):
            if not blocking or time.monotonic() > latest:
                self._door.release()
                return False
            time.sleep(PAUSE)
        return True

    def release(self) -> None:
        """Open the door."""
        self._door.release()

    def _at_fork_reinit(self) -> None:
        """In a child, give up what other threads did."""
        self._door = threading.Lock()
        self._depths = {thread: depth for thread, depth in self._depths.items() if thread == get_ident()}
        self._is_lost = True


work = _Work()
hold(work, WORK)


class _Fork:
    """The fork under way: the locks that it has got, and those that its child gets afresh."""

    turn = threading.RLock()  # one thread forks at a time
    taken: list[Any] = []
    fresh: list[Any] = []


def _in_order() -> list[tuple[int, Any]]:
    """Return all locks and when they are taken."""
    # a copy is made in one go; making a list of items may begin to collect garbage, which takes locks out of the table
    found = [(order, reference()) for reference, order in _locks.copy().items()]
    return sorted([pair for pair in found if pair[1] is not None], key=itemgetter(0))


def _take(latest: float) -> bool:
    """Take all locks; False, and none is taken, where one could not be had in time."""
    known: set[int] = set()
    while new := [pair for pair in _in_order() if id(pair[1]) not in known]:  # more are made meanwhile
        for order, lock in new:
            known.add(id(lock))
            if order == NEVER:
                _Fork.fresh.append(lock)
            elif lock.acquire(timeout=max(latest - time.monotonic(), 0.0)):
                _Fork.taken.append(lock)
            else:
                _let_go()
                return False
    return True


def _take_most() -> None:
    """Take the locks that can be had at once."""
    for order, lock in _in_order():
        is_taken = order != NEVER and lock.acquire(blocking=False)
        (_Fork.taken if is_taken else _Fork.fresh).append(lock)


def _let_go() -> None:
    while _Fork.taken:
        _Fork.taken.pop().release()
    _Fork.fresh.clear()


def _before() -> None:
    _Fork.turn.acquire()
    for _ in range(math.ceil(PATIENCE / ATTEMPT)):  # not until some time: a process may have been stopped meanwhile
        if _take(time.monotonic() + min(ATTEMPT, PATIENCE)):
            return
        time.sleep(PAUSE)
    _take_most()
    warnings.warn(
        f"a fork has waited {PATIENCE:g} seconds for other threads of Septet, in vain: in the child, compiling may be "
        "an error, and variables that a compiled function was writing over may be half new",
        RuntimeWarning,
        stacklevel=2,
    )


def _after_in_parent() -> None:
    _let_go()
    _Fork.turn.release()


def _after_in_child() -> None:
    for lock in _Fork.fresh:
        lock._at_fork_reinit()
    _after_in_parent()


if hasattr(os, "register_at_fork"):  # the first to be registered is the last to be called before a fork
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
