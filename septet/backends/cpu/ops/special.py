"""Special functions."""

from __future__ import annotations

from septet.backends.cpu import vectormath
from septet.backends.cpu.ops.transcendental import _of

NAMES = ("erf", "erfc", "erfinv", "gammaln", "digamma")

TABLE = {name: _of(getattr(vectormath, name)) for name in NAMES if hasattr(vectormath, name)}
