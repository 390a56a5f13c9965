"""The memory in which plans work: those of one function take turns in the same.

Fresh memory costs a page fault for every page that is written for the first time, and it would stay with a plan that may
run once in an epoch, for its last batch.
"""

from __future__ import annotations

import threading
import weakref

import numpy as np

from septet.backends.cpu.memory import ALIGNMENT
from septet.backends.cpu.results import new
from septet.base import forks


class Arena:
    """Memory for values on the way, in which one plan runs at a time.

    Attributes
    ----------
    lock : RLock
        Held by the thread that runs a plan.
    is_busy : bool
        Whether a plan runs, in the thread that has the lock.
    """

    def __init__(self) -> None:
        self.lock = forks.hold(threading.RLock(), forks.NEVER)
        self.is_busy = False
        self._size = -1
        self._address = 0
        self._memory: np.ndarray | None = None
        self._users: weakref.WeakSet[User] = weakref.WeakSet()

    def take_in(self, size: int, bases: np.ndarray) -> User | None:
        """Give another plan its place, and all of them a larger one where it needs that.

        Parameters
        ----------
        size : int
            Bytes that it needs.
        bases : ndarray of int64
            Takes the address, now and whenever it changes, as its first element.

        Returns
        -------
        User or None
            Gives the place up when it goes; None where a plan runs in this very thread, whose memory must not move.
        """
        with self.lock:
            if self.is_busy and size > self._size:
                return None
            user = User(self, bases)
            if size > self._size:
                memory = new((size + ALIGNMENT,), np.dtype(np.uint8))
                address = -(-memory.ctypes.data // ALIGNMENT) * ALIGNMENT
                self._users.add(user)
                for own in self._users:
                    own.bases[0] = address
                self._memory, self._size, self._address = memory, size, address
            else:
                bases[0] = self._address
                self._users.add(user)
            return user

    def wait_in_forks(self) -> None:
        """Have forks wait for the plans that run here: they write over what a child needs."""
        forks.hold(self.lock, forks.RUNS)


class User:
    """A plan's place in an arena."""

    __slots__ = ("__weakref__", "arena", "bases")

    def __init__(self, arena: Arena, bases: np.ndarray) -> None:
        self.arena = arena
        self.bases = bases
