"""Contractions: one primitive, `dot_general`, and the products made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import ArgumentError, ShapeError
from septet.base.shapes import Shape, check_axis
from septet.graph.node import Node
from septet.graph.op import CONTRACTION, REQUIRED, BadCase, Case, as_nodes, card, explain_call, function, ops, record
from septet.graph.types import TensorType
from septet.ops.rules import numeric
from septet.ops.shaping import broadcast_to, reshape, sizes_of, transpose

Axes = tuple[tuple[int, ...], tuple[int, ...]]


def _canonical(types: tuple[TensorType, ...], contracting: Any, batch: Any) -> dict[str, Any]:
    def pair(axes: Any, name: str) -> Axes:
        left, right = axes
        found = (
            tuple(check_axis(axis, types[0].ndim, name) for axis in left),
            tuple(check_axis(axis, types[1].ndim, name) for axis in right),
        )
        if len(found[0]) != len(found[1]):
            raise ArgumentError(f"{name} names {len(found[0])} axes of a but {len(found[1])} of b")
        return found

    contracting, batch = pair(contracting, "contracting"), pair(batch, "batch")
    for side in (0, 1):
        used = (*contracting[side], *batch[side])
        if len(set(used)) != len(used):
            raise ArgumentError(f"an axis of {'ab'[side]} appears twice among contracting and batch axes {used}")
    return {"contracting": contracting, "batch": batch}


def _free(ndim: int, contracting: Sequence[int], batch: Sequence[int]) -> tuple[int, ...]:
    return tuple(axis for axis in range(ndim) if axis not in contracting and axis not in batch)


def _shape(a: Shape, b: Shape, contracting: Axes, batch: Axes) -> Shape:
    for name, (left, right) in (("contracted", contracting), ("batch", batch)):
        for i, j in zip(left, right, strict=True):
            if a[i] != b[j] and a[i] is not None and b[j] is not None:
                raise ShapeError(
                    f"{name} axes differ: axis {i} of a has size {a[i]}, axis {j} of b has size {b[j]}",
                    marks=[(0, i), (1, j)],
                )
    shared = [a[i] if a[i] is not None else b[j] for i, j in zip(*batch, strict=True)]
    left_free = [a[i] for i in _free(len(a), contracting[0], batch[0])]
    right_free = [b[j] for j in _free(len(b), contracting[1], batch[1])]
    return (*shared, *left_free, *right_free)


def _reference(a: np.ndarray, b: np.ndarray, contracting: Axes, batch: Axes) -> np.ndarray:
    for left, right in (contracting, batch):
        for i, j in zip(left, right, strict=True):
            if a.shape[i] != b.shape[j]:
                raise ShapeError(
                    f"axis {i} of a has size {a.shape[i]}, axis {j} of b has size {b.shape[j]}", marks=[(0, i), (1, j)]
                )
    wide = dtypes.accumulator_of(a.dtype)
    if wide != a.dtype:
        a, b = a.astype(wide), b.astype(wide)
    left = _free(a.ndim, contracting[0], batch[0])
    right = _free(b.ndim, contracting[1], batch[1])
    shape = [a.shape[i] for i in (*batch[0], *left)] + [b.shape[j] for j in right]
    inner = int(np.prod([a.shape[i] for i in contracting[0]], dtype=np.int64))
    rows = int(np.prod([a.shape[i] for i in left], dtype=np.int64))
    columns = int(np.prod([b.shape[j] for j in right], dtype=np.int64))
    shared = [a.shape[i] for i in batch[0]]
    x = a.transpose(*batch[0], *left, *contracting[0]).reshape(*shared, rows, inner)
    y = b.transpose(*batch[1], *contracting[1], *right).reshape(*shared, inner, columns)
    return np.matmul(x, y).reshape(shape)


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(axis) for axis in np.argsort(axes))


def _gradient(g: Node, y: Node, a: Node, b: Node, contracting: Axes, batch: Axes) -> tuple[Node, Node]:
    shared = len(batch[0])
    left, right = _free(a.ndim, contracting[0], batch[0]), _free(b.ndim, contracting[1], batch[1])
    batch_axes = tuple(range(shared))
    left_axes = tuple(range(shared, shared + len(left)))
    right_axes = tuple(range(shared + len(left), g.ndim))
    # a: contract g with b over b's free axes; what remains is batch, a's free axes, then the contracted axes in b's order
    by_b = tuple(sorted(range(len(contracting[1])), key=lambda k: contracting[1][k]))
    da = dot_general(g, ops.conj(b), contracting=(right_axes, right), batch=(batch_axes, batch[1]))
    da = transpose(da, axes=_inverse((*batch[0], *left, *[contracting[0][k] for k in by_b])))
    by_a = tuple(sorted(range(len(contracting[0])), key=lambda k: contracting[0][k]))
    db = dot_general(g, ops.conj(a), contracting=(left_axes, left), batch=(batch_axes, batch[0]))
    db = transpose(db, axes=_inverse((*batch[1], *right, *[contracting[1][k] for k in by_a])))
    return da, db


def _batch(is_batched: Sequence[bool], a: Node, b: Node, contracting: Axes, batch: Axes) -> Node:
    move = [1 if flag else 0 for flag in is_batched]
    c = (tuple(i + move[0] for i in contracting[0]), tuple(j + move[1] for j in contracting[1]))
    s = (tuple(i + move[0] for i in batch[0]), tuple(j + move[1] for j in batch[1]))
    if all(is_batched):
        return dot_general(a, b, contracting=c, batch=((0, *s[0]), (0, *s[1])))
    result = dot_general(a, b, contracting=c, batch=s)
    own = len(s[0])  # where the batch axis went: first free axis of its side
    if is_batched[1]:
        own += a.ndim - len(c[0]) - len(s[0])
    axes = (own, *[axis for axis in range(result.ndim) if axis != own])
    return transpose(result, axes=axes) if own else result


dot_general = card(
    "dot_general", "a b", params={"contracting": REQUIRED, "batch": ((), ())}, kind=CONTRACTION, public=False,
    param_docs={"contracting": "Two tuples: the axes of a and of b that are multiplied and summed, pair by pair.",
                "batch": "Two tuples: the axes that both share; they come first in the result."},
    summary="Contract two tensors over pairs of axes.",
    notes="The result's axes are the batch axes, then a's free ones, then b's. The short floats accumulate in float32.",
    canonical=_canonical, shape=_shape, dtype=numeric, reference=_reference, linear="each", gradient=_gradient,
    batch=_batch,
    cases=[Case((3, 4), (4, 5), contracting=((1,), (0,))), Case((2, 3, 4), (2, 4, 5), contracting=((2,), (1,)), batch=((0,), (0,))),
           Case((3, 4, 2), (2, 3, 5), contracting=((0, 2), (1, 0))), Case((3,), (2,), contracting=((), ())),
           Case((0, 4), (4, 2), contracting=((1,), (0,)))],
    bad=[BadCase((3, 4), (5, 2), contracting=((1,), (0,)), error=ShapeError, match="axis 1 of a has size 4"),
         BadCase((3, 4), (4, 2), contracting=((2,), (0,)), error=ArgumentError, match="out of range")],
    tolerance=1e-5,
)  # fmt: skip


def _operands(*values: Any) -> tuple[Node, ...]:
    return as_nodes(values)


@function(methods=["matmul", "__matmul__"])
def matmul(a: Any, b: Any) -> Node:
    """Multiply matrices; leading axes are batches, which broadcast.

    Parameters
    ----------
    a : tensor, (..., M, K) or (K,)
    b : tensor, (..., K, N) or (K,)

    Returns
    -------
    tensor, (..., M, N)
        Without the axis of a vector operand.

    Raises
    ------
    ShapeError
        If the inner sizes differ, the batches do not broadcast, or an operand is a scalar.
    """
    a, b = _operands(a, b)
    if a.ndim == 0 or b.ndim == 0:
        raise _refuse(a, b, "takes tensors with at least one axis, not scalars", [])
    k_a, k_b = a.ndim - 1, max(b.ndim - 2, 0)
    if a.shape[k_a] != b.shape[k_b] and None not in (a.shape[k_a], b.shape[k_b]):
        raise _refuse(
            a, b, f"inner sizes differ: the last axis of a has size {a.shape[k_a]}, axis {k_b} of b has size {b.shape[k_b]}",
            [(0, k_a), (1, k_b)],
        )  # fmt: skip
    if b.ndim <= 2:
        return record(dot_general, (a, b), (((k_a,), (k_b,)), ((), ())))
    if a.ndim == 1:
        y = record(dot_general, (b, a), (((k_b,), (0,)), ((), ())))
        return y
    lead = max(a.ndim, b.ndim) - 2
    a, b = _align(a, b, lead)
    shared = tuple(range(lead))
    return record(dot_general, (a, b), (((lead + 1,), (lead,)), (shared, shared)))


def _align(a: Node, b: Node, lead: int) -> tuple[Node, Node]:
    """Broadcast the leading axes of two stacks of matrices."""
    sizes: list[Any] = []
    own = [(1,) * (lead + 2 - x.ndim) + sizes_of(x) for x in (a, b)]
    for axis in range(lead):
        left, right = own[0][axis], own[1][axis]
        if isinstance(left, int) and isinstance(right, int) and left != right and 1 not in (left, right):
            raise _refuse(a, b, f"the leading axes do not broadcast: size {left} against size {right}",
                          [(0, axis - lead + a.ndim - 2), (1, axis - lead + b.ndim - 2)])  # fmt: skip
        sizes.append(right if isinstance(left, int) and left == 1 else left)
    result = []
    for x, mine in zip((a, b), own, strict=True):
        x = reshape(x, mine) if x.ndim < lead + 2 else x
        result.append(broadcast_to(x, (*sizes, *mine[lead:])))
    return result[0], result[1]


def _refuse(a: Node, b: Node, message: str, marks: list[tuple[int, int]]) -> Exception:
    error = ShapeError(
        message, marks=marks, hint="transpose or reshape an operand; matmul(a, b) takes (..., M, K) and (..., K, N)"
    )
    return explain_call(error, "matmul", ("a", "b"), (a, b))


@function()
def tensordot(a: Any, b: Any, axes: Any = 2) -> Node:
    """Contract the last axes of `a` with the first of `b`, or any pairs of axes.

    Parameters
    ----------
    a, b : tensor
    axes : int or (sequence of int, sequence of int)
        How many axes, or which of `a` with which of `b`.
    """
    a, b = _operands(a, b)
    if isinstance(axes, int):
        if axes < 0 or axes > min(a.ndim, b.ndim):
            raise ArgumentError(f"tensordot: axes={axes} for tensors of rank {a.ndim} and {b.ndim}")
        pairs: Any = (tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes)))
    else:
        pairs = tuple((axis,) if isinstance(axis, int) else tuple(axis) for axis in axes)
    return dot_general(a, b, contracting=pairs)


@function()
def vecdot(x1: Any, x2: Any, axis: int = -1) -> Node:
    """Return the inner product along an axis; the first operand is conjugated, other axes broadcast."""
    a, b = _operands(x1, x2)
    ndim = max(a.ndim, b.ndim)
    if a.ndim == 0 or b.ndim == 0 or a.shape[axis] != b.shape[axis] and None not in (a.shape[axis], b.shape[axis]):
        raise explain_call(
            ShapeError(f"the sizes on axis {axis} differ", marks=[(0, axis), (1, axis)] if a.ndim and b.ndim else []),
            "vecdot", ("x1", "x2"), (a, b),
        )  # fmt: skip
    product = ops.multiply(ops.conj(a), b)
    return ops.cast(ops.sum(product, axis=(axis % ndim,)), dtype=product.dtype)


@function()
def dot(a: Any, b: Any) -> Node:
    """Multiply as ``numpy.dot``: the last axis of `a` with the second to last of `b`; scalars multiply."""
    a, b = _operands(a, b)
    if a.ndim == 0 or b.ndim == 0:
        return ops.multiply(a, b)
    return dot_general(a, b, contracting=((a.ndim - 1,), (max(b.ndim - 2, 0),)))


@function()
def outer(a: Any, b: Any) -> Node:
    """Return every product of an element of `a` with one of `b`, both flattened."""
    a, b = _operands(a, b)
    return dot_general(reshape(a, (-1,)), reshape(b, (-1,)), contracting=((), ()))


@function()
def inner(a: Any, b: Any) -> Node:
    """Contract the last axes of two tensors."""
    a, b = _operands(a, b)
    if a.ndim == 0 or b.ndim == 0:
        return ops.multiply(a, b)
    return dot_general(a, b, contracting=((a.ndim - 1,), (b.ndim - 1,)))
