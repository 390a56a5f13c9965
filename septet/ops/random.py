"""Random numbers as functions of a state: the cards of random bits and derived states, and distributions made of them.

A state is a tensor uint64[2], seed and draw number (see `septet.base.random`). Equal states give equal numbers on every
backend, to the last bit: what is made of the random bits uses only operations that have one right result, and the
functions of `septet.ops.exact` where it takes a logarithm or a cosine.

Every element is a function of the state and of its own place in row-major order: a shorter draw is the beginning of a
longer one, and the shape is nothing but an arrangement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base import random as philox
from septet.base import shapes as base_shapes
from septet.base.dtypes import FLOAT, DType
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.base.shapes import Shape, check_axis
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import BadCase, Case, Op, as_node, card, cast_to, ops, record
from septet.ops.checks import ensure
from septet.ops.exact import exact_erf, exact_log, exact_log_positive, exact_normal, exact_normal_wide, exact_quantile
from septet.ops.shaping import broadcast_to, fill_sizes, reshape, size_of, sizes_of, split_sizes

STATE = np.array([7, 0], np.uint64)
_NO_GRADIENT = "random bits are integers; distributions are differentiable in their parameters"


def check_state(state: DType) -> None:
    """Refuse a state of another dtype: converting one could make two states equal."""
    if state != dtypes.uint64:
        raise DTypeError(f"a state is uint64[2] (seed, draw number), got dtype {state.name}")


def state_axes(state: Shape) -> Shape:
    """Return the batch axes of states."""
    if not state or state[-1] not in (2, None):
        raise ShapeError(f"a state is uint64[2], got shape {shape_text(state)}", marks=[(0, len(state) - 1)])
    return state[:-1]


# The cards.


def _bits_dtype(state: DType, *sizes: DType, shape: Shape, width: int) -> tuple[tuple[DType, ...], DType]:
    check_state(state)
    if width not in (32, 64):
        raise ArgumentError(f"width is 32 or 64, got {width!r}")
    return (state, *sizes), dtypes.uint32 if width == 32 else dtypes.uint64


def _bits_reference(state: np.ndarray, *sizes: Any, shape: Shape, width: int) -> np.ndarray:
    own = fill_sizes(shape, sizes)
    if min(own, default=0) < 0:
        raise ArgumentError(f"a size is negative: {own}")
    count = math.prod(own)
    rows = [philox.random_bits(row, count, width) for row in state.reshape(-1, 2)]
    whole = (*state.shape[:-1], *own)
    return np.stack(rows).reshape(whole) if rows else np.zeros(whole, np.uint64)


def _bits_batch(is_batched: Sequence[bool], state: Node, *sizes: Node, shape: Shape, width: int) -> Node:
    if any(is_batched[1:]):
        raise ArgumentError("random_bits: sizes cannot differ within a batch")
    return record(random_bits, (state, *sizes), (shape, width))


random_bits = card(
    "random_bits", "state *sizes", params={"shape": (), "width": 32}, public=False, sizes="shape",
    summary="Return the random bits that belong to a state.",
    param_docs={"shape": "The sizes; None takes a size input.", "width": "Bits of an element: 32 or 64."},
    notes="States with further axes in front give one draw each.",
    source="Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011 (Philox4x32-10).",
    canonical=lambda types, shape, width: {"shape": tuple(shape), "width": width},
    shape=lambda state, *sizes, shape, width: (*state_axes(state), *shape), dtype=_bits_dtype,
    reference=_bits_reference, batch=_bits_batch, no_gradient=_NO_GRADIENT,
    cases=[Case(STATE, shape=(3, 4)), Case(STATE, shape=(5,), width=64), Case(STATE, shape=()),
           Case(STATE, shape=(0, 2)), Case(np.array([[7, 0], [7, 1]], np.uint64), shape=(3,))],
    bad=[BadCase(np.array([7, 0]), shape=(3,), error=DTypeError, match="a state is uint64[2]"),
         BadCase(np.array([7], np.uint64), shape=(3,), error=ShapeError, match="a state is uint64[2]"),
         BadCase(STATE, shape=(3,), width=16, error=ArgumentError, match="width is 32 or 64")],
)  # fmt: skip


def _fold_shape(state: Shape, data: Shape) -> Shape:
    return (*base_shapes.broadcast(state_axes(state), data), 2)


def _fold_dtype(state: DType, data: DType) -> tuple[tuple[DType, ...], DType]:
    check_state(state)
    if not dtypes.is_integer(data):
        raise DTypeError(f"a number to fold into a state is an integer, got dtype {data.name}")
    return (state, dtypes.uint64), state


def _fold_batch(is_batched: Sequence[bool], state: Node, data: Node) -> Node:
    if is_batched[0] and is_batched[1]:  # batch axes in front of both: bring them to the same rank
        own, other = state.ndim - 2, data.ndim - 1
        sizes, counts = sizes_of(state), sizes_of(data)
        state = reshape(state, (sizes[0], *[1] * max(other - own, 0), *sizes[1:]))
        data = reshape(data, (counts[0], *[1] * max(own - other, 0), *counts[1:]))
    elif is_batched[0]:  # a batch of states, the same numbers for each
        sizes = sizes_of(state)
        state = reshape(state, (sizes[0], *[1] * max(data.ndim - (state.ndim - 2), 0), *sizes[1:]))
    else:
        counts = sizes_of(data)
        data = reshape(data, (counts[0], *[1] * max(state.ndim - 1 - (data.ndim - 1), 0), *counts[1:]))
    return fold_in(state, data)


fold_in = card(
    "fold_in", "state data", public=False, summary="Derive a state from a state and a number (of a step, a layer, "
    "an example).",
    notes="For one state, different numbers always give different states.",
    shape=_fold_shape, dtype=_fold_dtype, reference=lambda state, data: philox.fold_in(state, np.asarray(data)),
    batch=_fold_batch, no_gradient=_NO_GRADIENT,
    cases=[Case(STATE, np.uint64(3)), Case(STATE, np.arange(4, dtype=np.uint64)),
           Case(np.array([[7, 0], [7, 1]], np.uint64), np.uint64(1))],
    bad=[BadCase(STATE, np.array(1.5), error=DTypeError, match="is an integer"),
         BadCase(np.array([7, 0]), np.uint64(1), error=DTypeError, match="a state is uint64[2]")],
)  # fmt: skip


def _split_canonical(types: Any, count: Any) -> dict[str, Any]:
    if not isinstance(count, (int, np.integer)) or isinstance(count, bool) or count < 0:
        raise ArgumentError(f"count must be an integer that is not negative, got {count!r}")
    return {"count": int(count)}


def _split_dtype(state: DType, count: int) -> tuple[tuple[DType, ...], DType]:
    check_state(state)
    return (state,), state


split_state: Op = card(
    "split_state", "state", params={"count": 2}, public=False, summary="Derive several independent states from one.",
    param_docs={"count": "How many; the first of them do not depend on it."},
    canonical=_split_canonical, shape=lambda state, count: (*state_axes(state), count, 2), dtype=_split_dtype,
    reference=lambda state, count: philox.split(state, count), no_gradient=_NO_GRADIENT,
    batch=lambda is_batched, state, count: split_state(state, count=count),
    cases=[Case(STATE), Case(STATE, count=5), Case(np.array([[7, 0], [7, 1]], np.uint64), count=3)],
    bad=[BadCase(STATE, count=-1, error=ArgumentError, match="not negative")],
)  # fmt: skip


# What the distributions share.


def bits(state: Node, shape: Any, width: int) -> Node:
    """Record random bits; sizes may be nodes."""
    static, dynamic = split_sizes(shape)
    return record(random_bits, (state, *dynamic), (static, width))


def float_dtype(dtype: Any, *params: Any) -> DType:
    """Return the dtype asked for, or that of the parameters, or the default float.

    Raises
    ------
    DTypeError
        If a dtype is asked for that is not a real float.
    """
    if dtype is None:
        own = [p.dtype for p in params if isinstance(p, Node) and dtypes.is_float(p.dtype)]
        return dtypes.promote(*own) if own else dtypes.default_of_kind(FLOAT)
    found = dtypes.as_dtype(dtype)
    if not dtypes.is_float(found):
        raise DTypeError(f"random numbers of this distribution are real floats, got dtype {found.name}")
    return found


def int_dtype(dtype: Any) -> DType:
    """Return the integer dtype asked for, or the default."""
    found = dtypes.default_of_kind(dtypes.INTEGER) if dtype is None else dtypes.as_dtype(dtype)
    if not dtypes.is_integer(found):
        raise DTypeError(f"random integers have an integer dtype, got {found.name}")
    return found


def sample_sizes(shape: Any, *params: Any) -> tuple[Any, ...]:
    """Return the sizes of a draw: those given, or those that the parameters broadcast to."""
    if shape is not None:
        return tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    nodes = [p for p in params if isinstance(p, Node)]
    static = base_shapes.broadcast(*[node.shape for node in nodes])
    sizes: list[Any] = []
    for axis, size in enumerate(static):
        if size is not None:
            sizes.append(size)
            continue
        back = axis - len(static)
        node = next(n for n in nodes if n.ndim >= -back and n.shape[back] is None)
        sizes.append(size_of(node, axis=back))
    return tuple(sizes)


def parameter(value: Any, sizes: Sequence[Any], dtype: DType) -> Any:
    """Return a parameter as a node of the draw's dtype, broadcast to its shape; a number stays a number.

    Raises
    ------
    ShapeError
        If the parameter does not broadcast to the shape.
    """
    if dtypes.is_scalar(value):
        return value
    node = as_node(value)
    if node.dtype != dtype:
        node = cast_to(node, dtype)
    return node if node.ndim == 0 else broadcast_to(node, sizes)


def _wide(dtype: DType) -> DType:
    """Short floats are computed in float32."""
    return dtypes.accumulator_of(dtype)


# resolution of a uniform number: as many bits as the significand holds
_UNIT_BITS = {dtypes.float16: 11, dtypes.bfloat16: 8, dtypes.float32: 24, dtypes.float64: 53}


def unit(state: Node, shape: Any, dtype: DType, *, is_open: bool = False) -> Node:
    """Draw multiples of 2**-p from 0 to below 1 (p: 24 bits in float32, 53 in float64, 11 and 8 in the short ones).

    With `is_open` both ends are left out: odd multiples of 2**-p.
    """
    width = 64 if dtype == dtypes.float64 else 32
    precision = _UNIT_BITS[dtype] - is_open
    raw = ops.bitwise_right_shift(bits(state, shape, width), width - precision)
    scaled = cast_to(raw, dtype)
    if is_open:
        scaled = scaled + 0.5
    return scaled * 2.0**-precision


# Continuous distributions.


def uniform(state: Node, shape: Any = None, low: Any = 0.0, high: Any = 1.0, dtype: Any = None) -> Node:
    """Draw from `low` to below `high` (rounding may give `high` itself, where the interval is not from 0 to 1).

    Parameters
    ----------
    state : node, uint64[2]
    shape : tuple of (int or integer scalar node), optional
        By default the shape that `low` and `high` broadcast to.
    low, high : float or node
    dtype : dtype, optional

    Gradient
    --------
    With respect to `low` and `high`, through ``low + (high - low) u``.
    """
    dtype = float_dtype(dtype, low, high)
    sizes = sample_sizes(shape, low, high)
    u = unit(state, sizes, dtype)
    low, high = parameter(low, sizes, dtype), parameter(high, sizes, dtype)
    if dtypes.is_scalar(low) and low == 0:
        return u if dtypes.is_scalar(high) and high == 1 else u * high
    return u * (high - low) + low


def normal(state: Node, shape: Any = None, mean: Any = 0.0, std: Any = 1.0, dtype: Any = None) -> Node:
    """Draw from the normal distribution.

    Each element comes from its own 64 random bits in float32 (a radius from the upper, an angle from the lower half),
    and from two of its own uniforms of 53 bits in float64; so it does not depend on its neighbours. The largest
    possible value is 6.7 in float32, 8.6 in float64.

    Source
    ------
    Box and Muller, A note on the generation of random normal deviates, 1958: see `exact_normal`.
    """
    dtype = float_dtype(dtype, mean, std)
    sizes = sample_sizes(shape, mean, std)
    raw = bits(state, sizes, 64)
    if dtype == dtypes.float64:
        z = exact_normal_wide(raw, bits(fold_in(state, as_node(1, dtypes.uint64)), sizes, 64))
    else:
        z = cast_to(exact_normal(raw), dtype)
    return location_scale(z, sizes, mean, std)


def location_scale(z: Node, sizes: Sequence[Any], mean: Any, std: Any) -> Node:
    """Shift and scale a standard draw; gradients flow to both."""
    mean, std = parameter(mean, sizes, z.dtype), parameter(std, sizes, z.dtype)
    if not (dtypes.is_scalar(std) and std == 1):
        z = z * std
    if not (dtypes.is_scalar(mean) and mean == 0):
        z = z + mean
    return z


def truncated_normal(
    state: Node, shape: Any = None, low: Any = -2.0, high: Any = 2.0, mean: Any = 0.0, std: Any = 1.0, dtype: Any = None
) -> Node:
    """Draw from the normal distribution, cut off at ``mean + low * std`` and ``mean + high * std``.

    By the inverse of the distribution function, in float64; bounds up to 8 standard deviations make sense.
    """
    dtype = float_dtype(dtype, low, high, mean, std)
    sizes = sample_sizes(shape, low, high, mean, std)
    if dtypes.is_scalar(low) and dtypes.is_scalar(high) and not low < high:
        raise ArgumentError(f"truncated_normal: low must be below high, got {low!r} and {high!r}")
    wide = dtypes.float64
    ends = [as_node(parameter(end, sizes, wide), wide) for end in (low, high)]
    below, above = [exact_erf(end * math.sqrt(0.5)) for end in ends]
    u = unit(state, sizes, wide, is_open=True)
    z = exact_quantile(u * (above - below) + below)
    z = ops.minimum(ops.maximum(z, ends[0]), ends[1])
    return location_scale(cast_to(z, dtype), sizes, mean, std)


def exponential(state: Node, shape: Any = None, scale: Any = 1.0, dtype: Any = None) -> Node:
    """Draw from the exponential distribution with mean `scale`: ``-log(1 - u)``."""
    dtype = float_dtype(dtype, scale)
    sizes = sample_sizes(shape, scale)
    z = -exact_log_positive(1.0 - unit(state, sizes, _wide(dtype)))  # 1 - u has no rounding
    return location_scale(cast_to(z, dtype), sizes, 0.0, scale)


def gumbel(state: Node, shape: Any = None, loc: Any = 0.0, scale: Any = 1.0, dtype: Any = None) -> Node:
    """Draw from the Gumbel distribution: ``-log(-log(u))``."""
    dtype = float_dtype(dtype, loc, scale)
    sizes = sample_sizes(shape, loc, scale)
    z = -exact_log_positive(-exact_log_positive(unit(state, sizes, _wide(dtype), is_open=True)))
    return location_scale(cast_to(z, dtype), sizes, loc, scale)


def laplace(state: Node, shape: Any = None, loc: Any = 0.0, scale: Any = 1.0, dtype: Any = None) -> Node:
    """Draw from the Laplace distribution, by the inverse of its distribution function."""
    dtype = float_dtype(dtype, loc, scale)
    sizes = sample_sizes(shape, loc, scale)
    u = unit(state, sizes, _wide(dtype), is_open=True) * 2.0 - 1.0  # (-1, 1)
    z = -ops.sign(u) * exact_log_positive(1.0 - ops.abs(u))
    return location_scale(cast_to(z, dtype), sizes, loc, scale)


def logistic(state: Node, shape: Any = None, loc: Any = 0.0, scale: Any = 1.0, dtype: Any = None) -> Node:
    """Draw from the logistic distribution: ``log(u / (1 - u))``."""
    dtype = float_dtype(dtype, loc, scale)
    sizes = sample_sizes(shape, loc, scale)
    u = unit(state, sizes, _wide(dtype), is_open=True)
    return location_scale(cast_to(exact_log_positive(u) - exact_log_positive(1.0 - u), dtype), sizes, loc, scale)


# Discrete distributions.


def bernoulli(state: Node, p: Any = 0.5, shape: Any = None) -> Node:
    """Draw True with probability `p` (dtype bool): ``u < p``."""
    dtype = float_dtype(None, p)
    sizes = sample_sizes(shape, p)
    if dtypes.is_scalar(p) and not 0 <= p <= 1:
        raise ArgumentError(f"bernoulli: a probability is between 0 and 1, got {p!r}")
    return ops.less(unit(state, sizes, dtype), parameter(p, sizes, dtype))


_LOW = 0xFFFFFFFF


def scale_bits(raw: Node, count: Any) -> Node:
    """Return ``floor(raw * count / 2**64)`` for 64-bit integers: the upper half of the product of 128 bits.

    Source
    ------ Lemire, Fast random integer generation in an interval, 2019, without its rejection step: each value's
    probability differs from 1 / count by at most 2**-64.
    """
    high, low = ops.bitwise_right_shift(raw, 32), ops.bitwise_and(raw, _LOW)
    if isinstance(count, int) and count <= 1 << 32:
        return ops.bitwise_right_shift(high * count + ops.bitwise_right_shift(low * count, 32), 32)
    count = as_node(count, dtypes.uint64)
    above, below = ops.bitwise_right_shift(count, 32), ops.bitwise_and(count, _LOW)
    first = high * below + ops.bitwise_right_shift(low * below, 32)
    second = low * above + ops.bitwise_and(first, _LOW)
    return high * above + ops.bitwise_right_shift(first, 32) + ops.bitwise_right_shift(second, 32)


def randint(state: Node, shape: Any = None, low: Any = 0, high: Any = None, dtype: Any = None) -> Node:
    """Draw integers from `low` to `high` (not included); ``randint(state, shape, n)`` draws from 0 to n.

    Parameters
    ----------
    low, high : int or integer node
        With nodes an interval without an integer in it is not noticed, and gives `low`.

    Raises
    ------
    ArgumentError
        If there is no integer in the interval, or it does not fit the dtype.
    """
    dtype = int_dtype(dtype)
    if high is None:
        low, high = 0, low
    sizes = sample_sizes(shape, low, high)
    raw = bits(state, sizes, 64)
    low, high = _bound(low), _bound(high)
    if isinstance(low, int) and isinstance(high, int):
        info = np.iinfo(dtype)
        if low >= high:
            raise ArgumentError(f"randint: there is no integer from {low} to below {high}")
        if low < info.min or high - 1 > info.max:
            raise ArgumentError(f"randint: {low} to {high - 1} does not fit {dtype.name} ({info.min} to {info.max})")
        drawn = raw if high - low == 1 << 64 else scale_bits(raw, high - low)
        shifted = drawn + low % (1 << 64) if low else drawn
        return cast_to(shifted, dtype)
    first, last = [broadcast_to(cast_to(as_node(bound, dtypes.int64), dtypes.uint64), sizes) for bound in (low, high)]
    return cast_to(scale_bits(raw, last - first) + first, dtype)


def _bound(bound: Any) -> Any:
    """Return a bound as an int or a node."""
    if isinstance(bound, Node):
        if not dtypes.is_integer(bound.dtype):
            raise DTypeError(f"randint: bounds are integers, got {bound.type!r}")
        return bound
    try:
        return bound.__index__()
    except AttributeError:
        raise DTypeError(f"randint: bounds are integers, got {bound!r}") from None


def categorical(state: Node, logits: Node, shape: Any = None, axis: int = -1) -> Node:
    """Draw indices with probabilities ``softmax(logits)`` along an axis.

    By the largest of the logits with Gumbel noise added, so the logits need not be normalised, and -inf is never drawn.

    Parameters
    ----------
    logits : node
    shape : tuple of (int or node), optional
        Shape of the result, to which the shape of the logits without `axis` is broadcast; that shape itself by default.
    axis : int

    Source
    ------
    Gumbel, Statistical theory of extreme values, 1954; Maddison et al., A* sampling, 2014.
    """
    axis = check_axis(axis, logits.ndim)
    dtype = float_dtype(None, logits)
    own = sizes_of(logits)
    rest = (*own[:axis], *own[axis + 1 :])
    moved = ops.transpose(logits, axes=(*[i for i in range(logits.ndim) if i != axis], axis))
    sizes = tuple(rest) if shape is None else sample_sizes(shape)
    noise = gumbel(state, (*sizes, own[axis]), dtype=dtype)
    if len(sizes) + 1 < moved.ndim:
        raise ShapeError(
            f"categorical: logits {shape_text(logits.shape)} do not broadcast to samples of rank {len(sizes)}"
        )
    spread = broadcast_to(moved, (*sizes, own[axis])) if moved.ndim > 1 else moved
    return ops.argmax(spread + noise, axis=-1)


def _log(p: Node) -> Node:
    """The logarithms of probabilities, which decide between numbers: so they are the same everywhere too."""
    return cast_to(exact_log(p), p.dtype)


# Orders.


def permutation(state: Node, count: Any) -> Node:
    """Draw an order of the integers from 0 to `count`: the order of random 64-bit keys.

    Two keys of a million are equal with a probability of 3e-8; their order is then that of their places.
    """
    return cast_to(ops.argsort(bits(state, (count,), 64), axis=-1), dtypes.default_of_kind(dtypes.INTEGER))


def shuffle(state: Node, x: Node, axis: int = 0) -> Node:
    """Return the slices of a tensor along an axis in random order."""
    axis = check_axis(axis, x.ndim)
    return ops.take(x, permutation(state, sizes_of(x)[axis]), axis=axis)


def choice(state: Node, a: Any, shape: Any = (), replace: bool = True, p: Node | None = None, axis: int = 0) -> Node:
    """Draw from the integers below `a`, or slices of a tensor `a` along an axis.

    Parameters
    ----------
    a : int, integer scalar node, or node
    shape : tuple of int
    replace : bool
        Whether an element can be drawn more than once.
    p : node, optional
        Probabilities, one for each element; they are divided by their sum.

    Raises
    ------
    ArgumentError
        If more elements are drawn without replacement than there are, or `p` has another length.
    """
    is_number = not isinstance(a, Node) or a.ndim == 0
    count = (a if not isinstance(a, Node) else cast_to(a, dtypes.int64)) if is_number else sizes_of(a)[axis]
    sizes = sample_sizes(shape)
    if p is not None and (p.ndim != 1 or (isinstance(count, int) and p.shape[0] not in (None, count))):
        raise ArgumentError(f"choice: p must have one probability for each of {count} elements, got {p.type!r}")
    if p is not None:
        p = ensure(p, (count,), "choice")
    if not replace:
        if any(isinstance(size, Node) for size in sizes):
            raise ArgumentError("choice: without replacement the shape must be known")
        wanted = math.prod(sizes)
        if isinstance(count, int) and wanted > count:
            raise ArgumentError(f"choice: cannot draw {wanted} of {count} elements without replacement")
        if p is None:
            order = permutation(state, count)
        else:  # the largest of the logarithms with Gumbel noise: Efraimidis and Spirakis, 2006
            order = ops.argsort(-(_log(p) + gumbel(state, (count,), dtype=p.dtype)), axis=-1)
        index = reshape(ops.take(order, np.arange(wanted), axis=0), sizes)
    elif p is None:
        index = randint(state, sizes, 0, count)
    else:
        index = categorical(state, _log(p), sizes)
    return index if is_number else ops.take(a, index, axis=axis)
