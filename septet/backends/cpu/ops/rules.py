"""What an entry of the tables of elementwise ops is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from septet.backends.cpu.builder import Builder, Value
from septet.backends.cpu.loops import element


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
    """

    b: Builder
    args: list[Value]
    operands: list[str]
    result: str
    params: tuple[Any, ...]

    @property
    def is_float(self) -> bool:
        """Whether the operands are floats."""
        return self.operands[0].startswith("float")

    @property
    def is_unsigned(self) -> bool:
        """Whether the operands are unsigned integers."""
        return self.operands[0].startswith("uint")

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
    kinds : str, optional
        Kinds of dtypes (NumPy's letters b, i, u, f) that the operands may have; None for all that kernels know.
    """

    write: Callable[[Call], Value]
    kinds: str | None = None


def converted(call: Call, value: Value, dtype: str) -> Value:
    """Convert a value of the operands' dtype to another, as the op `cast` does."""
    b, own = call.b, call.operands[0]
    kind = element(dtype)
    if own == dtype:
        return value
    zero = b.number(0, value.kind, value.lanes)
    if dtype == "bool":
        return b.compare("une" if own.startswith("float") else "ne", value, zero)
    if own.startswith("float"):
        if dtype.startswith("float"):
            return b.convert("fpext" if kind == "double" else "fptrunc", value, kind)
        return _truncated(call, value, dtype)
    if dtype.startswith("float"):
        return b.convert("uitofp" if own == "bool" or own.startswith("uint") else "sitofp", value, kind)
    from_bits, to_bits = int(value.kind[1:]), int(kind[1:])
    if to_bits < from_bits:
        return b.convert("trunc", value, kind)
    return b.convert("zext" if own == "bool" or own.startswith("uint") else "sext", value, kind)


def _truncated(call: Call, value: Value, dtype: str) -> Value:
    """From float to integer, by way of int64, which wraps small integers as NumPy does."""
    b = call.b
    limit = b.number(2.0**63, value.kind, value.lanes)
    fits = b.binary("and", b.compare("olt", value, limit), b.compare("oge", value, b.negate(limit)))
    zero = b.number(0.0, value.kind, value.lanes)
    wide = b.convert("fptosi", b.select(fits, value, zero), "i64")
    wide = b.select(fits, wide, b.number(-(2**63), "i64", value.lanes))
    kind = element(dtype)
    return b.convert("trunc", wide, kind) if kind != "i64" else wide
