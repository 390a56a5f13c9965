"""Exponentials, logarithms, roots, trigonometric and hyperbolic functions."""

from __future__ import annotations

from septet.backends.cpu import vectormath
from septet.backends.cpu.builder import Value
from septet.backends.cpu.ops.rules import Call, Rule


def of(name: str) -> Rule:
    """Return the rule of a function of the vector mathematics, which is imported with the first kernel that has it."""
    return Rule(lambda c: getattr(vectormath, name)(c.b, *c.args), "f")


def exp(call: Call) -> Value:
    """Write e**x; the result has the same bits whether or not it is known that x is not above 0."""
    b, x = call.b, call.args[0]
    return vectormath.exp_of_negative(b, b.negate(x)) if call.is_not_positive else vectormath.exp(b, x)


NAMES = (
    "exp2", "expm1", "log", "log2", "log10", "log1p", "rsqrt", "cbrt", "sin", "cos", "tan", "asin", "acos", "atan",
    "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sigmoid", "softplus", "logaddexp",
)  # fmt: skip

TABLE = {
    "exp": Rule(exp, "f"),
    "sqrt": Rule(lambda c: c.b.intrinsic("sqrt", *c.args), "f"),
    **{name: of(name) for name in NAMES},
}
