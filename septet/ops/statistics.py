"""Order statistics and histograms: functions made of sorting, selecting and counting."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import FLOAT
from septet.base.errors import ArgumentError, DTypeError
from septet.base.shapes import check_axes
from septet.graph.node import Node, constant
from septet.graph.op import as_array, as_node, cast_to, explain_call, function, ops
from septet.ops.counting import bincount
from septet.ops.reduce import count_of
from septet.ops.shaping import reshape, sizes_of, transpose
from septet.ops.sorting import searchsorted_op, sort

METHODS = ("linear", "lower", "higher", "nearest", "midpoint")


def _real_float(name: str, x: Any) -> Node:
    """Convert integers to the default float, and refuse complex numbers, which have no order."""
    x = as_node(x)
    if dtypes.is_complex(x.dtype):
        error = DTypeError(f"is not defined for dtype {x.dtype.name}: complex numbers have no order")
        raise explain_call(error, name, ("x",), (x,))
    return x if dtypes.KIND[x.dtype] == FLOAT else cast_to(x, dtypes.default_of_kind(FLOAT))


def _last(x: Node, axes: tuple[int, ...]) -> Node:
    """Join some axes to one, behind the others."""
    sizes, count = sizes_of(x), count_of(x, axes)
    others = tuple(i for i in range(x.ndim) if i not in axes)
    if axes and others + axes != tuple(range(x.ndim)):
        x = transpose(x, axes=(*others, *axes))
    return x if len(axes) == 1 else reshape(x, (*[sizes[i] for i in others], count))


def _places(q: Node, count: Any, method: str) -> tuple[Node, Node, Node]:
    """Return the positions below and above each quantile, and how far it lies between them (in float64)."""
    long = cast_to(q, dtypes.float64)
    top = float(count - 1) if isinstance(count, int) else cast_to(ops.subtract(count, 1), dtypes.float64)
    place = ops.multiply(long, top)
    low, high = ops.floor(place), ops.ceil(place)
    part = ops.subtract(place, low)
    if method == "lower":
        high, part = low, ops.multiply(part, 0.0)
    elif method == "higher":
        low, part = high, ops.multiply(part, 0.0)
    elif method == "nearest":
        low = high = ops.round(place)
        part = ops.multiply(part, 0.0)
    elif method == "midpoint":
        part = ops.multiply(ops.subtract(high, low), 0.5)
    return cast_to(low, dtypes.int64), cast_to(high, dtypes.int64), part


@function(methods=["quantile"])
def quantile(x: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Node:
    """Return the values below which given parts of the elements lie.

    Parameters
    ----------
    x : tensor
    q : float or tensor
        Between 0 and 1.
    axis : int or tuple of int, optional
        Axes to reduce; None for all.
    method : {"linear", "lower", "higher", "nearest", "midpoint"}
        What to take where a quantile lies between two elements.
    keepdims : bool
        Whether the reduced axes stay, with size 1.

    Shape
    -----
    The shape of `q`, then that of the reduction.

    Dtype
    -----
    Integers become the default float. NaN if an element is NaN.

    Raises
    ------
    ArgumentError
        If a number `q` is not between 0 and 1, the method does not exist, or there are no elements.

    Gradient
    --------
    To the elements that are selected, not to `q`.

    Source
    ------
    NumPy, ``quantile``.

    Examples
    --------
    >>> import septet as st
    >>> st.quantile(st.asarray([4.0, 1.0, 3.0, 2.0]), [0.0, 0.5]).tolist()
    [1.0, 2.5]
    """
    x = _real_float("quantile", x)
    if not isinstance(q, Node):
        values = as_array(q, dtypes.float64)
        if not np.all((values >= 0) & (values <= 1)):
            raise explain_call(ArgumentError(f"q must be between 0 and 1, got {q!r}"), "quantile", ("x",), (x,))
        q = constant(values)
    return _quantile("quantile", x, q, axis, method, keepdims)


def _quantile(name: str, x: Node, q: Node, axis: Any, method: str, keepdims: bool) -> Node:
    if method not in METHODS:
        error = ArgumentError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
        raise explain_call(error, name, ("x",), (x,))
    try:
        axes = check_axes(axis, x.ndim)
    except ArgumentError as problem:
        raise explain_call(problem, name, ("x",), (x,)) from None
    count = count_of(x, axes)
    if isinstance(count, int) and count == 0:
        error = ArgumentError("there are no elements to choose from")
        error.marks = tuple((0, i) for i in axes if x.shape[i] == 0)
        raise explain_call(error, name, ("x",), (x,))
    sizes = sizes_of(x)
    flat = sort(_last(x, axes))
    last = flat.ndim - 1
    low, high, part = _places(ops.stop_gradient(reshape(q, (-1,))), count, method)
    part = cast_to(part, x.dtype)
    below, above = ops.take(flat, low, axis=last), ops.take(flat, high, axis=last)
    # a weighted sum and not `below + part * (above - below)`, which is NaN between two infinite neighbours
    between = ops.add(ops.multiply(below, ops.subtract(1.0, part)), ops.multiply(above, part))
    found = ops.where(ops.equal(part, 0.0), below, between)
    top = ops.take(flat, constant(np.array([-1])), axis=last)
    found = ops.where(ops.isnan(top), top, found)
    found = transpose(found, axes=(last, *range(last))) if last else found
    rest = [1 if i in axes else size for i, size in enumerate(sizes) if keepdims or i not in axes]
    return reshape(found, (*sizes_of(q), *rest))


@function(methods=["median"])
def median(x: Any, axis: Any = None, *, keepdims: bool = False) -> Node:
    """Return the middle element over axes; the mean of the two middle ones where their number is even.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        Axes to reduce; None for all.
    keepdims : bool
        Whether the reduced axes stay, with size 1.

    Dtype
    -----
    Integers become the default float. NaN if an element is NaN.

    Raises
    ------
    ArgumentError
        If there are no elements.

    Gradient
    --------
    To the element, or half to each of the two, in the middle.
    """
    return _quantile("median", _real_float("median", x), constant(np.array(0.5)), axis, "linear", keepdims)


@function()
def percentile(x: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Node:
    """Return the values below which given percentages of the elements lie: `quantile` at q / 100."""
    q = ops.divide(q, 100.0) if isinstance(q, Node) else as_array(q, dtypes.float64) / 100.0
    return quantile(x, q, axis, method=method, keepdims=keepdims)


@function()
def histogram(
    x: Any, bins: Any = 10, range: Any = None, density: bool = False, weights: Any = None
) -> tuple[Node, Node]:
    """Count the elements between edges.

    Parameters
    ----------
    x : tensor
        Of any shape.
    bins : int or tensor
        How many bins of equal width, or their edges, ascending; elements outside count nowhere.
    range : (float, float), optional
        The outer edges, for a number of bins; by default the smallest and the largest element.
    density : bool
        Whether to divide by the total and the widths, so that the integral is 1.
    weights : tensor, optional
        What each element counts; in the shape of `x`.

    Returns
    -------
    (tensor, tensor)
        Counts (bins,): int64, or the weights' dtype, or a float with `density`; edges (bins + 1,).

    Gradient
    --------
    With respect to the weights.

    Raises
    ------
    ArgumentError
        If `bins` is not positive, or the range is empty or not finite.
    """
    x = reshape(_real_float("histogram", x), (-1,))
    if isinstance(bins, (int, np.integer)) and not isinstance(bins, bool):
        edges = _even_edges(x, int(bins), range)
    else:
        edges = cast_to(as_node(bins), x.dtype)
        if edges.ndim != 1 or edges.shape[0] in (0, 1):
            error = ArgumentError(f"edges are a tensor of rank 1 with at least two elements, got {edges.type!r}")
            raise explain_call(error, "histogram", ("x", "bins"), (x, edges))
    x, edges = ops.stop_gradient(x), ops.stop_gradient(edges)
    number = edges.shape[0]
    if number is None:
        raise explain_call(ArgumentError("the number of edges must be known"), "histogram", ("x", "bins"), (x, edges))
    place = searchsorted_op(edges, x, side="right")  # 0: below all; number: above all or on the last edge
    last = ops.take(edges, constant(np.array(number - 1)), axis=0)
    place = ops.where(ops.equal(x, last), number - 1, place)
    counts = bincount(place, None if weights is None else reshape(as_node(weights), (-1,)), length=number + 1)
    counts = ops.take(counts, constant(np.arange(1, number)), axis=0)
    if density:
        counts = cast_to(counts, x.dtype) if dtypes.KIND[counts.dtype] < FLOAT else counts
        widths = ops.subtract(
            ops.take(edges, constant(np.arange(1, number)), axis=0),
            ops.take(edges, constant(np.arange(number - 1)), axis=0),
        )
        counts = ops.divide(counts, ops.multiply(ops.sum(counts), cast_to(widths, counts.dtype)))
    return counts, edges


def _even_edges(x: Node, bins: int, limits: Any) -> Node:
    """Return edges of bins of equal width."""
    if bins < 1:
        raise explain_call(ArgumentError(f"bins must be at least 1, got {bins}"), "histogram", ("x",), (x,))
    steps = np.linspace(0.0, 1.0, bins + 1).astype(x.dtype)
    if limits is not None:
        low, high = (float(limit) for limit in limits)
        if not (np.isfinite(low) and np.isfinite(high) and low <= high):
            error = ArgumentError(f"range must be two finite numbers in ascending order, got {limits!r}")
            raise explain_call(error, "histogram", ("x",), (x,))
        if low == high:
            low, high = low - 0.5, high + 0.5
        return constant(np.linspace(low, high, bins + 1).astype(x.dtype))
    if x.shape[0] == 0:
        return constant(steps)
    low_node, high_node = ops.min(x), ops.max(x)
    is_flat = ops.equal(low_node, high_node)
    low_node = ops.where(is_flat, ops.subtract(low_node, 0.5), low_node)
    high_node = ops.where(is_flat, ops.add(high_node, 0.5), high_node)
    return ops.add(ops.multiply(low_node, constant(1 - steps)), ops.multiply(high_node, constant(steps)))
