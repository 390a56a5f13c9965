"""Dtypes of what functions of numbers give, as Theano has them.

A rule takes the dtypes of the inputs; it returns that in which the function is computed, and that of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.dtypes import COMPLEXES, DISCRETE, FLOATS, lifted, upcast

Rule = Callable[..., tuple[str, str]]


def upcast_out(*dtypes: str) -> tuple[str, str]:
    own = upcast(*dtypes)
    return own, own


def upcast_out_nobool(*dtypes: str) -> tuple[str, str]:
    own = upcast(*dtypes)
    if own == "bool":
        raise TypeError("bool output not supported")
    return own, own


def upcast_out_min8(*dtypes: str) -> tuple[str, str]:
    own = upcast(*dtypes)
    own = "int8" if own == "bool" else own
    return own, own


def upcast_out_no_complex(*dtypes: str) -> tuple[str, str]:
    _no_complex(dtypes)
    return upcast_out(*dtypes)


def quotient(*dtypes: str) -> tuple[str, str]:
    own, _ = upcast_out_no_complex(*dtypes)
    return "int8" if own == "bool" else own, own


def upgrade_to_float(*dtypes: str) -> tuple[str, str]:
    own = upcast(*map(lifted, dtypes))
    return own, own


def upgrade_to_float_no_complex(*dtypes: str) -> tuple[str, str]:
    _no_complex(dtypes)
    return upgrade_to_float(*dtypes)


def upgrade_to_float64(*dtypes: str) -> tuple[str, str]:
    return "float64", "float64"


def same_out_nobool(*dtypes: str) -> tuple[str, str]:
    if dtypes[0] == "bool":
        raise TypeError("bool input not supported")
    return dtypes[0], dtypes[0]


def same_out_nocomplex(*dtypes: str) -> tuple[str, str]:
    _no_complex(dtypes)
    return dtypes[0], dtypes[0]


def same_out_float_only(*dtypes: str) -> tuple[str, str]:
    if dtypes[0] not in FLOATS:
        raise TypeError("only float type are supported")
    return dtypes[0], dtypes[0]


def same_out(*dtypes: str) -> tuple[str, str]:
    return dtypes[0], dtypes[0]


def same_out_min8(*dtypes: str) -> tuple[str, str]:
    return upcast_out_min8(dtypes[0])


def int_out_nocomplex(*dtypes: str) -> tuple[str, str]:
    _no_complex(dtypes)
    return upcast(*dtypes), "int64"


def float_out_nocomplex(*dtypes: str) -> tuple[str, str]:
    _no_complex(dtypes)
    return upcast(*dtypes), "float64"


def comparison(*dtypes: str) -> tuple[str, str]:
    return upcast(*dtypes), "bool"


def bits(*dtypes: str) -> tuple[str, str]:
    if any(dtype not in DISCRETE for dtype in dtypes):
        raise TypeError("input to a bitwise op must have an integer or bool dtype", dtypes)
    return upcast_out(*dtypes)


def division(*dtypes: str) -> tuple[str, str]:
    if all(dtype in DISCRETE for dtype in dtypes):
        return str(config.floatX), str(config.floatX)
    return upcast_out(*dtypes)


def real_out(*dtypes: str) -> tuple[str, str]:
    own = dtypes[0]
    return own, {"complex64": "float32", "complex128": "float64"}.get(own, own)


def to_angle(*dtypes: str) -> tuple[str, str]:
    return ("complex128" if dtypes[0] == "complex128" else dtypes[0]), "float64"


def to_complex(*dtypes: str) -> tuple[str, str]:
    for dtype in dtypes:
        if dtype not in ("float32", "float64", *DISCRETE):
            raise TypeError(f"a complex number is made of real ones, got {dtype}")
    own = upcast(*map(lifted, dtypes))
    return own, "complex64" if own == "float32" else "complex128"


def _no_complex(dtypes: Sequence[str]) -> None:
    if any(dtype in COMPLEXES for dtype in dtypes):
        raise TypeError("complex argument not supported")
