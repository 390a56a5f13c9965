"""What the tests of composites share: values and gradients in the three modes, and differences in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import septet as st

Array = np.ndarray


def draw(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0) -> Array:
    """Random numbers in float64."""
    return np.random.default_rng(seed).uniform(low, high, shape)


def in_all_modes(call: Callable[..., Any], *arrays: Array, is_known: bool = False) -> Array:
    """The value of a function of tensors, the same in define-by-run, `st.compile` and `st.function` (of unknown sizes,
    or of known ones)."""
    eager = call(*[st.asarray(a) for a in arrays])
    compiled = st.compile(call)(*arrays)
    symbols = [
        st.symbol(f"x{n}", np.shape(a) if is_known else (None,) * np.ndim(a), np.asarray(a).dtype.name)
        for n, a in enumerate(arrays)
    ]
    symbolic = st.function(symbols, call(*symbols), allow_unused=True)(*arrays)
    for found in (compiled, symbolic):
        assert found.dtype == eager.dtype
        np.testing.assert_allclose(
            found.numpy().astype(np.float64), eager.numpy().astype(np.float64), rtol=1e-6, atol=1e-9
        )
    return eager.numpy()


def check_gradients(
    call: Callable[..., Any], *arrays: Array, wrt: Sequence[int] | None = None, tolerance: float = 1e-6
) -> None:
    """Compare gradients with central differences, in first order and (of a projection of them) in second."""
    wrt = [n for n, a in enumerate(arrays) if np.asarray(a).dtype.kind == "f"] if wrt is None else wrt
    weights = np.cos(np.arange(call(*[st.asarray(a) for a in arrays]).numpy().size) + 0.5)

    def number(*given: Any) -> Any:
        return (call(*given).reshape(-1) * weights).sum()

    gradients = st.grad(number, argnums=list(wrt))
    directions = [np.sin(np.arange(np.size(arrays[n])) + 1.0).reshape(np.shape(arrays[n])) for n in wrt]

    def projection(*given: Any) -> Any:
        return sum(((g * d).sum() for g, d in zip(gradients(*given), directions, strict=True)), st.asarray(0.0))

    tensors = [st.asarray(a) for a in arrays]
    for function, limit in ((number, tolerance), (projection, 20 * tolerance)):
        found = st.grad(function, argnums=list(wrt))(*tensors)
        for n, g in zip(wrt, found, strict=True):
            assert g.dtype == arrays[n].dtype and g.shape == arrays[n].shape
            expected = differences(function, arrays, n)
            np.testing.assert_allclose(g.numpy(), expected, rtol=limit, atol=limit * max(1.0, np.abs(expected).max()))


def differences(call: Callable[..., Any], arrays: Sequence[Array], position: int, step: float = 1e-5) -> Array:
    """The derivatives of a number with respect to each element of one argument, by central differences."""
    x = arrays[position]
    result = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[index] += sign * step
            given = [moved if n == position else a for n, a in enumerate(arrays)]
            ends.append(float(call(*[st.asarray(a) for a in given]).numpy()))
        result[index] = (ends[0] - ends[1]) / (2 * step)
    return result
