"""Dtypes: how Theano promotes them, and into which one it puts Python's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.dialects.theano.configdefaults import config

INTS = ("int8", "int16", "int32", "int64")
UINTS = ("uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")
COMPLEXES = ("complex64", "complex128")
DISCRETE = ("bool", *INTS, *UINTS)
CONTINUOUS = (*FLOATS, *COMPLEXES)
ALL = (*DISCRETE, *CONTINUOUS)
LIFTED = {"bool": "float32", "int8": "float32", "int16": "float32", "uint8": "float32", "uint16": "float32"}
"""The floats that hold what a function of small integers gives; others give float64."""


class _Names(dict[Any, str]):
    def __missing__(self, dtype: Any) -> str:
        self[dtype] = name = str(np.dtype(dtype))
        return name


NAME_OF = _Names()
"""The names of NumPy's dtypes; NumPy itself makes them anew each time, which is most of what building a graph costs."""


def upcast(dtype: str, *dtypes: str) -> str:
    """Return the dtype that can hold all of some: NumPy's, but float32 at most where the policy is numpy+floatX."""
    given = [str(own) for own in (dtype, *dtypes)]
    found = str(np.result_type(*given))
    if config.cast_policy == "numpy+floatX" and found == "float64" and "float64" not in given:
        if config.floatX == "float16" and "float32" not in given:
            return "float16"
        if config.floatX in ("float32", "float16"):
            return "float32"
    return found


def tolerances(*dtypes: str, finest: float = 1e-8) -> tuple[float, float]:
    """Return the relative and the absolute difference that numbers of the coarsest of some dtypes may have to be equal."""
    relative = 1e-3 if "float16" in dtypes else 1e-5
    return relative, relative if {"float16", "float32", "complex64"} & set(dtypes) else finest


def lifted(dtype: str) -> str:
    """Return the float dtype of a function of a dtype: for integers the one that Theano chooses."""
    return LIFTED.get(dtype, "float64") if dtype in DISCRETE else dtype


class NumpyAutocaster:
    """Puts a Python number into the first dtype of a list that holds it exactly, or the last one."""

    def __init__(self, dtypes: tuple[str, ...]) -> None:
        self.dtypes = dtypes

    def __call__(self, x: Any) -> np.ndarray:
        if config.cast_policy == "numpy+floatX":
            found = np.asarray(x)
            if not hasattr(x, "dtype") and found.dtype.kind == "f":
                found = found.astype(config.floatX)
            return found
        if str(getattr(x, "dtype", "")) in self.dtypes:
            return np.asarray(x)
        if isinstance(x, float) and config.floatX in self.dtypes and config.floatX != "float64":
            return np.asarray(x, config.floatX)
        for dtype in self.dtypes:
            if dtype == "float16" and config.floatX != "float16":
                continue
            with np.errstate(all="ignore"):
                try:
                    found = np.asarray(x).astype(dtype)
                except OverflowError:
                    continue
            if np.all(found == np.asarray(x)):
                break
        return found


autocast_int = NumpyAutocaster(INTS)
autocast_float = NumpyAutocaster(FLOATS)


class autocast_float_as:
    """Other dtypes for Python's floats within a ``with`` block."""

    def __init__(self, *dtypes: str) -> None:
        self.dtypes = dtypes

    def __enter__(self) -> None:
        self._before = autocast_float.dtypes
        autocast_float.dtypes = self.dtypes

    def __exit__(self, *_: Any) -> None:
        autocast_float.dtypes = self._before


def convert(x: Any, dtype: Any = None) -> np.ndarray:
    """Return a number or array-like as an array of the dtype that Theano gives it."""
    if dtype is not None:
        return np.asarray(x).astype(as_dtype(dtype))
    if isinstance(x, int):  # True and False, too
        if -(2**63) <= x < 2**63:
            return autocast_int(x)
        return np.asarray(x, dtype="uint64")
    if type(x) is float:
        return autocast_float(x)
    if isinstance(x, np.ndarray):
        return x
    found = np.asarray(x)
    if found.size == 0 and not hasattr(x, "dtype"):
        found = np.asarray(x, dtype=config.floatX)
    return found


def as_dtype(dtype: Any) -> str:
    """Return a dtype's name; ``"floatX"`` is the setting's."""
    return str(config.floatX) if str(dtype) == "floatX" else str(np.dtype(dtype))
