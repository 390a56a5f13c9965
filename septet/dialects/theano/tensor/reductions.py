"""Reductions over axes: sums, products, extrema, means, logic."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.dtypes import COMPLEXES, CONTINUOUS, DISCRETE, INTS, UINTS, as_dtype, upcast
from septet.dialects.theano.gof.graph import Constant, Variable
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.scalar import basic as scal
from septet.dialects.theano.tensor.convert import as_tensor_variable, constant, known_value
from septet.dialects.theano.tensor.elemwise import FUNCTIONS
from septet.dialects.theano.tensor.shaping import stack
from septet.dialects.theano.tensortype import TensorType


def axes_of(axis: Any, ndim: int) -> tuple[int, ...] | None:
    """Return axes as a sorted tuple of non-negative ints; None stands for all.

    Raises
    ------
    ValueError
        If an axis does not exist.
    """
    if axis is None:
        return None
    if isinstance(axis, Variable):
        if isinstance(axis, Constant) and axis.data is None:
            return None
        value = known_value(axis) if isinstance(axis.type, TensorType) else None
        if value is None:
            raise TypeError(f"Computation needs a constant axis. Got {axis}")
        axis = value.tolist()
    if isinstance(axis, np.ndarray):
        axis = axis.tolist()
    if not isinstance(axis, (list, tuple, range, set, frozenset)):
        if isinstance(axis, float) or (not isinstance(axis, (int, np.integer)) or isinstance(axis, bool)):
            raise TypeError(f"Computation needs a constant axis. Got {axis!r}")
        axis = [axis]
    found = []
    for one in axis:
        if isinstance(one, float) and one != int(one):
            raise TypeError(f"an axis is an integer, got {one!r}")
        one = int(known_value(one)) if hasattr(one, "owner") else int(one)
        if not -ndim <= one < ndim:
            raise ValueError(f"Not enough dimensions: axis {one} of a tensor with {ndim} dimensions")
        found.append(one % ndim)
    found = sorted(set(found))
    return tuple(found) if set(found) != set(range(ndim)) or ndim == 0 else None


class CAReduce(NativeOp):
    """A reduction by a commutative and associative op of numbers.

    Parameters
    ----------
    scalar_op : ScalarOp
        add, mul, maximum, minimum, and_, or_ or xor.
    axis : int, sequence of int, optional
    """

    FUNCTIONS: dict[str, Any] = {
        "add": st.sum, "mul": st.prod, "maximum": st.max, "minimum": st.min,
    }  # fmt: skip

    __props__ = ("scalar_op", "axis", "dtype", "acc_dtype")
    dtype: Any = None
    acc_dtype: Any = None

    def __init__(self, scalar_op: Any, axis: Any = None) -> None:
        if scalar_op.nin not in (-1, 2):
            raise NotImplementedError(f"CAReduce needs an op of two numbers, got {scalar_op}")
        self.scalar_op = scalar_op
        self.axis = None if axis is None else tuple(np.atleast_1d(axis).tolist())

    def _axes(self, ndim: int) -> tuple[int, ...]:
        found = axes_of(self.axis, ndim)
        return tuple(range(ndim)) if found is None else found

    def check(self, x: Any) -> None:
        axes_of(self.axis, x.type.ndim)

    def compute(self, *tensors: Any) -> Any:
        (x,) = tensors
        axes = self._axes(x.ndim)
        name = self.scalar_op.name
        if name in ("and_", "or_", "xor"):
            return self._bits(x, axes, name)
        if name not in self.FUNCTIONS:
            raise NotImplementedError(
                f"CAReduce does not know {self.scalar_op}; it knows {', '.join(self.FUNCTIONS)}, and_, or_, xor"
            )
        if x.dtype.name == "bool":
            return {"add": st.any, "maximum": st.any, "mul": st.all, "minimum": st.all}[name](x, axis=axes)
        found = self.FUNCTIONS[name](x, axis=axes)
        return found if found.dtype == x.dtype else found.astype(x.dtype)

    def _bits(self, x: Any, axes: tuple[int, ...], name: str) -> Any:
        if x.dtype.name == "bool" and name != "xor":
            return (st.all if name == "and_" else st.any)(x, axis=axes)
        own = {"and_": np.bitwise_and, "or_": np.bitwise_or, "xor": np.bitwise_xor}[name]
        shape = [size for axis, size in enumerate(x.type.shape) if axis not in axes]
        return st.callback(lambda a: own.reduce(a, axis=axes), (x.dtype.name, shape), x)

    def __str__(self) -> str:
        axes = "" if self.axis is None else f"{{{', '.join(map(str, self.axis))}}}"
        return f"Reduce{{{self.scalar_op}}}{axes}" if type(self) is CAReduce else f"{type(self).__name__}{axes}"


class All(CAReduce):
    """Whether all elements are true."""

    def __init__(self, axis: Any = None) -> None:
        super().__init__(scal.OPS["and_"], axis)

    def compute(self, *tensors: Any) -> Any:
        return st.all(scal.as_dtype(tensors[0], "bool"), axis=self._axes(tensors[0].ndim))


class Any_(CAReduce):
    """Whether any element is true."""

    def __init__(self, axis: Any = None) -> None:
        super().__init__(scal.OPS["or_"], axis)

    def compute(self, *tensors: Any) -> Any:
        return st.any(scal.as_dtype(tensors[0], "bool"), axis=self._axes(tensors[0].ndim))


Any_.__name__ = "Any"


WIDE = {
    "bool": "int64", **dict.fromkeys(INTS, "int64"), **dict.fromkeys(UINTS, "uint64"), "float16": "float32",
    "float32": "float64", "complex64": "complex128",
}  # fmt: skip
"""The dtypes in which Theano accumulates by default."""


class CAReduceDtype(CAReduce):
    """A reduction with a dtype for the result: by default that of the input, and 64 bits for integers.

    Parameters
    ----------
    scalar_op : ScalarOp
    axis : int, sequence of int, optional
    dtype : dtype, optional
    acc_dtype : dtype, optional
        In which it is accumulated. By default floats are accumulated as they are, pairwise, float16 in float32;
        the attribute names what Theano takes by default.
    """

    def __init__(self, scalar_op: Any, axis: Any = None, dtype: Any = None, acc_dtype: Any = None) -> None:
        super().__init__(scalar_op, axis)
        self.dtype = None if dtype is None else as_dtype(dtype)
        self.acc_dtype = None if acc_dtype is None else as_dtype(acc_dtype)
        self.is_acc_given = acc_dtype is not None

    def __str__(self) -> str:
        name = type(self).__name__ if type(self) is not CAReduceDtype else f"ReduceDtype{{{self.scalar_op}}}"
        axes = "" if self.axis is None else f"axis=[{', '.join(map(str, self.axis))}], "
        return f"{name}{{{axes}acc_dtype={self.acc_dtype}}}"

    def make_node(self, *inputs: Any) -> Any:
        x = as_tensor_variable(inputs[0])
        own = x.type.dtype
        dtype = self.dtype or (WIDE[own] if own in DISCRETE else own)
        acc_dtype = self.acc_dtype or WIDE.get(own, own)
        is_lifted = own in DISCRETE and acc_dtype in CONTINUOUS
        if self.is_acc_given and not is_lifted and upcast(own, acc_dtype) != acc_dtype:
            raise TypeError(
                f"Cannot build {self} node with input dtype {own} and acc_dtype {acc_dtype}, as precision would be lost"
            )
        if (dtype, acc_dtype) == (self.dtype, self.acc_dtype):
            return super().make_node(x)
        op = copy.copy(self)
        op.dtype, op.acc_dtype = dtype, acc_dtype
        return op.make_node(x)

    def compute(self, *tensors: Any) -> Any:
        (x,) = tensors
        own = x.dtype.name
        wanted = self.dtype or (WIDE[own] if own in DISCRETE else own)
        if self.is_acc_given:
            inner = self.acc_dtype
        else:
            inner = "float32" if wanted == "float16" else wanted
            inner = own if own in COMPLEXES and inner not in COMPLEXES else inner
        found = self.FUNCTIONS[self.scalar_op.name](scal.as_dtype(x, inner), axis=self._axes(x.ndim))
        return scal.as_dtype(found, wanted)


class Sum(CAReduceDtype):
    """Sums over axes."""

    def __init__(self, axis: Any = None, dtype: Any = None, acc_dtype: Any = None) -> None:
        super().__init__(scal.OPS["add"], axis, dtype, acc_dtype)


class Prod(CAReduceDtype):
    """Products over axes."""

    def __init__(
        self, axis: Any = None, dtype: Any = None, acc_dtype: Any = None, no_zeros_in_input: bool = False
    ) -> None:
        super().__init__(scal.OPS["mul"], axis, dtype, acc_dtype)
        self.no_zeros_in_input = no_zeros_in_input


class ProdWithoutZeros(CAReduceDtype):
    """Products over axes of the elements that are not zero."""

    def __init__(self, axis: Any = None, dtype: Any = None, acc_dtype: Any = None) -> None:
        super().__init__(scal.OPS["mul"], axis, dtype, acc_dtype)

    def compute(self, *tensors: Any) -> Any:
        (x,) = tensors
        return super().compute(st.where(x == 0, st.ones_like(x), x))


class Mean(CAReduce):
    """Means over axes."""

    def __init__(self, axis: Any = None) -> None:
        super().__init__(scal.OPS["add"], axis)

    def compute(self, *tensors: Any) -> Any:
        (x,) = tensors
        return st.mean(x.astype("float64") if x.dtype.name in DISCRETE else x, axis=self._axes(x.ndim))


class _Extreme(NativeOp):
    """Largest or smallest elements along axes."""

    __props__ = ("axis",)

    def __init__(self, axis: Any = None) -> None:
        self.axis = None if axis is None else tuple(np.atleast_1d(axis).tolist())

    def check(self, x: Any) -> None:
        axes_of(self.axis, x.type.ndim)

    def __str__(self) -> str:
        return type(self).__name__ if self.axis is None else f"{type(self).__name__}{{axis={self.axis}}}"

    def _flat(self, x: Any) -> Any:
        """Return the tensor with the reduced axes as its last one."""
        axes = axes_of(self.axis, x.ndim)
        if x.ndim == 0:
            return st.reshape(x, (1,))
        if axes is None:
            return st.reshape(x, (-1,))
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        x = st.permute_dims(x, (*kept, *axes))
        return st.reshape(x, (*x.shape[: len(kept)], -1)) if len(axes) != 1 else x


class Max(_Extreme):
    """Largest elements along axes."""

    function = staticmethod(st.max)

    def compute(self, *tensors: Any) -> Any:
        (x,) = tensors
        if x.dtype.name in COMPLEXES:
            raise TypeError(f"{self} has no order for complex numbers")
        axes = axes_of(self.axis, x.ndim)
        axes = tuple(range(x.ndim)) if axes is None else axes
        if x.dtype.name == "bool":
            return type(self).function(x.astype("uint8"), axis=axes).astype("bool")  # refuses to look among none
        if x.dtype.name in DISCRETE or not axes:
            return type(self).function(x, axis=axes)
        return self._with_ties(x, axes)

    @classmethod
    def _with_ties(cls, x: Any, axes: tuple[int, ...]) -> Any:
        """Return extrema whose gradient goes to all elements that are equal to them, in full."""

        @st.custom_gradient
        def extreme(x: Any) -> Any:
            y = cls.function(x, axis=axes)
            is_it = x == st.expand_dims(y, axis=axes)
            return y, lambda g: st.where(is_it, st.expand_dims(g, axis=axes), st.zeros_like(x))

        return extreme(x)


class Min(Max):
    """Smallest elements along axes."""

    function = staticmethod(st.min)


class Argmax(_Extreme):
    """Positions of the largest elements along axes."""

    def compute(self, *tensors: Any) -> Any:
        return st.argmax(_comparable(self._flat(tensors[0])), axis=-1)


class MaxAndArgmax(_Extreme):
    """Largest elements along axes, and their positions."""

    def compute(self, *tensors: Any) -> Any:
        return Max(self.axis).compute(tensors[0]), Argmax(self.axis).compute(tensors[0])


def _comparable(x: Any) -> Any:
    return x.astype("int8") if x.dtype.name == "bool" else x


def kept(x: Any, y: Any, axis: Any) -> Any:
    """Return a reduction of `x` with the reduced axes as axes of size 1."""
    x = as_tensor_variable(x)
    axes = axes_of(axis, x.type.ndim)
    kept_axes = itertools.count()
    gone = range(x.type.ndim) if axes is None else axes
    return y.dimshuffle(*["x" if axis in gone else next(kept_axes) for axis in range(x.type.ndim)])


makeKeepDims = kept


def _named(x: Any, axis: Any) -> Any:
    x = as_tensor_variable(x)
    return x, axes_of(axis, x.type.ndim)


def _reduce(kind: Any, x: Any, axis: Any, keepdims: bool, *words: Any) -> Any:
    """Return a reduction of a kind, an op that is made of axes and `words`."""
    x, axes = _named(x, axis)
    if issubclass(kind, _Extreme):
        axes = axes or None  # no axes are all of them
    found = kind(axes, *words)(x)
    return kept(x, found, axes) if keepdims else found


def sum(input: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None) -> Any:
    """Return sums over axes (all, by default); integers are summed in 64 bits."""
    return _reduce(Sum, input, axis, keepdims, dtype, acc_dtype)


def prod(
    input: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None,
    no_zeros_in_input: bool = False,
) -> Any:  # fmt: skip
    """Return products over axes (all, by default); integers are multiplied in 64 bits."""
    return _reduce(Prod, input, axis, keepdims, dtype, acc_dtype, no_zeros_in_input)


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the largest elements along axes (all, by default)."""
    return _reduce(Max, x, axis, keepdims)


def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the smallest elements along axes (all, by default)."""
    return _reduce(Min, x, axis, keepdims)


def argmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the positions of the largest elements along an axis, or in the flattened tensor."""
    return _reduce(Argmax, x, axis, keepdims)


def argmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the positions of the smallest elements along an axis, or in the flattened tensor."""
    x = as_tensor_variable(x)
    return _reduce(Argmax, FUNCTIONS["invert"](x) if x.dtype in (*UINTS, "bool") else -x, axis, keepdims)


def max_and_argmax(a: Any, axis: Any = None, keepdims: bool = False) -> list[Any]:
    """Return the largest elements along axes, and their positions."""
    a, axes = _named(a, axis)
    axes = axes or None
    return [kept(a, found, axes) if keepdims else found for found in MaxAndArgmax(axes)(a)]


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return whether all elements along axes are true."""
    return _reduce(All, x, axis, keepdims)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return whether any element along axes is true."""
    return _reduce(Any_, x, axis, keepdims)


def _count(x: Any, axes: Sequence[int] | None, dtype: str) -> Any:
    """Return the number of elements along axes, in a dtype."""
    shape = x.shape
    total: Any = None
    for axis in range(x.type.ndim) if axes is None else axes:
        total = shape[axis] if total is None else total * shape[axis]
    return FUNCTIONS[f"convert_to_{dtype}"](as_tensor_variable(1) if total is None else total)


def mean(
    input: Any, axis: Any = None, dtype: Any = None, op: bool = False, keepdims: bool = False, acc_dtype: Any = None
) -> Any:
    """Return means over axes (all, by default): in float64 for integers, otherwise in the dtype of the input.

    With `dtype`, the sum has that dtype.
    """
    x, axes = _named(input, axis)
    inner = "float32" if dtype is None and x.dtype == "float16" else dtype
    total = sum(x, axes, dtype=inner, keepdims=keepdims, acc_dtype=acc_dtype)
    found = FUNCTIONS["true_div"](
        total, _count(x, axes, "float32" if total.dtype in ("float16", "float32", "complex64") else "float64")
    )
    if found.dtype != "float16" and str(dtype or x.dtype) == "float16":
        found = FUNCTIONS["convert_to_float16"](found)
    found.name = "mean"
    return found


def var(input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False) -> Any:
    """Return variances over axes (all, by default): mean squares of the distances from the mean, over N - `ddof`.

    Parameters
    ----------
    corrected : bool
        Whether the square of the mean distance, which is not quite zero in floating point, is taken off.
    """
    if isinstance(ddof, bool):
        raise ValueError("ddof is an integer: Parameter keepdims is now at index 3 and ddof at index 2")
    x, axes = _named(input, axis)
    distances = x - mean(x, axes, keepdims=True)
    squares = FUNCTIONS["sqr"](FUNCTIONS["abs_"](distances) if x.dtype in COMPLEXES else distances)
    if ddof == 0:
        found = mean(squares, axes, keepdims=keepdims)
    else:
        found = sum(squares, axes, keepdims=keepdims)
        found = FUNCTIONS["true_div"](found, _count(x, axes, found.dtype) - constant(ddof, dtype=found.dtype))
    if corrected:
        total = sum(distances, axes, keepdims=keepdims)
        count = _count(x, axes, found.dtype)
        error = FUNCTIONS["sqr"](total) / (count * (count - constant(ddof, dtype=found.dtype)))
        found = found - error
    return found


def std(input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False) -> Any:
    """Return standard deviations over axes (all, by default); see `var`."""
    return FUNCTIONS["sqrt"](var(input, axis, ddof, keepdims, corrected))


def ptp(a: Any, axis: Any = None) -> Any:
    """Return the distance between the largest and the smallest elements along axes."""
    return max(a, axis) - min(a, axis)


def smallest(*args: Any) -> Any:
    """Return the smallest of several tensors, element by element."""
    if len(args) == 2:
        return FUNCTIONS["switch"](FUNCTIONS["lt"](args[0], args[1]), *args)
    return min(stack(args), axis=0)


def largest(*args: Any) -> Any:
    """Return the largest of several tensors, element by element."""
    if len(args) == 2:
        return FUNCTIONS["switch"](FUNCTIONS["gt"](args[0], args[1]), *args)
    return max(stack(args), axis=0)


__all__ = [
    "Argmax", "CAReduce", "Max", "MaxAndArgmax", "Mean", "Min", "Prod", "Sum", "all", "any", "argmax", "argmin",
    "axes_of", "kept", "largest", "makeKeepDims", "max", "max_and_argmax", "mean", "min", "prod", "ptp", "smallest",
    "std", "sum", "var",
]  # fmt: skip
