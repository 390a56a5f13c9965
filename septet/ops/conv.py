"""Convolution in one to three spatial dimensions, as three bilinear ops that are each other's gradients.

With stride ``s``, dilation ``d`` and low padding ``p``, over windows that start at ``i * s - p``::

    y[b, o, i] = sum over c, k of  x[b, c, i * s + k * d - p] * kernel[o, c, k]

`conv` computes y from x and kernel, `conv_input` x from y and kernel, `conv_kernel` the kernel from x and y. The
gradient of each is made of the other two.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, NotSupportedError, ShapeError
from septet.base.shapes import Shape
from septet.graph.node import Node
from septet.graph.op import CONTRACTION, REQUIRED, BadCase, Case, Op, as_node, card, function, ops, record
from septet.graph.types import TensorType
from septet.ops.rules import numeric
from septet.ops.shaping import broadcast_to, fill_sizes, reshape, sizes_of, split_sizes, transpose
from septet.ops.windows import Pairs, check_groups, output_size, per_axis, resolve_padding, window_extent, window_slices

PARAMS: dict[str, Any] = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
PARAM_DOCS = {
    "stride": "Step between windows: an int, or one for each spatial axis.",
    "padding": 'Zeros added around x: "valid" (none), "same" (the result has ceil(size / stride) elements), "causal" '
    "(one spatial axis: only before the first element), an int, or for each spatial axis an int or a pair (low, high).",
    "dilation": "Distance between the elements of the kernel: an int, or one for each spatial axis.",
    "groups": "Number of parts that the channels are cut into; each part of the result sees one part of x.",
}
SIZE_DOCS = {"size": "Sizes of the result's spatial axes; None takes a size input."}
Sizes = tuple[int, ...]
BLOCK = 1 << 20
"""Elements of the unrolled windows that are made at a time: measured best of 2^16, 2^18, 2^20 (4 MB of float32)."""


def _conj(x: Node) -> Node:
    """Conjugate where that changes anything."""
    return ops.conj(x) if dtypes.is_complex(x.dtype) else x


# Type rules.


def _check_ranks(first: Shape, second: Shape, names: str) -> None:
    if len(first) != len(second) or not 3 <= len(first) <= 5:
        raise ShapeError(
            f"takes {names} of one rank from 3 to 5, got ranks {len(first)} and {len(second)}",
            hint="an image is (batch, channels, height, width); add a missing axis with expand_dims",
        )


def _canonical(types: tuple[TensorType, ...], **params: Any) -> dict[str, Any]:
    """Spell stride and dilation as one int, padding as one pair, for each spatial axis."""
    rank = types[0].ndim - 2
    if rank < 1 or types[1].ndim != types[0].ndim:
        _check_ranks(types[0].shape, types[1].shape, "two tensors")
    params["stride"] = per_axis(params["stride"], rank, "stride")
    params["dilation"] = per_axis(params["dilation"], rank, "dilation")
    params["groups"] = check_groups(params["groups"])
    if "size" in params:
        params["size"] = tuple(params["size"])
        if len(params["size"]) != rank:
            raise ArgumentError(f"size {params['size']} does not have one entry for each of {rank} spatial axes")
        spatial: Shape = (None,) * rank
        window = params["size"]
    else:
        spatial, window = types[0].shape[2:], types[1].shape[2:]
    params["padding"] = resolve_padding(params["padding"], spatial, window, params["stride"], params["dilation"])
    return params


def _conv_shape(x: Shape, kernel: Shape, stride: Any, padding: Pairs, dilation: Any, groups: int) -> Shape:
    _check_ranks(x, kernel, "x (batch, channels, spatial ...) and kernel (out channels, channels / groups, ...)")
    _check_channels(x[1], kernel, groups, (0, 1))
    spatial = []
    for axis, (given, window, step, pad, d) in enumerate(
        zip(x[2:], kernel[2:], stride, padding, dilation, strict=True)
    ):
        if window == 0:
            raise ShapeError(f"the kernel is empty on spatial axis {axis}", marks=[(1, axis + 2)])
        size = output_size(given, window, step, pad, d)
        if size is not None and size < 1:
            assert window is not None
            raise ShapeError(
                f"the kernel is larger than the padded input on spatial axis {axis}: {window_extent(window, d)} "
                f"(size {window}, dilation {d}) against {given} + {pad[0]} + {pad[1]}",
                marks=[(0, axis + 2), (1, axis + 2)],
                hint='padding="same" keeps the size; a smaller kernel, or fewer poolings before it, fit too',
            )
        spatial.append(size)
    return (x[0], kernel[0], *spatial)


def _check_channels(channels: int | None, kernel: Shape, groups: int, mark: tuple[int, int]) -> None:
    """Refuse channels of x that the kernel and the groups do not fit."""
    if channels is not None and channels % groups:
        raise ShapeError(f"groups={groups} does not divide the {channels} channels of x", marks=[mark])
    if kernel[0] is not None and kernel[0] % groups:
        raise ShapeError(f"groups={groups} does not divide the kernel's {kernel[0]} output channels", marks=[(1, 0)])
    if channels is not None and kernel[1] is not None and channels != kernel[1] * groups:
        parts = f" in each of {groups} groups" if groups > 1 else ""
        raise ShapeError(
            f"x has {channels} channels (axis 1), the kernel takes {kernel[1]}{parts}",
            marks=[mark, (1, 1)],
            hint="x is (batch, channels, spatial ...) and kernel (out channels, channels / groups, spatial ...)",
        )


def _check_windows(spatial: Shape, window: Shape, result: Shape, words: Any, mark: int) -> None:
    """Refuse a number of windows other than the one that convolving gives."""
    stride, padding, dilation = words["stride"], words["padding"], words["dilation"]
    for axis, sizes in enumerate(zip(spatial, window, stride, padding, dilation, strict=True)):
        expected, found = output_size(*sizes), result[axis]
        if expected is not None and found is not None and expected != found:
            raise ShapeError(
                f"g has {found} windows on spatial axis {axis}; an input of size {sizes[0]} has {expected}",
                marks=[(mark, axis + 2)],
            )


def _input_shape(g: Shape, kernel: Shape, *sizes: Shape, size: Shape, groups: int, **words: Any) -> Shape:
    _check_ranks(g, kernel, "g (batch, out channels, spatial ...) and kernel (out channels, channels / groups, ...)")
    if g[1] is not None and kernel[0] is not None and g[1] != kernel[0]:
        raise ShapeError(
            f"the input has {g[1]} channels (axis 1), the kernel takes {kernel[0]} (its axis 0)", marks=[(0, 1), (1, 0)]
        )
    channels = None if kernel[1] is None else kernel[1] * groups
    _check_channels(channels, (g[1] if kernel[0] is None else kernel[0], *kernel[1:]), groups, (1, 1))
    _check_windows(size, kernel[2:], g[2:], words, 0)
    return (g[0], channels, *size)


def _kernel_shape(x: Shape, g: Shape, *sizes: Shape, size: Shape, groups: int, **words: Any) -> Shape:
    _check_ranks(x, g, "x (batch, channels, spatial ...) and g (batch, out channels, spatial ...)")
    if x[0] is not None and g[0] is not None and x[0] != g[0]:
        raise ShapeError(f"the batch sizes {x[0]} and {g[0]} differ", marks=[(0, 0), (1, 0)])
    for name, channels, position in (("x", x[1], 0), ("g", g[1], 1)):
        if channels is not None and channels % groups:
            message = f"groups={groups} does not divide the {channels} channels of {name}"
            raise ShapeError(message, marks=[(position, 1)])
    _check_windows(x[2:], size, g[2:], words, 1)
    return (g[1], None if x[1] is None else x[1] // groups, *size)


def _sized_numeric(a: DType, b: DType, *sizes: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    operands, result = numeric(a, b)
    return (*operands, *sizes), result


# References. The windows of a block of examples are unrolled into a matrix (G, channels * K, examples * windows), so
# that all the arithmetic happens in a few products of matrices.


class _Unrolled:
    """The sizes of one convolution, and the passage between images and unrolled windows."""

    def __init__(
        self, spatial: Sizes, window: Sizes, result: Sizes, stride: Any, padding: Pairs, dilation: Any
    ) -> None:
        self.spatial = spatial
        self.result = result
        self.padded = tuple(size + low + high for size, (low, high) in zip(spatial, padding, strict=True))
        self.windows = int(np.prod(self.result))
        self.offsets = list(window_slices(window, result, stride, dilation))
        inside = [slice(low, low + size) for size, (low, _) in zip(spatial, padding, strict=True)]
        self.inside: tuple[Any, ...] = (..., *inside)
        self.is_plain = self.padded == self.spatial == self.result and all(size == 1 for size in window)

    def blocks(self, batch: int, channels: int) -> Iterator[slice]:
        """Cut the batch so that the unrolled windows of one block stay in cache."""
        per_example = max(1, channels * len(self.offsets) * self.windows)
        step = max(1, BLOCK // per_example)
        for start in range(0, batch, step):
            yield slice(start, min(start + step, batch))

    def pad(self, x: np.ndarray) -> np.ndarray:
        """Surround with zeros."""
        if self.padded == self.spatial:
            return x
        result = np.zeros((*x.shape[:2], *self.padded), x.dtype)
        result[self.inside] = x
        return result

    def unroll(self, x: np.ndarray, groups: int) -> np.ndarray:
        """Return the windows of a padded block: (n, C, padded) -> (G, C / G * K, n * windows)."""
        n, channels = x.shape[:2]
        columns = np.empty((channels, len(self.offsets), n, *self.result), x.dtype)
        by_channel = x.swapaxes(0, 1)
        for index, offset in enumerate(self.offsets):
            columns[:, index] = by_channel[offset]
        return columns.reshape(groups, channels // groups * len(self.offsets), n * self.windows)

    def roll(self, columns: np.ndarray, n: int, channels: int) -> np.ndarray:
        """Add up the windows where they lie in the image: the transpose of `unroll`, without the padding."""
        columns = columns.reshape(channels, len(self.offsets), n, *self.result)
        padded = np.zeros((channels, n, *self.padded), columns.dtype)
        for index, offset in enumerate(self.offsets):
            padded[offset] += columns[:, index]
        return padded[self.inside].swapaxes(0, 1)

    def by_channel(self, g: np.ndarray, groups: int) -> np.ndarray:
        """Return a block of results as a matrix: (n, O, windows) -> (G, O / G, n * windows)."""
        n, channels = g.shape[:2]
        return g.swapaxes(0, 1).reshape(groups, channels // groups, n * self.windows)


def _matrix(kernel: np.ndarray, groups: int) -> np.ndarray:
    """Return the kernel as matrices (G, O / G, C / G * K)."""
    return kernel.reshape(groups, kernel.shape[0] // groups, int(np.prod(kernel.shape[1:])))


def _accumulate(*arrays: np.ndarray) -> list[np.ndarray]:
    """Convert the short floats to float32, in which sums are taken."""
    return [array.astype(dtypes.accumulator_of(array.dtype), copy=False) for array in arrays]


def _conv_reference(
    x: np.ndarray, kernel: np.ndarray, stride: Any, padding: Pairs, dilation: Any, groups: int
) -> np.ndarray:
    shape: Any = _conv_shape(x.shape, kernel.shape, stride, padding, dilation, groups)
    x, kernel = _accumulate(x, kernel)
    plan = _Unrolled(x.shape[2:], kernel.shape[2:], shape[2:], stride, padding, dilation)
    (batch, channels), matrix = x.shape[:2], _matrix(kernel, groups)
    y = np.empty(shape, x.dtype)
    if plan.is_plain:  # a 1x1 kernel mixes channels only
        np.matmul(
            matrix,
            x.reshape(batch, groups, channels // groups, plan.windows),
            out=y.reshape(batch, groups, kernel.shape[0] // groups, plan.windows),
        )
        return y
    for block in plan.blocks(batch, channels):
        columns = plan.unroll(plan.pad(x[block]), groups)  # (G, C / G * K, n * windows)
        part = (matrix @ columns).reshape(kernel.shape[0], -1, *plan.result)
        y[block] = part.swapaxes(0, 1)
    return y


def _input_reference(
    g: np.ndarray, kernel: np.ndarray, *sizes: Any, size: Shape, stride: Any, padding: Pairs, dilation: Any, groups: int
) -> np.ndarray:
    spatial = fill_sizes(size, sizes)
    words = {"stride": stride, "padding": padding, "dilation": dilation}
    batch, channels = _input_shape(g.shape, kernel.shape, size=spatial, groups=groups, **words)[:2]
    assert batch is not None and channels is not None
    g, kernel = _accumulate(g, kernel)
    plan = _Unrolled(spatial, kernel.shape[2:], g.shape[2:], stride, padding, dilation)
    across = _matrix(kernel, groups).swapaxes(1, 2)  # (G, C / G * K, O / G)
    x = np.empty((batch, channels, *spatial), g.dtype)
    for block in plan.blocks(batch, channels):
        part = g[block]
        x[block] = plan.roll(across @ plan.by_channel(part, groups), len(part), channels)
    return x


def _kernel_reference(
    x: np.ndarray, g: np.ndarray, *sizes: Any, size: Shape, stride: Any, padding: Pairs, dilation: Any, groups: int
) -> np.ndarray:
    window = fill_sizes(size, sizes)
    words = {"stride": stride, "padding": padding, "dilation": dilation}
    shape: Any = _kernel_shape(x.shape, g.shape, size=window, groups=groups, **words)
    x, g = _accumulate(x, g)
    plan = _Unrolled(x.shape[2:], window, g.shape[2:], stride, padding, dilation)
    channels = x.shape[1]
    kernel = np.zeros((groups, g.shape[1] // groups, channels // groups * len(plan.offsets)), x.dtype)
    for block in plan.blocks(len(x), channels):
        columns = plan.unroll(plan.pad(x[block]), groups)
        kernel += plan.by_channel(g[block], groups) @ columns.swapaxes(1, 2)
    return kernel.reshape(shape)


# Gradients.


def _spatial(x: Node) -> tuple[Any, ...]:
    return sizes_of(x)[2:]


def _sized(op: Op, a: Node, b: Node, size: Any, words: dict[str, Any]) -> Node:
    """Record `conv_input` or `conv_kernel` with sizes of which some may be nodes."""
    static, dynamic = split_sizes(size, "size")
    return op(a, b, *dynamic, **{**words, "size": static})


def _conv_gradient(g: Node, y: Node, x: Node, kernel: Node, **words: Any) -> tuple[Node, ...]:
    return (
        _sized(conv_input, g, _conj(kernel), _spatial(x), words),
        _sized(conv_kernel, _conj(x), g, _spatial(kernel), words),
    )


def _input_gradient(g: Node, y: Node, given: Node, kernel: Node, *sizes: Node, size: Shape, **words: Any) -> Any:
    into_kernel = _sized(conv_kernel, g, _conj(given), _spatial(kernel), words)
    return (conv(g, _conj(kernel), **words), into_kernel, *[None] * len(sizes))


def _kernel_gradient(g: Node, y: Node, x: Node, given: Node, *sizes: Node, size: Shape, **words: Any) -> Any:
    into_x = _sized(conv_input, _conj(given), g, _spatial(x), words)
    return (into_x, conv(_conj(x), g, **words), *[None] * len(sizes))


def _sized_tangent(op_name: str) -> Any:
    """The forward rule of a bilinear op with size inputs."""

    def rule(t: Sequence[Node | None], y: Node, a: Node, b: Node, *sizes: Node, **words: Any) -> Node:
        op = getattr(ops, op_name)
        terms = []
        if t[0] is not None:
            terms.append(op(t[0], b, *sizes, **words))
        if t[1] is not None:
            terms.append(op(a, t[1], *sizes, **words))
        return terms[0] if len(terms) == 1 else terms[0] + terms[1]

    return rule


# Batching: into the batch where the kernel is shared, into the groups where it is not.


def _merge(x: Node, axis: int) -> Node:
    """Merge an axis with the next one."""
    sizes: Any = sizes_of(x)
    return reshape(x, (*sizes[:axis], sizes[axis] * sizes[axis + 1], *sizes[axis + 2 :]))


def _split_channels(x: Node, axis: int, n: int) -> Node:
    """Cut an axis into n equal parts along a new axis before it."""
    sizes = sizes_of(x)
    inner: Any = sizes[axis]
    inner = inner // max(n, 1) if isinstance(inner, int) else -1
    return reshape(x, (*sizes[:axis], n, inner, *sizes[axis + 1 :]))


def _to_channels(x: Node) -> Node:
    """(N, B, C, ...) -> (B, N * C, ...)."""
    return _merge(transpose(x, axes=(1, 0, *range(2, x.ndim))), 1)


def _from_channels(y: Node, n: int) -> Node:
    """(B, N * C, ...) -> (N, B, C, ...)."""
    y = _split_channels(y, 1, n)
    return transpose(y, axes=(1, 0, *range(2, y.ndim)))


def _batched(x: Node, is_batched: bool, n: Any) -> Node:
    return x if is_batched else broadcast_to(x, (n, *sizes_of(x)))


def _known_batch(node: Node, name: str) -> int:
    n = node.shape[0]
    if n is None:
        raise NotSupportedError(
            f"{name}: a kernel for each element of a batch needs a batch of known size", hint="give vmap's axis a size"
        )
    return n


def _batch_rule(op_name: str) -> Any:
    """The batching rule of one of the three ops."""

    def rule(is_batched: Sequence[bool], a: Node, b: Node, *sizes: Node, **words: Any) -> Node:
        op = getattr(ops, op_name)
        if any(is_batched[2:]):
            raise ArgumentError(f"{op_name}: sizes cannot differ within a batch")
        if op_name != "conv_kernel" and not is_batched[1]:
            y = op(_merge(a, 0), b, *sizes, **words)
            return reshape(y, (*sizes_of(a)[:2], *sizes_of(y)[1:]))
        n = _known_batch(a if is_batched[0] else b, op_name)
        if is_batched[0] or words["groups"] > 1 or op_name == "conv_input":
            a = _to_channels(_batched(a, is_batched[0], n))
            b = _batched(b, is_batched[1], n)
            words["groups"] *= n
        if op_name == "conv_kernel":
            return _split_channels(op(a, _to_channels(b), *sizes, **words), 0, n)
        return _from_channels(op(a, _merge(b, 0), *sizes, **words), n)

    return rule


# The cards.

_SOURCE = (
    "Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016). The kernel is not flipped: this "
    "is cross-correlation, as in all deep-learning frameworks."
)

conv: Op = card(
    "conv", "x kernel", params=PARAMS, param_docs=PARAM_DOCS, kind=CONTRACTION,
    summary="Convolve x (B, C, spatial ...) with a kernel (O, C / groups, window ...), in one to three dimensions.",
    notes="The result is (B, O, spatial ...) with floor((size + low + high - dilation * (window - 1) - 1) / stride) + "
    "1 elements on each spatial axis. float16 and bfloat16 are summed in float32.",
    source=_SOURCE, canonical=_canonical, shape=_conv_shape, dtype=numeric, reference=_conv_reference,
    gradient=_conv_gradient, linear="each", batch=_batch_rule("conv"), tolerance=1e-5,
    flops=lambda y, x, kernel, **words: 2 * math.prod(y) * math.prod(kernel[1:]),
    cases=[
        Case((2, 3, 7), (4, 3, 3)),
        Case((2, 3, 7), (4, 3, 3), padding="causal", dilation=2),
        Case((2, 3, 5, 6), (4, 3, 3, 2), padding="same"),
        Case((1, 4, 5, 6), (6, 2, 3, 2), stride=(2, 1), padding=((1, 0), (0, 2)), groups=2),
        Case((2, 3, 6, 6), (3, 1, 2, 3), groups=3, dilation=(2, 1), stride=2, padding=1),
        Case((2, 3, 4, 4), (5, 3, 1, 1)),
        Case((2, 4, 4, 3), (6, 2, 1, 1), groups=2),
        Case((1, 2, 3, 4, 3), (2, 2, 2, 2, 2), padding=1, stride=2),
        Case((0, 2, 5, 5), (3, 2, 3, 3)),
        Case((2, 0, 5), (3, 0, 3)),
    ],
    bad=[
        BadCase((2, 3, 8, 8), (4, 1, 3, 3), error=ShapeError, match="x has 3 channels (axis 1), the kernel takes 1"),
        BadCase((2, 3, 8, 8), (4, 3, 9, 3), error=ShapeError, match="larger than the padded input on spatial axis 0"),
        BadCase((2, 3, 8, 8), (4, 3, 3, 3), groups=2, error=ShapeError, match="groups=2 does not divide the 3"),
        BadCase((2, 4, 8, 8), (3, 2, 3, 3), groups=2, error=ShapeError, match="the kernel's 3 output channels"),
        BadCase((3, 8, 8), (4, 3, 3, 3), error=ShapeError, match="ranks 3 and 4"),
        BadCase((3, 8), (4, 3), error=ShapeError, match="rank from 3 to 5"),
        BadCase((2, 3, 8, 8), (4, 3, 3, 3), stride=0, error=ArgumentError, match="stride"),
        BadCase((2, 3, 8, 8), (4, 3, 3, 3), padding="full", error=ArgumentError, match="padding 'full'"),
        BadCase((2, 3, 8, 8), (4, 3, 3, 3), padding=(1, 2, 3), error=ArgumentError, match="2 spatial axes"),
    ],
)  # fmt: skip

_SIZED_PARAMS = {"size": REQUIRED, **PARAMS}
_SIZED_DOCS = {**SIZE_DOCS, **PARAM_DOCS}

conv_input: Op = card(
    "conv_input", "g kernel *sizes", params=_SIZED_PARAMS, param_docs=_SIZED_DOCS, kind=CONTRACTION, sizes="size",
    public=False,
    summary="Spread g (B, O, windows ...) over the input of a convolution: its gradient with respect to x.",
    notes="The transpose of `conv` in x, known as transposed convolution; see `conv_transpose`.",
    source=_SOURCE, canonical=_canonical, shape=_input_shape, dtype=_sized_numeric, reference=_input_reference,
    gradient=_input_gradient, tangent=_sized_tangent("conv_input"), linear="each", batch=_batch_rule("conv_input"),
    tolerance=1e-5, flops=lambda y, g, kernel, *sizes, **words: 2 * math.prod(g) * math.prod(kernel[1:]),
    cases=[
        Case((2, 4, 5), (4, 3, 3), size=(7,)),
        Case((1, 6, 3, 7), (6, 2, 3, 2), size=(5, 6), stride=(2, 1), padding=((1, 1), (0, 2)), groups=2),
        Case((2, 3, 3, 3), (3, 1, 2, 3), size=(6, 6), groups=3, dilation=(2, 1), stride=2, padding=1),
        Case((1, 2, 2, 3, 2), (2, 2, 2, 2, 2), size=(3, 4, 3), padding=1, stride=2),
        Case((0, 3, 3, 3), (3, 2, 3, 3), size=(5, 5)),
    ],
    bad=[
        BadCase((2, 5, 5), (4, 3, 3), size=(7,), error=ShapeError, match="the kernel takes 4 (its axis 0)"),
        BadCase((2, 4, 5), (4, 3, 3), size=(9,), error=ShapeError, match="an input of size 9 has 7"),
        BadCase((2, 4, 5), (4, 3, 3), size=(7, 7), error=ArgumentError, match="1 spatial axes"),
    ],
)  # fmt: skip

conv_kernel: Op = card(
    "conv_kernel", "x g *sizes", params=_SIZED_PARAMS, param_docs=_SIZED_DOCS, kind=CONTRACTION, sizes="size",
    public=False,
    summary="Correlate x (B, C, spatial ...) with g (B, O, windows ...): the gradient of a convolution in its kernel.",
    source=_SOURCE, canonical=_canonical, shape=_kernel_shape, dtype=_sized_numeric, reference=_kernel_reference,
    gradient=_kernel_gradient, tangent=_sized_tangent("conv_kernel"), linear="each", batch=_batch_rule("conv_kernel"),
    tolerance=1e-5, flops=lambda y, x, g, *sizes, **words: 2 * math.prod(g) * math.prod(y[1:]),
    cases=[
        Case((2, 3, 7), (2, 4, 5), size=(3,)),
        Case((1, 4, 5, 6), (1, 6, 3, 7), size=(3, 2), stride=(2, 1), padding=((1, 1), (0, 2)), groups=2),
        Case((2, 3, 6, 6), (2, 3, 3, 3), size=(2, 3), groups=3, dilation=(2, 1), stride=2, padding=1),
        Case((1, 2, 3, 4, 3), (1, 2, 2, 3, 2), size=(2, 2, 2), padding=1, stride=2),
        Case((0, 2, 5, 5), (0, 3, 3, 3), size=(3, 3)),
    ],
    bad=[
        BadCase((2, 3, 7), (3, 4, 5), size=(3,), error=ShapeError, match="batch sizes 2 and 3 differ"),
        BadCase((2, 3, 7), (2, 4, 6), size=(3,), error=ShapeError, match="g has 6 windows"),
        BadCase((2, 3, 7), (2, 4, 5), size=(3,), groups=2, error=ShapeError, match="the 3 channels of x"),
    ],
)  # fmt: skip


@function()
def conv_transpose(
    x: Any,
    kernel: Any,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Node:
    """Convolve transposed: spread every element of x over a window, the reverse of a strided `conv`.

    Parameters
    ----------
    x : tensor
    kernel : tensor
        Its first axis is the channels of x, as in the kernel of the `conv` that this is the transpose of.
    stride : int or one for each spatial axis
        Distance between the windows in the result.
    padding : str, int or one int or pair (low, high) for each spatial axis
        What is cut off the result: the padding of the `conv` that this is the transpose of. "valid" cuts nothing,
        "same" makes the result ``size * stride``.
    output_padding : int or one for each spatial axis
        Elements added at the end of each axis, less than the stride: it tells apart the input sizes that a strided
        `conv` maps to the same output size.
    dilation : int or one for each spatial axis
    groups : int

    Returns
    -------
    tensor

    Shape
    -----
    x (B, C, spatial ...), kernel (C, O / groups, window ...), result (B, O, spatial ...) with
    ``(size - 1) * stride - low - high + dilation * (window - 1) + output_padding + 1`` elements on each spatial axis.

    Raises
    ------
    ShapeError
        If the channels of x are not those of the kernel, or nothing is left of the result.
    ArgumentError
        If `output_padding` is not less than the stride.

    Gradient
    --------
    In x and kernel, of any order.

    Source
    ------
    The sizes follow torch.nn.functional.conv_transpose2d, except that `output_padding` must be less than the stride
    even where the dilation is larger.

    Examples
    --------
    >>> import septet as st
    >>> st.conv_transpose(st.ones((1, 1, 3)), st.ones((1, 1, 2)), stride=2).shape
    (1, 1, 6)
    """
    x, kernel = as_node(x), as_node(kernel)
    if x.ndim != kernel.ndim or not 3 <= x.ndim <= 5:
        return record(conv_input, (x, kernel), ((1,) * max(x.ndim - 2, 0), stride, 0, dilation, groups))  # its error
    rank = x.ndim - 2
    stride = per_axis(stride, rank, "stride")
    dilation = per_axis(dilation, rank, "dilation")
    extra = list(per_axis(output_padding, rank, "output_padding", least=0))
    for axis in range(rank):
        if extra[axis] >= stride[axis]:
            raise ArgumentError(
                f"conv_transpose: output_padding {extra[axis]} must be less than the stride {stride[axis]} "
                f"(spatial axis {axis})"
            )
    window = kernel.shape[2:]
    if None in window:
        raise ArgumentError(f"conv_transpose: the kernel's window must be known, got {kernel.type!r}")
    extents = [window_extent(size, d) for size, d in zip(window, dilation, strict=True)]
    if padding == "same":
        cut = [extent - step for extent, step in zip(extents, stride, strict=True)]
        padding = tuple((max(c, 0) // 2, max(c, 0) - max(c, 0) // 2) for c in cut)
        extra = [e + max(-c, 0) for e, c in zip(extra, cut, strict=True)]
    else:
        if padding == "causal":
            raise ArgumentError("conv_transpose: padding is 'valid', 'same' or numbers, got 'causal'")
        padding = resolve_padding(padding, (None,) * rank, window, stride, dilation)
    size = []
    for axis, given in enumerate(_spatial(x)):
        rest = extents[axis] - sum(padding[axis]) + extra[axis] - stride[axis]
        result = given * stride[axis] + rest
        if isinstance(result, int) and result < 1:
            raise ShapeError(
                f"conv_transpose: padding {padding[axis]} leaves nothing of spatial axis {axis} (size {result})",
                hint="padding cuts the result of a transposed convolution; make it smaller",
            )
        size.append(result)
    words = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return _sized(conv_input, x, kernel, size, words)
