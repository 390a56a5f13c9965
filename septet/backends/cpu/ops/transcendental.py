"""Exponentials, logarithms, trigonometry."""

from __future__ import annotations

from collections.abc import Callable

from septet.backends.cpu import vectormath
from septet.backends.cpu.builder import Builder, Value
from septet.backends.cpu.ops.rules import Rule


def _of(function: Callable[..., Value]) -> Rule:
    return Rule(lambda c: function(c.b, *c.args), "f")


NAMES = (
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "tanh", "sigmoid", "softplus", "sin", "cos", "tan", "asin",
    "acos", "atan", "atan2", "sinh", "cosh", "asinh", "acosh", "atanh", "cbrt", "logaddexp",
)  # fmt: skip


def _rsqrt(b: Builder, x: Value) -> Value:
    return b.binary("fdiv", b.number(1.0, x.kind, x.lanes), b.intrinsic("sqrt", x))


def _sqrt(b: Builder, x: Value) -> Value:
    return b.intrinsic("sqrt", x)


TABLE = {
    "sqrt": _of(_sqrt),
    "rsqrt": _of(_rsqrt),
    **{name: _of(getattr(vectormath, name)) for name in NAMES if hasattr(vectormath, name)},
}
