"""Graphs in float64, and units in the last place."""

from __future__ import annotations

import math

import numpy as np
import pytest

import septet as st
from septet.base import dtypes
from septet.graph.graph import Graph
from septet.run.precision import exact_values, spacing, wide


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_spacing_is_that_of_numpy(dtype):
    info = np.finfo(dtype)
    values = [1.0, 1.5, 2.0, 3.0, 0.1, -5.0, 1000.0, info.tiny, info.smallest_subnormal * 5, info.max / 4]
    own = np.array(values, dtype)
    expected = np.abs(np.spacing(own)).astype(np.float64)
    assert (spacing(np.dtype(dtype), own.astype(np.float64)) == expected).all()
    assert (spacing(np.dtype(dtype), np.array([0.0, np.nan, np.inf])) == float(info.smallest_subnormal)).all()


def test_spacing_of_short_and_complex_numbers():
    assert spacing(dtypes.bfloat16, np.array([1.0, 4.0])).tolist() == [2.0**-7, 2.0**-5]
    assert spacing(dtypes.complex64, np.array([3 + 4j])).tolist() == [2.0**-21]


def test_wide():
    assert wide(np.ones(2, np.float32)).dtype == np.float64 and wide(np.ones(2, np.complex64)).dtype == np.complex128
    assert wide(np.ones(2, np.int32)).dtype == np.int32


def test_values_of_all_nodes():
    x = st.symbol("x", (3,))
    y = st.exp(x) * 0.1
    total = st.sum(y)
    graph = Graph([x.node], [total.node])
    array = np.array([0.1, 0.2, 0.3], np.float32)
    values = exact_values(graph, [array], {})
    wanted = math.fsum(math.exp(float(v)) * float(np.float32(0.1)) for v in array)
    assert values[total.node].dtype == np.float64 and math.isclose(values[total.node].item(), wanted, rel_tol=1e-15)


def test_decisions_are_those_of_the_reference():
    """What is no float goes the way of the reference, where rounding decides."""
    x = st.symbol("x", (1,))
    is_large = x > 1
    graph = Graph([x.node], [st.where(is_large, x, -x).node])
    array = np.ones(1, np.float32)
    values = exact_values(graph, [array], {is_large.node: np.array([True])})
    assert values[graph.outputs[0]].tolist() == [1.0]
