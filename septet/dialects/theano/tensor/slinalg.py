"""`theano.tensor.slinalg`: linear algebra as in SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.coverage import asked
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.tensor.basic import as_tensor_variable
from septet.dialects.theano.tensor.nlinalg import OfMatrices, floats, mirrored
from septet.dialects.theano.tensor.type_other import NoneConst

imported_scipy = True  # what needs SciPy there is Septet's
MATRIX_STRUCTURES = (
    "general", "symmetric", "lower_triangular", "upper_triangular", "hermitian", "banded", "diagonal", "toeplitz",
)  # fmt: skip


class Cholesky(OfMatrices):
    """A triangular matrix whose product with its transpose is the given one.

    Parameters
    ----------
    lower : bool
    on_error : "raise" or "nan"
        What a matrix that is not positive definite gives.
    """

    __props__ = ("lower", "destructive", "on_error")
    keeps_shape = True

    def __init__(self, lower: bool = True, on_error: str = "raise") -> None:
        if on_error not in ("raise", "nan"):
            raise ValueError('on_error must be one of "raise" or "nan"')
        self.lower, self.on_error, self.destructive = lower, on_error, False

    def of_floats(self, x: Any) -> Any:
        whole, x = x, mirrored(x, self.lower)
        if self.on_error == "raise":
            return st.linalg.cholesky(x, upper=not self.lower)
        good = st.callback(_is_positive, ("bool", ()), x, gradient=lambda g, x: None)
        safe = st.where(good, x, st.eye(x.shape[0], dtype=x.dtype))
        spoilt = st.where(good, 0.0, np.nan).astype(x.dtype)  # and so is the gradient, in the whole matrix
        return st.linalg.cholesky(safe, upper=not self.lower) + st.where(good, st.zeros_like(x), whole) * spoilt


def _is_positive(x: np.ndarray) -> np.ndarray:
    try:
        np.linalg.cholesky(x)
    except np.linalg.LinAlgError:
        return np.asarray(False)
    return np.asarray(True)


cholesky = Cholesky()


class CholeskyGrad(NativeOp):
    """The gradient of a Cholesky factor: from the matrix, the factor and the factor's gradient."""

    __props__ = ("lower", "destructive")

    def __init__(self, lower: bool = True) -> None:
        self.lower, self.destructive = lower, False

    def compute(self, *tensors: Any) -> Any:
        x, _, g = tensors
        return st.lop(st.linalg.cholesky(mirrored(x, self.lower), upper=not self.lower), x, g)


class Solve(NativeOp):
    """The solution of a system of linear equations.

    Parameters
    ----------
    A_structure : str
        One of `MATRIX_STRUCTURES`; triangular systems are solved by substitution.
    """

    __props__ = ("A_structure", "lower", "overwrite_A", "overwrite_b")

    def __init__(
        self, A_structure: str = "general", lower: bool = False, overwrite_A: bool = False, overwrite_b: bool = False
    ) -> None:
        if A_structure not in MATRIX_STRUCTURES:
            raise ValueError("Invalid matrix structure argument", A_structure)
        self.A_structure, self.lower = A_structure, lower
        self.overwrite_A, self.overwrite_b = overwrite_A, overwrite_b

    def check(self, a: Any, b: Any) -> None:
        if a.ndim != 2 or b.ndim not in (1, 2):
            raise AssertionError(f"Solve is for a matrix and a vector or matrix, got {a.ndim} and {b.ndim} axes")

    def compute(self, *tensors: Any) -> Any:
        a, b = floats(*tensors)
        if self.A_structure not in ("lower_triangular", "upper_triangular"):
            return st.linalg.solve(a, b)
        is_lower = self.A_structure == "lower_triangular"
        a = (st.tril if is_lower else st.triu)(a)
        found = st.linalg.triangular_solve(a, b if b.ndim == 2 else b[:, None], lower=is_lower)
        return found if b.ndim == 2 else found[:, 0]

    def __repr__(self) -> str:
        return f"Solve{{{self._props()}}}"


solve = Solve()
solve_lower_triangular = Solve(A_structure="lower_triangular", lower=True)
solve_upper_triangular = Solve(A_structure="upper_triangular", lower=False)
solve_symmetric = Solve(A_structure="symmetric")


class Eigvalsh(OfMatrices):
    """Eigenvalues of a symmetric matrix, or of a pair of which the second is positive definite."""

    __props__ = ("lower",)

    def __init__(self, lower: bool = True) -> None:
        self.lower = lower

    def make_node(self, a: Any, b: Any = None) -> Any:
        is_pair = b is not None and b is not NoneConst and getattr(b, "data", b) is not None
        return super().make_node(a, b) if is_pair else super().make_node(a)

    def of_floats(self, *matrices: Any) -> Any:
        a, *rest = [mirrored(x, self.lower) for x in matrices]
        if rest:  # A x = w B x, with B = L L': the eigenvalues of inv(L) A inv(L')
            factor = st.linalg.cholesky(rest[0])
            half = st.linalg.triangular_solve(factor, a)
            a = st.linalg.triangular_solve(factor, st.matrix_transpose(half))
        return st.linalg.eigvalsh((a + st.matrix_transpose(a)) / 2)


EigvalshGrad = Eigvalsh


def eigvalsh(a: Any, b: Any, lower: bool = True) -> Any:
    """Return the eigenvalues of a symmetric matrix, or of a pair of matrices; `b` may be None."""
    return Eigvalsh(lower)(a, b)


def kron(a: Any, b: Any) -> Any:
    """Return the Kronecker product of two matrices; that of a vector and a matrix is flattened."""
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if a.ndim + b.ndim <= 2:
        raise TypeError(f"kron: inputs dimensions must sum to 3 or more. You passed {a.ndim} and {b.ndim}.")
    o = a.dimshuffle(*range(a.ndim), *["x"] * b.ndim) * b.dimshuffle(*["x"] * a.ndim, *range(b.ndim))
    if o.ndim == 3:  # of a vector and a matrix: flattened
        return o.dimshuffle(1, 0, 2).flatten()
    o = o.dimshuffle(0, 2, 1, *range(3, o.ndim))
    return o.reshape((o.shape[0] * o.shape[1], o.shape[2] * o.shape[3], *[o.shape[axis] for axis in range(4, o.ndim)]))


class Expm(OfMatrices):
    """The exponential of a matrix."""

    of_floats = staticmethod(st.linalg.expm)


expm = Expm()

__all__ = [
    "MATRIX_STRUCTURES", "Cholesky", "CholeskyGrad", "Eigvalsh", "EigvalshGrad", "Expm", "Solve", "cholesky", "eigvalsh",
    "expm", "kron", "solve", "solve_lower_triangular", "solve_symmetric",
    "solve_upper_triangular",
]  # fmt: skip

__getattr__ = asked(__name__)
