"""The functions of ``septet.linalg``: the linear algebra extension of the Array API standard, and a few more."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

from septet.base import dtypes
from septet.base.errors import ArgumentError, ShapeError
from septet.base.shapes import check_axis
from septet.graph.node import Node
from septet.graph.op import as_node, as_nodes, cast_to, function, items, ops
from septet.ops import decompositions, matrices, solvers
from septet.ops.assembling import matrix_transpose
from septet.ops.matmul import matmul, outer, tensordot, vecdot
from septet.ops.matrices import column, diagonal_matrix, multiply_matrices
from septet.ops.norms import real_float
from septet.ops.resize import cut, rotate
from septet.ops.shaping import broadcast_to, reshape, sizes_of

# What the main namespace has too.
for _shared in (matmul, matrix_transpose, outer, tensordot, vecdot):
    function(namespace="linalg")(_shared)


class EighResult(NamedTuple):
    """What `eigh` and `eig` return."""

    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Any
    R: Any


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Any
    logabsdet: Any


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Any
    S: Any
    Vh: Any


# Decompositions.


@function(namespace="linalg")
def cholesky(x: Any, /, *, upper: bool = False) -> Node:
    """Return the triangular factor of positive definite matrices.

    Parameters
    ----------
    x : tensor
        Only the Hermitian part counts.
    upper : bool
        Whether to return the upper factor U, with ``U^H U = x``, in place of the lower one L, with ``L L^H = x``.

    Shape
    -----
    x (..., n, n), result (..., n, n).

    Raises
    ------
    LinearAlgebraError
        If a matrix is not positive definite; the message names it and the first leading minor that is not positive.

    Examples
    --------
    >>> import septet as st
    >>> st.linalg.cholesky(st.asarray([[4.0, 2.0], [2.0, 5.0]])).tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """
    return decompositions.cholesky(x, upper=upper)


@function(namespace="linalg")
def qr(x: Any, /, *, mode: str = "reduced") -> QRResult:
    """Factor matrices into Q with orthonormal columns and an upper triangular R.

    Parameters
    ----------
    x : tensor
    mode : {"reduced", "complete"}

    Returns
    -------
    QRResult
        Q and R.

    Shape
    -----
    x (..., m, n); Q (..., m, k) and R (..., k, n) with k = min(m, n), or k = m with mode="complete".

    Gradient
    --------
    Where the first k columns of x are independent; with mode="complete" only for m <= n.
    """
    return QRResult(*items(decompositions.qr(x, mode=mode)))


@function(namespace="linalg")
def svd(x: Any, /, *, full_matrices: bool = True) -> SVDResult:
    """Factor matrices into U S Vh: orthonormal columns, singular values in descending order, orthonormal rows.

    Parameters
    ----------
    x : tensor
    full_matrices : bool
        Whether U and Vh are square.

    Returns
    -------
    SVDResult
        U, S and Vh.

    Shape
    -----
    x (..., m, n); U (..., m, k), S (..., min(m, n)), Vh (..., k, n), with k = min(m, n) or, full, m and n.

    Raises
    ------
    LinearAlgebraError
        If a matrix is not finite, or the iteration does not converge.

    Gradient
    --------
    Of U and Vh where the singular values differ; with full_matrices=True only for square matrices.
    """
    return SVDResult(*items(decompositions.svd(x, full_matrices=full_matrices)))


@function(namespace="linalg")
def svdvals(x: Any, /) -> Node:
    """Return the singular values of matrices, in descending order.

    Shape
    -----
    x (..., m, n), result (..., min(m, n)).

    Raises
    ------
    LinearAlgebraError
        If a matrix is not finite, or the iteration does not converge.
    """
    return decompositions.svdvals(x)


@function(namespace="linalg")
def eigh(x: Any, /) -> EighResult:
    """Return the eigenvalues, in ascending order, and the eigenvectors (columns) of Hermitian matrices.

    Parameters
    ----------
    x : tensor
        Only the Hermitian part counts.

    Returns
    -------
    EighResult
        Eigenvalues and eigenvectors.

    Shape
    -----
    x (..., n, n); eigenvalues (..., n), eigenvectors (..., n, n).

    Gradient
    --------
    Of the eigenvectors where the eigenvalues differ.
    """
    return EighResult(*items(decompositions.eigh(x)))


@function(namespace="linalg")
def eigvalsh(x: Any, /) -> Node:
    """Return the eigenvalues of Hermitian matrices, in ascending order.

    Shape
    -----
    x (..., n, n), result (..., n).
    """
    return decompositions.eigvalsh(x)


@function(namespace="linalg")
def eig(x: Any, /) -> EighResult:
    """Return the eigenvalues, in no particular order, and the eigenvectors of square matrices; both are complex.

    Returns
    -------
    EighResult
        Eigenvalues, and eigenvectors as columns of norm 1.

    Shape
    -----
    x (..., n, n); eigenvalues (..., n), eigenvectors (..., n, n).

    Gradient
    --------
    Where the eigenvalues differ.
    """
    return EighResult(*items(decompositions.eig(x)))


@function(namespace="linalg")
def eigvals(x: Any, /) -> Node:
    """Return the eigenvalues of square matrices, complex and in no particular order.

    Shape
    -----
    x (..., n, n), result (..., n).
    """
    return decompositions.eigvals(x)


# Systems, inverses, determinants.


@function(namespace="linalg")
def solve(x1: Any, x2: Any, /) -> Node:
    """Return x with ``x1 @ x = x2``.

    Parameters
    ----------
    x1 : tensor
        Square matrices.
    x2 : tensor
        Right-hand sides: one vector, or the columns of matrices.

    Shape
    -----
    x1 (..., n, n); x2 (n) or (..., n, k); the result is (..., n) or (..., n, k), with the stacks broadcast.

    Raises
    ------
    LinearAlgebraError
        If a matrix is singular; the message names it and its rank.

    Examples
    --------
    >>> import septet as st
    >>> st.linalg.solve(st.asarray([[2.0, 0.0], [0.0, 4.0]]), st.asarray([2.0, 2.0])).tolist()
    [1.0, 0.5]
    """
    a, b = as_nodes((x1, x2))
    if b.ndim != 1:
        return solvers.solve(a, b)
    x = solvers.solve(a, column(b))
    return reshape(x, sizes_of(x)[:-1])


@function(namespace="linalg")
def triangular_solve(
    a: Any, b: Any, /, *, lower: bool = True, transpose: bool = False, unit_diagonal: bool = False
) -> Node:
    """Return x with ``a @ x = b`` for triangular matrices.

    Parameters
    ----------
    a : tensor
        The other triangle is never read.
    b : tensor
        Right-hand sides: one vector, or the columns of matrices.
    lower : bool
        Whether a is lower triangular.
    transpose : bool
        Whether to solve with the transpose of a (not conjugated).
    unit_diagonal : bool
        Whether the diagonal counts as ones, whatever it holds.

    Shape
    -----
    a (..., n, n); b (n) or (..., n, k); the result is (..., n) or (..., n, k), with the stacks broadcast.

    Raises
    ------
    LinearAlgebraError
        If a diagonal holds a 0.
    """
    a, b = as_nodes((a, b))
    words = {"lower": lower, "transpose": transpose, "unit_diagonal": unit_diagonal}
    if b.ndim != 1:
        return solvers.triangular_solve(a, b, **words)
    x = solvers.triangular_solve(a, column(b), **words)
    return reshape(x, sizes_of(x)[:-1])


@function(namespace="linalg")
def inv(x: Any, /) -> Node:
    """Return the inverses of square matrices; to solve a system, `solve` is faster and more accurate.

    Shape
    -----
    x (..., n, n), result (..., n, n).

    Raises
    ------
    LinearAlgebraError
        If a matrix is singular; the message names it and its rank.
    """
    return solvers.inv(x)


@function(namespace="linalg")
def pinv(x: Any, /, *, rtol: Any = None) -> Node:
    """Return the pseudo-inverses (Moore-Penrose) of matrices.

    Parameters
    ----------
    x : tensor
    rtol : float or tensor, optional
        Singular values up to this part of the largest one count as 0; by default max(m, n) times the machine epsilon. A
        tensor has one value for each matrix.

    Shape
    -----
    x (..., m, n), result (..., n, m).

    Gradient
    --------
    With the rank taken as constant.
    """
    x = as_node(x)
    return solvers.pinv(x) if rtol is None else solvers.pinv(x, as_node(rtol, real_float(x)))


@function(namespace="linalg")
def det(x: Any, /) -> Node:
    """Return the determinants of square matrices.

    Shape
    -----
    x (..., n, n), result (...).
    """
    return solvers.det(x)


@function(namespace="linalg")
def slogdet(x: Any, /) -> SlogdetResult:
    """Return the sign (or phase) of determinants and the logarithm of their absolute values.

    Returns
    -------
    SlogdetResult
        sign and logabsdet; a singular matrix gives 0 and -inf.

    Shape
    -----
    x (..., n, n), both results (...).
    """
    return SlogdetResult(*items(solvers.slogdet(x)))


@function(namespace="linalg")
def expm(x: Any, /) -> Node:
    """Return the exponentials of square matrices.

    Shape
    -----
    x (..., n, n), result (..., n, n).
    """
    return solvers.expm(x)


@function(namespace="linalg")
def matrix_power(x: Any, n: int, /) -> Node:
    """Raise square matrices to an integer power.

    Parameters
    ----------
    x : tensor
    n : int
        Below 0, the inverses are raised to -n.

    Shape
    -----
    x (..., m, m), result (..., m, m).

    Raises
    ------
    LinearAlgebraError
        If n is negative and a matrix is singular.
    """
    x = as_node(x)
    matrices.check_square(x.shape)
    try:
        n = operator.index(n)
    except TypeError:
        raise ArgumentError(f"matrix_power: n must be an integer, got {n!r}") from None
    if n == 0:
        return diagonal_matrix(broadcast_to(as_node(1, x.dtype), sizes_of(x)[:-1]))
    if n < 0:
        x, n = solvers.inv(x), -n
    result = None
    while True:
        if n & 1:
            result = x if result is None else multiply_matrices(result, x)
        n >>= 1
        if not n:
            assert result is not None
            return result
        x = multiply_matrices(x, x)


@function(namespace="linalg")
def matrix_rank(x: Any, /, *, rtol: Any = None) -> Node:
    """Count the singular values above a part of the largest one.

    Parameters
    ----------
    x : tensor
    rtol : float or tensor, optional
        The part; by default max(m, n) times the machine epsilon. A tensor has one value for each matrix.

    Shape
    -----
    x (..., m, n), result (...), int64.
    """
    x = as_node(x)
    if x.ndim < 2:
        return decompositions.svdvals(x)  # its error
    s = decompositions.svdvals(x)
    if rtol is None:
        rows, columns = sizes_of(x)[-2:]
        if isinstance(rows, int) and isinstance(columns, int):
            part: Any = as_node(solvers.default_rtol(rows, columns, s.dtype), s.dtype)
        else:
            larger = ops.maximum(as_node(rows, dtypes.int64), as_node(columns, dtypes.int64))
            part = ops.multiply(cast_to(larger, s.dtype), solvers.default_rtol(1, 1, s.dtype))
    else:
        part = column(as_node(rtol, s.dtype))
    return ops.sum(ops.greater(s, cut(s, s.ndim - 1, 1) * part), axis=-1)


# Diagonals, traces, products of vectors.


@function(namespace="linalg")
def diagonal(x: Any, /, *, offset: int = 0) -> Node:
    """Return the diagonal of each matrix.

    Parameters
    ----------
    x : tensor
    offset : int
        How far the diagonal lies above (below, where negative) the main one.

    Shape
    -----
    x (..., m, n), result (..., length of the diagonal).
    """
    return matrices.diagonal(x, offset=offset)


@function(namespace="linalg")
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Node:
    """Return the sum of the diagonal of each matrix.

    Parameters
    ----------
    x : tensor
    offset : int
        How far the diagonal lies above (below, where negative) the main one.
    dtype : dtype, optional
        In which to sum; by default that of `sum`.

    Shape
    -----
    x (..., m, n), result (...).
    """
    elements = matrices.diagonal(x, offset=offset)
    if dtype is None:
        return ops.sum(elements, axis=-1)
    dtype = dtypes.as_dtype(dtype)
    return cast_to(ops.sum(cast_to(elements, dtype), axis=-1), dtype)


@function(namespace="linalg")
def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Node:
    """Return the cross products of vectors with three elements.

    Parameters
    ----------
    x1, x2 : tensor
        They broadcast, except along the axis.
    axis : int
        The axis of the vectors' elements.

    Raises
    ------
    ShapeError
        If the axis does not have 3 elements in both.

    Examples
    --------
    >>> import septet as st
    >>> st.linalg.cross(st.asarray([1.0, 0.0, 0.0]), st.asarray([0.0, 1.0, 0.0])).tolist()
    [0.0, 0.0, 1.0]
    """
    a, b = as_nodes((x1, x2))
    places = check_axis(axis, a.ndim), check_axis(axis, b.ndim)
    if a.shape[places[0]] != 3 or b.shape[places[1]] != 3:
        raise ShapeError(f"cross: axis {axis} must have 3 elements in both, got {a.type!r} and {b.type!r}")
    if a.ndim - places[0] != b.ndim - places[1]:
        raise ArgumentError(f"cross: axis {axis} is not the same of {a.type!r} and {b.type!r} once they broadcast")
    ahead, behind = (rotate(x, place, -1) for x, place in zip((a, b), places, strict=True))
    product: Any = ops.subtract(ops.multiply(a, behind), ops.multiply(ahead, b))
    return rotate(product, product.ndim - (a.ndim - places[0]), -1)
