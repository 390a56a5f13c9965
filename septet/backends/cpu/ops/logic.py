"""Logic, bits, and choosing between two values."""

from __future__ import annotations

from septet.backends.cpu.builder import Value
from septet.backends.cpu.ops.rules import Call, Rule, converted


def _logical(op: str) -> Rule:
    return Rule(lambda c: c.b.binary(op, *[converted(c, value, "bool") for value in c.args]))


def _logical_not(c: Call) -> Value:
    truth = converted(c, c.args[0], "bool")
    return c.b.binary("xor", truth, c.b.number(True, "i1", truth.lanes))


def _bits(op: str) -> Rule:
    return Rule(lambda c: c.b.binary(op, *c.args), "biu")


def _invert(c: Call) -> Value:
    return c.b.binary("xor", c.args[0], c.number(True if c.is_bool else -1))


def _shift(op: str) -> Rule:
    """A shift by the width or more would be undefined in LLVM: it gives 0, or -1 for a negative number shifted right."""

    def write(c: Call) -> Value:
        b, (x, by) = c.b, c.args
        width = c.number(int(x.kind[1:]))
        is_inside = b.compare("ult", by, width)
        if op == "ashr" and not c.is_unsigned:
            return b.binary("ashr", x, b.select(is_inside, by, c.number(int(x.kind[1:]) - 1)))
        own = "lshr" if op == "ashr" else op
        return b.select(is_inside, b.binary(own, x, b.select(is_inside, by, c.number(0))), c.number(0))

    return Rule(write, "iu")


TABLE = {
    "logical_and": _logical("and"),
    "logical_or": _logical("or"),
    "logical_xor": _logical("xor"),
    "logical_not": Rule(_logical_not),
    "bitwise_and": _bits("and"),
    "bitwise_or": _bits("or"),
    "bitwise_xor": _bits("xor"),
    "bitwise_invert": Rule(_invert, "biu"),
    "bitwise_left_shift": _shift("shl"),
    "bitwise_right_shift": _shift("ashr"),
    "where": Rule(lambda c: c.b.select(*c.args), is_exact=True),
}
