"""Tests of oneDNN's primitives against the cards' references in float64, and of executing them from native code."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from septet.backends.cpu import jit, native, onednn, onednn_tasks, onednn_types
from septet.backends.cpu.layouts import Convolution, Layout, channels_first, channels_last
from septet.backends.cpu.onednn_tasks import Row, Tasks, convolution_tasks
from septet.base.errors import LibraryError, NotSupportedError
from septet.ops.pool import max_pool, max_pool_gradient, sum_pool, sum_pool_transpose
from tests.backends.cpu.convolutions import CASES, KINDS, assert_close, expected, random, sizes_of, stored

pytestmark = pytest.mark.skipif(not onednn.available(), reason=f"oneDNN is not available: {onednn.why_not()}")


def reordered(kernel: np.ndarray, target: onednn.Descriptor, groups: int) -> np.ndarray:
    """Return a kernel in the order that a primitive chose."""
    source = onednn.describe(channels_first(kernel.shape), groups)
    result = np.empty(target.size, np.uint8)
    onednn.reorder(source, target, threads=1)(x=np.ascontiguousarray(kernel), y=result)
    return result


def restored(blocks: np.ndarray, source: onednn.Descriptor, shape: tuple[int, ...], groups: int) -> np.ndarray:
    """Return a kernel from the order that a primitive chose."""
    result = np.empty(shape, np.float32)
    onednn.reorder(source, onednn.describe(channels_first(shape), groups), threads=1)(x=blocks, y=result)
    return result


@pytest.mark.parametrize("layout", [channels_last, channels_first], ids=["last", "first"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolution(case: tuple[Any, ...], kind: str, layout: Any) -> None:
    sizes = sizes_of(case, layout)
    primitive = onednn.convolution(kind, sizes, threads=1)
    x, kernel, y = random(sizes.x, 1), random(sizes.kernel, 2), random(sizes.y, 3)
    truth = expected(kind, sizes, x, kernel, y)
    if kind == "conv_kernel":
        blocks = np.empty(primitive.arguments["kernel_gradient"].size, np.uint8)
        primitive(x=stored(x, sizes.x), y_gradient=stored(y, sizes.y), kernel_gradient=blocks)
        found = restored(blocks, primitive.arguments["kernel_gradient"], kernel.shape, sizes.groups)
    else:
        blocks = reordered(kernel, primitive.arguments["kernel"], sizes.groups)
        if kind == "conv":
            found = stored(np.zeros_like(y), sizes.y)
            primitive(x=stored(x, sizes.x), kernel=blocks, y=found)
        else:
            found = stored(np.zeros_like(x), sizes.x)
            primitive(y_gradient=stored(y, sizes.y), kernel=blocks, x_gradient=found)
    assert_close(found, truth)


def test_the_common_case_has_a_fast_implementation() -> None:
    sizes = sizes_of(((2, 16, 8, 8), (24, 16, 3, 3), 1, 1, 1, 1))
    for kind in ("conv", "conv_input", "conv_kernel"):
        assert onednn.convolution(kind, sizes, threads=1).is_fast


def test_bias_sum_and_relu_after_a_convolution() -> None:
    sizes = sizes_of(((2, 16, 8, 8), (24, 16, 3, 3), 1, 1, 1, 1))
    x, kernel, before = random(sizes.x, 1), random(sizes.kernel, 2), random(sizes.y, 3)
    bias = random(Layout((24,)), 4)
    post = (("sum", 0.5), ("relu", 0.1))
    primitive = onednn.convolution("conv", sizes, bias=channels_first((24,)), post=post, threads=1)
    y = stored(before, sizes.y)
    blocks = reordered(kernel, primitive.arguments["kernel"], 1)
    primitive(x=stored(x, sizes.x), kernel=blocks, bias=bias, y=y)
    truth = expected("conv", sizes, x, kernel, y) + bias[:, None, None] + 0.5 * before
    assert_close(y, np.where(truth > 0, truth, 0.1 * truth))


def test_the_gradient_of_a_bias() -> None:
    sizes = sizes_of(((2, 16, 8, 8), (24, 16, 3, 3), 1, 1, 1, 1))
    x, y = random(sizes.x, 1), random(sizes.y, 2)
    primitive = onednn.convolution("conv_kernel", sizes, bias=channels_first((24,)), threads=1)
    found = np.empty(24, np.float32)
    blocks = np.empty(primitive.arguments["kernel_gradient"].size, np.uint8)
    primitive(x=stored(x, sizes.x), y_gradient=stored(y, sizes.y), kernel_gradient=blocks, bias_gradient=found)
    assert_close(found, y.astype(np.float64).sum((0, 2, 3)))


def test_an_unknown_post_operation_is_refused() -> None:
    sizes = sizes_of(CASES[5])
    with pytest.raises(ValueError, match="'tanh' is neither"):
        onednn.convolution("conv", sizes, post=(("tanh", 0.0),), threads=1)
    with pytest.raises(ValueError, match="not a kind of convolution"):
        onednn.convolution("conv_transpose", sizes, threads=1)


POOLS: list[tuple[Any, ...]] = [
    # x, window, stride, padding, dilation
    ((2, 8, 8, 8), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)),
    ((2, 5, 9, 8), (3, 2), (2, 1), ((1, 0), (0, 1)), (1, 1)),
    ((2, 8, 9), (3,), (2,), ((1, 1),), (1,)),
    ((1, 8, 6, 7, 6), (2, 3, 2), (2, 2, 1), ((0, 0), (1, 1), (0, 0)), (1, 1, 1)),
    ((2, 8, 9, 9), (2, 2), (1, 1), ((0, 0), (0, 0)), (2, 2)),
]


def pooled(case: tuple[Any, ...], layout: Any) -> tuple[tuple[Layout, Layout, Any, Any, Any, Any], dict[str, Any]]:
    """Return what `onednn.pooling` takes, and what the cards take."""
    x, window, stride, padding, dilation = case
    named = {"window": window, "stride": stride, "padding": padding, "dilation": dilation}
    y = sum_pool.reference(np.zeros(x), ceil_mode=False, **named).shape
    return (layout(x), layout(y), window, stride, padding, dilation), {**named, "ceil_mode": False}


@pytest.mark.parametrize("layout", [channels_last, channels_first], ids=["last", "first"])
@pytest.mark.parametrize("case", POOLS, ids=str)
def test_max_pooling(case: tuple[Any, ...], layout: Any) -> None:
    sizes, named = pooled(case, layout)
    x, g = random(sizes[0], 1), random(sizes[1], 2)
    forward = onednn.pooling("max", *sizes, threads=1)
    y = stored(np.zeros_like(g), sizes[1])
    workspace = np.empty(forward.arguments["workspace"].size, np.uint8)
    forward(x=stored(x, sizes[0]), y=y, workspace=workspace)
    np.testing.assert_array_equal(y, max_pool.reference(x, **named))
    alone = onednn.pooling("max", *sizes, is_training=False, threads=1)
    again = stored(np.zeros_like(g), sizes[1])
    alone(x=stored(x, sizes[0]), y=again)
    np.testing.assert_array_equal(again, y)
    backward = onednn.pooling("max", *sizes, is_gradient=True, threads=1)
    found = stored(np.zeros_like(x), sizes[0])
    backward(x_gradient=found, y_gradient=stored(g, sizes[1]), workspace=workspace)
    assert_close(found, max_pool_gradient.reference(g.astype(np.float64), x.astype(np.float64), **named))


@pytest.mark.parametrize("layout", [channels_last, channels_first], ids=["last", "first"])
@pytest.mark.parametrize("case", POOLS[:4], ids=str)
def test_average_pooling(case: tuple[Any, ...], layout: Any) -> None:
    sizes, named = pooled(case, layout)
    x, g = random(sizes[0], 1), random(sizes[1], 2)
    count = np.prod(named["window"])
    y = stored(np.zeros_like(g), sizes[1])
    onednn.pooling("average_with_padding", *sizes, threads=1)(x=stored(x, sizes[0]), y=y)
    assert_close(y, sum_pool.reference(x.astype(np.float64), **named) / count)
    inside = sum_pool.reference(np.ones_like(x, np.float64), **named)
    onednn.pooling("average", *sizes, threads=1)(x=stored(x, sizes[0]), y=y)
    assert_close(y, sum_pool.reference(x.astype(np.float64), **named) / inside)
    found = stored(np.zeros_like(x), sizes[0])
    backward = onednn.pooling("average_with_padding", *sizes, is_gradient=True, threads=1)
    backward(x_gradient=found, y_gradient=stored(g, sizes[1]))
    truth = sum_pool_transpose.reference(g.astype(np.float64), size=x.shape[2:], **named) / count
    assert_close(found, truth)


@pytest.mark.parametrize("batch", [(), (3,)])
def test_matmul_with_bias_and_relu(batch: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((*batch, 17, 33)).astype(np.float32)
    b = rng.standard_normal((*batch, 33, 20)).astype(np.float32)
    bias = rng.standard_normal((*[1] * len(batch), 1, 20)).astype(np.float32)
    layouts = [channels_first(v.shape) for v in (a, b)]
    y = np.empty((*batch, 17, 20), np.float32)
    primitive = onednn.matmul(
        *layouts, channels_first(y.shape), bias=channels_first(bias.shape), post=(("relu", 0.0),), threads=1
    )
    primitive(x=a, kernel=b, bias=bias, y=y)
    assert_close(y, np.maximum(a.astype(np.float64) @ b + bias, 0))


def test_bfloat16_matmul_accumulates_in_float32() -> None:
    import ml_dtypes

    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(s).astype(ml_dtypes.bfloat16) for s in ((8, 64), (64, 8)))
    layouts = [channels_first(v.shape, "bfloat16") for v in (a, b)]
    y = np.empty((8, 8), np.float32)
    try:
        primitive = onednn.matmul(*layouts, channels_first(y.shape), threads=1)
    except NotSupportedError:
        pytest.skip("this processor has no bfloat16 in oneDNN")
    primitive(x=a, kernel=b, y=y)
    assert_close(y, a.astype(np.float64) @ b.astype(np.float64))


def test_equal_arguments_return_the_same_primitive() -> None:
    sizes = sizes_of(CASES[5])
    first = onednn.convolution("conv", sizes, threads=1)
    assert onednn.convolution("conv", sizes._replace(), threads=1) is first
    assert onednn.convolution("conv_input", sizes, threads=1) is not first
    source = onednn.describe(channels_first(sizes.kernel.shape))
    reorder = onednn.reorder(source, first.arguments["kernel"], threads=1)
    assert onednn.reorder(source, first.arguments["kernel"], threads=1) is reorder


def test_descriptors_compare() -> None:
    one, two = onednn.describe(channels_last((2, 3, 4, 5))), onednn.describe(channels_last((2, 3, 4, 5)))
    assert one.equals(two)
    assert not one.equals(onednn.describe(channels_first((2, 3, 4, 5))))
    assert one.size == 2 * 3 * 4 * 5 * 4


# Native execution.


def execute(tasks: Tasks, arrays: dict[str, np.ndarray], threads: int) -> int:
    """Run tasks from native code and return the status word."""
    parallel, kernel = jit.addresses([native.module("parallel"), onednn_tasks.module()])
    scratchpads = np.zeros(tasks.scratchpad * threads + 64, np.uint8)
    status = np.zeros(1, np.int64)
    aligned = -(-scratchpads.ctypes.data // 64) * 64
    operands = {name: array.ctypes.data for name, array in arrays.items()}
    own = tasks.args(operands, aligned, status.ctypes.data)
    args = np.array([kernel, len(tasks.rows), 1, threads, *map(int, own)], np.int64)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(parallel)(args.ctypes.data)
    return int(status[0])


def run_tasks(kind: str, sizes: Convolution, threads: int) -> tuple[Tasks, np.ndarray, np.ndarray]:
    """Run a convolution's tasks on random values: the tasks, what they found, the truth."""
    tasks = convolution_tasks(kind, sizes)
    x, kernel, y = random(sizes.x, 1), random(sizes.kernel, 2), random(sizes.y, 3)
    truth = expected(kind, sizes, x, kernel, y)
    descriptors = tasks.rows[0].primitive.arguments
    if kind == "conv_kernel":
        blocks = np.empty(descriptors["kernel_gradient"].size, np.uint8)
        arrays = {"x": stored(x, sizes.x), "y_gradient": stored(y, sizes.y), "kernel_gradient": blocks}
        assert execute(tasks, arrays, threads) == 0
        return tasks, restored(blocks, descriptors["kernel_gradient"], kernel.shape, sizes.groups), truth
    result = "y" if kind == "conv" else "x_gradient"
    arrays = {"kernel": reordered(kernel, descriptors["kernel"], sizes.groups)}
    arrays |= {"x": stored(x, sizes.x)} if kind == "conv" else {"y_gradient": stored(y, sizes.y)}
    arrays[result] = stored(np.zeros(truth.shape, np.float32), sizes.y if kind == "conv" else sizes.x)
    assert execute(tasks, arrays, threads) == 0
    return tasks, arrays[result], truth


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", [CASES[3], CASES[5], CASES[6], CASES[9], CASES[11], CASES[13]], ids=str)
def test_native_execution(case: tuple[Any, ...], kind: str) -> None:
    _, found, truth = run_tasks(kind, sizes_of(case), 1)
    assert_close(found, truth)


@pytest.mark.parametrize("kind", ["conv", "conv_input"])
def test_results_do_not_depend_on_the_number_of_threads(kind: str) -> None:
    sizes = sizes_of(((70, 16, 32, 32), (32, 16, 3, 3), 1, 1, 1, 1))
    tasks, one, truth = run_tasks(kind, sizes, 1)
    assert len(tasks.rows) > 8
    assert_close(one, truth)
    for threads in (2, 3):
        np.testing.assert_array_equal(run_tasks(kind, sizes, threads)[1], one)


def test_small_batches_are_one_task() -> None:
    assert len(convolution_tasks("conv", sizes_of(CASES[5])).rows) == 1


def test_one_primitive_in_several_threads() -> None:
    sizes = sizes_of(((1, 16, 32, 32), (32, 16, 3, 3), 1, 1, 1, 1))
    primitive = onednn.convolution("conv", sizes, threads=2)
    x, kernel = random(sizes.x, 1), random(sizes.kernel, 2)
    y = stored(np.zeros(sizes.y.shape, np.float32), sizes.y)
    arrays = {"x": stored(x, sizes.x), "kernel": reordered(kernel, primitive.arguments["kernel"], 1), "y": y}
    before = onednn.library().openmp.omp_get_max_threads()
    assert execute(Tasks([Row(primitive, {})]), arrays, 1) == 0
    assert onednn.library().openmp.omp_get_max_threads() == before
    assert_close(y, expected("conv", sizes, x, kernel, y))


def test_a_failure_of_onednn_reaches_the_status_word() -> None:
    sizes = sizes_of(CASES[5])
    tasks = convolution_tasks("conv", sizes)
    tasks.table[0] = 0  # no primitive
    arrays = {name: np.zeros(1, np.float32) for name in ("x", "kernel", "y")}
    assert execute(tasks, arrays, 1) == 2


def test_arguments_keep_the_tasks_alive() -> None:
    tasks = convolution_tasks("conv", sizes_of(CASES[5]))
    args = tasks.args({"x": 1, "kernel": 2, "y": 3}, 64, 128)
    assert [arg.owner for arg in args if isinstance(arg, onednn_tasks.Held)] == [tasks]
    assert args[-3:] == [1, 2, 3]


# Where there is no library.


def test_without_the_library_the_reason_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / onednn.FILE
    monkeypatch.setattr(onednn, "_loaded", [])
    monkeypatch.setattr(onednn, "_places", lambda: iter([path]))
    assert not onednn.available()
    assert onednn.why_not() == f"the library oneDNN cannot be loaded\n  tried {path}: no such file or directory"
    with pytest.raises(LibraryError, match="the library oneDNN cannot be loaded"):
        onednn.library()


def test_a_place_that_is_broken_does_not_hide_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / onednn.FILE).write_bytes(b"not a library")
    places = [tmp_path / onednn.FILE, onednn.library().path]
    monkeypatch.setattr(onednn, "_loaded", [])
    monkeypatch.setattr(onednn, "_places", lambda: iter(places))
    assert onednn.available()


def test_importing_loads_nothing() -> None:
    code = (
        "import septet.backends.cpu.onednn_tasks, sys\n"
        "text = open('/proc/self/maps').read()\n"
        "sys.exit('libdnnl' in text or 'libgomp' in text)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_version_is_the_one_that_the_numbers_are_from() -> None:
    assert onednn.library().version[0] == 3
    assert set(onednn_types.QUERIES) - {"workspace", "scratchpad"} <= set(onednn_types.ARGUMENTS)
