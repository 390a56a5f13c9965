"""Arithmetic, element by element."""

from __future__ import annotations

from septet.backends.cpu.builder import Value
from septet.backends.cpu.ops.rules import Call, Rule


def _arithmetic(of_floats: str, of_integers: str) -> Rule:
    return Rule(lambda c: c.b.binary(of_floats if c.is_float else of_integers, *c.args), "iuf")


def _add(c: Call) -> Value:
    if c.is_bool:
        return c.b.binary("or", *c.args)
    return c.b.binary("fadd" if c.is_float else "add", *c.args)


def _multiply(c: Call) -> Value:
    if c.is_bool:
        return c.b.binary("and", *c.args)
    return c.b.binary("fmul" if c.is_float else "mul", *c.args)


def _extremum(name: str) -> Rule:
    def write(c: Call) -> Value:
        if c.is_float:
            return c.b.intrinsic({"max": "maximum", "min": "minimum"}[name], *c.args)
        if c.is_bool:
            return c.b.binary({"max": "or", "min": "and"}[name], *c.args)
        return c.b.intrinsic(("u" if c.is_unsigned else "s") + name, *c.args)

    return Rule(write)


def _negative(c: Call) -> Value:
    if c.is_float:
        return c.b.negate(c.args[0])
    return c.b.binary("sub", c.number(0), c.args[0])


def _absolute(c: Call) -> Value:
    (x,) = c.args
    if c.is_float:
        return c.b.intrinsic("fabs", x)
    if c.is_bool or c.is_unsigned:
        return x
    return c.b.select(c.b.compare("slt", x, c.number(0)), c.b.binary("sub", c.number(0), x), x)


def _sign(c: Call) -> Value:
    (x,) = c.args
    b, zero, one = c.b, c.number(0), c.number(1)
    if c.is_float:
        signed = b.select(b.compare("ogt", x, zero), one, b.select(b.compare("olt", x, zero), c.number(-1), zero))
        return b.select(b.compare("uno", x, x), x, signed)
    if c.is_unsigned:
        return b.select(b.compare("ne", x, zero), one, zero)
    return b.select(b.compare("sgt", x, zero), one, b.select(b.compare("slt", x, zero), c.number(-1), zero))


def _square(c: Call) -> Value:
    return c.b.binary("fmul" if c.is_float else "mul", c.args[0], c.args[0])


def _rounding(name: str) -> Rule:
    return Rule(lambda c: c.b.intrinsic(name, c.args[0]) if c.is_float else c.args[0], "iuf")


def _same(c: Call) -> Value:
    return c.args[0]


TABLE = {
    "add": Rule(_add),
    "subtract": _arithmetic("fsub", "sub"),
    "multiply": Rule(_multiply),
    "divide": Rule(lambda c: c.b.binary("fdiv", *c.args), "f"),
    "reciprocal": Rule(lambda c: c.b.binary("fdiv", c.number(1.0), c.args[0]), "f"),
    "maximum": _extremum("max"),
    "minimum": _extremum("min"),
    "negative": Rule(_negative, "iuf"),
    "positive": Rule(_same, "iuf"),
    "abs": Rule(_absolute),
    "sign": Rule(_sign, "iuf"),
    "square": Rule(_square, "iuf"),
    "floor": _rounding("floor"),
    "ceil": _rounding("ceil"),
    "trunc": _rounding("trunc"),
    "round": _rounding("rint"),
    "copysign": Rule(lambda c: c.b.intrinsic("copysign", *c.args), "f"),
    "conj": Rule(_same),
    "real": Rule(_same),
    "identity": Rule(_same),
    "stop_gradient": Rule(_same),
}
