"""Comparison, element by element."""

from __future__ import annotations

from septet.backends.cpu.builder import Value
from septet.backends.cpu.ops.rules import Call, Rule


def _comparing(of_floats: str, of_integers: str) -> Rule:
    def write(c: Call) -> Value:
        if c.is_float:
            return c.b.compare(of_floats, *c.args)
        is_ordered = of_integers not in ("eq", "ne")
        sign = ("u" if c.is_unsigned or c.is_bool else "s") if is_ordered else ""
        return c.b.compare(sign + of_integers, *c.args)

    return Rule(write)


def _isnan(c: Call) -> Value:
    return c.b.compare("uno", c.args[0], c.args[0]) if c.is_float else _never(c)


def _isinf(c: Call) -> Value:
    if not c.is_float:
        return _never(c)
    return c.b.compare("oeq", c.b.intrinsic("fabs", c.args[0]), c.number(float("inf")))


def _isfinite(c: Call) -> Value:
    if not c.is_float:
        return c.b.number(True, "i1", c.args[0].lanes)
    return c.b.compare("olt", c.b.intrinsic("fabs", c.args[0]), c.number(float("inf")))


def _never(c: Call) -> Value:
    return c.b.number(False, "i1", c.args[0].lanes)


TABLE = {
    "equal": _comparing("oeq", "eq"),
    "not_equal": _comparing("une", "ne"),
    "less": _comparing("olt", "lt"),
    "less_equal": _comparing("ole", "le"),
    "greater": _comparing("ogt", "gt"),
    "greater_equal": _comparing("oge", "ge"),
    "isnan": Rule(_isnan),
    "isinf": Rule(_isinf),
    "isfinite": Rule(_isfinite),
}
