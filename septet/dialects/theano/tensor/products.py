"""Products: dot, batched products, tensordot, outer."""

from __future__ import annotations

from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.dtypes import upcast
from septet.dialects.theano.gof.graph import Variable
from septet.dialects.theano.gof.native import native
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.tensor.convert import as_tensor_variable


def alike(*tensors: Any) -> list[Any]:
    """Return tensors in the dtype that holds them all."""
    own = upcast(*[t.dtype.name for t in tensors])
    return [t.astype(own) for t in tensors]


class Dot(NativeOp):
    """The product of two vectors or matrices."""

    __props__ = ()

    def check(self, *inputs: Any) -> None:
        if len(inputs) != 2:
            raise TypeError(f"theano.tensor.Dot: 2 arguments required, {len(inputs)} given")
        for position, v in enumerate(inputs):
            if v.type.ndim not in (1, 2):
                raise TypeError(
                    f"theano.tensor.Dot: input {position} (0-indexed) must have ndim of 1 or 2, {v.type.ndim} given. Consider calling theano.tensor.dot instead."
                )

    def compute(self, *tensors: Any) -> Any:
        a, b = alike(*tensors)
        if a.dtype.name == "bool":  # whether any pair is true
            return st.matmul(a.astype("int64"), b.astype("int64")).astype("bool")
        return st.matmul(a, b)

    def __str__(self) -> str:
        return "dot"


_dot = Dot()


def dot(a: Any, b: Any) -> Any:
    """Return the product of two tensors: over the last axis of `a`, and the last but one (or only) axis of `b`."""
    for one, other, method in ((a, b, "__dot__"), (b, a, "__rdot__")):
        if isinstance(one, Variable) and not one.type.is_tensor and hasattr(one, method):  # a sparse matrix
            return getattr(one, method)(other)
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if a.type.ndim == 0 or b.type.ndim == 0:
        return a * b
    if a.type.ndim > 2 or b.type.ndim > 2:
        return tensordot(a, b, [[a.type.ndim - 1], [max(0, b.type.ndim - 2)]])
    return _dot(a, b)


@native(name="Tensordot")
def _tensordot(a: Any, b: Any, *, axes: Any) -> Any:
    return st.tensordot(*alike(a, b), axes=axes)


def _pairs(axes: Any, ndims: tuple[int, int], batched: int = 0) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return which axes of two tensors are summed over.

    Raises
    ------
    ValueError
        If axes do not exist or do not match in number.
    """
    if isinstance(axes, (int, np.integer)):
        if axes < 0 or axes > min(ndims) - batched:
            raise ValueError(f"axes {axes} is not between 0 and the smaller rank, {min(ndims) - batched}")
        return tuple(range(ndims[0] - int(axes), ndims[0])), tuple(range(batched, batched + int(axes)))
    pairs = [tuple([int(one) for one in (own if np.ndim(own) else [own])]) for own in axes]
    if len(pairs) != 2 or len(pairs[0]) != len(pairs[1]):
        raise ValueError(f"axes are an int, or two lists of equal length; got {axes}")
    for own, ndim in zip(pairs, ndims, strict=True):
        if any(not -ndim <= one < ndim for one in own):
            raise ValueError(f"axes {own} do not all exist in a tensor with {ndim} dimensions")
        if batched and 0 in own:
            raise ValueError("the batch axis, 0, is not summed over")
    return tuple(one % ndims[0] for one in pairs[0]), tuple(one % ndims[1] for one in pairs[1])


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Return the product of two tensors summed over axes: the last `axes` of `a` with the first of `b`, or two lists."""
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    return _tensordot(a, b, axes=_pairs(axes, (a.type.ndim, b.type.ndim)))


class BatchedDot(NativeOp):
    """The products of corresponding matrices (or vectors) of two stacks."""

    __props__ = ()

    def check(self, *inputs: Any) -> None:
        if len(inputs) != 2:
            raise TypeError(f"theano.tensor.blas.BatchedDot: 2 arguments required, {len(inputs)} given")
        for position, v in enumerate(inputs):
            if v.type.ndim not in (2, 3):
                raise TypeError(
                    f"theano.tensor.blas.BatchedDot: input {position} (0-indexed) must have ndim of 2 or 3, {v.type.ndim} given. Consider calling theano.tensor.batched_dot instead."
                )

    def compute(self, *tensors: Any) -> Any:
        a, b = alike(*tensors)
        left = a if a.ndim == 3 else st.expand_dims(a, axis=1)
        right = b if b.ndim == 3 else st.expand_dims(b, axis=2)
        found = st.matmul(left, right)
        gone = ([1] if a.ndim == 2 else []) + ([2] if b.ndim == 2 else [])
        return st.squeeze(found, axis=tuple(gone)) if gone else found


_batched_dot = BatchedDot()


def batched_dot(a: Any, b: Any) -> Any:
    """Return the products of corresponding parts of two stacks (axis 0)."""
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if not a.type.ndim or not b.type.ndim:
        raise TypeError("a and b must have at least one (batch) axis")
    if a.type.ndim == 1:
        return a.dimshuffle(0, *["x"] * (b.type.ndim - 1)) * b
    if b.type.ndim == 1:
        return a * b.dimshuffle(0, *["x"] * (a.type.ndim - 1))
    if a.type.ndim > 3 or b.type.ndim > 3:
        return batched_tensordot(a, b, [[a.type.ndim - 1], [max(1, b.type.ndim - 2)]])
    return _batched_dot(a, b)


@native(name="BatchedTensordot")
def _batched_tensordot(a: Any, b: Any, *, axes: Any) -> Any:
    a, b = alike(a, b)
    letters = iter("bcdefghijklmnopqrstuvwxyz")
    left = ["a", *[next(letters) for _ in range(a.ndim - 1)]]
    right = ["a", *[next(letters) for _ in range(b.ndim - 1)]]
    for i, j in zip(*axes, strict=True):
        right[j] = left[i]
    kept = [
        "a",
        *[x for i, x in enumerate(left) if i and i not in axes[0]],
        *[x for i, x in enumerate(right) if i and i not in axes[1]],
    ]
    return st.einsum(f"{''.join(left)},{''.join(right)}->{''.join(kept)}", a, b)


def batched_tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    """Return `tensordot` of corresponding parts of two stacks (axis 0)."""
    x, y = as_tensor_variable(x), as_tensor_variable(y)
    return _batched_tensordot(x, y, axes=_pairs(axes, (x.type.ndim, y.type.ndim), 1))


def outer(x: Any, y: Any) -> Any:
    """Return the outer product of two tensors, flattened."""
    x, y = as_tensor_variable(x), as_tensor_variable(y)
    x = x if x.type.ndim == 1 else x.flatten()
    y = y if y.type.ndim == 1 else y.flatten()
    return dot(x.dimshuffle(0, "x"), y.dimshuffle("x", 0))


__all__ = [
    "BatchedDot", "Dot", "_dot", "batched_dot", "batched_tensordot", "dot", "outer", "tensordot",
]  # fmt: skip
