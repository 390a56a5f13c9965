"""Which axes of a value are which axes of the group that computes it, also where all sizes are equal."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

import septet as st

N = 5
SQUARE = np.arange(N * N, dtype=np.float32).reshape(N, N)  # whole numbers: sums are exact in any order
ROWS = {"around": (N, N, 1), "before": (N, 1, N), "within": (1, N, N), "all": (N, N, N), "few": (3, N, 1)}


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", ROWS.values(), ids=ROWS)
def test_totals_beside_something_of_more_axes(shape, axis, keepdims):
    other = 100.0 * np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    step = st.compile(lambda x, m: x + st.sum(m, axis=axis, keepdims=keepdims))
    np.testing.assert_array_equal(step(other, SQUARE).numpy(), other + SQUARE.sum(axis, keepdims=keepdims))


@pytest.mark.parametrize("axes", list(permutations(range(3))))
def test_totals_in_another_order_of_axes(axes):
    cube = np.arange(N**3, dtype=np.float32).reshape(N, N, N)
    step = st.compile(lambda x: st.transpose(x, axes) - st.sum(x, axis=1, keepdims=True))
    np.testing.assert_array_equal(step(cube).numpy(), cube.transpose(axes) - cube.sum(1, keepdims=True))


def test_a_comparison_with_totals_and_a_broadcast_column():
    column = np.arange(-2.0, 3.0, dtype=np.float32)[:, None]
    step = st.compile(lambda x, m: st.less(st.broadcast_to(x, (N, N, 1)), st.sum(m, axis=1, keepdims=True)))
    matrix = SQUARE - 12
    expected = np.broadcast_to(column, (N, N, 1)) < matrix.sum(1, keepdims=True)
    np.testing.assert_array_equal(step(column, matrix).numpy(), expected)
