"""Tests of convolution by minimal filtering: exact matrices, values against the references in float64, threads."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import septet as st
from septet.backends.cpu import winograd
from septet.backends.cpu.builder import Builder, Value
from septet.backends.cpu.direct_kernels import kernel_name as direct_name
from septet.backends.cpu.direct_tiles import Machine
from septet.backends.cpu.layouts import Convolution, Layout, channels_first, channels_last, in_order
from septet.backends.cpu.ops.conv import choose
from septet.backends.cpu.winograd_kernels import FIELDS, kernel_name
from septet.backends.cpu.winograd_matrices import SIZE, filtering
from septet.backends.cpu.winograd_transforms import multiply
from tests.backends.cpu.convolutions import KINDS, aligned, assert_close, call, expected, sizes_of, values

Row = tuple[Fraction, ...]


def product(matrix: tuple[Row, ...], values: list[Fraction]) -> list[Fraction]:
    """Return a matrix times a column, exactly."""
    return [sum((x * y for x, y in zip(row, values, strict=True)), Fraction(0)) for row in matrix]


@pytest.mark.parametrize("taps", range(1, SIZE + 1))
def test_the_matrices_filter_exactly(taps: int) -> None:
    results = SIZE + 1 - taps
    own = filtering(results, taps)
    numbers = random.Random(taps)
    kernel, data = ([Fraction(numbers.randint(-9, 9)) for _ in range(n)] for n in (taps, SIZE))
    between = [x * y for x, y in zip(product(own.kernel, kernel), product(own.data, data), strict=True)]
    assert product(own.output, between) == [
        sum(kernel[k] * data[start + k] for k in range(taps)) for start in range(results)
    ]


def test_all_filters_see_data_in_the_same_way() -> None:
    """So x is transformed alike for results and for the gradient of the kernel."""
    assert filtering(4, 3).data == filtering(3, 4).data == filtering(2, 5).data


def test_transforms_share_what_pairs_of_points_have_in_common() -> None:
    own = filtering(4, 3)
    for matrix, most in ((own.data, 12), (own.kernel, 9), (own.output, 12)):
        b = Builder("f", [])
        multiply(b, matrix, [Value(f"%x{n}", "float", 8) for n in range(len(matrix[0]))])
        assert len(b.lines) <= most


WIDE = Machine("float", 8, 6, 2)
MACHINES = [WIDE, Machine("float", 4, 6, 2), Machine("float", 4, 8, 1)]
CASES: list[tuple[Any, ...]] = [
    ((2, 16, 8, 8), (32, 16, 3, 3), 1, 1, 1, 1),
    ((3, 32, 7, 9), (16, 32, 3, 3), 1, 1, 1, 1),  # tiles that stick out
    ((2, 48, 14, 14), (64, 48, 5, 5), 1, 2, 1, 1),
    ((2, 16, 9, 9), (32, 16, 3, 3), 1, ((0, 2), (2, 1)), 1, 1),
    ((2, 16, 12, 11), (16, 16, 3, 5), 1, 0, 1, 1),
    ((70, 16, 4, 4), (16, 16, 3, 3), 1, 1, 1, 1),
    ((1, 16, 1, 1), (16, 16, 3, 3), 1, 1, 1, 1),
    ((1, 16, 3, 3), (16, 16, 3, 3), 1, 0, 1, 1),  # gradients of x are wider than results
    ((2, 272, 6, 6), (288, 272, 3, 3), 1, 1, 1, 1),  # several blocks of panels
]


def planned(case: tuple[Any, ...], kernel: Any = channels_first, layout: Any = channels_last) -> Convolution:
    """Return the sizes of a case, with a layout of the kernel."""
    return sizes_of(case, layout)._replace(kernel=kernel(case[1]))


def compute(
    kind: str, sizes: Convolution, own: Machine, x: np.ndarray, kernel: np.ndarray, y: np.ndarray, threads: int = 1
) -> None:
    """Compute one of the three ops in place."""
    if kind == "conv_kernel":
        plan = winograd.kernels(sizes, own)
        packed, memory = aligned(plan.packing.size * plan.parts, x.dtype), aligned(plan.memory * threads)
        args = [x.ctypes.data, y.ctypes.data, packed.ctypes.data, memory.ctypes.data, plan.memory]
        name = kernel_name("winograd_kernel_task", own, plan.taps)
        call(name, plan.tasks, threads, [*args, plan.block.ctypes.data])
        args = [*plan.packing.args(kernel.ctypes.data, packed.ctypes.data), plan.parts, plan.packing.size]
        call(direct_name("unpack_task", own), len(plan.packing.table), threads, args)
        return
    planned = winograd.products(kind, sizes, own)
    spread, memory = aligned(planned.size, x.dtype), aligned(planned.memory * threads)
    packed = aligned(planned.packed * threads)
    packing = planned.packing.args(kernel.ctypes.data, 0)
    if planned.size:
        args = [spread.ctypes.data, planned.channels, planned.step, packed.ctypes.data, planned.packed, *packing]
        name = kernel_name("winograd_spread_task", own, planned.taps)
        call(name, len(planned.packing.table), threads, args)
    source, target = (x, y) if kind == "conv" else (y, x)
    args = [source.ctypes.data, spread.ctypes.data, target.ctypes.data, memory.ctypes.data, planned.memory]
    name = kernel_name("winograd_product_task", own, planned.taps)
    call(name, planned.tasks, threads, [*args, planned.block.ctypes.data, *packing])


def check(kind: str, sizes: Convolution, own: Machine, threads: int = 1) -> np.ndarray:
    """Compare with the reference, and return what was found."""
    x, kernel, y = values(sizes, own)
    truth = expected(kind, sizes, x, kernel, y)
    result = {"conv": y, "conv_input": x, "conv_kernel": kernel}[kind]
    result[...] = np.nan
    compute(kind, sizes, own, x, kernel, y, threads)
    assert_close(result, truth, 2e-5)
    error = np.sqrt(np.mean((result - truth) ** 2) / np.mean(truth**2))
    assert error < 2e-6  # a plain sum of as many products in one order has 0.2e-6 to 1e-6
    return result


@pytest.mark.parametrize("own", MACHINES, ids=lambda m: f"{m.lanes}-{m.vectors}")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values(case: tuple[Any, ...], kind: str, own: Machine) -> None:
    check(kind, planned(case), own)


@pytest.mark.parametrize("kind", KINDS)
def test_any_order_of_the_kernel(kind: str) -> None:
    case = CASES[1]
    check(kind, planned(case, channels_last), WIDE)
    check(kind, planned(case)._replace(kernel=in_order(case[1], (2, 3, 1, 0))), WIDE)


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_larger_tensors(kind: str) -> None:
    """Strides with gaps, as slices of channels and of pixels have; what lies in the gaps of a result stays."""
    sizes = planned(((2, 16, 6, 7), (32, 16, 3, 3), 1, 1, 1, 1))
    x = Layout(sizes.x.shape, (2000, 1, 320, 40))
    y = Layout(sizes.y.shape, (5000, 1, 700, 50))
    check(kind, sizes._replace(x=x, y=y), WIDE)


@pytest.mark.parametrize("case", [CASES[0], CASES[3]], ids=str)
def test_only_the_result_is_written(case: tuple[Any, ...]) -> None:
    sizes = planned(case)
    n, channels, height, width = sizes.y.shape
    step = channels + 16
    layout = Layout(sizes.y.shape, (height * width * step, 1, width * step, step))
    memory = np.full(n * height * width * step, 7.0, np.float32)
    y = np.lib.stride_tricks.as_strided(memory, layout.shape, [s * 4 for s in layout.strides or ()])
    x, kernel, _ = values(sizes, WIDE)
    compute("conv", sizes._replace(y=layout), WIDE, x, kernel, y)
    assert_close(y, expected("conv", sizes, x, kernel, y))
    assert (memory.reshape(-1, step)[:, channels:] == 7.0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "case",
    [
        ((70, 16, 16, 16), (32, 16, 3, 3), 1, 1, 1, 1),
        ((1, 64, 24, 24), (96, 64, 3, 3), 1, 1, 1, 1),
        ((9, 256, 4, 4), (256, 256, 3, 3), 1, 1, 1, 1),
        ((6, 32, 14, 14), (48, 32, 5, 5), 1, 2, 1, 1),
    ],
    ids=str,
)
def test_results_do_not_depend_on_the_number_of_threads(case: tuple[Any, ...], kind: str) -> None:
    sizes = planned(case)
    plan = winograd.kernels(sizes, WIDE) if kind == "conv_kernel" else winograd.products(kind, sizes, WIDE)
    assert plan.tasks > 1
    one = check(kind, sizes, WIDE)
    for threads in (2, 3):
        np.testing.assert_array_equal(check(kind, sizes, WIDE, threads), one)


# How the work is cut, and when.


def field(block: np.ndarray, name: str) -> int:
    """Return a field of a block."""
    return int(block[FIELDS.index(name)])


def test_large_convolutions_have_tasks_for_many_threads() -> None:
    for channels, size in ((64, 32), (128, 16), (256, 8), (512, 4)):
        sizes = planned(((64, channels, size, size), (channels, channels, 3, 3), 1, 1, 1, 1))
        assert winograd.products("conv", sizes, WIDE).tasks >= 16
        assert winograd.kernels(sizes, WIDE).tasks >= 16


def test_memory_of_a_task_is_bounded() -> None:
    sizes = planned(((2, 64, 224, 224), (64, 64, 3, 3), 1, 1, 1, 1))
    assert winograd.products("conv", sizes, WIDE).memory < 1 << 20
    assert winograd.kernels(sizes, WIDE).memory < 2 << 20


def test_what_tiles_see_begins_at_the_padding() -> None:
    sizes = planned(CASES[3])
    block = winograd.products("conv", sizes, WIDE).block
    assert (field(block, "x_top"), field(block, "x_left")) == (0, 2)
    assert field(block, "image_tiles") == 3 * 3
    block = winograd.products("conv_input", sizes, WIDE).block
    assert (field(block, "x_top"), field(block, "x_left")) == (2, 0)


@pytest.mark.parametrize(
    ("case", "name"),
    [
        (((8, 64, 16, 16), (64, 64, 3, 3), 1, 1, 1, 1), "winograd"),
        (((8, 64, 16, 16), (64, 64, 5, 5), 1, 2, 1, 1), "winograd"),
        (((8, 64, 16, 16), (64, 64, 3, 3), 2, 1, 1, 1), "direct"),
        (((8, 64, 16, 16), (64, 64, 3, 3), 1, 1, 2, 1), "direct"),
        (((8, 64, 16, 16), (64, 32, 3, 3), 1, 1, 1, 2), "direct"),
        (((8, 64, 16, 16), (64, 64, 1, 1), 1, 0, 1, 1), "direct"),
        (((8, 60, 16, 16), (64, 60, 3, 3), 1, 1, 1, 1), "direct"),
        (((8, 3, 16, 16), (64, 3, 3, 3), 1, 1, 1, 1), "direct"),
        (((1, 64, 4, 4), (64, 64, 3, 3), 1, 1, 1, 1), "direct"),  # one tile for a kernel
        (((8, 64, 5, 5), (64, 64, 3, 3), 1, 1, 1, 1), "direct"),  # 25 results of 64 that tiles have
    ],
    ids=str,
)
def test_choice(case: tuple[Any, ...], name: str) -> None:
    assert choose("conv", planned(case)) == name


def test_float64_and_the_setting_ask_for_plain_sums() -> None:
    sizes = planned(((8, 64, 16, 16), (64, 64, 3, 3), 1, 1, 1, 1))
    double = sizes._replace(**{name: getattr(sizes, name)._replace(dtype="float64") for name in ("x", "kernel", "y")})
    assert choose("conv", double) == "direct"
    with st.config.override(convolution="plain"):
        assert choose("conv", sizes) == "direct"


def test_a_compiled_function_and_its_gradients() -> None:
    """Through the whole of Septet, against the reference backend."""
    numbers = np.random.default_rng(0)
    x = numbers.standard_normal((4, 32, 10, 10)).astype(np.float32)
    kernel = numbers.standard_normal((48, 32, 3, 3)).astype(np.float32) / 17

    def loss(x: st.Tensor, kernel: st.Tensor) -> st.Tensor:
        return (st.relu(st.conv(x, kernel, padding=1)) ** 2).mean()

    both = st.compile(st.value_and_grad(loss, argnums=(0, 1)))
    found = both(st.tensor(x), st.tensor(kernel))
    with st.config.override(backend="reference"):
        truth = st.compile(st.value_and_grad(loss, argnums=(0, 1)))(st.tensor(x), st.tensor(kernel))
    for a, b in zip((found[0], *found[1]), (truth[0], *truth[1]), strict=True):
        assert_close(np.asarray(a), np.asarray(b), 1e-5)
