"""Arithmetic, element by element."""

from __future__ import annotations

from collections.abc import Sequence

from septet.backends.cpu import vectormath
from septet.backends.cpu.builder import BITS, Value
from septet.backends.cpu.ops.rules import Call, Rule
from septet.backends.cpu.short_floats import SHORT, narrowed, widened


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

    return Rule(write, is_exact=True)


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
    return Rule(lambda c: c.b.intrinsic(name, c.args[0]) if c.is_float else c.args[0], is_exact=True)


# Division with a remainder, and powers


def _divided(c: Call) -> tuple[Value, Value]:
    """The quotient of integers, rounded towards zero, and the remainder; both are 0 where the divisor is."""
    b, (x, y) = c.b, c.args
    zero, one = c.number(0), c.number(1)
    is_zero = b.compare("eq", y, zero)
    safe = b.select(is_zero, one, y)
    if not c.is_unsigned:  # the lowest number divided by -1 is beyond the largest
        is_minus = b.compare("eq", y, c.number(-1))
        safe = b.select(is_minus, one, safe)
    if x.lanes > 1 and BITS[x.kind] <= 32:
        # Processors divide vectors of floats only. Quotients of integers of half the places come out right: one that is
        # not whole is further from the next whole number than rounding goes.
        wide = "double" if BITS[x.kind] == 32 else "float"
        into, back = ("uitofp", "fptoui") if c.is_unsigned else ("sitofp", "fptosi")
        quotient = b.convert(back, b.binary("fdiv", b.convert(into, x, wide), b.convert(into, safe, wide)), x.kind)
    else:
        quotient = b.binary("udiv" if c.is_unsigned else "sdiv", x, safe)
    if not c.is_unsigned:
        quotient = b.select(is_minus, b.binary("sub", zero, x), quotient)
    quotient = b.select(is_zero, zero, quotient)
    rest = b.binary("sub", x, b.binary("mul", quotient, y))
    return quotient, b.select(is_zero, zero, rest)


def _rounds_down(c: Call, rest: Value) -> Value:
    """Where a quotient that was rounded towards zero is one too large for rounding down."""
    b, zero = c.b, c.number(0)
    if c.is_unsigned:
        return b.number(False, "i1", rest.lanes)
    is_across = b.compare("slt", b.binary("xor", rest, c.args[1]), zero)
    return b.binary("and", b.compare("ne", rest, zero), is_across)


def _floor_divide(c: Call) -> Value:
    if c.is_float:
        return vectormath.floor_divide(c.b, *c.args)
    quotient, rest = _divided(c)
    return c.b.select(_rounds_down(c, rest), c.b.binary("sub", quotient, c.number(1)), quotient)


def _remainder(c: Call) -> Value:
    if c.is_float:
        return vectormath.remainder(c.b, *c.args)
    _, rest = _divided(c)
    return c.b.select(_rounds_down(c, rest), c.b.binary("add", rest, c.args[1]), rest)


def _fmod(c: Call) -> Value:
    return vectormath.fmod(c.b, *c.args) if c.is_float else _divided(c)[1]


def _power(c: Call) -> Value:
    """Powers of floats; of unsigned integers by squaring, as many times as the largest exponent has places."""
    b, (x, y) = c.b, c.args
    if c.is_float:
        return vectormath.power(b, x, y)
    zero, one = c.number(0), c.number(1)

    def step(carried: Sequence[Value]) -> list[Value]:
        result, square, exponent = carried
        is_odd = b.compare("ne", b.binary("and", exponent, one), zero)
        result = b.select(is_odd, b.binary("mul", result, square), result)
        return [result, b.binary("mul", square, square), b.binary("lshr", exponent, one)]

    return b.repeat([one, x, y], lambda carried: b.any_lane(b.compare("ne", carried[2], zero)), step)[0]


# Signs and neighbours


def _bits_of(c: Call, value: Value) -> Value:
    """The bits that a float has in memory."""
    dtype = c.operands[0]
    value = narrowed(c.b, value, dtype) if dtype in SHORT else value
    return c.b.convert("bitcast", value, f"i{BITS[value.kind]}")


def _signbit(c: Call) -> Value:
    if c.is_unsigned:
        return c.b.number(False, "i1", c.args[0].lanes)
    bits = _bits_of(c, c.args[0]) if c.is_float else c.args[0]
    return c.b.compare("slt", bits, c.b.number(0, bits.kind, bits.lanes))


def _nextafter(c: Call) -> Value:
    b, (x, y) = c.b, c.args
    dtype = c.operands[0]
    bits = _bits_of(c, x)
    zero, one = b.number(0, bits.kind, bits.lanes), b.number(1, bits.kind, bits.lanes)
    lowest = b.number(-(1 << (BITS[bits.kind] - 1)), bits.kind, bits.lanes)
    # Seen as integers with a sign bit, positive floats grow with their bits, and negative ones shrink.
    grows = b.binary("xor", b.compare("olt", x, y), b.compare("slt", bits, zero))
    moved = b.select(grows, b.binary("add", bits, one), b.binary("sub", bits, one))
    smallest = b.binary("or", b.binary("and", _bits_of(c, y), lowest), one)
    moved = b.select(b.compare("oeq", x, c.number(0.0)), smallest, moved)
    kind = "half" if dtype == "float16" else bits.kind if dtype in SHORT else x.kind
    result = b.convert("bitcast", moved, kind)
    result = widened(b, result, dtype) if dtype in SHORT else result
    settled = b.select(b.compare("oeq", x, y), y, result)
    return b.select(b.compare("uno", x, y), b.binary("fadd", x, y), settled)


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
    "floor_divide": Rule(_floor_divide, "iuf"),
    "remainder": Rule(_remainder, "iuf"),
    "fmod": Rule(_fmod, "iuf"),
    "power": Rule(_power, "uf"),
    "hypot": Rule(lambda c: vectormath.hypot(c.b, *c.args), "f"),
    "negative": Rule(_negative, "iuf", is_exact=True),
    "positive": Rule(_same, "iuf", is_exact=True),
    "abs": Rule(_absolute, is_exact=True),
    "sign": Rule(_sign, "iuf", is_exact=True),
    "square": Rule(_square, "iuf"),
    "floor": _rounding("floor"),
    "ceil": _rounding("ceil"),
    "trunc": _rounding("trunc"),
    "round": _rounding("rint"),
    "copysign": Rule(lambda c: c.b.intrinsic("copysign", *c.args), "f", is_exact=True),
    "nextafter": Rule(_nextafter, "f", is_exact=True),
    "signbit": Rule(_signbit, "iuf"),
    "conj": Rule(_same, is_exact=True),
    "real": Rule(_same, is_exact=True),
    "imag": Rule(lambda c: c.number(0), is_exact=True),
    "identity": Rule(_same, is_exact=True),
    "stop_gradient": Rule(_same, is_exact=True),
}
