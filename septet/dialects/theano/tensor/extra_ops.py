"""`theano.tensor.extra_ops`: cumulative sums, repetitions, differences, counts, diagonals, indices in other forms."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

import septet as st
from septet.dialects.theano.dtypes import DISCRETE, INTS, upcast
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.tensor import basic
from septet.dialects.theano.tensor.asserts import Assert
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.shaping import as_sizes, element, get_vector_length


class CpuContiguous(NativeOp):
    """The tensor itself, laid out in order."""

    __props__ = ()

    def check(self, x: Any) -> None:
        """Take one tensor."""

    def compute(self, *tensors: Any) -> Any:
        return tensors[0]


cpu_contiguous = CpuContiguous()


class SearchsortedOp(NativeOp):
    """Where elements would be put into a sorted vector."""

    __props__ = ("side",)

    def __init__(self, side: str = "left") -> None:
        if side not in ("left", "right"):
            raise ValueError(f"'{side}' is an invalid value for keyword 'side'")
        self.side = side

    def make_node(self, x: Any, v: Any, sorter: Any = None) -> Any:
        return super().make_node(*([x, v] if sorter is None else [x, v, sorter]))

    def check(self, x: Any, v: Any, *sorter: Any) -> None:
        for name, one in zip(("x", "sorter"), (x, *sorter), strict=False):
            if one.type.ndim != 1:
                raise ValueError(f"searchsorted: {name} is a vector, got {one.type}")
        if sorter and sorter[0].type.dtype not in INTS:
            raise TypeError("sorter must be an integer vector", sorter[0].type)

    def compute(self, *tensors: Any) -> Any:
        x, v, *sorter = tensors
        x = st.take(x, sorter[0], axis=0) if sorter else x
        own = upcast(x.dtype.name, v.dtype.name)
        return st.searchsorted(x.astype(own), v.astype(own), side=self.side)


def searchsorted(x: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Return where elements would be put into a sorted vector, or one that `sorter` puts in order."""
    return SearchsortedOp(side)(x, v, sorter)


class CumOp(NativeOp):
    """Cumulative sums or products along an axis, or of the flattened tensor."""

    __props__ = ("axis", "mode")

    def __init__(self, axis: int | None = None, mode: str = "add") -> None:
        if mode not in ("add", "mul"):
            raise ValueError(f'{type(self).__name__}: Unknown mode "{mode}"')
        self.axis, self.mode = axis, mode

    def check(self, x: Any) -> None:
        if self.axis is not None and not -x.type.ndim <= self.axis < x.type.ndim:
            raise ValueError(f"axis(={self.axis}) out of bounds")

    def compute(self, *tensors: Any) -> Any:
        x = st.reshape(tensors[0], (-1,)) if self.axis is None else tensors[0]
        own = "int64" if x.dtype.name == "bool" else x.dtype
        return (st.cumsum if self.mode == "add" else st.cumprod)(x, axis=self.axis or 0, dtype=own)


CumsumOp, CumprodOp = functools.partial(CumOp, mode="add"), functools.partial(CumOp, mode="mul")


def cumsum(x: Any, axis: int | None = None) -> Any:
    """Return cumulative sums along an axis, or of the flattened tensor."""
    return CumOp(axis, "add")(x)


def cumprod(x: Any, axis: int | None = None) -> Any:
    """Return cumulative products along an axis, or of the flattened tensor."""
    return CumOp(axis, "mul")(x)


class DiffOp(NativeOp):
    """Differences of neighbours along an axis, `n` times."""

    __props__ = ("n", "axis")

    def __init__(self, n: int = 1, axis: int = -1) -> None:
        self.n, self.axis = n, axis

    def compute(self, *tensors: Any) -> Any:
        return st.diff(tensors[0], n=self.n, axis=self.axis)


def diff(x: Any, n: int = 1, axis: int = -1) -> Any:
    """Return differences of neighbours along an axis, `n` times."""
    return DiffOp(n, axis)(x)


def bincount(x: Any, weights: Any = None, minlength: Any = None, assert_nonneg: bool = False) -> Any:
    """Return how often each of 0, 1, 2, ... occurs in a vector, or the sum of the weights of its occurrences.

    Parameters
    ----------
    x : vector of integers
    weights : vector, optional
    minlength : int or scalar, optional
        The least length of the result; otherwise the largest element says it.
    assert_nonneg : bool
        Whether a check for negative elements is put in.
    """
    x = as_tensor_variable(x)
    if x.ndim != 1:
        raise TypeError("Inputs must be of dimension 1.")
    if assert_nonneg:
        x = Assert("Input to bincount has negative values!")(x, basic.all(x >= 0))
    weights = np.ones((), x.dtype) if weights is None else weights
    return BinCount()(x, weights, 0 if minlength is None else minlength)


class BinCount(NativeOp):
    """Sums of weights by the integer that stands beside each."""

    __props__ = ()
    inputs_with_gradient = slice(1, 2)

    def check(self, x: Any, weights: Any, least: Any) -> None:
        if x.type.dtype not in DISCRETE:
            raise TypeError(f"bincount counts integers, got {x.type}")

    def compute(self, *tensors: Any) -> Any:
        x, weights, least = tensors
        x = x.astype("int64")
        length = st.maximum(st.max(x) + 1, least.astype("int64"))
        return st.index_add(st.zeros((length,), dtype=weights.dtype), x, weights)


def squeeze(x: Any, axis: Any = None) -> Any:
    """Return a tensor without its axes of size 1."""
    x = as_tensor_variable(x)
    if axis is not None:
        gone = [normalize_axis_index(one, x.ndim) for one in ([axis] if isinstance(axis, int) else axis)]
        return x.dimshuffle(*[one for one in range(x.ndim) if one not in gone])
    return x.dimshuffle(*[one for one in range(x.ndim) if not x.broadcastable[one]])


def compress(condition: Any, x: Any, axis: int | None = None) -> Any:
    """Return the slices of a tensor along an axis for which a condition holds."""
    return basic.take(as_tensor_variable(x), basic.flatnonzero(condition), axis=axis)


class RepeatOp(NativeOp):
    """A tensor with each element repeated along an axis, or of the flattened tensor."""

    __props__ = ("axis",)
    inputs_with_gradient = slice(1)

    def __init__(self, axis: int | None = None) -> None:
        self.axis = axis

    def check(self, x: Any, repeats: Any) -> None:
        if repeats.dtype not in DISCRETE or repeats.dtype in ("uint64", "bool"):
            raise TypeError(f"repeats.dtype must be an integer, and not uint64; got {repeats.dtype}")
        if self.axis is not None and not -x.ndim <= self.axis < x.ndim:
            raise ValueError("Axis should not exceed x.ndim-1.")

    def compute(self, *tensors: Any) -> Any:
        x, repeats = tensors
        axis = self.axis
        if axis is None:
            x, axis = st.reshape(x, (-1,)), 0
        if not repeats.node.is_symbolic:
            counts = repeats.numpy()
            if counts.size == 1 or x.shape[axis % x.ndim] == counts.size:
                return st.repeat(x, int(counts.reshape(())) if counts.size == 1 else counts, axis=axis)
        counts = repeats.astype("int64")
        if counts.ndim == 0 or repeats.type.shape == (1,):
            return self._each(x, st.reshape(counts, ()), axis % x.ndim)
        ends = st.cumsum(counts)  # a place of the result belongs to the first element whose end lies behind it
        return st.take(x, st.searchsorted(ends, st.arange(st.sum(counts)), side="right"), axis=axis)

    @staticmethod
    def _each(x: Any, count: Any, axis: int) -> Any:
        sizes = list(x.shape)
        wide = st.broadcast_to(st.expand_dims(x, axis=axis + 1), (*sizes[: axis + 1], count, *sizes[axis + 1 :]))
        return st.reshape(wide, (*sizes[:axis], sizes[axis] * count, *sizes[axis + 1 :]))


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Return a tensor with each element repeated along an axis (of the flattened tensor, by default).

    Parameters
    ----------
    x : tensor
    repeats : int, scalar, or vector with a count for each element
    axis : int, optional
    """
    repeats = as_tensor_variable(repeats)
    if repeats.ndim > 1:
        raise ValueError("The dimension of repeats should not exceed 1.")
    return RepeatOp(axis)(x, repeats)


class Bartlett(NativeOp):
    """The triangular window."""

    __props__ = ()
    inputs_with_gradient = slice(0)

    def check(self, count: Any) -> None:
        if count.ndim:
            raise TypeError(f"{type(self).__name__} only works on scalar input")
        if count.dtype not in DISCRETE:
            raise TypeError(f"{type(self).__name__} only works on integer input")

    def compute(self, *tensors: Any) -> Any:
        count = tensors[0].astype("int64")
        size = st.maximum(count, 0)
        place = st.arange(size).astype("float64")
        last = st.maximum(size - 1, 1).astype("float64")
        return st.where(size == 1, 1.0, 1.0 - st.abs(2.0 * place / last - 1.0))


bartlett_ = Bartlett()


def bartlett(M: Any) -> Any:
    """Return the triangular window of `M` points, from zero over one to zero."""
    return bartlett_(M)


class FillDiagonal(NativeOp):
    """A tensor with one number on its diagonal."""

    __props__ = ()
    inputs_with_gradient = slice(2)

    def check(self, a: Any, value: Any, *offset: Any) -> None:
        if a.ndim < 2 or (offset and a.ndim != 2):
            count = "exactly" if offset else "at least"
            raise TypeError(f"{type(self).__name__}: first parameter must have {count} two dimensions")
        for place, one in zip(("second", "third"), (value, *offset), strict=False):
            if one.ndim:
                raise TypeError(f"{type(self).__name__}: {place} parameter must be a scalar")
        if upcast(a.dtype, value.dtype) != a.dtype:
            raise TypeError(f"{type(self).__name__}: type of second parameter must be the same as the first's")
        if offset and offset[0].dtype not in DISCRETE:
            raise TypeError(f"{type(self).__name__}: type of third parameter must be as integer")

    def compute(self, *tensors: Any) -> Any:
        a, value, *offset = tensors
        if a.ndim > 2:
            a = st.ensure_shape(a, (None, *[a.shape[0]] * (a.ndim - 1)))
        grids = [
            st.reshape(st.arange(size), tuple(-1 if axis == own else 1 for own in range(a.ndim)))
            for axis, size in enumerate(a.shape)
        ]
        is_on = grids[0] + (element(offset[0]) if offset else 0) == grids[1]
        for grid in grids[2:]:
            is_on = is_on & (grids[0] == grid)
        return st.where(is_on, value.astype(a.dtype), a)


class FillDiagonalOffset(FillDiagonal):
    """A matrix with one number on one of its diagonals."""


fill_diagonal_, fill_diagonal_offset_ = FillDiagonal(), FillDiagonalOffset()


def fill_diagonal(a: Any, val: Any) -> Any:
    """Return a tensor with a number on its diagonal."""
    return fill_diagonal_(a, val)


def fill_diagonal_offset(a: Any, val: Any, offset: Any) -> Any:
    """Return a matrix with a number on one of its diagonals: `offset` above the main one."""
    return fill_diagonal_offset_(a, val, offset)


def to_one_hot(y: Any, nb_class: Any, dtype: Any = None) -> Any:
    """Return a matrix with a one in each row, in the column that a vector names."""
    y = as_tensor_variable(y)
    if y.type.dtype not in DISCRETE:
        raise TypeError(f"to_one_hot takes integers, got {y.type}")
    return basic.cast(basic.eq(y.dimshuffle(0, "x"), basic.arange(nb_class)), dtype or "floatX")


class Unique(NativeOp):
    """The distinct elements (or slices along an axis), sorted, and where they are."""

    __props__ = ("return_index", "return_inverse", "return_counts", "axis")
    inputs_with_gradient = slice(0)

    def __init__(
        self, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False, axis: Any = None
    ) -> None:
        self.return_index, self.return_inverse, self.return_counts = return_index, return_inverse, return_counts
        self.axis = axis

    def check(self, x: Any) -> None:
        if self.axis is not None and not -x.ndim <= self.axis < x.ndim:
            raise RuntimeError(f"Unique axis `{self.axis}` is outside of input ndim = {x.ndim}.")

    def compute(self, *tensors: Any) -> Any:
        (x,) = tensors
        wanted = (self.return_index, self.return_inverse, self.return_counts)
        shape = [None] if self.axis is None else list(x.type.shape)
        if self.axis is not None:
            shape[self.axis] = None
        results = [(x.dtype.name, tuple(shape)), *[("int64", (None,))] * sum(wanted)]

        def distinct(array: np.ndarray) -> Any:
            found = np.unique(array, *wanted, axis=self.axis)
            return [np.reshape(own, -1) if place else own for place, own in enumerate(found)] if any(wanted) else found

        return st.callback(distinct, results if any(wanted) else results[0], x)


class UnravelIndex(NativeOp):
    """Indices into a flattened tensor as one index for each axis."""

    __props__ = ("ndim", "order")
    inputs_with_gradient = slice(0)

    def __init__(self, ndim: int, order: str = "C") -> None:
        _check_order(order)
        if not isinstance(ndim, int) or ndim < 1:
            raise ValueError("ndim must be an integer greater than 0")
        self.ndim, self.order = ndim, order

    def check(self, indices: Any, dims: Any) -> None:
        _check_indices(indices, dims)

    def compute(self, *tensors: Any) -> Any:
        result = ("int64", tensors[0].type.shape)
        if self.ndim == 1:
            return st.callback(lambda i, dims: np.unravel_index(i, tuple(dims))[0], result, *tensors)
        results = [result] * self.ndim
        return st.callback(lambda i, dims: list(np.unravel_index(i, tuple(dims), order=self.order)), results, *tensors)


def unravel_index(indices: Any, dims: Any, order: str = "C", ndim: int | None = None) -> Any:
    """Return indices into a flattened tensor as a tuple with one index for each axis.

    Parameters
    ----------
    indices : tensor of integers
    dims : list of sizes, or vector
    order : "C" or "F"
    ndim : int, optional
        The number of axes; needed where `dims` is a vector of unknown length.
    """
    if ndim is None:
        try:
            ndim = get_vector_length(as_sizes(dims))
        except ValueError:
            raise ValueError(
                f"The length of the provided dimension list ({dims}) cannot be automatically determined: give ndim"
            ) from None
    return tuple(UnravelIndex(ndim, order)(indices, dims, return_list=True))


class RavelMultiIndex(NativeOp):
    """An index for each axis as indices into the flattened tensor."""

    __props__ = ("mode", "order")
    inputs_with_gradient = slice(0)

    def __init__(self, mode: str = "raise", order: str = "C") -> None:
        _check_order(order)
        if mode not in ("raise", "wrap", "clip"):
            raise AssertionError(f"mode is 'raise', 'wrap' or 'clip', got {mode!r}")
        self.mode, self.order = mode, order

    def check(self, *inputs: Any) -> None:
        _check_indices(*inputs)

    def compute(self, *tensors: Any) -> Any:
        indices = st.broadcast_arrays(*tensors[:-1])
        return st.callback(
            lambda *arrays: np.ravel_multi_index(
                arrays[:-1], tuple(arrays[-1]), mode=self.mode, order=self.order
            ).astype("int64"),
            ("int64", indices[0].type.shape), *indices, tensors[-1],
        )  # fmt: skip


def ravel_multi_index(multi_index: Any, dims: Any, mode: str = "raise", order: str = "C") -> Any:
    """Return one index for each axis as indices into the flattened tensor.

    Parameters
    ----------
    multi_index : tuple of tensors of integers
    dims : list of sizes, or vector
    mode : "raise", "wrap" or "clip"
        What happens to indices out of bounds.
    order : "C" or "F"
    """
    if not isinstance(multi_index, (tuple, list)):
        raise TypeError("multi_index must be a tuple or a list.")
    return RavelMultiIndex(mode, order)(*multi_index, dims)


def _check_order(order: str) -> None:
    if order not in ("C", "F"):
        raise AssertionError(f"order is 'C' or 'F', got {order!r}")


def _check_indices(*variables: Any) -> None:
    """Refuse indices and, last, sizes that are no integers, or no vector."""
    for variable in variables:
        if variable.dtype not in INTS:
            raise TypeError(f"'{variable.dtype}' object cannot be interpreted as an index")
    if variables[-1].ndim != 1:
        raise TypeError("dims must be a 1D array")


__all__ = [
    "DiffOp", "bartlett", "bincount", "cumprod", "cumsum", "fill_diagonal", "fill_diagonal_offset",
    "ravel_multi_index", "repeat", "squeeze", "unravel_index",
]  # fmt: skip
