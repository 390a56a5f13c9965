"""Elementwise ops and reductions in kernels: the tables of `ops`, put together, and how partial results are combined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.backends.cpu.builder import Builder, Value
from septet.backends.cpu.loops import element, is_element, kind_of
from septet.backends.cpu.ops import cast, compare, elementwise, exact, logic, special, transcendental
from septet.backends.cpu.ops.rules import Call, Rule
from septet.backends.cpu.short_floats import SHORT, rounded

TABLE: dict[str, Rule] = {
    **elementwise.TABLE, **transcendental.TABLE, **special.TABLE, **compare.TABLE, **logic.TABLE, **cast.TABLE, **exact.TABLE,
}  # fmt: skip

DEAR = frozenset({
    *transcendental.TABLE, *special.TABLE, *exact.TABLE, "power", "hypot", "floor_divide", "remainder", "fmod",
}) - {"sqrt"}  # fmt: skip
"""Ops that take many instructions: a value that needs one is kept rather than computed again."""

IN_DOUBLE = frozenset({"power", "hypot", "gammaln", "digamma", "polygamma", "sinc", "erfinv"})
"""Those of them that compute floats in double."""

COMPLEX = "a lane holds one number, and complex numbers are two; NumPy computes them, op by op"
SERIES = "series and fractions of up to 500 steps, over parts of the plane: lanes would wait for the slowest"
REASONS: dict[tuple[str, str], str] = {
    ("gammainc", "f"): SERIES,
    ("gammaincc", "f"): SERIES,
    ("log_gamma_slope", "f"): SERIES,
    ("power", "i"): "a negative exponent is an error that only values show, and kernels report none but wrong indices",
}
"""Why kernels do not compute an op for a kind of dtypes; the reference of the op's card does."""


def supports(name: str, operands: Sequence[str], result: str) -> bool:
    """Tell whether kernels compute an op for these dtypes."""
    rule = TABLE.get(name)
    if rule is None or not all(is_element(dtype) for dtype in (*operands, result)):
        return False
    return all(kind_of(dtype) in rule.kinds for dtype in operands)


def reason(name: str, operands: Sequence[str], result: str) -> str | None:
    """Return why kernels do not compute an op for these dtypes; None where there is no reason why not."""
    if any(dtype.startswith("complex") for dtype in (*operands, result)):
        return COMPLEX
    if "float16" in (*operands, result) and not is_element("float16"):
        return "this processor has no conversions of float16"
    return REASONS.get((name, kind_of(operands[0]))) if operands else None


def apply(
    b: Builder, name: str, params: tuple[Any, ...], args: list[Value], operands: list[str], result: str,
    is_not_positive: bool = False,
) -> Value:  # fmt: skip
    """Write an elementwise op; that its first operand is not above 0 may be given."""
    rule = TABLE[name]
    value = rule.write(Call(b, args, operands, result, params, is_not_positive))
    return rounded(b, value, result) if result in SHORT and not rule.is_exact else value


def neutral(b: Builder, kind: str, dtype: str, lanes: int) -> Value:
    """Return what a reduction starts with."""
    own = kind_of(dtype)
    value: Any
    if kind in ("max", "min"):
        if own == "f":
            value = -np.inf if kind == "max" else np.inf
        elif own == "b":
            value = kind == "min"
        else:
            value = getattr(np.iinfo(dtype), "min" if kind == "max" else "max")
    else:
        value = {"add": 0, "multiply": 1, "and": True, "or": False}[kind]
    if own == "f" and kind == "add":
        value = -0.0  # so that a sum of negative zeros stays one
    return b.number(value, element(dtype), lanes)


def combine(b: Builder, kind: str, dtype: str, a: Value, c: Value) -> Value:
    """Write one step of a reduction."""
    is_float = kind_of(dtype) == "f"
    is_bool = kind_of(dtype) == "b"
    if is_bool and kind in ("add", "multiply"):
        return b.binary({"add": "or", "multiply": "and"}[kind], a, c)
    if kind == "add":
        return b.binary("fadd" if is_float else "add", a, c)
    if kind == "multiply":
        return b.binary("fmul" if is_float else "mul", a, c)
    if kind in ("and", "or"):
        return b.binary(kind, a, c)
    if is_float:
        return b.intrinsic({"max": "maximum", "min": "minimum"}[kind], a, c)
    if is_bool:
        return b.binary({"max": "or", "min": "and"}[kind], a, c)
    sign = "u" if kind_of(dtype) == "u" else "s"
    return b.intrinsic(f"{sign}{kind}", a, c)


def across(b: Builder, kind: str, dtype: str, vector: Value, lanes: int = 1) -> Value:
    """Combine the lanes of a vector, in halves: always the same tree, down to a number of lanes."""
    while vector.lanes > lanes:
        half = vector.lanes // 2
        low = b.shuffle(vector, range(half))
        high = b.shuffle(vector, range(half, vector.lanes))
        if half == 1:
            low, high = b.extract(vector, 0), b.extract(vector, 1)
        vector = combine(b, kind, dtype, low, high)
    return vector
