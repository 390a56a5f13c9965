"""Tensors made from sizes: filled, counted, the identity."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError
from septet.base.shapes import Shape, check_axis
from septet.graph.node import Node, constant
from septet.graph.op import LEAF, REQUIRED, BadCase, Case, as_node, card, function, ops, record
from septet.graph.types import TensorType
from septet.ops import shaping
from septet.ops.shaping import broadcast_to, fill_sizes, split_sizes


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
    "iota", "*sizes", params={"shape": REQUIRED, "axis": 0, "dtype": dtypes.int64}, kind=LEAF, public=False,
    param_docs={"shape": "The sizes; None takes a size input.", "axis": "The axis along which it counts.",
                "dtype": "The dtype."},
    summary="Count 0, 1, 2 ... along one axis.", canonical=_iota_canonical,
    shape=lambda *sizes, shape, axis, dtype: shape, dtype=_iota_dtype, reference=_iota_reference,
    no_gradient="there is nothing to differentiate with respect to", no_batch="it has no batched input",
    cases=[Case(shape=(4,)), Case(shape=(2, 3), axis=1, dtype="float32"), Case(shape=(0,))],
    bad=[BadCase(shape=(2,), axis=1, error=ArgumentError, match="out of range")],
)  # fmt: skip


def _default(value: Any, dtype: Any) -> DType:
    return dtypes.as_dtype(dtype) if dtype is not None else dtypes.scalar_dtype(value)


@function()
def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Node:
    """Make a tensor filled with one value.

    Parameters
    ----------
    shape : int or tuple of (int or integer scalar tensor)
    fill_value : number or scalar tensor
    dtype : dtype, optional
        By default that of the value's kind.
    """
    if isinstance(fill_value, Node):
        value = fill_value if dtype is None else ops.cast(fill_value, dtype=dtype)
    elif dtypes.is_scalar(fill_value):
        value = constant(np.array(fill_value).astype(_default(fill_value, dtype)))
    else:
        value = as_node(fill_value)
        value = value if dtype is None else ops.cast(value, dtype=dtype)
    return broadcast_to(value, shape)


@function()
def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Node:
    """Make a tensor of zeros; the default dtype is the default float."""
    return full(shape, 0.0, dtype=dtype)


@function("empty")
def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Node:
    """Make a tensor of ones; the default dtype is the default float."""
    return full(shape, 1.0, dtype=dtype)


@function(name="full_like")
def full_like(x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Node:
    """Make a tensor of the shape (and, by default, the dtype) of another one, filled with one value."""
    x = as_node(x)
    return full(shaping.sizes_of(x), fill_value, dtype=x.dtype if dtype is None else dtype)


@function(name="zeros_like")
def zeros_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Node:
    """Make zeros of the shape and dtype of another tensor."""
    return full_like(x, 0, dtype=dtype)


@function("empty_like", name="ones_like")
def ones_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Node:
    """Make ones of the shape and dtype of another tensor."""
    return full_like(x, 1, dtype=dtype)


@function()
def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Node:
    """Count from `start` (or 0) up to, and without, `stop` in steps.

    Parameters
    ----------
    start, stop, step : number, or (stop only) an integer scalar tensor
    dtype : dtype, optional
        By default the default integer or float.
    """
    if stop is None:
        start, stop = 0, start
    if isinstance(stop, Node) and stop.value is None:
        if start != 0 or step != 1:
            raise ArgumentError("arange: a size that is not known yet can only be the stop of arange(stop)")
        static, dynamic = split_sizes((stop,))
        return record(iota, dynamic, (static, 0, dtypes.as_dtype(dtype or int)))
    numbers = [v.value.item() if isinstance(v, Node) else v for v in (start, stop, step)]
    if numbers[2] == 0:
        raise ArgumentError("arange: the step cannot be 0")
    kind = (
        dtypes.as_dtype(dtype)
        if dtype is not None
        else dtypes.default_of_kind(max(dtypes.KIND[dtypes.scalar_dtype(v)] for v in numbers))
    )
    count = max(0, math.ceil((numbers[1] - numbers[0]) / numbers[2]))
    exact = np.arange(count, dtype=np.float64 if dtypes.KIND[kind] > dtypes.INTEGER else np.int64)
    return constant((numbers[0] + exact * numbers[2]).astype(kind))


@function()
def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: bool = True
) -> Node:
    """Make `num` evenly spaced numbers from `start` to `stop`."""
    if num < 0:
        raise ArgumentError(f"linspace: num must not be negative, got {num}")
    numbers = [v.value.item() if isinstance(v, Node) else v for v in (start, stop)]
    is_complex = any(isinstance(v, complex) for v in numbers)
    kind = dtypes.as_dtype(dtype) if dtype is not None else dtypes.as_dtype(complex if is_complex else float)
    return constant(np.linspace(numbers[0], numbers[1], num, endpoint=endpoint).astype(kind))


@function()
def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Node:
    """Make a matrix with ones on a diagonal and zeros elsewhere."""
    kind = dtypes.as_dtype(float if dtype is None else dtype)
    return constant(np.eye(n_rows, n_cols, k).astype(kind))


@function()
def tri(n: int, m: int | None = None, k: int = 0, *, dtype: Any = None) -> Node:
    """Make a matrix with ones at and below a diagonal."""
    return constant(np.tri(n, m, k).astype(dtypes.as_dtype(float if dtype is None else dtype)))


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
            raise ArgumentError(f"meshgrid takes tensors with one axis, got the shape {line.shape}")
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
