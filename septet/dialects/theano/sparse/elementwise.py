"""Elementwise arithmetic of sparse matrices, with each other and with dense ones; sums; comparisons; structured functions."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.dtypes import upcast
from septet.dialects.theano.sparse.structure import (
    CSM,
    SparseFromDense,
    SparseOp,
    csm_properties,
    dense_from_sparse,
    places_of,
    same_shapes,
    sp_ones_like,
    sp_zeros_like,
    with_data,
)
from septet.dialects.theano.sparse.variables import (
    SparseType,
    _is_sparse_variable,
    as_sparse_or_tensor_variable,
    as_sparse_variable,
    continuous_dtypes,
)
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.creation import ones_like
from septet.dialects.theano.tensor.elemwise import FUNCTIONS
from septet.dialects.theano.tensor.nnet.sigm import sigmoid
from septet.dialects.theano.tensortype import TensorType


class _OfTwo(SparseOp):
    """An elementwise op of two sparse matrices: of the format of the first, in a dtype that holds both."""

    takes = "ss"
    combine: Callable[[Any, Any], Any]

    def types(self, *inputs: Any) -> Any:
        return SparseType(inputs[0].format, upcast(inputs[0].dtype, inputs[1].dtype))

    def run(self, *values: Any) -> Any:
        same_shapes(*values)
        return self.combine(*values)


class Neg(SparseOp):
    """A sparse matrix with its sign changed."""

    def run(self, *values: Any) -> Any:
        return -values[0]

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [neg(output_grads[0])]


class AddSS(_OfTwo):
    """The sum of two sparse matrices."""

    combine = staticmethod(operator.add)

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [output_grads[0], output_grads[0]]


class AddSSData(AddSS):
    """The sum of two sparse matrices that keep elements at the same places."""

    def types(self, *inputs: Any) -> Any:
        if inputs[0].type != inputs[1].type:
            raise NotImplementedError(f"both matrices must have one type, got {inputs[0].type} and {inputs[1].type}")
        return inputs[0].type

    def run(self, *values: Any) -> Any:
        x, y = values
        same_shapes(x, y)
        same_shapes(x.data, y.data)
        return with_data(x, x.data + y.data)

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [output_grads[0] if x.dtype in continuous_dtypes else sp_zeros_like(x, config.floatX) for x in inputs]


class AddSD(SparseOp):
    """The sum of a sparse matrix and a dense one: dense."""

    takes = "sd"

    def types(self, *inputs: Any) -> Any:
        x, y = inputs
        if y.type.ndim != 2:
            raise TypeError(f"what is added to a sparse matrix is a matrix, got {y.type}: structured_add takes scalars")
        return TensorType(upcast(x.dtype, y.dtype), y.type.broadcastable)

    def run(self, *values: Any) -> Any:
        same_shapes(*values)
        return np.asarray(values[0] + values[1])

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [mul(sp_ones_like(inputs[0]), output_grads[0]), output_grads[0]]


class MulSS(_OfTwo):
    """The elementwise product of two sparse matrices."""

    combine = staticmethod(lambda x, y: x.multiply(y))

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [mul(inputs[1], output_grads[0]), mul(inputs[0], output_grads[0])]


class MulSD(_OfTwo):
    """The elementwise product of a sparse matrix and a dense one, or a number: sparse."""

    takes = "sd"

    def types(self, *inputs: Any) -> Any:
        if inputs[1].type.ndim not in (0, 2):
            raise TypeError(f"a sparse matrix is multiplied by a matrix or a number, got {inputs[1].type}")
        return super().types(*inputs)

    def run(self, *values: Any) -> Any:
        x, y = values
        if y.ndim:
            same_shapes(x, y)
            y = y[places_of(x)]
        return with_data(x, x.data * y)

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        (x, y), (gz,) = inputs, output_grads
        gy = mul(x, gz)
        return [mul(gz, y), dense_from_sparse(gy) if y.type.ndim else sp_sum(gy, sparse_grad=True)]


class _ByLine(SparseOp):
    """A sparse matrix combined with a vector at the places where it keeps elements."""

    takes = "sd"
    axis = 1
    combine: Callable[[Any, Any], Any] = staticmethod(np.multiply)

    def types(self, *inputs: Any) -> Any:
        if inputs[1].type.ndim != 1:
            raise TypeError(f"{self} takes a vector, got {inputs[1].type}")
        return inputs[0].type

    def run(self, *values: Any) -> Any:
        x, y = values
        if x.shape[self.axis] != len(y):
            raise ValueError(
                f"a vector of {len(y)} elements does not fit axis {self.axis} of a matrix of shape {x.shape}"
            )
        return with_data(x, self.combine(x.data, y[places_of(x)[self.axis]]))

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        (x, y), (gz,) = inputs, output_grads
        return [self(gz, y), sp_sum(mul(x, gz), axis=1 - self.axis, sparse_grad=True)]


class ColScaleCSC(_ByLine):
    """A sparse matrix with each column multiplied by an element of a vector."""


class RowScaleCSC(_ByLine):
    """A sparse matrix with each row multiplied by an element of a vector."""

    axis = 0


class MulSV(_ByLine):
    """The product of a sparse matrix and a vector that broadcasts over its rows: sparse."""

    def types(self, *inputs: Any) -> Any:
        if inputs[0].dtype != inputs[1].dtype:
            raise NotImplementedError(
                f"{type(self).__name__} takes one dtype, got {inputs[0].dtype} and {inputs[1].dtype}"
            )
        return super().types(*inputs)


class StructuredAddSV(MulSV):
    """A sparse matrix with a vector added to each row, at the places where it keeps elements."""

    combine = staticmethod(np.add)

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [output_grads[0], sp_sum(output_grads[0], axis=0, sparse_grad=True)]


neg, add_s_s, add_s_s_data, add_s_d, mul_s_s, mul_s_d = Neg(), AddSS(), AddSSData(), AddSD(), MulSS(), MulSD()
mul_s_v, structured_add_s_v, col_scale, row_scale = MulSV(), StructuredAddSV(), ColScaleCSC(), RowScaleCSC()


def _switch(both: Any, first: Any, second: Any) -> Callable[[Any, Any], Any]:
    """Return the function that chooses an op by which of two matrices are sparse; `second` takes them turned round."""

    def choose(x: Any, y: Any) -> Any:
        x, y = as_sparse_or_tensor_variable(x), as_sparse_or_tensor_variable(y)
        if _is_sparse_variable(x):
            return both(x, y) if _is_sparse_variable(y) else first(x, y)
        if not _is_sparse_variable(y):
            raise TypeError(f"one of both must be sparse, got {x.type} and {y.type}")
        return second(y, x)

    return choose


def add(x: Any, y: Any) -> Any:
    """Return the sum of two matrices, one of which at least is sparse; dense if one is dense."""
    return _switch(add_s_s, add_s_d, add_s_d)(x, y)


def sub(x: Any, y: Any) -> Any:
    """Return the difference of two matrices, one of which at least is sparse; dense if one is dense."""
    return add(x, -as_sparse_or_tensor_variable(y))


def mul(x: Any, y: Any) -> Any:
    """Return the elementwise product of two matrices (or a matrix and a number), one of which at least is sparse."""
    return _switch(mul_s_s, mul_s_d, mul_s_d)(x, y)


# Sums.


class SpSum(SparseOp):
    """The sum of a sparse matrix, over all or over one axis: dense.

    Parameters
    ----------
    axis : 0, 1 or None
    sparse_grad : bool
        Whether gradients flow only to the elements that are kept.
    """

    __props__ = ("axis",)

    def __init__(self, axis: int | None = None, sparse_grad: bool = True) -> None:
        if axis not in (None, 0, 1):
            raise ValueError("Illegal value for self.axis.")
        self.axis = axis
        self.structured = sparse_grad

    def types(self, *inputs: Any) -> Any:
        return TensorType(inputs[0].dtype, () if self.axis is None else (False,))

    def run(self, *values: Any) -> Any:
        found = np.asarray(values[0].sum(self.axis))
        return found if self.axis is None else found.ravel()

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        (x,), (gz,) = inputs, output_grads
        if x.dtype not in continuous_dtypes:
            return [sp_zeros_like(x, config.floatX)]
        if self.structured:
            ones = sp_ones_like(x)
            return [mul(ones, gz) if self.axis is None else (row_scale if self.axis else col_scale)(ones, gz)]
        if self.axis is not None:
            gz = gz.dimshuffle(0, "x") if self.axis else gz.dimshuffle("x", 0)
        return [SparseFromDense(x.format)(gz * ones_like(dense_from_sparse(x)))]


def sp_sum(x: Any, axis: int | None = None, sparse_grad: bool = False) -> Any:
    """Return the sum of a sparse matrix, over all or over one axis; see `SpSum`."""
    return SpSum(axis, sparse_grad)(x)


# Comparisons.


class _Comparison(SparseOp):
    compare: Callable[[Any, Any], Any]

    def run(self, *values: Any) -> Any:
        same_shapes(*values)
        found = self.compare(*values)
        return (np.asarray(found) if "d" in self.takes else found).astype("uint8")


class _ComparisonSS(_Comparison):
    """A comparison of two sparse matrices of one format: sparse, of uint8."""

    takes = "ss"

    def types(self, *inputs: Any) -> Any:
        if inputs[0].format != inputs[1].format:
            raise NotImplementedError("two sparse matrices are compared in one format")
        return SparseType(inputs[0].format, "uint8")


class _ComparisonSD(_Comparison):
    """A comparison of a sparse matrix with a dense one: dense, of uint8."""

    takes = "sd"

    def types(self, *inputs: Any) -> Any:
        return TensorType("uint8", (False, False))


def _comparison(name: str, compare: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    words = {
        "compare": staticmethod(compare),
        "__doc__": f"``{name}`` of each pair of elements.",
        "__module__": __name__,
    }
    return type(f"{name}SS", (_ComparisonSS,), words), type(f"{name}SD", (_ComparisonSD,), words)


EqualSS, EqualSD = _comparison("Equal", operator.eq)
NotEqualSS, NotEqualSD = _comparison("NotEqual", operator.ne)
LessThanSS, LessThanSD = _comparison("LessThan", operator.lt)
GreaterThanSS, GreaterThanSD = _comparison("GreaterThan", operator.gt)
LessEqualSS, LessEqualSD = _comparison("LessEqual", operator.le)
GreaterEqualSS, GreaterEqualSD = _comparison("GreaterEqual", operator.ge)
equal_s_s, equal_s_d, not_equal_s_s, not_equal_s_d = EqualSS(), EqualSD(), NotEqualSS(), NotEqualSD()
less_than_s_s, less_than_s_d, less_equal_s_s, less_equal_s_d = LessThanSS(), LessThanSD(), LessEqualSS(), LessEqualSD()
greater_than_s_s, greater_than_s_d = GreaterThanSS(), GreaterThanSD()
greater_equal_s_s, greater_equal_s_d = GreaterEqualSS(), GreaterEqualSD()

eq, neq = _switch(equal_s_s, equal_s_d, equal_s_d), _switch(not_equal_s_s, not_equal_s_d, not_equal_s_d)
lt = _switch(less_than_s_s, less_than_s_d, greater_than_s_d)
gt = _switch(greater_than_s_s, greater_than_s_d, less_than_s_d)
le = _switch(less_equal_s_s, less_equal_s_d, greater_equal_s_d)
ge = _switch(greater_equal_s_s, greater_equal_s_d, less_equal_s_d)


# Functions of the elements that are kept.


def _structured(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(x: Any, *numbers: Any) -> Any:
        x = as_sparse_variable(x)
        data, *places = csm_properties(x)
        return CSM(x.format)(function(data, *[as_tensor_variable(number) for number in numbers]), *places)

    apply.__name__ = name
    apply.__doc__ = f"Return `{name}` of each element that a sparse matrix keeps; the others stay zero."
    return apply


def structured_monoid(tensor_op: Any) -> Any:
    """Return a decorator that puts a function of tensors, for elements that are kept, in the place of another one."""
    return lambda function: _structured(function.__name__, tensor_op)


structured_sigmoid = _structured("structured_sigmoid", sigmoid)
structured_exp, structured_log, structured_pow, structured_minimum, structured_maximum, structured_add = [
    _structured(f"structured_{name}", FUNCTIONS[name]) for name in ("exp", "log", "pow", "minimum", "maximum", "add")
]
sin, tan, arcsin, arctan, sinh, arcsinh, tanh, arctanh = [
    _structured(name, FUNCTIONS[name])
    for name in ("sin", "tan", "arcsin", "arctan", "sinh", "arcsinh", "tanh", "arctanh")
]
rint = _structured("rint", FUNCTIONS["round_half_to_even"])
sgn, ceil, floor, log1p, expm1, deg2rad, rad2deg, trunc, sqr, sqrt, conj = [
    _structured(name, FUNCTIONS[name])
    for name in ("sgn", "ceil", "floor", "log1p", "expm1", "deg2rad", "rad2deg", "trunc", "sqr", "sqrt", "conj")
]

__all__ = [
    "AddSD", "AddSS", "AddSSData", "ColScaleCSC", "EqualSD", "EqualSS", "GreaterEqualSD", "GreaterEqualSS",
    "GreaterThanSD", "GreaterThanSS", "LessEqualSD", "LessEqualSS", "LessThanSD", "LessThanSS", "MulSD", "MulSS", "MulSV",
    "Neg", "NotEqualSD", "NotEqualSS", "RowScaleCSC", "SpSum",
    "StructuredAddSV", "add", "add_s_d", "add_s_s", "add_s_s_data", "arcsin", "arcsinh", "arctan", "arctanh", "ceil",
    "col_scale", "conj", "deg2rad", "eq", "equal_s_d", "equal_s_s", "expm1", "floor", "ge", "greater_equal_s_d",
    "greater_equal_s_s", "greater_than_s_d", "greater_than_s_s", "gt", "le", "less_equal_s_d", "less_equal_s_s",
    "less_than_s_d", "less_than_s_s", "log1p", "lt", "mul", "mul_s_d", "mul_s_s", "mul_s_v", "neg", "neq",
    "not_equal_s_d", "not_equal_s_s", "rad2deg", "rint", "row_scale", "sgn", "sin", "sinh", "sp_sum", "sqr", "sqrt",
    "structured_add", "structured_add_s_v", "structured_exp", "structured_log", "structured_maximum",
    "structured_minimum", "structured_pow", "structured_sigmoid", "sub", "tan", "tanh", "trunc",
]  # fmt: skip
