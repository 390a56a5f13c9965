"""Convolution of few windows, as dot products with the kernel as it lies in memory: batch 1, late in a network.

There a kernel has many more elements than there are results, and putting it into panels takes longer than the
multiplications. Here it is read once, where it is. The windows are written out instead, with their elements in the order
of the kernel's: `windows_task`. `dots_task` multiplies some output channels with some windows at a time, along vectors.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from septet.backends.cpu import jit
from septet.backends.cpu.builder import Builder, Value
from septet.backends.cpu.direct_panels import transpose
from septet.backends.cpu.layouts import Convolution
from septet.backends.cpu.writing import Int, Loop, Writer, module_text, size_of

ROWS, COLUMNS = 4, 3  # output channels and windows of a tile: 12 sums, and 4 registers for what is multiplied
RUN = (
    1536  # elements of a window that are done at a time: those of the kernel stay in the first cache (24 KB of float32)
)
CHANNELS = 16  # output channels of a task
MOST = 64  # windows: with more, the products take longer than putting the kernel into panels
LARGE = 1 << 18  # elements of a kernel from which on it matters


@dataclass
class Dots:
    """A planned `conv`.

    Attributes
    ----------
    windows : int
        Tasks of `windows_task`.
    length : int
        Elements of a window.
    tasks : int
        Of `dots_task`.
    channels : int
        Of x.
    sources : ndarray of int64
        For each window and each place in it where that lies in x; -1 for what is outside.
    targets : ndarray of int64
        Where the results of a window lie in y.
    """

    windows: int
    length: int
    tasks: int
    channels: int
    sources: np.ndarray
    targets: np.ndarray


def plan(sizes: Convolution) -> Dots:
    """Plan `conv`. The channels of y are neighbours, the kernel lies in the order of its axes; x lies as it likes."""
    outputs, inputs, *window = sizes.kernel.shape
    assert sizes.x.strides is not None and sizes.y.strides is not None
    results = list(itertools.product(range(sizes.y.shape[0]), *[range(n) for n in sizes.y.shape[2:]]))
    where = np.array(results, np.int64)  # (windows, 1 + spatial axes)
    taps = np.array(list(itertools.product(*[range(k) for k in window])), np.int64)  # (places, spatial axes)
    low = np.array([pair[0] for pair in sizes.padding])
    at = where[:, None, 1:] * np.array(sizes.stride) - low + taps * np.array(sizes.dilation)
    inside = ((at >= 0) & (at < np.array(sizes.x.shape[2:]))).all(2)
    place = where[:, None, 0] * sizes.x.strides[0] + (at * np.array(sizes.x.strides[2:])).sum(2)
    spatial = np.array([sizes.y.strides[0], *sizes.y.strides[2:]])
    sources = np.ascontiguousarray(np.where(inside, place, -1))
    tasks = outputs // CHANNELS
    return Dots(len(where), len(taps) * inputs, tasks, inputs, sources, (where * spatial).sum(1))


def is_possible(kind: str, sizes: Convolution, lanes: int) -> bool:
    """Tell whether this can compute a convolution."""
    length = int(np.prod(sizes.kernel.shape[1:]))
    natural = tuple(int(np.prod(sizes.kernel.shape[axis + 1 :])) for axis in range(len(sizes.kernel.shape)))
    is_natural = all(n == 1 or s == t for n, s, t in zip(sizes.kernel.shape, sizes.kernel.strides or (), natural))
    is_even = length % lanes == 0 and sizes.kernel.shape[0] % CHANNELS == 0
    return kind == "conv" and sizes.groups == 1 and is_natural and is_even and sizes.x.dtype == "float32"


def is_worth(sizes: Convolution) -> bool:
    """Tell whether it is faster than what puts the kernel into panels."""
    windows = sizes.y.shape[0] * int(np.prod(sizes.y.shape[2:]))
    return windows <= MOST and int(np.prod(sizes.kernel.shape)) >= LARGE


def _windows_task() -> Writer:
    """Write the kernel. Args: x, windows, sources, places of a window, channels, elements of x from channel to channel."""
    w = Writer("windows_task", [("args", "ptr"), ("begin", "i64"), ("end", "i64")])
    x, windows, sources, places, channels, step = (w.slot(w.pointer("args"), n) for n in range(6))
    kind, size = "float", size_of("float")
    with w.range(w.parameter("begin"), w.parameter("end")) as window, w.range(0, places) as place:
        source = w.load(w.to_pointer(sources), window * places + place)
        target = w.at(w.to_pointer(windows), window * places * channels + place, kind)
        inside = source.compare("sge", 0)
        with w.when(inside), w.range(0, channels) as c:
            value = w.b.load(w.to_pointer(x + (source + c * step) * size), kind)
            w.b.store(value, w.at(target, c * places, kind))
        with w.otherwise(inside), w.range(0, channels) as c:
            w.b.store(w.b.number(0, kind), w.at(target, c * places, kind))
    return w


def _tile(lanes: int, columns: int) -> Writer:
    """Write ``dots<columns>(kernel, windows, pitch, length, y, targets, adds)``: some windows, with the rows of a tile.

    y[targets[n] + m] = sum over j of kernel[m * pitch + j] * windows[n * pitch + j]; where `adds` is not 0, added to what y
    held. `length` is at least a vector.
    """
    names = ("kernel", "ptr"), ("windows", "ptr"), ("pitch", "i64"), ("length", "i64"), ("y", "ptr"), ("targets", "ptr")
    w = Writer(f"dots{columns}", [*names, ("adds", "i64")], is_internal=True)
    b, pitch = w.b, w.parameter("pitch")
    rows = [w.at(w.pointer("kernel"), pitch * m, "float") for m in range(ROWS)]
    windows = [w.at(w.pointer("windows"), pitch * n, "float") for n in range(columns)]
    zero = b.number(0, "float", lanes)
    loop = Loop(w, w.parameter("length") // lanes, [zero] * (ROWS * columns))
    at = loop.index * lanes
    seen = [b.load(w.at(window, at, "float"), "float", lanes) for window in windows]
    sums = []
    for m, row in enumerate(rows):
        factor = b.load(w.at(row, at, "float"), "float", lanes)
        for n, value in enumerate(seen):
            sums.append(b.intrinsic("fmuladd", factor, value, loop.values[m * columns + n]))
    loop.close(sums)
    adds = w.parameter("adds").compare("ne", 0)
    for n in range(columns):
        total = _totals(b, [loop.values[m * columns + n] for m in range(ROWS)])
        place = w.at(w.pointer("y"), w.load(w.pointer("targets"), n), "float")
        with w.when(adds):
            b.store(b.binary("fadd", b.load(place, "float", ROWS), total), place)
        with w.otherwise(adds):
            b.store(total, place)
    return w


def _totals(b: Builder, vectors: list[Value]) -> Value:
    """Return a vector of the sums of all lanes of as many vectors."""
    while vectors[0].lanes > len(vectors):
        half = vectors[0].lanes // 2
        vectors = [b.binary("fadd", b.shuffle(v, range(half)), b.shuffle(v, range(half, 2 * half))) for v in vectors]
    first, *rest = transpose(b, vectors)
    for column in rest:
        first = b.binary("fadd", first, column)
    return first


def _dots_task(lanes: int) -> Writer:
    """Write the kernel. Args: kernel, windows, how many, elements of one, y, targets."""
    w = Writer("dots_task", [("args", "ptr"), ("begin", "i64"), ("end", "i64")])
    kernel, windows, count, length, y, targets = (w.slot(w.pointer("args"), n) for n in range(6))
    size = size_of("float")
    with w.range(w.parameter("begin"), w.parameter("end")) as task, w.range(0, length, RUN) as start:
        run = (length - start).min(RUN)
        adds = Int(w, w.b.convert("zext", start.compare("ne", 0), "i64"))
        first = task * CHANNELS
        with w.range(first, first + CHANNELS, ROWS) as row, w.range(0, count, COLUMNS) as window:
            own = w.to_pointer(kernel + (row * length + start) * size)
            seen = w.to_pointer(windows + (window * length + start) * size)
            target = w.to_pointer(y + row * size)
            args = own, seen, length, run, target, w.at(w.to_pointer(targets), window, "i64"), adds
            rest = count - window
            for columns in range(1, COLUMNS + 1):
                fits = rest.compare("eq" if columns < COLUMNS else "sge", columns)
                with w.when(fits):
                    w.call(f"dots{columns}", *args)
    return w


def module(name: str) -> jit.Module:
    """Return the module of a kernel, by its `kernel_name`."""
    task, lanes = name.split("-")
    if task == "windows_task":
        return jit.Module(task, module_text([_windows_task()]))
    tiles = [_tile(int(lanes), columns + 1) for columns in range(COLUMNS)]
    return jit.Module(task, module_text([*tiles, _dots_task(int(lanes))]))


def kernel_name(task: str, lanes: int) -> str:
    """Return the name of one of the kernels windows_task and dots_task, for `module`."""
    return f"{task}-{lanes}"
