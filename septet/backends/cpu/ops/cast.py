"""Conversion between dtypes."""

from __future__ import annotations

from septet.backends.cpu.ops.rules import Rule, converted

TABLE = {"cast": Rule(lambda c: converted(c, c.args[0], c.result))}
