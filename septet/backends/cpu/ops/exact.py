"""Functions of random numbers."""

from __future__ import annotations

from septet.backends.cpu import vectormath
from septet.backends.cpu.ops.rules import Rule


def _rule(name: str) -> Rule:
    kinds = "u" if name.startswith("exact_normal") else "f"
    return Rule(lambda c: vectormath.write_exact(c.b, name, *c.args), kinds)


NAMES = (
    "exact_normal", "exact_normal_wide", "exact_log", "exact_log_positive", "exact_exp", "exact_sigmoid", "exact_erf",
    "exact_quantile",
)  # fmt: skip

TABLE = {name: _rule(name) for name in NAMES}
