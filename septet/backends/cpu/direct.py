"""Direct convolution in channels-last order, by our own tiles: how the work is cut, as data for `direct_kernels`.

The work is cut by the sizes alone. No sum is ever split by the number of threads, so results do not depend on it.

`products` plans `conv` and `conv_input`. The gradient of x with a stride is several products, one for each remainder of a
position by the stride: each uses its own elements of the kernel, and no multiplication by zero is left. `kernels` plans
`conv_kernel`. Both want the kernel in panels, which `pack` and `unpack` describe.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from septet.backends.cpu.direct_kernels import DIRECT, ELEMENTS, FIELDS, PIXELS, ROWS
from septet.backends.cpu.direct_tiles import Machine
from septet.backends.cpu.held import Held
from septet.backends.cpu.layouts import Convolution, Layout

COPY = 192 * 1024
"""Bytes of x that a task copies: with its panel of the kernel and its part of y they stay in the second cache."""
LINE = 64
RUN = 576  # elements of a window that are done at a time, so that panels of them stay near
WINDOWS = 512  # windows of a task, at most, where they are more than a line
BLOCK = 120  # windows that share a panel of the kernel while it is in the first cache
GRADIENT_BLOCK = 128  # the same for the kernel's gradient, where a panel of y stays
TASKS = 16  # tasks wanted at least: several for each thread, so that a thread that is slowed down takes fewer
LEAST = 1 << 19  # multiplications of a task at least: some 15 microseconds
MOST = 1 << 33  # at most, about: a quarter of a second, after which Ctrl-C comes through
NEAR = 256  # bytes of all channels of y up to which a panel of it may be read where it lies
PARTS = 8 << 20  # bytes of partial results of a kernel's gradient, at most


class Axis(NamedTuple):
    """One spatial axis of a product: window t sees x[t * step + e] for the elements e.

    Attributes
    ----------
    windows : int
        How many.
    step : int
    elements : tuple of (int, int)
        Position in x relative to the window, position in the kernel; ascending.
    start, stride : int
        Window t is position start + t * stride of the result.
    """

    windows: int
    step: int
    elements: tuple[tuple[int, int], ...]
    start: int = 0
    stride: int = 1

    @property
    def low(self) -> int:
        """The least position in x relative to the window."""
        return self.elements[0][0]

    @property
    def extent(self) -> int:
        """From the least position to the greatest, both counted."""
        return self.elements[-1][0] - self.elements[0][0] + 1

    def is_inside(self, size: int) -> bool:
        """Whether no window leaves x."""
        return self.low >= 0 and (self.windows - 1) * self.step + self.elements[-1][0] < size


NO_AXIS = Axis(1, 1, ((0, 0),))


def forward_axes(sizes: Convolution) -> list[Axis]:
    """Return the axes of `conv`, three of them."""
    axes = []
    for i, (count, window) in enumerate(zip(sizes.y.shape[2:], sizes.kernel.shape[2:], strict=True)):
        low, d = sizes.padding[i][0], sizes.dilation[i]
        axes.append(Axis(count, sizes.stride[i], tuple((k * d - low, k) for k in range(window))))
    return [NO_AXIS] * (3 - len(axes)) + axes


def backward_axes(sizes: Convolution) -> list[list[Axis]]:
    """Return the axes of the products that make up `conv_input`."""
    choices: list[list[Axis]] = [[NO_AXIS]] * (5 - len(sizes.x.shape))
    for i, (size, window) in enumerate(zip(sizes.x.shape[2:], sizes.kernel.shape[2:], strict=True)):
        stride, low, d = sizes.stride[i], sizes.padding[i][0], sizes.dilation[i]
        own = []
        for start in range(min(stride, size)):
            reach = [start + low - k * d for k in range(window)]
            elements = sorted((at // stride, k) for k, at in enumerate(reach) if at % stride == 0)
            own.append(Axis(-(-(size - start) // stride), 1, tuple(elements), start, stride))
        choices.append(own)
    return [list(axes) for axes in itertools.product(*choices)]


class Source(NamedTuple):
    """What windows slide over, with three spatial axes: sizes, and strides in elements."""

    sizes: tuple[int, ...]
    image: int
    channel: int
    strides: tuple[int, ...]


def _source(layout: Layout) -> Source:
    assert layout.strides is not None
    more = 5 - len(layout.shape)
    sizes = (*[1] * more, *layout.shape[2:])
    strides = (*[0] * more, *layout.strides[2:])
    return Source(sizes, layout.strides[0], layout.strides[1], strides)


@dataclass
class Packing:
    """How a kernel goes into panels, or its gradient out of them: the table of `pack_task` and `unpack_task`.

    Attributes
    ----------
    output, channel : int
        Strides of the channels of panels and of those that are summed, in elements.
    channels : int
        Channels that are summed, of a group.
    size : int
        Elements of all panels.
    table : ndarray of int64
        Rows of 5 numbers.
    places : ndarray of int64
        Where all elements of an output channel are neighbours in memory: the row of the panel that each goes to.
        Otherwise empty.
    """

    output: int
    channel: int
    channels: int
    size: int = 0
    rows: list[list[int]] = field(default_factory=list)
    offsets: list[np.ndarray] = field(default_factory=list)
    table: np.ndarray = field(default_factory=lambda: np.zeros((0, 5), np.int64))
    places: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def add(self, starts: Sequence[int], offsets: Sequence[int], outputs: int, panel: int) -> int:
        """Add the panels of groups that begin at `starts`; return where they begin among all panels."""
        begin = self.size
        self.places = self._places(offsets) if begin == 0 else np.zeros(0, np.int64)
        kept = np.array(offsets, np.int64)
        self.offsets.append(kept)
        for start in starts:
            for first in range(0, outputs, panel):
                width = min(panel, outputs - first)
                row = [start + first * self.output, len(offsets), int(kept.ctypes.data), self.size, width]
                self.rows.append(row)
                self.size += len(offsets) * self.channels * panel
        self.table = np.array(self.rows, np.int64).reshape(-1, 5)
        return begin

    def _places(self, offsets: Sequence[int]) -> np.ndarray:
        steps = np.arange(self.channels) * self.channel
        flat = (np.array(offsets, np.int64)[:, None] + steps).ravel()
        order = np.argsort(flat, kind="stable")
        is_dense = np.array_equal(flat[order], np.arange(len(flat)))
        return order.astype(np.int64) if is_dense and self.output != 1 else np.zeros(0, np.int64)

    def args(self, kernel: Any, packed: Any) -> list[Any]:
        """Return the arguments of `pack_task`, and the first of those of `unpack_task`."""
        tables = [Held(self.table.ctypes.data, self), len(self.places), Held(self.places.ctypes.data, self)]
        return [kernel, packed, self.output, self.channel, self.channels, *tables]


@dataclass
class Products:
    """A planned `conv` or `conv_input`.

    Attributes
    ----------
    tasks : int
        Of `product_task`.
    blocks : ndarray of int64
        One row for each product.
    memory : int
        Bytes for each thread.
    packing : Packing
        Of the kernel.
    """

    tasks: int
    blocks: np.ndarray
    memory: int
    packing: Packing
    kept: list[Any]


@dataclass
class Kernels:
    """A planned `conv_kernel`.

    Attributes
    ----------
    tasks : int
        Of `kernel_task`.
    block : ndarray of int64
    memory : int
        Bytes for each thread.
    parts : int
        Partial results, each of `packing.size` elements.
    packing : Packing
        Of the kernel's gradient.
    """

    tasks: int
    block: np.ndarray
    memory: int
    parts: int
    packing: Packing
    kept: list[Any]


class _Geometry:
    """The fields of one product: what depends on x, the windows and the order of memory."""

    def __init__(
        self, machine: Machine, x: Layout, y: Layout, axes: Sequence[Axis], channels: int, outputs: int, groups: int,
        *, spread: bool = False, aligned: bool = False,
    ) -> None:  # fmt: skip
        self.machine = machine
        self.axes = axes
        self.channels, self.outputs, self.groups = channels, outputs, groups
        self.item = machine.item
        self.panels = -(-outputs // machine.panel)
        self.depth = axes[0].windows
        self.planes = x.shape[0] * self.depth
        source, target = _source(x), _source(y)
        is_flat = channels == 1 or source.channel == 1
        self.empty = any(not axis.elements for axis in axes)
        # Pixels a multiple of 256 bytes apart share few sets of the first cache: a walk over windows wants others.
        is_crowded = spread and axes[2].step * source.strides[2] * self.item % 256 == 0
        is_inside = all(axis.is_inside(size) for axis, size in zip(axes, source.sizes, strict=True) if axis.elements)
        self.is_direct = self.empty or (is_flat and is_inside and not is_crowded)
        skew = LINE // self.item if spread and channels * self.item % 256 == 0 else 0
        self.pixel = channels + skew
        f = self.fields = dict.fromkeys(FIELDS, 0)
        f["planes"], f["lines"], f["columns"], f["depth"] = self.planes, axes[1].windows, axes[2].windows, self.depth
        f["y_image"], f["y_group"] = target.image, outputs * target.channel
        for name, axis, stride in zip(("y_plane", "y_line", "y_column"), axes, target.strides, strict=True):
            f[name] = axis.stride * stride
        f["y_start"] = sum(axis.start * stride for axis, stride in zip(axes, target.strides, strict=True))
        f["x_depth"], f["x_height"] = source.sizes[:2]
        f["x_image"], f["x_channel"], f["x_group"] = source.image, source.channel, channels * source.channel
        f["x_plane"], f["x_line"], f["x_column"] = source.strides
        f["channels"], f["outputs"], f["panels"] = channels, outputs, self.panels
        f["mode"] = DIRECT
        if self.empty:
            return
        f["step_plane"], f["step_line"] = axes[0].step, axes[1].step
        f["start_plane"], f["start_line"], f["start_column"] = axes[0].low, axes[1].low, max(axes[2].low, 0)
        self.row = ((axes[2].windows - 1) * axes[2].step + axes[2].extent) * self.pixel
        if self.is_direct:
            steps = [axis.step * stride for axis, stride in zip(axes, source.strides, strict=True)]
            f["place_image"], f["place_plane"], f["place_line"], f["place_column"] = (source.image, *steps)
            self.strides = source.strides
        else:
            self._copy(source, is_flat)
        self._set_runs()

    def _copy(self, source: Source, is_flat: bool) -> None:
        f, axis, pixel = self.fields, self.axes[2], self.pixel
        width = source.sizes[2]
        is_row = is_flat and source.strides[2] == pixel
        f["mode"] = ROWS if is_row else PIXELS if is_flat else ELEMENTS
        seen = self.row // pixel
        before = min(max(-axis.low, 0), seen)
        copied = max(min(width, axis.low + seen) - max(axis.low, 0), 0)
        f["row"], f["pixel"] = self.row, pixel
        f["zeros_before"], f["copied"] = before * pixel, copied * pixel
        f["zeros_after"] = (seen - before - copied) * pixel
        f["copy_planes"] = self.axes[0].extent
        f["place_column"] = axis.step * pixel

    def is_y_dense(self) -> bool:
        """Whether the same distance lies between all windows, and whole panels can be read."""
        f = self.fields
        steps = [(f["y_column"], self.axes[2].windows), (f["y_line"], f["lines"]), (f["y_plane"], self.depth)]
        following = [f["y_line"], f["y_plane"], f["y_image"]]
        dense = all(step * count == after for (step, count), after in zip(steps, following, strict=True))
        return dense and self.outputs % self.machine.panel == 0

    def cut(self, budget: int, windows: int) -> None:
        """Choose how many planes and lines a task takes: what fits into the budget, about as many windows as wanted."""
        f, axes = self.fields, self.axes
        lines, columns = axes[1].windows, axes[2].windows
        own_lines = lines if lines * columns <= windows else max(1, windows // columns)
        if not self.is_direct:
            own_lines = min(own_lines, max(1, self._lines_within(budget)))
        own_lines = -(-lines // -(-lines // own_lines))
        own_planes = 1
        if own_lines == lines:
            own_planes = max(1, windows // (lines * columns))
            if not self.is_direct:
                least = -(-BLOCK // (lines * columns))  # each panel of the kernel that is read should serve so many
                own_planes = min(own_planes, max(least, budget // self._plane_bytes(lines)))
        own_planes = min(own_planes, self.planes)
        own_planes = -(-self.planes // -(-self.planes // own_planes))
        f["block_planes"], f["block_lines"] = own_planes, own_lines
        f["plane_blocks"], f["line_blocks"] = -(-self.planes // own_planes), -(-lines // own_lines)
        f["most_windows"] = own_planes * own_lines * columns
        if not self.is_direct:
            f["copy_rows"] = self._rows(own_lines)
            f["place_line"] = axes[1].step * self.row
            f["place_plane"] = f["copy_planes"] * f["copy_rows"] * self.row
            self.strides = (f["copy_rows"] * self.row, self.row, self.pixel)
        self._place_memory()

    def _rows(self, lines: int) -> int:
        return (lines - 1) * self.axes[1].step + self.axes[1].extent

    def _plane_bytes(self, lines: int) -> int:
        return self.fields["copy_planes"] * self._rows(lines) * self.row * self.item

    def _lines_within(self, budget: int) -> int:
        rows = budget // (self.fields["copy_planes"] * self.row * self.item)
        return (rows - self.axes[1].extent) // self.axes[1].step + 1

    def _place_memory(self) -> None:
        f = self.fields
        copy = 0 if self.is_direct else f["block_planes"] * f["place_plane"] * self.item
        f["tables"] = -(-copy // LINE) * LINE
        f["packed"] = f["tables"] + -(-f["most_windows"] * 16 // LINE) * LINE
        self.memory = f["packed"]

    def _set_runs(self) -> None:
        """Cut the window into runs: rows of it, where these are one after the other and not too long."""
        elements = self.axes[2].elements
        offsets = [at for at, _ in elements]
        pixel = self.fields["x_column"] if self.is_direct else self.pixel
        width = len(elements) * self.channels
        is_dense = offsets == list(range(offsets[0], offsets[0] + len(offsets)))
        self.is_merged = is_dense and pixel == self.channels and width <= RUN and len(elements) > 1
        self.pieces = 1
        self.length = width
        if not self.is_merged:
            pieces = range(-(-self.channels // RUN), self.channels + 1)
            self.pieces = next((n for n in pieces if self.channels % n == 0 and n < 64), 1)
            self.length = self.channels // self.pieces

    def runs(self) -> np.ndarray:
        """Return where runs begin, relative to their window, in the order of packed kernels."""
        if self.empty:
            return np.zeros(0, np.int64)
        low = [0, 0, 0] if self.is_direct else [axis.low for axis in self.axes]
        planes, lines, columns = (
            [(at - start) * stride for at, _ in axis.elements]
            for axis, start, stride in zip(self.axes, low, self.strides, strict=True)
        )
        last = columns[:1] if self.is_merged else [c + n * self.length for c in columns for n in range(self.pieces)]
        return np.array([p + r + c for p in planes for r in lines for c in last], np.int64)

    def offsets(self, strides: Sequence[int]) -> list[int]:
        """Return where the elements of the window lie in the kernel, in the order of the runs."""
        more = [0] * (3 - len(strides))
        parts = [
            [k * stride for _, k in axis.elements] for axis, stride in zip(self.axes, [*more, *strides], strict=True)
        ]
        return [sum(own) for own in itertools.product(*parts)]

    def finish(self, first: int, runs: np.ndarray, block_runs: int) -> list[int]:
        """Return the block."""
        f = self.fields
        f["first"], f["runs"], f["n_runs"] = first, int(runs.ctypes.data), len(runs)
        f["length"], f["block_runs"] = (0 if self.empty else self.length), max(1, block_runs)
        return [f[name] for name in FIELDS]


def _balanced(total: int, most: int) -> int:
    """Return the size of equal parts of at most `most`."""
    return -(-total // max(1, -(-total // max(most, 1))))


def products(kind: str, sizes: Convolution, machine: Machine) -> Products:
    """Plan `conv` or `conv_input`.

    Parameters
    ----------
    kind : str
        The name of the op.
    sizes : Convolution
        The channels of the result have stride 1; everything else lies as it likes.
    machine : Machine

    Returns
    -------
    Products
    """
    groups = sizes.groups
    outputs, inputs = sizes.kernel.shape[0] // groups, sizes.kernel.shape[1]
    assert sizes.kernel.strides is not None
    output, channel, *window = sizes.kernel.strides
    group = output * outputs
    x, y, phases = sizes.x, sizes.y, [forward_axes(sizes)]
    if kind == "conv_input":
        x, y, phases = sizes.y, sizes.x, backward_axes(sizes)
        output, channel, outputs, inputs = channel, output, inputs, outputs
    packing = Packing(output, channel, inputs)
    blocks, kept, first, memory = [], [], 0, 0
    for axes in phases:
        own = _Geometry(machine, x, y, axes, inputs, outputs, groups)
        own.cut(COPY, WINDOWS)
        f = own.fields
        offsets = own.offsets(window)
        f["kernel_start"] = packing.add([g * group for g in range(groups)], offsets, outputs, machine.panel)
        f["kernel_group"] = own.panels * len(offsets) * inputs * machine.panel
        f["block_windows"] = BLOCK
        tasks = f["plane_blocks"] * f["line_blocks"] * groups
        work = own.planes * axes[1].windows * axes[2].windows * groups * outputs * inputs * len(offsets)
        wanted = max(1, min(-(-TASKS // tasks), work // (tasks * LEAST)), work // (tasks * MOST))
        f["block_panels"] = _balanced(own.panels, -(-own.panels // wanted))
        f["panel_blocks"] = -(-own.panels // f["block_panels"])
        f["count"] = tasks * f["panel_blocks"]
        runs = own.runs()
        kept.append(runs)
        block_runs = 1 if own.empty else _balanced(len(runs), max(1, RUN // own.length))
        blocks.append(own.finish(first, runs, block_runs))
        first += f["count"]
        memory = max(memory, own.memory)
    return Products(first, np.array(blocks, np.int64), memory, packing, kept)


def kernels(sizes: Convolution, machine: Machine) -> Kernels:
    """Plan `conv_kernel`.

    Parameters
    ----------
    sizes : Convolution
        The channels of y have stride 1; everything else lies as it likes.
    machine : Machine

    Returns
    -------
    Kernels
    """
    groups = sizes.groups
    outputs, inputs = sizes.kernel.shape[0] // groups, sizes.kernel.shape[1]
    assert sizes.kernel.strides is not None
    output, channel, *window = sizes.kernel.strides
    axes = forward_axes(sizes)
    own = _Geometry(machine, sizes.x, sizes.y, axes, inputs, outputs, groups, spread=True)
    own.cut(COPY, WINDOWS)
    f = own.fields
    offsets = own.offsets(window)
    packing = Packing(output, channel, inputs)
    packing.add([g * output * outputs for g in range(groups)], offsets, outputs, machine.panel)
    f["kernel_group"] = own.panels * len(offsets) * inputs * machine.panel
    f["part_size"] = packing.size
    f["block_windows"] = GRADIENT_BLOCK
    if own.is_y_dense() and sizes.y.shape[1] * own.item <= NEAR:
        f["y_step"] = f["y_column"]
    runs = own.runs()
    work = sizes.work
    most = max(1, work // LEAST)  # tasks that are worth it
    steps = f["plane_blocks"]
    parts = max(1, min(TASKS, most, steps, PARTS // (packing.size * own.item)))
    f["part_planes"] = _balanced(steps, -(-steps // parts)) * f["block_planes"]
    parts = -(-own.planes // f["part_planes"])
    wanted = max(1, min(-(-TASKS // (parts * groups)), most // (parts * groups)), work // (parts * groups * MOST))
    f["block_panels"] = _balanced(own.panels, -(-own.panels // wanted))
    f["panel_blocks"] = -(-own.panels // f["block_panels"])
    wanted = max(1, wanted // f["panel_blocks"])
    block_runs = _balanced(len(runs), -(-len(runs) // wanted))
    f["run_blocks"] = -(-len(runs) // block_runs)
    f["plane_blocks"] = groups
    f["parts"] = parts
    tasks = f["panel_blocks"] * f["run_blocks"] * groups * parts
    memory = f["packed"] + f["block_panels"] * f["most_windows"] * machine.panel * own.item
    if own.length >= machine.panel:
        f["elements"] = -(-memory // LINE) * LINE
        memory = f["elements"] + GRADIENT_BLOCK * machine.panel * own.item
    block = own.finish(0, runs, block_runs)
    return Kernels(tasks, np.array([block], np.int64), memory, parts, packing, [runs])
