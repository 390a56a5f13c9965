"""`theano.tensor.sort`: sorting, and the largest or smallest elements."""

from __future__ import annotations

from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.dtypes import DISCRETE
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.tensor.convert import as_tensor_variable, known_value


class _Along(NativeOp):
    """Something done along an axis, which may be known only when values come; None means the flattened tensor."""

    __props__ = ("kind", "order")
    inputs_with_gradient = slice(1)

    def __init__(self, kind: str = "quicksort", order: Any = None) -> None:
        self.kind = kind
        self.order = order

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{self.kind}, {self.order}}}"

    def make_node(self, input: Any, axis: Any = -1) -> Any:
        x = as_tensor_variable(input)
        axis = getattr(axis, "data", axis) if not hasattr(axis, "owner") or hasattr(axis, "data") else axis
        if axis is None:
            return self.applied([x.flatten()])
        axis = as_tensor_variable(axis)
        if axis.ndim:
            raise ValueError("sort axis must be an integer or None")
        return self.applied([x, axis])

    def compute(self, *tensors: Any) -> Any:
        x, *rest = tensors
        if not rest:
            return self._along(x, -1)
        (axis,) = rest
        if not axis.node.is_symbolic:
            return self._along(x, int(axis.numpy()))
        found = self._along(x, 0)
        for number in range(1, x.ndim):
            found = st.where(st.remainder(axis, x.ndim) == number, self._along(x, number), found)
        return found

    def _along(self, x: Any, axis: int) -> Any:
        raise NotImplementedError


class SortOp(_Along):
    """Elements in order."""

    def _along(self, x: Any, axis: int) -> Any:
        return st.sort(x, axis=axis)


class ArgSortOp(_Along):
    """The indices that put elements in order."""

    def _along(self, x: Any, axis: int) -> Any:
        return st.argsort(x, axis=axis)


def sort(a: Any, axis: Any = -1, kind: str = "quicksort", order: Any = None) -> Any:
    """Return a tensor sorted along an axis (the flattened tensor, where it is None)."""
    return SortOp(kind, order)(a, axis)


def argsort(a: Any, axis: Any = -1, kind: str = "quicksort", order: Any = None) -> Any:
    """Return the indices that sort a tensor along an axis (the flattened tensor, where it is None)."""
    return ArgSortOp(kind, order)(a, axis)


class TopKOp(NativeOp):
    """The k largest (or, for negative k, smallest) elements along an axis, and their indices.

    Parameters
    ----------
    axis : int
    sorted : bool
        Not supported: the order among the elements is not defined.
    idx_dtype : str
        The dtype of the indices.
    return_values, return_indices : bool
    """

    __props__ = ("axis", "sorted", "return_values", "return_indices", "idx_dtype")
    inputs_with_gradient = slice(1)

    def __init__(
        self, axis: Any = -1, sorted: bool = True, idx_dtype: str = "int64", return_values: bool = True, return_indices: bool = True
    ) -> None:  # fmt: skip
        if not isinstance(axis, int):
            raise TypeError(f"axis must be an integer, got {axis!r}")
        if sorted:
            raise NotImplementedError("The sorted parameter is not supported yet. Use sorted=False for now.")
        if idx_dtype not in DISCRETE or idx_dtype == "bool":
            raise TypeError(f'"idx_dtype" parameter must be an integer dtype, got "{idx_dtype}"')
        if not (return_values or return_indices):
            raise ValueError("Neither return_values nor return_indices is True, this isn't allowed")
        self.axis, self.sorted, self.idx_dtype = axis, sorted, idx_dtype
        self.return_values, self.return_indices = return_values, return_indices

    def check(self, x: Any, k: Any) -> None:
        if x.ndim == 0:
            raise ValueError("Cannot take scalar as input")
        if not -x.ndim <= self.axis < x.ndim:
            raise IndexError(f'"axis" parameter out of range, expected integer within [{-x.ndim}, {x.ndim - 1}]')

    def compute(self, *tensors: Any) -> Any:
        x, k = tensors
        if k.node.is_symbolic:
            raise NotImplementedError("topk: the number of elements is known before anything is computed")
        count = int(k.numpy())
        if not count:
            raise ValueError("topk: kth cannot be zero")
        axis = self.axis % x.ndim
        size = x.type.shape[axis]
        if size is not None and abs(count) > size:
            raise ValueError(f"topk: kth cannot be larger than the size of specified axis {axis}")
        order = st.argsort(x, axis=axis)
        before = (slice(None),) * axis
        order = order[(*before, slice(-count, None) if count > 0 else slice(None, -count))]
        values = st.take_along_axis(x, order, axis=axis)
        found = ([values] if self.return_values else []) + (
            [order.astype(self.idx_dtype)] if self.return_indices else []
        )
        return tuple(found)


def _top(x: Any, kth: Any, axis: Any, sorted: bool, idx_dtype: str, **words: bool) -> Any:
    if sorted:
        raise NotImplementedError("We are still working on sorted topk. Use sorted=False for now.")
    x = as_tensor_variable(x)
    if axis is None:
        x, axis = x.flatten(), 0
    if known_value(kth) is not None and np.ndim(known_value(kth)):
        raise ValueError("topk: kth must be an integer")
    return TopKOp(axis=axis, sorted=sorted, idx_dtype=idx_dtype, **words)(x, kth)


def topk(x: Any, kth: Any, axis: Any = -1, sorted: bool = True, idx_dtype: str = "int64") -> Any:
    """Return the k largest (for negative k, smallest) elements along an axis, in no order; see `TopKOp`."""
    return _top(x, kth, axis, sorted, idx_dtype, return_indices=False)


def argtopk(x: Any, kth: Any, axis: Any = -1, sorted: bool = True, idx_dtype: str = "int64") -> Any:
    """Return the indices of the k largest (for negative k, smallest) elements along an axis."""
    return _top(x, kth, axis, sorted, idx_dtype, return_values=False)


def topk_and_argtopk(x: Any, kth: Any, axis: Any = -1, sorted: bool = True, idx_dtype: str = "int64") -> Any:
    """Return the k largest (for negative k, smallest) elements along an axis, and their indices."""
    return _top(x, kth, axis, sorted, idx_dtype)
