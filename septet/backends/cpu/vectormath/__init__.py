"""Our own vector mathematics, written into kernels with the builder: no calls, no branches, any number of lanes.

Each function takes a builder and values of kind float or double and returns the value of the result. Lanes do not
influence each other, and a scalar gives the same bits as a lane. Edge cases are NumPy's: infinities, NaN, signed zeros,
denormal arguments and results. How far the results are from the exact ones is measured in docs/ulp.md.

A function is imported with the first kernel that has it. The files: `steps` (arithmetic, literals, polynomials), then one
per family, none named like a function. `coefficients` is written by tools/fit_polynomials.py.
"""

from importlib import import_module
from typing import Any

from septet.base.forks import work
from septet.base.garbage import paused

FILES = {
    "arcs": ("acos", "asin", "atan", "atan2"),
    "cardinal_sine": ("sinc",),
    "division": ("floor_divide", "fmod", "remainder"),
    "error_function": ("erf", "erfc", "erfinv"),
    "exact": ("write_exact",),
    "exponential": ("exp", "exp2", "exp_of_negative", "expm1", "sigmoid", "tanh"),
    "gamma": ("digamma", "gammaln", "polygamma"),
    "hyperbolic": ("acosh", "asinh", "atanh", "cosh", "sinh"),
    "logarithm": ("log", "log1p", "log2", "log10", "logaddexp", "logit", "softplus", "xlog1py", "xlogy"),
    "powers": ("cbrt", "hypot", "power", "rsqrt"),
    "trigonometric": ("cos", "sin", "tan"),
}
"""Where the functions are."""
_PLACES = {name: file for file, names in FILES.items() for name in names}

__all__ = sorted({*_PLACES} - {"exp_of_negative", "write_exact"})


def __getattr__(name: str) -> Any:
    """Import a function when it is first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with work, paused:
        found = getattr(import_module(f"septet.backends.cpu.vectormath.{_PLACES[name]}"), name)
    globals()[name] = found
    return found
