"""Our own vector mathematics, written into kernels with the builder: no calls, no branches, any number of lanes.

Each function takes a builder and values of kind float or double and returns the value of the result. Lanes do not
influence each other, and a scalar gives the same bits as a lane. Edge cases are NumPy's: infinities, NaN, signed zeros,
denormal arguments and results. How far the results are from the exact ones is measured in docs/ulp.md.

The files: `steps` (arithmetic, literals, polynomials), then one per family. `coefficients` is written by
tools/fit_polynomials.py.
"""

from septet.backends.cpu.vectormath.arcs import acos, asin, atan, atan2
from septet.backends.cpu.vectormath.division import floor_divide, fmod, remainder
from septet.backends.cpu.vectormath.error_function import erf, erfc, erfinv
from septet.backends.cpu.vectormath.exponential import exp, exp2, expm1, sigmoid, tanh
from septet.backends.cpu.vectormath.gamma import digamma, gammaln, polygamma
from septet.backends.cpu.vectormath.hyperbolic import acosh, asinh, atanh, cosh, sinh
from septet.backends.cpu.vectormath.logarithm import (
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logit,
    softplus,
    xlog1py,
    xlogy,
)
from septet.backends.cpu.vectormath.power import cbrt, hypot, power, rsqrt
from septet.backends.cpu.vectormath.sinc import sinc
from septet.backends.cpu.vectormath.trigonometric import cos, sin, tan

__all__ = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "cos",
    "cosh",
    "digamma",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "floor_divide",
    "fmod",
    "gammaln",
    "hypot",
    "log",
    "log10",
    "log1p",
    "log2",
    "logaddexp",
    "logit",
    "polygamma",
    "power",
    "remainder",
    "rsqrt",
    "sigmoid",
    "sin",
    "sinc",
    "sinh",
    "softplus",
    "tan",
    "tanh",
    "xlog1py",
    "xlogy",
]
