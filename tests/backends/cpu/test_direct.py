"""Tests of direct convolution against the cards' references in float64: shapes, layouts, tiles, threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from septet.backends.cpu import direct
from septet.backends.cpu.direct import Axis, backward_axes, forward_axes
from septet.backends.cpu.direct_kernels import DIRECT, ELEMENTS, FIELDS, PIXELS, ROWS, kernel_name
from septet.backends.cpu.direct_tiles import Machine, machine
from septet.backends.cpu.layouts import Convolution, Layout, channels_first, channels_last, in_order
from tests.backends.cpu.convolutions import CASES, KINDS, aligned, assert_close, call, expected, sizes_of, values

MORE = [
    ((1, 5, 5, 5), (4, 5, 3, 3), 3, 0, 1, 1),  # pixels that no window sees
    ((2, 3, 5, 5), (4, 3, 1, 1), 3, 0, 1, 1),  # most pixels see nothing
    ((2, 3, 5, 5), (4, 3, 2, 2), 3, 4, 1, 1),  # windows that see zeros alone
    ((1, 2, 3, 3), (3, 2, 2, 2), 1, ((5, 4), (0, 6)), 1, 1),
    ((1, 3, 24, 24), (20, 3, 7, 7), 2, 3, 1, 1),
    ((1, 800, 3, 4), (16, 800, 1, 1), 1, 0, 1, 1),  # runs cut into pieces
    ((2, 64, 9, 9), (40, 64, 3, 3), 1, 1, 1, 1),  # pixels that are spread
    ((1, 33, 5, 6), (17, 33, 2, 2), 1, 0, 2, 1),
    ((2, 6, 7), (9, 2, 4), 2, ((0, 3),), 1, 3),
    ((1, 3, 4, 9, 5), (2, 3, 2, 3, 2), (1, 2, 3), 1, (2, 1, 1), 1),
    ((40, 2, 4, 4), (5, 2, 3, 3), 1, 1, 1, 1),  # several planes in a task
]
MACHINES = [
    Machine("float", 8, 6, 2),
    Machine("float", 8, 8, 1),
    Machine("double", 4, 6, 2),
    Machine("float", 4, 6, 2),
    Machine("float", 16, 4, 2),
]


def compute(
    kind: str, sizes: Convolution, own: Machine, x: np.ndarray, kernel: np.ndarray, y: np.ndarray, threads: int = 1
) -> None:
    """Compute one of the three ops in place."""
    if kind == "conv_kernel":
        plan = direct.kernels(sizes, own)
        packed, memory = aligned(plan.packing.size * plan.parts, x.dtype), aligned(plan.memory * threads)
        args = [x.ctypes.data, y.ctypes.data, packed.ctypes.data, memory.ctypes.data, plan.memory]
        call(kernel_name("kernel_task", own), plan.tasks, threads, [*args, plan.block.ctypes.data])
        args = [*plan.packing.args(kernel.ctypes.data, packed.ctypes.data), plan.parts, plan.packing.size]
        call(kernel_name("unpack_task", own), len(plan.packing.table), threads, args)
        return
    planned = direct.products(kind, sizes, own)
    packed, memory = aligned(planned.packing.size, x.dtype), aligned(planned.memory * threads)
    args = planned.packing.args(kernel.ctypes.data, packed.ctypes.data)
    call(kernel_name("pack_task", own), len(planned.packing.table), threads, args)
    source, target = (x, y) if kind == "conv" else (y, x)
    args = [source.ctypes.data, packed.ctypes.data, target.ctypes.data, memory.ctypes.data, planned.memory]
    args += [len(planned.blocks), planned.blocks.ctypes.data, 0, 0]
    call(kernel_name("product_task", own), planned.tasks, threads, args)


def check(kind: str, sizes: Convolution, own: Machine, threads: int = 1) -> np.ndarray:
    """Compare with the reference, and return what was found."""
    x, kernel, y = values(sizes, own)
    truth = expected(kind, sizes, x, kernel, y)
    result = {"conv": y, "conv_input": x, "conv_kernel": kernel}[kind]
    result[...] = np.nan
    compute(kind, sizes, own, x, kernel, y, threads)
    assert_close(result, truth, 1e-5 if own.kind == "float" else 1e-13)
    return result


def planned(case: tuple[Any, ...], kernel: Any = channels_first, layout: Any = channels_last) -> Convolution:
    """Return the sizes of a case, with a layout of the kernel."""
    return sizes_of(case, layout)._replace(kernel=kernel(case[1]))


@pytest.mark.parametrize("own", MACHINES, ids=lambda m: f"{m.kind}-{m.lanes}-{m.vectors}")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES + MORE, ids=str)
def test_values(case: tuple[Any, ...], kind: str, own: Machine) -> None:
    check(kind, planned(case), own)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", [*CASES[2:8], MORE[6]], ids=str)
def test_any_order_of_what_is_not_read_in_vectors(case: tuple[Any, ...], kind: str) -> None:
    """x of `conv` and `conv_kernel`, y of `conv_input`, and the kernel."""
    sizes = planned(case, channels_last)
    first = "y" if kind == "conv_input" else "x"
    layout = channels_first(getattr(sizes, first).shape)
    check(kind, sizes._replace(**{first: layout}), MACHINES[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_kernel_with_output_channels_as_neighbours(kind: str) -> None:
    case = ((2, 20, 8, 8), (32, 20, 3, 3), 1, 1, 1, 1)
    sizes = planned(case)._replace(kernel=in_order(case[1], (2, 3, 1, 0)))
    check(kind, sizes, MACHINES[0])


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_larger_tensors(kind: str) -> None:
    """Strides with gaps, as slices of channels and of pixels have."""
    sizes = planned(((2, 16, 6, 7), (24, 16, 3, 3), 1, 1, 1, 1))
    x = Layout(sizes.x.shape, (2000, 1, 320, 40))
    y = Layout(sizes.y.shape, (5000, 1, 700, 50))
    check(kind, sizes._replace(x=x, y=y), MACHINES[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "case",
    [
        ((70, 16, 16, 16), (32, 16, 3, 3), 1, 1, 1, 1),
        ((1, 64, 24, 24), (96, 64, 3, 3), 1, 1, 1, 1),
        ((8, 32, 16, 16), (48, 32, 3, 3), 2, 1, 1, 1),
        ((3, 24, 12, 12), (32, 12, 3, 3), 1, 1, 1, 2),
    ],
    ids=str,
)
def test_results_do_not_depend_on_the_number_of_threads(case: tuple[Any, ...], kind: str) -> None:
    sizes = planned(case)
    plan = direct.kernels(sizes, MACHINES[0]) if kind == "conv_kernel" else direct.products(kind, sizes, MACHINES[0])
    assert plan.tasks > 1
    one = check(kind, sizes, MACHINES[0])
    for threads in (2, 3):
        np.testing.assert_array_equal(check(kind, sizes, MACHINES[0], threads), one)


@pytest.mark.parametrize("case", [CASES[5], MORE[2]], ids=str)
def test_only_the_result_is_written(case: tuple[Any, ...]) -> None:
    """Gaps between the pixels of a result keep what they held."""
    sizes = planned(case)
    n, channels, height, width = sizes.y.shape
    step = channels + 3
    layout = Layout(sizes.y.shape, (height * width * step, 1, width * step, step))
    memory = np.full(n * height * width * step, 7.0, np.float32)
    strides = [s * 4 for s in layout.strides or ()]
    y = np.lib.stride_tricks.as_strided(memory, layout.shape, strides)
    x, kernel, _ = values(sizes, MACHINES[0])
    compute("conv", sizes._replace(y=layout), MACHINES[0], x, kernel, y)
    assert_close(y, expected("conv", sizes, x, kernel, y))
    assert (memory.reshape(-1, step)[:, channels:] == 7.0).all()


# How the work is cut.


def field(block: np.ndarray, name: str) -> int:
    """Return a field of a block."""
    return int(block[FIELDS.index(name)])


@pytest.mark.parametrize(
    ("case", "layout", "mode"),
    [
        (((2, 16, 8, 8), (16, 16, 1, 1), 2, 0, 1, 1), channels_last, DIRECT),
        (((2, 16, 8, 8), (16, 16, 3, 3), 1, 0, 1, 1), channels_last, DIRECT),
        (((2, 16, 8, 8), (16, 16, 3, 3), 1, 1, 1, 1), channels_last, ROWS),
        (((2, 1, 8, 8), (16, 1, 3, 3), 1, 1, 1, 1), channels_first, ROWS),
        (((2, 16, 8, 8), (16, 8, 3, 3), 1, 1, 1, 2), channels_last, PIXELS),
        (((2, 16, 8, 8), (16, 16, 3, 3), 1, 1, 1, 1), channels_first, ELEMENTS),
        (((2, 16, 8, 8), (16, 16, 1, 1), 1, 0, 1, 1), channels_first, ELEMENTS),
    ],
)
def test_x_is_copied_only_where_it_must_be(case: tuple[Any, ...], layout: Any, mode: int) -> None:
    sizes = planned(case)._replace(x=layout(case[0]))
    assert field(direct.products("conv", sizes, MACHINES[0]).blocks[0], "mode") == mode


def test_rows_of_a_window_are_one_run() -> None:
    block = direct.products("conv", planned(CASES[4]), MACHINES[0]).blocks[0]
    assert (field(block, "n_runs"), field(block, "length")) == (5, 5)
    block = direct.products("conv", planned(CASES[5]), MACHINES[0]).blocks[0]
    assert (field(block, "n_runs"), field(block, "length")) == (3, 48)
    block = direct.products("conv", planned(MORE[5]), MACHINES[0]).blocks[0]
    assert (field(block, "n_runs"), field(block, "length")) == (2, 400)


def test_a_strided_gradient_multiplies_nothing_by_zero() -> None:
    """Each element of the kernel belongs to one product; all products together do the work of the convolution."""
    sizes = planned(((1, 3, 8, 8), (4, 3, 3, 3), 2, 1, 1, 1))
    phases = backward_axes(sizes)
    assert len(phases) == 4
    pairs = [(a[1].elements, a[2].elements) for a in phases]
    seen = [(k, m) for rows, columns in pairs for _, k in rows for _, m in columns]
    assert sorted(seen) == [(k, m) for k in range(3) for m in range(3)]
    assert forward_axes(sizes)[1] == Axis(4, 2, ((-1, 0), (0, 1), (1, 2)))


def test_the_work_is_cut_by_the_sizes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = planned(((16, 16, 16, 16), (32, 16, 3, 3), 1, 1, 1, 1))
    before = direct.products("conv", sizes, MACHINES[0]).tasks
    monkeypatch.setattr("septet.base.threads.thread_count", lambda: 64)
    assert direct.products("conv", sizes, MACHINES[0]).tasks == before


def test_large_convolutions_have_tasks_for_many_threads_and_small_ones_one() -> None:
    large = planned(((1, 256, 8, 8), (256, 256, 3, 3), 1, 1, 1, 1))
    for kind in ("conv", "conv_input"):
        assert direct.products(kind, large, MACHINES[0]).tasks >= 8
    assert direct.kernels(large, MACHINES[0]).tasks >= 8
    assert direct.products("conv", planned(CASES[5]), MACHINES[0]).tasks == 1
    assert direct.kernels(planned(CASES[5]), MACHINES[0]).tasks == 1


def test_memory_of_a_task_is_bounded() -> None:
    sizes = planned(((2, 64, 224, 224), (64, 64, 3, 3), 1, 1, 1, 1))
    plan = direct.products("conv", sizes, MACHINES[0])
    assert plan.memory < 2 * direct.COPY
    assert direct.kernels(sizes, MACHINES[0]).memory < 3 * direct.COPY


def test_panels_are_as_wide_as_the_result_needs() -> None:
    wide, narrow = machine("float32", 64), machine("float32", 3)
    assert (wide.vectors, narrow.vectors) == (2, 1)
    assert machine("float64", 64).lanes * 2 == wide.lanes
