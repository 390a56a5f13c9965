"""Division with a remainder, for floats: fmod, remainder, floor_divide.

Remainders are exact. Where the quotient is small enough for all its places to be kept, they come of one fused
multiply-subtract; else C's fmod is called, lane by lane.
"""

from __future__ import annotations

from septet.backends.cpu.vectormath.steps import (
    INFINITY,
    Term,
    exact_fma,
    magnitude,
    rarely,
    vectorized,
    where,
    with_sign,
)

# The largest quotients that are whole numbers with a place to spare.
LARGEST_QUOTIENT = {"float": 2.0**22, "double": 2.0**51}


def fmod_term(a: Term, b: Term) -> Term:
    """Return a - n b, n the quotient rounded towards zero; the sign is that of a."""
    size = magnitude(b)
    rest = magnitude(a)
    quotient = rest / size
    # The rounded quotient may be one too large. Then the difference is exact too, a negative number above -size.
    near = exact_fma(quotient.call("trunc"), -size, rest)
    near = where(near < 0.0, near + size, near)
    is_far = ~(quotient < LARGEST_QUOTIENT[a.kind])  # NaN too
    (found,) = rarely(is_far, [near], lambda: [Term(a.builder, a.builder.binary("frem", rest.value, size.value))])
    return with_sign(where(size.equals(INFINITY) & (rest < INFINITY), rest, found), a)


def divided(a: Term, b: Term) -> tuple[Term, Term]:
    """Return the quotient rounded down and the remainder with the sign of b, as Python and NumPy do for b != 0."""
    rest = fmod_term(a, b)
    quotient = (a - rest) / b
    is_across = (rest < 0.0) ^ (b < 0.0)
    is_zero = rest.equals(0.0)
    modulus = where(is_zero, with_sign(rest, b), where(is_across, rest + b, rest))
    quotient = where(~is_zero & is_across, quotient - 1.0, quotient)
    down = quotient.call("floor")
    down = where(quotient - down > 0.5, down + 1.0, down)
    return where(quotient.equals(0.0), with_sign(quotient, a / b), down), modulus


@vectorized
def fmod(a: Term, b: Term) -> Term:
    """Write the remainder with the sign of a; NaN for infinite a and for b = 0."""
    return fmod_term(a, b)


@vectorized
def remainder(a: Term, b: Term) -> Term:
    """Write the remainder with the sign of b."""
    return divided(a, b)[1]


@vectorized
def floor_divide(a: Term, b: Term) -> Term:
    """Write the quotient, rounded down. For b = 0 and for infinite operands it is that of `divide`, rounded down."""
    quotient = a / b
    is_plain = ~b.equals(0.0) & (magnitude(a) < INFINITY) & (magnitude(b) < INFINITY)
    return where(is_plain, divided(a, b)[0], quotient.call("floor"))
