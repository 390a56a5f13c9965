"""Pooling of images whose channels are neighbours: native code, and how its work is cut.

A kernel here has the form ``void f(i64* args, i64 begin, i64 end)`` of `pool` and does tasks begin to end. Its geometry comes
as data, in a block of numbers named by `FIELDS`, so one compiled kernel serves every window, stride, padding and dilation.

- `max_pool`, `sum_pool`: y from x. A task takes some lines of windows of an image.
- `max_pool_gradient`, `sum_pool_transpose`: a gradient of x from one of y. A task takes all windows of some channels of an
  image, since windows overlap; it adds them up in their order.

For each window the places inside of it that lie in x are listed first; then channels are taken a vector at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from septet.backends.cpu import jit
from septet.backends.cpu.builder import Value
from septet.backends.cpu.direct_panels import clear_bytes
from septet.backends.cpu.layouts import Layout
from septet.backends.cpu.writing import Block, Cell, Int, Loop, Writer, module_text, size_of

AXES = ("plane", "line", "column")
FIELDS = (
    "channels", "block_channels", "channel_blocks", "row_blocks", "block_rows", "clears",
    *[f"{name}_{axis}" for name in ("size", "count", "window", "step", "start", "dilation") for axis in AXES],
    *[f"{name}_{axis}" for name in ("x", "y", "to") for axis in ("image", *AXES)],
)  # fmt: skip
"""`size`: of x; `count`: windows. `start`: where the first window begins. x, y, to: strides in elements, of x, of y or its
gradient, and of the gradient of x."""
UNROLLED = 16  # places of a window up to which the code for them is written out
PLACES = 512  # of a window at most: their list lies on the stack
TASKS = 8
LEAST = 1 << 13  # elements of x that a task reads at least
KINDS = ("max_pool", "sum_pool", "max_pool_gradient", "sum_pool_transpose")


class Pooling(NamedTuple):
    """The sizes of a pooling.

    Attributes
    ----------
    x, y : Layout
        Images (B, C, spatial axes), of which the windows are results for y. Channels have stride 1.
    window, stride, dilation : tuple of int
    padding : tuple of (int, int)
    """

    x: Layout
    y: Layout
    window: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]


@dataclass
class Pools:
    """A planned pooling.

    Attributes
    ----------
    tasks : int
    block : ndarray of int64
    """

    tasks: int
    block: np.ndarray


def plan(kind: str, sizes: Pooling, target: Layout | None = None) -> Pools:
    """Plan a pooling or a gradient.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    sizes : Pooling
    target : Layout, optional
        Of the gradient of x.

    Returns
    -------
    Pools
    """
    f = dict.fromkeys(FIELDS, 0)
    batch, channels, *spatial = sizes.x.shape
    more = len(AXES) - len(spatial)
    counts = [*[1] * more, *sizes.y.shape[2:]]
    for name, rest, values in (
        ("size", 1, spatial), ("count", 1, sizes.y.shape[2:]), ("window", 1, sizes.window), ("step", 1, sizes.stride),
        ("start", 0, [-low for low, _ in sizes.padding]), ("dilation", 1, sizes.dilation),
    ):  # fmt: skip
        for axis, value in zip(AXES, [*[rest] * more, *values], strict=True):
            f[f"{name}_{axis}"] = value
    for name, layout in (("x", sizes.x), ("y", sizes.y), ("to", target or sizes.x)):
        assert layout.strides is not None
        image, _, *strides = layout.strides
        for axis, value in zip(("image", *AXES), [image, *[0] * more, *strides], strict=True):
            f[f"{name}_{axis}"] = value
    work = int(np.prod(sizes.y.shape)) * int(np.prod(sizes.window))
    wanted = max(1, min(-(-TASKS // batch), work // (LEAST * batch)))  # tasks of an image
    f["channels"], f["block_channels"], f["channel_blocks"] = channels, channels, 1
    rows = counts[0] * counts[1]
    f["row_blocks"], f["block_rows"] = 1, rows
    if kind in ("max_pool", "sum_pool"):
        f["block_rows"] = -(-rows // min(wanted, rows))
        f["row_blocks"] = -(-rows // f["block_rows"])
    else:
        vectors = -(-channels // 16)
        f["block_channels"] = 16 * -(-vectors // min(wanted, vectors))
        f["channel_blocks"] = -(-channels // f["block_channels"])
        f["clears"] = int(not _covers(sizes))
    return Pools(batch * f["row_blocks"] * f["channel_blocks"], np.array([f[name] for name in FIELDS], np.int64))


def _covers(sizes: Pooling) -> bool:
    """Whether windows lie side by side, so that each element of x belongs to one."""
    axes = zip(
        sizes.x.shape[2:], sizes.y.shape[2:], sizes.window, sizes.stride, sizes.padding, sizes.dilation, strict=True
    )
    return all(w == s and d == 1 and low == 0 and n <= m * s for n, m, w, s, (low, _), d in axes)


def _places() -> Writer:
    """Write ``places(block, plane, line, column, count, seen, targets)``: where a window's places lie in x and its gradient.

    `plane`, `line` and `column` are those of the window's beginning in x. The elements from there go to `seen` and
    `targets`, in the order of the window; their number goes to `count`.
    """
    names = ("block", "ptr"), ("plane", "i64"), ("line", "i64"), ("column", "i64")
    w = Writer("places", [*names, ("count", "ptr"), ("seen", "ptr"), ("targets", "ptr")], is_internal=True)
    f = Block(w, w.pointer("block"), FIELDS)
    number = w.cell()

    def along(level: int, x: Int, to: Int) -> None:
        if level == len(AXES):
            w.store(x, w.pointer("seen"), number.get())
            w.store(to, w.pointer("targets"), number.get())
            number.add(1)
            return
        axis = AXES[level]
        with w.range(0, getattr(f, f"window_{axis}")) as k:
            step = k * getattr(f, f"dilation_{axis}")
            inside = w.b.compare("ult", (w.parameter(axis) + step).value, getattr(f, f"size_{axis}").value)
            with w.when(inside):
                along(level + 1, x + step * getattr(f, f"x_{axis}"), to + step * getattr(f, f"to_{axis}"))

    along(0, w.number(0), w.number(0))
    w.store(number.get(), w.pointer("count"), 0)
    return w


class _Places:
    """A list of a window's places: how many, and where they lie from its beginning in x and in the gradient of x."""

    def __init__(self, w: Writer) -> None:
        self.w = w
        self.counted = w.reserve(1, "i64")
        self.seen, self.targets = w.reserve(PLACES, "i64"), w.reserve(PLACES, "i64")

    def fill(self, f: Block, place: Sequence[Int]) -> None:
        """List the places of a window that begins somewhere in x."""
        self.w.call("places", f.pointer, *place, self.counted, self.seen, self.targets)


class _Task:
    """A kernel under way: what a window does with channels.

    `unrolled` is how many places windows have, where the code for those that lie in x as a whole is written out.
    """

    def __init__(self, kind: str, element: str, lanes: int, unrolled: int) -> None:
        self.kind, self.element, self.lanes, self.unrolled = kind, element, lanes, unrolled
        self.w = Writer("pooling_task", [("args", "ptr"), ("begin", "i64"), ("end", "i64")])
        self.is_forward = kind in ("max_pool", "sum_pool")

    def write(self) -> Writer:
        """Write the kernel. Args: x, y or its gradient, the gradient of x, the block."""
        w, size = self.w, size_of(self.element)
        x, y, to, block = (w.slot(w.pointer("args"), n) for n in range(4))
        f = self.f = Block(w, w.to_pointer(block), FIELDS)
        whole, part = _Places(w), _Places(w)
        middle = [Int(w, w.b.number(0, "i64"))] * len(AXES)
        sizes = [getattr(f, f"size_{axis}") for axis in AXES]
        extents = [(getattr(f, f"window_{a}") - 1) * getattr(f, f"dilation_{a}") for a in AXES]
        fits = w.b.number(True, "i1")
        for extent, length in zip(extents, sizes, strict=True):
            fits = w.b.binary("and", fits, extent.compare("slt", length))
        with w.when(fits):
            whole.fill(f, middle)
        with w.range(w.parameter("begin"), w.parameter("end")) as task:
            channel_block, rest = task % f.channel_blocks, task // f.channel_blocks
            row_block, image = rest % f.row_blocks, rest // f.row_blocks
            first = channel_block * f.block_channels
            channels = (f.channels - first).min(f.block_channels)
            own_x, own_y = w.to_pointer(x + image * f.x_image * size), w.to_pointer(y + image * f.y_image * size)
            own_to = w.to_pointer(to + image * f.to_image * size)
            cleared = w.cell(0)
            begin = row_block * f.block_rows
            end = (begin + f.block_rows).min(f.count_plane * f.count_line)
            with w.range(begin, end) as row:
                place = row // f.count_line, row % f.count_line
                at = [n * getattr(f, f"step_{a}") + getattr(f, f"start_{a}") for n, a in zip(place, AXES, strict=False)]
                if not self.is_forward:
                    self._clear_up_to(own_to, first, channels, cleared, at, extents)
                with w.range(0, f.count_column) as column:
                    window = [*at, column * f.step_column + f.start_column]
                    inside = w.b.number(True, "i1")
                    for start, extent, length in zip(window, extents, sizes, strict=True):
                        inside = w.b.binary("and", inside, start.compare("sge", 0))
                        inside = w.b.binary("and", inside, (start + extent).compare("slt", length))
                    result = place[0] * f.y_plane + place[1] * f.y_line + column * f.y_column
                    own = [w.at(own_y, result, self.element)]
                    for base, prefix in ((own_x, "x"), (own_to, "to")):
                        steps = [n * getattr(f, f"{prefix}_{a}") for n, a in zip(window, AXES, strict=True)]
                        own.append(w.at(base, steps[0] + steps[1] + steps[2], self.element))
                    with w.when(inside):
                        self._window(whole, self.unrolled, first, channels, *own)
                    with w.otherwise(inside):
                        part.fill(f, window)
                        self._window(part, 0, first, channels, *own)
            if not self.is_forward:
                last = [w.number(f.size_plane), w.number(f.size_line)]
                self._clear_up_to(own_to, first, channels, cleared, last, [w.number(0)] * len(AXES))
        return w

    def _clear_up_to(
        self, to: Value, first: Int, channels: Int, cleared: Cell, at: Sequence[Int], extents: Sequence[Int]
    ) -> None:
        """Write zeros to the lines that windows reach for the first time, so that they are near when these add to them.

        Lines of all planes are counted through; with one plane they are reached one after the other.
        """
        w, f = self.w, self.f
        lines = f.size_plane * f.size_line
        several = f.size_plane.compare("ne", 1)
        reached = (at[1] + extents[1] + 1).min(f.size_line).max(0)
        end = Int(w, w.b.select(several, lines.value, reached.value))
        clears = f.clears.compare("ne", 0)
        with w.when(clears), w.range(cleared.get(), end) as line:
            start = line // f.size_line * f.to_plane + line % f.size_line * f.to_line + first
            with w.range(0, f.size_column) as column:
                place = w.at(to, start + column * f.to_column, self.element)
                clear_bytes(w, place, channels * size_of(self.element))
        cleared.set(cleared.get().max(end))

    def _window(self, places: _Places, unrolled: int, first: Int, channels: Int, y: Value, x: Value, to: Value) -> None:
        """Write what a window does: vectors of channels, then those that are left one by one."""
        w = self.w
        whole = channels - channels % self.lanes
        for begin, end, width in ((first, first + whole, self.lanes), (first + whole, first + channels, 1)):
            with w.range(begin, end, width) as channel:
                own = [w.at(place, channel, self.element) for place in (y, x, to)]
                self._channels(places, unrolled if width > 1 else 0, width, *own)

    def _channels(self, places: _Places, unrolled: int, width: int, y: Value, x: Value, to: Value) -> None:
        """Write what a window does with some channels."""
        w, b, element = self.w, self.w.b, self.element
        if self.is_forward:
            found, _ = self._reduce(places, unrolled, width, x)
            b.store(found, y)
            return
        given = b.load(y, element, width)
        which = None if self.kind == "sum_pool_transpose" else self._reduce(places, unrolled, width, x)[1]
        adds = self.f.clears.compare("ne", 0)
        zero = b.number(0, element, width)
        with w.when(adds):
            for target, number in self._targets(places, unrolled, width, to):
                share = given if which is None else b.select(b.compare("oeq", which, number), given, zero)
                b.store(b.binary("fadd", b.load(target, element, width), share), target)
        with w.otherwise(adds):
            for target, number in self._targets(places, unrolled, width, to):
                share = given if which is None else b.select(b.compare("oeq", which, number), given, zero)
                b.store(share, target)

    def _targets(self, places: _Places, unrolled: int, width: int, to: Value) -> Iterator[tuple[Value, Value]]:
        """Write a loop over the places of a window: their addresses, and their numbers."""
        w, b, element = self.w, self.w.b, self.element
        for n in range(unrolled):
            yield w.at(to, w.load(places.targets, n), element), b.number(n, element, width)
        if not unrolled:
            with w.range(0, w.load(places.counted, 0)) as k:
                number = b.splat(b.convert("sitofp", k.value, element), width)
                yield w.at(to, w.load(places.targets, k), element), number

    def _reduce(self, places: _Places, unrolled: int, width: int, x: Value) -> tuple[Value, Value]:
        """Return the sum or maximum over the places of a window, and the number of the first maximum.

        A NaN is a maximum, and of several the first. Of no place at all the sum is 0, the maximum -inf, its number -1.
        """
        w, b, element = self.w, self.w.b, self.element
        is_sum = self.kind == "sum_pool"
        start = b.number(0.0 if is_sum else float("-inf"), element, width), b.number(-1.0, element, width)

        def step(best: Value, which: Value, place: Int, number: Value) -> tuple[Value, Value]:
            value = b.load(w.at(x, place, element), element, width)
            if is_sum:
                return b.binary("fadd", best, value), which
            higher = b.binary("and", b.compare("ugt", value, best), b.compare("ord", best, best))
            return b.select(higher, value, best), b.select(higher, number, which)

        if unrolled:
            first = b.load(w.at(x, w.load(places.seen, 0), element), element, width)
            found = first, b.number(0.0, element, width)
            for n in range(1, unrolled):
                found = step(*found, w.load(places.seen, n), b.number(float(n), element, width))
            return found
        cells = [w.reserve(1, start[0].type) for _ in start]
        for cell, value in zip(cells, start, strict=True):
            b.store(value, cell)
        count = w.load(places.counted, 0)
        some = count.compare("sgt", 0)
        with w.when(some):
            first = b.load(w.at(x, w.load(places.seen, 0), element), element, width)
            loop = Loop(w, count, [start[0] if is_sum else first, b.number(0.0, element, width)])
            number = b.splat(b.convert("sitofp", loop.index.value, element), width)
            loop.close(step(*loop.values, w.load(places.seen, loop.index), number))
            for cell, value in zip(cells, loop.values, strict=True):
                b.store(value, cell)
        best, which = (b.load(cell, element, width) for cell in cells)
        return best, which


def module(name: str) -> jit.Module:
    """Return the module of a kernel, by its `kernel_name`."""
    _, kind, element, lanes, unrolled = name.split("-")
    task = _Task(kind, element, int(lanes), int(unrolled))
    return jit.Module("pooling_task", module_text([_places(), task.write()]))


def kernel_name(kind: str, element: str, lanes: int, window: Sequence[int]) -> str:
    """Return the name of a kernel, for `module`."""
    places = int(np.prod(window))
    return f"pooling-{kind}-{element}-{lanes}-{places if places <= UNROLLED else 0}"


def is_possible(kind: str, sizes: Pooling, *more: Any) -> bool:
    """Tell whether this can compute a pooling: of floats with neighbouring channels and at most three spatial axes."""
    layouts = (sizes.x, sizes.y)
    near = all(layout.strides is not None and (layout.shape[1] == 1 or layout.strides[1] == 1) for layout in layouts)
    axes = len(sizes.x.shape) - 2
    fits = axes == len(sizes.window) and 1 <= axes <= len(AXES) and int(np.prod(sizes.window)) <= PLACES
    return near and fits and sizes.x.dtype in ("float32", "float64") and kind in KINDS
