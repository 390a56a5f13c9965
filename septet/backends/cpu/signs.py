"""Which values of a kernel are known not to be above 0, or not below: functions of many instructions need fewer for them.

Only rules that hold for every number count, infinities, rounding and overflow included. A value that is not a number has
neither sign, and may come up anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from septet.backends.cpu.loops import NUMBER, OP, Term, kind_of

NOT_NEGATIVE = frozenset({"abs", "square", "sqrt", "exp", "exp2", "sigmoid", "softplus", "cosh", "hypot"})
"""Ops whose results are never below 0."""


class Sign(NamedTuple):
    """What is known of a value.

    Attributes
    ----------
    is_not_positive, is_not_negative : bool
        Whether it is never above 0, and never below.
    """

    is_not_positive: bool = False
    is_not_negative: bool = False


def signs(terms: Sequence[Term]) -> list[Sign]:
    """Return what is known of each of a kernel's values. Of integers nothing is: they wrap around."""
    found: list[Sign] = []
    for term in terms:
        found.append(_sign(term, terms, found) if kind_of(term.dtype) == "f" else Sign())
    return found


def _sign(term: Term, terms: Sequence[Term], known: Sequence[Sign]) -> Sign:
    if term.form == NUMBER:
        return Sign(term.data <= 0, term.data >= 0)
    if term.form != OP:
        return Sign()
    name, args = term.data[0], term.args
    if name in NOT_NEGATIVE:
        return Sign(is_not_negative=True)
    if name == "negative":
        return Sign(*reversed(known[args[0]]))
    if name == "multiply":
        a, b = (known[arg] for arg in args)
        if args[0] == args[1]:
            return Sign(is_not_negative=True)
        if _is_negative_of(terms, *args) or _is_negative_of(terms, *reversed(args)):
            return Sign(is_not_positive=True)
        unlike = (a.is_not_positive and b.is_not_negative) or (a.is_not_negative and b.is_not_positive)
        alike = (a.is_not_positive and b.is_not_positive) or (a.is_not_negative and b.is_not_negative)
        return Sign(unlike, alike)
    return Sign()


def _is_negative_of(terms: Sequence[Term], a: int, b: int) -> bool:
    return terms[a].form == OP and terms[a].data[0] == "negative" and terms[a].args[0] == b
