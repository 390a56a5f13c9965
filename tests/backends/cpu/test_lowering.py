"""Kernels: the order of sums."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st

pytestmark = pytest.mark.skipif(st.config.backend != "cpu", reason="kernels of the native backend")


@pytest.mark.parametrize("length", [17, 100, 1000])
def test_the_order_of_a_sum_does_not_depend_on_the_functions_beside_it(length):
    """Functions of many instructions are computed for more neighbours at a time; sums of rows are not."""
    x = np.random.default_rng(length).standard_normal((7, length)).astype(np.float32)
    alone = st.compile(lambda x: st.sum(x * 1.5, axis=1))(x)

    @st.compile
    def beside(x):
        total = st.sum(x * 1.5, axis=1, keepdims=True)
        return total[:, 0], st.tanh(x * 1.5 - total)

    assert beside(x)[0].numpy().tobytes() == alone.numpy().tobytes()
