"""Tests of convolution as dot products with the kernel as it lies, against the cards' references in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from septet.backends.cpu import dots
from septet.backends.cpu.direct_tiles import Machine
from septet.backends.cpu.layouts import Convolution, Layout, channels_first, channels_last
from septet.backends.cpu.ops.conv import choose
from tests.backends.cpu.convolutions import aligned, assert_close, call, expected, sizes_of, values

WIDE = Machine("float", 8, 6, 2)
CASES: list[tuple[Any, ...]] = [
    ((1, 16, 4, 4), (32, 16, 3, 3), 1, 1, 1, 1),
    ((2, 8, 5, 3), (16, 8, 3, 2), (2, 1), ((1, 0), (0, 2)), (1, 2), 1),
    ((1, 200, 2, 2), (16, 200, 3, 3), 1, 1, 1, 1),  # several runs, the last one shorter
    ((3, 8, 7), (16, 8, 3), 2, 1, 1, 1),
    ((1, 8, 3, 2, 3), (16, 8, 2, 2, 2), 1, 1, 1, 1),
    ((1, 16, 1, 1), (48, 16, 1, 1), 1, 0, 1, 1),
]


def planned(case: tuple[Any, ...], layout: Any = channels_last) -> Convolution:
    """Return the sizes of a case: x in any order, y with its channels as neighbours."""
    sizes = sizes_of(case)
    return sizes._replace(x=layout(case[0]), kernel=channels_first(case[1]))


def compute(sizes: Convolution, lanes: int, x: np.ndarray, kernel: np.ndarray, y: np.ndarray, threads: int = 1) -> None:
    """Compute `conv` in place."""
    plan = dots.plan(sizes)
    windows = aligned(plan.windows * plan.length, np.float32)
    assert sizes.x.strides is not None
    args = [x.ctypes.data, windows.ctypes.data, plan.sources.ctypes.data, plan.sources.shape[1], plan.channels]
    call(dots.kernel_name("windows_task", lanes), plan.windows, threads, [*args, sizes.x.strides[1]])
    args = [kernel.ctypes.data, windows.ctypes.data, plan.windows, plan.length, y.ctypes.data]
    call(dots.kernel_name("dots_task", lanes), plan.tasks, threads, [*args, plan.targets.ctypes.data])


def check(sizes: Convolution, lanes: int, threads: int = 1) -> np.ndarray:
    """Compare with the reference, and return what was found."""
    x, kernel, y = values(sizes, WIDE)
    truth = expected("conv", sizes, x, kernel, y)
    y[...] = np.nan
    compute(sizes, lanes, x, kernel, y, threads)
    assert_close(y, truth)
    return y


@pytest.mark.parametrize("lanes", [4, 8])
@pytest.mark.parametrize("layout", [channels_last, channels_first], ids=["last", "first"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values(case: tuple[Any, ...], layout: Any, lanes: int) -> None:
    sizes = planned(case, layout)
    assert dots.is_possible("conv", sizes, lanes)
    check(sizes, lanes)


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    sizes = planned(((1, 64, 5, 5), (96, 64, 3, 3), 1, 1, 1, 1))
    one = check(sizes, 8)
    for threads in (2, 3):
        np.testing.assert_array_equal(check(sizes, 8, threads), one)


def test_only_the_result_is_written() -> None:
    sizes = planned(CASES[0])
    n, channels, height, width = sizes.y.shape
    step = channels + 5
    layout = Layout(sizes.y.shape, (height * width * step, 1, width * step, step))
    memory = np.full(n * height * width * step, 7.0, np.float32)
    y = np.lib.stride_tricks.as_strided(memory, layout.shape, [s * 4 for s in layout.strides or ()])
    x, kernel, _ = values(sizes, WIDE)
    compute(sizes._replace(y=layout), 8, x, kernel, y)
    assert_close(y, expected("conv", sizes, x, kernel, y))
    assert (memory.reshape(-1, step)[:, channels:] == 7.0).all()


@pytest.mark.parametrize(
    ("case", "kernel", "is_possible"),
    [
        (CASES[0], channels_first, True),
        (CASES[0], channels_last, False),  # the kernel lies in another order
        (((1, 16, 4, 4), (30, 16, 3, 3), 1, 1, 1, 1), channels_first, False),
        (((1, 3, 4, 4), (32, 3, 3, 3), 1, 1, 1, 1), channels_first, False),
        (((1, 32, 4, 4), (32, 16, 3, 3), 1, 1, 1, 2), channels_first, False),
    ],
    ids=["possible", "channels last", "odd number of kernels", "few channels", "groups"],
)
def test_what_is_possible(case: tuple[Any, ...], kernel: Any, is_possible: bool) -> None:
    sizes = planned(case)._replace(kernel=kernel(case[1]))
    assert dots.is_possible("conv", sizes, 8) == is_possible
    assert not dots.is_possible("conv_input", sizes, 8)


def test_choice() -> None:
    late = ((1, 512, 4, 4), (512, 512, 3, 3), 1, 1, 1, 1)
    assert choose("conv", planned(late)) == "dots"
    assert choose("conv_input", planned(late)) == "direct"
    assert choose("conv", planned(((8, 512, 4, 4), *late[1:]))) == "winograd"
    assert choose("conv", planned(((8, 256, 16, 16), (512, 256, 3, 3), 2, 1, 1, 1))) == "direct"
