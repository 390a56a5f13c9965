"""`theano.tensor.blas`: scaled products as ops of their own. Plain expressions are as fast: the compiler finds them."""

from __future__ import annotations

from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.dtypes import DISCRETE
from septet.dialects.theano.gof.fg import SPECIALIZED
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.tensor.creation import zeros
from septet.dialects.theano.tensor.products import BatchedDot, Dot, batched_dot


class _Product(NativeOp):
    """A product of operands of given ranks and one dtype, which is not an integer one."""

    __props__: tuple[str, ...] = ()
    ranks: tuple[int, ...] = ()

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace

    def check(self, *inputs: Any) -> None:
        if len(inputs) != len(self.ranks):
            raise TypeError(f"{self} takes {len(self.ranks)} inputs, got {len(inputs)}")
        for place, (own, rank) in enumerate(zip(inputs, self.ranks, strict=True)):
            if own.ndim != rank:
                raise TypeError(f"{self}: input {place} has {own.ndim} axes, expected {rank}")
            if own.dtype in DISCRETE or own.dtype != inputs[0].dtype:
                raise TypeError(f"{self}: the inputs are of one dtype, which is no integer one; got {own.type}")


class _Added(_Product):
    """A scaled product added to what may be overwritten: ``beta * z + alpha * dot(x, y)`` of (z, alpha, x, y, beta)."""

    __props__ = ("inplace",)

    def compute(self, *tensors: Any) -> Any:
        z, alpha, x, y, beta = tensors
        return beta * z + alpha * st.matmul(x, y)

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{'inplace' if self.inplace else 'no_inplace'}}}"


class Gemm(_Added):
    """``beta * z + alpha * dot(x, y)`` of (z, alpha, x, y, beta)."""

    ranks = (2, 0, 2, 2, 0)


class Gemv(_Added):
    """``beta * y + alpha * dot(A, x)`` of (y, alpha, A, x, beta)."""

    ranks = (1, 0, 2, 1, 0)


class Ger(_Added):
    """``A + alpha * outer(x, y)`` of (A, alpha, x, y)."""

    ranks = (2, 0, 1, 1)

    def __init__(self, destructive: bool = False) -> None:
        super().__init__(destructive)

    def compute(self, *tensors: Any) -> Any:
        a, alpha, x, y = tensors
        return a + alpha * x[:, None] * y[None, :]


class Dot22(_Product):
    """The product of two matrices."""

    ranks = (2, 2)

    def compute(self, *tensors: Any) -> Any:
        return st.matmul(*tensors)


class Dot22Scalar(_Product):
    """The product of two matrices and a number."""

    ranks = (2, 2, 0)

    def compute(self, *tensors: Any) -> Any:
        x, y, scale = tensors
        return scale * st.matmul(x, y)


def _with_blas(node: Any) -> Any:
    """Return what functions show for a product: the op of its ranks, where its numbers are floats of one dtype."""
    a, b = node.inputs
    ranks = (a.ndim, b.ndim)
    if a.dtype in DISCRETE or a.dtype != b.dtype or ranks == (1, 1):
        return None
    if ranks == (2, 2):
        return _dot22(a, b)
    matrix, vector = (a, b) if ranks == (2, 1) else (b.T, a)
    return gemv(zeros((matrix.shape[0],), a.dtype), np.asarray(1, a.dtype), matrix, vector, np.asarray(0, a.dtype))


SPECIALIZED[Dot] = _with_blas

gemm = gemm_no_inplace = Gemm()
gemm_inplace = Gemm(inplace=True)
gemv = gemv_no_inplace = Gemv()
gemv_inplace = Gemv(inplace=True)
ger, ger_destructive = Ger(), Ger(destructive=True)
_dot22, _dot22scalar = Dot22(), Dot22Scalar()

__all__ = [
    "BatchedDot", "Dot22", "Dot22Scalar", "Gemm", "Gemv", "Ger", "batched_dot", "gemm", "gemm_inplace",
    "gemm_no_inplace", "gemv", "gemv_inplace", "gemv_no_inplace", "ger", "ger_destructive",
]  # fmt: skip
