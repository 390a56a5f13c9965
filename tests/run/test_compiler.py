"""The compiling thread: jobs in order, waiting for them, and children of the process."""

from __future__ import annotations

import os
import threading

import pytest

from septet.run import compiler


def test_jobs_are_done_in_order_by_another_thread() -> None:
    done: list[tuple[int, str]] = []
    jobs = [compiler.ask(lambda n=n: done.append((n, threading.current_thread().name))) for n in range(5)]
    jobs[-1].wait()
    assert done == [(n, "septet-compiler") for n in range(5)]
    assert all(job.is_done for job in jobs)


def test_waiting_for_what_is_done_takes_no_lock() -> None:
    job = compiler.ask(lambda: None)
    job.wait()
    job.wait()
    assert job.is_done


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_does_itself_what_its_parent_asked_for() -> None:
    gate, done = threading.Event(), []
    first = compiler.ask(gate.wait)  # holds the thread until the child is there
    second = compiler.ask(lambda: done.append(os.getpid()))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        second.wait()
        compiler.ask(lambda: done.append(0)).wait()  # and has a thread of its own
        os.write(write, b"right" if done == [os.getpid(), 0] and not compiler.is_busy() else b"wrong")
        os._exit(0)
    gate.set()
    os.close(write)
    assert os.read(read, 5) == b"right"
    os.waitpid(child, 0)
    os.close(read)
    first.wait()
    second.wait()
    assert done == [os.getpid()]


def test_a_job_that_ends_the_hard_way_does_not_end_the_compiler() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    done: list[int] = []
    first, second = compiler.ask(interrupted), compiler.ask(lambda: done.append(1))
    first.wait()
    second.wait()
    assert done == [1]
