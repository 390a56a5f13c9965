"""Logic, bits, and choosing between two tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from septet.base import dtypes
from septet.base.dtypes import INTEGER, DType
from septet.base.errors import DTypeError, ShapeError
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, BadCase, Case, Op, as_node, as_nodes, card, function, ops, record
from septet.ops.elementwise import BAD_PAIRS, PAIRS, SINGLES
from septet.ops.rules import bitwise, broadcasting, logical, promoting, same_shape

_INTS: Any = (0, 7, "int")
_BITS = [
    Case((3, 4), (3, 4), domain=_INTS), Case((3, 1), (4,), domain=_INTS), Case((), (0, 3), domain=_INTS),
    Case(np.array([-5, 3], np.int8), np.array([2, 9], np.int8)),
]  # fmt: skip


def _logical(name: str, summary: str, reference: Callable[..., Any], *properties: str) -> Op:
    return card(
        name, "a b", kind=ELEMENTWISE, summary=summary, notes="Numbers other than 0 count as true.",
        shape=broadcasting, dtype=promoting(result=dtypes.bool_), reference=reference,
        no_gradient="the result is boolean", properties=properties, cases=PAIRS, bad=BAD_PAIRS,
    )  # fmt: skip


logical_and: Op = _logical(
    "logical_and", "Tell where both are true.", np.logical_and, "commutative", "associative", "idempotent"
)
logical_or: Op = _logical(
    "logical_or", "Tell where one or both are true.", np.logical_or, "commutative", "associative", "idempotent"
)
logical_xor: Op = _logical(
    "logical_xor", "Tell where exactly one is true.", np.logical_xor, "commutative", "associative"
)
logical_not: Op = card(
    "logical_not", "x", kind=ELEMENTWISE, summary="Tell where the element is false.", shape=same_shape, dtype=logical,
    reference=np.logical_not, no_gradient="the result is boolean", cases=SINGLES,
)  # fmt: skip


def _bit_op(
    name: str,
    summary: str,
    reference: Callable[..., Any],
    operator: str,
    alias: str,
    *properties: str,
    rule: Any = bitwise,
    **fields: Any,
) -> Op:
    return card(
        name, "a b", kind=ELEMENTWISE, summary=summary, shape=broadcasting, dtype=rule, reference=reference,
        no_gradient="the result is an integer", operators=[f"__{operator}__", f"__r{operator}__"], aliases=[alias],
        properties=properties, cases=_BITS,
        bad=[BadCase((2,), (2,), error=DTypeError, match="is not defined for dtype float64"), *_bad_ints],
        **fields,
    )  # fmt: skip


_bad_ints = [BadCase(np.ones((3, 4), int), np.ones(5, int), error=ShapeError, match="do not broadcast")]
_shifting = promoting(INTEGER)

bitwise_and: Op = _bit_op(
    "bitwise_and", "Return the bits that both have.", np.bitwise_and, "and", "bit_and",
    "commutative", "associative", "idempotent",
)  # fmt: skip
bitwise_or: Op = _bit_op(
    "bitwise_or", "Return the bits that one or both have.", np.bitwise_or, "or", "bit_or",
    "commutative", "associative", "idempotent",
)  # fmt: skip
bitwise_xor: Op = _bit_op(
    "bitwise_xor", "Return the bits that exactly one has.", np.bitwise_xor, "xor", "bit_xor", "commutative",
    "associative",
)  # fmt: skip
bitwise_left_shift: Op = _bit_op(
    "bitwise_left_shift", "Shift bits to the left.", np.left_shift, "lshift", "left_shift", rule=_shifting,
    notes="A shift by the width of the integer or more gives 0.",
)  # fmt: skip
bitwise_right_shift: Op = _bit_op(
    "bitwise_right_shift", "Shift bits to the right; the sign stays.", np.right_shift, "rshift", "right_shift",
    rule=_shifting, notes="A shift by the width of the integer or more gives 0, or -1 for a negative number.",
)  # fmt: skip
bitwise_invert: Op = card(
    "bitwise_invert", "x", kind=ELEMENTWISE, summary="Invert every bit; the logical not of booleans.",
    shape=same_shape, dtype=bitwise, reference=np.invert, no_gradient="the result is an integer",
    properties=["involution"], operators=["__invert__"], aliases=["bitwise_not"],
    cases=[Case((3, 4), domain=_INTS), Case((), domain=_INTS)],
    bad=[BadCase((2,), error=DTypeError, match="takes bool, integer")],
)  # fmt: skip


def _where_dtype(condition: DType, a: DType, b: DType) -> tuple[tuple[DType, ...], DType]:
    if condition != dtypes.bool_:
        raise DTypeError(
            f"the condition must be bool, got {condition.name}", hint="compare first: st.where(x != 0, a, b)"
        )
    common = dtypes.promote(a, b)
    return (condition, common, common), common


def _where_gradient(g: Node, y: Node, condition: Node, a: Node, b: Node) -> tuple[Any, Any, Any]:
    zero = as_node(0, g.dtype)
    return None, where(condition, g, zero), where(condition, zero, g)


def _where_tangent(t: Any, y: Node, condition: Node, a: Node, b: Node) -> Node:
    zero = as_node(0, y.dtype)
    return where(condition, zero if t[1] is None else t[1], zero if t[2] is None else t[2])


where: Op = card(
    "where", "condition a b", kind=ELEMENTWISE, public=False,
    summary="Choose between two tensors, element by element; both are computed.",
    shape=broadcasting, dtype=_where_dtype, reference=np.where, gradient=_where_gradient, tangent=_where_tangent,
    cases=[Case(np.array([[True, False, True]] * 2), (2, 3), (2, 3)), Case(np.array(True), (3,), (2, 1)),
           Case(np.array([True, False]), (2,), ())],
    bad=[BadCase((2,), (2,), (2,), error=DTypeError, match="condition must be bool"),
         BadCase(np.array([True, False]), (3,), (), error=ShapeError, match="do not broadcast")],
)  # fmt: skip


@function(name="where")
def where_of(condition: Any, a: Any, b: Any) -> Node:
    """Choose between two tensors, element by element; both are computed.

    Parameters
    ----------
    condition : tensor of bool
    a, b : tensor or number
        Where the condition is true, and where it is false.

    Returns
    -------
    tensor
        Of the broadcast shape and the common dtype of `a` and `b`.
    """
    if not (type(condition) is type(a) is type(b) is Node):
        condition, (a, b) = as_node(condition), as_nodes((a, b))
    return record(where, (condition, a, b))


@function()
def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Node:
    """Replace NaN and infinities by finite numbers; in complex numbers, in both parts.

    Parameters
    ----------
    x : tensor
    nan, posinf, neginf : float
        The replacements; by default 0 and the largest and smallest number of the dtype.

    Gradient
    --------
    0 where an element was replaced.
    """
    x = as_node(x)
    if dtypes.is_complex(x.dtype):
        return ops.complex(*[nan_to_num(part, nan, posinf, neginf) for part in (ops.real(x), ops.imag(x))])
    if not dtypes.is_float(x.dtype):
        return x
    info = ml_dtypes.finfo(x.dtype)
    high, low = [float(info.max) if posinf is None else posinf, float(info.min) if neginf is None else neginf]
    x = where_of(ops.isnan(x), nan, x)
    return where_of(ops.isinf(x), where_of(x > 0, as_node(high, x.dtype), as_node(low, x.dtype)), x)
