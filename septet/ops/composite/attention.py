"""Attention: weighted means of values, with weights from how well queries match keys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, SeptetError, ShapeError
from septet.base.shapes import broadcast
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import as_node, cast_to, explain_call, function, ops, record
from septet.ops.composite.losses import as_real
from septet.ops.gradient import stop_gradient
from septet.ops.matmul import matmul
from septet.ops.random import unit
from septet.ops.shaping import reshape, sizes_of, split_sizes, transpose

_NAMES = ("query", "key", "value")


def _refuse(error: SeptetError, nodes: Sequence[Node]) -> SeptetError:
    names = [*_NAMES, "mask"][: len(nodes)]
    return explain_call(error, "attention", names, nodes)


def _check_shapes(nodes: Sequence[Node]) -> None:
    """Refuse queries, keys, values and a mask that do not fit together."""
    for position, node in enumerate(nodes[:3]):
        if node.ndim < 2:
            error = ShapeError(f"{_NAMES[position]} needs two axes at least, time and features")
            error.marks = tuple([(position, axis) for axis in range(node.ndim)])
            raise _refuse(error, nodes)
    query, key, value = nodes[:3]
    if None not in (query.shape[-1], key.shape[-1]) and query.shape[-1] != key.shape[-1]:
        error = ShapeError(
            f"queries have {query.shape[-1]} features, keys {key.shape[-1]}",
            marks=[(0, query.ndim - 1), (1, key.ndim - 1)],
        )
        raise _refuse(error, nodes)
    if None not in (key.shape[-2], value.shape[-2]) and key.shape[-2] != value.shape[-2]:
        error = ShapeError(
            f"there are {key.shape[-2]} keys and {value.shape[-2]} values",
            marks=[(1, key.ndim - 2), (2, value.ndim - 2)],
        )
        raise _refuse(error, nodes)
    try:
        batch = broadcast(*[node.shape[:-2] for node in nodes[:3]])
    except ShapeError as problem:
        raise _refuse(problem, nodes) from None
    if len(nodes) > 3:
        own, scores = nodes[3].shape, (*batch, query.shape[-2], key.shape[-2])
        extra = len(own) - len(scores)
        bad = [axis for axis in range(len(own)) if axis < extra or not _meets(own[axis], scores[axis - extra])]
        if bad:
            error = ShapeError(
                f"the mask {shape_text(own)} does not broadcast to the scores {shape_text(scores)}",
                marks=[(3, axis) for axis in bad],
            )
            raise _refuse(error, nodes)


def _meets(size: int | None, other: int | None) -> bool:
    """Tell whether an axis of the mask can be repeated to fit."""
    return size in (1, None, other) or other is None


def _positions(size: Any) -> Node:
    """Return 0, 1, 2 ... up to a size."""
    static, dynamic = split_sizes((size,))
    return record(ops.iota, dynamic, (static, 0, dtypes.int64))


def _masked(scores: Node, mask: Node | None, is_causal: bool) -> Node:
    """Put minus infinity where a query may not look."""
    allowed = None
    if mask is not None and mask.dtype == dtypes.bool_:
        allowed = mask
    elif mask is not None:
        scores = scores + cast_to(mask, scores.dtype)
    if is_causal:
        times, places = sizes_of(scores)[-2:]
        past = ops.greater_equal(reshape(_positions(times), (times, 1)), _positions(places))  # (T, S)
        allowed = past if allowed is None else ops.logical_and(allowed, past)
    return scores if allowed is None else ops.where(allowed, scores, as_node(-math.inf, scores.dtype))


def _weights(scores: Node) -> Node:
    """Return softmax(scores) over the keys, and zeros where all scores are minus infinity."""
    top = ops.max(scores, axis=-1, keepdims=True)
    top = ops.where(ops.isfinite(top), top, as_node(0, scores.dtype))
    e = ops.exp(scores - stop_gradient(top))  # (..., T, S)
    total = ops.sum(e, axis=-1, keepdims=True)
    return e / ops.where(ops.equal(total, as_node(0, total.dtype)), as_node(1, total.dtype), total)


def _swapped(x: Node) -> Node:
    """Exchange the last two axes."""
    return transpose(x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


@function("scaled_dot_product_attention")
def attention(
    query: Any, key: Any, value: Any, mask: Any = None, *, is_causal: bool = False, scale: Any = None,
    dropout: float = 0.0, state: Any = None, with_weights: bool = False,
) -> Any:  # fmt: skip
    """Return softmax(query @ key^T * scale + mask) @ value: for each query, a weighted mean of the values.

    Parameters
    ----------
    query, key, value : tensor
        Axes in front (batch, heads) broadcast. So several groups of queries can share keys and values: give the queries
        one more axis, and keys and values a size of 1 there.
    mask : tensor of bool or float, optional
        Booleans: True where a query may look at a key. Floats are added to the scores. It broadcasts to (..., T, S).
    is_causal : bool
        Whether query t may look at the keys 0 to t only; together with a mask of booleans, both must allow it.
    scale : float or tensor, optional
        By default 1 / sqrt(D).
    dropout : float
        The share of the weights that is set to 0; the others are scaled up.
    state : tensor uint64[2], optional
        What dropout draws from: ``st.random.next_state()``.
    with_weights : bool
        Whether to return the pair (result, weights).

    Shape
    -----
    query (..., T, D), key (..., S, D), value (..., S, E), mask (..., T, S); result (..., T, E), weights (..., T, S).

    Dtype
    -----
    The common float of query, key and value. Short floats have their scores and weights computed in float32.

    Raises
    ------
    ShapeError
        If the shapes do not fit together.
    DTypeError
        If the mask holds neither booleans nor floats, or a tensor is complex.
    ArgumentError
        If dropout is not between 0 and 1, or has no state to draw from.

    Notes
    -----
    A query that may look at no key gets zeros, and has a gradient of 0 (not NaN).

    Source
    ------
    Vaswani et al., Attention is all you need, 2017, equation 1 and section 3.2.3.

    Examples
    --------
    >>> import septet as st
    >>> x = st.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> st.attention(x, x, x, is_causal=True)[0]
    tensor([1., 0.], dtype=float32)
    """
    query, key, value = as_real("attention", dict(zip(_NAMES, (query, key, value), strict=True)))
    mask = None if mask is None else as_node(mask)
    _check_shapes([query, key, value] if mask is None else [query, key, value, mask])
    if mask is not None and mask.dtype != dtypes.bool_ and not dtypes.is_float(mask.dtype):
        error = DTypeError(
            f"a mask holds booleans (True: look) or floats (added to the scores), got {mask.dtype.name}",
            hint="convert with .astype(bool)",
        )
        raise _refuse(error, [query, key, value, mask])
    if not 0 <= dropout < 1:
        raise ArgumentError(f"attention: dropout must be at least 0 and below 1, got {dropout!r}")
    dtype = query.dtype
    wide = dtypes.accumulator_of(dtype)
    if scale is None:
        size = sizes_of(query)[-1]
        scale = size**-0.5 if isinstance(size, int) and size else ops.rsqrt(cast_to(as_node(size), wide))
    scaled = query * (scale if dtypes.is_scalar(scale) else cast_to(as_node(scale), dtype))
    scores = cast_to(matmul(scaled, _swapped(key)), wide)  # (..., T, S)
    if scores.shape[-1] == 0:
        weights = scores
    else:
        weights = _weights(_masked(scores, mask, is_causal))
    used = weights
    if dropout:
        if state is None:
            raise ArgumentError("attention: dropout needs a state to draw from", hint="state=st.random.next_state()")
        is_kept = ops.greater_equal(unit(as_node(state), sizes_of(weights), wide), as_node(dropout, wide))
        used = ops.where(is_kept, weights * (1 / (1 - dropout)), as_node(0, wide))
    result = matmul(cast_to(used, dtype), value)  # (..., T, E)
    return (result, cast_to(weights, dtype)) if with_weights else result
