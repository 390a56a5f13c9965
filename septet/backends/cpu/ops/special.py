"""Special functions."""

from __future__ import annotations

from septet.backends.cpu import vectormath
from septet.backends.cpu.ops.rules import Rule
from septet.backends.cpu.ops.transcendental import of

NAMES = ("erf", "erfc", "erfinv", "gammaln", "digamma", "logit", "xlogy", "xlog1py")

TABLE = {
    **{name: of(name) for name in NAMES},
    "sinc": Rule(lambda c: vectormath.sinc(c.b, *c.args, *c.params), "f"),
    "polygamma": Rule(lambda c: vectormath.polygamma(c.b, *c.args, *c.params), "f"),
}
