"""Ops over the parts of sparse matrices: made of them, taken apart, converted, cast, transposed, stacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.dtypes import upcast
from septet.dialects.theano.gof.graph import Apply, Constant
from septet.dialects.theano.gof.op import Op
from septet.dialects.theano.gof.type import Type
from septet.dialects.theano.missing import DisconnectedType, disconnected_type
from septet.dialects.theano.sparse.type import SCIPY
from septet.dialects.theano.sparse.variables import (
    FORMATS,
    SparseType,
    as_sparse_or_tensor_variable,
    as_sparse_variable,
    complex_dtypes,
    continuous_dtypes,
    discrete_dtypes,
)
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.convert import constant as dense_constant
from septet.dialects.theano.tensor.creation import ones_like, zeros_like
from septet.dialects.theano.tensor.shaping import patternbroadcast
from septet.dialects.theano.tensortype import TensorType


def _indices(x: Any) -> Any:
    """Return integers as a variable; known ones as int32."""
    found = as_tensor_variable(x)
    if isinstance(found, Constant):
        narrow = found.data.astype("int32")
        if not np.array_equal(narrow, found.data):
            raise TypeError("the places of a sparse matrix are 32-bit integers")
        found = dense_constant(narrow)
    if found.type.ndim != 1 or found.type.dtype not in discrete_dtypes:
        raise TypeError("the indices, beginnings and shape of a sparse matrix are vectors of integers", found.type)
    return found


_READERS = {"s": as_sparse_variable, "d": as_tensor_variable, "v": as_sparse_or_tensor_variable, "i": _indices}


class SparseOp(Op):
    """An op that SciPy computes.

    Attributes
    ----------
    takes : str
        A letter for each input: "s" is sparse, "d" dense, "v" one of both, "i" a vector of places.
    """

    __props__: tuple[str, ...] = ()
    takes = "s"

    def types(self, *inputs: Any) -> Any:
        """Return the type of the result, or a list of several."""
        return inputs[0].type

    def run(self, *values: Any) -> Any:
        """Return the value of the result, or a tuple of several."""
        raise NotImplementedError

    def make_node(self, *inputs: Any, **words: Any) -> Apply:
        inputs = (*inputs, *words.values())
        if len(inputs) != len(self.takes):
            raise TypeError(f"{self} takes {len(self.takes)} inputs, got {len(inputs)}")
        given = [_READERS[kind](x) for kind, x in zip(self.takes, inputs, strict=True)]
        found = self.types(*given)
        return Apply(self, given, [kind() for kind in ([found] if isinstance(found, Type) else found)])

    def perform(self, node: Any, inputs: Sequence[Any], output_storage: Any, params: Any = None) -> None:
        found = self.run(*inputs)
        for cell, value in zip(output_storage, found if isinstance(found, tuple) else (found,), strict=True):
            cell[0] = value

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]) -> Any:
        given = []
        for output, gradient in zip(outputs, output_grads, strict=True):
            if isinstance(output.type, SparseType) and gradient.type.is_tensor:
                gradient = SparseFromDense(output.type.format)(gradient)
            elif output.type.is_tensor and isinstance(gradient.type, SparseType):
                gradient = dense_from_sparse(gradient)
            given.append(gradient)
        return self.grad(inputs, given)


def same_shapes(x: Any, y: Any) -> None:
    """Refuse matrices of different shapes."""
    if x.shape != y.shape:
        raise ValueError(f"matrices of shapes {x.shape} and {y.shape} do not fit elementwise")


def places_of(x: Any) -> tuple[Any, Any]:
    """Return the rows and columns of the elements that a matrix keeps, in the order of its data."""
    lines = np.repeat(np.arange(len(x.indptr) - 1), np.diff(x.indptr))
    return (lines, x.indices) if x.format == "csr" else (x.indices, lines)


def with_data(x: Any, data: Any) -> Any:
    """Return a matrix with other data at the same places."""
    return type(x)((data, x.indices.copy(), x.indptr.copy()), x.shape)


# Parts.


class CSMProperties(SparseOp):
    """The data of a sparse matrix, the indices, where its lines begin, and its shape."""

    def types(self, *inputs: Any) -> Any:
        return [TensorType(inputs[0].type.dtype, (False,)), *[TensorType("int32", (False,))] * 3]

    def run(self, *values: Any) -> Any:
        (x,) = values
        return (x.data.copy(), *[np.array(part, "int32") for part in (x.indices, x.indptr, x.shape)])

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        if isinstance(output_grads[0].type, DisconnectedType):
            return [sp_zeros_like(inputs[0])]
        return [CSM(inputs[0].format)(output_grads[0], *csm_properties(inputs[0])[1:])]


csm_properties = CSMProperties()


def csm_data(csm: Any) -> Any:
    """Return the elements that a sparse matrix keeps."""
    return csm_properties(csm)[0]


def csm_indices(csm: Any) -> Any:
    """Return the columns (csr) or rows (csc) of the elements that a sparse matrix keeps."""
    return csm_properties(csm)[1]


def csm_indptr(csm: Any) -> Any:
    """Return where each row (csr) or column (csc) begins among the elements that a sparse matrix keeps."""
    return csm_properties(csm)[2]


def csm_shape(csm: Any) -> Any:
    """Return the shape of a sparse matrix."""
    return csm_properties(csm)[3]


class CSM(SparseOp):
    """A sparse matrix of a format, made of its data, indices, beginnings of lines, and shape."""

    __props__ = ("format",)
    inputs_with_gradient = slice(1)
    takes = "diii"

    def __init__(self, format: str, kmap: Any = None) -> None:
        if format not in FORMATS:
            raise ValueError("format must be one of: 'csr', 'csc'", format)
        self.format = format

    def types(self, *inputs: Any) -> Any:
        if inputs[0].type.ndim != 1:
            raise TypeError("data argument must be a vector", inputs[0].type, inputs[0].type.ndim)
        return SparseType(self.format, inputs[0].type.dtype)

    def run(self, *values: Any) -> Any:
        data, indices, indptr, shape = values
        if len(shape) != 2:
            raise ValueError("Shape should be an array of length 2")
        if data.shape != indices.shape:
            raise ValueError(
                f"Data (shape {data.shape}) must have the same number of elements as indices {indices.shape}"
            )
        return FORMATS[self.format]((data, indices, indptr), tuple(shape), copy=True)

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [csm_grad(*inputs, *csm_properties(output_grads[0])), *[disconnected_type()] * 3]


CSC, CSR = CSM("csc"), CSM("csr")


class CSMGrad(SparseOp):
    """The elements of a second sparse matrix at the places of the first; both are given by their parts."""

    takes = "dddddddd"

    def types(self, *inputs: Any) -> Any:
        return inputs[4].type

    def run(self, *values: Any) -> Any:
        _, indices, indptr, shape, *other = values
        lines = len(indptr) - 1
        width = int(shape[1] if lines == shape[0] else shape[0])
        matrix = SCIPY.csr_matrix(tuple(other[:3]), (lines, width))
        return np.asarray(matrix[np.repeat(np.arange(lines), np.diff(indptr)), indices]).ravel()


csm_grad = CSMGrad()


def sp_ones_like(x: Any) -> Any:
    """Return ones at the places where a sparse matrix keeps elements."""
    data, *places = csm_properties(x)
    return CSM(x.format)(ones_like(data), *places)


def sp_zeros_like(x: Any, dtype: Any = None) -> Any:
    """Return a sparse matrix of the same shape that keeps nothing."""
    _, _, indptr, shape = csm_properties(x)
    nothing = np.zeros(0, x.dtype if dtype is None else dtype)
    return CSM(x.format)(nothing, np.zeros(0, "int32"), zeros_like(indptr), shape)


# Conversions.


class Cast(SparseOp):
    """A sparse matrix of another dtype."""

    __props__ = ("out_type",)

    def __init__(self, out_type: Any) -> None:
        self.out_type = str(np.dtype(out_type))

    def types(self, *inputs: Any) -> Any:
        return SparseType(inputs[0].format, self.out_type)

    def run(self, *values: Any) -> Any:
        return values[0].astype(self.out_type)

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        (x,), (gz,) = inputs, output_grads
        if x.dtype in complex_dtypes or self.out_type in complex_dtypes:
            raise NotImplementedError("grad not implemented for complex types")
        if self.out_type in discrete_dtypes:
            return [sp_zeros_like(x, config.floatX if x.dtype in discrete_dtypes else None)]
        return [gz if x.dtype in discrete_dtypes else cast(gz, x.dtype)]


def cast(variable: Any, dtype: Any) -> Any:
    """Return a sparse matrix of another dtype."""
    return Cast(dtype)(variable)


bcast, wcast, icast, lcast = Cast("int8"), Cast("int16"), Cast("int32"), Cast("int64")
fcast, dcast, ccast, zcast = Cast("float32"), Cast("float64"), Cast("complex64"), Cast("complex128")


class DenseFromSparse(SparseOp):
    """A sparse matrix as a dense one; with `structured`, gradients flow to the elements that are kept, else to all."""

    def __init__(self, structured: bool = True) -> None:
        self.sparse_grad = structured

    def types(self, *inputs: Any) -> Any:
        return TensorType(inputs[0].dtype, (False, False))

    def run(self, *values: Any) -> Any:
        return values[0].toarray()

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        (x,), (gz,) = inputs, output_grads
        return [sp_ones_like(x) * gz if self.sparse_grad else SparseFromDense(x.format)(gz)]


dense_from_sparse = DenseFromSparse()


class SparseFromDense(SparseOp):
    """A dense matrix (or vector, as a row) as a sparse one of a format; zeros are not kept."""

    __props__ = ("format",)

    def __init__(self, format: str) -> None:
        self.format = format

    def make_node(self, x: Any) -> Apply:
        x = as_tensor_variable(x)
        if x.type.ndim > 2:
            raise TypeError(f"Theano has no sparse tensors of more than 2 axes, but {x}.ndim = {x.type.ndim}")
        x = x.dimshuffle(*["x"] * (2 - x.type.ndim), *range(x.type.ndim)) if x.type.ndim < 2 else x
        return Apply(self, [x], [SparseType(self.format, x.type.dtype)()])

    def run(self, *values: Any) -> Any:
        return FORMATS[self.format](values[0])

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [patternbroadcast(dense_from_sparse(output_grads[0]), inputs[0].type.broadcastable)]


csr_from_dense, csc_from_dense = SparseFromDense("csr"), SparseFromDense("csc")


# Rearrangements.


class Transpose(SparseOp):
    """A transposed sparse matrix: of csr it is csc, of csc csr."""

    def types(self, *inputs: Any) -> Any:
        return SparseType({"csr": "csc", "csc": "csr"}[inputs[0].format], inputs[0].dtype)

    def run(self, *values: Any) -> Any:
        return values[0].transpose(copy=True)

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [transpose(output_grads[0])]


transpose = Transpose()


class Remove0(SparseOp):
    """A sparse matrix that keeps no zeros."""

    __props__ = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace

    def run(self, *values: Any) -> Any:
        found = values[0].copy()
        found.eliminate_zeros()
        return found

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [output_grads[0]]


class EnsureSortedIndices(Remove0):
    """A sparse matrix whose indices are sorted within each line."""

    def run(self, *values: Any) -> Any:
        return values[0].sorted_indices()


remove0, ensure_sorted_indices = Remove0(), EnsureSortedIndices()


def clean(x: Any) -> Any:
    """Return a sparse matrix that keeps no zeros and whose indices are sorted."""
    return ensure_sorted_indices(remove0(x))


class Diag(SparseOp):
    """The diagonal of a sparse square matrix, as a vector."""

    def types(self, *inputs: Any) -> Any:
        return TensorType(inputs[0].dtype, (False,))

    def run(self, *values: Any) -> Any:
        if values[0].shape[0] != values[0].shape[1]:
            raise ValueError("Diag only apply on square matrix")
        return values[0].diagonal()

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [square_diagonal(output_grads[0])]


class SquareDiagonal(SparseOp):
    """A sparse square matrix (csc) with a vector on its diagonal."""

    takes = "d"

    def types(self, *inputs: Any) -> Any:
        if inputs[0].type.ndim != 1:
            raise TypeError("data argument must be a vector", inputs[0].type)
        return SparseType("csc", inputs[0].dtype)

    def run(self, *values: Any) -> Any:
        size = len(values[0])
        return FORMATS["csc"]((values[0], np.arange(size), np.arange(size + 1)), (size, size), copy=True)

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [diag(output_grads[0])]


diag, square_diagonal = Diag(), SquareDiagonal()


class HStack(SparseOp):
    """Sparse matrices side by side."""

    __props__ = ("format", "dtype")
    axis = 1

    def __init__(self, format: str | None = None, dtype: Any = None) -> None:
        if dtype is None:
            raise ValueError("The output dtype must be specified.")
        self.format = "csc" if format is None else format
        self.dtype = dtype

    def make_node(self, *inputs: Any) -> Apply:
        if not inputs:
            raise ValueError("Cannot join an empty list of sparses.")
        return Apply(self, [as_sparse_variable(x) for x in inputs], [SparseType(self.format, self.dtype)()])

    def run(self, *values: Any) -> Any:
        stack = SCIPY.hstack if self.axis else SCIPY.vstack
        return stack(values, format=self.format, dtype=self.dtype)

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        whole = dense_from_sparse(output_grads[0])
        found, start = [], 0
        for x in inputs:
            stop = start + x.shape[self.axis]
            part = whole[:, start:stop] if self.axis else whole[start:stop]
            found.append(
                SparseFromDense(x.format)(part) if x.dtype in continuous_dtypes else sp_zeros_like(x, config.floatX)
            )
            start = stop
        return found


class VStack(HStack):
    """Sparse matrices one below the other."""

    axis = 0


def _stacked(kind: type[HStack], blocks: Sequence[Any], format: str | None, dtype: Any) -> Any:
    blocks = [as_sparse_variable(block) for block in blocks]
    return kind(format, upcast(*[block.dtype for block in blocks]) if dtype is None else dtype)(*blocks)


def hstack(blocks: Sequence[Any], format: str | None = None, dtype: Any = None) -> Any:
    """Return sparse matrices side by side, as csc unless a format is given."""
    return _stacked(HStack, blocks, format, dtype)


def vstack(blocks: Sequence[Any], format: str | None = None, dtype: Any = None) -> Any:
    """Return sparse matrices one below the other, as csc unless a format is given."""
    return _stacked(VStack, blocks, format, dtype)


__all__ = [
    "CSC", "CSM", "CSR", "CSMGrad", "CSMProperties", "Cast", "DenseFromSparse", "Diag", "EnsureSortedIndices", "HStack",
    "Remove0", "SparseFromDense", "SquareDiagonal", "Transpose", "VStack", "bcast", "cast", "ccast", "clean",
    "csc_from_dense", "csm_data", "csm_grad", "csm_indices", "csm_indptr", "csm_properties", "csm_shape",
    "csr_from_dense", "dcast", "dense_from_sparse", "diag", "ensure_sorted_indices", "fcast", "hstack", "icast", "lcast",
    "remove0", "sp_ones_like", "sp_zeros_like", "square_diagonal", "transpose", "vstack", "wcast", "zcast",
]  # fmt: skip
