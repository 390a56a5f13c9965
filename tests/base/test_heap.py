"""Where arrays begin; giving free memory back: what glibc keeps of arrays that were freed."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest

from septet.base import heap


def resident() -> int:
    """Megabytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 >> 20


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps and gives back")
def test_free_memory_goes_back_to_the_system() -> None:
    # glibc raises the size from which arrays get pages of their own when such an array is freed, up to 32 MB.
    np.ones(24 << 20, np.uint8)
    blocks = [np.ones(8 << 20, np.uint8) for _ in range(16)]
    held = blocks.pop()
    del blocks
    before = resident()
    heap.give_back()
    assert before - resident() > 60
    assert held.all()


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_trim", lambda: None)
    assert heap.give_back() is False


@pytest.mark.parametrize("dtype", ["float32", "complex128", "bool", "float16"])
@pytest.mark.parametrize("shape", [(), (0, 3), (5, 7), (4097,)])
def test_arrays_that_begin_with_a_line_of_the_cache(shape: tuple[int, ...], dtype: str) -> None:
    found = [heap.aligned(shape, np.dtype(dtype)) for _ in range(4)]
    for number, array in enumerate(found):
        array[...] = number % 2
        assert array.ctypes.data % heap.LINE == 0 or not array.size
        assert (array.shape, array.dtype) == (shape, np.dtype(dtype)) and array.flags.c_contiguous
    assert all((array == number % 2).all() for number, array in enumerate(found))
