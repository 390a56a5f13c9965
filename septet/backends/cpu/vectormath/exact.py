"""Functions of random numbers in kernels: those of `septet.ops.exact` themselves, run on values of native code."""

from __future__ import annotations

from septet.backends.cpu.builder import Builder, Value
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


FUNCTIONS = {
    "exact_normal": exact.normal_single,
    "exact_normal_wide": exact.normal_double,
    "exact_log": exact.log,
    "exact_log_positive": exact.log_of_normal,
    "exact_exp": exact.exp,
    "exact_sigmoid": exact.sigmoid,
    "exact_erf": exact.erf,
    "exact_quantile": exact.quantile,
}


def write_exact(b: Builder, name: str, *args: Value) -> Value:
    """Write the function of a card."""
    return FUNCTIONS[name](Terms, *[Term(b, value) for value in args]).value
