"""Forks wait for work and take locks; children have them free."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from septet.base import forks
from septet.base.errors import NotSupportedError

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(forks, "PATIENCE", 0.05)
    with pytest.warns(RuntimeWarning, match="in vain"):
        yield


def forked(is_right: Callable[[], bool]) -> bool:
    """Return what a function returns in a child."""
    child = os.fork()
    if not child:  # it never returns into pytest
        code = 2
        try:
            code = 0 if is_right() else 1
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


class Busy:
    """A thread that holds something until it is told to let go."""

    def __init__(self, held: object) -> None:
        self.has_begun, self.is_over, self.has_ended = threading.Event(), threading.Event(), False
        self._held = held
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.has_begun.wait()

    def _run(self) -> None:
        with self._held:  # type: ignore[attr-defined]
            self.has_begun.set()
            self.is_over.wait()
            self.has_ended = True

    def end(self) -> None:
        self.is_over.set()
        self._thread.join()


@pytest.mark.parametrize("order", [forks.DRAWS, forks.OTHERS])
def test_a_fork_waits_for_who_holds_a_lock(order: int) -> None:
    lock = forks.hold(threading.Lock(), order)
    busy = Busy(lock)
    threading.Timer(0.05, busy.end).start()
    assert forked(lambda: busy.has_ended and lock.acquire(blocking=False))
    assert lock.acquire(blocking=False)


def test_a_fork_waits_for_work_and_work_for_a_fork() -> None:
    busy = Busy(forks.work)
    threading.Timer(0.05, busy.end).start()
    with forks.work, forks.work:  # of its own a fork does not wait
        assert forked(lambda: busy.has_ended)

    def works() -> bool:
        with forks.work:
            return True

    assert forked(works)
    assert works()


def test_a_lock_that_is_not_waited_for_is_free_in_the_child() -> None:
    lock = forks.hold(threading.Lock(), forks.NEVER)
    busy = Busy(lock)
    start = time.monotonic()
    assert forked(lambda: lock.acquire(blocking=False))
    assert time.monotonic() - start < forks.PATIENCE / 2
    assert not lock.acquire(blocking=False)
    busy.end()


def test_two_locks_that_are_taken_the_other_way_round() -> None:
    """A thread that holds the one and waits for the other gets on."""
    first, second = forks.hold(threading.Lock(), forks.DRAWS), forks.hold(threading.Lock())

    def both() -> None:
        with second:
            time.sleep(0.05)
            with first:
                pass

    thread = threading.Thread(target=both)
    thread.start()
    time.sleep(0.02)
    assert forked(lambda: first.acquire(blocking=False) and second.acquire(blocking=False))
    thread.join()


def test_a_lock_that_was_waited_for_in_vain_is_free_in_the_child(impatient: None) -> None:
    lock = forks.hold(threading.RLock())
    busy = Busy(lock)
    try:
        assert forked(lambda: lock.acquire(blocking=False))
        assert not lock.acquire(blocking=False)
    finally:
        busy.end()


def test_work_that_was_waited_for_in_vain_is_an_error_in_the_child(impatient: None) -> None:
    def is_refused() -> bool:
        with pytest.raises(NotSupportedError, match="nothing can be compiled in this process"), forks.work:
            pass
        return True

    busy = Busy(forks.work)
    try:
        assert forked(is_refused)
    finally:
        busy.end()
    with forks.work:
        pass


def test_locks_are_held_weakly() -> None:
    before = len(forks._locks)
    lock = forks.hold(threading.Lock())
    assert len(forks._locks) == before + 1
    del lock
    assert len(forks._locks) == before


def test_two_threads_fork_at_once() -> None:
    found = []
    threads = [threading.Thread(target=lambda: found.append(forked(lambda: True))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 4
    with forks.work:
        pass
