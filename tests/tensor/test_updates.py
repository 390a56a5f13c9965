"""``x[key] = value``: every kind of key against NumPy, in define-by-run, in functions and compiled."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import septet as st
from tests.ops.random_keys import SHAPE, expected, keys

X = np.arange(1.0, 25.0).reshape(SHAPE)
REFUSED = "which row of the value goes where depends on a symbolic mask"


class Update(NamedTuple):
    """A key, a value, and what NumPy makes of them."""

    key: tuple[Any, ...]
    value: Any
    result: np.ndarray


@some.composite
def updates(draw: Any) -> Update:
    """An update with a value of the selected shape, of one that broadcasts to it, or a Python number."""
    key = draw(keys())
    shape = list(expected(X, key).shape)
    if draw(some.integers(0, 4)) == 0:
        value: Any = draw(some.sampled_from([7, -2.5, True]))
    else:
        shape = [1 if draw(some.integers(0, 3)) == 0 else size for size in shape][draw(some.integers(0, 3)) :]
        if expected(X, key).ndim:  # NumPy puts no array, of whatever size, in the place of one element
            shape = [1] * draw(some.integers(0, 1)) + shape
        dtype = draw(some.sampled_from(["float64", "float32", "int32"]))
        value = np.random.default_rng(0).uniform(-30, 30, shape).astype(dtype)
    result = X.copy()
    result[key] = value
    return Update(key, value, result)


def assigned(x: Any, key: Any, value: Any) -> tuple[Any, Any]:
    """Assign through one handle; return it, and another one on the tensor as it was before."""
    before = copy.copy(x)
    x[key] = value
    return x, before


def parts(key: tuple[Any, ...]) -> list[np.ndarray]:
    """The arrays of a key that can be symbols: a single boolean changes the rank of the result, and stays."""
    return [item for item in key if isinstance(item, np.ndarray)]


def with_parts(key: tuple[Any, ...], given: Any) -> tuple[Any, ...]:
    """The key with its arrays replaced, in order."""
    left = iter(given)
    return tuple([next(left) if isinstance(item, np.ndarray) else item for item in key])


def eager(update: Update) -> Any:
    return assigned(st.tensor(X), update.key, st.tensor(update.value))


def eager_with_tensors(update: Update) -> Any:
    return assigned(st.tensor(X), with_parts(update.key, [st.tensor(a) + 0 if a.dtype != bool else st.tensor(a)
                    for a in parts(update.key)]), update.value)  # fmt: skip


def function(is_known: bool, symbolic_key: bool) -> Callable[[Update], Any]:
    def symbol_of(array: np.ndarray, name: str, extra: int = 0) -> Any:
        """An unknown size is never taken to be 1, so that of an axis too many is known."""
        shape = array.shape if is_known else (*array.shape[:extra], *(None,) * (array.ndim - extra))
        return st.symbol(name, shape, array.dtype.name)

    def run(update: Update) -> Any:
        value, key, arrays = update.value, update.key, [X]
        symbols = [symbol_of(X, "x")]
        if isinstance(value, np.ndarray):
            arrays.append(value)
            value = symbol_of(value, "value", max(value.ndim - X[key].ndim, 0))
            symbols.append(value)
        if symbolic_key:
            own = [symbol_of(array, "index") for array in parts(key)]
            arrays += parts(key)
            symbols += own
            key = with_parts(key, own)
        return st.function(symbols, assigned(copy.copy(symbols[0]), key, value), allow_unused=True)(*arrays)

    return run


def compiled(update: Update) -> Any:
    return st.compile(lambda x, v: assigned(x, update.key, v))(X, update.value)


def compiled_with_arguments(update: Update) -> Any:
    return st.compile(lambda x, v, *own: assigned(x, with_parts(update.key, own), v))(
        X, update.value, *parts(update.key)
    )


def variable(update: Update) -> Any:
    w = st.Variable(X, "w")
    before = w + 0.0
    w[update.key] = update.value
    return w, before


def compiled_variable(update: Update) -> Any:
    w = st.Variable(X, "w")

    @st.compile
    def step(v: Any) -> Any:
        before = w + 0.0
        w[update.key] = v
        return before

    before = step(update.value)
    return w, before


MODES: dict[str, Callable[[Update], Any]] = {
    "define-by-run": eager,
    "define-by-run, tensors in the key": eager_with_tensors,
    "function": function(True, False),
    "function, unknown sizes": function(False, False),
    "function, symbols in the key": function(True, True),
    "function, symbols of unknown sizes in the key": function(False, True),
    "compile": compiled,
    "compile, the key's arrays as arguments": compiled_with_arguments,
    "variable": variable,
    "compile, variable": compiled_variable,
}


@pytest.mark.parametrize("mode", MODES)
@given(updates())
@settings(max_examples=60)
def test_every_key(mode: str, update: Update) -> None:
    """The result is NumPy's; the tensor as it was before stays what it was."""
    try:
        found, before = MODES[mode](update)
    except st.errors.ArgumentError as error:
        # The rows of a value would go to the places of a mask that is known only when the graph runs.
        assert "symbols" in mode or "arguments" in mode
        assert REFUSED in str(error)
        assert [part.dtype for part in parts(update.key)] == [bool]
        assert np.ndim(update.value) > 0
        return
    assert found.dtype == X.dtype
    np.testing.assert_allclose(found.numpy(), update.result, rtol=1e-7)
    np.testing.assert_array_equal(before.numpy(), X)
