"""Tests of the threads that compute."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest

from septet.backends.cpu import pool
from septet.backends.cpu.jit import Module, addresses

COUNT = """
define void @count(ptr %args, i64 %begin, i64 %end) #0 {
entry:
  br label %loop
loop:
  %i = phi i64 [ %begin, %entry ], [ %i1, %loop ]
  %p = getelementptr i64, ptr %args, i64 %i
  %v = load i64, ptr %p
  %v1 = add i64 %v, 1
  store i64 %v1, ptr %p
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %end
  br i1 %more, label %loop, label %done
done:
  ret void
}
attributes #0 = { nounwind }
"""

NESTED = """
declare void @region(ptr, ptr, i64, i64, i64)
declare void @count(ptr, i64, i64)
define void @nested(ptr %args, i64 %begin, i64 %end) #0 {
entry:
  br label %loop
loop:
  %i = phi i64 [ %begin, %entry ], [ %i1, %loop ]
  %row = mul i64 %i, 100
  %p = getelementptr i64, ptr %args, i64 %row
  call void @region(ptr @count, ptr %p, i64 100, i64 7, i64 4)
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %end
  br i1 %more, label %loop, label %done
done:
  ret void
}
attributes #0 = { nounwind }
"""

needs_threads = pytest.mark.skipif(not pool.has_threads(), reason="no pool on this system")
Region = Callable[[int, int, int, int, int], None]
Kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


@pytest.fixture(scope="module")
def region() -> Region:
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    return kind(pool.region_address())  # type: ignore[return-value]


@pytest.fixture(scope="module")
def count() -> int:
    return addresses([Module("count", COUNT)])[0]


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize(("total", "chunk"), [(0, 1), (1, 1), (2, 1), (1000, 1), (1000, 7), (1000, 999), (1000, 5000)])
def test_every_index_is_taken_once(region: Region, count: int, total: int, chunk: int, threads: int) -> None:
    counts = np.zeros(1100, np.int64)
    for _ in range(20):
        region(count, counts.ctypes.data, total, chunk, threads)
    np.testing.assert_array_equal(counts, np.repeat([20, 0], [total, 1100 - total]))


def test_many_regions_in_a_row(region: Region, count: int) -> None:
    counts = np.zeros(64, np.int64)
    for _ in range(5000):
        region(count, counts.ctypes.data, 64, 3, 3)
    np.testing.assert_array_equal(counts, 5000)


def test_regions_with_pauses_in_between_in_which_workers_fall_asleep(region: Region, count: int) -> None:
    counts = np.zeros(64, np.int64)
    for _ in range(200):
        region(count, counts.ctypes.data, 64, 3, 3)
        time.sleep(0.0005)
    np.testing.assert_array_equal(counts, 200)


@needs_threads
def test_chunks_run_at_the_same_time_in_several_threads(region: Region) -> None:
    barrier = threading.Barrier(3)
    seen = set()

    @Kernel
    def meet(args: int, begin: int, end: int) -> None:
        barrier.wait(60)  # passes only when three threads are here
        seen.add(threading.get_native_id())

    region(ctypes.cast(meet, ctypes.c_void_p).value or 0, 0, 3, 1, 3)
    assert len(seen) == 3
    assert pool.worker_count() >= 2


@needs_threads
def test_no_more_threads_than_asked_for(region: Region) -> None:
    seen = set()

    @Kernel
    def slow(args: int, begin: int, end: int) -> None:
        seen.add(threading.get_native_id())
        time.sleep(0.002)

    address = ctypes.cast(slow, ctypes.c_void_p).value or 0
    region(address, 0, 40, 1, 4)
    assert 2 <= len(seen) <= 4
    seen.clear()
    region(address, 0, 20, 1, 2)
    assert len(seen) <= 2
    seen.clear()
    region(address, 0, 20, 1, 1)
    assert seen == {threading.get_native_id()}


@needs_threads
def test_threads_have_numbers_below_the_number_of_threads(region: Region) -> None:
    numbers: dict[int, set[int]] = {}
    lock = threading.Lock()

    def note(args: int, begin: int, end: int, number: int) -> None:
        with lock:
            numbers.setdefault(number, set()).add(threading.get_native_id())
        time.sleep(0.001)

    noting = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 3)(note)
    for threads in (1, 2, 4):
        numbers.clear()
        region(ctypes.cast(noting, ctypes.c_void_p).value or 0, 0, 50, 1, threads)
        assert numbers[0] == {threading.get_native_id()}
        assert set(numbers) <= set(range(threads))
        assert all(len(threads) == 1 for threads in numbers.values())


def test_a_region_inside_a_region(region: Region, count: int) -> None:
    nested = addresses([Module("nested", NESTED, {**pool.imports(), "count": count})])[0]
    counts = np.zeros(3000, np.int64)
    for _ in range(50):
        region(nested, counts.ctypes.data, 30, 1, 3)
    np.testing.assert_array_equal(counts, 50)


def test_regions_of_several_python_threads(region: Region, count: int) -> None:
    counts = np.zeros((6, 500), np.int64)

    def lead(row: int) -> None:
        for _ in range(2000):
            region(count, counts[row].ctypes.data, 500, 11, 3)

    threads = [threading.Thread(target=lead, args=(row,)) for row in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(counts, 2000)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_has_threads_of_its_own(region: Region, count: int) -> None:
    counts = np.zeros(200, np.int64)
    region(count, counts.ctypes.data, 200, 1, 3)
    child = os.fork()
    if child == 0:  # the child never returns into pytest
        try:
            empty = pool.worker_count()
            for _ in range(100):
                region(count, counts.ctypes.data, 200, 1, 3)
            right = empty == 0 and pool.worker_count() == (2 if pool.has_threads() else 0) and (counts == 101).all()
            os._exit(0 if right else 1)
        except BaseException:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    region(count, counts.ctypes.data, 200, 1, 3)
    np.testing.assert_array_equal(counts, 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_while_another_thread_leads(region: Region, count: int) -> None:
    counts = np.zeros(100_000, np.int64)
    stop = threading.Event()

    def lead() -> None:
        while not stop.is_set():
            region(count, counts.ctypes.data, len(counts), 100, 3)

    thread = threading.Thread(target=lead)
    thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                own = np.zeros(1000, np.int64)
                region(count, own.ctypes.data, 1000, 10, 3)
                os._exit(0 if (own == 1).all() else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        thread.join()


@needs_threads
def test_signals_reach_the_threads_of_python(region: Region, count: int) -> None:
    counts = np.zeros(100, np.int64)
    region(count, counts.ctypes.data, 100, 1, 4)
    ours = {thread.native_id for thread in threading.enumerate()}
    masks = {}
    for task in os.listdir("/proc/self/task"):
        # a thread of another test may end while we look
        with (
            suppress(FileNotFoundError, ProcessLookupError),
            open(f"/proc/self/task/{task}/status", encoding="ascii") as file,
        ):
            blocked = next(int(line.split()[1], 16) for line in file if line.startswith("SigBlk"))
            masks[int(task)] = bool(blocked >> (signal.SIGINT - 1) & 1)
    assert not masks[threading.get_native_id()]
    assert sum(masks[task] for task in masks if task not in ours) >= 3


@needs_threads
def test_workers_sleep_when_there_is_nothing_to_do(region: Region, count: int) -> None:
    counts = np.zeros(100, np.int64)
    region(count, counts.ctypes.data, 100, 1, 4)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.1


def test_the_process_ends_while_workers_look_out_for_work() -> None:
    script = f"""
import ctypes
from septet.backends.cpu import pool
from septet.backends.cpu.jit import Module, addresses
count = addresses([Module("count", {COUNT!r})])[0]
kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
counts = (ctypes.c_int64 * 50)()
for _ in range(1000):
    kind(pool.region_address())(count, ctypes.addressof(counts), 50, 1, 4)
assert list(counts) == [1000] * 50
"""
    for _ in range(3):
        subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
