"""Exponentials, logarithms, roots, trigonometric and hyperbolic functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, Case, Op, as_node, card, function, ops
from septet.ops.elementwise import (
    BAD_COMPLEX,
    BAD_COMPLEXES,
    BAD_PAIRS,
    PAIRS,
    REAL_FLOATING,
    SINGLES,
    conjugate,
    reciprocal,
    square,
    zero_of,
)
from septet.ops.rules import broadcasting, floating, same_shape

Slope = Callable[[Node, Node], Node]


def wide(reference: Callable[..., Any]) -> Callable[..., Any]:
    """Compute the short floats in float32."""

    def compute(*arrays: np.ndarray) -> Any:
        accumulator = dtypes.accumulator_of(arrays[0].dtype)
        return reference(*[x if x.dtype == accumulator else x.astype(accumulator) for x in arrays])

    return compute


def smooth(
    name: str, summary: str, reference: Callable[..., Any], slope: Slope, *properties: str, domain: Any = (-2.0, 2.0),
    real: bool = False, is_root: bool = False, methods: Sequence[str] = (), cases: Sequence[Case] = (), **fields: Any,
) -> Op:  # fmt: skip
    """Make the card of a smooth function of one variable from its derivative ``slope(y, x)``."""
    if not is_root:
        properties = (*properties, "transcendental")
    return card(
        name, "x", kind=ELEMENTWISE, summary=summary, shape=same_shape, dtype=REAL_FLOATING if real else floating,
        reference=wide(reference), gradient=lambda g, y, x: (g * conjugate(slope(y, x)),), properties=properties,
        domain=domain, methods=methods, cases=[*SINGLES, *cases], bad=[BAD_COMPLEX] if real else [], **fields,
    )  # fmt: skip


def _one_minus_square(x: Node) -> Node:
    """1 - x^2 without cancellation at 1 and -1."""
    return (1 - x) * (1 + x)


_LN2, _LN10 = math.log(2.0), math.log(10.0)
_POSITIVE, _UNIT = (0.2, 3.0), (-0.9, 0.9)

# Exponentials and logarithms.


def _log1p(x: np.ndarray) -> np.ndarray:
    if not dtypes.is_complex(x.dtype):
        return np.log1p(x)
    # |1 + z|^2 - 1, rather than |1 + z|: NumPy's complex log1p loses small arguments
    excess = x.real * (2 + x.real) + x.imag * x.imag
    size = np.where(np.abs(x) < 0.5, 0.5 * np.log1p(excess), np.log(np.hypot(1 + x.real, x.imag)))
    result = np.empty_like(x)
    result.real, result.imag = size, np.arctan2(x.imag, 1 + x.real)
    return result


def _expm1(x: np.ndarray) -> np.ndarray:
    if not dtypes.is_complex(x.dtype):
        return np.expm1(x)
    half = np.sin(x.imag / 2)
    power = np.exp(x)
    is_finite = np.isfinite(x)
    result = np.empty_like(x)
    exact = np.expm1(x.real) * np.cos(x.imag) - 2 * half * half
    exact += 0.0  # a real part of -0 gives +0
    result.real = np.where(is_finite, exact, power.real - 1)  # exp knows the special cases of infinity and NaN
    result.imag = np.where(is_finite, np.exp(x.real) * np.sin(x.imag), power.imag)
    return result


def _tanh(x: np.ndarray) -> np.ndarray:
    result = np.tanh(x)
    if dtypes.is_complex(x.dtype):
        is_limit = np.isinf(x.real) & np.isfinite(x.imag)
        if is_limit.any():  # the array standard wants a zero of the sign of the imaginary part there
            result = np.array(result)
            result.imag = np.where(is_limit, np.copysign(np.zeros_like(x.imag), x.imag), result.imag)
    return result


exp: Op = smooth(
    "exp", "Raise e to the power of each element.", np.exp, lambda y, x: y, "monotone", "positive", methods=["exp"],
)  # fmt: skip
exp2: Op = smooth(
    "exp2", "Raise 2 to the power of each element.", np.exp2, lambda y, x: y * _LN2, "monotone", "positive"
)
expm1: Op = smooth("expm1", "Return exp(x) - 1, exact for small x.", _expm1, lambda y, x: y + 1, "monotone")
log: Op = smooth(
    "log", "Return the natural logarithm.", np.log, lambda y, x: reciprocal(x), "monotone", domain=_POSITIVE,
    methods=["log"], notes="-inf at 0, NaN below; for complex numbers the branch cut is the negative real axis.",
)  # fmt: skip
log1p: Op = smooth(
    "log1p", "Return log(1 + x), exact for small x.", _log1p, lambda y, x: reciprocal(x + 1), "monotone",
    domain=(-0.7, 3.0),
)  # fmt: skip
log2: Op = smooth(
    "log2", "Return the logarithm to base 2.", np.log2, lambda y, x: reciprocal(x * _LN2), "monotone", domain=_POSITIVE,
)  # fmt: skip
log10: Op = smooth(
    "log10", "Return the logarithm to base 10.", np.log10, lambda y, x: reciprocal(x * _LN10), "monotone",
    domain=_POSITIVE,
)  # fmt: skip

# Roots.

sqrt: Op = smooth(
    "sqrt", "Return the square root.", np.sqrt, lambda y, x: 0.5 / y, "monotone", domain=_POSITIVE, is_root=True,
    methods=["sqrt"],
    notes="NaN below 0; the gradient at 0 is infinite.",
)  # fmt: skip
rsqrt: Op = smooth(
    "rsqrt", "Return 1 / sqrt(x).", lambda x: np.ones((), x.dtype) / np.sqrt(x), lambda y, x: y / x * -0.5,
    "positive", domain=_POSITIVE, is_root=True, methods=["rsqrt"],
)  # fmt: skip
cbrt: Op = smooth(
    "cbrt", "Return the real cube root.", np.cbrt, lambda y, x: reciprocal(square(y) * 3), "monotone", "odd",
    domain=_POSITIVE, real=True, is_root=True, cases=[Case((3,), domain=(-3.0, -0.2))],
)  # fmt: skip

# Trigonometric functions and their inverses.

sin: Op = smooth(
    "sin", "Return the sine; the argument is in radians.", np.sin, lambda y, x: cos(x), "odd", methods=["sin"]
)
cos: Op = smooth(
    "cos", "Return the cosine; the argument is in radians.", np.cos, lambda y, x: -sin(x), "even", methods=["cos"]
)
tan: Op = smooth(
    "tan", "Return the tangent; the argument is in radians.", np.tan, lambda y, x: square(y) + 1, "odd",
    domain=(-1.2, 1.2), methods=["tan"],
)  # fmt: skip
asin: Op = smooth(
    "asin", "Return the inverse sine in radians.", np.arcsin, lambda y, x: rsqrt(_one_minus_square(x)), "odd",
    "monotone", domain=_UNIT, aliases=["arcsin"],
)  # fmt: skip
acos: Op = smooth(
    "acos", "Return the inverse cosine in radians.", np.arccos, lambda y, x: -rsqrt(_one_minus_square(x)), domain=_UNIT,
    aliases=["arccos"],
)  # fmt: skip
atan: Op = smooth(
    "atan", "Return the inverse tangent in radians.", np.arctan, lambda y, x: reciprocal(square(x) + 1), "odd",
    "monotone", domain=(-0.8, 0.8), aliases=["arctan"], methods=["atan"],
)  # fmt: skip


def _atan2_gradient(g: Node, angle: Node, y: Node, x: Node) -> tuple[Node, Node]:
    share = g / (square(x) + square(y))
    return share * x, -share * y


atan2: Op = card(
    "atan2", "y x", kind=ELEMENTWISE, summary="Return the angle of the points (x, y) in radians, in [-pi, pi].",
    notes="The quadrant follows from both signs, also of zeros. The gradient at (0, 0) is NaN.",
    shape=broadcasting, dtype=REAL_FLOATING, reference=wide(np.arctan2), gradient=_atan2_gradient,
    properties=["transcendental"],
    domain=[(0.2, 2.0), (0.2, 2.0)], aliases=["arctan2"],
    cases=[*PAIRS, Case((4,), (4,), domain=[(-2.0, -0.2), (-2.0, -0.2)])], bad=[*BAD_PAIRS, BAD_COMPLEXES],
)  # fmt: skip

# Hyperbolic functions and their inverses.

sinh: Op = smooth("sinh", "Return the hyperbolic sine.", np.sinh, lambda y, x: cosh(x), "odd", "monotone")
cosh: Op = smooth("cosh", "Return the hyperbolic cosine.", np.cosh, lambda y, x: sinh(x), "even", "positive")
tanh: Op = smooth(
    "tanh", "Return the hyperbolic tangent.", _tanh, lambda y, x: _one_minus_square(y), "odd", "monotone",
    methods=["tanh"],
)  # fmt: skip
asinh: Op = smooth(
    "asinh", "Return the inverse hyperbolic sine.", np.arcsinh, lambda y, x: rsqrt(square(x) + 1), "odd", "monotone",
    domain=_UNIT, aliases=["arcsinh"],
)  # fmt: skip
acosh: Op = smooth(
    "acosh", "Return the inverse hyperbolic cosine.", np.arccosh, lambda y, x: rsqrt(x - 1) * rsqrt(x + 1), "monotone",
    domain=(1.2, 3.0), aliases=["arccosh"],
)  # fmt: skip
atanh: Op = smooth(
    "atanh", "Return the inverse hyperbolic tangent.", np.arctanh, lambda y, x: reciprocal(_one_minus_square(x)), "odd",
    "monotone", domain=_UNIT, aliases=["arctanh"],
)  # fmt: skip

# The logistic function and sums in logarithms.


def _sigmoid(x: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, np.ones((), x.dtype), small) / (1 + small)


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


_LARGE = [Case((3, 4), domain=(-40.0, 40.0))]

sigmoid: Op = smooth(
    "sigmoid", "Return the logistic function 1 / (1 + exp(-x)), without overflow.", _sigmoid,
    lambda y, x: y * (1 - y), "monotone", "positive", real=True, methods=["sigmoid"], cases=_LARGE,
)  # fmt: skip
softplus: Op = smooth(
    "softplus", "Return log(1 + exp(x)), without overflow.", _softplus, lambda y, x: sigmoid(x), "monotone", "positive",
    real=True, cases=_LARGE,
)  # fmt: skip


def _logaddexp_gradient(g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    distance = ops.where(ops.equal(a, b), _without_value(a - b), a - b)
    return g * sigmoid(distance), g * sigmoid(-distance)


def _without_value(difference: Node) -> Node:
    """The difference of equal numbers: 0 also where both are the same infinity; its derivative stays."""
    return ops.where(ops.isnan(difference), zero_of(difference), difference)


logaddexp: Op = card(
    "logaddexp", "a b", kind=ELEMENTWISE, summary="Return log(exp(a) + exp(b)), without overflow.",
    notes="-inf stands for exp(-inf) = 0; there the gradient is finite too.",
    shape=broadcasting, dtype=REAL_FLOATING, reference=wide(np.logaddexp), gradient=_logaddexp_gradient,
    properties=["commutative", "associative", "transcendental"], identity=-math.inf,
    cases=[*PAIRS, Case(np.ones(2), np.ones(2))],
    bad=[*BAD_PAIRS, BAD_COMPLEXES],
)  # fmt: skip


@function(methods=["log_sigmoid"])
def log_sigmoid(x: Any) -> Node:
    """Return log(sigmoid(x)), without underflow.

    Parameters
    ----------
    x : tensor
        Real.
    """
    return -softplus(-as_node(x))


@function("radians")
def deg2rad(x: Any) -> Node:
    """Convert degrees to radians.

    Parameters
    ----------
    x : tensor
        Real; integers become floats.
    """
    return as_node(x) * (math.pi / 180)


@function("degrees")
def rad2deg(x: Any) -> Node:
    """Convert radians to degrees.

    Parameters
    ----------
    x : tensor
        Real; integers become floats.
    """
    return as_node(x) * (180 / math.pi)
