"""Arithmetic with the builder's values, written as arithmetic, and the steps that all functions share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from septet.backends.cpu.builder import BITS, Builder, Value

FRACTION_BITS = {"float": 23, "double": 52}
BIAS = {"float": 127, "double": 1023}
INTEGER = {"float": "i32", "double": "i64"}
# Adding this rounds to the nearest integer n, which then stands in the low bits of the sum: 1.5 * 2**FRACTION_BITS.
ROUNDER = {"float": 1.5 * 2.0**23, "double": 1.5 * 2.0**52}
HORNER_STEPS = 3
INFINITY = float("inf")
NAN = float("nan")


class Term:
    """A value with the builder that writes what is done with it.

    Operators with a Python number take the number as a literal of the term's kind. Comparisons are ordered (false for
    NaN) and signed; ``>>`` shifts zeros in. ``a * b + c`` is two operations with two roundings: see `fma`.
    """

    __slots__ = ("builder", "value")

    def __init__(self, builder: Builder, value: Value) -> None:
        self.builder = builder
        self.value = value

    @property
    def kind(self) -> str:
        """The element type: float, double, i32, i64 or i1."""
        return self.value.kind

    def like(self, other: Term | float) -> Term:
        """Return a number as a literal of this term's type; a term as it is."""
        if isinstance(other, Term):
            return other
        return Term(self.builder, self.builder.number(other, self.kind, self.value.lanes))

    def _binary(self, real: str, integer: str, other: Term | float, swap: bool = False) -> Term:
        op = real if self.kind in FRACTION_BITS else integer
        a, b = self.value, self.like(other).value
        return Term(self.builder, self.builder.binary(op, b, a) if swap else self.builder.binary(op, a, b))

    def __add__(self, other: Term | float) -> Term:
        return self._binary("fadd", "add", other)

    def __radd__(self, other: float) -> Term:
        return self._binary("fadd", "add", other)

    def __sub__(self, other: Term | float) -> Term:
        return self._binary("fsub", "sub", other)

    def __rsub__(self, other: float) -> Term:
        return self._binary("fsub", "sub", other, swap=True)

    def __mul__(self, other: Term | float) -> Term:
        return self._binary("fmul", "mul", other)

    def __rmul__(self, other: float) -> Term:
        return self._binary("fmul", "mul", other)

    def __truediv__(self, other: Term | float) -> Term:
        return self._binary("fdiv", "", other)

    def __rtruediv__(self, other: float) -> Term:
        return self._binary("fdiv", "", other, swap=True)

    def __neg__(self) -> Term:
        return Term(self.builder, self.builder.negate(self.value))

    def __lshift__(self, other: Term | int) -> Term:
        return self._binary("", "shl", other)

    def __rshift__(self, other: Term | int) -> Term:
        return self._binary("", "lshr", other)

    def shift_signed(self, places: int) -> Term:
        """Shift an integer right and fill with its sign."""
        return self._binary("", "ashr", places)

    def __and__(self, other: Term | int) -> Term:
        return self._binary("", "and", other)

    def __or__(self, other: Term | int) -> Term:
        return self._binary("", "or", other)

    def __xor__(self, other: Term | int) -> Term:
        return self._binary("", "xor", other)

    def __invert__(self) -> Term:
        """Return the opposite of a truth value; for integers, all bits the other way."""
        return self ^ (1 if self.kind == "i1" else -1)

    def _compare(self, real: str, integer: str, other: Term | float) -> Term:
        condition = real if self.kind in FRACTION_BITS else integer
        return Term(self.builder, self.builder.compare(condition, self.value, self.like(other).value))

    def __lt__(self, other: Term | float) -> Term:
        return self._compare("olt", "slt", other)

    def __gt__(self, other: Term | float) -> Term:
        return self._compare("ogt", "sgt", other)

    def __le__(self, other: Term | float) -> Term:
        return self._compare("ole", "sle", other)

    def __ge__(self, other: Term | float) -> Term:
        return self._compare("oge", "sge", other)

    def equals(self, other: Term | float) -> Term:
        """Compare for equality, lane by lane."""
        return self._compare("oeq", "eq", other)

    def is_nan(self) -> Term:
        """Say which lanes are NaN."""
        return Term(self.builder, self.builder.compare("uno", self.value, self.value))

    def call(self, intrinsic: str, *others: Term | float) -> Term:
        """Call an intrinsic with this term as its first argument."""
        return Term(self.builder, self.builder.intrinsic(intrinsic, self.value, *(self.like(o).value for o in others)))

    def convert(self, op: str, kind: str) -> Term:
        """Convert to another kind."""
        return Term(self.builder, self.builder.convert(op, self.value, kind))

    def bits(self) -> Term:
        """Return the bits of a float or double as an integer."""
        return self.convert("bitcast", INTEGER[self.kind])

    def real(self) -> Term:
        """Return an integer's bits as a float or double."""
        return self.convert("bitcast", "float" if BITS[self.kind] == 32 else "double")


Function = Callable[..., Term]


def vectorized(function: Function) -> Callable[..., Value]:
    """Turn a function of terms into a function of a builder and values."""

    @functools.wraps(function)
    def write(b: Builder, *values: Value) -> Value:
        return function(*(Term(b, value) for value in values)).value

    return write


def in_double(function: Function) -> Function:
    """Let a function of terms compute in double for floats too: for those whose formulas lose places in float."""

    @functools.wraps(function)
    def compute(*terms: Term) -> Term:
        kind = terms[0].kind
        return function(*(term.convert("fpext", "double") for term in terms)).convert("fptrunc", kind)

    return compute


def where(condition: Term, a: Term | float, b: Term | float) -> Term:
    """Choose lane by lane: a where the condition holds, else b. One of both may be a number."""
    typed = a if isinstance(a, Term) else b
    assert isinstance(typed, Term)
    return Term(condition.builder, condition.builder.select(condition.value, typed.like(a).value, typed.like(b).value))


def rarely(condition: Term, usual: Sequence[Term], write: Callable[[], Sequence[Term]]) -> list[Term]:
    """Replace terms by others where a condition holds. What `write` writes runs only when it holds in some lane."""
    b = condition.builder

    def merged() -> list[Value]:
        return [where(condition, other, term).value for term, other in zip(usual, write(), strict=True)]

    return [Term(b, v) for v in b.detour(b.any_lane(condition.value), [term.value for term in usual], merged)]


def fma(a: Term, b: Term | float, c: Term | float) -> Term:
    """Return a * b + c, with one rounding where the machine has the instruction: for where either will do."""
    return a.call("fmuladd", b, c)


def exact_fma(a: Term, b: Term | float, c: Term | float) -> Term:
    """Return a * b + c with one rounding, on every machine."""
    return a.call("fma", b, c)


def magnitude(x: Term) -> Term:
    """Return |x|."""
    return x.call("fabs")


def with_sign(x: Term, sign: Term) -> Term:
    """Return |x| with the sign of another."""
    return x.call("copysign", sign)


def at_most(x: Term, limit: float) -> Term:
    """Return min(x, limit); NaN stays."""
    return where(x > limit, limit, x)


def at_least(x: Term, limit: float) -> Term:
    """Return max(x, limit); NaN stays."""
    return where(x < limit, limit, x)


def polynomial(x: Term, coefficients: Sequence[float]) -> Term:
    """Evaluate a polynomial, lowest power first, by Horner's rule.

    Of long ones, the higher powers are evaluated as E(x**2) + x O(x**2): two chains of dependent instructions of half the
    length. A processor keeps about one loop body of instructions waiting for their operands, so that long chains leave
    its multipliers idle. The last steps are Horner's always, because they decide how well the result is rounded.
    """
    rest = coefficients[HORNER_STEPS:]
    if len(rest) >= 4:
        square = x * x
        total = fma(polynomial(square, rest[1::2]), x, polynomial(square, rest[::2]))
        coefficients = coefficients[:HORNER_STEPS]
    else:
        total = x.like(coefficients[-1])
        coefficients = coefficients[:-1]
    for coefficient in reversed(coefficients):
        total = fma(total, x, coefficient)
    return total


def polynomial_by_pairs(x: Term, coefficients: Sequence[float]) -> Term:
    """Evaluate a polynomial, lowest power first, as (c0 + c1 x) + x**2 ((c2 + c3 x) + ...): Estrin's rule for short ones.

    As many operations as Horner's rule, where the square is needed anyhow, and two thirds of its waiting.
    """
    square = x * x
    pairs = [coefficients[first : first + 2] for first in range(0, len(coefficients), 2)]
    terms = [fma(x.like(pair[1]), x, pair[0]) if len(pair) == 2 else x.like(pair[0]) for pair in pairs]
    total = terms.pop()
    while terms:
        total = fma(total, square, terms.pop())
    return total


def nearest(x: Term, factor: float, offset: int = 0) -> tuple[Term, Term]:
    """Round x * factor to the nearest integer n; |n| must stay below 2**21 (float) or 2**50 (double).

    Returns
    -------
    n : Term
        As a float or double.
    bits : Term
        An integer whose low 9 bits (float) or 12 bits (double) and more equal those of n + offset: `ROUNDER` ends in zeros.
    """
    rounder = ROUNDER[x.kind] + offset
    shifted = fma(x, factor, rounder)
    return shifted - rounder, shifted.bits()


def nearest_power(x: Term, factor: float, raised: int = 0) -> tuple[Term, Term]:
    """Round x * factor to the nearest integer n, as `nearest`; return n and 2**(n + raised), which must be a normal number.

    The bias of exponents goes into the rounding, so that a shift makes the number.
    """
    n, bits = nearest(x, factor, BIAS[x.kind] + raised)
    return n, (bits << FRACTION_BITS[x.kind]).real()


def nearest_halves(x: Term, factor: float) -> tuple[Term, Term, Term]:
    """Round x * factor to the nearest integer n, as `nearest`; return n and two numbers of about the same size whose product
    is 2**n, which may lie beyond the normal numbers, up to twice as far."""
    n, bits = nearest(x, factor, 2 * BIAS[x.kind])
    half = (bits >> 1) << FRACTION_BITS[x.kind]
    return n, half.real(), ((bits << FRACTION_BITS[x.kind]) - half).real()
