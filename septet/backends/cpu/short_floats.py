"""The short floats in kernels: two bytes in memory, a float in registers, rounded to the format after each operation.

In registers a value of float16 or bfloat16 is a float that the format holds exactly. Operations are computed in float and
rounded once, as the reference does; what only moves values or compares them needs no rounding.
"""

from __future__ import annotations

import functools
import platform

from septet.backends.cpu import llvm
from septet.backends.cpu.builder import Builder, Value

SHORT = ("float16", "bfloat16")
STORED = {"float16": "half", "bfloat16": "i16"}
"""The element types in memory."""
QUIET_NAN = 0x7FC00000


@functools.cache
def has_half() -> bool:
    """Tell whether this machine converts float16: LLVM would call a function for it that is not there."""
    return "+f16c" in llvm.library().host.features.split(",") or platform.machine().lower() in ("arm64", "aarch64")


def widened(b: Builder, stored: Value, dtype: str) -> Value:
    """Return what was loaded from memory as a float."""
    if dtype == "float16":
        return b.convert("fpext", stored, "float")
    bits = b.convert("zext", stored, "i32")
    return b.convert("bitcast", b.binary("shl", bits, b.number(16, "i32", stored.lanes)), "float")


def narrowed(b: Builder, value: Value, dtype: str) -> Value:
    """Return a float that the format holds exactly as what is stored in memory."""
    if dtype == "float16":
        return b.convert("fptrunc", value, "half")
    bits = b.convert("bitcast", value, "i32")
    return b.convert("trunc", b.binary("lshr", bits, b.number(16, "i32", value.lanes)), "i16")


def rounded(b: Builder, value: Value, dtype: str) -> Value:
    """Round a float to the format: to the nearest number, halves to the even one."""
    if dtype == "float16":
        # The fence keeps LLVM from drawing a double's sign into this rounding: for that it calls a function.
        fenced = b.intrinsic("arithmetic.fence", value)
        return b.convert("fpext", b.convert("fptrunc", fenced, "half"), "float")

    def number(bits: int) -> Value:
        return b.number(bits, "i32", value.lanes)

    # Half of the last place that stays is added, less one where that place is even: the carry rounds.
    bits = b.convert("bitcast", value, "i32")
    is_odd = b.binary("and", b.binary("lshr", bits, number(16)), number(1))
    carried = b.binary("add", b.binary("add", bits, number(0x7FFF)), is_odd)
    kept = b.binary("and", carried, number(-0x10000))
    result = b.convert("bitcast", kept, "float")
    nan = b.convert("bitcast", number(QUIET_NAN), "float")
    return b.select(b.compare("uno", value, value), nan, result)


def to_odd(b: Builder, value: Value) -> Value:
    """Convert double to float so that rounding it again to float16 is as if the double had been rounded.

    A result that is not exact takes the neighbour whose last bit is odd, so that it lies between the numbers of the shorter
    format, never on one. Source: Boldo and Melquiond, When double rounding is odd, 2005.
    """
    near = b.convert("fptrunc", value, "float")
    back = b.convert("fpext", near, "double")
    bits = b.convert("bitcast", near, "i32")
    one = b.number(1, "i32", value.lanes)
    is_even = b.compare("eq", b.binary("and", bits, one), b.number(0, "i32", value.lanes))
    is_beyond = b.compare("ogt", b.intrinsic("fabs", back), b.intrinsic("fabs", value))
    odd = b.select(is_beyond, b.binary("sub", bits, one), b.binary("add", bits, one))
    is_inexact = b.binary("and", b.compare("one", back, value), is_even)
    return b.convert("bitcast", b.select(is_inexact, odd, bits), "float")
