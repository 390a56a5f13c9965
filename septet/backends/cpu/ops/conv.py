"""Convolutions: by minimal filtering, by our own tiles, or by oneDNN where each channel is convolved by itself.

Images are kept with their channels next to each other, through the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from septet.backends.cpu import dots, onednn, winograd
from septet.backends.cpu.direct_tiles import machine
from septet.backends.cpu.layouts import Convolution
from septet.backends.cpu.ops import conv_direct, conv_dots, conv_onednn, conv_winograd
from septet.backends.cpu.ops.conv_parts import channels_last, shaped, sizes_of
from septet.backends.cpu.planner import Planner
from septet.base.config import config
from septet.base.sizes import decided
from septet.graph.node import Node

FEW_CHANNELS = 4
"""Channels of a group up to which oneDNN is faster: tiles have 8 or more, and the others would be zeros."""


def order_of_images(node: Node, users: Sequence[Node]) -> tuple[int, ...] | None:
    """Store images with their channels next to each other."""
    return channels_last(node.ndim) if _is_supported(node) else None


def plan_product(planner: Planner, node: Node) -> bool:
    """Plan `conv`, y from x and kernel, or `conv_input`, the gradient of x from that of y, and kernel."""
    if not _is_supported(node):
        return False
    source, kernel = (planner.look(operand) for operand in node.inputs)
    x, y = (source, shaped(node)) if node.op.name == "conv" else (shaped(node), source)
    IMPLEMENTATIONS[decided(choose, node.op.name, sizes_of(node, x, kernel, y))].plan_product(planner, node)
    return True


def plan_conv_kernel(planner: Planner, node: Node) -> bool:
    """Plan `conv_kernel`: the gradient of the kernel from x and that of y."""
    if not _is_supported(node):
        return False
    x, y = (planner.look(source) for source in node.inputs)
    IMPLEMENTATIONS[decided(choose, node.op.name, sizes_of(node, x, shaped(node), y))].plan_conv_kernel(planner, node)
    return True


def choose(kind: str, sizes: Convolution) -> str:
    """Return which implementation computes a convolution.

    Our own tiles are as fast as oneDNN's forward and 1.3 to 2.5 times as fast elsewhere (benchmarks/convolutions.py),
    take float64 too, and need no order of their own. Where groups have few channels most of a tile would be zeros.

    Returns
    -------
    str
        ``direct``, ``winograd``, ``dots`` or ``onednn``.
    """
    channels = max(sizes.kernel.shape[1], sizes.kernel.shape[0] // sizes.groups)
    is_narrow = sizes.groups > 1 and channels <= FEW_CHANNELS
    if is_narrow and sizes.x.dtype == "float32" and onednn.is_preferred():
        return "onednn"
    outputs = sizes.kernel.shape[1 if kind == "conv_input" else 0]
    own = machine(sizes.x.dtype, outputs // sizes.groups)
    if config.convolution == "fast" and winograd.is_possible(sizes, own) and winograd.is_worth(kind, sizes):
        return "winograd"
    if dots.is_possible(kind, sizes, own.lanes) and dots.is_worth(sizes):
        return "dots"
    return "direct"


IMPLEMENTATIONS: dict[str, Any] = {
    "direct": conv_direct,
    "dots": conv_dots,
    "winograd": conv_winograd,
    "onednn": conv_onednn,
}


def _is_supported(node: Node) -> bool:
    """Tell whether native code computes it: floats of one kind, with elements."""
    names = {node.dtype.name, *[source.dtype.name for source in node.inputs[:2]]}
    sizes = (*node.shape, *node.inputs[0].shape, *node.inputs[1].shape)
    return len(names) == 1 and names <= {"float32", "float64"} and len(node.inputs) == 2 and 0 not in sizes


TABLE: dict[str, Callable[[Planner, Node], bool]] = {
    "conv": plan_product, "conv_input": plan_product, "conv_kernel": plan_conv_kernel,
}  # fmt: skip
ORDERS = {"conv": order_of_images, "conv_input": order_of_images}
