"""Arithmetic, element by element, with broadcasting."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import BOOL, COMPLEX, FLOAT, INTEGER, DType
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, BadCase, Case, as_node, card, function, ops
from septet.ops.rules import (
    arithmetic,
    broadcasting,
    check_kinds,
    floating,
    numeric,
    promoting,
    real_numeric,
    same_shape,
)

PAIRS = [Case((3, 4), (3, 4)), Case((3, 1), (4,)), Case((), (2, 3)), Case((0, 3), (3,))]
BAD_PAIRS = [BadCase((3, 4), (5,), error=ShapeError, match="do not broadcast")]
SINGLES = [Case((3, 4)), Case(()), Case((2, 0, 3))]
BAD_COMPLEX = BadCase(np.ones(2, np.complex64), error=DTypeError, match="is not defined for dtype complex64")

add = card(
    "add", "a b", kind=ELEMENTWISE, summary="Add two tensors.", shape=broadcasting, dtype=arithmetic,
    reference=np.add, gradient=lambda g, y, a, b: (g, g), linear="all", identity=0,
    properties=["commutative", "associative"], operators=["__add__", "__radd__"], cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip

subtract = card(
    "subtract", "a b", kind=ELEMENTWISE, summary="Subtract the second tensor from the first.", shape=broadcasting,
    dtype=numeric, reference=np.subtract, gradient=lambda g, y, a, b: (g, -g), linear="all", identity=0,
    operators=["__sub__", "__rsub__"], aliases=["sub"], cases=PAIRS,
    bad=[*BAD_PAIRS, BadCase(np.ones(2, bool), np.ones(2, bool), error=DTypeError, match="dtype bool")],
)  # fmt: skip

multiply = card(
    "multiply", "a b", kind=ELEMENTWISE, summary="Multiply two tensors.", shape=broadcasting, dtype=arithmetic,
    reference=np.multiply, gradient=lambda g, y, a, b: (g * conj(b), g * conj(a)), linear="each", identity=1,
    properties=["commutative", "associative"], operators=["__mul__", "__rmul__"], aliases=["mul"],
    cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip

divide = card(
    "divide", "a b", kind=ELEMENTWISE, summary="Divide the first tensor by the second; integers become floats.",
    shape=broadcasting, dtype=floating, reference=np.divide,
    gradient=lambda g, y, a, b: (g / conj(b), -g * conj(y) / conj(b)), identity=1,
    operators=["__truediv__", "__rtruediv__"], aliases=["div", "true_divide"], domain=[(-2.0, 2.0), (0.5, 2.0)],
    cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip


def _floor_divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.dtype == dtypes.bfloat16:
        return np.floor_divide(a.astype(np.float32), b.astype(np.float32))
    return np.floor_divide(a, b)


def _remainder(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.dtype == dtypes.bfloat16:
        return np.remainder(a.astype(np.float32), b.astype(np.float32))
    return np.remainder(a, b)


floor_divide = card(
    "floor_divide", "a b", kind=ELEMENTWISE, summary="Divide and round down to a whole number.",
    notes="An integer divided by zero gives 0, as in NumPy.", shape=broadcasting, dtype=real_numeric,
    reference=_floor_divide, gradient=lambda g, y, *inputs: (None,) * len(inputs),
    operators=["__floordiv__", "__rfloordiv__"], domain=[(-9.0, 9.0), (0.7, 2.0)], cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip

remainder = card(
    "remainder", "a b", kind=ELEMENTWISE, summary="Return the remainder of division, with the sign of the divisor.",
    shape=broadcasting, dtype=real_numeric, reference=_remainder,
    gradient=lambda g, y, a, b: (g, -g * ops.floor(a / b)), operators=["__mod__", "__rmod__"], aliases=["mod"],
    domain=[(-9.0, 9.0), (0.7, 2.0)], cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip

fmod = card(
    "fmod", "a b", kind=ELEMENTWISE, summary="Return the remainder of division, with the sign of the dividend.",
    shape=broadcasting, dtype=real_numeric, reference=np.fmod,
    gradient=lambda g, y, a, b: (g, -g * ops.trunc(a / b)), domain=[(-9.0, 9.0), (0.7, 2.0)],
    cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip


def _power(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if dtypes.is_integer(b.dtype) and b.size and np.any(b < 0):
        raise ArgumentError("an integer cannot be raised to a negative integer power", hint="convert one to a float")
    return np.power(a, b)


def _power_gradient(g: Node, y: Node, a: Node, b: Node) -> tuple[Any, Any]:
    zero = as_node(0, b.dtype)
    slope = conj(b) * conj(power(a, ops.where(ops.equal(b, zero), as_node(1, b.dtype), b - 1)))
    if b.value is not None and b.type.shape == () and not b.flags:  # a fixed exponent, the common case
        return g * slope, None
    is_safe = (
        ops.not_equal(a, as_node(0, a.dtype)) if dtypes.is_complex(a.dtype) else ops.greater(a, as_node(0, a.dtype))
    )
    logarithm = ops.log(ops.where(is_safe, a, as_node(1, a.dtype)))
    return g * slope, g * conj(y) * conj(logarithm)


power = card(
    "power", "a b", kind=ELEMENTWISE, summary="Raise the first tensor to the power of the second.",
    notes="The gradient with respect to the exponent is 0 where the base is not positive.",
    shape=broadcasting, dtype=numeric, reference=_power, gradient=_power_gradient, identity=1,
    operators=["__pow__", "__rpow__"], aliases=["pow"], domain=[(0.3, 2.0), (-2.0, 2.0)],
    cases=[*PAIRS, Case((3, 4), np.array(3), domain=(-2.0, 2.0)), Case((3,), np.array(0))],
    bad=[*BAD_PAIRS, BadCase(np.ones(2, bool), np.ones(2, bool), error=DTypeError, match="dtype bool")],
)  # fmt: skip

negative = card(
    "negative", "x", kind=ELEMENTWISE, summary="Negate.", shape=same_shape, dtype=numeric, reference=np.negative,
    gradient=lambda g, y, x: (-g,), linear="all", properties=["odd", "involution"], operators=["__neg__"],
    aliases=["neg"], cases=SINGLES, bad=[BadCase(np.ones(2, bool), error=DTypeError, match="dtype bool")],
)  # fmt: skip

positive = card(
    "positive", "x", kind=ELEMENTWISE, summary="Return the tensor itself.", shape=same_shape, dtype=numeric,
    reference=np.positive, gradient=lambda g, y, x: (g,), linear="all", operators=["__pos__"], cases=SINGLES,
    bad=[BadCase(np.ones(2, bool), error=DTypeError, match="dtype bool")],
)  # fmt: skip

conj = card(
    "conj", "x", kind=ELEMENTWISE, summary="Conjugate; a real tensor is its own conjugate.", shape=same_shape,
    dtype=arithmetic, reference=lambda x: np.conj(x) if dtypes.is_complex(x.dtype) else x,
    gradient=lambda g, y, x: (conj(g),), tangent=lambda t, y, x: conj(t[0]), properties=["involution"],
    cases=SINGLES,
)  # fmt: skip


def _real_result(x: DType, **_: Any) -> tuple[tuple[DType], DType]:
    return (x,), dtypes.real_of(x)


real = card(
    "real", "x", kind=ELEMENTWISE, summary="Return the real part.", shape=same_shape, dtype=_real_result,
    reference=lambda x: x.real if dtypes.is_complex(x.dtype) else x,
    gradient=lambda g, y, x: (ops.cast(g, dtype=x.dtype),), tangent=lambda t, y, x: real(t[0]), cases=SINGLES,
)  # fmt: skip


def _imag_gradient(g: Node, y: Node, x: Node) -> tuple[Node | None]:
    if not dtypes.is_complex(x.dtype):
        return (None,)
    return (make_complex(g * 0, g),)


imag = card(
    "imag", "x", kind=ELEMENTWISE, summary="Return the imaginary part.", shape=same_shape, dtype=_real_result,
    reference=lambda x: x.imag if dtypes.is_complex(x.dtype) else np.zeros_like(x), gradient=_imag_gradient,
    tangent=lambda t, y, x: imag(t[0]), cases=SINGLES,
)  # fmt: skip


def _parts_dtype(a: DType, b: DType) -> tuple[tuple[DType, DType], DType]:
    check_kinds((a, b), (FLOAT,))
    common = dtypes.promote(a, b, dtypes.float32)
    return (common, common), dtypes.complex_of(common)


def _join(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    result = np.empty(np.broadcast_shapes(a.shape, b.shape), dtypes.complex_of(a.dtype))
    result.real, result.imag = a, b
    return result


make_complex = card(
    "complex", "real imag", kind=ELEMENTWISE, summary="Make complex numbers of their real and imaginary parts.",
    shape=broadcasting, dtype=_parts_dtype, reference=_join, gradient=lambda g, y, a, b: (real(g), imag(g)),
    tangent=lambda t, y, a, b: make_complex(a * 0 if t[0] is None else t[0], b * 0 if t[1] is None else t[1]),
    cases=PAIRS, bad=[BadCase(np.ones(2, int), np.ones(2, int), error=DTypeError, match="takes float")],
)  # fmt: skip


def _abs_gradient(g: Node, y: Node, x: Node) -> tuple[Node]:
    return (g * sign(x),)


def _abs_tangent(t: Any, y: Node, x: Node) -> Node:
    return real(t[0] * conj(sign(x)))


absolute = card(
    "abs", "x", kind=ELEMENTWISE, summary="Return the absolute value; the modulus of a complex number.",
    notes="The gradient at 0 is 0.", shape=same_shape, dtype=promoting(BOOL, INTEGER, FLOAT, COMPLEX, real=True),
    reference=np.abs, gradient=_abs_gradient, tangent=_abs_tangent, properties=["even", "idempotent"],
    operators=["__abs__"], methods=["abs"], aliases=["absolute"], cases=SINGLES,
)  # fmt: skip


def _sign(x: np.ndarray) -> np.ndarray:
    if dtypes.is_complex(x.dtype):
        size = np.abs(x)
        return np.where(size == 0, 0, x / np.where(size == 0, 1, size))
    return np.sign(x)


def _sign_gradient(g: Node, y: Node, x: Node) -> tuple[Node | None]:
    if not dtypes.is_complex(x.dtype):
        return (None,)
    size = absolute(x)
    safe = ops.where(ops.equal(size, as_node(0, size.dtype)), as_node(1, size.dtype), size)
    return ((g - real(g * conj(y)) * y) / safe,)  # only the part across the direction changes the sign


def _sign_tangent(t: Any, y: Node, x: Node) -> Node:
    return _sign_gradient(t[0], y, x)[0] or x * 0


sign = card(
    "sign", "x", kind=ELEMENTWISE, summary="Return -1, 0 or 1; for a complex number x / |x|, and 0 at 0.",
    shape=same_shape, dtype=numeric, reference=_sign, gradient=_sign_gradient, tangent=_sign_tangent,
    properties=["odd"], cases=SINGLES, bad=[BadCase(np.ones(2, bool), error=DTypeError, match="dtype bool")],
)  # fmt: skip

square = card(
    "square", "x", kind=ELEMENTWISE, summary="Multiply by itself.", shape=same_shape, dtype=numeric,
    reference=np.square, gradient=lambda g, y, x: (g * (conj(x) * 2),), properties=["even"], methods=["square"],
    cases=SINGLES, bad=[BadCase(np.ones(2, bool), error=DTypeError, match="dtype bool")],
)  # fmt: skip

reciprocal = card(
    "reciprocal", "x", kind=ELEMENTWISE, summary="Return 1 / x.", shape=same_shape, dtype=floating,
    reference=lambda x: np.ones((), x.dtype) / x, gradient=lambda g, y, x: (-g * conj(square(y)),),
    properties=["odd", "involution"], domain=(0.5, 2.0), cases=SINGLES,
)  # fmt: skip


def _rounding(name: str, summary: str, reference: Any, *properties: str, operators: tuple[str, ...] = ()) -> Any:
    """Make the card of a rounding op: integers stay, floats become whole numbers."""

    def compute(x: np.ndarray) -> np.ndarray:
        return x if x.dtype.kind in "biu" else reference(x)

    return card(
        name, "x", kind=ELEMENTWISE, summary=summary, shape=same_shape, dtype=promoting(BOOL, INTEGER, FLOAT),
        reference=compute, gradient=lambda g, y, *inputs: (None,) * len(inputs), operators=operators,
        properties=["idempotent", "monotone", *properties], cases=[Case((3, 4), domain=(-5.0, 5.0)), *SINGLES],
        bad=[BAD_COMPLEX],
    )  # fmt: skip


floor = _rounding("floor", "Round down to whole numbers.", np.floor, operators=("__floor__",))
ceil = _rounding("ceil", "Round up to whole numbers.", np.ceil, operators=("__ceil__",))
trunc = _rounding("trunc", "Round towards zero.", np.trunc, "odd", operators=("__trunc__",))


def _round(x: np.ndarray) -> np.ndarray:
    return x if x.dtype.kind in "biu" else np.rint(x)


round_ = card(
    "round", "x", kind=ELEMENTWISE, summary="Round to the nearest whole number, halves to the even one.",
    shape=same_shape, dtype=arithmetic, reference=_round, gradient=lambda g, y, *inputs: (None,) * len(inputs),
    properties=["idempotent", "odd"], methods=["round"], cases=[Case((3, 4), domain=(-5.0, 5.0)), *SINGLES],
    source="IEEE 754-2019, 4.3.1 roundTiesToEven",
)  # fmt: skip


def _share(is_first: str) -> Any:
    """The gradient of maximum and minimum: to the winner, halves at ties."""

    def gradient(g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
        half = g * 0.5
        tie = ops.equal(a, b)
        wins = getattr(ops, is_first)(a, b)
        zero = g * 0
        return ops.where(tie, half, ops.where(wins, g, zero)), ops.where(tie, half, ops.where(wins, zero, g))

    return gradient


maximum = card(
    "maximum", "a b", kind=ELEMENTWISE, summary="Return the larger of two elements; NaN if one is NaN.",
    notes="At ties the gradient is shared evenly.", shape=broadcasting, dtype=promoting(BOOL, INTEGER, FLOAT),
    reference=np.maximum, gradient=_share("greater"), properties=["commutative", "associative", "idempotent"],
    methods=["maximum"], cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip

minimum = card(
    "minimum", "a b", kind=ELEMENTWISE, summary="Return the smaller of two elements; NaN if one is NaN.",
    notes="At ties the gradient is shared evenly.", shape=broadcasting, dtype=promoting(BOOL, INTEGER, FLOAT),
    reference=np.minimum, gradient=_share("less"), properties=["commutative", "associative", "idempotent"],
    methods=["minimum"], cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip


def _hypot_gradient(g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    safe = ops.where(ops.equal(y, as_node(0, y.dtype)), as_node(1, y.dtype), y)
    return g * a / safe, g * b / safe


hypot = card(
    "hypot", "a b", kind=ELEMENTWISE, summary="Return sqrt(a^2 + b^2) without overflow on the way.",
    notes="The gradient at (0, 0) is 0.", shape=broadcasting, dtype=promoting(BOOL, INTEGER, FLOAT, to_float=True),
    reference=np.hypot, gradient=_hypot_gradient, properties=["commutative"], cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip

copysign = card(
    "copysign", "a b", kind=ELEMENTWISE, summary="Give the first tensor the signs of the second.",
    shape=broadcasting, dtype=promoting(BOOL, INTEGER, FLOAT, to_float=True), reference=np.copysign,
    gradient=lambda g, y, a, b: (g * sign(a) * copysign(as_node(1, b.dtype), b), None), cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip

nextafter = card(
    "nextafter", "a b", kind=ELEMENTWISE, summary="Return the next representable number from `a` towards `b`.",
    shape=broadcasting, dtype=promoting(FLOAT), reference=np.nextafter, source="IEEE 754-2019, 5.3.1",
    no_gradient="a step between representable numbers is no smooth function", cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip

signbit = card(
    "signbit", "x", kind=ELEMENTWISE, summary="Tell whether the sign bit is set; so for -0.0 too.", shape=same_shape,
    dtype=promoting(INTEGER, FLOAT, result=dtypes.bool_), reference=np.signbit, no_gradient="the result is boolean",
    cases=SINGLES, bad=[BAD_COMPLEX],
)  # fmt: skip


@function(methods=["clip"])
def clip(x: Any, min: Any = None, max: Any = None) -> Node:
    """Limit the elements to an interval.

    Parameters
    ----------
    x : tensor
        Real.
    min, max : tensor or number, optional
        The bounds, broadcast; None leaves a side open. The dtype stays that of `x`.
    """
    x = as_node(x)
    own = x
    if max is not None:
        x = minimum(x, _bound(max, own))
    if min is not None:
        x = maximum(x, _bound(min, own))
    return x


def _bound(value: Any, x: Node) -> Node:
    return ops.cast(as_node(value, x.dtype), dtype=x.dtype)


@function()
def angle(z: Any) -> Node:
    """Return the argument of complex numbers in radians, in (-pi, pi]."""
    z = as_node(z)
    return ops.atan2(imag(z), real(z))
