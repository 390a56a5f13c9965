"""Diagonals over any two axes, and matrices made of them."""

from __future__ import annotations

from typing import Any

from septet.base.dtypes import as_dtype
from septet.base.errors import ArgumentError, ShapeError
from septet.base.shapes import check_axis
from septet.graph.node import Node
from septet.graph.op import as_node, cast_to, explain_call, function, ops
from septet.ops.assembling import moveaxis
from septet.ops.matrices import diagonal as last_diagonal
from septet.ops.matrices import spread_diagonal
from septet.ops.shaping import sizes_of


@function(methods=["diagonal"])
def diagonal(x: Any, /, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """Return the diagonal over two axes, as the last axis of the result.

    Parameters
    ----------
    x : tensor
    offset : int
        How far the diagonal lies above (below, where negative) the main one.
    axis1, axis2 : int
        The axes of rows and of columns. (`linalg.diagonal` takes the last two.)

    Shape
    -----
    The other axes in order, then the length of the diagonal.

    Raises
    ------
    ShapeError
        If x has less than two axes.
    ArgumentError
        If the axes are the same one.
    """
    x = as_node(x)
    if x.ndim < 2:
        error = ShapeError(f"a diagonal needs two axes, got rank {x.ndim}")
        raise explain_call(error, "diagonal", ("x",), (x,))
    first, second = check_axis(axis1, x.ndim, "axis1"), check_axis(axis2, x.ndim, "axis2")
    if first == second:
        same = ArgumentError(f"axis1 and axis2 are both axis {first}")
        raise explain_call(same, "diagonal", ("x",), (x,))
    return last_diagonal(moveaxis(x, (first, second), (-2, -1)), offset=offset)


@function()
def diag(x: Any, /, k: int = 0) -> Node:
    """Return the diagonal of a matrix, or the matrix with a vector on its diagonal.

    Parameters
    ----------
    x : tensor of rank 1 or 2
    k : int
        How far the diagonal lies above (below, where negative) the main one.

    Raises
    ------
    ShapeError
        If x is neither a vector nor a matrix.
    """
    x = as_node(x)
    if x.ndim == 2:
        return last_diagonal(x, offset=k)
    if x.ndim != 1:
        error = ShapeError(
            f"takes a vector or a matrix, got rank {x.ndim}", hint="st.linalg.diagonal takes stacks of matrices"
        )
        raise explain_call(error, "diag", ("x",), (x,))
    size = sizes_of(x)[0] + abs(k)
    return spread_diagonal(x, (size, size), k)


@function(methods=["trace"])
def trace(x: Any, /, offset: int = 0, axis1: int = 0, axis2: int = 1, *, dtype: Any = None) -> Node:
    """Return the sum of the diagonal over two axes.

    Parameters
    ----------
    x, offset, axis1, axis2
        As in `diagonal`. (`linalg.trace` takes the last two axes.)
    dtype : dtype, optional
        In which to sum; by default that of `sum`.
    """
    elements = diagonal(x, offset, axis1, axis2)
    if dtype is None:
        return ops.sum(elements, axis=-1)
    kind = as_dtype(dtype)
    return cast_to(ops.sum(cast_to(elements, kind), axis=-1), kind)
