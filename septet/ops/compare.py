"""Comparison, element by element, with boolean results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, Op, as_node, card, function, ops
from septet.ops.elementwise import BAD_PAIRS, PAIRS, SINGLES
from septet.ops.rules import broadcasting, comparing, ordering, promoting, same_shape

_NO_GRADIENT = "the result is boolean"


def _comparison(name: str, summary: str, reference: Callable[..., Any], dtype: Any, *more: str, **fields: Any) -> Op:
    return card(
        name, "a b", kind=ELEMENTWISE, summary=summary, shape=broadcasting, dtype=dtype, reference=reference,
        no_gradient=_NO_GRADIENT, properties=more, cases=PAIRS, bad=BAD_PAIRS, **fields,
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
        reference=reference, no_gradient=_NO_GRADIENT, cases=SINGLES,
    )  # fmt: skip


isnan: Op = _test("isnan", "Tell where elements are NaN.", np.isnan)
isinf: Op = _test("isinf", "Tell where elements are infinite.", np.isinf)
isfinite: Op = _test("isfinite", "Tell where elements are neither NaN nor infinite.", np.isfinite)


@function()
def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Node:
    """Tell where two tensors agree: ``|a - b| <= atol + rtol * |b|``.

    Parameters
    ----------
    a, b : tensor
    rtol, atol : float
        Relative and absolute tolerance.
    equal_nan : bool
        Whether NaN agrees with NaN.
    """
    a, b = as_node(a), as_node(b)
    kind = dtypes.promote(a.dtype, b.dtype)
    if dtypes.KIND[kind] < dtypes.FLOAT:
        kind = dtypes.float64
    a, b = ops.cast(a, dtype=kind), ops.cast(b, dtype=kind)
    near = less_equal(ops.abs(a - b), ops.abs(b) * rtol + atol)
    result = ops.logical_or(equal(a, b), ops.logical_and(near, isfinite(b)))
    if equal_nan:
        result = ops.logical_or(result, ops.logical_and(isnan(a), isnan(b)))
    return result


@function()
def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Node:
    """Tell whether two tensors agree everywhere; see `isclose`."""
    return ops.all(isclose(a, b, rtol, atol, equal_nan))


@function()
def array_equal(a: Any, b: Any) -> Node:
    """Tell whether two tensors have the same shape and equal elements."""
    a, b = as_node(a), as_node(b)
    if a.shape != b.shape:
        return as_node(False)
    return ops.all(equal(a, b))
