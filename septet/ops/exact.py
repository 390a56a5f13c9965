"""Functions of random numbers that are the same to the last bit wherever they are computed.

The same seed gives the same numbers on every backend. The bits of a draw are integers, so they agree by themselves;
but NumPy's logarithm and that of native code differ in last bits, and so would what is made with them. The functions of
this file use only operations that IEEE 754 rounds in one way: sums, differences, products, quotients, square roots,
comparisons, conversions, and operations on bits; never a fused multiply-add. Each is written once, and runs on arrays
(`Arrays`) as well as on values of native code: so every backend does the same operations in the same order.

The coefficients belong to the promise. To change one is to change the numbers that a seed gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import DTypeError
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, BadCase, Case, Op, card, ops
from septet.ops.elementwise import BAD_COMPLEX, SINGLES, square
from septet.ops.rules import broadcasting, real_floating, same_shape
from septet.ops.shaping import broadcast_to, sizes_of

Number = Any
"""An array, or a value of native code: both have Python's operators. Shifts to the right fill with zeros."""


class Format(NamedTuple):
    """A format of floats.

    Attributes
    ----------
    places : int
        Bits of the fraction.
    bias : float
        Of the exponent.
    smallest : float
        The smallest normal number.
    one, half_root, fraction : int
        The bits of 1 and of sqrt(1/2), and those of all fractions.
    ln2 : tuple of two floats
        ln 2 in two parts, the first so short that its products with exponents are exact. Source: fdlibm, e_log.c.
    """

    places: int
    bias: float
    smallest: float
    one: int
    half_root: int
    fraction: int
    ln2: tuple[float, float]


SINGLE = Format(23, 127.0, 2.0**-126, 0x3F800000, 0x3F3504F3, (1 << 23) - 1, (0.693145751953125, 1.428606765330187e-06))
DOUBLE = Format(
    52, 1023.0, 2.0**-1022, 0x3FF0000000000000, 0x3FE6A09E667F3BCD, (1 << 52) - 1,
    (6.93147180369123816490e-01, 1.90821492927058770002e-10),
)  # fmt: skip
LOW_WORD = 0xFFFFFFFF
LOG2_E = 1.4426950408889634
ROUNDER = 1.5 * 2.0**52  # added to a double, it rounds to a whole number, which then stands in the low bits

# Lowest power first. Where nothing else is said, they are minimax polynomials of our own, with the relative
# error given.

# log(1 + f) = f + f**2 p(f), sqrt(1/2) <= 1 + f <= sqrt(2): 2**-27.8
LOG_SINGLE = (
    -0.49999988079071045, 0.33333325386047363, -0.2500160038471222, 0.2000199854373932, -0.1660873293876648,
    0.14181211590766907, -0.13245077431201935, 0.129088893532753, -0.07622314244508743,
)  # fmt: skip
# 2 artanh(s) = 2 s + s**3 p(s**2), |s| <= (sqrt(2) - 1) / (sqrt(2) + 1): 2**-59.5
LOG_DOUBLE = (
    0.6666666666666735, 0.3999999999940827, 0.28571428744087357, 0.22222198376668337, 0.1818357547674856,
    0.15313744948779237, 0.14799185339117035,
)  # fmt: skip
# sin(2 pi r) = r p(r**2), |r| <= 1/4: 2**-27.5 and 2**-61.8 before 2 pi is rounded
SINE_SINGLE = (6.2831854820251465, -41.34172058105469, 81.60464477539062, -76.62532043457031, 40.06233596801758)
SINE_DOUBLE = (
    6.283185307179586, -41.34170224039958, 81.6052492760347, -76.70585974901505, 42.05869372675374, -15.094635778759605,
    3.8198281274087953, -0.7168327028980148, 0.09754660370848454,
)  # fmt: skip
# e**r = 1 + r + r**2 p(r), |r| <= ln(2) / 2: 2**-61.5
EXP_DOUBLE = (
    0.5, 0.16666666666666677, 0.041666666666666616, 0.008333333333321454, 0.0013888888888919997, 0.0001984126988652272,
    2.4801587245163852e-05, 2.755724384294865e-06, 2.755734640002451e-07, 2.510915680798524e-08, 2.089147767320429e-09,
)  # fmt: skip
# erf(x) = x + x p(x**2), |x| <= 0.875: 2**-56.3
ERF_DOUBLE = (
    0.1283791670955126, -0.37612638903183904, 0.11283791670959441, -0.026866170645636418, 0.005223977628155424,
    -0.0008548327067224894, 0.00012055330495585783, -1.4925485035937104e-05, 1.6457547892201443e-06,
    -1.629360263580177e-07, 1.412439114878311e-08, -8.62423330999347e-10,
)  # fmt: skip
# erfc(x) e**(x**2) = t p(1 - 2 t), t = 3 / (x + 3), x >= 0: 2**-54.9
ERFC_DOUBLE = (
    0.3580023023627799, -0.2944648177232946, 0.19674278570136436, -0.10348908730018422, 0.03984258709591335,
    -0.008942411541673426, -0.0004041388788775712, 0.0010113540032598547, -0.00018276986264730073,
    -9.225930566208161e-05, 3.585360275094139e-05, 1.0132830000135162e-05, -5.82258910935934e-06,
    -1.5833576543742374e-06, 9.192972320665172e-07, 3.333142053561025e-07, -1.3163546126918427e-07,
    -7.779683132060295e-08, 1.0574084355712373e-08, 1.6155567817204977e-08, 2.7124515441233013e-09,
    -1.9511953304175307e-09, -1.2159217394240815e-09, -7.270708704437102e-11, 8.927147118368414e-11,
)  # fmt: skip
# Wichura, Algorithm AS 241: The percentage points of the normal distribution, 1988, PPND16: pairs of polynomials.
QUANTILE_MIDDLE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
     3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)  # fmt: skip
QUANTILE_NEAR = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
     1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip
QUANTILE_FAR = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
     1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)  # fmt: skip


class Arrays:
    """The operations that have no operator, on arrays of one or more axes."""

    @staticmethod
    def format(x: Number) -> Format:
        """Return the format of floats."""
        return SINGLE if x.dtype == np.float32 else DOUBLE

    @staticmethod
    def where(condition: Number, a: Number, b: Number) -> Number:
        """Choose, element by element; one of both may be a number."""
        if isinstance(b, np.ndarray) and not condition.any():
            return b
        dtype = (a if isinstance(a, np.ndarray) else b).dtype.type
        return np.where(
            condition, a if isinstance(a, np.ndarray) else dtype(a), b if isinstance(b, np.ndarray) else dtype(b)
        )

    @staticmethod
    def rarely(condition: Number, usual: Sequence[Number], write: Callable[[], Sequence[Number]]) -> list[Number]:
        """Replace values by others where a condition holds, which are computed only if it holds anywhere."""
        if not condition.any():
            return list(usual)
        return [np.where(condition, other, value) for other, value in zip(write(), usual)]

    @staticmethod
    def bits(x: Number) -> Number:
        """Return the bits of floats."""
        return x.view(np.uint32 if x.dtype == np.float32 else np.uint64)

    @staticmethod
    def real(bits: Number) -> Number:
        """Return the floats that have some bits."""
        return bits.view(np.float32 if bits.dtype == np.uint32 else np.float64)

    @staticmethod
    def whole(bits: Number) -> Number:
        """Convert integers from 0 to below 2**53, or 2**24, to floats of as many bits."""
        if bits.dtype == np.uint32:
            return bits.view(np.int32).astype(np.float32)
        return bits.view(np.int64).astype(np.float64)

    @staticmethod
    def narrow(x: Number) -> Number:
        """Round to float32."""
        return x.astype(np.float32)

    @staticmethod
    def sqrt(x: Number) -> Number:
        """Return square roots."""
        return np.sqrt(x)

    @staticmethod
    def abs(x: Number) -> Number:
        """Return absolute values."""
        return np.abs(x)

    @staticmethod
    def with_sign(x: Number, sign: Number) -> Number:
        """Return absolute values with the signs of others."""
        return np.copysign(x, sign)


Machine = Any
"""`Arrays`, or the same for native code."""


def polynomial(x: Number, coefficients: Sequence[float]) -> Number:
    """Evaluate a polynomial: the first steps by Horner's rule, the rest as E(x**2) + x O(x**2), which waits less."""
    rest = coefficients[3:]
    if len(rest) < 4:
        total = x * coefficients[-1]
        total += coefficients[-2]
        coefficients = coefficients[:-2]
    else:
        squares = x * x
        total = polynomial(squares, rest[1::2])
        total *= x
        total += polynomial(squares, rest[::2])
        coefficients = coefficients[:3]
    for coefficient in reversed(coefficients):
        total *= x
        total += coefficient
    return total


def log_of_normal(m: Machine, x: Number) -> Number:
    """Return the logarithm of floats above zero that are normal.

    x = (1 + f) 2**n, sqrt(1/2) <= 1 + f < sqrt(2). In double log(1 + f) is worked out as in fdlibm, e_log.c.
    """
    own = m.format(x)
    bits = m.bits(x) + (own.one - own.half_root)
    n = m.whole(bits >> own.places) - own.bias
    f = m.real((bits & own.fraction) + own.half_root) - 1.0
    high, low = own.ln2
    if own is SINGLE:
        rest = polynomial(f, LOG_SINGLE)
        rest *= f * f
        rest += n * low
        rest += f
        rest += n * high
        return rest
    s = f / (f + 2.0)
    z = s * s
    half = f * f
    half *= 0.5
    rest = polynomial(z, LOG_DOUBLE)
    rest *= z
    rest += half
    rest *= s
    rest += n * low
    return n * high - ((half - rest) - f)


def log(m: Machine, x: Number) -> Number:
    """Return the logarithm: -inf at 0, NaN below."""
    own = m.format(x)
    is_small = x < own.smallest
    safe = m.where(is_small, x * 2.0**own.places, x)
    result = log_of_normal(m, safe)
    result = m.where(is_small, result - own.places * 0.6931471805599453, result)
    outside = m.where(x < 0.0, x * 0.0 + float("nan"), x * 0.0 - float("inf"))
    return m.where(x > 0.0, m.where(x < float("inf"), result, x), m.where(x <= 0.0, outside, x))


def sine_of_turn(m: Machine, r: Number) -> Number:
    """Return sin(2 pi r) for |r| <= 1/4."""
    return polynomial(r * r, SINE_SINGLE if m.format(r) is SINGLE else SINE_DOUBLE) * r


def normal_single(m: Machine, raw: Number) -> Number:
    """Return normal numbers in float32 of 64 random bits each: a radius of the upper half, an angle of the lower.

    The angle a in turns goes in as cos(2 pi a) = sin(2 pi (1/4 - |a|)), without a rounding up to there.
    """
    radius = m.narrow((m.whole(raw >> 32) + 1.0) * 2.0**-32)  # (0, 1]
    angle = m.narrow((m.abs(m.whole(raw & LOW_WORD) - 2.0**31) - 2.0**30) * 2.0**-32)
    return m.sqrt(log_of_normal(m, radius) * -2.0) * sine_of_turn(m, angle)


def normal_double(m: Machine, raw: Number, other: Number) -> Number:
    """Return normal numbers in float64 of 53 bits each for the radius and for the angle."""
    radius = (2.0**53 - m.whole(raw >> 11)) * 2.0**-53  # (0, 1]
    angle = (m.abs(m.whole(other >> 11) - 2.0**52) - 2.0**51) * 2.0**-53
    return m.sqrt(log_of_normal(m, radius) * -2.0) * sine_of_turn(m, angle)


def exp(m: Machine, x: Number) -> Number:
    """Return e to the power of float64: x = n ln 2 + r, and 2**n in two halves, so that it may be no normal number."""
    x = m.where(x > 710.0, 710.0, m.where(x < -746.0, -746.0, x))
    shifted = x * LOG2_E + ROUNDER
    n = shifted - ROUNDER
    high, low = DOUBLE.ln2
    r = (x - n * high) - n * low
    power = polynomial(r, EXP_DOUBLE)
    power *= r * r
    power += r
    power += 1.0
    bits = m.bits(shifted)
    half = (bits >> 1) << 52
    return power * m.real(half + DOUBLE.one) * m.real((bits << 52) - half + DOUBLE.one)


def sigmoid(m: Machine, x: Number) -> Number:
    """Return 1 / (1 + e**-x) of float64."""
    power = exp(m, -m.abs(x))
    return m.where(x < 0.0, power, 1.0) / (power + 1.0)


def erf(m: Machine, x: Number) -> Number:
    """Return the error function of float64."""
    size = m.abs(x)
    size = m.where(size > 6.0, 6.0, size)  # erf rounds to 1 from 5.93 on
    squares = size * size
    near = polynomial(m.where(squares > 1.0, 1.0, squares), ERF_DOUBLE) * size + size
    t = 3.0 / (size + 3.0)
    far = 1.0 - exp(m, -squares) * (polynomial(1.0 - t * 2.0, ERFC_DOUBLE) * t)
    return m.with_sign(m.where(size > 0.875, far, near), x)


def quantile(m: Machine, y: Number) -> Number:
    """Return the normal number z with erf(z / sqrt(2)) = y, of float64 from -1 to 1: 8.29 at 1, as just before it.

    Source
    ------
    Wichura, Algorithm AS 241: The percentage points of the normal distribution, 1988, PPND16.
    """
    size = m.abs(y) * 0.5
    tail = 0.5 - size
    r = m.sqrt(-log_of_normal(m, m.where(tail < 2.0**-54, 2.0**-54, tail)))
    middle, near = 0.180625 - size * size, r - 1.6
    parts = [polynomial(near, coefficients) for coefficients in QUANTILE_NEAR]

    def far() -> list[Number]:
        return [polynomial(r - 5.0, coefficients) for coefficients in QUANTILE_FAR]

    over, under = m.rarely(r > 5.0, parts, far)
    is_tail = size > 0.425  # not for NaN, which so stays one
    over = m.where(is_tail, over, polynomial(middle, QUANTILE_MIDDLE[0]) * size)
    under = m.where(is_tail, under, polynomial(middle, QUANTILE_MIDDLE[1]))
    return m.with_sign(over / under, y)


# With NumPy.

CHUNK = 1 << 15
"""Elements at a time: what lies between two operations stays in the cache (of 2**17, four times slower in float64), and
an operation takes longer than calling it does (of 2**13, twice as slow)."""


def of_arrays(function: Callable[..., Number], *arrays: np.ndarray, dtype: Any = None) -> np.ndarray:
    """Compute a function of this file for arrays of equal shapes."""
    result = np.empty(arrays[0].shape, arrays[0].dtype if dtype is None else dtype)
    flat = result.reshape(-1)
    rows = [np.ascontiguousarray(x).reshape(-1) for x in arrays]
    with np.errstate(all="ignore"):
        for start in range(0, flat.size, CHUNK):
            stop = start + CHUNK
            flat[start:stop] = function(Arrays, *[row[start:stop] for row in rows])
    return result


# The cards.

_BITS = np.array([0, 1, 2**32 - 1, 2**63 + 12345, 2**64 - 1], np.uint64)
_NO_GRADIENT = "random bits are integers"


def _dtype_of_bits(*raw: DType) -> tuple[tuple[DType, ...], DType]:
    for dtype in raw:
        if dtype != dtypes.uint64:
            raise DTypeError(f"random bits are uint64, got dtype {dtype.name}")
    return raw, dtypes.float32 if len(raw) == 1 else dtypes.float64


def _of_bits(function: Callable[..., Number], dtype: DType) -> Callable[..., np.ndarray]:
    def reference(*raw: np.ndarray) -> np.ndarray:
        return of_arrays(function, *np.broadcast_arrays(*raw), dtype=dtype)

    return reference


_BOX_MULLER = (
    "Box and Muller, A note on the generation of random normal deviates, 1958; only the cosine is used, so that "
    "elements do not depend on their neighbours."
)

exact_normal: Op = card(
    "exact_normal", "raw", kind=ELEMENTWISE, public=False,
    summary="Return normal numbers (float32) of 64 random bits each.", source=_BOX_MULLER, shape=same_shape,
    dtype=_dtype_of_bits, reference=_of_bits(normal_single, dtypes.float32), no_gradient=_NO_GRADIENT,
    properties=["transcendental"], cases=[Case(_BITS), Case(_BITS[1]), Case(_BITS[:0])],
    bad=[BadCase((3,), error=DTypeError, match="random bits are uint64")],
)  # fmt: skip
exact_normal_wide: Op = card(
    "exact_normal_wide", "raw other", kind=ELEMENTWISE, public=False,
    summary="Return normal numbers (float64) of 53 random bits each for a radius and for an angle.", source=_BOX_MULLER,
    shape=broadcasting, dtype=_dtype_of_bits, reference=_of_bits(normal_double, dtypes.float64),
    no_gradient=_NO_GRADIENT, properties=["transcendental"],
    cases=[Case(_BITS, _BITS[::-1].copy()), Case(_BITS[1], _BITS), Case(_BITS[:0], _BITS[:0])],
    bad=[BadCase((3,), (3,), error=DTypeError, match="random bits are uint64")],
)  # fmt: skip


def _wide(x: DType) -> tuple[tuple[DType], DType]:
    own = dtypes.accumulator_of(real_floating(x)[1])
    return (own,), own


def _double(x: DType) -> tuple[tuple[DType], DType]:
    real_floating(x)
    return (dtypes.float64,), dtypes.float64


def _smooth(
    name: str, summary: str, function: Callable[..., Number], slope: Callable[[Node, Node], Node],
    cases: Sequence[Case], *, dtype: Any = _double, domain: Any = (-2.0, 2.0), source: str = "",
) -> Op:  # fmt: skip
    """Make a card of one of the functions from its derivative ``slope(y, x)``."""
    return card(
        name, "x", kind=ELEMENTWISE, public=False, summary=summary, source=source, shape=same_shape, dtype=dtype,
        reference=lambda x: of_arrays(function, x), gradient=lambda g, y, x: (g * slope(y, x),),
        properties=["transcendental"], domain=domain, cases=[*SINGLES, *cases], bad=[BAD_COMPLEX],
    )  # fmt: skip


exact_log: Op = _smooth(
    "exact_log", "Return the natural logarithm, with the same bits everywhere.", log, lambda y, x: ops.reciprocal(x),
    [Case(np.array([0.0, 1.0, np.inf, 1e-310]), gradient=False)], dtype=_wide, domain=(0.2, 3.0),
)  # fmt: skip
exact_log_positive: Op = _smooth(
    "exact_log_positive", "Return the natural logarithm of normal numbers above 0, with the same bits everywhere.",
    log_of_normal, lambda y, x: ops.reciprocal(x), [], dtype=_wide, domain=(0.2, 3.0),
)  # fmt: skip
exact_exp: Op = _smooth(
    "exact_exp", "Raise e to the power of each element, with the same bits everywhere.", exp, lambda y, x: y,
    [Case(np.array([-np.inf, -740.0, 0.0, 710.0, np.inf]), gradient=False)],
)  # fmt: skip
exact_sigmoid: Op = _smooth(
    "exact_sigmoid", "Return 1 / (1 + exp(-x)), with the same bits everywhere.", sigmoid, lambda y, x: y * (1 - y),
    [Case(np.array([-np.inf, -40.0, 0.0, np.inf]), gradient=False)],
)  # fmt: skip
exact_erf: Op = _smooth(
    "exact_erf", "Return the error function, with the same bits everywhere.", erf,
    lambda y, x: ops.exp(-square(x)) * (2 / np.sqrt(np.pi)), [Case((3, 4), domain=(-6.0, 6.0))],
)  # fmt: skip
exact_quantile: Op = _smooth(
    "exact_quantile", "Return the z with erf(z / sqrt(2)) = x, with the same bits everywhere.", quantile,
    lambda y, x: ops.exp(square(y) * 0.5) * np.sqrt(np.pi / 2),
    [Case(np.array([-1.0, 1.0, 1 - 2.0**-40]), gradient=False)],
    domain=(-0.9, 0.9), source="Wichura, Algorithm AS 241: The percentage points of the normal distribution, 1988.",
)  # fmt: skip


def _tree(x: np.ndarray) -> np.ndarray:
    """Add along the last axis: the first half to the second, until one is left."""
    while x.shape[-1] > 1:
        half = x.shape[-1] // 2
        pairs = x[..., :half] + x[..., half : 2 * half]
        x = np.concatenate([pairs, x[..., 2 * half :]], axis=-1)
    return x if x.shape[-1] else np.zeros((*x.shape[:-1], 1), x.dtype)


exact_sum: Op = card(
    "exact_sum", "x", public=False,
    summary="Add along the last axis, which stays with size 1, always in the same order.",
    shape=lambda x: (*x[:-1], 1), dtype=_double, reference=_tree, linear="all",
    gradient=lambda g, y, x: (broadcast_to(g, sizes_of(x)),),
    batch=lambda is_batched, x: exact_sum(x), cases=[Case((3, 4)), Case((5,)), Case((2, 0)), Case((2, 3, 1))],
    bad=[BAD_COMPLEX],
)  # fmt: skip
