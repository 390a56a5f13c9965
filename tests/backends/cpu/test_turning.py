"""Turning a matrix: sizes that are no whole squares, parts of larger matrices, bounds, both dtypes."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from septet.backends.cpu import jit, turning
from septet.backends.cpu.direct_tiles import machine

SIZES = [(1, 1), (7, 8), (8, 7), (16, 64), (19, 33), (turning.TALL + 9, turning.WIDE + 3), (3 * turning.TALL, 40)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_values(rows, columns, dtype):
    own = machine(dtype, columns)
    (address,) = jit.addresses([turning.module(turning.kernel_name(own))])
    kernel = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(address)
    whole = np.random.default_rng(0).standard_normal((rows, columns + 5)).astype(dtype)
    source = whole[:, 2 : 2 + columns]
    row = turning.turned_row(rows, own.item)
    target = np.full((columns + 1, row), 7, dtype)
    n_wide = -(-columns // turning.WIDE)
    values = [
        source.ctypes.data,
        target.ctypes.data,
        columns + 5,
        row,
        rows,
        columns,
        turning.TALL,
        turning.WIDE,
        n_wide,
    ]
    args = np.array(values, np.int64)
    for task in reversed(range(-(-rows // turning.TALL) * n_wide)):
        kernel(args.ctypes.data, task, task + 1)
    np.testing.assert_array_equal(target[:columns, :rows], source.T)
    assert (target[columns] == 7).all()
    assert (target[:columns, rows:] == 7).all()


def test_rows_lie_a_line_further_from_each_other_than_needed():
    for item in (4, 8):
        for rows in (1, 16, 17, 2048):
            row = turning.turned_row(rows, item)
            assert row * item % turning.LINE == 0
            assert turning.LINE <= (row - rows) * item < 2 * turning.LINE
