"""Dtype and shape rules that many cards share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.base import dtypes, shapes
from septet.base.dtypes import BOOL, COMPLEX, FLOAT, INTEGER, DType
from septet.base.errors import DTypeError
from septet.base.shapes import Shape

DTypeRule = Callable[..., tuple[tuple[DType, ...], Any]]

_KIND_NAMES = {BOOL: "bool", INTEGER: "integer", FLOAT: "float", COMPLEX: "complex"}


def check_kinds(given: tuple[DType, ...], allowed: tuple[int, ...]) -> None:
    """Refuse dtypes of kinds other than the allowed ones."""
    for position, dtype in enumerate(given):
        if dtypes.KIND[dtype] not in allowed:
            names = ", ".join(_KIND_NAMES[kind] for kind in allowed)
            raise DTypeError(
                f"is not defined for dtype {dtype.name} (argument {position}); it takes {names}",
                hint="convert with x.astype(dtype)",
            )


def promoting(*kinds: int, to_float: bool = False, result: DType | None = None, real: bool = False) -> DTypeRule:
    """All inputs are converted to their common type, which is the result's.

    Parameters
    ----------
    *kinds : int
        Allowed kinds (dtypes.BOOL ... COMPLEX); all where empty.
    to_float : bool
        Integers and booleans become the default float first (as in ``sqrt``).
    result : dtype, optional
        The result's dtype, where it is fixed (comparisons: bool).
    real : bool
        A complex type gives its real type (as in ``abs``).
    """
    allowed = kinds or (BOOL, INTEGER, FLOAT, COMPLEX)

    def rule(*given: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
        check_kinds(given, allowed)
        common = dtypes.promote(*given)
        if to_float and dtypes.KIND[common] < FLOAT:
            common = dtypes.default_of_kind(FLOAT)
        out = common if result is None else result
        return (common,) * len(given), dtypes.real_of(out) if real else out

    return rule


def keeping(*kinds: int) -> DTypeRule:
    """The first input's dtype is the result's; other inputs stay as they are (shapes, indices)."""
    allowed = kinds or (BOOL, INTEGER, FLOAT, COMPLEX)

    def rule(first: DType, *others: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
        check_kinds((first,), allowed)
        return (first, *others), first

    return rule


numeric = promoting(INTEGER, FLOAT, COMPLEX)
"""Arithmetic: numbers of any kind."""
arithmetic = promoting(BOOL, INTEGER, FLOAT, COMPLEX)
real_numeric = promoting(INTEGER, FLOAT)
floating = promoting(to_float=True)
"""Transcendental functions: integers become the default float."""
real_floating = promoting(BOOL, INTEGER, FLOAT, to_float=True)
comparing = promoting(result=dtypes.bool_)
ordering = promoting(BOOL, INTEGER, FLOAT, result=dtypes.bool_)
bitwise = promoting(BOOL, INTEGER)
logical = promoting(result=dtypes.bool_)


def broadcasting(*given: Shape, **_: Any) -> Shape:
    """The shapes broadcast by NumPy's rule."""
    return shapes.broadcast(*given)


def same_shape(first: Shape, *_others: Shape, **_: Any) -> Shape:
    """The first input's shape."""
    return first
