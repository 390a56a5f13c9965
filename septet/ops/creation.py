"""Tensors made from sizes: filled, counted, the identity."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, AxisError
from septet.base.shapes import Shape, check_axis
from septet.base.text import shape_text
from septet.graph.context import context
from septet.graph.node import Node, constant, scalar
from septet.graph.op import (
    LEAF,
    REQUIRED,
    BadCase,
    Case,
    as_node,
    as_nodes,
    card,
    cast_to,
    function,
    ops,
    record,
)
from septet.graph.pending import evaluate
from septet.graph.types import TensorType
from septet.ops import shaping
from septet.ops.shaping import broadcast_op, broadcast_to, fill_sizes, split_sizes


def _iota_canonical(types: tuple[TensorType, ...], shape: Any, axis: Any, dtype: Any) -> dict[str, Any]:
    shape = tuple(shape)
    return {"shape": shape, "axis": check_axis(axis, len(shape)), "dtype": dtypes.as_dtype(dtype)}


def _iota_reference(*sizes: np.ndarray, shape: Shape, axis: int, dtype: DType) -> np.ndarray:
    full = fill_sizes(shape, sizes)
    line = np.arange(full[axis]).astype(dtype)
    return np.broadcast_to(line.reshape([-1 if i == axis else 1 for i in range(len(full))]), full)


def _iota_dtype(*sizes: DType, shape: Any, axis: int, dtype: DType) -> tuple[tuple[DType, ...], DType]:
    return sizes, dtype


iota = card(
    "iota", "*sizes", params={"shape": REQUIRED, "axis": 0, "dtype": dtypes.int64}, kind=LEAF, sizes="shape",
    public=False,
    param_docs={"shape": "The sizes; None takes a size input.", "axis": "The axis along which it counts.",
                "dtype": "The dtype."},
    summary="Count 0, 1, 2 ... along one axis.", canonical=_iota_canonical,
    shape=lambda *sizes, shape, axis, dtype: shape, dtype=_iota_dtype, reference=_iota_reference,
    no_gradient="there is nothing to differentiate with respect to", no_batch="it has no batched input",
    cases=[Case(shape=(4,)), Case(shape=(2, 3), axis=1, dtype="float32"), Case(shape=(0,))],
    bad=[BadCase(shape=(2,), axis=1, error=AxisError, match="out of range")],
)  # fmt: skip


FOLDED = 1 << 12
"""Elements up to which a tensor is stored in the graph as a constant instead of being computed: 32 KiB of float64."""


def check_device(device: Any) -> None:
    """Refuse a device that does not exist."""
    if device not in (None, "cpu"):
        raise ArgumentError(f"device {device!r} does not exist; the devices are 'cpu'")


def _number(value: Any, dtype: DType | None) -> Node:
    """Return a Python number as a constant of a dtype.

    Raises
    ------
    ArgumentError
        If the dtype cannot hold it.
    """
    kind = dtypes.scalar_dtype(value) if dtype is None else dtype
    try:
        if dtypes.KIND[kind] == dtypes.INTEGER:
            return scalar(int(value), kind)
        if dtypes.KIND[kind] == dtypes.BOOL:
            return scalar(bool(value), kind)
        return scalar(complex(value) if dtypes.is_complex(kind) else float(value), kind)
    except (OverflowError, ValueError, TypeError):
        raise ArgumentError(f"the value {value!r} does not fit dtype {kind.name}") from None


@function()
def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Node:
    """Make a tensor filled with one value.

    Parameters
    ----------
    shape : int or tuple of (int or integer scalar tensor)
    fill_value : number or scalar tensor
    dtype : dtype, optional
        By default that of the value's kind.
    device : str, optional
        "cpu".

    Raises
    ------
    ArgumentError
        If a size is negative, or the dtype cannot hold the value.

    Gradient
    --------
    Goes to a value that is a tensor.
    """
    check_device(device)
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    if dtypes.is_scalar(fill_value):
        value = _number(fill_value, wanted)
    else:
        value = as_node(fill_value)
        value = value if wanted is None else cast_to(value, wanted)
    static, dynamic = split_sizes(shape)
    if any(size is not None and size < 0 for size in static):
        raise ArgumentError(f"a shape has no negative sizes, got {static}")
    return value if static == value.shape and not dynamic else record(broadcast_op, (value, *dynamic), (static,))


@function("empty")
def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Node:
    """Make a tensor of zeros; the default dtype is the default float. (`empty` is the same: nothing is undefined.)"""
    return full(shape, 0.0, dtype=dtype, device=device)


@function()
def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Node:
    """Make a tensor of ones; the default dtype is the default float."""
    return full(shape, 1.0, dtype=dtype, device=device)


@function(name="full_like")
def full_like(x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Node:
    """Make a tensor of the shape (and, by default, the dtype) of another one, filled with one value."""
    x = as_node(x)
    return full(shaping.sizes_of(x), fill_value, dtype=x.dtype if dtype is None else dtype, device=device)


@function("empty_like", name="zeros_like")
def zeros_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Node:
    """Make zeros of the shape and dtype of another tensor."""
    return full_like(x, 0, dtype=dtype, device=device)


@function(name="ones_like")
def ones_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Node:
    """Make ones of the shape and dtype of another tensor."""
    return full_like(x, 1, dtype=dtype, device=device)


def _end(value: Any) -> Any:
    """Return a bound of a range: a Python number where it is known, or a node that depends on a symbol."""
    if dtypes.is_scalar(value):
        return value
    node = as_node(value)
    if node.ndim != 0:
        raise ArgumentError(f"the ends of a range and its step are numbers, got {node.type!r}")
    if node.value is None:
        if node.is_symbolic:
            return node
        evaluate(node)
    return node.value.item()


@function()
def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Node:
    """Count from `start` (or 0) up to, and without, `stop` in steps.

    Parameters
    ----------
    start, stop, step : number or scalar tensor
        Where one of them depends on a symbol, the size of the result is not known before the graph runs.
    dtype : dtype, optional
        By default the default integer, or the default float if one of the numbers is a float.
    device : str, optional
        "cpu".

    Raises
    ------
    ArgumentError
        If the step is 0, or a number is no scalar.
    """
    check_device(device)
    if stop is None:
        start, stop = 0, start
    ends = [_end(value) for value in (start, stop, step)]
    if not isinstance(ends[2], Node) and ends[2] == 0:
        raise ArgumentError("arange: the step cannot be 0")
    kinds = [dtypes.KIND[v.dtype if isinstance(v, Node) else dtypes.scalar_dtype(v)] for v in ends]
    kind = dtypes.default_of_kind(max(kinds)) if dtype is None else dtypes.as_dtype(dtype)
    if any(isinstance(v, Node) for v in ends):
        return _arange_unknown(ends, kind, max(kinds))
    first, last, by = ends
    count = max(0, math.ceil((last - first) / by) if max(kinds) > dtypes.INTEGER else -((first - last) // by))
    wide = dtypes.float64 if max(kinds) > dtypes.INTEGER else dtypes.int64
    if (first, by) == (0, 1) and (count > FOLDED or context.trace is not None):
        return record(iota, (), ((count,), 0, kind))  # in a function that is traced, it may be as long as a batch
    if count > FOLDED and dtypes.KIND[kind] != dtypes.COMPLEX and (wide == dtypes.float64 or last <= 2**63):
        line = record(iota, (), ((count,), 0, wide))
        return cast_to(line * by + first, kind)
    exact = np.arange(count, dtype=wide)
    if wide == dtypes.int64 and max(abs(first), abs(last)) >= 2**63:  # beyond int64: exact in Python's integers
        return constant(np.array([first + i * by for i in range(count)], kind))
    return constant((first + exact * by).astype(kind))


def _arange_unknown(ends: list[Any], kind: DType, highest: int) -> Node:
    """Record a range of which an end or the step depends on a symbol."""
    wide = dtypes.float64 if highest > dtypes.INTEGER else dtypes.int64
    first, last, by = (cast_to(as_node(v, wide), wide) for v in ends)
    if wide == dtypes.int64:
        count = -ops.floor_divide(first - last, by)
    else:
        count = cast_to(ops.ceil((last - first) / by), dtypes.int64)
    count = ops.maximum(count, as_node(0, dtypes.int64))
    return cast_to(record(iota, (count,), ((None,), 0, wide)) * by + first, kind)


@function()
def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: bool = True
) -> Node:
    """Make `num` evenly spaced numbers from `start` to `stop`.

    Parameters
    ----------
    start, stop : number or tensor
        The ends of tensors are broadcast; the numbers go along a new first axis.
    num : int
    dtype : dtype, optional
        By default the default float (complex if an end is), or that of ends which are tensors of floats.
    device : str, optional
        "cpu".
    endpoint : bool
        Whether `stop` is the last number, or the one after it.

    Raises
    ------
    ArgumentError
        If `num` is negative.

    Gradient
    --------
    Goes to ends that are tensors.
    """
    check_device(device)
    num = operator.index(num)
    if num < 0:
        raise ArgumentError(f"linspace: num must not be negative, got {num}")
    if dtypes.is_scalar(start) and dtypes.is_scalar(stop):
        is_complex = isinstance(start, complex) or isinstance(stop, complex)
        kind = dtypes.as_dtype(dtype) if dtype is not None else dtypes.as_dtype(complex if is_complex else float)
        return constant(np.linspace(start, stop, num, endpoint=endpoint).astype(kind))
    ends = as_nodes((start, stop))
    common = dtypes.promote(*[end.dtype for end in ends])
    if dtypes.KIND[common] < dtypes.FLOAT:
        common = dtypes.default_of_kind(dtypes.FLOAT)
    first, last = (cast_to(end, common) for end in ends)
    share = np.arange(num) / max(num - 1 if endpoint else num, 1)
    line = constant(share.reshape(-1, *[1] * max(first.ndim, last.ndim)).astype(dtypes.real_of(common)))
    result = first * (1 - line) + last * line  # exact at both ends
    return result if dtype is None else cast_to(result, dtypes.as_dtype(dtype))


@function()
def logspace(
    start: Any, stop: Any, /, num: int, *, base: Any = 10.0, dtype: Any = None, device: Any = None,
    endpoint: bool = True,
) -> Node:  # fmt: skip
    """Make `num` numbers from ``base ** start`` to ``base ** stop``, evenly spaced on a logarithmic scale.

    Parameters
    ----------
    start, stop, num, dtype, device, endpoint
        As in `linspace`.
    base : number or tensor

    Raises
    ------
    ArgumentError
        If `num` is negative.
    """
    if all(dtypes.is_scalar(value) for value in (start, stop, base)):
        kind = dtypes.as_dtype(float if dtype is None else dtype)
        check_device(device)
        if num < 0:
            raise ArgumentError(f"logspace: num must not be negative, got {num}")
        return constant(np.logspace(start, stop, num, endpoint=endpoint, base=base).astype(kind))
    result = ops.power(as_node(base), linspace(start, stop, num, endpoint=endpoint, device=device))
    return result if dtype is None else cast_to(result, dtypes.as_dtype(dtype))


def _distance(rows: Any, columns: Any) -> Any:
    """Return, for each place of a matrix, how far above the main diagonal it lies."""
    lines = []
    for size, axis in ((rows, 0), (columns, 1)):
        static, dynamic = split_sizes((size,))
        line = record(iota, dynamic, (static, 0, dtypes.int64))
        lines.append(shaping.reshape(line, (size, 1) if axis == 0 else (1, size)))
    return lines[1] - lines[0]


def _matrix(rows: Any, columns: Any, make: Any, compare: str, k: int, dtype: Any) -> Node:
    """Make a matrix of ones where a place's distance from the main diagonal compares with `k`, and zeros."""
    columns = rows if columns is None else columns
    kind = dtypes.as_dtype(float if dtype is None else dtype)
    static, dynamic = split_sizes((rows, columns))
    known = [size for size in static if size is not None]
    if any(size < 0 for size in known):
        raise ArgumentError(f"a shape has no negative sizes, got {static}")
    if not dynamic and math.prod(known) <= FOLDED:
        return constant(make(*static, k).astype(kind))
    return cast_to(getattr(ops, compare)(_distance(rows, columns), as_node(k, dtypes.int64)), kind)


@function()
def eye(n_rows: Any, n_cols: Any = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Node:
    """Make a matrix with ones on a diagonal and zeros elsewhere.

    Parameters
    ----------
    n_rows, n_cols : int or integer scalar tensor
        The matrix is square without the second.
    k : int
        How far the diagonal lies above (below, where negative) the main one.
    dtype : dtype, optional
        By default the default float.
    device : str, optional
        "cpu".
    """
    check_device(device)
    return _matrix(n_rows, n_cols, np.eye, "equal", k, dtype)


@function()
def tri(n: Any, m: Any = None, k: int = 0, *, dtype: Any = None, device: Any = None) -> Node:
    """Make a matrix with ones at and below diagonal `k`, and zeros above it."""
    check_device(device)
    return _matrix(n, m, np.tri, "less_equal", k, dtype)


@function()
def meshgrid(*arrays: Any, indexing: str = "xy") -> tuple[Node, ...]:
    """Make the coordinates of a grid from the coordinates along each axis.

    Parameters
    ----------
    *arrays : tensor with one axis
    indexing : str
        "xy": the first two axes of the results are those of the second and the first tensor; "ij": axes in order.

    Returns
    -------
    tuple of tensor
        One per input, all of the shape of the grid.

    Raises
    ------
    ArgumentError
        If `indexing` is neither, an input has not one axis, or the dtypes differ.
    """
    if indexing not in ("xy", "ij"):
        raise ArgumentError(f"meshgrid: indexing is 'xy' or 'ij', got {indexing!r}")
    lines = [as_node(array) for array in arrays]
    for line in lines:
        if line.ndim != 1:
            raise ArgumentError(f"meshgrid takes tensors with one axis, got the shape {shape_text(line.shape)}")
        if line.dtype != lines[0].dtype:
            raise ArgumentError(f"meshgrid takes tensors of one dtype, got {lines[0].dtype.name} and {line.dtype.name}")
    order = list(range(len(lines)))
    if indexing == "xy" and len(lines) > 1:
        order[:2] = [1, 0]
    sizes = [shaping.sizes_of(lines[i])[0] for i in order]
    grids = [
        broadcast_to(shaping.reshape(line, [-1 if axis == position else 1 for axis in order]), sizes)
        for position, line in enumerate(lines)
    ]
    return tuple(grids)
