"""Pooling: maxima, sums and averages over windows that slide along the last axes.

`max_pool`, `max_pool_gradient` and `max_pool_gather` are closed under differentiation, and so are `sum_pool` and
`sum_pool_transpose`: the gradient of each is made of the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import FLOAT, INTEGER, DType
from septet.base.errors import ArgumentError, ShapeError
from septet.base.shapes import Shape
from septet.base.text import shape_text
from septet.graph.node import Node, constant
from septet.graph.op import OTHER, REDUCTION, REQUIRED, BadCase, Case, Op, as_node, card, function, ops
from septet.graph.types import TensorType
from septet.ops.matmul import matmul
from septet.ops.rules import numeric, promoting
from septet.ops.shaping import broadcast_to, fill_sizes, sizes_of, split_sizes, transpose, zeros_like
from septet.ops.windows import Pairs, output_size, per_axis, resolve_padding, window_extent, window_slices

PARAMS: dict[str, Any] = {"window": REQUIRED, "stride": None, "padding": 0, "dilation": 1, "ceil_mode": False}
PARAM_DOCS = {
    "window": "Size of the window: an int for all axes after (batch, channels), or one int for each of the last axes.",
    "stride": "Step between windows: an int, or one for each axis; None takes the window's size.",
    "padding": '"valid" (none), "same" (the result has ceil(size / stride) elements), an int, or for each axis an int '
    "or a pair (low, high).",
    "dilation": "Distance between the elements of a window: an int, or one for each axis.",
    "ceil_mode": "Whether a last window may hang over the end, where it begins inside the input or the padding before.",
}


# Type rules.


def _window(value: Any, rank: int) -> tuple[int, ...]:
    if isinstance(value, (tuple, list)):
        if not 0 < len(value) <= rank:
            raise ArgumentError(f"window {tuple(value)} has {len(value)} entries for a tensor of rank {rank}")
        return per_axis(value, len(value), "window")
    if rank < 3:
        raise ArgumentError(
            f"a window given as one int slides over the axes after (batch, channels), but x has rank {rank}",
            hint="give one int for each of the last axes, as in window=(2,)",
        )
    return per_axis(value, rank - 2, "window")


def _canonical(
    types: tuple[TensorType, ...], window: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any, **rest: Any
) -> dict[str, Any]:
    """Spell everything per axis; `ceil_mode` becomes padding at the end."""
    window = _window(window, types[-1].ndim)
    rank = len(window)
    stride = window if stride is None else per_axis(stride, rank, "stride")
    dilation = per_axis(dilation, rank, "dilation")
    spatial = types[-1].shape[types[-1].ndim - rank :]
    padding = resolve_padding(padding, spatial, window, stride, dilation)
    if ceil_mode:
        padding = _hang_over(spatial, window, stride, padding, dilation)
    words = {"window": window, "stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": False}
    return {**words, **rest}


def _hang_over(spatial: Shape, window: Any, stride: Any, padding: Pairs, dilation: Any) -> Pairs:
    """Extend the padding so that a last window which begins inside the input fits."""
    pairs = []
    for size, width, step, (low, high), d in zip(spatial, window, stride, padding, dilation, strict=True):
        if size is None:
            raise ArgumentError(
                "ceil_mode needs sizes that are known", hint="give the padding as pairs (low, high) instead"
            )
        extent = window_extent(width, d)
        last = -(-(size + low + high - extent) // step)  # the number of the last window
        if last * step >= size + low:
            last -= 1
        pairs.append((low, max(high, last * step + extent - size - low)))
    return tuple(pairs)


def pooled_shape(x: Shape, window: Any, stride: Any, padding: Pairs, dilation: Any, **_: Any) -> Shape:
    """The shape rule of pooling."""
    rank = len(window)
    lead = len(x) - rank
    sizes = []
    for axis, (given, width, step, pad, d) in enumerate(
        zip(x[lead:], window, stride, padding, dilation, strict=True), start=lead
    ):
        size = output_size(given, width, step, pad, d)
        if size is not None and size < 1:
            raise ShapeError(
                f"the window is larger than the padded input on axis {axis}: {window_extent(width, d)} "
                f"against {given} + {pad[0]} + {pad[1]}",
                marks=[(0, axis)],
                hint="a smaller window or fewer poolings before it fit; ceil_mode does not help, padding does",
            )
        sizes.append(size)
    return (*x[:lead], *sizes)


def _check_windows(g: Shape, x: Shape, words: dict[str, Any], position: int = 0) -> None:
    """Refuse values for windows whose shape is not that of the pooled x."""
    expected = pooled_shape(x, **words)
    if len(g) != len(expected):
        raise ShapeError(f"has rank {len(g)}, the pooled input has rank {len(expected)}")
    bad = [a for a, (m, n) in enumerate(zip(g, expected, strict=True)) if None not in (m, n) and m != n]
    if bad:
        raise ShapeError(
            f"has shape {shape_text(g)}, the pooled input has {shape_text(expected)}",
            marks=[(position, a) for a in bad],
        )


def _gradient_shape(g: Shape, x: Shape, **words: Any) -> Shape:
    _check_windows(g, x, words)
    return x


def _gather_shape(t: Shape, x: Shape, **words: Any) -> Shape:
    bad = [a for a, (m, n) in enumerate(zip(t, x)) if None not in (m, n) and m != n]
    if bad or len(t) != len(x):
        raise ShapeError(f"the shapes {shape_text(t)} and {shape_text(x)} differ", marks=[(0, a) for a in bad])
    return pooled_shape(x, **words)


def _first_dtype(g: DType, x: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    return (g, x), g


def _sized_numeric(g: DType, *sizes: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    operands, result = numeric(g)
    return (*operands, *sizes), result


# References. Loops run over the few elements of a window, NumPy over everything else.


class _Windows:
    """The sizes of one pooling of an array of a given shape."""

    def __init__(self, shape: Shape, window: Any, stride: Any, padding: Pairs, dilation: Any, **_: Any) -> None:
        words = {"window": window, "stride": stride, "padding": padding, "dilation": dilation}
        counts: Any = pooled_shape(shape, **words)
        self.result: tuple[int, ...] = counts
        self.lead: Any = shape[: len(shape) - len(window)]
        spatial: Any = shape[len(self.lead) :]
        self.padded = tuple(size + low + high for size, (low, high) in zip(spatial, padding, strict=True))
        inside = [slice(low, low + size) for size, (low, _) in zip(spatial, padding, strict=True)]
        self.inside: tuple[Any, ...] = (..., *inside)
        self.is_padded = self.padded != spatial
        self.offsets = list(window_slices(window, self.result[len(self.lead) :], stride, dilation))

    def pad(self, x: np.ndarray, fill: Any) -> np.ndarray:
        """Surround an array with a value."""
        if not self.is_padded:
            return x
        result = np.full((*self.lead, *self.padded), fill, x.dtype)
        result[self.inside] = x
        return result

    def crop(self, x: np.ndarray) -> np.ndarray:
        """Cut the padding off."""
        return x[self.inside] if self.is_padded else x

    def zeros(self, dtype: DType) -> np.ndarray:
        """Return a padded array of zeros."""
        return np.zeros((*self.lead, *self.padded), dtype)

    def first_maxima(self, x: np.ndarray) -> list[np.ndarray]:
        """Tell, for each element of a window, in which windows it is the first maximum (or the first NaN)."""
        padded = self.pad(x, _lowest(x.dtype))
        highest = _max_over(self, padded)
        real = np.zeros(self.padded, np.bool_)  # padding is no maximum, even where all else is -inf
        real[self.inside[1:]] = True
        is_open = np.ones(self.result, np.bool_)
        found = []
        for offset in self.offsets:
            values = padded[offset]
            hit = (values == highest) | (values != values)
            hit &= is_open
            if self.is_padded:
                hit &= real[offset]
            is_open &= ~hit
            found.append(hit)
        return found


def _lowest(dtype: DType) -> Any:
    return np.iinfo(dtype).min if dtypes.is_integer(dtype) else -np.inf


def _short_to_float32(x: np.ndarray) -> np.ndarray:
    return x.astype(dtypes.accumulator_of(x.dtype), copy=False)


def _max_over(windows: _Windows, padded: np.ndarray) -> np.ndarray:
    result = padded[windows.offsets[0]].copy()
    for offset in windows.offsets[1:]:
        np.maximum(result, padded[offset], out=result)
    return result


def _max_reference(x: np.ndarray, **words: Any) -> np.ndarray:
    x = _short_to_float32(x)
    windows = _Windows(x.shape, **words)
    return _max_over(windows, windows.pad(x, _lowest(x.dtype)))


def _max_gradient_reference(g: np.ndarray, x: np.ndarray, **words: Any) -> np.ndarray:
    _check_windows(g.shape, x.shape, words)
    g, x = _short_to_float32(g), _short_to_float32(x)
    windows = _Windows(x.shape, **words)
    result = windows.zeros(g.dtype)
    for offset, hit in zip(windows.offsets, windows.first_maxima(x), strict=True):
        into = result[offset]
        np.add(into, g, out=into, where=hit)
    return windows.crop(result)


def _max_gather_reference(t: np.ndarray, x: np.ndarray, **words: Any) -> np.ndarray:
    _gather_shape(t.shape, x.shape, **words)
    windows = _Windows(x.shape, **words)
    padded = windows.pad(t, 0)
    result = np.zeros(windows.result, t.dtype)
    for offset, hit in zip(windows.offsets, windows.first_maxima(_short_to_float32(x)), strict=True):
        np.copyto(result, padded[offset], where=hit)
    return result


def _sum_reference(x: np.ndarray, **words: Any) -> np.ndarray:
    x = _short_to_float32(x)
    windows = _Windows(x.shape, **words)
    padded = windows.pad(x, 0)
    result = padded[windows.offsets[0]].copy()
    for offset in windows.offsets[1:]:
        result += padded[offset]
    return result


def _sum_transpose_reference(g: np.ndarray, *sizes: Any, size: Shape, **words: Any) -> np.ndarray:
    shape = (*g.shape[: g.ndim - len(size)], *fill_sizes(size, sizes))
    _check_windows(g.shape, shape, words)
    g = _short_to_float32(g)
    windows = _Windows(shape, **words)
    result = windows.zeros(g.dtype)
    for offset in windows.offsets:
        result[offset] += g
    return windows.crop(result)


# Maximum.


def _batch_both(op_name: str) -> Callable[..., Node]:
    """The batching rule of the two ops that read the maxima of x: windows slide over the last axes."""

    def rule(is_batched: Sequence[bool], a: Node, x: Node, **words: Any) -> Node:
        if not is_batched[0]:
            a = broadcast_to(a, (sizes_of(x)[0], *sizes_of(a)))
        if not is_batched[1]:
            x = broadcast_to(x, (sizes_of(a)[0], *sizes_of(x)))
        return getattr(ops, op_name)(a, x, **words)

    return rule


def _flops(y: Sequence[int], x: Sequence[int], window: Sequence[int], **words: Any) -> int:
    return math.prod(y) * math.prod(window)


_CASES: list[dict[str, Any]] = [
    {"window": 2},
    {"window": (3, 2), "stride": (1, 2), "padding": ((1, 0), (0, 1))},
    {"window": 2, "stride": 1, "dilation": (2, 1), "padding": "same"},
    {"window": 2, "stride": 2, "ceil_mode": True},
]
_SHAPE = (2, 3, 5, 6)
_BAD: list[BadCase] = [
    BadCase(_SHAPE, window=7, error=ShapeError, match="larger than the padded input on axis 2: 7 against 5"),
    BadCase((3, 4), window=2, error=ArgumentError, match="x has rank 2"),
    BadCase(_SHAPE, window=(2, 0), error=ArgumentError, match="window must be at least 1"),
    BadCase(_SHAPE, window=(2, 2, 2, 2, 2), error=ArgumentError, match="5 entries"),
    BadCase(_SHAPE, window=2, padding="full", error=ArgumentError, match="padding 'full'"),
    BadCase(_SHAPE, window=2, stride=(1, 1, 1), error=ArgumentError, match="2 spatial axes"),
]

max_pool: Op = card(
    "max_pool", "x", params=PARAMS, param_docs=PARAM_DOCS, kind=REDUCTION,
    summary="Take the maximum of each window that slides over the last axes of x (B, C, spatial ...).",
    notes="Padding counts as -inf (for integers: as the smallest one), so it is never a maximum beside an element. The "
    "gradient goes to the first maximum of a window; a NaN is a maximum.",
    canonical=_canonical, shape=pooled_shape, dtype=promoting(INTEGER, FLOAT), reference=_max_reference,
    gradient=lambda g, y, x, **words: (max_pool_gradient(g, x, **words),), flops=_flops,
    tangent=lambda t, y, x, **words: max_pool_gather(t[0], x, **words),
    batch=lambda is_batched, x, **words: max_pool(x, **words),
    cases=[*[Case(_SHAPE, **words) for words in _CASES], Case((2, 3, 7), window=3, stride=2), Case((6,), window=(2,)),
           Case((1, 2, 4, 4, 4), window=2), Case((0, 2, 4), window=2)],
    bad=_BAD,
)  # fmt: skip

max_pool_gradient: Op = card(
    "max_pool_gradient", "g x", params=PARAMS, param_docs=PARAM_DOCS, kind=OTHER, public=False,
    summary="Add each element of g, one for each window, where the first maximum of that window of x lies.",
    canonical=_canonical, shape=_gradient_shape, dtype=_first_dtype, reference=_max_gradient_reference, linear="first",
    gradient=lambda g, y, given, x, **words: (max_pool_gather(g, x, **words), None),
    tangent=lambda t, y, given, x, **words: zeros_like(y) if t[0] is None else max_pool_gradient(t[0], x, **words),
    batch=_batch_both("max_pool_gradient"),
    cases=[Case((2, 3, 2, 3), _SHAPE, **_CASES[0]), Case((2, 3, 4, 3), _SHAPE, **_CASES[1]),
           Case((2, 3, 5, 6), _SHAPE, **_CASES[2]), Case((2, 3, 3, 3), _SHAPE, **_CASES[3]),
           Case((0, 2, 2), (0, 2, 4), window=2)],
    bad=[BadCase((2, 3, 3, 3), _SHAPE, window=2, error=ShapeError, match="the pooled input has (2, 3, 2, 3)"),
         BadCase((2, 3), _SHAPE, window=2, error=ShapeError, match="has rank 2")],
)  # fmt: skip

max_pool_gather: Op = card(
    "max_pool_gather", "t x", params=PARAMS, param_docs=PARAM_DOCS, kind=OTHER, public=False,
    summary="Return, for each window, the element of t where the first maximum of that window of x lies.",
    notes="A window that lies in the padding altogether gives 0.",
    canonical=_canonical, shape=_gather_shape, dtype=_first_dtype, reference=_max_gather_reference, linear="first",
    gradient=lambda g, y, t, x, **words: (max_pool_gradient(g, x, **words), None),
    tangent=lambda s, y, t, x, **words: zeros_like(y) if s[0] is None else max_pool_gather(s[0], x, **words),
    batch=_batch_both("max_pool_gather"),
    cases=[*[Case(_SHAPE, _SHAPE, **words) for words in _CASES], Case((0, 2, 4), (0, 2, 4), window=2)],
    bad=[BadCase((2, 3, 5, 5), _SHAPE, window=2, error=ShapeError, match="differ")],
)  # fmt: skip


# Sum.


def _last_sizes(x: Node, window: Any) -> Any:
    return sizes_of(x)[x.ndim - len(window) :]


def _sum_gradient(g: Node, y: Node, x: Node, **words: Any) -> tuple[Node]:
    static, dynamic = split_sizes(_last_sizes(x, words["window"]), "size")
    return (sum_pool_transpose(g, *dynamic, size=static, **words),)


def _sum_transpose_canonical(types: tuple[TensorType, ...], size: Any, **words: Any) -> dict[str, Any]:
    """As for the op that this is the transpose of, whose input has the sizes given."""
    size, rank = tuple(size), types[0].ndim
    if not 0 < len(size) <= rank:
        raise ArgumentError(f"size {size} has {len(size)} entries for a tensor of rank {rank}")
    spread = types[0].with_shape((*types[0].shape[: rank - len(size)], *size))
    canonical = _canonical((spread,), **words, size=size)
    if len(canonical["window"]) != len(size):
        raise ArgumentError(f"size {size} and window {canonical['window']} have different lengths")
    return canonical


def _sum_transpose_shape(g: Shape, *sizes: Shape, size: Shape, **words: Any) -> Shape:
    shape = (*g[: len(g) - len(size)], *size)
    _check_windows(g, shape, words)
    return shape


def _batch_sized(is_batched: Sequence[bool], g: Node, *sizes: Node, **words: Any) -> Node:
    if any(is_batched[1:]):
        raise ArgumentError("sum_pool_transpose: sizes cannot differ within a batch")
    return sum_pool_transpose(g, *sizes, **words)


sum_pool: Op = card(
    "sum_pool", "x", params=PARAMS, param_docs=PARAM_DOCS, kind=REDUCTION,
    summary="Sum each window that slides over the last axes of x (B, C, spatial ...); padding counts as 0.",
    notes="float16 and bfloat16 are summed in float32; integers keep their dtype.",
    canonical=_canonical, shape=pooled_shape, dtype=numeric, reference=_sum_reference, linear="all",
    gradient=_sum_gradient, flops=_flops, batch=lambda is_batched, x, **words: sum_pool(x, **words),
    cases=[*[Case(_SHAPE, **words) for words in _CASES], Case((2, 3, 7), window=3, stride=2), Case((6,), window=(2,)),
           Case((0, 2, 4), window=2)],
    bad=_BAD,
)  # fmt: skip

sum_pool_transpose: Op = card(
    "sum_pool_transpose", "g *sizes", params={"size": REQUIRED, **PARAMS}, kind=OTHER, public=False, sizes="size",
    param_docs={"size": "Sizes of the last axes of the result; None takes a size input.", **PARAM_DOCS},
    summary="Add each element of g to the whole window that it stands for: the transpose of sum_pool.",
    canonical=_sum_transpose_canonical, shape=_sum_transpose_shape, dtype=_sized_numeric,
    reference=_sum_transpose_reference, linear="first",
    gradient=lambda g, y, given, *sizes, size, **words: (sum_pool(g, **words), *[None] * len(sizes)),
    tangent=lambda t, y, given, *sizes, **words: sum_pool_transpose(t[0], *sizes, **words), batch=_batch_sized,
    cases=[Case((2, 3, 2, 3), size=(5, 6), **_CASES[0]), Case((2, 3, 4, 3), size=(5, 6), **_CASES[1]),
           Case((2, 3, 5, 6), size=(5, 6), **_CASES[2]), Case((2, 3, 3, 3), size=(5, 6), **_CASES[3])],
    bad=[BadCase((2, 3, 3, 3), size=(5, 6), window=2, error=ShapeError, match="the pooled input has (2, 3, 2, 3)"),
         BadCase((2, 3, 3), size=(5,), window=(2, 2), error=ArgumentError, match="different lengths")],
)  # fmt: skip


# Functions.


@function()
def average_pool(
    x: Any,
    window: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Node:
    """Average each window that slides over the last axes.

    Parameters
    ----------
    x : tensor
        Integers are averaged in the default float type.
    window, stride, padding, dilation, ceil_mode
        As for `max_pool`.
    count_include_pad : bool
        Whether padding counts as elements that are 0; what `ceil_mode` lets hang over never counts.

    Returns
    -------
    tensor

    Shape
    -----
    x (B, C, spatial ...), result (B, C, windows ...).

    Raises
    ------
    ShapeError
        If the window is larger than the padded input.

    Examples
    --------
    >>> import septet as st
    >>> st.average_pool(st.reshape(st.arange(4.0), (1, 1, 4)), 2).tolist()
    [[[0.5, 2.5]]]
    """
    x = as_node(x)
    if not dtypes.is_differentiable(x.dtype):
        x = ops.cast(x, dtype=dtypes.default_of_kind(FLOAT))
    floor = {"window": window, "stride": stride, "padding": padding, "dilation": dilation}
    total: Any = sum_pool(x, **floor, ceil_mode=ceil_mode)
    words = total.keywords()
    plain = words["padding"]
    if ceil_mode:  # what the user gave, per axis
        spatial = x.shape[x.ndim - len(words["window"]) :]
        plain = resolve_padding(padding, spatial, words["window"], words["stride"], words["dilation"])
    if plain == words["padding"] and (count_include_pad or all(pair == (0, 0) for pair in plain)):
        return total / int(np.prod(words["window"]))
    return total / _counts(x, total, words, plain if count_include_pad else ((0, 0),) * len(plain))


def _counts(x: Node, total: Node, words: dict[str, Any], counted: Pairs) -> Node:
    """Return how many elements each window has, among them `counted` ones of padding before and after."""
    window = words["window"]
    sizes: Any = _last_sizes(x, window)
    widened = [size + low + high for size, (low, high) in zip(sizes, counted, strict=True)]
    rest = tuple((p[0] - c[0], p[1] - c[1]) for p, c in zip(words["padding"], counted, strict=True))
    words = {**words, "padding": rest}
    if all(isinstance(size, int) for size in widened):
        return constant(_sum_reference(np.ones(widened, x.dtype), **words).astype(x.dtype))
    return sum_pool(broadcast_to(as_node(1, x.dtype), widened), **words)


def _spatial_axes(x: Node, name: str) -> tuple[int, ...]:
    if x.ndim < 3:
        raise ShapeError(
            f"{name}: x is (batch, channels, spatial ...), so its rank is at least 3; it has {x.ndim}: {x.type!r}",
            hint="add the missing axes with expand_dims",
        )
    return tuple(range(2, x.ndim))


@function()
def global_average_pool(x: Any, keepdims: bool = False) -> Node:
    """Average over all spatial axes.

    Parameters
    ----------
    x : tensor
    keepdims : bool
        Whether the spatial axes stay, with size 1.

    Shape
    -----
    x (B, C, spatial ...), result (B, C).

    Raises
    ------
    ShapeError
        If there are no spatial axes.
    """
    x = as_node(x)
    return ops.mean(x, axis=_spatial_axes(x, "global_average_pool"), keepdims=keepdims)


@function()
def global_max_pool(x: Any, keepdims: bool = False) -> Node:
    """Take the maximum over all spatial axes.

    Parameters
    ----------
    x : tensor
    keepdims : bool
        Whether the spatial axes stay, with size 1.

    Shape
    -----
    x (B, C, spatial ...), result (B, C).

    Raises
    ------
    ShapeError
        If there are no spatial axes.
    """
    x = as_node(x)
    return ops.max(x, axis=_spatial_axes(x, "global_max_pool"), keepdims=keepdims)


def _adaptive_sizes(x: Node, output_size: Any, name: str) -> list[tuple[int, int, int]]:
    """Return (axis, size, output size) for each spatial axis whose size changes."""
    axes = _spatial_axes(x, name)
    given = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * len(axes)
    if len(given) != len(axes):
        raise ArgumentError(f"{name}: output_size {tuple(given)} does not have one entry for each of {len(axes)} axes")
    found = []
    for axis, wanted in zip(axes, given, strict=True):
        size = x.shape[axis]
        if wanted is None or wanted == size:
            continue
        wanted = per_axis(wanted, 1, f"{name}: output_size")[0]
        if size is None or size == 0:
            raise ArgumentError(f"{name}: axis {axis} must have a known size above 0, got {x.type!r}")
        found.append((axis, size, wanted))
    return found


def _borders(size: int, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the windows of adaptive pooling begin and end."""
    index = np.arange(wanted)
    return index * size // wanted, -(-(index + 1) * size // wanted)


def _swap_last(x: Node, axis: int) -> Any:
    """Exchange an axis with the last one."""
    axes = list(range(x.ndim))
    axes[axis], axes[-1] = axes[-1], axes[axis]
    return transpose(x, axes=tuple(axes))


@function()
def adaptive_average_pool(x: Any, output_size: Any) -> Node:
    """Average over windows that are chosen so that the result has a given size.

    Parameters
    ----------
    x : tensor
    output_size : int or one int or None for each spatial axis
        None keeps the size of an axis.

    Shape
    -----
    x (B, C, spatial ...), result (B, C, *output_size).

    Raises
    ------
    ArgumentError
        If a size that changes is not known.

    Source
    ------
    Window i reaches from floor(i * size / output) to ceil((i + 1) * size / output), as in
    torch.nn.functional.adaptive_avg_pool2d.
    """
    x = as_node(x)
    if not dtypes.is_differentiable(x.dtype):
        x = ops.cast(x, dtype=dtypes.default_of_kind(FLOAT))
    for axis, size, wanted in _adaptive_sizes(x, output_size, "adaptive_average_pool"):
        start, stop = _borders(size, wanted)
        index = np.arange(size)[:, None]
        weights = ((index >= start) & (index < stop)) / (stop - start)  # (size, wanted)
        x = _swap_last(matmul(_swap_last(x, axis), constant(weights.astype(x.dtype))), axis)
    return x


@function()
def adaptive_max_pool(x: Any, output_size: Any) -> Node:
    """Take maxima over windows that are chosen so that the result has a given size.

    Parameters
    ----------
    x : tensor
    output_size : int or one int or None for each spatial axis
        None keeps the size of an axis.

    Shape
    -----
    x (B, C, spatial ...), result (B, C, *output_size).

    Raises
    ------
    ArgumentError
        If a size that changes is not known.

    Source
    ------
    The windows are those of `adaptive_average_pool`.
    """
    x = as_node(x)
    for axis, size, wanted in _adaptive_sizes(x, output_size, "adaptive_max_pool"):
        start, stop = _borders(size, wanted)
        index = start[:, None] + np.arange(int((stop - start).max()))
        index = np.minimum(index, stop[:, None] - 1)  # a shorter window repeats its last element
        width = index.shape[1]
        window = (*(1,) * (x.ndim - axis - 1),)
        taken = ops.take(x, constant(index.ravel()), axis=axis)
        x = max_pool(taken, window=(width, *window), stride=(width, *window))
    return x
