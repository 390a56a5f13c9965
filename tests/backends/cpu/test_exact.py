"""Functions with the same bits everywhere, as native code: no multiplication is fused with an addition.

That the bits are those of NumPy is tested by tests/run/test_draws.py; a processor without the fused instruction would
not tell, so what is written is looked at here.
"""

from __future__ import annotations

import pytest

from septet.backends.cpu.builder import Builder, Value
from septet.backends.cpu.ops.exact import TABLE
from septet.backends.cpu.ops.rules import Call


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("lanes", [1, 8])
def test_only_operations_with_one_right_result(name, lanes):
    b = Builder("kernel", [("x", "ptr")])
    kinds = {"u": [("i64", "uint64")], "f": [("float", "float32"), ("double", "float64")]}[TABLE[name].kinds]
    if name in ("exact_exp", "exact_sigmoid", "exact_erf", "exact_quantile"):
        kinds = kinds[1:]
    for kind, dtype in kinds:
        x = b.load(Value("%x", "ptr", 1), kind, lanes)
        args = [x, b.load(Value("%x", "ptr", 1), kind, lanes)] if name == "exact_normal_wide" else [x]
        TABLE[name].write(Call(b, args, [dtype] * len(args), "float64", ()))
    text = b.text()
    assert " fmul " in text and " fadd " in text
    for word in ("fma", "fmuladd", "fast", "contract", "reassoc", "arcp", "afn"):
        assert word not in text
    called = {line.split("@llvm.")[1].split(".")[0] for line in text.splitlines() if "@llvm." in line}
    assert called <= {"sqrt", "fabs", "copysign", "vector"}  # vector.reduce.or: whether any lane needs a detour
