"""What the families of linear algebra share: rules for stacks of matrices, diagonals, bands, errors with positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import COMPLEX, FLOAT, INTEGER, DType
from septet.base.errors import ArgumentError, LinearAlgebraError, ShapeError
from septet.base.shapes import Shape
from septet.graph.node import Node
from septet.graph.op import MOVEMENT, BadCase, Case, Op, as_node, card, items, ops
from septet.graph.types import TensorType
from septet.ops.rules import promoting
from septet.ops.shaping import fill_sizes, reshape, sized_dtype, sizes_of, split_sizes, transpose

# Matrices for test cases: the same on every run, and far from singular.


def sample(*shape: int, scale: float = 1.0) -> np.ndarray:
    """Return a stack of well-conditioned matrices."""
    count = int(np.prod(shape))
    values = np.cos(1.7 * np.arange(1, count + 1) ** 1.3).reshape(shape)
    return scale * (values + 2 * np.eye(shape[-2], shape[-1]))


def positive(*shape: int) -> np.ndarray:
    """Return a stack of positive definite matrices."""
    values = sample(*shape)
    return values @ values.swapaxes(-1, -2) + np.diag(np.arange(1.0, shape[-1] + 1))


# Rules.

numbers = promoting(INTEGER, FLOAT, COMPLEX, to_float=True)
"""The dtype rule: integers become the default float."""


def check_matrix(x: Shape, position: int = 0) -> None:
    """Refuse what is not a stack of matrices."""
    if len(x) < 2:
        raise ShapeError(
            f"takes a matrix or a stack of matrices (..., rows, columns), got rank {len(x)}",
            marks=[(position, axis) for axis in range(len(x))],
            hint="x[:, None] makes a column of a vector, x[None, :] a row",
        )


def check_square(x: Shape, position: int = 0) -> None:
    """Refuse what is not a stack of square matrices."""
    check_matrix(x, position)
    if None not in x[-2:] and x[-2] != x[-1]:
        raise ShapeError(
            f"takes square matrices, got {x[-2]} rows and {x[-1]} columns", marks=[(position, -2), (position, -1)]
        )


def side(x: Shape) -> int | None:
    """Return the number of rows of square matrices."""
    return x[-1] if x[-2] is None else x[-2]


def square_shape(x: Shape, **_: Any) -> Shape:
    """The shape rule of functions from square matrices to matrices of the same size."""
    check_square(x)
    return (*x[:-2], side(x), side(x))


def per_matrix_shape(x: Shape, **_: Any) -> Shape:
    """The shape rule of functions from square matrices to numbers."""
    check_square(x)
    return x[:-2]


def smaller(rows: int | None, columns: int | None) -> int | None:
    """Return the smaller of two sizes, or None where that is not known."""
    return None if rows is None or columns is None else min(rows, columns)


def same_op(name: str) -> Callable[..., Any]:
    """The batching rule of ops that treat leading axes as a stack: there is one more."""

    def rule(is_batched: Sequence[bool], *inputs: Node, **params: Any) -> Any:
        y = getattr(ops, name)(*inputs, **params)
        return items(y) if isinstance(y.type, tuple) else y

    return rule


def align(is_batched: Sequence[bool], inputs: Sequence[Node]) -> list[Node]:
    """Insert axes of size 1 behind the batch, so that the stacks of all inputs broadcast as they do without it."""
    rank = max(x.ndim - was for x, was in zip(inputs, is_batched, strict=True))
    result = []
    for x, was in zip(inputs, is_batched, strict=True):
        missing = rank - (x.ndim - 1)
        if was and missing > 0:
            sizes = sizes_of(x)
            x = reshape(x, (sizes[0], *[1] * missing, *sizes[1:]))
        result.append(x)
    return result


# Arithmetic on nodes, for gradients.


def conj(x: Node) -> Node:
    """Conjugate where that changes anything."""
    return ops.conj(x) if dtypes.is_complex(x.dtype) else x


def transposed(x: Node) -> Node:
    """Exchange the last two axes."""
    return transpose(x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def adjoint(x: Node) -> Node:
    """Exchange the last two axes and conjugate."""
    return conj(transposed(x))


def multiply_matrices(*factors: Node) -> Any:
    """Multiply stacks of matrices whose leading sizes are equal."""
    result = factors[0]
    for factor in factors[1:]:
        stack = tuple(range(result.ndim - 2))
        result = ops.dot_general(
            result, factor, contracting=((result.ndim - 1,), (factor.ndim - 2,)), batch=(stack, stack)
        )
    return result


def row(x: Node) -> Any:
    """Put an axis of size 1 before the last."""
    sizes = sizes_of(x)
    return reshape(x, (*sizes[:-1], 1, sizes[-1]))


def column(x: Node) -> Any:
    """Put an axis of size 1 behind the last."""
    return reshape(x, (*sizes_of(x), 1))


def per_matrix(x: Node) -> Any:
    """Put two axes of size 1 behind the last, so that a number for each matrix scales it."""
    return reshape(x, (*sizes_of(x), 1, 1))


def hermitian(x: Any) -> Any:
    """Return the Hermitian part (symmetric, for real matrices)."""
    return (x + adjoint(x)) * 0.5


def off_diagonal(x: Any) -> Any:
    """Replace the diagonal by zeros."""
    return x - band_part(x, lower=0, upper=0)


def divide_known(x: Any, by: Any) -> Any:
    """Divide, where 0 / 0 is 0: what does not flow through a degenerate pair is not NaN; what does is infinite."""
    is_free = ops.logical_and(ops.equal(x, 0), ops.equal(by, 0))
    return x / ops.where(is_free, as_node(1, by.dtype), by)


# Errors.


def wide(*arrays: np.ndarray) -> list[np.ndarray]:
    """Convert the short floats to float32, in which LAPACK can compute."""
    return [array.astype(dtypes.accumulator_of(array.dtype), copy=False) for array in arrays]


def at_position(index: tuple[int, ...]) -> str:
    """Say which matrix of a stack is meant."""
    return f"matrix {index if len(index) > 1 else index[0]} of the stack" if index else "the matrix"


def run_lapack(call: Callable[..., Any], condition: Callable[[np.ndarray], str], *arrays: np.ndarray) -> Any:
    """Call a function of stacks of matrices; if it fails, name the first matrix that breaks the condition.

    Parameters
    ----------
    call : callable
        The function of NumPy, which raises LinAlgError.
    condition : callable
        Says what is wrong with a matrix that fails.
    *arrays : ndarray
        The first is the one whose matrices may break the condition.
    """
    try:
        return call(*arrays)
    except np.linalg.LinAlgError:
        x = arrays[0]
        for index in np.ndindex(*x.shape[:-2]):
            try:
                call(x[index], *[np.zeros_like(other, shape=other.shape[-2:]) for other in arrays[1:]])
            except np.linalg.LinAlgError:
                problem = condition(x[index]) if np.isfinite(x[index]).all() else "has elements that are not finite"
                raise LinearAlgebraError(f"{at_position(index)} {problem}") from None
        raise


def finite_only(call: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], Any]:
    """Refuse elements that are not finite: an iteration on them may fail or return anything."""

    def checked(x: np.ndarray) -> Any:
        if not np.isfinite(x).all():
            raise np.linalg.LinAlgError
        return call(x)

    return checked


def no_convergence(x: np.ndarray) -> str:
    """What is wrong with a matrix on which an iteration fails."""
    return "has values with which the iteration does not converge"


# Diagonals.


def _diagonal_canonical(types: tuple[TensorType, ...], offset: Any) -> dict[str, Any]:
    return {"offset": int(offset)}


def _diagonal_size(rows: int, columns: int, offset: int) -> int:
    return max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)


def _diagonal_shape(x: Shape, offset: int) -> Shape:
    check_matrix(x)
    rows, columns = x[-2:]
    return (*x[:-2], None if rows is None or columns is None else _diagonal_size(rows, columns, offset))


diagonal: Op = card(
    "diagonal", "x", params={"offset": 0}, kind=MOVEMENT, public=False,
    param_docs={"offset": "How far the diagonal lies above (below, where negative) the main one."},
    summary="Return the diagonal of each matrix (..., rows, columns).",
    canonical=_diagonal_canonical, shape=_diagonal_shape, dtype=lambda x, offset: ((x,), x), linear="all",
    reference=lambda x, offset: np.diagonal(x, offset, -2, -1),
    gradient=lambda g, y, x, offset: (spread_diagonal(g, sizes_of(x)[-2:], offset),), batch=same_op("diagonal"),
    cases=[Case((3, 3)), Case((2, 3, 4), offset=1), Case((4, 3), offset=-2), Case((2, 2), offset=3), Case((0, 2))],
    bad=[BadCase((3,), error=ShapeError, match="got rank 1")],
)  # fmt: skip


def _from_diagonal_shape(x: Shape, *sizes: Shape, size: Shape, offset: int) -> Shape:
    if not x:
        raise ShapeError("takes a vector or a stack of vectors, got a scalar")
    rows, columns = size
    if rows is not None and columns is not None and x[-1] is not None:
        if x[-1] != _diagonal_size(rows, columns, offset):
            raise ShapeError(
                f"the diagonal {offset} of a matrix {rows} x {columns} has {_diagonal_size(rows, columns, offset)} "
                f"elements, got {x[-1]}",
                marks=[(0, len(x) - 1)],
            )
    return (*x[:-1], rows, columns)


def _from_diagonal_reference(x: np.ndarray, *sizes: Any, size: Shape, offset: int) -> np.ndarray:
    rows, columns = fill_sizes(size, sizes)
    result = np.zeros((*x.shape[:-1], rows, columns), x.dtype)
    count = _diagonal_size(rows, columns, offset)
    index = np.arange(count)
    result[..., index - min(offset, 0), index + max(offset, 0)] = x
    return result


def _from_diagonal_gradient(g: Node, y: Node, x: Node, *sizes: Node, size: Shape, offset: int) -> Any:
    return (diagonal(g, offset=offset), *[None] * len(sizes))


def _batch_from_diagonal(is_batched: Sequence[bool], x: Node, *sizes: Node, size: Shape, offset: int) -> Node:
    if any(is_batched[1:]):
        raise ArgumentError("from_diagonal: sizes cannot differ within a batch")
    return from_diagonal(x, *sizes, size=size, offset=offset)


from_diagonal: Op = card(
    "from_diagonal", "x *sizes", params={"size": None, "offset": 0}, kind=MOVEMENT, public=False, sizes="size",
    param_docs={"size": "Rows and columns of the matrices; None takes a size input.",
                "offset": "How far the diagonal lies above (below, where negative) the main one."},
    summary="Put vectors (..., n) on a diagonal of matrices that are zero elsewhere.",
    canonical=lambda types, size, offset: {"size": tuple(size), "offset": int(offset)},
    shape=_from_diagonal_shape, dtype=sized_dtype, reference=_from_diagonal_reference, linear="first",
    gradient=_from_diagonal_gradient,
    tangent=lambda t, y, x, *sizes, **words: from_diagonal(t[0], *sizes, **words), batch=_batch_from_diagonal,
    cases=[Case((3,), size=(3, 3)), Case((2, 3), size=(3, 4), offset=1), Case((2,), size=(4, 3), offset=-2)],
    bad=[BadCase((3,), size=(4, 4), error=ShapeError, match="has 4 elements, got 3")],
)  # fmt: skip


def spread_diagonal(x: Node, sizes: Any, offset: int = 0) -> Node:
    """Record `from_diagonal` for sizes of which some may be nodes."""
    static, dynamic = split_sizes(sizes, "size")
    return from_diagonal(x, *dynamic, size=static, offset=offset)


def diagonal_matrix(x: Node) -> Node:
    """Return square matrices with the given diagonals."""
    size = sizes_of(x)[-1]
    return spread_diagonal(x, (size, size))


# Bands.


def _band_canonical(types: tuple[TensorType, ...], lower: Any, upper: Any) -> dict[str, Any]:
    return {"lower": None if lower is None else int(lower), "upper": None if upper is None else int(upper)}


def _band_reference(x: np.ndarray, lower: int | None, upper: int | None) -> np.ndarray:
    distance = np.arange(x.shape[-1]) - np.arange(x.shape[-2])[:, None]
    inside = np.ones(distance.shape, np.bool_)
    if lower is not None:
        inside &= distance >= -lower
    if upper is not None:
        inside &= distance <= upper
    return np.where(inside, x, np.zeros((), x.dtype))


def _band_shape(x: Shape, **_: Any) -> Shape:
    check_matrix(x)
    return x


def _same_dtype(x: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    return (x,), x


band_part: Op = card(
    "band_part", "x", params={"lower": None, "upper": None}, kind=MOVEMENT, public=False,
    param_docs={"lower": "How many diagonals below the main one stay; None for all. Negative: some above go too.",
                "upper": "How many diagonals above the main one stay; None for all."},
    summary="Replace what lies outside a band around the diagonal of each matrix by zeros.",
    canonical=_band_canonical, shape=_band_shape, dtype=_same_dtype, reference=_band_reference, linear="all",
    gradient=lambda g, y, x, **words: (band_part(g, **words),), batch=same_op("band_part"),
    cases=[Case((3, 3), upper=0), Case((2, 3, 4), lower=0, upper=1), Case((4, 3), lower=-1), Case((3, 3), upper=-1),
           Case((0, 2), lower=0)],
    bad=[BadCase((3,), lower=0, error=ShapeError, match="got rank 1")],
)  # fmt: skip


def triangle(x: Node, lower: bool, half: bool = False) -> Any:
    """Return the lower or upper triangle, if asked with half of the diagonal."""
    part: Any = band_part(x, upper=0) if lower else band_part(x, lower=0)
    if not half:
        return part
    middle: Any = band_part(x, lower=0, upper=0)
    return part - middle * 0.5
