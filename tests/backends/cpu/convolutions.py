"""Sizes and values for tests of convolutions."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from septet.backends.cpu import jit, native
from septet.backends.cpu.direct_tiles import Machine
from septet.backends.cpu.layouts import Convolution, Layout, channels_last
from septet.ops.conv import conv, conv_input, conv_kernel

# x, kernel, stride, padding, dilation, groups
CASES: list[tuple[Any, ...]] = [
    ((2, 3, 7), (4, 3, 3), 1, 0, 1, 1),
    ((2, 3, 9), (4, 3, 3), 1, ((4, 0),), 2, 1),
    ((2, 16, 12), (8, 8, 3), 2, 1, 1, 2),
    ((2, 3, 8, 9), (16, 3, 3, 3), 1, 1, 1, 1),
    ((3, 1, 12, 12), (32, 1, 5, 5), 1, 2, 1, 1),
    ((2, 16, 8, 8), (24, 16, 3, 3), 1, 1, 1, 1),
    ((2, 16, 9, 8), (8, 16, 3, 3), 2, ((0, 1), (1, 0)), 1, 1),
    ((1, 16, 11, 12), (8, 16, 3, 2), (2, 3), ((1, 0), (0, 2)), (1, 2), 1),
    ((2, 16, 8, 8), (32, 16, 1, 1), 1, 0, 1, 1),
    ((2, 16, 8, 8), (32, 16, 1, 1), 2, 0, 1, 1),
    ((2, 16, 6, 6), (16, 1, 3, 3), 1, 1, 1, 16),
    ((2, 12, 6, 6), (6, 4, 3, 2), (2, 1), ((1, 0), (0, 2)), 1, 3),
    ((1, 5, 6, 7), (7, 5, 2, 3), 1, ((2, 1), (0, 3)), 1, 1),
    ((1, 4, 5, 6, 5), (8, 4, 3, 2, 3), 1, ((1, 0), (0, 1), (1, 1)), 1, 1),
    ((2, 8, 6, 6, 6), (8, 8, 2, 2, 2), 2, 0, 1, 1),
]
KINDS = ("conv", "conv_input", "conv_kernel")


def sizes_of(case: tuple[Any, ...], layout: Any = channels_last) -> Convolution:
    """Return the sizes of a case; the kernel has no order yet."""
    x, kernel, stride, padding, dilation, groups = case
    rank = len(x) - 2
    stride, dilation = (v if isinstance(v, tuple) else (v,) * rank for v in (stride, dilation))
    padding = padding if isinstance(padding, tuple) else ((padding, padding),) * rank
    spatial = [
        (n + low + high - d * (k - 1) - 1) // s + 1
        for n, k, s, (low, high), d in zip(x[2:], kernel[2:], stride, padding, dilation, strict=True)
    ]
    y = layout((x[0], kernel[0], *spatial))
    return Convolution(layout(x), Layout(kernel), y, stride, padding, dilation, groups)


def random(layout: Layout, seed: int = 0) -> np.ndarray:
    """Return a random float32 array of the layout's shape."""
    return np.random.default_rng(seed).standard_normal(layout.shape).astype(np.float32)


def stored(array: np.ndarray, layout: Layout) -> np.ndarray:
    """Return a copy of an array that lies in memory as a layout says."""
    assert layout.strides is not None
    size = 1 + sum((n - 1) * s for n, s in zip(layout.shape, layout.strides, strict=True))
    memory = np.zeros(size, array.dtype)
    strides = [s * array.itemsize for s in layout.strides]
    result = np.lib.stride_tricks.as_strided(memory, layout.shape, strides)
    result[...] = array
    return result


def expected(kind: str, sizes: Convolution, x: np.ndarray, kernel: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return what the card's reference computes in float64."""
    x, kernel, y = (a.astype(np.float64) for a in (x, kernel, y))
    words = {"stride": sizes.stride, "padding": sizes.padding, "dilation": sizes.dilation, "groups": sizes.groups}
    if kind == "conv":
        return conv.reference(x, kernel, **words)
    if kind == "conv_input":
        return conv_input.reference(y, kernel, size=x.shape[2:], **words)
    return conv_kernel.reference(x, y, size=kernel.shape[2:], **words)


def assert_close(found: np.ndarray, truth: np.ndarray, precision: float = 1e-5) -> None:
    """Compare with a tolerance that goes with the size of the values: sums of many terms may cancel."""
    assert found.shape == truth.shape
    largest = max(1.0, float(np.abs(truth).max(initial=0.0)))
    np.testing.assert_allclose(found, truth, rtol=precision, atol=0.3 * precision * largest)


def aligned(size: int, dtype: Any = np.uint8) -> np.ndarray:
    """Return memory on a cache line, full of NaNs."""
    raw = np.full(size * np.dtype(dtype).itemsize + 64, 0xFF, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * np.dtype(dtype).itemsize].view(dtype)


def call(kernel: str, tasks: int, threads: int, args: list[Any]) -> None:
    """Run the tasks of a native kernel in threads."""
    parallel, address = jit.addresses([native.module("parallel"), native.module(kernel)])
    row = np.array([address, tasks, 1, threads, *map(int, args)], np.int64)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(parallel)(row.ctypes.data)


def values(sizes: Convolution, own: Machine) -> list[np.ndarray]:
    """Return x, kernel and y with random values, in the layouts of the sizes."""
    dtype = np.float32 if own.kind == "float" else np.float64
    layouts = (sizes.x, sizes.kernel, sizes.y)
    return [stored(random(layout, n).astype(dtype), layout) for n, layout in enumerate(layouts)]
