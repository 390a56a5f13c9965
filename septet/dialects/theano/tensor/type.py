"""`theano.tensor.type`: the type of tensors."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.tensortype import TensorType as TensorType

values_eq_approx = TensorType.values_eq_approx


def values_eq_approx_always_true(a: Any, b: Any) -> bool:
    """Tell that any two arrays are equal: for results that are not determined."""
    return True


def values_eq_approx_remove_inf(a: Any, b: Any) -> bool:
    """Tell whether two arrays are equal up to rounding, where the first is not infinite."""
    return values_eq_approx(a, b, allow_remove_inf=True)


def values_eq_approx_remove_nan(a: Any, b: Any) -> bool:
    """Tell whether two arrays are equal up to rounding, where the first is not NaN."""
    return values_eq_approx(a, b, allow_remove_nan=True)


def values_eq_approx_remove_inf_nan(a: Any, b: Any) -> bool:
    """Tell whether two arrays are equal up to rounding, where the first is finite."""
    return values_eq_approx(a, b, allow_remove_inf=True, allow_remove_nan=True)
