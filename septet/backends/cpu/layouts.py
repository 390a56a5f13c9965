"""How tensors of convolutions lie in memory, and the sizes of a convolution: what its implementations are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Window = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


class Layout(NamedTuple):
    """How a tensor lies in memory.

    Attributes
    ----------
    shape : tuple of int
        Batch, channels, spatial axes; for a kernel: out channels, channels of a group, window.
    strides : tuple of int or None
        In elements. None lets oneDNN choose: then it is mostly an order of blocks, which only reorders can read.
    dtype : str
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...] | None = None
    dtype: str = "float32"


def channels_last(shape: Sequence[int], dtype: str = "float32") -> Layout:
    """Return the layout without gaps whose channels are neighbours: batch, spatial axes, channels."""
    return in_order(shape, (0, *range(2, len(shape)), 1), dtype)


def channels_first(shape: Sequence[int], dtype: str = "float32") -> Layout:
    """Return the layout without gaps in the order of the axes: batch, channels, spatial axes."""
    return in_order(shape, range(len(shape)), dtype)


def in_order(shape: Sequence[int], order: Sequence[int], dtype: str = "float32") -> Layout:
    """Return the layout without gaps whose axes go from slow to fast in the given order."""
    strides = [0] * len(shape)
    step = 1
    for axis in reversed(order):
        strides[axis] = step
        step *= max(shape[axis], 1)
    return Layout(tuple(shape), tuple(strides), dtype)


class Convolution(NamedTuple):
    """The sizes and layouts of a convolution, and of the two that are its gradients.

    Attributes
    ----------
    x, kernel, y : Layout
        As the ops `conv`, `conv_input` and `conv_kernel` know them: (B, C, ...), (O, C / groups, ...), (B, O, ...).
    stride, dilation : tuple of int
        One for each spatial axis; a dilation of 1 is dense.
    padding : tuple of (int, int)
        Low and high, for each spatial axis.
    groups : int
    """

    x: Layout
    kernel: Layout
    y: Layout
    stride: Window
    padding: Pairs
    dilation: Window
    groups: int = 1

    @property
    def work(self) -> int:
        """Multiplications."""
        total = 1
        for size in (*self.kernel.shape[1:], *self.y.shape):
            total *= size
        return total
