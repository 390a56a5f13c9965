"""Fit the polynomials of the vector mathematics and write septet/backends/cpu/vectormath/coefficients.py.

Every fit is a row of FITS: a function, an interval, the weight that makes the error relative to what is computed in
the end, and the number of coefficients. The method is Lawson's: weighted least squares on Chebyshev nodes in high
precision, each node's weight multiplied by its error again and again, which tends to the minimax polynomial.
Coefficients are then rounded one by one, lowest power first, and the rest is fitted again after each, so that later
ones make up for the rounding of earlier ones. The largest weighted error that the rounded coefficients leave is written
next to them, as a power of two: rounding in the evaluation comes on top of it.

Usage: python tools/fit_polynomials.py [NAME ...]      (with names: only these, the others stay as they are)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mpmath import mp, mpf

TARGET = Path(__file__).resolve().parent.parent / "septet/backends/cpu/vectormath/coefficients.py"
DIGITS = 60
LAWSON_STEPS = 30  # for the first fit; each rounded coefficient then moves the weights only a little
FURTHER_STEPS = 3

Function = Callable[[mpf], mpf]


@dataclass(frozen=True)
class Fit:
    """One polynomial in its variable, lowest power first, or with `denominator` a quotient of two.

    The error |f(x) - p(x)| * weight(x) is made small on the interval. Coefficients are rounded to the format `kind`.
    `fixed` gives the first coefficients that are not to be fitted. A denominator starts with 1.
    """

    name: str
    text: str
    kind: str
    function: Function
    weight: Function
    low: float | mpf
    high: float | mpf
    count: int
    fixed: tuple[float, ...] = ()
    denominator: int = 0


def rounded(value: mpf, kind: str) -> mpf:
    """Round to float or double."""
    number = float(value)
    if kind == "float":  # mpmath rounds to the 24 bits directly: no double rounding
        with mp.workprec(24):
            number = float(+value)
    return mpf(number)


def chebyshev_nodes(low: mpf, high: mpf, count: int) -> list[mpf]:
    """Return nodes that crowd towards the ends of the interval, without the ends."""
    middle, half = (low + high) / 2, (high - low) / 2
    return [middle + half * mp.cos(mp.pi * (2 * k + 1) / (2 * count)) for k in range(count)]


def horner(coefficients: list[mpf], x: mpf) -> mpf:
    """Evaluate a polynomial, lowest power first."""
    total = mpf(0)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def solve_weighted(rows: list[list[mpf]], targets: list[mpf], weights: list[mpf]) -> list[mpf]:
    """Solve a weighted least squares problem by its normal equations: the digits are plenty for it."""
    count = len(rows[0])
    matrix, right = mp.zeros(count, count), mp.zeros(count, 1)
    for row, target, weight in zip(rows, targets, weights):
        scaled = [weight * entry for entry in row]
        for i in range(count):
            right[i] += scaled[i] * target
            for j in range(i, count):
                matrix[i, j] += scaled[i] * row[j]
    for i in range(count):
        for j in range(i):
            matrix[i, j] = matrix[j, i]
    solution = mp.lu_solve(matrix, right)
    return [solution[i] for i in range(count)]


class Fitter:
    """The nodes of one fit with the function's values there."""

    def __init__(self, fit: Fit) -> None:
        self.fit = fit
        self.nodes = chebyshev_nodes(mpf(fit.low), mpf(fit.high), 6 * (fit.count + fit.denominator) + 12)
        self.values = [fit.function(x) for x in self.nodes]
        self.scales = [fit.weight(x) for x in self.nodes]
        self.lawson = [mpf(1)] * len(self.nodes)
        self.guess = [mpf(1)] * len(self.nodes)  # the denominator of the step before, at the nodes

    def errors(self, top: list[mpf], bottom: list[mpf]) -> list[mpf]:
        """Return the weighted errors at the nodes."""
        return [
            abs(value - horner(top, x) / horner(bottom, x)) * scale
            for x, value, scale in zip(self.nodes, self.values, self.scales)
        ]

    def solve(self, top: list[mpf], bottom: list[mpf], steps: int) -> tuple[list[mpf], list[mpf]]:
        """Fit what follows the given first coefficients of the numerator and of the denominator."""
        fit = self.fit
        free_top = range(len(top), fit.count)
        free_bottom = range(len(bottom), fit.denominator + 1)
        best: tuple[mpf, list[mpf], list[mpf]] | None = None
        for _ in range(steps):
            rows, targets, weights = [], [], []
            for x, value, scale, w, q in zip(self.nodes, self.values, self.scales, self.lawson, self.guess):
                rows.append([x**k for k in free_top] + [-value * x**k for k in free_bottom])
                targets.append(value * horner(bottom, x) - horner(top, x))
                weights.append(w * (scale / q) ** 2)
            solution = solve_weighted(rows, targets, weights)
            new_top = top + solution[: len(free_top)]
            new_bottom = bottom + solution[len(free_top) :]
            errors = self.errors(new_top, new_bottom)
            if best is None or max(errors) < best[0]:
                best = (max(errors), new_top, new_bottom)
            if max(errors) == 0:  # the function is such a quotient itself
                break
            self.guess = [horner(new_bottom, x) for x in self.nodes]
            products = [w * e for w, e in zip(self.lawson, errors)]
            total = sum(products)
            self.lawson = [w / total + mpf(10) ** -30 for w in products]
        assert best is not None
        return best[1], best[2]

    def run(self) -> tuple[list[mpf], list[mpf], mpf]:
        """Fit, round one by one, and return both polynomials and the largest weighted error between the nodes."""
        fit = self.fit
        top = [mpf(c) for c in fit.fixed]
        bottom = [mpf(1)]
        steps = LAWSON_STEPS
        while len(top) < fit.count or len(bottom) < fit.denominator + 1:
            new_top, new_bottom = self.solve(top, bottom, steps)
            steps = FURTHER_STEPS
            if len(bottom) < fit.denominator + 1 and len(bottom) <= len(top):
                bottom = bottom + [rounded(new_bottom[len(bottom)], fit.kind)]
            else:
                top = top + [rounded(new_top[len(top)], fit.kind)]
        width = mpf(fit.high) - mpf(fit.low)
        between = [mpf(fit.low) + width * (k + mpf("0.37")) / 400 for k in range(400)]
        error = max(
            abs(fit.function(x) - horner(top, x) / horner(bottom, x)) * fit.weight(x) for x in [*between, *self.nodes]
        )
        return top, bottom, error


def near_zero(function: Function, series: Callable[[mpf], mpf]) -> Function:
    """Return a function that takes its value next to 0 from a series, where the formula would divide 0 by 0."""
    return lambda x: series(x) if abs(x) < mpf(10) ** -20 else function(x)


# --- the functions

mp.dps = DIGITS
LN2 = mp.log(2)
HALF_LN2 = float(LN2 / 2) * 1.0005  # the reduction's rounding may leave a little more than half of ln 2

exp_rest = near_zero(lambda r: (mp.expm1(r) - r) / r**2, lambda r: mpf(1) / 2 + r / 6)
exp2_rest = near_zero(lambda r: (mp.expm1(r * LN2)) / r, lambda r: LN2 + r * LN2**2 / 2)


def log_rest(base_log: mpf) -> Function:
    """Return (log(1 + f) / f - 1) / f in a base given by its natural logarithm."""
    return near_zero(lambda f: (mp.log1p(f) - f) / f**2 / base_log, lambda f: (-mpf(1) / 2 + f / 3) / base_log)


def log_weight(base_log: mpf) -> Function:
    """Return the weight that makes the error of log_rest relative to the logarithm."""
    return near_zero(lambda f: f**2 / abs(mp.log1p(f)) * base_log, lambda f: abs(f) * base_log)


# log(1 + f) = 2 artanh(s), s = f / (2 + f): (log(1 + f) - 2 s) / s as a polynomial in s**2, without the constant
def artanh_rest(z: mpf) -> mpf:
    """Return (2 artanh(s) / s - 2) / s**2 at z = s**2."""
    if z < mpf(10) ** -20:
        return mpf(2) / 3
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) / s - 2) / z


SQRT2 = mp.sqrt(2)
S_LARGEST = ((SQRT2 - 1) / (SQRT2 + 1)) * mpf("1.001")
LOG_LOW, LOG_HIGH = float(1 / SQRT2 - 1) - 1e-4, float(SQRT2 - 1) + 1e-4

# the error functions
ERF_BORDER = 0.875  # as in error_function.py
ERFCX_SCALE = 3.0


def erf_rest(z: mpf) -> mpf:
    """Return erf(x) / x - 1 at z = x**2."""
    if z < mpf(10) ** -20:
        return 2 / mp.sqrt(mp.pi) * (1 - z / 3) - 1
    x = mp.sqrt(z)
    return mp.erf(x) / x - 1


def erfcx_over(u: mpf) -> mpf:
    """Return erfc(x) e**(x**2) / t at u = 1 - 2 t, t = 3 / (x + 3)."""
    t = (1 - u) / 2
    x = ERFCX_SCALE * (1 - t) / t
    return mp.erfc(x) * mp.exp(x**2) / t


def erfcx_end(largest: float) -> mpf:
    """Return u at the largest argument for which erfc is not 0."""
    return 1 - 2 * ERFCX_SCALE / (mpf(largest) + ERFCX_SCALE)


# trigonometry
def over_variable(function: Function, first: int, start: list[mpf], power: int) -> Function:
    """Return g(z) where function(x) = start[0] x**first + start[1] x**(first + 2) + ... + x**power g(x**2)."""

    def rest(z: mpf) -> mpf:
        x = mp.sqrt(z) if z > mpf(10) ** -12 else mpf(10) ** -6
        with mp.workdps(3 * DIGITS):
            x = +x
            known = sum((c * x ** (first + 2 * k) for k, c in enumerate(start)), mpf(0))
            return (function(x) - known) / x**power

    return rest


def relative_weight(function: Function, power: int) -> Function:
    """Return the weight that makes an error of g(z), as above, relative to the function."""

    def weight(z: mpf) -> mpf:
        x = mp.sqrt(z) if z > mpf(10) ** -12 else mpf(10) ** -6
        return abs(x**power / function(x))

    return weight


QUARTER = (mp.pi / 4 * mpf("1.01")) ** 2


# powers
TWO_OVER_LN2 = 2 / LN2

# the gamma function
DIGAMMA_ROOT = mp.findroot(mp.digamma, mpf("1.46"))
GAMMA_BORDER = 3.0  # as in gamma.py


def gammaln_over(u: mpf) -> mpf:
    """Return log gamma(1 + u) / (u (u - 1)). From 1 on, no coefficients cancel in the quotient."""
    if abs(u) < mpf(10) ** -20 or abs(u - 1) < mpf(10) ** -20:
        u = u + mpf(10) ** -20
    with mp.workdps(2 * DIGITS):
        return mp.loggamma(1 + u).real / (u * (u - 1))


def gammaln_far_rest(z: mpf) -> mpf:
    """Return x (log gamma(x) - (x - 1/2) log(x) + x - log(2 pi) / 2) at z = 1 / x**2."""
    if z < mpf(10) ** -12:
        return mpf(1) / 12 - z / 360 + z**2 / 1260
    x = 1 / mp.sqrt(z)
    with mp.workdps(2 * DIGITS):
        return x * (mp.loggamma(x).real - (x - mpf(1) / 2) * mp.log(x) + x - mp.log(2 * mp.pi) / 2)


def digamma_over(u: mpf) -> mpf:
    """Return digamma(1 + u) / (1 + u - root)."""
    y = 1 + u
    if abs(y - DIGAMMA_ROOT) < mpf(10) ** -20:
        y = y + mpf(10) ** -20
    with mp.workdps(2 * DIGITS):
        return mp.digamma(y) / (y - DIGAMMA_ROOT)


def digamma_far_rest(z: mpf) -> mpf:
    """Return (log(x) - 1 / (2 x) - digamma(x)) x**2 at z = 1 / x**2."""
    if z < mpf(10) ** -12:
        return mpf(1) / 12 - z / 120 + z**2 / 252
    x = 1 / mp.sqrt(z)
    with mp.workdps(2 * DIGITS):
        return (mp.log(x) - 1 / (2 * x) - mp.digamma(x)) * x**2


# the inverse error function
ERFINV_BORDER = 0.75  # as in error_function.py
ERFINV_SHIFT = 1.125


def erfinv_over(u: mpf) -> mpf:
    """Return erfinv(x) / x at u = 0.5625 - x**2: in this variable no coefficients cancel."""
    z = mpf(ERFINV_BORDER) ** 2 - u
    if z < mpf(10) ** -20:
        return mp.sqrt(mp.pi) / 2
    x = mp.sqrt(z)
    y = x * mp.sqrt(mp.pi) / 2
    for _ in range(12):  # Newton's steps
        y = y - (mp.erf(y) - x) / (2 / mp.sqrt(mp.pi) * mp.exp(-(y**2)))
    return y / x


def erfinv_tail(t: mpf) -> mpf:
    """Return erfinv(x) at t = sqrt(-log(1 - x)) - 1.125: the y with log(erfc(y)) = -(t + 1.125)**2."""
    w = t + mpf(ERFINV_SHIFT)
    y = w
    for _ in range(60):  # Newton's steps
        value = mp.erfc(y)
        step = (mp.log(value) + w**2) * value / (2 / mp.sqrt(mp.pi) * mp.exp(-(y**2)))
        y = y + step
        if abs(step) < mpf(10) ** (8 - DIGITS):
            break
    return y


FITS = [
    Fit(
        "EXP_FLOAT",
        "q(r): e**r = 1 + r + r**2 q(r), relative to e**r - 1, |r| <= ln(2) / 2",
        "float",
        exp_rest,
        lambda r: r**2 / abs(mp.expm1(r)) if r else mpf(0),
        -HALF_LN2,
        HALF_LN2,
        5,
    ),
    Fit(
        "EXP_DOUBLE",
        "q(r): e**r = 1 + r + r**2 q(r), relative to e**r - 1, |r| <= ln(2) / 2",
        "double",
        exp_rest,
        lambda r: r**2 / abs(mp.expm1(r)) if r else mpf(0),
        -HALF_LN2,
        HALF_LN2,
        11,
    ),
    *(
        Fit(
            f"TANH_{kind.upper()}",
            "q(r): e**r = 1 + r + r**2 q(r), relative to e**r - 1, 0 <= r <= ln(2)",
            kind,
            exp_rest,
            lambda r: r**2 / abs(mp.expm1(r)) if r else mpf(0),
            -1e-4,
            2 * HALF_LN2,
            count,
        )
        for kind, count in (("float", 5), ("double", 11))
    ),
    Fit(
        "EXP2_FLOAT",
        "q(r): 2**r = 1 + r q(r), relative to 2**r, |r| <= 1/2",
        "float",
        exp2_rest,
        lambda r: abs(r) / 2**r,
        -0.5,
        0.5,
        6,
    ),
    Fit(
        "EXP2_DOUBLE",
        "q(r): 2**r = 1 + r q(r), relative to 2**r, |r| <= 1/2",
        "double",
        exp2_rest,
        lambda r: abs(r) / 2**r,
        -0.5,
        0.5,
        11,
    ),
    *(
        Fit(
            f"{name}_FLOAT",
            f"q(f): {name.lower()}(1 + f) = f / ln(base) + f**2 q(f), relative, sqrt(1/2) <= 1 + f <= sqrt(2)",
            "float",
            log_rest(base_log),
            log_weight(base_log),
            LOG_LOW,
            LOG_HIGH,
            9,
        )
        for name, base_log in (("LOG", mpf(1)), ("LOG2", LN2), ("LOG10", mp.log(10)))
    ),
    Fit(
        "LOG_DOUBLE",
        "q(z): 2 artanh(s) = 2 s + s**3 q(s**2), relative, |s| <= (sqrt(2) - 1) / (sqrt(2) + 1)",
        "double",
        artanh_rest,
        lambda z: z / 2,
        0.0,
        S_LARGEST**2,
        7,
    ),
    Fit(
        "ERF_FLOAT",
        "p(z): erf(x) = x + x p(x**2), relative, |x| <= 0.875",
        "float",
        erf_rest,
        lambda z: 1 / (1 + erf_rest(z)),
        0.0,
        ERF_BORDER**2 * 1.001,
        6,
    ),
    Fit(
        "ERF_LARGE_FLOAT",
        "p(x): erf(x) = 1 - 2**-p(x), relative, 0.875 <= x <= 4",
        "float",
        lambda x: -mp.log(mp.erfc(x), 2),
        lambda x: mp.erfc(x) * LN2 / mp.erf(x),
        ERF_BORDER * 0.999,
        4.0,
        7,
    ),
    Fit(
        "ERF_DOUBLE",
        "p(z): erf(x) = x + x p(x**2), relative, |x| <= 0.875",
        "double",
        erf_rest,
        lambda z: 1 / (1 + erf_rest(z)),
        0.0,
        ERF_BORDER**2 * 1.001,
        12,
    ),
    *(
        Fit(
            f"ERFCX_{kind.upper()}",
            "p(u): erfc(x) e**(x**2) = t p(1 - 2 t), t = 3 / (x + 3), relative, x >= 0",
            kind,
            erfcx_over,
            lambda u: 1 / erfcx_over(u),
            -1.0,
            erfcx_end(largest),
            count,
        )
        for kind, largest, count in (("float", 10.1, 11), ("double", 27.3, 25))
    ),
    *(
        Fit(
            f"SIN_{kind.upper()}",
            "p(z): sin(r) = r + r**3 p(r**2), relative, |r| <= 1.01 pi / 4",
            kind,
            over_variable(mp.sin, 1, [mpf(1)], 3),
            relative_weight(mp.sin, 3),
            0.0,
            QUARTER,
            count,
        )
        for kind, count in (("float", 3), ("double", 6))
    ),
    *(
        Fit(
            f"COS_{kind.upper()}",
            "p(z): cos(r) = 1 - r**2 / 2 + r**4 p(r**2), relative, |r| <= 1.01 pi / 4",
            kind,
            over_variable(mp.cos, 0, [mpf(1), -mpf(1) / 2], 4),
            relative_weight(mp.cos, 4),
            0.0,
            QUARTER,
            count,
        )
        for kind, count in (("float", 3), ("double", 6))
    ),
    *(
        Fit(
            f"ASIN_{kind.upper()}",
            "p(z): asin(x) = x + x**3 p(x**2), relative, |x| <= 1/2",
            kind,
            over_variable(mp.asin, 1, [mpf(1)], 3),
            relative_weight(mp.asin, 3),
            0.0,
            0.2501,
            count,
        )
        for kind, count in (("float", 5), ("double", 12))
    ),
    *(
        Fit(
            f"ATAN_{kind.upper()}",
            "p(z): atan(x) = x + x**3 p(x**2), relative, |x| <= 1",
            kind,
            over_variable(mp.atan, 1, [mpf(1)], 3),
            relative_weight(mp.atan, 3),
            0.0,
            1.0,
            count,
        )
        for kind, count in (("float", 9), ("double", 20))
    ),
    Fit(
        "LOG2_POWER",
        "q(f): log2(1 + f) = f q(f), relative, sqrt(1/2) <= 1 + f <= sqrt(2); for powers of floats",
        "double",
        near_zero(lambda f: mp.log1p(f) / f / LN2, lambda f: (1 - f / 2) / LN2),
        lambda f: abs(f / mp.log1p(f)) * LN2 if f else mpf(1),
        LOG_LOW,
        LOG_HIGH,
        14,
    ),
    Fit(
        "EXP2_POWER",
        "q(r): 2**r, relative, |r| <= 1/2; for powers of floats",
        "double",
        lambda r: mpf(2) ** r,
        lambda r: mpf(2) ** -r,
        -0.5,
        0.5,
        7,
    ),
    Fit(
        "CBRT",
        "q(a): a**(1/3), relative, 1 / sqrt(8) <= a <= sqrt(8): where the iteration starts",
        "float",
        mp.cbrt,
        lambda a: 1 / mp.cbrt(a),
        0.3535,
        2.829,
        5,
    ),
    Fit(
        "LOG2_POWER_DOUBLE",
        "q(z): log2((1 + s) / (1 - s)) = s (2 / ln(2) (1 + z / 3) + z**2 q(z)), z = s**2, relative; for powers",
        "double",
        over_variable(lambda s: 2 * mp.atanh(s) / LN2, 1, [TWO_OVER_LN2, TWO_OVER_LN2 / 3], 5),
        relative_weight(lambda s: 2 * mp.atanh(s) / LN2, 5),
        0.0,
        S_LARGEST**2,
        7,
    ),
    Fit(
        "ERFINV",
        "p(u) / q(u): erfinv(x) = x p(u) / q(u), u = 0.5625 - x**2, relative, |x| <= 0.75",
        "double",
        erfinv_over,
        lambda u: 1 / erfinv_over(u),
        -1e-9,
        ERFINV_BORDER**2,
        8,
        denominator=7,
    ),
    Fit(
        "ERFINV_TAIL",
        "p(t) / q(t): erfinv(x), t = sqrt(-log(1 - x)) - 1.125, relative, 0.75 <= x",
        "double",
        erfinv_tail,
        lambda t: 1 / erfinv_tail(t),
        1.177 - ERFINV_SHIFT,
        6.07 - ERFINV_SHIFT,
        11,
        denominator=9,
    ),
    Fit(
        "GAMMALN",
        "p(u) / q(u): log gamma(1 + u) = u (u - 1) p(u) / q(u), relative, 0 <= u <= 2",
        "double",
        gammaln_over,
        lambda u: 1 / gammaln_over(u),
        0.0,
        2.0,
        8,
        denominator=8,
    ),
    Fit(
        "GAMMALN_FAR",
        "p(z): log gamma(x) = (x - 1/2) log(x) - x + log(2 pi) / 2 + p(1 / x**2) / x, relative, x >= 3",
        "double",
        gammaln_far_rest,
        lambda z: mp.sqrt(z) / mp.loggamma(1 / mp.sqrt(z)).real,
        0.0,
        1 / mpf(9),
        9,
    ),
    Fit(
        "DIGAMMA",
        "p(u) / q(u): digamma(1 + u) = (1 + u - root) p(u) / q(u), relative, 0 <= u <= 2",
        "double",
        digamma_over,
        lambda u: 1 / digamma_over(u),
        0.0,
        2.0,
        8,
        denominator=8,
    ),
    Fit(
        "DIGAMMA_FAR",
        "p(z): digamma(x) = log(x) - 1 / (2 x) - p(1 / x**2) / x**2, relative, x >= 3",
        "double",
        digamma_far_rest,
        lambda z: z / abs(mp.digamma(1 / mp.sqrt(z))),
        0.0,
        1 / mpf(9),
        10,
    ),
]


def literal(value: mpf) -> str:
    """Return a coefficient as Python text that reads back to the same number."""
    number = float(value)
    assert mpf(number) == value
    return repr(number)


def render(fit: Fit) -> str:
    """Fit one row and return its lines in the file of coefficients."""
    top, bottom, error = Fitter(fit).run()
    bits = mp.nstr(mp.log(error, 2), 4)
    lines = [f"# {fit.text}", f"# error 2**{bits}"]
    for name, numbers in ((fit.name, top), (fit.name + "_BELOW", bottom if fit.denominator else [])):
        if numbers:
            lines += [f"{name} = (", *(f"    {literal(c)}," for c in numbers), ")"]
    return "\n".join(lines)


HEADER = '''\
"""Coefficients of the vector mathematics, lowest power first; written by tools/fit_polynomials.py, do not edit."""
'''


def written() -> dict[str, str]:
    """Return what the file holds now, by the name of the fit."""
    pieces = TARGET.read_text().split("\n\n")[1:] if TARGET.exists() else []
    return {re.findall(r"^([A-Z]\w*) = ", piece, re.MULTILINE)[0]: piece.strip() for piece in pieces}


def main(names: list[str]) -> int:
    """Fit all rows, or the named ones, and write the file."""
    pieces = written() if names else {}
    for fit in FITS:
        if not names or fit.name in names:
            pieces[fit.name] = render(fit)
            print(fit.name, pieces[fit.name].splitlines()[1], flush=True)
            TARGET.write_text(HEADER + "\n" + "\n\n".join(pieces[f.name] for f in FITS if f.name in pieces) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
