"""Linear systems, inverses, determinants and the matrix exponential, on stacks of matrices (..., rows, columns)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import LinearAlgebraError, ShapeError
from septet.base.shapes import Shape, broadcast
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import OTHER, BadCase, Case, Op, card, ops
from septet.graph.types import TensorType
from septet.ops.assembling import concatenate
from septet.ops.keys import get_item
from septet.ops.matrices import (
    adjoint,
    align,
    at_position,
    band_part,
    check_matrix,
    check_square,
    conj,
    finite_only,
    multiply_matrices,
    no_convergence,
    numbers,
    per_matrix,
    per_matrix_shape,
    run_lapack,
    same_op,
    sample,
    square_shape,
    transposed,
    wide,
)
from septet.ops.shaping import broadcast_to, reshape, sizes_of, sum_to, zeros_like

GILES = "Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation (2008)"


# Systems.


def _solve_shape(a: Shape, b: Shape, **_: Any) -> Shape:
    check_square(a)
    check_matrix(b, 1)
    if a[-1] is not None and b[-2] is not None and a[-1] != b[-2]:
        raise ShapeError(
            f"the matrices have {a[-1]} columns, the right-hand sides {b[-2]} rows", marks=[(0, -1), (1, -2)]
        )
    try:
        stack = broadcast(a[:-2], b[:-2])
    except ShapeError as error:
        raise ShapeError(f"the stacks {a[:-2]} and {b[:-2]} do not broadcast", marks=error.marks) from None
    return (*stack, b[-2] if a[-1] is None else a[-1], b[-1])


def _singular(x: np.ndarray) -> str:
    return f"is singular: its rank is {np.linalg.matrix_rank(x)} of {len(x)}"


def _solve_reference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = wide(a, b)
    shape: Any = _solve_shape(a.shape, b.shape)
    b = np.broadcast_to(b, shape)
    a = np.broadcast_to(a, (*shape[:-2], *a.shape[-2:]))
    return run_lapack(np.linalg.solve, _singular, a, b)


def _solve_gradient(g: Any, y: Any, a: Node, b: Node) -> tuple[Node, Node]:
    into_b = ops.solve(adjoint(a), g)
    return sum_to(-multiply_matrices(into_b, adjoint(y)), a), sum_to(into_b, b)


def _solve_batch(name: str) -> Callable[..., Node]:
    def rule(is_batched: Sequence[bool], a: Node, b: Node, **params: Any) -> Node:
        return getattr(ops, name)(*align(is_batched, (a, b)), **params)

    return rule


_SOLVE_BAD = [
    BadCase((2, 3), (3, 1), error=ShapeError, match="2 rows and 3 columns"),
    BadCase((3, 3), (2, 1), error=ShapeError, match="3 columns, the right-hand sides 2 rows"),
    BadCase((3, 3), (3,), error=ShapeError, match="rank 1"),
    BadCase((2, 3, 3), (4, 3, 1), error=ShapeError, match="the stacks (2,) and (4,) do not broadcast"),
]
_SINGULAR = np.stack([np.eye(2), np.ones((2, 2))])

solve: Op = card(
    "solve", "a b", kind=OTHER, public=False,
    summary="Return x with a x = b for square matrices a (..., n, n) and right-hand sides b (..., n, k).",
    source=f"{GILES}, section 2.3.1", shape=_solve_shape, dtype=numbers, reference=_solve_reference,
    gradient=_solve_gradient, batch=_solve_batch("solve"), tolerance=1e-5,
    cases=lambda: [
        Case(sample(3, 3), (3, 2)), Case(sample(2, 3, 3), (3, 1)), Case(sample(3, 3), (2, 3, 1)),
        Case(sample(2, 1, 2, 2), (3, 2, 2)), Case((0, 0), (0, 2)), Case((0, 2, 2), (2, 1)),
    ],
    bad=[*_SOLVE_BAD, BadCase(_SINGULAR, (2, 1), error=LinearAlgebraError,
                              match="matrix 1 of the stack is singular: its rank is 1 of 2")],
)  # fmt: skip


def _triangular_canonical(types: tuple[TensorType, ...], **params: Any) -> dict[str, Any]:
    return {name: bool(value) for name, value in params.items()}


def _triangular_reference(
    a: np.ndarray, b: np.ndarray, lower: bool, transpose: bool, unit_diagonal: bool
) -> np.ndarray:
    """Substitute row by row, for the whole stack at a time."""
    a, b = wide(a, b)
    shape: Any = _solve_shape(a.shape, b.shape)
    if transpose:
        a, lower = a.swapaxes(-1, -2), not lower
    size = a.shape[-1]
    if not unit_diagonal:
        zeros = np.argwhere(np.diagonal(a, 0, -2, -1) == 0)
        if len(zeros):
            *index, at = (int(i) for i in zeros[0])
            raise LinearAlgebraError(f"{at_position(tuple(index))} is singular: its diagonal is 0 in row {at}")
    x: Any = np.broadcast_to(b, shape).copy()
    for i in range(size) if lower else range(size - 1, -1, -1):
        known = slice(0, i) if lower else slice(i + 1, size)
        x[..., i, :] -= (a[..., i : i + 1, known] @ x[..., known, :])[..., 0, :]
        if not unit_diagonal:
            x[..., i, :] /= a[..., i, i, None]
    return x


def _triangular_gradient(
    g: Any, y: Any, a: Node, b: Node, lower: bool, transpose: bool, unit_diagonal: bool
) -> tuple[Node, Node]:
    into_b = triangular_solve(conj(a), g, lower=lower, transpose=not transpose, unit_diagonal=unit_diagonal)
    into_a: Any = multiply_matrices(into_b, adjoint(y))
    if transpose:
        into_a = transposed(into_a)
    inside = 1 if unit_diagonal else 0
    into_a = band_part(into_a, upper=-inside) if lower else band_part(into_a, lower=-inside)
    return sum_to(-into_a, a), sum_to(into_b, b)


triangular_solve: Op = card(
    "triangular_solve", "a b", params={"lower": True, "transpose": False, "unit_diagonal": False}, kind=OTHER,
    public=False,
    param_docs={"lower": "Whether a is lower triangular; the other triangle is never read.",
                "transpose": "Whether to solve with the transpose of a (not conjugated).",
                "unit_diagonal": "Whether the diagonal counts as ones, whatever it holds."},
    summary="Return x with a x = b for triangular matrices a (..., n, n) and right-hand sides b (..., n, k).",
    source=f"{GILES}, section 2.3.1", canonical=_triangular_canonical, shape=_solve_shape, dtype=numbers,
    reference=_triangular_reference, gradient=_triangular_gradient, batch=_solve_batch("triangular_solve"),
    tolerance=1e-5,
    cases=lambda: [
        Case(sample(3, 3), (3, 2)), Case(sample(2, 3, 3), (3, 1), lower=False), Case(sample(3, 3), (2, 3, 1)),
        Case(sample(3, 3), (3, 2), transpose=True), Case(sample(3, 3), (3, 2), lower=False, transpose=True),
        Case(sample(3, 3), (3, 2), unit_diagonal=True), Case((0, 0), (0, 2)),
    ],
    bad=[*_SOLVE_BAD, BadCase(np.array([[1.0, 0], [2, 0]]), (2, 1), error=LinearAlgebraError,
                              match="its diagonal is 0 in row 1")],
)  # fmt: skip


# Inverses.

inv: Op = card(
    "inv", "x", kind=OTHER, public=False, summary="Return the inverses of square matrices.",
    notes="To solve a system, `solve` is faster and more accurate.", source=f"{GILES}, section 2.2.3",
    shape=square_shape, dtype=numbers,
    reference=lambda x: run_lapack(np.linalg.inv, _singular, *wide(x)),
    gradient=lambda g, y, x: (-multiply_matrices(adjoint(y), g, adjoint(y)),), batch=same_op("inv"), tolerance=1e-5,
    cases=lambda: [
        Case(sample(3, 3)), Case(sample(2, 3, 3)), Case((0, 0)), Case((0, 2, 2)),
    ],
    bad=[BadCase((2, 3), error=ShapeError, match="2 rows and 3 columns"),
         BadCase((3,), error=ShapeError, match="rank 1"),
         BadCase(_SINGULAR, error=LinearAlgebraError, match="matrix 1 of the stack is singular: its rank is 1 of 2")],
)  # fmt: skip


def _pinv_shape(x: Shape, *rtol: Shape) -> Shape:
    check_matrix(x)
    if rtol and broadcast(x[:-2], rtol[0]) != x[:-2]:
        raise ShapeError(f"rtol of shape {shape_text(rtol[0])} does not broadcast to the stack {shape_text(x[:-2])}")
    return (*x[:-2], x[-1], x[-2])


def _pinv_dtype(x: DType, *rtol: DType) -> tuple[tuple[DType, ...], DType]:
    (operand,), result = numbers(x)
    return (operand, *[dtypes.real_of(operand)] * len(rtol)), result


def default_rtol(rows: int, columns: int, dtype: DType) -> float:
    """Return the part of the largest singular value below which the others count as 0."""
    return max(rows, columns) * float(np.finfo(dtypes.accumulator_of(dtypes.real_of(dtype))).eps)


def _pinv_reference(x: np.ndarray, *rtol: np.ndarray) -> np.ndarray:
    part = rtol[0] if rtol else np.asarray(default_rtol(x.shape[-2], x.shape[-1], x.dtype))
    x, part = wide(x, part)
    u, s, vh = run_lapack(finite_only(lambda a: np.linalg.svd(a, full_matrices=False)), no_convergence, x)
    keep = s > part[..., None] * s.max(-1, keepdims=True, initial=0)
    inverse = np.where(keep, 1 / np.where(keep, s, 1), 0)
    return np.conj(vh.swapaxes(-1, -2)) @ (inverse[..., None] * np.conj(u.swapaxes(-1, -2)))


def _pinv_gradient(g: Any, y: Any, x: Any, *rtol: Node) -> tuple[Any, ...]:
    h = adjoint(y)
    left = multiply_matrices(adjoint(g), y, h)  # then projected on what x does not reach
    right = multiply_matrices(h, y, adjoint(g))  # then projected on what x maps to 0
    total = left - multiply_matrices(x, y, left) + right - multiply_matrices(right, y, x)
    return (total - multiply_matrices(h, g, h), *[None] * len(rtol))


def _pinv_batch(is_batched: Sequence[bool], x: Node, *rtol: Node) -> Node:
    if not rtol:
        return pinv(x)
    (part,) = rtol
    sizes = sizes_of(part)
    if is_batched[1]:  # both with the batch first, and stacks of one rank behind it
        missing = x.ndim - 2 - is_batched[0] - (part.ndim - 1)
        part = reshape(part, (sizes[0], *[1] * missing, *sizes[1:]))
        if not is_batched[0]:
            x = broadcast_to(x, (sizes[0], *sizes_of(x)))
    return pinv(x, part)


pinv: Op = card(
    "pinv", "x *rtol", kind=OTHER, public=False,
    summary="Return the pseudo-inverses (Moore-Penrose) of matrices.",
    notes="Singular values up to rtol times the largest one count as 0; rtol is a tensor that broadcasts against the "
    "stack, by default max(rows, columns) times the machine epsilon. The gradient takes the rank as constant.",
    source="Golub and Pereyra, The differentiation of pseudo-inverses and nonlinear least squares problems whose "
    "variables separate (1973), equation 4.12",
    shape=_pinv_shape, dtype=_pinv_dtype, reference=_pinv_reference, gradient=_pinv_gradient, batch=_pinv_batch,
    tolerance=1e-5,
    cases=lambda: [
        Case(sample(3, 3)), Case(sample(2, 4, 3)), Case(sample(2, 4)), Case((0, 2)), Case((0, 3, 2)),
    ],
    bad=[BadCase((3,), error=ShapeError, match="rank 1"),
         BadCase(np.full((2, 2), np.nan), error=LinearAlgebraError, match="not finite")],
)  # fmt: skip


# Determinants.

det: Op = card(
    "det", "x", kind=OTHER, public=False, summary="Return the determinants of square matrices.",
    notes="The gradient exists for singular matrices too; its own gradient needs an inverse.",
    source=f"{GILES}, section 2.2.4", shape=per_matrix_shape, dtype=numbers,
    reference=lambda x: np.linalg.det(*wide(x)),
    gradient=lambda g, y, x: (per_matrix(g) * conj(cofactor(x)),), batch=same_op("det"), tolerance=1e-5,
    cases=lambda: [
        Case(sample(3, 3)), Case(sample(2, 3, 3)), Case((2, 2)), Case((0, 0)), Case((0, 2, 2)),
    ],
    bad=[BadCase((2, 3), error=ShapeError, match="2 rows and 3 columns"),
         BadCase((3,), error=ShapeError, match="rank 1")],
)  # fmt: skip


def _cofactor_reference(x: np.ndarray) -> np.ndarray:
    """By the singular values, of which some may be 0: det(U) det(Vh) conj(U) diag(product of the others) conj(Vh)."""
    (x,) = wide(x)
    u, s, vh = run_lapack(finite_only(np.linalg.svd), no_convergence, x)
    ones = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([ones, s[..., :-1]], -1), -1)
    after = np.cumprod(np.concatenate([ones, s[..., :0:-1]], -1), -1)[..., ::-1]
    if s.shape[-1] == 0:
        return np.zeros_like(x)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return sign[..., None, None] * (np.conj(u) * (before * after)[..., None, :]) @ np.conj(vh)


def _cofactor_gradient(g: Any, y: Node, x: Node) -> tuple[Any]:
    b: Any = inv(x)
    bt: Any = transposed(b)
    g = conj(g)
    scale: Any = ops.sum(g * bt, axis=(-2, -1), keepdims=True)
    total = scale * bt - transposed(multiply_matrices(b, g, b))
    return (conj(per_matrix(det(x)) * total),)


cofactor: Op = card(
    "cofactor", "x", kind=OTHER, public=False,
    summary="Return the matrices of cofactors: det(x) times the transposed inverse, also where x is singular.",
    notes="Its gradient needs an inverse.", source=f"{GILES}, section 2.2.4", shape=square_shape, dtype=numbers,
    reference=_cofactor_reference, gradient=_cofactor_gradient, batch=same_op("cofactor"), tolerance=1e-5,
    cases=lambda: [
        Case(sample(3, 3)), Case(sample(2, 3, 3)), Case((0, 0)), Case((0, 2, 2)),
    ],
    bad=[BadCase((2, 3), error=ShapeError, match="2 rows and 3 columns"),
         BadCase(np.full((2, 2), np.nan), error=LinearAlgebraError, match="not finite")],
)  # fmt: skip


def _slogdet_dtype(x: DType) -> tuple[tuple[DType, ...], tuple[DType, DType]]:
    operands, common = numbers(x)
    return operands, (common, dtypes.real_of(common))


def _slogdet_shape(x: Shape) -> tuple[Shape, Shape]:
    return per_matrix_shape(x), per_matrix_shape(x)


def _slogdet_gradient(g: Sequence[Any], y: Sequence[Any], x: Node) -> tuple[Any]:
    sign_g, log_g = g
    if dtypes.is_complex(x.dtype):  # the sign turns with the imaginary part of tr(x^-1 dx)
        turn: Any = ops.imag(conj(sign_g) * y[0])
        log_g = log_g - turn * 1j
    return (per_matrix(log_g) * adjoint(inv(x)),)


slogdet: Op = card(
    "slogdet", "x", kind=OTHER, public=False,
    summary="Return the sign (or phase) and the logarithm of the absolute value of determinants.",
    notes="A singular matrix gives 0 and -inf; the gradient there raises LinearAlgebraError.",
    source=f"{GILES}, section 2.2.4", shape=_slogdet_shape, dtype=_slogdet_dtype,
    reference=lambda x: tuple(np.linalg.slogdet(*wide(x))), gradient=_slogdet_gradient, batch=same_op("slogdet"),
    tolerance=1e-5,
    cases=lambda: [
        Case(sample(3, 3)), Case(sample(2, 3, 3)), Case(-sample(3, 3)), Case((0, 0)), Case((0, 2, 2)),
    ],
    bad=[BadCase((2, 3), error=ShapeError, match="2 rows and 3 columns"),
         BadCase((3,), error=ShapeError, match="rank 1")],
)  # fmt: skip


# The exponential.

# Higham 2005: the largest 1-norm for the approximant of degree 13 (table 2.3) and its coefficients.
_THETA = 5.371920351148152
_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0,
    10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip


def _exponential(a: np.ndarray) -> np.ndarray:
    """Return the exponential of one matrix: scaling, a Pade approximant, squaring."""
    if not np.isfinite(a).all():
        return np.full_like(a, np.nan)
    norm = np.abs(a).sum(0).max(initial=0)
    squarings = max(int(np.ceil(np.log2(norm / _THETA))), 0) if norm > 0 else 0
    a = a / 2.0**squarings
    b, eye = _PADE, np.eye(len(a), dtype=a.dtype)
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a4 @ a2
    odd = a @ (a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * eye)
    even = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * eye
    result = np.linalg.solve(even - odd, even + odd)
    for _ in range(squarings):
        result = result @ result
    return result


def _expm_reference(x: np.ndarray) -> np.ndarray:
    precise = x.astype(np.complex128 if dtypes.is_complex(x.dtype) else np.float64)
    result = np.empty_like(precise)
    for index in np.ndindex(*x.shape[:-2]):
        result[index] = _exponential(precise[index])
    return result


def _expm_gradient(g: Node, y: Node, x: Node) -> tuple[Any]:
    h = adjoint(x)
    above, below = concatenate([h, g], axis=-1), concatenate([zeros_like(h), h], axis=-1)
    whole = expm(concatenate([above, below], axis=-2))
    size = sizes_of(h)[-1]
    return (get_item(whole, (Ellipsis, slice(None, size), slice(size, None))),)


expm: Op = card(
    "expm", "x", kind=OTHER, public=False, summary="Return the exponentials of square matrices.",
    notes="Computed in double precision. The gradient is a corner of the exponential of a matrix of twice the size.",
    source="Higham, The scaling and squaring method for the matrix exponential revisited (2005); gradient: Mathias, A "
    "chain rule for matrix functions and applications (1996)",
    shape=square_shape, dtype=numbers, reference=_expm_reference, gradient=_expm_gradient, batch=same_op("expm"),
    tolerance=1e-5,
    cases=lambda: [
        Case(sample(3, 3)), Case(sample(2, 2, 2)), Case((1, 1)), Case((0, 0)), Case((0, 2, 2)),
    ],
    bad=[BadCase((2, 3), error=ShapeError, match="2 rows and 3 columns"),
         BadCase((3,), error=ShapeError, match="rank 1")],
)  # fmt: skip
