"""Contractions: one primitive, `dot_general`, and the products made of it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, AxisError, DTypeError, ShapeError
from septet.base.shapes import Shape, check_axis
from septet.graph.node import Node
from septet.graph.op import (
    CONTRACTION,
    REQUIRED,
    BadCase,
    Case,
    Op,
    as_node,
    as_nodes,
    card,
    cast_to,
    explain_call,
    function,
    ops,
    record,
)
from septet.graph.types import TensorType
from septet.ops.reduce import conj
from septet.ops.shaping import reshape, sizes_of, transpose

Axes = tuple[tuple[int, ...], tuple[int, ...]]


def _canonical(types: tuple[TensorType, ...], contracting: Any, batch: Any) -> dict[str, Any]:
    def pair(axes: Any, name: str) -> Axes:
        try:
            left, right = (tuple(side) for side in axes)
        except (TypeError, ValueError):
            raise ArgumentError(f"{name} must be two tuples, the axes of a and those of b, got {axes!r}") from None
        found = (
            tuple(check_axis(axis, types[0].ndim, name) for axis in left),
            tuple(check_axis(axis, types[1].ndim, name) for axis in right),
        )
        if len(found[0]) != len(found[1]):
            raise ArgumentError(f"{name} names {len(found[0])} axes of a but {len(found[1])} of b")
        return found

    contracting, batch = pair(contracting, "contracting"), pair(batch, "batch")
    if len(contracting[0]) > 1:  # the order of the pairs means nothing: one spelling
        pairs = sorted(zip(*contracting, strict=True))
        contracting = (tuple([i for i, _ in pairs]), tuple([j for _, j in pairs]))
    for side in (0, 1):
        used = (*contracting[side], *batch[side])
        if len(set(used)) != len(used):
            raise ArgumentError(f"an axis of {'ab'[side]} appears twice among contracting and batch axes {used}")
    return {"contracting": contracting, "batch": batch}


def _dtype(a: DType, b: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    common = dtypes.promote(a, b)
    if common == dtypes.bool_:
        raise DTypeError(
            "is not defined for dtype bool: one of the two must hold numbers", hint="convert with x.astype(dtype)"
        )
    return (common, common), common


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
    # contract g with b over b's free axes: what is left is batch, a's free axes, and the contracted ones in b's order
    by_b = sorted(range(len(contracting[1])), key=lambda k: contracting[1][k])
    by_a = sorted(range(len(contracting[0])), key=lambda k: contracting[0][k])
    da = _contracted(
        g, conj(b), right_axes, right, (batch_axes, batch[1]), batch[0], left, [contracting[0][k] for k in by_b]
    )
    db = _contracted(
        g, conj(a), left_axes, left, (batch_axes, batch[0]), batch[1], right, [contracting[1][k] for k in by_a]
    )
    return da, db


def _contracted(
    g: Node, other: Node, g_axes: tuple[int, ...], other_axes: tuple[int, ...], batch: Axes, first: Sequence[int],
    own: Sequence[int], summed: Sequence[int],
) -> Node:  # fmt: skip
    """Return a gradient of a product: of its axes, those of g and those of the other operand are given. Which operand
    comes first is for the axes to be in order, where that is possible: then nothing needs to be transposed."""
    places, swapped = [*first, *own, *summed], [*first, *summed, *own]
    if places != sorted(places) and swapped == sorted(swapped):
        return dot_general(other, g, contracting=(other_axes, g_axes), batch=batch[::-1])
    result = dot_general(g, other, contracting=(g_axes, other_axes), batch=batch)
    return result if places == sorted(places) else transpose(result, axes=_inverse(places))


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


dot_general: Op = card(
    "dot_general", "a b", params={"contracting": REQUIRED, "batch": ((), ())}, kind=CONTRACTION, public=False,
    param_docs={"contracting": "Two tuples: the axes of a and of b that are multiplied and summed, pair by pair.",
                "batch": "Two tuples: the axes that both share; they come first in the result."},
    summary="Contract two tensors over pairs of axes.",
    notes="The result's axes are the batch axes, then a's free ones, then b's. The short floats accumulate in float32.",
    canonical=_canonical, shape=_shape, dtype=_dtype, reference=_reference, linear="each", gradient=_gradient,
    batch=_batch,
    cases=[Case((3, 4), (4, 5), contracting=((1,), (0,))),
           Case((2, 3, 4), (2, 4, 5), contracting=((2,), (1,)), batch=((0,), (0,))),
           Case((3, 4, 2), (2, 3, 5), contracting=((0, 2), (1, 0))), Case((3,), (2,), contracting=((), ())),
           Case((0, 4), (4, 2), contracting=((1,), (0,))), Case((2, 0), (0, 3), contracting=((1,), (0,))),
           Case((2, 3, 2), (3, 2, 2), contracting=((1,), (0,)), batch=((2, 0), (1, 2))),
           Case((), (2,), contracting=((), ()))],
    bad=[BadCase((3, 4), (5, 2), contracting=((1,), (0,)), error=ShapeError, match="axis 1 of a has size 4"),
         BadCase((3, 4), (4, 2), contracting=((2,), (0,)), error=AxisError, match="out of range"),
         BadCase((3, 4), (4, 2), contracting=((0, 1), (0,)), error=ArgumentError, match="names 2 axes of a but 1 of b"),
         BadCase((3, 3), (3, 3), contracting=((1,), (0,)), batch=((1,), (1,)), error=ArgumentError,
                 match="appears twice"),
         BadCase((3, 4), (4, 2), contracting=1, error=ArgumentError, match="must be two tuples"),
         BadCase(np.ones(2, bool), np.ones(2, bool), contracting=((0,), (0,)), error=DTypeError, match="dtype bool")],
    tolerance=1e-5,
    flops=lambda y, a, b, contracting, batch: 2 * math.prod(y) * math.prod(a[axis] for axis in contracting[0]),
)  # fmt: skip


# Contraction by labels: what all the functions are made of

Labels = tuple[Hashable, ...]


def arrange(x: Node, labels: Labels, order: Labels) -> Node:
    """Bring axes into another order, with axes of size 1 for the labels of the order that x has not."""
    own = [labels.index(label) for label in order if label in labels]
    if own != list(range(x.ndim)):
        x = transpose(x, axes=tuple(own))
    if len(own) == len(order):
        return x
    sizes = iter(sizes_of(x))
    return reshape(x, tuple(next(sizes) if label in labels else 1 for label in order))


def drop_ones(x: Node, labels: Labels, sizes: dict[Hashable, Any]) -> tuple[Node, Labels]:
    """Take away the axes of size 1 which broadcast, because their label has another size elsewhere."""
    kept = [i for i, label in enumerate(labels) if not (x.shape[i] == 1 and sizes[label] != 1)]
    if len(kept) == len(labels):
        return x, labels
    own = sizes_of(x)
    return reshape(x, tuple(own[i] for i in kept)), tuple(labels[i] for i in kept)


def contract(a: Node, a_labels: Labels, b: Node, b_labels: Labels, out: Labels) -> tuple[Node, Labels]:
    """Multiply two tensors and sum over the labels that both have and the result has not.

    Parameters
    ----------
    a, b : Node
    a_labels, b_labels : tuple
        One label for each axis, each once; equal labels have equal sizes.
    out : tuple
        The labels of the result, in the order in which they are wanted. A label of one tensor alone is always kept.

    Returns
    -------
    (Node, tuple)
        The result and the labels of its axes, in the wanted order if that costs nothing.
    """
    is_swapped, axes, order = _pairing(a_labels, b_labels, out)
    if axes is None:
        return ops.multiply(arrange(a, a_labels, order), arrange(b, b_labels, order)), order
    return record(dot_general, (b, a) if is_swapped else (a, b), axes), order


@lru_cache(maxsize=4096)
def _pairing(a_labels: Labels, b_labels: Labels, out: Labels) -> tuple[bool, tuple[Axes, Axes] | None, Labels]:
    """Return whether to exchange the operands, the parameters (None: nothing is summed), the labels of the result."""
    shared = [label for label in a_labels if label in b_labels]
    batch = tuple(label for label in out if label in shared)
    summed = tuple(label for label in shared if label not in batch)
    left, right = (tuple(label for label in labels if label not in shared) for labels in (a_labels, b_labels))
    order = (*batch, *left, *right)
    if not summed:
        return False, None, out if set(out) == set(order) else order
    is_swapped = bool(left and right) and out == (*batch, *right, *left)
    if is_swapped:
        a_labels, b_labels, order = b_labels, a_labels, out
    pairs, stacks = (
        (tuple(a_labels.index(label) for label in labels), tuple(b_labels.index(label) for label in labels))
        for labels in (summed, batch)
    )
    return is_swapped, (pairs, stacks), order


def contract_to(a: Node, a_labels: Labels, b: Node, b_labels: Labels, out: Labels) -> Node:
    """Contract as `contract` does, after broadcasting axes of size 1, to exactly the wanted order."""
    sizes: dict[Hashable, Any] = {}
    for x, labels in ((a, a_labels), (b, b_labels)):
        for label, size in zip(labels, x.shape, strict=True):
            if sizes.get(label, 1) == 1:
                sizes[label] = size
    a, a_labels = drop_ones(a, a_labels, sizes)
    b, b_labels = drop_ones(b, b_labels, sizes)
    return arrange(*contract(a, a_labels, b, b_labels, out), out)


def _differ(size: int | None, other: int | None) -> bool:
    return size != other and size is not None and other is not None


def _check_stacks(
    name: str, a: Node, b: Node, a_axes: Sequence[int], b_axes: Sequence[int], names: Sequence[str]
) -> None:
    """Refuse leading axes that do not broadcast."""
    for i, j in zip(reversed(a_axes), reversed(b_axes)):
        if _differ(a.shape[i], b.shape[j]) and 1 not in (a.shape[i], b.shape[j]):
            error = ShapeError(
                f"the leading axes do not broadcast: axis {i} of {names[0]} has size {a.shape[i]}, "
                f"axis {j} of {names[1]} has size {b.shape[j]}",
                marks=[(0, i), (1, j)],
                hint="two leading sizes must be equal, or one of them 1",
            )
            raise explain_call(error, name, names, (a, b))


_MATRICES = (((1,), (0,)), ((), ()))


@function(methods=["matmul", "__matmul__", "__rmatmul__"])
def matmul(a: Any, b: Any, /) -> Node:
    """Multiply matrices; leading axes are stacks, which broadcast.

    Parameters
    ----------
    a, b : tensor
        Of rank 1 or more; a vector counts as a row on the left and as a column on the right.

    Shape
    -----
    a (..., M, K), b (..., K, N), result (..., M, N); without M where a is a vector, without N where b is.

    Dtype
    -----
    The common type of both; the short floats are summed in float32, integers wrap around.

    Raises
    ------
    ShapeError
        If the inner sizes differ, the stacks do not broadcast, or an operand is a scalar.

    Gradient
    --------
    ``g @ b.mT`` and ``a.mT @ g``, summed over what was broadcast.

    Source
    ------
    Array API standard, ``matmul``.

    Examples
    --------
    >>> import septet as st
    >>> st.matmul(st.asarray([[1, 2], [3, 4]]), st.asarray([1, 1])).tolist()
    [3, 7]
    """
    a, b = as_nodes((a, b))
    rank_a, rank_b = a.ndim, b.ndim
    if rank_a == 2 and rank_b == 2 and a.shape[1] == b.shape[0] is not None:  # the usual case first
        return record(dot_general, (a, b), _MATRICES)
    if rank_a == 0 or rank_b == 0:
        error = ShapeError(
            "takes matrices, stacks of matrices and vectors, not scalars", hint="a * b multiplies by a scalar"
        )
        raise explain_call(error, "matmul", ("a", "b"), (a, b))
    inner_a, inner_b = rank_a - 1, max(rank_b - 2, 0)
    if _differ(a.shape[inner_a], b.shape[inner_b]):
        raise _inner_mismatch(a, b, inner_a, inner_b)
    lead = max(rank_a, rank_b) - 2
    if rank_b <= 2:
        return record(dot_general, (a, b), (((inner_a,), (inner_b,)), ((), ())))
    if rank_a == rank_b and a.shape[:-2] == b.shape[:-2]:
        stack = tuple(range(lead))
        return record(dot_general, (a, b), (((inner_a,), (inner_b,)), (stack, stack)))
    if rank_a == 1:
        return record(dot_general, (b, a), (((inner_b,), (0,)), ((), ())))
    _check_stacks("matmul", a, b, range(rank_a - 2), range(rank_b - 2), ("a", "b"))
    stacks = tuple(range(lead))
    return contract_to(
        a, (*stacks[lead + 2 - rank_a :], "M", "K"), b, (*stacks[lead + 2 - rank_b :], "K", "N"), (*stacks, "M", "N")
    )


def _inner_mismatch(a: Node, b: Node, inner_a: int, inner_b: int) -> Exception:
    """Say which sizes differ, and what would make them fit."""
    side = "second to last axis" if b.ndim > 1 else "only axis"
    error = ShapeError(
        f"the last axis of a, of size {a.shape[inner_a]}, must match the {side} of b, of size {b.shape[inner_b]}",
        marks=[(0, inner_a), (1, inner_b)],
        hint="matmul(a, b) takes (..., M, K) and (..., K, N); x.mT exchanges the last two axes",
    )
    if b.ndim > 1 and a.shape[-1] == b.shape[-1]:
        error.hint = "a @ b.mT would fit"
    elif a.ndim > 1 and a.shape[-2] == b.shape[inner_b]:
        error.hint = "a.mT @ b would fit"
    return explain_call(error, "matmul", ("a", "b"), (a, b))


def _reflected(b: Node, a: Any) -> Node:
    return matmul(a, b)


for _name, _method in (("__matmul__", matmul), ("__rmatmul__", _reflected)):
    setattr(Node, _name, _method)


@function("bmm")
def batch_matmul(a: Any, b: Any, /) -> Node:
    """Multiply two stacks of matrices of the same number, one by one; nothing broadcasts.

    Shape
    -----
    a (B, M, K), b (B, K, N), result (B, M, N).

    Raises
    ------
    ShapeError
        If a rank is not 3, or B or K differ.
    """
    a, b = as_nodes((a, b))
    if a.ndim != 3 or b.ndim != 3:
        error = ShapeError(
            f"takes two tensors of rank 3, got rank {a.ndim} and rank {b.ndim}", hint="matmul takes any ranks"
        )
        raise explain_call(error, "batch_matmul", ("a", "b"), (a, b))
    if _differ(a.shape[2], b.shape[1]) or _differ(a.shape[0], b.shape[0]):
        axes = (2, 1) if _differ(a.shape[2], b.shape[1]) else (0, 0)
        error = ShapeError(
            f"axis {axes[0]} of a has size {a.shape[axes[0]]}, axis {axes[1]} of b has size {b.shape[axes[1]]}",
            marks=[(0, axes[0]), (1, axes[1])],
        )
        raise explain_call(error, "batch_matmul", ("a", "b"), (a, b))
    return record(dot_general, (a, b), (((2,), (1,)), ((0,), (0,))))


@function()
def tensordot(a: Any, b: Any, /, axes: Any = 2) -> Node:
    """Contract the last axes of `a` with the first ones of `b`, or any pairs of axes.

    Parameters
    ----------
    a, b : tensor
    axes : int or (sequence of int, sequence of int)
        How many axes, or which of `a` with which of `b`.

    Shape
    -----
    The axes of `a` that are left, then those of `b`.

    Source
    ------
    Array API standard, ``tensordot``.
    """
    a, b = as_nodes((a, b))
    if isinstance(axes, (int, np.integer)) and not isinstance(axes, bool):
        if not 0 <= axes <= min(a.ndim, b.ndim):
            error: Exception = ArgumentError(f"axes={axes} axes of tensors of rank {a.ndim} and {b.ndim}")
            raise explain_call(error, "tensordot", ("a", "b"), (a, b))  # type: ignore[arg-type]
        pairs: Any = (tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes)))
    else:
        pairs = tuple((axis,) if isinstance(axis, (int, np.integer)) else tuple(axis) for axis in axes)
    return dot_general(a, b, contracting=pairs)


@function()
def vecdot(x1: Any, x2: Any, /, axis: int = -1) -> Node:
    """Return the inner products along an axis; the first operand is conjugated, the other axes broadcast.

    Parameters
    ----------
    x1, x2 : tensor
    axis : int
        Counted from the end (negative) in both; a positive one needs equal ranks.

    Shape
    -----
    The broadcast shape without the axis.

    Source
    ------
    Array API standard, ``vecdot``.
    """
    a, b = as_nodes((x1, x2))
    names = ("x1", "x2")
    if axis >= 0 and a.ndim != b.ndim:
        error: Any = ArgumentError(f"axis={axis} must count from the end for tensors of ranks {a.ndim} and {b.ndim}")
        raise explain_call(error, "vecdot", names, (a, b))
    try:
        i, j = check_axis(axis, a.ndim), check_axis(axis, b.ndim)
    except ArgumentError as problem:
        raise explain_call(problem, "vecdot", names, (a, b)) from None
    if _differ(a.shape[i], b.shape[j]):
        error = ShapeError(
            f"axis {i} of x1 has size {a.shape[i]}, axis {j} of x2 has size {b.shape[j]}", marks=[(0, i), (1, j)]
        )
        raise explain_call(error, "vecdot", names, (a, b))
    rank = max(a.ndim, b.ndim)
    a_axes, b_axes = ([k for k in range(x.ndim) if k != at] for x, at in ((a, i), (b, j)))
    _check_stacks("vecdot", a, b, a_axes, b_axes, names)
    stacks = tuple(range(rank - 1))
    labels = []
    for x, at in ((a, i), (b, j)):
        own: list[Hashable] = list(stacks[rank - x.ndim :])
        own.insert(at, "K")
        labels.append(tuple(own))
    return contract_to(conj(a), labels[0], b, labels[1], stacks)


@function(methods=["dot"])
def dot(a: Any, b: Any, /) -> Node:
    """Contract the last axis of `a` with the second to last (or only) axis of `b`; multiply by a scalar.

    Shape
    -----
    a (..., K), b (..., K, N), result: the leading axes of `a`, then those of `b`, then N.

    Source
    ------
    NumPy, ``dot``.
    """
    a, b = as_nodes((a, b))
    if a.ndim == 0 or b.ndim == 0:
        return ops.multiply(a, b)
    return dot_general(a, b, contracting=((a.ndim - 1,), (max(b.ndim - 2, 0),)))


@function()
def vdot(a: Any, b: Any, /) -> Node:
    """Return the inner product of two flattened tensors, the first one conjugated."""
    a, b = as_nodes((a, b))
    return dot_general(reshape(conj(a), (-1,)), reshape(b, (-1,)), contracting=((0,), (0,)))


@function()
def inner(a: Any, b: Any, /) -> Node:
    """Contract the last axes of two tensors; multiply by a scalar.

    Shape
    -----
    a (..., K), b (..., K), result: the leading axes of `a`, then those of `b`.
    """
    a, b = as_nodes((a, b))
    if a.ndim == 0 or b.ndim == 0:
        return ops.multiply(a, b)
    return dot_general(a, b, contracting=((a.ndim - 1,), (b.ndim - 1,)))


@function()
def outer(a: Any, b: Any, /) -> Node:
    """Return every product of an element of `a` with one of `b`, both flattened.

    Shape
    -----
    a of M elements, b of N, result (M, N).
    """
    a, b = as_nodes((a, b))
    return ops.multiply(reshape(a, (-1, 1)), reshape(b, (1, -1)))


@function()
def kron(a: Any, b: Any, /) -> Node:
    """Return the Kronecker product: every element of `a`, times all of `b`.

    Shape
    -----
    The sizes are the products of the sizes; the shorter shape gets axes of size 1 in front.
    """
    a, b = as_nodes((a, b))
    rank = max(a.ndim, b.ndim)
    left, right = ((1,) * (rank - x.ndim) + sizes_of(x) for x in (a, b))
    a = reshape(a, tuple(size for own in left for size in (own, 1)))
    b = reshape(b, tuple(size for own in right for size in (1, own)))
    return reshape(ops.multiply(a, b), tuple(p * q for p, q in zip(left, right, strict=True)))


@function()
def bilinear(a: Any, b: Any, weight: Any, bias: Any = None) -> Node:
    """Return ``a^T W b`` for each of several matrices W, plus a bias.

    Parameters
    ----------
    a, b, weight : tensor
    bias : tensor, optional

    Shape
    -----
    a (..., I), b (..., J), weight (O, I, J), bias (O,), result (..., O).
    """
    a, b, weight = as_nodes((a, b, weight))
    names = ("a", "b", "weight")
    if weight.ndim != 3 or not a.ndim or not b.ndim:
        error = ShapeError(f"takes weights of rank 3 and vectors, got ranks {weight.ndim}, {a.ndim} and {b.ndim}")
        raise explain_call(error, "bilinear", names, (a, b, weight))
    for position, x in enumerate((a, b)):
        if _differ(x.shape[-1], weight.shape[position + 1]):
            error = ShapeError(
                f"the last axis of {names[position]} has size {x.shape[-1]}, axis {position + 1} of weight has size "
                f"{weight.shape[position + 1]}",
                marks=[(position, x.ndim - 1), (2, position + 1)],
            )
            raise explain_call(error, "bilinear", names, (a, b, weight))
    half = dot_general(a, weight, contracting=((a.ndim - 1,), (1,)))  # (..., O, J)
    sizes = sizes_of(b)
    result = matmul(half, reshape(b, (*sizes, 1)))  # (..., O, 1)
    result = reshape(result, sizes_of(result)[:-1])
    return result if bias is None else ops.add(result, cast_to(as_node(bias), result.dtype))
