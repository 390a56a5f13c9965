"""What an entry of the tables of elementwise ops is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from septet.backends.cpu.builder import BITS, Builder, Value
from septet.backends.cpu.loops import element, kind_of
from septet.backends.cpu.short_floats import to_odd


class Call(NamedTuple):
    """One use of an elementwise op in a kernel.

    Attributes
    ----------
    b : Builder
    args : list of Value
        All with the same number of lanes.
    operands : list of str
        Their dtypes.
    result : str
        The dtype of the result.
    params : tuple
        The parameters of the op's card.
    is_not_positive : bool
        Whether it is known that the first operand is not above 0 (it may be NaN).
    """

    b: Builder
    args: list[Value]
    operands: list[str]
    result: str
    params: tuple[Any, ...]
    is_not_positive: bool = False

    @property
    def is_float(self) -> bool:
        """Whether the operands are floats."""
        return kind_of(self.operands[0]) == "f"

    @property
    def is_unsigned(self) -> bool:
        """Whether the operands are unsigned integers."""
        return kind_of(self.operands[0]) == "u"

    @property
    def is_bool(self) -> bool:
        """Whether the operands are truth values."""
        return self.operands[0] == "bool"

    def number(self, value: float | int | bool) -> Value:
        """Return a literal like the first operand."""
        first = self.args[0]
        return self.b.number(value, first.kind, first.lanes)


class Rule(NamedTuple):
    """How an elementwise op is written.

    Attributes
    ----------
    write : callable
        ``write(call) -> Value`` of the result's element type.
    kinds : str
        Kinds of dtypes (NumPy's letters b, i, u, f) that the operands may have.
    is_exact : bool
        Whether the result of short floats, computed in float, is always a number of their format.
    """

    write: Callable[[Call], Value]
    kinds: str = "biuf"
    is_exact: bool = False


def converted(call: Call, value: Value, dtype: str) -> Value:
    """Convert a value of the operands' dtype to another, as the op `cast` does; a short float is not rounded yet."""
    b, own = call.b, call.operands[0]
    source, target = kind_of(own), kind_of(dtype)
    kind = element(dtype)
    if own == dtype:
        return value
    zero = b.number(0, value.kind, value.lanes)
    if target == "b":
        return b.compare("une" if source == "f" else "ne", value, zero)
    if source == "f":
        if target != "f":
            return _truncated(call, value, dtype)
        if own == "float64":
            return to_odd(b, value) if dtype == "float16" else b.convert("fptrunc", value, kind)
        return b.convert("fpext", value, kind)
    is_unsigned = source in "bu"
    if target == "f":
        return b.convert("uitofp" if is_unsigned else "sitofp", value, kind)
    if BITS[kind] < BITS[value.kind]:
        return b.convert("trunc", value, kind)
    return b.convert("zext" if is_unsigned else "sext", value, kind)


def _truncated(call: Call, value: Value, dtype: str) -> Value:
    """From float to integer, by way of int64, which wraps small integers as NumPy does."""
    b = call.b
    limit = b.number(2.0**63, value.kind, value.lanes)
    fits = b.binary("and", b.compare("olt", value, limit), b.compare("oge", value, b.negate(limit)))
    zero = b.number(0.0, value.kind, value.lanes)
    wide = b.convert("fptosi", b.select(fits, value, zero), "i64")
    lowest = b.number(-(2**63), "i64", value.lanes)
    rest = lowest
    if dtype == "uint64":  # up to 2**64; beyond, C leaves open what it gives
        beyond = b.binary("fsub", value, limit)
        is_inside = b.binary("and", b.compare("oge", beyond, zero), b.compare("olt", beyond, limit))
        high = b.convert("fptosi", b.select(is_inside, beyond, zero), "i64")
        rest = b.select(is_inside, b.binary("xor", high, lowest), lowest)
    wide = b.select(fits, wide, rest)
    kind = element(dtype)
    return b.convert("trunc", wide, kind) if kind != "i64" else wide
