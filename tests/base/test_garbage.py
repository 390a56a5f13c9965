"""The collector of garbage is paused, and goes on as it was."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref

from septet.base.garbage import paused


class Cycle:
    def __init__(self) -> None:
        self.own = self


def test_nothing_is_collected_meanwhile() -> None:
    assert gc.isenabled()
    with paused:
        assert not gc.isenabled()
        with paused:
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_stays_off_where_it_was_off() -> None:
    gc.disable()
    try:
        with paused:
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_it_goes_on_after_an_error_and_when_the_last_of_several_threads_is_done() -> None:
    begun, goes = threading.Event(), threading.Event()

    def other() -> None:
        with paused:
            begun.set()
            goes.wait()

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait()
    try:
        with paused:
            raise KeyError
    except KeyError:
        assert not gc.isenabled()
    goes.set()
    thread.join()
    assert gc.isenabled()


def test_cycles_that_died_meanwhile_are_found_later() -> None:
    with paused:
        found = weakref.ref(Cycle())
    assert found() is not None
    gc.collect()
    assert found() is None


def test_what_was_frozen_stays_so() -> None:
    code = """
import gc
from septet.base.garbage import paused
gc.freeze()
before = gc.get_freeze_count()
with paused:
    pass
print(gc.get_freeze_count() >= before > 0, gc.isenabled())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "True True\n", done.stderr
