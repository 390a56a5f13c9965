"""Matrices as products of simpler ones: Cholesky, QR, singular values, eigenvalues.

All of them work on stacks of matrices (..., rows, columns). A decomposition is unique only up to signs or phases, and
where values coincide, up to rotations: the gradient is that of any function that does not depend on this choice. For
functions that do, it is infinite or NaN where values coincide (never silently something else).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, GradientError, LinearAlgebraError, ShapeError
from septet.base.shapes import Shape
from septet.graph.node import Node
from septet.graph.op import OTHER, BadCase, Case, Op, card, items, ops
from septet.graph.types import TensorType
from septet.ops.cast import cast
from septet.ops.matrices import (
    adjoint,
    check_matrix,
    check_square,
    column,
    conj,
    diagonal,
    diagonal_matrix,
    divide_known,
    finite_only,
    hermitian,
    multiply_matrices,
    no_convergence,
    numbers,
    off_diagonal,
    positive,
    row,
    run_lapack,
    same_op,
    sample,
    side,
    smaller,
    square_shape,
    triangle,
    wide,
)
from septet.ops.resize import cut

GILES = "Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation (2008)"


def _results(*kinds: str) -> Any:
    """The dtype rule of ops with several results: "same" as the input, or the "real" type of it."""

    def rule(x: DType, **_: Any) -> tuple[tuple[DType, ...], Any]:
        operands, common = numbers(x)
        results = tuple(dtypes.real_of(common) if kind == "real" else common for kind in kinds)
        return operands, results if len(results) > 1 else results[0]

    return rule


def _hermitian_part(x: np.ndarray) -> np.ndarray:
    (x,) = wide(x)
    return (x + np.conj(x.swapaxes(-1, -2))) / 2


# Cholesky.


def _leading_minor(x: np.ndarray) -> str:
    """Say which leading minor is not positive."""
    for order in range(1, len(x) + 1):
        try:
            np.linalg.cholesky(x[:order, :order])
        except np.linalg.LinAlgError:
            return f"is not positive definite: its leading minor of order {order} is not positive"
    return "is not positive definite"


def _cholesky_reference(x: np.ndarray, upper: bool) -> np.ndarray:
    factor = run_lapack(np.linalg.cholesky, _leading_minor, _hermitian_part(x))
    return np.conj(factor.swapaxes(-1, -2)) if upper else factor


def _cholesky_gradient(g: Node, y: Node, x: Node, upper: bool) -> tuple[Any]:
    factor, g = (adjoint(y), adjoint(g)) if upper else (y, g)
    inner = triangle(multiply_matrices(adjoint(factor), g), lower=True, half=True)
    # with the factor L: L^-H inner L^-1
    left = ops.triangular_solve(conj(factor), inner, lower=True, transpose=True)
    both = ops.triangular_solve(conj(factor), adjoint(left), lower=True, transpose=True)
    return (hermitian(adjoint(both)),)


cholesky: Op = card(
    "cholesky", "x", params={"upper": False}, kind=OTHER, public=False,
    param_docs={"upper": "Whether to return the upper factor U, with U^H U = x, instead of the lower L (L L^H = x)."},
    summary="Return the triangular factor of positive definite matrices.",
    notes="Only the Hermitian part of x counts. The gradient is Hermitian too.",
    source=f"{GILES}, section 2.4; Murray, Differentiation of the Cholesky decomposition (2016)",
    canonical=lambda types, upper: {"upper": bool(upper)},
    shape=square_shape, dtype=numbers, reference=_cholesky_reference, gradient=_cholesky_gradient,
    batch=same_op("cholesky"), tolerance=1e-5,
    cases=lambda: [
        Case(positive(3, 3)), Case(positive(2, 3, 3), upper=True), Case(positive(1, 1)), Case((0, 0)),
        Case((0, 2, 2)),
    ],
    bad=[BadCase((2, 3), error=ShapeError, match="2 rows and 3 columns"),
         BadCase((3,), error=ShapeError, match="rank 1"),
         BadCase(np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, 1]]), error=LinearAlgebraError, match="minor of order 2"),
         BadCase(np.stack([np.eye(2), -np.eye(2)]), error=LinearAlgebraError, match="matrix 1 of the stack")],
)  # fmt: skip


# QR.


def _qr_canonical(types: tuple[TensorType, ...], mode: Any) -> dict[str, Any]:
    if mode not in ("reduced", "complete"):
        raise ArgumentError(f"mode {mode!r} is not known; it is 'reduced' or 'complete'")
    return {"mode": mode}


def _qr_shape(x: Shape, mode: str) -> tuple[Shape, Shape]:
    check_matrix(x)
    rows, columns = x[-2:]
    inner = rows if mode == "complete" else smaller(rows, columns)
    return (*x[:-2], rows, inner), (*x[:-2], inner, columns)


def _qr_gradient(g: Sequence[Node], y: Sequence[Node], x: Node, mode: str) -> tuple[Any]:
    rows, columns = x.shape[-2:]
    if rows is None or columns is None:
        raise GradientError(f"the gradient of qr needs known numbers of rows and columns, got {x.type!r}")
    if mode == "complete" and rows > columns:
        raise GradientError(
            f"qr with mode='complete' has no gradient for {x.type!r}: the last columns of Q are free",
            hint="mode='reduced' leaves them out and has a gradient",
        )
    gq, gr = g
    q, r = y
    if rows >= columns:
        return (_qr_square(gq, gr, q, r),)
    # [X Y] = Q [R1 R2], so that R2 = Q^H Y: Q comes from the first part alone
    first, rest = cut(gr, gr.ndim - 1, rows), cut(gr, gr.ndim - 1, columns - rows, rows)
    last = cut(x, x.ndim - 1, columns - rows, rows)
    gq = gq + multiply_matrices(last, adjoint(rest))
    into_first = _qr_square(gq, first, q, cut(r, r.ndim - 1, rows))
    into_last = multiply_matrices(q, rest)
    return (ops.add(cut(into_first, x.ndim - 1, columns), cut(into_last, x.ndim - 1, columns, -rows)),)


def _qr_square(gq: Any, gr: Node, q: Node, r: Node) -> Any:
    """The gradient where R is square."""
    inner = multiply_matrices(gr, adjoint(r)) - multiply_matrices(adjoint(q), gq)
    inner = triangle(inner, lower=False, half=True)
    both = gq + multiply_matrices(q, inner + adjoint(inner))
    return adjoint(ops.triangular_solve(r, adjoint(both), lower=False))


qr: Op = card(
    "qr", "x", params={"mode": "reduced"}, kind=OTHER, public=False,
    param_docs={"mode": '"reduced": Q (m, k) and R (k, n) with k = min(m, n); "complete": Q (m, m) and R (m, n).'},
    summary="Factor matrices into Q with orthonormal columns and an upper triangular R.",
    notes="The gradient needs a first square block of R that is not singular; with mode=\"complete\" there is one only "
    "where rows <= columns.",
    source="Walter and Lehmann, Algorithmic differentiation of linear algebra functions (2010); Roberts and Roberts, "
    "QR and LQ decomposition matrix backpropagation algorithms for square, wide, and deep matrices (2020)",
    canonical=_qr_canonical, shape=_qr_shape, dtype=_results("same", "same"),
    reference=lambda x, mode: np.linalg.qr(wide(x)[0], mode=mode), gradient=_qr_gradient, batch=same_op("qr"),
    tolerance=1e-5,
    cases=lambda: [
        Case(sample(3, 3)), Case(sample(2, 4, 3)), Case(sample(2, 4)), Case(sample(3, 4), mode="complete"),
        Case(sample(4, 2), mode="complete", gradient=False), Case((0, 2), gradient=False),
        Case((0, 3, 2), gradient=False),
    ],
    bad=[BadCase((3,), error=ShapeError, match="rank 1"),
         BadCase((3, 3), mode="r", error=ArgumentError, match="mode 'r'")],
)  # fmt: skip


# Singular values.


def _svd_shape(x: Shape, full_matrices: bool) -> tuple[Shape, Shape, Shape]:
    check_matrix(x)
    rows, columns = x[-2:]
    count = smaller(rows, columns)
    u, v = (rows, columns) if full_matrices else (count, count)
    return (*x[:-2], rows, u), (*x[:-2], count), (*x[:-2], v, columns)


def _svd_gradient(g: Sequence[Any], y: Sequence[Any], x: Node, full_matrices: bool) -> tuple[Any]:
    rows, columns = x.shape[-2:]
    if full_matrices and (rows is None or rows != columns):
        raise GradientError(
            f"svd with full_matrices=True has no gradient for {x.type!r}: the last columns of U or rows of Vh are free",
            hint="full_matrices=False leaves them out and has a gradient; svdvals gives the singular values alone",
        )
    gu, gs, gvh = g
    u, s, vh = y
    gap = (row(s) - column(s)) * (row(s) + column(s))
    left, right = multiply_matrices(adjoint(u), gu), multiply_matrices(gvh, adjoint(vh))
    left_skew, right_skew = left - adjoint(left), adjoint(right) - right
    inner = divide_known(off_diagonal(left_skew), gap) * row(s) + column(s) * divide_known(
        off_diagonal(right_skew), gap
    )
    inner = inner + diagonal_matrix(gs)
    if dtypes.is_complex(x.dtype):  # the phases of a pair of vectors turn together
        inner = inner + diagonal_matrix(divide_known(diagonal(left_skew), s * 2))
    total = multiply_matrices(u, inner, vh)
    if rows is None or columns is None or rows > columns:
        beyond = gu - multiply_matrices(u, left)
        total = total + multiply_matrices(divide_known(beyond, row(s)), vh)
    if rows is None or columns is None or columns > rows:
        beyond = gvh - multiply_matrices(right, vh)
        total = total + multiply_matrices(u, divide_known(beyond, column(s)))
    return (total,)


def _svd_reference(x: np.ndarray, full_matrices: bool) -> Any:
    return run_lapack(finite_only(lambda a: np.linalg.svd(a, full_matrices=full_matrices)), no_convergence, *wide(x))


svd: Op = card(
    "svd", "x", params={"full_matrices": True}, kind=OTHER, public=False,
    param_docs={"full_matrices": "Whether U and Vh are square, or only as wide as there are singular values."},
    summary="Factor matrices into U S Vh: orthonormal columns, singular values in descending order, orthonormal rows.",
    notes="U and Vh have a gradient where the singular values differ from each other (and, beyond a square, from 0); "
    "with full_matrices=True only for square matrices.",
    source=f"{GILES}, section 3.3; Wan and Zhang, Automatic differentiation for complex valued SVD (2019)",
    canonical=lambda types, full_matrices: {"full_matrices": bool(full_matrices)},
    shape=_svd_shape, dtype=_results("same", "real", "same"), reference=_svd_reference, gradient=_svd_gradient,
    batch=same_op("svd"), tolerance=1e-5,
    cases=lambda: [
        Case(sample(3, 3)), Case(sample(2, 4, 3), full_matrices=False), Case(sample(2, 4), full_matrices=False),
        Case(sample(4, 2), gradient=False), Case((0, 2), gradient=False), Case((0, 3, 2), gradient=False),
    ],
    bad=[BadCase((3,), error=ShapeError, match="rank 1"),
         BadCase(np.full((2, 2), np.nan), error=LinearAlgebraError, match="not finite")],
)  # fmt: skip


def _svdvals_shape(x: Shape) -> Shape:
    check_matrix(x)
    return (*x[:-2], smaller(*x[-2:]))


def _svdvals_gradient(g: Node, y: Node, x: Node) -> tuple[Any]:
    u: Any
    u, _, vh = items(svd(x, full_matrices=False))
    return (multiply_matrices(u * row(g), vh),)


svdvals: Op = card(
    "svdvals", "x", kind=OTHER, public=False, summary="Return the singular values of matrices, in descending order.",
    notes="The gradient exists where they differ from each other and from 0; elsewhere it is one of several.",
    source=f"{GILES}, section 3.3", shape=_svdvals_shape, dtype=_results("real"),
    reference=lambda x: run_lapack(finite_only(lambda a: np.linalg.svd(a, compute_uv=False)), no_convergence, *wide(x)),
    gradient=_svdvals_gradient, batch=same_op("svdvals"), tolerance=1e-5,
    cases=lambda: [
        Case(sample(3, 3)), Case(sample(2, 4, 3)), Case(sample(2, 4)), Case((0, 2)), Case((0, 3, 2)),
    ],
    bad=[BadCase((3,), error=ShapeError, match="rank 1"),
         BadCase(np.full((2, 2), np.nan), error=LinearAlgebraError, match="not finite")],
)  # fmt: skip


# Eigenvalues.


def _eigh_shape(x: Shape) -> tuple[Shape, Shape]:
    check_square(x)
    return (*x[:-2], side(x)), (*x[:-2], side(x), side(x))


def _eigh_gradient(g: Sequence[Any], y: Sequence[Any], x: Node) -> tuple[Any]:
    gw, gv = g
    w, v = y
    inner = divide_known(off_diagonal(multiply_matrices(adjoint(v), gv)), row(w) - column(w))
    return (hermitian(multiply_matrices(v, inner + diagonal_matrix(gw), adjoint(v))),)


eigh: Op = card(
    "eigh", "x", kind=OTHER, public=False,
    summary="Return the eigenvalues, in ascending order, and the eigenvectors (columns) of Hermitian matrices.",
    notes="Only the Hermitian part of x counts, and the gradient is Hermitian too. The eigenvectors have one where "
    "the eigenvalues differ from each other.",
    source=f"{GILES}, section 3.1", shape=_eigh_shape, dtype=_results("real", "same"),
    reference=lambda x: run_lapack(finite_only(np.linalg.eigh), no_convergence, _hermitian_part(x)),
    gradient=_eigh_gradient, batch=same_op("eigh"), tolerance=1e-5,
    cases=lambda: [
        Case(positive(3, 3)), Case(positive(2, 3, 3)), Case(sample(4, 4)), Case((0, 0)), Case((0, 2, 2)),
    ],
    bad=[BadCase((2, 3), error=ShapeError, match="2 rows and 3 columns"),
         BadCase((3,), error=ShapeError, match="rank 1")],
)  # fmt: skip


def _eigvalsh_gradient(g: Node, y: Node, x: Node) -> tuple[Any]:
    v: Any
    _, v = items(eigh(x))
    return (hermitian(multiply_matrices(v * row(g), adjoint(v))),)


eigvalsh: Op = card(
    "eigvalsh", "x", kind=OTHER, public=False,
    summary="Return the eigenvalues of Hermitian matrices, in ascending order.",
    notes="Only the Hermitian part of x counts, and the gradient is Hermitian too.",
    source=f"{GILES}, section 3.1", shape=lambda x: _eigh_shape(x)[0], dtype=_results("real"),
    reference=lambda x: run_lapack(finite_only(np.linalg.eigvalsh), no_convergence, _hermitian_part(x)),
    gradient=_eigvalsh_gradient, batch=same_op("eigvalsh"), tolerance=1e-5,
    cases=lambda: [
        Case(positive(3, 3)), Case(positive(2, 3, 3)), Case(sample(4, 4)), Case((0, 0)), Case((0, 2, 2)),
    ],
    bad=[BadCase((2, 3), error=ShapeError, match="2 rows and 3 columns"),
         BadCase((3,), error=ShapeError, match="rank 1")],
)  # fmt: skip


def _general_dtypes(*kinds: str) -> Any:
    def rule(x: DType, **_: Any) -> tuple[tuple[DType, ...], Any]:
        operands, common = numbers(x)
        result = dtypes.complex_of(common)
        return operands, (result,) * len(kinds) if len(kinds) > 1 else result

    return rule


def _to_real(g: Any, x: Node) -> Any:
    return g if dtypes.is_complex(x.dtype) else cast(ops.real(g), dtype=x.dtype)


def _eig_gradient(g: Sequence[Any], y: Sequence[Any], x: Node) -> tuple[Any]:
    gw, gv = g
    w, v = y
    across = multiply_matrices(adjoint(v), gv)
    # columns of v have norm 1: what would change the norm drops out
    across = across - multiply_matrices(adjoint(v), v * row(ops.real(diagonal(across))))
    inner = divide_known(off_diagonal(across), conj(row(w) - column(w))) + diagonal_matrix(gw)
    return (_to_real(ops.solve(adjoint(v), multiply_matrices(inner, adjoint(v))), x),)


def _complex(values: Any) -> Any:
    return values.astype(dtypes.complex_of(values.dtype), copy=False)


def _eig_reference(x: np.ndarray) -> Any:
    values, vectors = run_lapack(finite_only(np.linalg.eig), no_convergence, *wide(x))
    return _complex(values), _complex(vectors)


eig: Op = card(
    "eig", "x", kind=OTHER, public=False,
    summary="Return the eigenvalues, in no particular order, and the eigenvectors (unit columns) of square matrices.",
    notes="Both are complex. The gradient exists where the eigenvalues differ from each other.",
    source="Boeddeker et al., On the computation of complex-valued gradients with application to statistically optimum "
    "beamforming (2017), equation 4.77",
    shape=_eigh_shape, dtype=_general_dtypes("values", "vectors"),
    reference=_eig_reference,
    gradient=_eig_gradient, batch=same_op("eig"), tolerance=1e-5,
    cases=lambda: [
        Case(positive(3, 3)), Case(positive(2, 3, 3)), Case(sample(3, 3), gradient=False), Case((0, 0)),
        Case((0, 2, 2)),
    ],
    bad=[BadCase((2, 3), error=ShapeError, match="2 rows and 3 columns"),
         BadCase(np.full((2, 2), np.nan), error=LinearAlgebraError, match="not finite")],
)  # fmt: skip


def _eigvals_gradient(g: Node, y: Node, x: Node) -> tuple[Any]:
    v: Any
    _, v = items(eig(x))
    return (_to_real(ops.solve(adjoint(v), column(g) * adjoint(v)), x),)


eigvals: Op = card(
    "eigvals", "x", kind=OTHER, public=False,
    summary="Return the eigenvalues of square matrices, complex and in no particular order.",
    notes="The gradient exists where they differ from each other.",
    source=f"{GILES}, section 3.1", shape=lambda x: _eigh_shape(x)[0], dtype=_general_dtypes("values"),
    reference=lambda x: _complex(run_lapack(finite_only(np.linalg.eigvals), no_convergence, *wide(x))),
    gradient=_eigvals_gradient, batch=same_op("eigvals"), tolerance=1e-5,
    cases=lambda: [
        Case(sample(3, 3)), Case(sample(2, 3, 3)), Case((0, 0)), Case((0, 2, 2)),
    ],
    bad=[BadCase((2, 3), error=ShapeError, match="2 rows and 3 columns"),
         BadCase((3,), error=ShapeError, match="rank 1")],
)  # fmt: skip
