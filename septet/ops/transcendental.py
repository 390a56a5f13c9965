"""Exponentials, logarithms, roots, trigonometric and hyperbolic functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import BOOL, FLOAT, INTEGER
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, Case, Op, as_node, card, function, ops
from septet.ops.elementwise import BAD_PAIRS, PAIRS, conj, square
from septet.ops.rules import broadcasting, floating, promoting, same_shape

Slope = Callable[[Node, Node], Node]


def _wide(reference: Callable[..., Any]) -> Callable[..., Any]:
    """Compute the short floats in float32."""

    def compute(x: np.ndarray) -> Any:
        wide = dtypes.accumulator_of(x.dtype)
        return reference(x if wide == x.dtype else x.astype(wide))

    return compute


def smooth(
    name: str, summary: str, reference: Callable[..., Any], slope: Slope, *properties: str, domain: Any = (-2.0, 2.0),
    real: bool = False, methods: tuple[str, ...] = (), **fields: Any,
) -> Op:  # fmt: skip
    """Make the card of a smooth function of one variable from its derivative ``slope(y, x)``."""
    return card(
        name, "x", kind=ELEMENTWISE, summary=summary, shape=same_shape,
        dtype=promoting(BOOL, INTEGER, FLOAT, to_float=True) if real else floating, reference=_wide(reference),
        gradient=lambda g, y, x: (g * conj(slope(y, x)),), properties=properties, domain=domain, methods=methods,
        cases=[Case((3, 4)), Case(()), Case((2, 0, 3))], **fields,
    )  # fmt: skip


def _one_minus_square(x: Node) -> Node:
    return 1 - square(x)


_LN2, _LN10 = math.log(2.0), math.log(10.0)
_POSITIVE, _UNIT = (0.2, 3.0), (-0.9, 0.9)

exp: Op = smooth(
    "exp", "Raise e to the power of each element.", np.exp, lambda y, x: y, "monotone", "positive", methods=("exp",)
)
exp2: Op = smooth(
    "exp2", "Raise 2 to the power of each element.", np.exp2, lambda y, x: y * _LN2, "monotone", "positive", real=True
)
expm1: Op = smooth("expm1", "Return exp(x) - 1, exact for small x.", np.expm1, lambda y, x: y + 1, "monotone")
log: Op = smooth(
    "log",
    "Return the natural logarithm.",
    np.log,
    lambda y, x: ops.reciprocal(x),
    "monotone",
    domain=_POSITIVE,
    methods=("log",),
)
log1p: Op = smooth(
    "log1p",
    "Return log(1 + x), exact for small x.",
    np.log1p,
    lambda y, x: ops.reciprocal(x + 1),
    "monotone",
    domain=(-0.7, 3.0),
)
log2: Op = smooth(
    "log2",
    "Return the logarithm to base 2.",
    np.log2,
    lambda y, x: ops.reciprocal(x * _LN2),
    "monotone",
    domain=_POSITIVE,
)
log10: Op = smooth(
    "log10",
    "Return the logarithm to base 10.",
    np.log10,
    lambda y, x: ops.reciprocal(x * _LN10),
    "monotone",
    domain=_POSITIVE,
)
sqrt: Op = smooth(
    "sqrt", "Return the square root.", np.sqrt, lambda y, x: 0.5 / y, "monotone", domain=_POSITIVE, methods=("sqrt",)
)
rsqrt: Op = smooth(
    "rsqrt", "Return 1 / sqrt(x).", lambda x: np.ones((), x.dtype) / np.sqrt(x), lambda y, x: y / x * -0.5,
    "positive", domain=_POSITIVE, methods=("rsqrt",),
)  # fmt: skip
cbrt: Op = smooth(
    "cbrt",
    "Return the real cube root.",
    np.cbrt,
    lambda y, x: ops.reciprocal(square(y) * 3),
    "monotone",
    "odd",
    domain=_POSITIVE,
    real=True,
)
sin: Op = smooth(
    "sin", "Return the sine; the argument is in radians.", np.sin, lambda y, x: cos(x), "odd", methods=("sin",)
)
cos: Op = smooth(
    "cos", "Return the cosine; the argument is in radians.", np.cos, lambda y, x: -sin(x), "even", methods=("cos",)
)
tan: Op = smooth(
    "tan",
    "Return the tangent; the argument is in radians.",
    np.tan,
    lambda y, x: square(y) + 1,
    "odd",
    domain=(-1.2, 1.2),
)
asin: Op = smooth(
    "asin",
    "Return the inverse sine in radians.",
    np.arcsin,
    lambda y, x: rsqrt(_one_minus_square(x)),
    "odd",
    "monotone",
    domain=_UNIT,
    aliases=["arcsin"],
)
acos: Op = smooth(
    "acos",
    "Return the inverse cosine in radians.",
    np.arccos,
    lambda y, x: -rsqrt(_one_minus_square(x)),
    domain=_UNIT,
    aliases=["arccos"],
)
atan: Op = smooth(
    "atan",
    "Return the inverse tangent in radians.",
    np.arctan,
    lambda y, x: ops.reciprocal(square(x) + 1),
    "odd",
    "monotone",
    domain=(-0.8, 0.8),
    aliases=["arctan"],
)
sinh: Op = smooth("sinh", "Return the hyperbolic sine.", np.sinh, lambda y, x: cosh(x), "odd", "monotone")
cosh: Op = smooth("cosh", "Return the hyperbolic cosine.", np.cosh, lambda y, x: sinh(x), "even", "positive")
tanh: Op = smooth(
    "tanh",
    "Return the hyperbolic tangent.",
    np.tanh,
    lambda y, x: _one_minus_square(y),
    "odd",
    "monotone",
    methods=("tanh",),
)
asinh: Op = smooth(
    "asinh",
    "Return the inverse hyperbolic sine.",
    np.arcsinh,
    lambda y, x: rsqrt(square(x) + 1),
    "odd",
    "monotone",
    domain=_UNIT,
    aliases=["arcsinh"],
)
acosh: Op = smooth(
    "acosh", "Return the inverse hyperbolic cosine.", np.arccosh,
    lambda y, x: rsqrt(x - 1) * rsqrt(x + 1), "monotone", domain=(1.2, 3.0), aliases=["arccosh"],
)  # fmt: skip
atanh: Op = smooth(
    "atanh",
    "Return the inverse hyperbolic tangent.",
    np.arctanh,
    lambda y, x: ops.reciprocal(_one_minus_square(x)),
    "odd",
    "monotone",
    domain=_UNIT,
    aliases=["arctanh"],
)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


sigmoid: Op = smooth(
    "sigmoid", "Return the logistic function 1 / (1 + exp(-x)), without overflow.", _sigmoid,
    lambda y, x: y * (1 - y), "monotone", "positive", real=True, methods=("sigmoid",),
)  # fmt: skip
softplus: Op = smooth(
    "softplus", "Return log(1 + exp(x)), without overflow.", _softplus, lambda y, x: sigmoid(x), "monotone", "positive",
    real=True,
)  # fmt: skip

atan2: Op = card(
    "atan2", "y x", kind=ELEMENTWISE, summary="Return the angle of the points (x, y) in radians, in (-pi, pi].",
    shape=broadcasting, dtype=promoting(BOOL, INTEGER, FLOAT, to_float=True), reference=np.arctan2,
    gradient=lambda g, r, y, x: (g * x / (square(x) + square(y)), -g * y / (square(x) + square(y))),
    domain=[(0.2, 2.0), (0.2, 2.0)], aliases=["arctan2"], cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip


logaddexp: Op = card(
    "logaddexp", "a b", kind=ELEMENTWISE, summary="Return log(exp(a) + exp(b)), without overflow.",
    shape=broadcasting, dtype=promoting(BOOL, INTEGER, FLOAT, to_float=True), reference=np.logaddexp,
    gradient=lambda g, y, a, b: (g * exp(a - y), g * exp(b - y)), properties=["commutative", "associative"],
    cases=PAIRS, bad=BAD_PAIRS,
)  # fmt: skip


@function(methods=["log_sigmoid"])
def log_sigmoid(x: Any) -> Node:
    """Return log(sigmoid(x)), without underflow."""
    return -softplus(-as_node(x))


@function("radians")
def deg2rad(x: Any) -> Node:
    """Convert degrees to radians."""
    return as_node(x) * (math.pi / 180)


@function("degrees")
def rad2deg(x: Any) -> Node:
    """Convert radians to degrees."""
    return as_node(x) * (180 / math.pi)
