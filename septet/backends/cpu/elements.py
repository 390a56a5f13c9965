"""Elementwise ops and reductions in kernels: the tables of `ops`, put together, and how partial results are combined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.backends.cpu.builder import Builder, Value
from septet.backends.cpu.loops import ELEMENTS, element
from septet.backends.cpu.ops import cast, compare, elementwise, logic, special, transcendental
from septet.backends.cpu.ops.rules import Call, Rule

TABLE: dict[str, Rule] = {
    **elementwise.TABLE, **transcendental.TABLE, **special.TABLE, **compare.TABLE, **logic.TABLE, **cast.TABLE,
}  # fmt: skip

DEAR = frozenset({*transcendental.TABLE, *special.TABLE, "power"}) - {"sqrt"}
"""Ops that take many instructions: a value that needs one is kept rather than computed again."""


def supports(name: str, operands: Sequence[str], result: str) -> bool:
    """Tell whether kernels compute an op for these dtypes."""
    rule = TABLE.get(name)
    if rule is None or result not in ELEMENTS or any(dtype not in ELEMENTS for dtype in operands):
        return False
    return rule.kinds is None or all(np.dtype(dtype).kind in rule.kinds for dtype in operands)


def apply(b: Builder, name: str, params: tuple[Any, ...], args: list[Value], operands: list[str], result: str) -> Value:
    """Write an elementwise op."""
    return TABLE[name].write(Call(b, args, operands, result, params))


def neutral(b: Builder, kind: str, dtype: str, lanes: int) -> Value:
    """Return what a reduction starts with."""
    own = np.dtype(dtype)
    value: Any
    if kind in ("max", "min"):
        if own.kind == "f":
            value = -np.inf if kind == "max" else np.inf
        elif own.kind == "b":
            value = kind == "min"
        else:
            value = getattr(np.iinfo(own), "min" if kind == "max" else "max")
    else:
        value = {"add": 0, "multiply": 1, "and": True, "or": False}[kind]
    if own.kind == "f" and kind == "add":
        value = -0.0  # so that a sum of negative zeros stays one
    return b.number(value, element(dtype), lanes)


def combine(b: Builder, kind: str, dtype: str, a: Value, c: Value) -> Value:
    """Write one step of a reduction."""
    is_float = np.dtype(dtype).kind == "f"
    is_bool = np.dtype(dtype).kind == "b"
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
    sign = "u" if np.dtype(dtype).kind == "u" else "s"
    return b.intrinsic(f"{sign}{kind}", a, c)


def across(b: Builder, kind: str, dtype: str, vector: Value) -> Value:
    """Combine the lanes of a vector, in halves: always the same tree."""
    while vector.lanes > 1:
        half = vector.lanes // 2
        low = b.shuffle(vector, range(half))
        high = b.shuffle(vector, range(half, vector.lanes))
        if half == 1:
            low, high = b.extract(vector, 0), b.extract(vector, 1)
        vector = combine(b, kind, dtype, low, high)
    return vector
