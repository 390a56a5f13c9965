"""Memory for results: it comes back to be used again, bounded, and without a line of Python where an array goes."""

from __future__ import annotations

import gc
import sys
import threading

import numpy as np
import pytest

from septet.backends.cpu import results
from septet.backends.cpu.results import IDLE, LARGE, new, release

FLOAT = np.dtype(np.float32)
MANY = LARGE  # elements: 4 MB


@pytest.fixture(autouse=True)
def empty() -> None:
    gc.collect()
    release()


def test_small_and_large_arrays() -> None:
    for shape in ((), (0, 3), (7,), (1000, 1000), (3, 1 << 20)):
        array = new(shape, FLOAT)
        assert array.shape == shape and array.dtype == FLOAT and array.flags.c_contiguous and array.flags.writeable
        array[...] = 3
        assert (array == 3).all()
    assert new((MANY,), FLOAT).ctypes.data % 4096 == 0


def test_memory_is_used_again_when_the_last_view_is_gone() -> None:
    array = new((MANY,), FLOAT)
    place = array.ctypes.data
    view = array[3:5]
    del array
    other = new((MANY,), FLOAT)
    assert other.ctypes.data != place
    view[:] = 1  # still its own
    del view
    assert new((MANY,), FLOAT).ctypes.data == place


def test_what_lies_idle_is_bounded_whatever_was_alive() -> None:
    arrays = [new((MANY,), FLOAT) for _ in range(2 * IDLE // (4 * MANY))]
    assert len({array.ctypes.data for array in arrays}) == len(arrays)
    del arrays
    huge = new((IDLE // 4 + 1,), FLOAT)
    del huge
    new((10,), FLOAT)
    assert IDLE // 2 < release() <= IDLE
    assert release() == 0


def test_old_arrays_do_not_keep_young_ones_from_being_used_again() -> None:
    old = [new((MANY,), FLOAT) for _ in range(2 * IDLE // (4 * MANY))]
    places = set()
    for _ in range(50):
        array = new((MANY + 5000,), FLOAT)
        places.add(array.ctypes.data)
        del array
    assert len(places) == 1 and len(old) > 0


def test_nothing_is_run_in_python_when_an_array_goes() -> None:
    array = new((MANY,), FLOAT)
    calls = []
    sys.setprofile(lambda frame, event, argument: calls.append((event, frame.f_code.co_name)))
    try:
        del array
    finally:
        sys.setprofile(None)
    assert not [name for event, name in calls if event == "call"]


def test_several_threads() -> None:
    wrong = []

    def work(number: int) -> None:
        for _ in range(200):
            arrays = [new((MANY + 2000 * (number % 2),), FLOAT) for _ in range(3)]
            for index, array in enumerate(arrays):
                array[::4096] = 10 * number + index
            if any((array[::4096] != 10 * number + index).any() for index, array in enumerate(arrays)):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    pool = results._pool
    pool.take(1 << 20)
    before = pool.claimed
    pool._count()
    assert pool.claimed == before <= IDLE
