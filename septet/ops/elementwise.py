"""Arithmetic, element by element, with broadcasting."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import BOOL, COMPLEX, FLOAT, INTEGER, DType
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.graph.node import CONSTANT, Node
from septet.graph.op import ELEMENTWISE, BadCase, Case, Op, as_node, as_nodes, card, cast_to, function, ops, record
from septet.ops.rules import DTypeRule, arithmetic, broadcasting, check_kinds, floating, numeric, promoting, same_shape
from septet.ops.shaping import zeros_like

PAIRS = [Case((3, 4), (3, 4)), Case((3, 1), (4,)), Case((), (2, 3)), Case((0, 3), (3,))]
BAD_PAIRS = [BadCase((3, 4), (5,), error=ShapeError, match="do not broadcast")]
SINGLES = [Case((3, 4)), Case(()), Case((2, 0, 3))]
BAD_COMPLEX = BadCase(np.ones(2, np.complex64), error=DTypeError, match="is not defined for dtype complex64")
BAD_BOOL = BadCase(np.ones(2, bool), error=DTypeError, match="is not defined for dtype bool")
BAD_BOOLS = BadCase(np.ones(2, bool), np.ones(2, bool), error=DTypeError, match="is not defined for dtype bool")
BAD_COMPLEXES = BadCase(
    np.ones(2), np.ones(2, np.complex64), error=DTypeError, match="is not defined for dtype complex"
)


def _combining(*kinds: int) -> DTypeRule:
    """The inputs are converted to their common type, and only that must be allowed: ``1 - mask`` is an integer."""
    promote = promoting()

    def rule(*given: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
        operands, common = promote(*given)
        check_kinds((common,), kinds)
        return operands, common

    return rule


_numbers = _combining(INTEGER, FLOAT, COMPLEX)
_reals = _combining(INTEGER, FLOAT)
REAL_FLOATING = promoting(BOOL, INTEGER, FLOAT, to_float=True)


def conjugate(x: Node) -> Node:
    """Return the conjugate, without a node where the tensor is real."""
    return conj(x) if dtypes.is_complex(x.dtype) else x


def zero_of(x: Node) -> Node:
    """Return the scalar 0 in a node's dtype."""
    return as_node(0, x.dtype)


def one_of(x: Node) -> Node:
    """Return the scalar 1 in a node's dtype."""
    return as_node(1, x.dtype)


def replace_zero(x: Node) -> Node:
    """Return the tensor with 1 where it is 0, to divide by."""
    return ops.where(ops.equal(x, zero_of(x)), one_of(x), x)


add: Op = card(
    "add", "a b", kind=ELEMENTWISE, summary="Add two tensors.", shape=broadcasting, dtype=arithmetic,
    reference=np.add, gradient=lambda g, y, a, b: (g, g), linear="all", identity=0,
    properties=["commutative", "associative"], operators=["__add__", "__radd__"], cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip

subtract: Op = card(
    "subtract", "a b", kind=ELEMENTWISE, summary="Subtract the second tensor from the first.", shape=broadcasting,
    dtype=_numbers, reference=np.subtract, gradient=lambda g, y, a, b: (g, -g), linear="all", identity=0,
    operators=["__sub__", "__rsub__"], aliases=["sub"], cases=PAIRS,
    bad=[*BAD_PAIRS, BAD_BOOLS],
)  # fmt: skip

multiply: Op = card(
    "multiply", "a b", kind=ELEMENTWISE, summary="Multiply two tensors.", shape=broadcasting, dtype=arithmetic,
    reference=np.multiply, gradient=lambda g, y, a, b: (g * conjugate(b), g * conjugate(a)), linear="each", identity=1,
    properties=["commutative", "associative"], operators=["__mul__", "__rmul__"], aliases=["mul"],
    cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip


def _divide_gradient(g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    share = g / conjugate(b)
    return share, -share * conjugate(y)


divide: Op = card(
    "divide", "a b", kind=ELEMENTWISE, summary="Divide the first tensor by the second; integers become floats.",
    shape=broadcasting, dtype=floating, reference=np.divide,
    gradient=_divide_gradient, identity=1,
    operators=["__truediv__", "__rtruediv__"], aliases=["div", "true_divide"], domain=[(-2.0, 2.0), (0.5, 2.0)],
    cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip


def _zero_gradient(g: Node, y: Node, *inputs: Node) -> tuple[Node, ...]:
    """The gradient of a function that is constant between its steps."""
    return tuple([zeros_like(x) for x in inputs])


def _short_in_float32(reference: Any) -> Any:
    """Compute bfloat16 in float32."""

    def compute(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if a.dtype == dtypes.bfloat16:
            a, b = a.astype(np.float32), b.astype(np.float32)
        return reference(a, b)

    return compute


def _floor_divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Round the quotient down; infinite operands give what the array standard says, where NumPy has NaN or -1."""
    result = np.floor_divide(a, b)
    if dtypes.KIND[result.dtype] != FLOAT:
        return result
    is_infinite = np.isinf(a) | np.isinf(b)
    return np.where(is_infinite, np.floor(np.divide(a, b)), result) if is_infinite.any() else result


def _remainder_gradient(g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    return g, -g * ops.round((a - y) / b)  # a - y is a whole multiple of b


_DIVISION: list[Any] = [(-9.0, 9.0), (0.7, 2.0)]

floor_divide: Op = card(
    "floor_divide", "a b", kind=ELEMENTWISE, summary="Divide and round down to a whole number.",
    notes="An integer divided by zero gives 0, as in NumPy. An infinite operand gives the floor of the quotient: "
    "inf // 2 is inf, 1 // -inf is -0 (NumPy: nan, -1). The gradient is 0.", shape=broadcasting, dtype=_reals,
    reference=_short_in_float32(_floor_divide), gradient=_zero_gradient,
    operators=["__floordiv__", "__rfloordiv__"], domain=_DIVISION, cases=PAIRS,
    bad=[*BAD_PAIRS, BAD_BOOLS, BAD_COMPLEXES],
)  # fmt: skip

remainder: Op = card(
    "remainder", "a b", kind=ELEMENTWISE, summary="Return the remainder of division, with the sign of the divisor.",
    notes="The remainder of an integer divided by zero is 0, as in NumPy.", shape=broadcasting, dtype=_reals,
    reference=_short_in_float32(np.remainder), gradient=_remainder_gradient, operators=["__mod__", "__rmod__"],
    aliases=["mod"], domain=_DIVISION, cases=PAIRS, bad=[*BAD_PAIRS, BAD_BOOLS, BAD_COMPLEXES],
)  # fmt: skip

fmod: Op = card(
    "fmod", "a b", kind=ELEMENTWISE, summary="Return the remainder of division, with the sign of the dividend.",
    notes="The remainder of an integer divided by zero is 0, as in NumPy.", shape=broadcasting, dtype=_reals,
    reference=_short_in_float32(np.fmod), gradient=_remainder_gradient, domain=_DIVISION,
    cases=[*PAIRS, Case((3, 4), (3, 4), domain=[(-9.0, 9.0), (-2.0, -0.7)])],
    bad=[*BAD_PAIRS, BAD_BOOLS, BAD_COMPLEXES],
)  # fmt: skip


def _power(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if dtypes.is_integer(b.dtype) and b.dtype.kind == "i" and b.size and np.any(b < 0):
        raise ArgumentError("an integer cannot be raised to a negative integer power", hint="convert one to a float")
    if dtypes.is_float(a.dtype) and np.any(b == 0.5):
        # Where one 0.5 stands for all, NumPy takes roots, and those of -0.0 and minus infinity are not the powers.
        a = np.where((b == 0.5) & ((a == 0) | (a == -np.inf)), np.abs(a), a)
    return np.power(a, b)


def _power_gradient(g: Node, y: Node, a: Node, b: Node) -> tuple[Any, Any]:
    if b.op is CONSTANT and b.shape == () and not b.flags:  # a fixed exponent, the common case
        assert b.value is not None
        exponent = b.value.item()
        if exponent == 0:
            return zeros_like(a), None
        if exponent == 1:
            return g, None
        return g * conjugate(b * (a if exponent == 2 else power(a, exponent - 1))), None
    slope = b * power(a, ops.where(ops.equal(b, zero_of(b)), one_of(b), b - 1))
    return g * conjugate(slope), g * conjugate(y * ops.log(replace_zero(a)))


power: Op = card(
    "power", "a b", kind=ELEMENTWISE, summary="Raise the first tensor to the power of the second.",
    notes="A negative integer power of integers is an error. The gradient with respect to the exponent is 0 where the "
    "base is 0, and NaN where it is negative.",
    shape=broadcasting, dtype=_numbers, reference=_power, gradient=_power_gradient, gradient_reads=["b"], identity=1,
    properties=["transcendental"], operators=["__pow__", "__rpow__"], aliases=["pow"], domain=[(0.3, 2.0), (-2.0, 2.0)],
    cases=[*PAIRS, Case((3, 4), np.array(3), domain=(-2.0, 2.0)), Case((3,), np.array(0)),
           Case(np.array([0.0, 0.0, 2.0]), np.array([2.0, 3.0, 0.0]), gradient=False)],
    bad=[*BAD_PAIRS, BAD_BOOLS,
         BadCase(np.array([2, 3]), np.array([1, -1]), error=ArgumentError, match="negative integer power")],
)  # fmt: skip

negative: Op = card(
    "negative", "x", kind=ELEMENTWISE, summary="Negate.", shape=same_shape, dtype=numeric, reference=np.negative,
    gradient=lambda g, y, x: (-g,), linear="all", properties=["odd", "involution"], operators=["__neg__"],
    aliases=["neg"], cases=SINGLES, bad=[BAD_BOOL],
)  # fmt: skip

positive: Op = card(
    "positive", "x", kind=ELEMENTWISE, summary="Return the tensor itself.", shape=same_shape, dtype=numeric,
    reference=np.positive, gradient=lambda g, y, x: (g,), linear="all", operators=["__pos__"], cases=SINGLES,
    bad=[BAD_BOOL],
)  # fmt: skip

conj: Op = card(
    "conj", "x", kind=ELEMENTWISE, summary="Conjugate; a real tensor is its own conjugate.", shape=same_shape,
    dtype=arithmetic, reference=lambda x: np.conj(x) if dtypes.is_complex(x.dtype) else x,
    gradient=lambda g, y, x: (conj(g),), tangent=lambda t, y, x: conj(t[0]), properties=["involution"],
    cases=SINGLES,
)  # fmt: skip


def _real_result(x: DType, **_: Any) -> tuple[tuple[DType], DType]:
    return (x,), dtypes.real_of(x)


real: Op = card(
    "real", "x", kind=ELEMENTWISE, summary="Return the real part.", shape=same_shape, dtype=_real_result,
    reference=lambda x: x.real if dtypes.is_complex(x.dtype) else x,
    gradient=lambda g, y, x: (ops.cast(g, dtype=x.dtype),), tangent=lambda t, y, x: real(t[0]), cases=SINGLES,
)  # fmt: skip


def _imag_gradient(g: Node, y: Node, x: Node) -> tuple[Node | None]:
    if not dtypes.is_complex(x.dtype):
        return (None,)
    return (make_complex(zeros_like(g), g),)


imag: Op = card(
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


make_complex: Op = card(
    "complex", "real imag", kind=ELEMENTWISE, summary="Make complex numbers of their real and imaginary parts.",
    shape=broadcasting, dtype=_parts_dtype, reference=_join, gradient=lambda g, y, a, b: (real(g), imag(g)),
    tangent=lambda t, y, a, b: make_complex(
        zeros_like(a) if t[0] is None else t[0], zeros_like(b) if t[1] is None else t[1]
    ),
    cases=PAIRS, bad=[BadCase(np.ones(2, int), np.ones(2, int), error=DTypeError, match="takes float")],
)  # fmt: skip


def _abs_gradient(g: Node, y: Node, x: Node) -> tuple[Node]:
    return (g * sign(x),)


def _abs_tangent(t: Any, y: Node, x: Node) -> Node:
    along = t[0] * conjugate(sign(x))
    return real(along) if dtypes.is_complex(x.dtype) else along


absolute: Op = card(
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


def _sign_gradient(g: Node, y: Node, x: Node) -> tuple[Node]:
    if not dtypes.is_complex(x.dtype):
        return (zeros_like(x),)
    across = g - real(g * conj(y)) * y  # what lies along the direction changes the modulus only
    return (ops.where(ops.equal(x, zero_of(x)), zero_of(x), across / replace_zero(absolute(x))),)


sign: Op = card(
    "sign", "x", kind=ELEMENTWISE, summary="Return -1, 0 or 1; for a complex number x / |x|, and 0 at 0.",
    shape=same_shape, dtype=numeric, reference=_sign, gradient=_sign_gradient,
    tangent=lambda t, y, x: _sign_gradient(t[0], y, x)[0],
    properties=["odd"], cases=SINGLES, bad=[BAD_BOOL],
)  # fmt: skip

square: Op = card(
    "square", "x", kind=ELEMENTWISE, summary="Multiply by itself.", shape=same_shape, dtype=numeric,
    reference=np.square, gradient=lambda g, y, x: (g * (conjugate(x) * 2),), properties=["even"], methods=["square"],
    cases=SINGLES, bad=[BAD_BOOL],
)  # fmt: skip

reciprocal: Op = card(
    "reciprocal", "x", kind=ELEMENTWISE, summary="Return 1 / x.", shape=same_shape, dtype=floating,
    reference=lambda x: np.ones((), x.dtype) / x, gradient=lambda g, y, x: (-g * conjugate(square(y)),),
    properties=["odd", "involution"], domain=(0.5, 2.0), cases=SINGLES,
)  # fmt: skip


def _rounding(name: str, summary: str, reference: Any, *properties: str, operators: tuple[str, ...] = ()) -> Op:
    """Make the card of a rounding op: integers stay, floats become whole numbers."""

    def compute(x: np.ndarray) -> np.ndarray:
        return x if x.dtype.kind in "biu" else reference(x)

    return card(
        name, "x", kind=ELEMENTWISE, summary=summary, shape=same_shape, dtype=promoting(BOOL, INTEGER, FLOAT),
        reference=compute, gradient=_zero_gradient, notes="The gradient is 0.", operators=operators,
        properties=["idempotent", "monotone", *properties], cases=[Case((3, 4), domain=(-5.0, 5.0)), *SINGLES],
        bad=[BAD_COMPLEX],
    )  # fmt: skip


floor: Op = _rounding("floor", "Round down to whole numbers.", np.floor, operators=("__floor__",))
ceil: Op = _rounding("ceil", "Round up to whole numbers.", np.ceil, operators=("__ceil__",))
trunc: Op = _rounding("trunc", "Round towards zero.", np.trunc, "odd", operators=("__trunc__",))


def _round(x: np.ndarray) -> np.ndarray:
    return x if x.dtype.kind in "biu" else np.rint(x)


round_half_even: Op = card(
    "round", "x", kind=ELEMENTWISE, summary="Round to the nearest whole number, halves to the even one.",
    notes="The gradient is 0.", shape=same_shape, dtype=arithmetic, reference=_round, gradient=_zero_gradient,
    properties=["idempotent", "odd"], operators=["__round__"], public=False,
    cases=[Case((3, 4), domain=(-5.0, 5.0)), *SINGLES, Case(np.array([-1.5, -0.5, 0.5, 2.5]), gradient=False)],
    source="IEEE 754-2019, 4.3.1 roundTiesToEven",
)  # fmt: skip


@function(name="round", methods=["round"])
def round_to(x: Any, decimals: int = 0) -> Node:
    """Round to the nearest whole number, or to some decimals; halves to the even digit.

    Parameters
    ----------
    x : tensor
    decimals : int
        Digits after the point; a negative number rounds to tens, hundreds ...

    Returns
    -------
    tensor
        Of the dtype of `x`.

    Gradient
    --------
    0.
    """
    x = as_node(x)
    if not isinstance(decimals, int):
        raise ArgumentError(f"round: decimals is an int, got {decimals!r}")
    is_whole = dtypes.KIND[x.dtype] < FLOAT
    if decimals == 0 or (is_whole and decimals > 0):
        return round_half_even(x)
    scale = 10 ** builtins.abs(decimals)
    if decimals > 0:
        return round_half_even(x * float(scale)) / float(scale)
    if not is_whole:
        return round_half_even(x / float(scale)) * float(scale)
    low = x // scale
    twice = (x - low * scale) * 2
    is_up = ops.logical_or(twice > scale, ops.logical_and(ops.equal(twice, scale), ops.equal(low % 2, 1)))
    return (low + cast_to(is_up, x.dtype)) * scale


def _share(wins: str) -> Any:
    """The gradient of maximum and minimum: to the winner, halves at ties."""

    def gradient(g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
        half, zero = g * 0.5, zero_of(g)
        is_tie, is_first = ops.equal(a, b), getattr(ops, wins)(a, b)
        return (
            ops.where(is_tie, half, ops.where(is_first, g, zero)),
            ops.where(is_tie, half, ops.where(is_first, zero, g)),
        )

    return gradient


maximum: Op = card(
    "maximum", "a b", kind=ELEMENTWISE, summary="Return the larger of two elements; NaN if one is NaN.",
    notes="At ties the gradient is shared evenly.", shape=broadcasting, dtype=promoting(BOOL, INTEGER, FLOAT),
    reference=np.maximum, gradient=_share("greater"), properties=["commutative", "associative", "idempotent"],
    methods=["maximum"], cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip

minimum: Op = card(
    "minimum", "a b", kind=ELEMENTWISE, summary="Return the smaller of two elements; NaN if one is NaN.",
    notes="At ties the gradient is shared evenly.", shape=broadcasting, dtype=promoting(BOOL, INTEGER, FLOAT),
    reference=np.minimum, gradient=_share("less"), properties=["commutative", "associative", "idempotent"],
    methods=["minimum"], cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip


def _hypot_gradient(g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    share = g / replace_zero(y)
    return share * a, share * b


hypot: Op = card(
    "hypot", "a b", kind=ELEMENTWISE, summary="Return sqrt(a^2 + b^2) without overflow on the way.",
    notes="The gradient at (0, 0) is 0.", shape=broadcasting, dtype=REAL_FLOATING,
    reference=np.hypot, gradient=_hypot_gradient, properties=["commutative"], cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip

copysign: Op = card(
    "copysign", "a b", kind=ELEMENTWISE, summary="Give the first tensor the signs of the second.",
    shape=broadcasting, dtype=REAL_FLOATING, reference=np.copysign,
    gradient=lambda g, y, a, b: (g * sign(a) * copysign(one_of(b), b), zeros_like(b)), cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip


def _nextafter(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """As in C, where both are equal the result is `b`; NumPy before 2.5 returned `a` for float16."""
    return np.where(a == b, b, np.nextafter(a, b))


nextafter: Op = card(
    "nextafter", "a b", kind=ELEMENTWISE, summary="Return the next representable number from `a` towards `b`.",
    shape=broadcasting, dtype=promoting(FLOAT), reference=_nextafter, source="IEEE 754-2019, 5.3.1; C17, 7.12.11.3",
    no_gradient="a step between representable numbers is no smooth function", cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip

signbit: Op = card(
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
        The bounds, broadcast; None leaves a side open. Where they cross, `max` wins.

    Returns
    -------
    tensor
        Of the dtype of `x`; float bounds of an integer tensor make it a float.

    Gradient
    --------
    1 inside, 0 outside, shared evenly with a bound that an element is equal to.

    Examples
    --------
    >>> import septet as st
    >>> st.clip(st.tensor([-1.0, 0.5, 3.0]), 0, 1)
    tensor([0. , 0.5, 1. ], dtype=float32)
    """
    x = as_node(x)
    result = x
    if min is not None:
        result = record(maximum, as_nodes((result, min)))
    if max is not None:
        result = record(minimum, as_nodes((result, max)))
    own, found = x.dtype, result.dtype
    return cast_to(result, own) if found is not own and dtypes.KIND[found] == dtypes.KIND[own] else result


@function()
def angle(z: Any) -> Node:
    """Return the argument of complex numbers in radians, in (-pi, pi]."""
    z = as_node(z)
    return ops.atan2(imag(z), real(z))
