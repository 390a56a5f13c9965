"""`theano.tensor.nlinalg`: linear algebra as in NumPy."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.dtypes import DISCRETE, upcast
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.scalar.basic import as_dtype
from septet.dialects.theano.tensor import basic
from septet.dialects.theano.tensor.basic import AllocDiag, ExtractDiag, as_tensor_variable, diagonal, dot


def floats(*tensors: Any) -> list[Any]:
    """Return tensors in the dtype that holds them all; integers are taken for floats."""
    own = upcast(*[t.dtype.name for t in tensors])
    return [as_dtype(t, "float64" if own in DISCRETE else own) for t in tensors]


class OfMatrices(NativeOp):
    """A function of matrices of floats."""

    __props__: tuple[str, ...] = ()
    of_floats: Any

    def check(self, *inputs: Any) -> None:
        for x in inputs:
            if x.ndim != 2:
                raise AssertionError(f"{type(self).__name__} is for matrices, got {x.ndim} axes")

    def compute(self, *tensors: Any) -> Any:
        return self.of_floats(*floats(*tensors))


def _simple(name: str, function: Callable[[Any], Any], text: str) -> Any:
    """Return a class of ops that a function of Septet computes."""
    return type(name, (OfMatrices,), {"of_floats": staticmethod(function), "__doc__": text, "__module__": __name__})


MatrixPinv = _simple("MatrixPinv", st.linalg.pinv, "The pseudo-inverse.")
MatrixInverse = _simple("MatrixInverse", st.linalg.inv, "The inverse.")
Det = _simple("Det", st.linalg.det, "The determinant.")
Eig = _simple("Eig", st.linalg.eig, "Eigenvalues and right eigenvectors.")
pinv, matrix_inverse, det, eig = MatrixPinv(), MatrixInverse(), Det(), Eig()
alloc_diag = AllocDiag()
extract_diag = ExtractDiag()


def mirrored(x: Any, is_lower: bool) -> Any:
    """Return the symmetric (Hermitian) matrix of which one triangle is given: the other one is not read."""
    low = st.tril(x) if is_lower else st.matrix_transpose(st.conj(st.triu(x)))
    return low + st.matrix_transpose(st.conj(st.tril(low, k=-1)))


class Eigh(OfMatrices):
    """Eigenvalues and eigenvectors of a symmetric (Hermitian) matrix, of which one triangle is read."""

    __props__ = ("UPLO",)

    def __init__(self, UPLO: str = "L") -> None:
        if UPLO not in ("L", "U"):
            raise AssertionError(f"UPLO is 'L' or 'U', got {UPLO!r}")
        self.UPLO = UPLO

    def of_floats(self, x: Any) -> Any:
        found = st.linalg.eigh(mirrored(x, self.UPLO == "L"))
        return found[0], found[1]


def eigh(a: Any, UPLO: str = "L") -> Any:
    """Return the eigenvalues and eigenvectors of a symmetric (Hermitian) matrix."""
    return Eigh(UPLO)(a)


def matrix_dot(*args: Any) -> Any:
    """Return the product of several matrices."""
    return functools.reduce(dot, args)


def diag(x: Any) -> Any:
    """Return the diagonal of a matrix, or a matrix with a vector as its diagonal."""
    x = as_tensor_variable(x)
    if x.ndim not in (1, 2):
        raise TypeError("diag requires vector or matrix argument", x)
    return basic.diag(x)


def trace(X: Any) -> Any:
    """Return the sum of the diagonal of a matrix."""
    return basic.sum(diagonal(X))


class QRFull(OfMatrices):
    """An orthonormal basis, and the triangular matrix of its coefficients, of the whole space."""

    __props__ = ("mode",)
    mode = "complete"

    def __init__(self, mode: str = "complete") -> None:
        self.mode = mode

    def of_floats(self, x: Any) -> Any:
        if self.mode == "r":
            return st.linalg.qr(x, mode="reduced")[1]
        q, r = st.linalg.qr(x, mode=self.mode)
        return q, r


class QRIncomplete(QRFull):
    """The same, with as many vectors as the matrix has columns, or the triangular matrix alone."""


def qr(a: Any, mode: str = "reduced") -> Any:
    """Return the factors Q and R of a matrix ("reduced" or "complete"), or R alone ("r")."""
    if mode in ("full", "reduced", "r", "raw", "economic"):
        kind = {"full": "reduced", "economic": "reduced"}.get(mode, mode)
        if kind == "raw":
            raise ValueError("qr: mode 'raw' is not supported; use 'reduced', 'complete' or 'r'")
        return QRIncomplete(kind)(a)
    return QRFull("complete")(a)


class SVD(OfMatrices):
    """Singular values, with singular vectors or without."""

    __props__ = ("full_matrices", "compute_uv")

    def __init__(self, full_matrices: bool = True, compute_uv: bool = True) -> None:
        self.full_matrices, self.compute_uv = bool(full_matrices), bool(compute_uv)

    def of_floats(self, x: Any) -> Any:
        if not self.compute_uv:
            return st.linalg.svdvals(x)
        return tuple(st.linalg.svd(x, full_matrices=self.full_matrices))


def svd(a: Any, full_matrices: Any = 1, compute_uv: Any = 1) -> Any:
    """Return the factors U, singular values, and V transposed; or the singular values alone."""
    return SVD(full_matrices, compute_uv)(a)


class _OfNumPy(NativeOp):
    """A function that NumPy computes, called from inside the graph; it has no gradient."""

    __props__: tuple[str, ...] = ()

    def _call(self, *arrays: np.ndarray) -> Any:
        raise NotImplementedError

    def compute(self, *tensors: Any) -> Any:
        dtype = upcast(*[t.dtype.name for t in tensors[:2]])
        dtype = "float64" if dtype in DISCRETE else dtype
        types = [(dtype if kind == "f" else "int32", (None,) * ndim) for ndim, kind in self._results(tensors)]

        def run(*arrays: np.ndarray) -> Any:
            found = self._call(*arrays)
            found = found if isinstance(found, tuple) else (found,)
            values = [np.asarray(own, own_type[0]) for own, own_type in zip(found, types, strict=True)]
            return values if len(values) > 1 else values[0]

        return st.callback(run, types if len(types) > 1 else types[0], *tensors)

    def _results(self, tensors: Sequence[Any]) -> Sequence[tuple[int, str]]:
        """Return rank and kind of each result."""
        raise NotImplementedError


class lstsq(_OfNumPy):
    """Least squares: solution, residuals, rank, singular values."""

    def _call(self, *arrays: np.ndarray) -> Any:
        x, y, rcond = arrays
        found = np.linalg.lstsq(x, y, rcond=float(rcond))
        return found[0], found[1], np.asarray(found[2]), found[3]

    def _results(self, tensors: Sequence[Any]) -> Sequence[tuple[int, str]]:
        return [(tensors[1].ndim, "f"), (1, "f"), (0, "i"), (1, "f")]


def matrix_power(M: Any, n: int) -> Any:
    """Return a square matrix multiplied with itself n times."""
    return functools.reduce(dot, [M] * n, basic.identity_like(as_tensor_variable(M)))


def norm(x: Any, ord: Any) -> Any:
    """Return a norm of a vector or matrix, as NumPy's."""
    x = as_tensor_variable(x)
    if x.ndim == 0:
        raise ValueError("'axis' entry is out of bounds.")
    if x.ndim > 2:
        raise NotImplementedError("We don't support norm witn ndim > 2")
    sizes = basic.abs_(x)
    if ord is None:
        return basic.sum(x**2) ** 0.5
    if x.ndim == 1:
        if ord == "inf":
            return basic.max(sizes)
        if ord == "-inf":
            return basic.min(sizes)
        if ord == 0:
            return x[x.nonzero()].shape[0]
        try:
            return basic.sum(basic.abs_(x**ord)) ** (1.0 / ord)
        except TypeError:
            raise ValueError(f"Invalid norm order for vectors: {ord!r}") from None
    of = {"inf": (basic.max, 1), "-inf": (basic.min, 1), 1: (basic.max, 0), -1: (basic.min, 0)}
    if ord == "fro":
        return basic.sum(sizes**2) ** 0.5
    if ord not in of:
        raise ValueError(f"Invalid norm order for matrices: {ord!r}")
    reduce, axis = of[ord]
    return reduce(basic.sum(sizes, axis))


class TensorInv(_OfNumPy):
    """The inverse with respect to `tensordot` over the first axes."""

    __props__ = ("ind",)

    def __init__(self, ind: int = 2) -> None:
        self.ind = ind

    def _call(self, *arrays: np.ndarray) -> Any:
        return np.linalg.tensorinv(arrays[0], self.ind)

    def _results(self, tensors: Sequence[Any]) -> Sequence[tuple[int, str]]:
        return [(tensors[0].ndim, "f")]


def tensorinv(a: Any, ind: int = 2) -> Any:
    """Return the inverse of a tensor with respect to `tensordot` over its first `ind` axes."""
    return TensorInv(ind)(a)


class TensorSolve(_OfNumPy):
    """The solution of ``tensordot(a, x) = b``."""

    __props__ = ("axes",)

    def __init__(self, axes: Any = None) -> None:
        self.axes = axes

    def _call(self, *arrays: np.ndarray) -> Any:
        return np.linalg.tensorsolve(arrays[0], arrays[1], self.axes)

    def _results(self, tensors: Sequence[Any]) -> Sequence[tuple[int, str]]:
        return [(tensors[0].ndim - tensors[1].ndim, "f")]


def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """Return the solution of ``tensordot(a, x) = b``."""
    return TensorSolve(axes)(a, b)
