"""Remainders of large numbers by pi/2 (Payne and Hanek, Radian reduction for trigonometric functions, 1983).

One scalar function of the kernel's module, called lane by lane. x = m 2**s with 53 bits of m; of 2**s / (2 pi) only the
192 bits behind the point matter, because m times those before it are whole turns. Their product with m, again without
whole turns, is the angle to 2**-139 of a turn; no double comes closer to a multiple of pi/2 than about 2**-62 of one.
"""

from __future__ import annotations

import functools

from septet.backends.cpu.builder import float_text
from septet.backends.cpu.vectormath.steps import INTEGER, NAN, Term

WINDOW = 192  # bits
PLACES = 1176  # bits of 1 / (2 pi) that are kept: enough for the largest double's exponent and the window
BYTES = 160  # with zeros above the point, for exponents from 2**17 on
RESULT_KINDS = ("double", "double", "i64")
RESULT = "{ double, double, i64 }"
HALF_PI_HIGH, HALF_PI_LOW = 1.5707963267948966, 6.123233995736766e-17


def two_pi_scaled(places: int) -> int:
    """Return 2 pi 2**places, rounded down, by Machin's formula."""
    guard = 32
    one = 1 << (places + guard)

    def arctangent_of_inverse(n: int) -> int:
        power = total = one // n
        square, divisor, sign = n * n, 1, 1
        while power:
            power //= square
            divisor, sign = divisor + 2, -sign
            total += sign * (power // divisor)
        return total

    return (8 * (4 * arctangent_of_inverse(5) - arctangent_of_inverse(239))) >> guard


@functools.cache
def turns() -> bytes:
    """Return 2**PLACES / (2 pi), rounded down, lowest byte first."""
    extra = 64
    total = PLACES + extra
    return ((1 << (2 * total)) // two_pi_scaled(total) >> extra).to_bytes(BYTES, "little")


@functools.cache
def helper() -> str:
    """Return the definitions that a kernel's module needs: the bits of 1 / (2 pi), and the function."""
    data = "".join(f"\\{byte:02X}" for byte in turns())
    high, low, nan = (float_text(v, "double") for v in (HALF_PI_HIGH, HALF_PI_LOW, NAN))
    tiny = float_text(2.0**-53, "double")
    return f"""@turns = private constant [{BYTES} x i8] c"{data}"
define internal {RESULT} @reduce_huge(double %x) noinline nounwind {{
  %bits = bitcast double %x to i64
  %shifted = lshr i64 %bits, 52
  %exponent = and i64 %shifted, 2047
  %fraction = and i64 %bits, {(1 << 52) - 1}
  %m = or i64 %fraction, {1 << 52}
  %wanted = sub i64 {PLACES - WINDOW + 1075}, %exponent
  %most = icmp ult i64 %wanted, {8 * (BYTES - 32)}
  %start = select i1 %most, i64 %wanted, i64 0
  %byte = lshr i64 %start, 3
  %place = getelementptr i8, ptr @turns, i64 %byte
  %loaded = load i256, ptr %place, align 1
  %bit = and i64 %start, 7
  %wide = zext i64 %bit to i256
  %moved = lshr i256 %loaded, %wide
  %window = trunc i256 %moved to i{WINDOW}
  %factor = zext i64 %m to i{WINDOW}
  %turn = mul i{WINDOW} %window, %factor
  %rounded = add i{WINDOW} %turn, {1 << (WINDOW - 3)}
  %top = lshr i{WINDOW} %rounded, {WINDOW - 2}
  %quadrant = trunc i{WINDOW} %top to i64
  %rest = shl i{WINDOW} %turn, 2
  %is_below = icmp slt i{WINDOW} %rest, 0
  %opposite = sub i{WINDOW} 0, %rest
  %size = select i1 %is_below, i{WINDOW} %opposite, i{WINDOW} %rest
  %zeros = call i{WINDOW} @llvm.ctlz.i{WINDOW}(i{WINDOW} %size, i1 false)
  %full = shl i{WINDOW} %size, %zeros
  %first = lshr i{WINDOW} %full, {WINDOW - 53}
  %second = lshr i{WINDOW} %full, {WINDOW - 106}
  %first64 = trunc i{WINDOW} %first to i64
  %second64 = trunc i{WINDOW} %second to i64
  %second53 = and i64 %second64, {(1 << 53) - 1}
  %firstd = uitofp i64 %first64 to double
  %secondd = uitofp i64 %second53 to double
  %zeros64 = trunc i{WINDOW} %zeros to i64
  %power = sub i64 {1023 - 53}, %zeros64
  %power52 = shl i64 %power, 52
  %scale = bitcast i64 %power52 to double
  %signs = lshr i64 %bits, 63
  %is_negative = trunc i64 %signs to i1
  %is_flipped = xor i1 %is_negative, %is_below
  %against = fneg double %scale
  %signed = select i1 %is_flipped, double %against, double %scale
  %a = fmul double %firstd, %signed
  %b0 = fmul double %secondd, %signed
  %b = fmul double %b0, {tiny}
  %product = fmul double %a, {high}
  %minus = fneg double %product
  %lost = call double @llvm.fma.f64(double %a, double {high}, double %minus)
  %lost1 = call double @llvm.fma.f64(double %a, double {low}, double %lost)
  %lost2 = call double @llvm.fma.f64(double %b, double {high}, double %lost1)
  %r = fadd double %product, %lost2
  %back = fsub double %r, %product
  %low = fsub double %lost2, %back
  %is_finite = icmp ult i64 %exponent, 2047
  %high = select i1 %is_finite, double %r, double {nan}
  %negated = sub i64 0, %quadrant
  %n = select i1 %is_negative, i64 %negated, i64 %quadrant
  %with_high = insertvalue {RESULT} poison, double %high, 0
  %with_low = insertvalue {RESULT} %with_high, double %low, 1
  %all = insertvalue {RESULT} %with_low, i64 %n, 2
  ret {RESULT} %all
}}"""


def reduce_huge(x: Term) -> tuple[Term, Term, Term]:
    """Return r, what its rounding took, and an integer whose last two bits are those of n, where x = n pi/2 + r.

    Right for |x| >= 2**17, NaN for infinities, without meaning for smaller numbers.
    """
    b, lanes = x.builder, x.value.lanes
    b.declarations |= {
        helper(),
        "declare double @llvm.fma.f64(double, double, double)",
        f"declare i{WINDOW} @llvm.ctlz.i{WINDOW}(i{WINDOW}, i1)",
    }
    wide = x.convert("fpext", "double").value
    rows = []
    for lane in range(lanes):
        result = b.fresh()
        b.line(f"{result} = call {RESULT} @reduce_huge(double {b.extract(wide, lane).name})")
        rows.append([b.pure(f"extractvalue {RESULT} {result}, {i}", kind, 1) for i, kind in enumerate(RESULT_KINDS)])
    r, low, n = (Term(b, b.gather_lanes(column)) for column in zip(*rows))
    if x.kind == "double":
        return r, low, n
    high = r.convert("fptrunc", "float")
    return high, (r - high.convert("fpext", "double")).convert("fptrunc", "float"), n.convert("trunc", INTEGER[x.kind])
