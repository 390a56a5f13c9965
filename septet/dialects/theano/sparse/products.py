"""Matrix products with sparse matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.dialects.theano.dtypes import upcast
from septet.dialects.theano.gof.graph import Apply
from septet.dialects.theano.missing import disconnected_type
from septet.dialects.theano.sparse.elementwise import mul
from septet.dialects.theano.sparse.items import get_item_list
from septet.dialects.theano.sparse.structure import (
    CSM,
    SparseOp,
    csm_properties,
    dense_from_sparse,
    places_of,
    sp_ones_like,
    transpose,
    with_data,
)
from septet.dialects.theano.sparse.type import SCIPY
from septet.dialects.theano.sparse.variables import (
    SparseType,
    _is_sparse_variable,
    as_sparse_or_tensor_variable,
    discrete_dtypes,
)
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.products import dot as dense_dot
from septet.dialects.theano.tensor.products import outer
from septet.dialects.theano.tensortype import TensorType

BLOCK = 65536
"""Elements of a sparse matrix that are computed at once from two dense ones."""


def _sampled(left: Any, right: Any, rows: Any, columns: Any) -> np.ndarray:
    """Return elements of ``left @ right.T``."""
    left, right = [x.toarray() if SCIPY.issparse(x) else x for x in (left, right)]
    found = np.zeros(len(rows), np.result_type(left, right))
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        found[part] = np.einsum("ij,ij->i", left[rows[part]], right[columns[part]])
    return found


class StructuredDot(SparseOp):
    """The product of a sparse matrix and another one; gradients flow to the elements that the first keeps."""

    takes = "sv"

    def types(self, *inputs: Any) -> Any:
        a, b = inputs
        if b.type.ndim != 2:
            raise NotImplementedError("non-matrix b")
        dtype = upcast(a.dtype, b.dtype)
        return SparseType(a.format, dtype) if _is_sparse_variable(b) else TensorType(dtype, (False, b.broadcastable[1]))

    def run(self, *values: Any) -> Any:
        a, b = values
        if a.shape[1] != b.shape[0]:
            raise ValueError("shape mismatch in StructuredDot.perform", (a.shape, b.shape))
        found = a @ b
        return found if SCIPY.issparse(found) else np.asarray(found)

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        (a, b), (g,) = inputs, output_grads
        return [structured_dot_grad(a, b, g), structured_dot(transpose(a), g)]


class StructuredDotGradCSR(SparseOp):
    """The gradient of the data of the first factor of a `StructuredDot`, given its indices and beginnings of rows."""

    takes = "ddvv"
    format = "csr"

    def types(self, *inputs: Any) -> Any:
        return TensorType(upcast(inputs[2].dtype, inputs[3].dtype), (False,))

    def run(self, *values: Any) -> Any:
        indices, indptr, b, g = values
        lines = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        rows, columns = (lines, indices) if self.format == "csr" else (indices, lines)
        return _sampled(g, b, rows, columns)


class StructuredDotGradCSC(StructuredDotGradCSR):
    """The same where the first factor is kept by columns."""

    format = "csc"


_structured_dot, sdg_csc, sdg_csr = StructuredDot(), StructuredDotGradCSC(), StructuredDotGradCSR()


def structured_dot_grad(sparse_A: Any, dense_B: Any, ga: Any) -> Any:
    """Return the gradient of the first factor of a `StructuredDot`, given that of the product."""
    _, indices, indptr, shape = csm_properties(sparse_A)
    data = (sdg_csr if sparse_A.format == "csr" else sdg_csc)(indices, indptr, dense_B, ga)
    return CSM(sparse_A.format)(data, indices, indptr, shape)


def _factors(x: Any, y: Any) -> tuple[Any, Any, bool]:
    """Return two factors as variables, and whether the first is sparse."""
    x, y = as_sparse_or_tensor_variable(x), as_sparse_or_tensor_variable(y)
    if not _is_sparse_variable(x) and not _is_sparse_variable(y):
        raise TypeError(f"a sparse product has at least one sparse factor, got {x.type} and {y.type}")
    return x, y, _is_sparse_variable(x)


def structured_dot(x: Any, y: Any) -> Any:
    """Return the product of two matrices, of which one at least is sparse; see `StructuredDot`. Sparse if both are."""
    x, y, is_first = _factors(x, y)
    return _structured_dot(x, y) if is_first else _structured_dot(transpose(y), x.T).T


class TrueDot(SparseOp):
    """The product of a sparse matrix and another one: sparse.

    Parameters
    ----------
    grad_preserves_dense : bool
        Whether gradients of dense factors are dense.
    """

    takes = "sv"

    def __init__(self, grad_preserves_dense: bool = True) -> None:
        self.grad_preserves_dense = grad_preserves_dense

    def types(self, *inputs: Any) -> Any:
        if inputs[0].dtype != inputs[1].dtype:
            raise NotImplementedError(
                f"true_dot takes factors of one dtype, got {inputs[0].dtype} and {inputs[1].dtype}"
            )
        return inputs[0].type

    def run(self, *values: Any) -> Any:
        return values[0] @ values[1]

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        (x, y), (gz,) = inputs, output_grads
        gy = true_dot(transpose(x), gz)
        return [true_dot(gz, y.T), dense_from_sparse(gy) if y.type.is_tensor and self.grad_preserves_dense else gy]


def true_dot(x: Any, y: Any, grad_preserves_dense: bool = True) -> Any:
    """Return the product of two matrices, of which one at least is sparse, as a sparse one; see `TrueDot`."""
    x, y, is_first = _factors(x, y)
    op = TrueDot(grad_preserves_dense)
    return op(x, y) if is_first else transpose(op(transpose(y), x.T))


class Dot(SparseOp):
    """The product of two matrices (or a matrix and a vector), of which one at least is sparse: dense."""

    takes = "vv"

    def make_node(self, *inputs: Any) -> Apply:
        x, y, _ = _factors(*inputs)
        for place, one in enumerate((x, y)):
            if one.type.ndim not in (1, 2):
                raise TypeError(
                    f"theano.sparse.Dot: input {place} (0-indexed) must have ndim of 1 or 2, {one.ndim} given."
                )
        ones = (*x.type.broadcastable[:-1], *y.type.broadcastable[1:])
        return Apply(self, [x, y], [TensorType(upcast(x.dtype, y.dtype), ones)()])

    def run(self, *values: Any) -> Any:
        found = values[0] @ values[1]
        return found.toarray() if SCIPY.issparse(found) else np.asarray(found)

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        (x, y), (gz,) = inputs, output_grads
        if y.type.ndim == 1:
            return [outer(gz, y), dot(transpose(x), gz)]
        if x.type.ndim == 1:
            return [dot(y, gz), outer(x, gz)]
        gx = dense_dot(gz, y.T)  # sparse where y is
        return [gx, dense_dot(x.T, gz) if x.type.is_tensor else dot(transpose(x), gz)]


def dot(x: Any, y: Any) -> Any:
    """Return the product of two matrices (or a matrix and a vector), of which one at least is sparse, as a dense one."""
    return Dot()(x, y)


class Usmm(SparseOp):
    """``alpha * x @ y + z`` with a sparse factor: dense, without a gradient."""

    takes = "dvvd"

    def types(self, *inputs: Any) -> Any:
        _factors(inputs[1], inputs[2])
        return TensorType(upcast(*[x.dtype for x in inputs]), (False, False))

    def run(self, *values: Any) -> Any:
        alpha, x, y, z = values
        found = x @ y
        return alpha * (found.toarray() if SCIPY.issparse(found) else np.asarray(found)) + z


class SamplingDot(SparseOp):
    """``p * (x @ y.T)`` where a sparse matrix `p` keeps elements: sparse."""

    takes = "dds"

    def types(self, *inputs: Any) -> Any:
        return inputs[2].type

    def run(self, *values: Any) -> Any:
        x, y, p = values
        return with_data(p, p.data * _sampled(x, y, *places_of(p)))

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        (x, y, p), (gz,) = inputs, output_grads
        weighted = mul(p, gz)
        return [dot(weighted, y), dot(transpose(weighted), x), mul(gz, self(x, y, sp_ones_like(p)))]


class ConstructSparseFromList(SparseOp):
    """A sparse matrix (csc) of the shape of `x` with rows of a dense matrix added at the places that a vector names."""

    inputs_with_gradient = slice(1, 2)
    takes = "ddd"

    def make_node(self, *inputs: Any) -> Apply:
        x, values, places = [as_tensor_variable(one) for one in inputs]
        if places.type.dtype not in discrete_dtypes or places.type.ndim != 1:
            raise TypeError("index must be a vector of integers", places.type)
        if values.type.ndim != 2:
            raise TypeError(f"cannot create a sparse matrix from values with {values.type.ndim} ndim")
        shape = x
        if x.type.ndim != 1 or x.type.dtype not in discrete_dtypes:
            if x.type.ndim != 2:
                raise TypeError(f"cannot create a sparse matrix with {x.type.ndim} dimensions")
            shape = x.shape
        return Apply(self, [shape, values, places], [SparseType("csc", values.type.dtype)()])

    def run(self, *values: Any) -> Any:
        shape, rows, places = values
        count = len(places)
        chosen = SCIPY.csr_matrix((np.ones(count, rows.dtype), (places, np.arange(count))), (int(shape[0]), count))
        return chosen @ SCIPY.csc_matrix(rows)

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        found = dense_from_sparse(get_item_list(output_grads[0], inputs[2]))
        return [disconnected_type(), found, disconnected_type()]


usmm, sampling_dot, construct_sparse_from_list = Usmm(), SamplingDot(), ConstructSparseFromList()
_dot = Dot()

__all__ = [
    "ConstructSparseFromList", "Dot", "SamplingDot", "StructuredDot", "StructuredDotGradCSC", "StructuredDotGradCSR",
    "TrueDot", "Usmm", "construct_sparse_from_list", "dot", "sampling_dot", "sdg_csc", "sdg_csr", "structured_dot",
    "structured_dot_grad", "true_dot", "usmm",
]  # fmt: skip
