"""Convolution by minimal filtering: which convolutions it serves, and how the work is cut, as data for `winograd_kernels`.

The work is cut by the sizes alone. No sum is ever split by the number of threads, so results do not depend on it.

`products` plans `conv` and `conv_input`, `kernels` plans `conv_kernel`. The kernel goes into panels first, or its gradient
comes out of them, as in direct convolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from septet.backends.cpu.direct import LINE, TASKS, Packing, backward_axes, forward_axes
from septet.backends.cpu.direct_tiles import Machine
from septet.backends.cpu.layouts import Convolution, Layout
from septet.backends.cpu.winograd_kernels import FIELDS, PRODUCTS
from septet.backends.cpu.winograd_matrices import SIZE

NEAR = 256 * 1024
"""Bytes of transformed x, or of products, of a task: half of a second cache."""
LEAST, MOST = 24, 64
"""Tiles that are done at a time: enough that reading the transformed kernel pays, and if possible so few that they stay
near."""
PARTS = 16 << 20
"""Bytes of partial results of a kernel's gradient, at most."""
ALONE = 2
"""Blocks of tiles up to which each transforms the kernel anew: writing it to memory and reading it takes longer."""


@dataclass
class Products:
    """A planned `conv` or `conv_input`.

    Attributes
    ----------
    tasks : int
        Of `winograd_product_task`.
    block : ndarray of int64
    memory : int
        Bytes for each thread.
    packing : Packing
        Of the kernel.
    size, step : int
        Elements of the transformed kernel, and from product to product; the size is 0 where tasks transform it themselves.
        Otherwise `winograd_spread_task` has a task for each row of the packing's table.
    packed : int
        Bytes of a panel, for each thread.
    channels : int
        That are summed.
    taps : tuple of int
    """

    tasks: int
    block: np.ndarray
    memory: int
    packing: Packing
    size: int
    step: int
    packed: int
    channels: int
    taps: tuple[int, int]


@dataclass
class Kernels:
    """A planned `conv_kernel`.

    Attributes
    ----------
    tasks : int
        Of `winograd_kernel_task`.
    block : ndarray of int64
    memory : int
        Bytes for each thread.
    parts : int
        Partial results, each of `packing.size` elements.
    packing : Packing
        Of the kernel's gradient.
    taps : tuple of int
    """

    tasks: int
    block: np.ndarray
    memory: int
    parts: int
    packing: Packing
    taps: tuple[int, int]


class _Geometry:
    """The fields of a convolution: x is what tiles see, y what they are results for."""

    def __init__(
        self, machine: Machine, x: Layout, y: Layout, padding: tuple[int, int], taps: tuple[int, int], channels: int,
        outputs: int,
    ) -> None:  # fmt: skip
        self.machine = machine
        f = self.fields = dict.fromkeys(FIELDS, 0)
        assert x.strides is not None and y.strides is not None
        height, width = (-(-size // (SIZE + 1 - r)) for size, r in zip(y.shape[2:], taps, strict=True))
        f["tiles"], f["image_tiles"], f["line_tiles"] = x.shape[0] * height * width, height * width, width
        for name, layout in (("x", x), ("y", y)):
            f[f"{name}_height"], f[f"{name}_width"] = layout.shape[2:]
            f[f"{name}_image"], _, f[f"{name}_line"], f[f"{name}_column"] = layout.strides
        f["x_top"], f["x_left"] = padding
        f["channels"], f["panels"] = channels, outputs // machine.panel
        f["spare_size"] = max(channels, outputs) * machine.item
        f["kernel_step"] = channels * machine.panel + self.skew
        self.memory = 0

    @property
    def skew(self) -> int:
        """Elements of a cache line: what is as far apart as a power of two should not be."""
        return LINE // self.machine.item

    def cut(self, tiles: int) -> None:
        """Choose about how many tiles are done at a time."""
        f = self.fields
        f["blocks"] = -(-f["tiles"] // tiles)
        f["block_tiles"] = -(-f["tiles"] // f["blocks"])

    def place(self, name: str, size: int) -> None:
        """Give something its place in the memory of a thread; size in elements."""
        self.fields[f"{name}_place"] = self.memory
        self.memory += -(-size * self.machine.item // LINE) * LINE

    def finish(self) -> np.ndarray:
        """Return the block."""
        return np.array([self.fields[name] for name in FIELDS], np.int64)


def products(kind: str, sizes: Convolution, machine: Machine) -> Products:
    """Plan `conv` or `conv_input`.

    Parameters
    ----------
    kind : str
        The name of the op.
    sizes : Convolution
        That `serves` allows.
    machine : Machine

    Returns
    -------
    Products
    """
    assert sizes.kernel.strides is not None
    output, channel, *window = sizes.kernel.strides
    outputs, inputs = sizes.kernel.shape[:2]
    taps = _taps(sizes)
    x, y, axes = sizes.x, sizes.y, forward_axes(sizes)
    if kind == "conv_input":
        x, y, (axes,) = sizes.y, sizes.x, backward_axes(sizes)
        output, channel, outputs, inputs = channel, output, inputs, outputs
    packing = Packing(output, channel, inputs)
    offsets = [a * window[0] + c * window[1] for _, a in axes[1].elements for _, c in axes[2].elements]
    packing.add([0], offsets, outputs, machine.panel)
    own = _Geometry(machine, x, y, (-axes[1].low, -axes[2].low), taps, inputs, outputs)
    f = own.fields
    near = NEAR // (inputs * PRODUCTS * machine.item)
    own.cut(near if LEAST <= near <= MOST else MOST)
    wanted = -(-TASKS // f["blocks"])
    f["block_panels"] = -(-f["panels"] // min(wanted, f["panels"]))
    f["panel_blocks"] = -(-f["panels"] // f["block_panels"])
    most = max(1, NEAR // (f["block_tiles"] * PRODUCTS * machine.panel * machine.item))
    f["some_panels"] = min(most, f["block_panels"])
    f["x_pitch"] = inputs
    f["x_step"] = f["block_tiles"] * inputs + own.skew
    f["y_pitch"] = f["some_panels"] * machine.panel
    f["y_step"] = f["block_tiles"] * f["y_pitch"] + own.skew
    own.memory = 2 * f["spare_size"]
    own.place("x", PRODUCTS * f["x_step"])
    own.place("y", PRODUCTS * f["y_step"])
    size = f["panels"] * PRODUCTS * f["kernel_step"]
    packed = taps[0] * taps[1] * inputs * machine.panel
    if f["blocks"] <= ALONE:
        f["is_alone"], size = 1, 0
        own.place("kernel", f["some_panels"] * PRODUCTS * f["kernel_step"])
        own.place("packed", packed)
    tasks, step = f["blocks"] * f["panel_blocks"], f["kernel_step"]
    return Products(
        tasks, own.finish(), own.memory, packing, size, step, packed * machine.item, inputs, taps
    )  # fmt: skip


def kernels(sizes: Convolution, machine: Machine) -> Kernels:
    """Plan `conv_kernel`.

    Parameters
    ----------
    sizes : Convolution
        That `serves` allows.
    machine : Machine

    Returns
    -------
    Kernels
    """
    assert sizes.kernel.strides is not None
    output, channel, *window = sizes.kernel.strides
    outputs, inputs = sizes.kernel.shape[:2]
    taps = _taps(sizes)
    axes = forward_axes(sizes)
    packing = Packing(output, channel, inputs)
    offsets = [a * window[0] + c * window[1] for _, a in axes[1].elements for _, c in axes[2].elements]
    packing.add([0], offsets, outputs, machine.panel)
    own = _Geometry(machine, sizes.x, sizes.y, (-axes[1].low, -axes[2].low), taps, inputs, outputs)
    f = own.fields
    own.cut(MOST)
    parts = max(1, min(TASKS, f["blocks"], PARTS // (packing.size * machine.item)))
    f["part_blocks"] = -(-f["blocks"] // parts)
    f["parts"] = -(-f["blocks"] // f["part_blocks"])
    f["part_size"] = packing.size
    wanted = max(1, TASKS // f["parts"])
    f["block_panels"] = -(-f["panels"] // min(wanted, f["panels"]))
    f["panel_blocks"] = -(-f["panels"] // f["block_panels"])
    f["x_step"] = f["block_tiles"] * inputs + own.skew
    f["y_step"] = f["block_tiles"] * f["block_panels"] * machine.panel + own.skew
    own.memory = f["spare_size"]
    own.place("x", PRODUCTS * f["x_step"])
    own.place("y", PRODUCTS * f["y_step"])
    own.place("kernel", f["block_panels"] * PRODUCTS * f["kernel_step"])
    tasks = f["parts"] * f["panel_blocks"]
    return Kernels(tasks, own.finish(), own.memory, f["parts"], packing, taps)


def _taps(sizes: Convolution) -> tuple[int, int]:
    height, width = sizes.kernel.shape[2:]
    return height, width


def is_possible(sizes: Convolution, machine: Machine) -> bool:
    """Tell whether minimal filtering can compute a convolution, with tiles for the channels of its result."""
    if len(sizes.kernel.shape) != 4 or sizes.groups != 1 or machine.kind != "float":
        return False
    if set(sizes.stride) | set(sizes.dilation) != {1} or not set(sizes.kernel.shape[2:]) <= {3, 5}:
        return False
    return sizes.kernel.shape[0] % machine.panel == 0 and sizes.kernel.shape[1] % machine.panel == 0


FEW = 4
WORTH = 1.75


def is_worth(kind: str, sizes: Convolution) -> bool:
    """Tell whether it is faster than plain sums of products.

    Measured on two cores with AVX2 (benchmarks/convolutions.py): a transformed kernel is 4 times as large, so `FEW` tiles
    at least must share it. At the rim of small images, results of tiles are thrown away: multiplications must fall by
    `WORTH` at least.
    """
    taps = sizes.kernel.shape[2:]
    images = sizes.x if kind == "conv_input" else sizes.y
    pixels = tiles = images.shape[0]
    for size, r in zip(images.shape[2:], taps, strict=True):
        pixels *= size
        tiles *= -(-size // (SIZE + 1 - r))
    return tiles >= FEW and pixels * taps[0] * taps[1] >= WORTH * tiles * PRODUCTS
