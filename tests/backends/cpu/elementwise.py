"""Kernels of one function over arrays, and distances between floating-point numbers, for tests and tools."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence

import numpy as np

from septet.backends.cpu import jit
from septet.backends.cpu.builder import Builder, Value

DTYPES = {"float": np.dtype(np.float32), "double": np.dtype(np.float64)}


def module_of(write: Callable[..., Value], kind: str, lanes: int, arity: int = 1) -> jit.Module:
    """Return a module with a loop that applies a function to `lanes` elements at a time."""
    inputs = [f"x{i}" for i in range(arity)]
    b = Builder("kernel", [*((name, "ptr") for name in inputs), ("y", "ptr"), ("n", "i64")])
    entry = b.block
    b.jump("head")
    b.begin("head")
    b.push()
    b.line(f"%i = phi i64 [0, %{entry}], [%next, %latch]")
    i = Value("%i", "i64", 1)
    values = [b.load(b.offset(Value(f"%{name}", "ptr", 1), i, kind), kind, lanes) for name in inputs]
    b.store(write(b, *values), b.offset(Value("%y", "ptr", 1), i, kind))
    b.jump("latch")
    b.begin("latch")
    b.line(f"%next = add i64 %i, {lanes}")
    going_on = b.compare("slt", Value("%next", "i64", 1), Value("%n", "i64", 1))
    b.pop()
    b.branch(going_on, "head", "done")
    b.begin("done")
    b.line("ret void")
    text = "\n".join([*sorted(b.declarations), b.text(), "attributes #0 = { nounwind }", ""])
    return jit.Module("kernel", text)


@functools.cache
def kernel(write: Callable[..., Value], kind: str, lanes: int, arity: int = 1) -> Callable[..., np.ndarray]:
    """Return a function of arrays that runs the compiled loop; sizes need not be multiples of the lanes."""
    (address,) = jit.addresses([module_of(write, kind, lanes, arity)])
    native = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + 1), ctypes.c_longlong)(address)
    dtype = DTYPES[kind]

    def apply(*arrays: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        count = arrays[0].size
        padded_count = -(-count // lanes) * lanes
        inputs = []
        for array in arrays:
            flat = np.ascontiguousarray(array, dtype).reshape(-1)
            if padded_count != count:
                flat = np.concatenate([flat, np.zeros(padded_count - count, dtype)])
            inputs.append(flat)
        result = np.empty(padded_count, dtype) if out is None else out
        native(*(a.ctypes.data for a in inputs), result.ctypes.data, padded_count)
        return result[:count].reshape(arrays[0].shape)

    apply.native = native  # type: ignore[attr-defined]
    return apply


def ordered(x: np.ndarray) -> np.ndarray:
    """Map floats to integers that count the floats in order; both zeros are 0."""
    signed = x.view(np.int32 if x.dtype == np.float32 else np.int64).astype(np.int64)
    lowest = -(1 << (x.dtype.itemsize * 8 - 1))
    return np.where(signed < 0, lowest - signed, signed)


def distance(result: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Return how far results are from more exact ones, in units in the last place of the result's format.

    NaN and infinities must agree: where they do not, the distance is infinite. An exact value that overflows in the
    narrower format counts as infinity.
    """
    with np.errstate(all="ignore"):
        rounded = exact.astype(result.dtype)
        unit = np.spacing(np.abs(rounded)).astype(exact.dtype)
        tiny = np.finfo(result.dtype).smallest_subnormal
        unit = np.where(np.isfinite(unit), np.maximum(unit, exact.dtype.type(tiny)), 1)
        far = np.abs(result.astype(exact.dtype) - exact) / unit
        same = (np.isnan(result) & np.isnan(exact)) | (result == rounded) & ~np.isfinite(rounded)
    far = np.where(same, 0, far)
    odd = ~same & ~(np.isfinite(result) & np.isfinite(rounded))
    # Where one of both overflows, the largest finite number is one unit away from infinity.
    largest = np.finfo(result.dtype).max
    neighbours = (
        odd & (np.abs(result) >= largest) & (np.abs(rounded) >= largest) & (np.sign(result) == np.sign(rounded))
    )
    return np.where(neighbours, 1, np.where(odd, np.inf, far))


def random_bits(kind: str, count: int, seed: int = 0) -> np.ndarray:
    """Return numbers with random bits: all magnitudes, both signs, denormals and NaN among them."""
    rng = np.random.default_rng(seed)
    width = np.uint32 if kind == "float" else np.uint64
    return rng.integers(0, np.iinfo(width).max, count, width, endpoint=True).view(DTYPES[kind])


def edges(kind: str) -> np.ndarray:
    """Return zeros, infinities, NaN with payloads, the ends of the normal and denormal numbers, small integers."""
    info = np.finfo(DTYPES[kind])
    points: Sequence[float] = [
        0,
        0.5,
        1,
        1.5,
        2,
        3,
        4,
        10,
        88,
        100,
        127,
        128,
        709,
        1023,
        info.tiny,
        info.max,
        1e-30,
        1e30,
    ]
    positive = np.array([*points, info.smallest_subnormal, 2.0**-24, 2.0**-53], DTYPES[kind])
    with np.errstate(over="ignore"):
        around = [np.nextafter(positive, np.inf), np.nextafter(positive, -np.inf), positive]
    both = np.concatenate([*around, *(-a for a in around)])
    quiet = np.array([np.nan, -np.nan, np.inf, -np.inf], DTYPES[kind])
    payload = (quiet[:1].view(np.uint32 if kind == "float" else np.uint64) + np.arange(1, 9).astype(np.uint32)).view(
        DTYPES[kind]
    )
    return np.concatenate([both, quiet, payload])
