"""Comparison, element by element, with boolean results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import NotSupportedError
from septet.base.shapes import Shape
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, OTHER, Case, Op, as_nodes, card, cast_to, function, ops
from septet.ops.elementwise import BAD_COMPLEXES, BAD_PAIRS, PAIRS, SINGLES
from septet.ops.rules import broadcasting, comparing, ordering, promoting, same_shape
from septet.ops.shaping import broadcast_to, sizes_of

_NO_GRADIENT = "the result is boolean"


def _comparison(name: str, summary: str, reference: Callable[..., Any], dtype: Any, *more: str, **fields: Any) -> Op:
    return card(
        name, "a b", kind=ELEMENTWISE, summary=summary, shape=broadcasting, dtype=dtype, reference=reference,
        no_gradient=_NO_GRADIENT, properties=more, cases=[*PAIRS, Case(np.arange(3.0), np.array([2.0, 1.0, 0.0]))],
        bad=BAD_PAIRS if dtype is comparing else [*BAD_PAIRS, BAD_COMPLEXES], **fields,
    )  # fmt: skip


equal: Op = _comparison("equal", "Tell where elements are equal.", np.equal, comparing, "commutative")
not_equal: Op = _comparison("not_equal", "Tell where elements differ.", np.not_equal, comparing, "commutative")
less: Op = _comparison("less", "Tell where a < b.", np.less, ordering, operators=["__lt__"])
less_equal: Op = _comparison("less_equal", "Tell where a <= b.", np.less_equal, ordering, operators=["__le__"])
greater: Op = _comparison("greater", "Tell where a > b.", np.greater, ordering, operators=["__gt__"])
greater_equal: Op = _comparison("greater_equal", "Tell where a >= b.", np.greater_equal, ordering, operators=["__ge__"])


def _test(name: str, summary: str, reference: Callable[..., Any]) -> Op:
    return card(
        name, "x", kind=ELEMENTWISE, summary=summary, shape=same_shape, dtype=promoting(result=dtypes.bool_),
        reference=reference, no_gradient=_NO_GRADIENT, cases=[*SINGLES, Case(np.array([np.nan, np.inf, -np.inf, 1.0]))],
    )  # fmt: skip


isnan: Op = _test("isnan", "Tell where elements are NaN.", np.isnan)
isinf: Op = _test("isinf", "Tell where elements are infinite.", np.isinf)
isfinite: Op = _test("isfinite", "Tell where elements are neither NaN nor infinite.", np.isfinite)


@function()
def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Node:
    """Tell where two tensors agree: ``|a - b| <= atol + rtol * |b|``, or both are the same infinity.

    Parameters
    ----------
    a, b : tensor
        Whole numbers are compared in float64.
    rtol, atol : float
        Relative and absolute tolerance.
    equal_nan : bool
        Whether NaN agrees with NaN.

    Returns
    -------
    tensor of bool
    """
    a, b = as_nodes((a, b))
    common = dtypes.promote(a.dtype, b.dtype)
    if dtypes.KIND[common] < dtypes.FLOAT:
        common = dtypes.float64
    a, b = cast_to(a, common), cast_to(b, common)
    is_near = less_equal(ops.abs(a - b), ops.abs(b) * rtol + atol)
    result = ops.logical_or(equal(a, b), ops.logical_and(is_near, isfinite(b)))
    if equal_nan:
        result = ops.logical_or(result, ops.logical_and(isnan(a), isnan(b)))
    return result


@function()
def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Node:
    """Tell whether two tensors agree everywhere; see `isclose`.

    Parameters
    ----------
    a, b : tensor
    rtol, atol : float
        Relative and absolute tolerance.
    equal_nan : bool
        Whether NaN agrees with NaN.

    Returns
    -------
    scalar tensor of bool
    """
    return ops.all(isclose(a, b, rtol, atol, equal_nan))


# Whole tensors.


def _array_equal_dtype(a: DType, b: DType, equal_nan: bool) -> tuple[tuple[DType, ...], DType]:
    return comparing(a, b)


def _array_equal(a: np.ndarray, b: np.ndarray, equal_nan: bool) -> Any:
    if a.shape != b.shape:
        return False
    same = np.equal(a, b)
    return np.all(same | (np.isnan(a) & np.isnan(b)) if equal_nan else same)


def _batch_array_equal(is_batched: Sequence[bool], a: Node, b: Node, equal_nan: bool) -> Node:
    own: list[Shape] = [x.shape[1:] if mark else x.shape for x, mark in zip((a, b), is_batched, strict=True)]
    if None in own[0] + own[1]:
        raise NotSupportedError(f"array_equal: a batch needs known sizes, got {own[0]} and {own[1]}")
    size = sizes_of(a if is_batched[0] else b)[0]
    if own[0] != own[1]:
        return broadcast_to(False, (size,))
    same = equal(a, b)
    if equal_nan:
        same = ops.logical_or(same, ops.logical_and(isnan(a), isnan(b)))
    return ops.all(same, axis=tuple(range(1, same.ndim)))


array_equal: Op = card(
    "array_equal", "a b", params={"equal_nan": False}, kind=OTHER,
    param_docs={"equal_nan": "Whether NaN is equal to NaN."},
    summary="Tell whether two tensors have the same shape and equal elements.",
    shape=lambda a, b, equal_nan: (), dtype=_array_equal_dtype, reference=_array_equal, no_gradient=_NO_GRADIENT,
    batch=_batch_array_equal,
    cases=[Case((3, 4), (3, 4)), Case((3,), (4,)), Case((), ()), Case((0, 2), (0, 2)),
           Case(np.array([1.0, np.nan]), np.array([1.0, np.nan]), equal_nan=True)],
)  # fmt: skip
