"""Norms of vectors and matrices."""

from __future__ import annotations

import math
from typing import Any

from septet.base import dtypes
from septet.base.dtypes import FLOAT
from septet.base.errors import ArgumentError, ShapeError
from septet.base.shapes import check_axes, check_axis
from septet.graph.node import Node
from septet.graph.op import as_node, cast_to, function, ops
from septet.ops import decompositions
from septet.ops.matrices import check_matrix, per_matrix
from septet.ops.shaping import reshape, sizes_of, transpose


def real_float(x: Node) -> Any:
    """Return the real float type in which properties of a tensor are measured."""
    return dtypes.real_of(x.dtype) if dtypes.is_differentiable(x.dtype) else dtypes.default_of_kind(FLOAT)


def _floating(x: Any) -> Any:
    """Return a node of floats in which sums do not overflow early, and the dtype of the result."""
    x = as_node(x)
    if not dtypes.is_differentiable(x.dtype):
        x = cast_to(x, dtypes.default_of_kind(FLOAT))
    return cast_to(x, dtypes.accumulator_of(x.dtype)), real_float(x)


def _root(total: Any, take: Any) -> Any:
    """Take a root whose gradient at 0 is 0."""
    is_zero = ops.equal(total, 0)
    one, zero = as_node(1, total.dtype), as_node(0, total.dtype)
    return ops.where(is_zero, zero, take(ops.where(is_zero, one, total)))


def _vector_norm(x: Any, axis: Any, keepdims: bool, ord: float) -> Any:
    words = {"axis": axis, "keepdims": keepdims}
    if ord == math.inf:
        return ops.max(ops.abs(x), **words)
    if ord == -math.inf:
        return ops.min(ops.abs(x), **words)
    if ord == 0:
        return cast_to(ops.sum(ops.not_equal(x, 0), **words), dtypes.real_of(x.dtype))
    if ord == 1:
        return ops.sum(ops.abs(x), **words)
    if ord == 2:
        square = ops.real(x * ops.conj(x)) if dtypes.is_complex(x.dtype) else x * x
        return _root(ops.sum(square, **words), ops.sqrt)
    return _root(ops.sum(ops.power(ops.abs(x), ord), **words), lambda total: ops.power(total, 1 / ord))


@function(namespace="linalg")
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Node:
    """Return the norm of vectors: (sum of |x| to the power of ord) to the power of 1 / ord.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        The axes whose elements make one vector; all by default.
    keepdims : bool
        Whether these axes stay, with size 1.
    ord : float
        Any number; inf is the largest and -inf the smallest absolute value, 0 counts the elements that are not 0.

    Returns
    -------
    tensor
        Real.

    Gradient
    --------
    At the vector 0 it is taken as 0.

    Examples
    --------
    >>> import septet as st
    >>> float(st.linalg.vector_norm(st.asarray([3.0, 4.0])))
    5.0
    """
    x, dtype = _floating(x)
    if isinstance(ord, bool) or not isinstance(ord, (int, float)):
        raise ArgumentError(f"vector_norm: ord must be a number, got {ord!r}", hint="matrix_norm has 'fro' and 'nuc'")
    return cast_to(_vector_norm(x, check_axes(axis, x.ndim), keepdims, ord), dtype)


@function(namespace="linalg")
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Node:
    """Return the norm of

    Parameters
    ----------
    x : tensor
    keepdims : bool
        Whether the last two axes stay, with size 1.
    ord : {"fro", "nuc", 1, -1, 2, -2, inf, -inf}
        "fro": the root of the sum of squares; "nuc": the sum of the singular values; 2, -2: the largest, the smallest
        singular value; 1, -1: the largest, the smallest sum of a column's absolute values; inf, -inf: of a row's.

    Shape
    -----
    x (..., m, n), result (...), real.
    """
    x, dtype = _floating(x)
    check_matrix(x.shape)
    if ord == "fro":
        return cast_to(_vector_norm(x, (x.ndim - 2, x.ndim - 1), keepdims, 2), dtype)
    if ord in ("nuc", 2, -2):
        s = decompositions.svdvals(x)
        result = {"nuc": ops.sum, 2: ops.max, -2: ops.min}[ord](s, axis=-1)
    elif ord in (1, -1, math.inf, -math.inf):
        sums = ops.sum(ops.abs(x), axis=-2 if abs(ord) == 1 else -1)
        result = (ops.max if ord > 0 else ops.min)(sums, axis=-1)
    else:
        raise ArgumentError(f"matrix_norm: ord {ord!r} is not known; it is 'fro', 'nuc', 1, -1, 2, -2, inf or -inf")
    return cast_to(per_matrix(result) if keepdims else result, dtype)


@function(namespace="linalg")
def norm(x: Any, /, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Node:
    """Return the norm of vectors or matrices, as numpy.linalg.norm does.

    Parameters
    ----------
    x : tensor
    ord : int, float or str, optional
        As for `vector_norm` or `matrix_norm`; by default the root of the sum of squares.
    axis : int or pair of int, optional
        One axis: norms of vectors; two: of  By default all of x is one vector or, where `ord` is given, x is a
        vector or a matrix.
    keepdims : bool
        Whether the axes stay, with size 1.
    """
    x = as_node(x)
    if ord is None:
        return vector_norm(x, axis=axis, keepdims=keepdims)
    if axis is None:
        if x.ndim not in (1, 2):
            raise ShapeError(f"norm: with ord={ord!r} and no axis, x is a vector or a matrix, got {x.type!r}")
        axes = tuple(range(x.ndim))
    else:
        axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    if len(axes) == 1:
        return vector_norm(x, axis=axes, keepdims=keepdims, ord=ord)
    if len(axes) != 2:
        raise ArgumentError(f"norm: axis is one axis or a pair, got {axis!r}")
    first, second = (check_axis(a, x.ndim) for a in axes)
    if first == second:
        raise ArgumentError(f"norm: axis {axis!r} names an axis twice")
    rest = [a for a in range(x.ndim) if a not in (first, second)]
    result = matrix_norm(transpose(x, axes=(*rest, first, second)), ord=ord)
    if not keepdims:
        return result
    sizes = iter(sizes_of(result))
    return reshape(result, tuple(1 if a in (first, second) else next(sizes) for a in range(x.ndim)))
