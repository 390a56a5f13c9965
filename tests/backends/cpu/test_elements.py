"""Elementwise ops and reductions in kernels where values are hard: edges of integers, of float formats, ties, signs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from septet.backends.cpu.program import CpuProgram
from septet.backends.reference.program import ReferenceProgram
from septet.base import dtypes
from septet.base.dtypes import DType
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.op import ops
from septet.graph.types import tensor_type
from septet.run.programs import REFERENCE

SHORT = [dtypes.float16, dtypes.bfloat16]


def both(name: str, *arrays: np.ndarray, **params: Any) -> tuple[np.ndarray, np.ndarray]:
    """The result of an op in a kernel and that of the reference."""
    inputs = [symbol(tensor_type(array.dtype, array.shape)) for array in arrays]
    graph = Graph(inputs, [getattr(ops, name)(*inputs, **params)])
    (found,) = CpuProgram(graph, REFERENCE)(arrays)
    (expected,) = ReferenceProgram(graph)(arrays)
    return found, expected


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal to the last bit, but for the signs and payloads of NaN."""
    assert found.dtype == expected.dtype
    if dtypes.is_float(found.dtype):
        with np.errstate(invalid="ignore"):
            numbers = ~np.isnan(expected)
            np.testing.assert_array_equal(np.isnan(found), ~numbers)
        found, expected = found[numbers], expected[numbers]
    assert found.tobytes() == expected.tobytes()


def hard(dtype: DType) -> np.ndarray:
    """Edges of a dtype, and random bits."""
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 256, 2048 * dtype.itemsize, np.uint8)
    if dtype == dtypes.bool_:
        return bits > 127
    if dtypes.is_integer(dtype):
        info = np.iinfo(dtype)
        edges = [0, 1, 2, 3, 7, info.max, info.max - 1, info.max // 2, info.min, info.min + 1]
        return np.concatenate([np.array(edges, dtype), -np.array(edges, dtype), bits.view(dtype)])
    small = np.array([0.0, 0.5, 1.0, 1.5, 2.5, 127.5, 255.0, 256.0, 65519.0, 65520.0, 1e-7, 6e-8, 3e-8, np.inf, np.nan])
    values = [small, -small, rng.uniform(-300, 300, 500)]
    with np.errstate(over="ignore"):
        return np.concatenate([*(v.astype(dtype) for v in values), bits.view(dtype)])


def pairs(dtype: DType) -> tuple[np.ndarray, np.ndarray]:
    """Every edge with every edge, and random numbers with others."""
    values = hard(dtype)
    few = values[:20]
    return (
        np.concatenate([np.repeat(few, few.size), values]),
        np.concatenate([np.tile(few, few.size), values[::-1]]),
    )


@pytest.mark.parametrize("source", dtypes.ALL[:-2], ids=str)
def test_casts(source: DType) -> None:
    values = hard(source)
    for target in dtypes.ALL[:-2]:
        own = values
        if dtypes.is_float(source) and dtypes.is_integer(target):  # C leaves open what others give
            info = np.iinfo(target)
            with np.errstate(invalid="ignore"):
                wide = values.astype(np.float64)
            own = values[(wide > max(float(info.min), -(2.0**62)) - 1) & (wide < min(float(info.max), 2.0**64 - 2048))]
        assert_same(*both("cast", own, dtype=target))


@pytest.mark.parametrize("target", SHORT, ids=str)
def test_doubles_are_rounded_to_short_floats_as_the_reference_does(target: DType) -> None:
    with np.errstate(invalid="ignore"):
        every = np.arange(1 << 16, dtype=np.uint16).view(target).astype(np.float64)
    every = every[np.isfinite(every)]
    middle = np.sort(every)[:-1] + np.diff(np.sort(every)) / 2  # ties
    off = middle * (1 + np.array([[2.0**-52], [-(2.0**-52)], [2.0**-30], [-(2.0**-30)]]))
    assert_same(*both("cast", np.concatenate([middle, off.reshape(-1)]), dtype=target))


@pytest.mark.parametrize("dtype", dtypes.INTEGERS, ids=str)
@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod"])
def test_integer_division(name: str, dtype: DType) -> None:
    a, b = pairs(dtype)
    assert np.any(b == 0) and np.any((a == np.iinfo(dtype).min) & (b == b.dtype.type(-1 if dtype.kind == "i" else 1)))
    assert_same(*both(name, a, b))
    assert_same(*both(name, a[:3], b[:3]))  # too few for lanes


@pytest.mark.parametrize("dtype", dtypes.UNSIGNED, ids=str)
def test_powers_of_unsigned_integers(dtype: DType) -> None:
    assert_same(*both("power", *pairs(dtype)))


@pytest.mark.parametrize("dtype", dtypes.FLOATS, ids=str)
@pytest.mark.parametrize("name", ["nextafter", "copysign", "fmod", "floor_divide"])
def test_pairs_of_floats(name: str, dtype: DType) -> None:
    assert_same(*both(name, *pairs(dtype)))


@pytest.mark.parametrize("dtype", [*dtypes.INTEGERS, *dtypes.FLOATS], ids=str)
def test_signbit(dtype: DType) -> None:
    values = hard(dtype)
    found, expected = both("signbit", values)
    with np.errstate(invalid="ignore"):
        numbers = values == values
    np.testing.assert_array_equal(found[numbers], expected[numbers])


@pytest.mark.parametrize("dtype", SHORT, ids=str)
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide"])
def test_arithmetic_of_short_floats_is_rounded_once(name: str, dtype: DType) -> None:
    assert_same(*both(name, *pairs(dtype)))


@pytest.mark.parametrize("dtype", SHORT, ids=str)
def test_chains_of_short_floats_are_rounded_after_each_op(dtype: DType) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=1000).astype(dtype) for _ in range(3)]
    inputs = [symbol(tensor_type(dtype, (1000,))) for _ in arrays]
    graph = Graph(inputs, [ops.add(ops.multiply(inputs[0], inputs[1]), inputs[2])])
    program = CpuProgram(graph, REFERENCE)
    assert_same(program(arrays)[0], ReferenceProgram(graph)(arrays)[0])
    fused = (arrays[0].astype(np.float32) * arrays[1].astype(np.float32) + arrays[2].astype(np.float32)).astype(dtype)
    assert np.any(program(arrays)[0] != fused)


@pytest.mark.parametrize("dtype", SHORT, ids=str)
@pytest.mark.parametrize("shape, axis", [((7, 5000), 1), ((5000, 7), 0), ((60_000,), 0)])
def test_sums_of_short_floats_are_taken_in_float32(shape: tuple[int, ...], axis: int, dtype: DType) -> None:
    x = np.ones(shape, dtype)  # in the short format the sum would stop at 2048 or 256
    found, expected = both("sum", x, axis=axis)
    assert_same(found, expected)
    assert_same(*both("mean", x, axis=axis))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, bool], ids=str)
@pytest.mark.parametrize(
    "shape, axis",
    [((37, 1000), 1), ((1000, 37), 0), ((5, 7, 300), 1), ((100_000,), 0), ((300, 400), None), ((3, 50, 70), None)],
)
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_positions(name: str, shape: tuple[int, ...], axis: int | None, dtype: Any) -> None:
    x = (np.random.default_rng(0).normal(size=shape) * 3).astype(dtype)
    if dtype == np.float32:
        x.reshape(-1)[::991] = np.nan
    assert_same(*both(name, x, axis=axis))
