"""Tests of matrix products by OpenBLAS."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from septet.backends.cpu import openblas, pool
from septet.backends.cpu.jit import addresses

Region = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


def product(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, *, transposed: tuple[int, int] = (0, 0),
    tile: tuple[int, int] = (16, 16), alpha: float = 1.0, beta: float = 0.0, threads: int = 2,
) -> None:  # fmt: skip
    """Compute c = alpha op(a) op(b) + beta c for arrays (outer, inner, rows, columns), whose rows lie without gaps."""
    item = c.itemsize
    m, n = c.shape[2:]
    k = a.shape[2] if transposed[0] else a.shape[3]
    rows, columns = tile
    n_m, n_n = -(-m // rows), -(-n // columns)
    values: dict[str, Any] = {
        "a": a.ctypes.data, "b": b.ctypes.data, "c": c.ctypes.data, "m": m, "n": n, "k": k,
        "a_transposed": transposed[0], "b_transposed": transposed[1],
        "lda": row_length(a), "ldb": row_length(b), "ldc": row_length(c),
        "rows": rows, "columns": columns, "n_m": n_m, "n_n": n_n, "inner": c.shape[1],
        "a_outer": a.strides[0], "a_inner": a.strides[1], "b_outer": b.strides[0], "b_inner": b.strides[1],
        "c_outer": c.strides[0], "c_inner": c.strides[1], "a_row": item if transposed[0] else a.strides[2],
        "b_column": b.strides[2] if transposed[1] else item, "c_row": c.strides[2], "item": item,
        "alpha": openblas.bits(alpha), "beta": openblas.bits(beta),
    }  # fmt: skip
    args = np.array([values[field] for field in openblas.FIELDS], np.int64)
    kernel = addresses([openblas.module("sgemm_task" if item == 4 else "dgemm_task")])[0]
    tiles = c.shape[0] * c.shape[1] * n_m * n_n
    Region(pool.region_address())(kernel, args.ctypes.data, tiles, 1, threads)


def row_length(x: np.ndarray) -> int:
    """Return the elements from row to row; NumPy keeps any number where there is one row."""
    return max(x.strides[2] // x.itemsize, x.shape[3])


def some(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transposed", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 5, 7), (64, 33, 20), (17, 100, 1), (1, 64, 50), (100, 7, 100)])
def test_products(sizes: tuple[int, int, int], transposed: tuple[int, int], dtype: str) -> None:
    m, k, n = sizes
    a, b = some((2, 3, m, k), dtype, 1), some((2, 3, k, n), dtype, 2)
    c = some((2, 3, m, n), dtype, 3)
    expected = 0.5 * (a.astype(np.float64) @ b.astype(np.float64)) - 2.0 * c.astype(np.float64)
    stored = [np.ascontiguousarray(x.swapaxes(2, 3)) if t else x for x, t in zip((a, b), transposed)]
    product(*stored, c, transposed=transposed, alpha=0.5, beta=-2.0)
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(c, expected, rtol=tolerance, atol=tolerance * 10)


def test_what_was_there_does_not_count_when_beta_is_0() -> None:
    a, b = some((1, 1, 20, 30), "float32", 1), some((1, 1, 30, 40), "float32", 2)
    c = np.full((1, 1, 20, 40), np.nan, "float32")
    product(a, b, c)
    np.testing.assert_allclose(c, a @ b, rtol=1e-5, atol=1e-5)


def test_parts_of_larger_matrices() -> None:
    whole = some((1, 1, 60, 90), "float32", 4)
    a, b = whole[:, :, :20, :30], whole[:, :, 25:55, 40:80]
    out = np.zeros((1, 1, 50, 70), "float32")
    product(a, b, out[:, :, 10:30, 20:60])
    np.testing.assert_allclose(out[0, 0, 10:30, 20:60], a[0, 0] @ b[0, 0], rtol=1e-5, atol=1e-5)
    out[:, :, 10:30, 20:60] = 0
    assert not out.any()


def test_one_operand_for_a_whole_batch() -> None:
    a, b = some((4, 5, 8, 9), "float64", 5), some((1, 1, 9, 6), "float64", 6)
    c = np.zeros((4, 5, 8, 6))
    product(a, np.broadcast_to(b, (4, 5, 9, 6)), c)
    np.testing.assert_allclose(c, a @ b, rtol=1e-13)


@pytest.mark.parametrize("sizes", [(300, 257, 200), (128, 784, 512), (64, 1000, 10)])
def test_results_do_not_depend_on_the_number_of_threads(sizes: tuple[int, int, int]) -> None:
    m, k, n = sizes
    a, b = some((1, 2, m, k), "float32", 7), some((1, 2, k, n), "float32", 8)
    results = []
    for threads in (1, 2, 3, 8):
        c = np.zeros((1, 2, m, n), "float32")
        product(a, b, c, tile=(64, 128), threads=threads)
        results.append(c)
    assert all(np.array_equal(results[0], other) for other in results[1:])


def test_scipy_keeps_its_own() -> None:
    script = """
import ctypes
from septet.backends.cpu import openblas
ours = ctypes.cast(openblas.library().scipy_cblas_dgemm, ctypes.c_void_p).value
try:
    everybody = ctypes.CDLL(None).scipy_cblas_dgemm
except AttributeError:
    pass  # nobody finds ours by name
else:
    assert ctypes.cast(everybody, ctypes.c_void_p).value != ours
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_numpy_keeps_its_threads_and_ours_starts_none() -> None:
    script = """
import os, numpy as np
np.ones((300, 300)) @ np.ones((300, 300))
before = len(os.listdir("/proc/self/task"))
from septet.backends.cpu import openblas
openblas.library()
assert openblas.library().scipy_openblas_get_num_threads() == 1
assert "OPENBLAS_NUM_THREADS" not in os.environ
assert len(os.listdir("/proc/self/task")) == before
"""
    if not os.path.exists("/proc/self/task"):
        pytest.skip("threads cannot be counted on this system")
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=120)
