"""Functions of random numbers in kernels: those of `septet.ops.exact` themselves, run on values of native code."""

from __future__ import annotations

from collections.abc import Callable

from septet.backends.cpu.builder import Value
from septet.backends.cpu.ops.rules import Call, Rule
from septet.backends.cpu.vectormath.steps import Term, magnitude, rarely, where, with_sign
from septet.ops import exact


class Terms:
    """The operations that have no operator: see `septet.ops.exact.Arrays`."""

    where = staticmethod(where)
    rarely = staticmethod(rarely)
    abs = staticmethod(magnitude)
    with_sign = staticmethod(with_sign)
    bits = staticmethod(Term.bits)
    real = staticmethod(Term.real)

    @staticmethod
    def format(x: Term) -> exact.Format:
        """Return the format of floats."""
        return exact.SINGLE if x.kind == "float" else exact.DOUBLE

    @staticmethod
    def whole(bits: Term) -> Term:
        """Convert integers from 0 to below 2**53, or 2**24, to floats of as many bits."""
        return bits.convert("sitofp", "float") if bits.kind == "i32" else bits.convert("uitofp", "double")

    @staticmethod
    def narrow(x: Term) -> Term:
        """Round to float32."""
        return x.convert("fptrunc", "float")

    @staticmethod
    def sqrt(x: Term) -> Term:
        """Return square roots."""
        return x.call("sqrt")


def _rule(function: Callable[..., Term], kinds: str) -> Rule:
    def write(c: Call) -> Value:
        return function(Terms, *[Term(c.b, value) for value in c.args]).value

    return Rule(write, kinds)


TABLE = {
    "exact_normal": _rule(exact.normal_single, "u"),
    "exact_normal_wide": _rule(exact.normal_double, "u"),
    "exact_log": _rule(exact.log, "f"),
    "exact_log_positive": _rule(exact.log_of_normal, "f"),
    "exact_exp": _rule(exact.exp, "f"),
    "exact_sigmoid": _rule(exact.sigmoid, "f"),
    "exact_erf": _rule(exact.erf, "f"),
    "exact_quantile": _rule(exact.quantile, "f"),
}
