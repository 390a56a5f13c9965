"""Functions of numbers, on tensors, that are Theano's alone or differ from Septet's at corners."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.dtypes import COMPLEXES, DISCRETE, NAME_OF


def as_dtype(tensor: Any, dtype: str) -> Any:
    """Return a tensor in a dtype; a complex one loses its imaginary part on the way to a number that is real."""
    own = NAME_OF[tensor.dtype]
    if own == dtype:
        return tensor
    if own in COMPLEXES and dtype not in COMPLEXES:
        tensor = st.real(tensor) if dtype != "bool" else st.not_equal(tensor, 0)
    return tensor.astype(dtype)


def _folded(combine: Callable[..., Any], of_booleans: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of any number of terms, made of one of two."""
    return lambda *terms: functools.reduce(combine if NAME_OF[terms[0].dtype] != "bool" else of_booleans, terms)


add_up, multiply_up = _folded(operator.add, operator.or_), _folded(operator.mul, operator.and_)


def round_half_away(x: Any) -> Any:
    return st.sign(x) * st.floor(st.abs(x) + 0.5)


def round_half_away_from_zero_vec(a: Any) -> Any:
    """Return an array's elements rounded, those in the middle away from zero."""
    return np.sign(a) * np.floor(np.abs(a) + np.asarray(a).dtype.type(0.5))


round_half_away_from_zero_ = round_half_away_from_zero_vec


def sign(x: Any) -> Any:
    return x.astype("int8") if NAME_OF[x.dtype] == "bool" else st.sign(x)


def larger(x: Any, y: Any) -> Any:
    """The larger number; of equal ones the first, which the whole gradient goes to."""
    return _first_where(st.maximum, st.greater_equal, st.less, x, y)


def smaller(x: Any, y: Any) -> Any:
    return _first_where(st.minimum, st.less_equal, st.greater, x, y)


def _first_where(plain: Any, is_first: Any, is_second: Any, x: Any, y: Any) -> Any:
    if NAME_OF[x.dtype] in DISCRETE:
        return plain(x, y)
    if NAME_OF[x.dtype] in COMPLEXES:  # in the order of the real parts, then of the imaginary ones
        a, b = st.real(x), st.real(y)
        is_tie = (a == b) & is_first(st.imag(x), st.imag(y))
        return st.where((is_first(a, b) & (a != b)) | is_tie | (x != x), x, y)
    if _is_number(x):
        return st.where(is_first(x, y), x, y)
    if _is_number(y):
        return st.where(is_second(x, y), y, x)
    return st.where(is_first(x, y) | (x != x), x, y)  # NaN wins


def _is_number(x: Any) -> Any:
    """Tell whether a tensor is one known number, and not NaN."""
    return x.ndim == 0 and not x.node.is_symbolic and not np.isnan(x.numpy())


def in_order(strict: Any, loose: Any) -> Callable[..., Any]:
    """Return a comparison; complex numbers are in the order of their real parts, then of their imaginary ones."""

    def compared(x: Any, y: Any) -> Any:
        if NAME_OF[x.dtype] not in COMPLEXES:
            return loose(x, y)
        a, b = st.real(x), st.real(y)
        return strict(a, b) | ((a == b) & loose(st.imag(x), st.imag(y)))

    return compared


def clip(x: Any, low: Any, high: Any) -> Any:
    return st.where(x < low, low, st.where(x > high, high, x))


def complex_from_polar(radius: Any, angle: Any) -> Any:
    return st.complex(radius * st.cos(angle), radius * st.sin(angle))


def chi2sf(x: Any, k: Any) -> Any:
    return st.gammaincc(k / 2, x / 2)


def erfcx(x: Any) -> Any:
    """exp(x^2) erfc(x): by a continued fraction where erfc underflows (Lentz; DLMF 7.9.2)."""
    large = st.maximum(x, 1.0)
    fraction = large
    for k in range(60, 0, -1):
        fraction = large + (k / 2) / fraction
    small = st.minimum(x, 5.0)
    return st.where(x > 5.0, 1.0 / (np.sqrt(np.pi) * fraction), st.exp(small * small) * st.erfc(small))


def scipy_special(name: str, derivative: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Return a function that SciPy computes, called from inside the graph."""

    def function(*tensors: Any) -> Any:
        from scipy import special

        own = getattr(special, name)
        tensors = tuple(st.broadcast_arrays(*tensors)) if len(tensors) > 1 else tensors
        dtype = tensors[-1].dtype.name
        types = tensors[-1].type
        gradient = None
        if derivative is not None:
            gradient = lambda g, *args: (*[None] * (len(args) - 1), g * derivative(*args))
        return st.callback(
            lambda *arrays: np.asarray(own(*arrays), dtype), (dtype, types.shape), *tensors, gradient=gradient
        )

    return function


def gamma(x: Any) -> Any:
    """The gamma function, from its logarithm and its sign."""
    negative = (x < 0) & (st.remainder(st.floor(x), 2.0) == 1)
    return st.where(negative, -1.0, 1.0).astype(x.dtype) * st.exp(st.gammaln(x))


def _bessel(name: str, order: int, x: Any) -> Any:
    return scipy_special(name)(st.full_like(x, order), x)


j0 = scipy_special("j0", lambda x: -scipy_special("j1")(x))
j1 = scipy_special("j1", lambda x: (_bessel("jv", 0, x) - _bessel("jv", 2, x)) / 2)
jv = scipy_special("jv", lambda v, x: (scipy_special("jv")(v - 1, x) - scipy_special("jv")(v + 1, x)) / 2)
i0 = scipy_special("i0", lambda x: scipy_special("i1")(x))
i1 = scipy_special("i1", lambda x: (_bessel("iv", 0, x) + _bessel("iv", 2, x)) / 2)
iv = scipy_special("iv", lambda v, x: (scipy_special("iv")(v - 1, x) + scipy_special("iv")(v + 1, x)) / 2)
