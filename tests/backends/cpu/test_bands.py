"""Bands of matrices are written where they are used, in fused kernels: nothing runs in Python."""

import numpy as np
import pytest

import septet as st
from septet.backends.cpu.ops.library import LIBRARY
from septet.backends.cpu.planner import Planner
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.op import ops
from septet.graph.types import tensor_type


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "int8", "bool"])
@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 4), (4, 3), (1, 5), (5, 1), (1, 1), (40, 17)])
def test_what_lies_outside_of_the_band_is_zero(shape, dtype):
    x = (np.arange(1, np.prod(shape) + 1) % 100).reshape(shape).astype(dtype)
    for k in (-2, 0, 1):
        for own, reference in ((st.tril, np.tril), (st.triu, np.triu)):
            found = np.asarray(st.compile(lambda a, own=own, k=k: own(a, k=k))(st.asarray(x)))
            assert found.dtype == x.dtype
            np.testing.assert_array_equal(found, reference(x, k))


def test_outside_of_the_band_nan_becomes_zero():
    found = np.asarray(st.compile(lambda a: st.tril(a))(st.asarray(np.full((4, 4), np.nan, np.float32))))
    np.testing.assert_array_equal(np.isnan(found), np.tril(np.ones((4, 4), bool)))


def test_a_mask_is_made_in_the_kernel_that_uses_it():
    x = symbol(tensor_type("float32", (64, 64)))
    mask = ops.band_part(symbol(tensor_type("bool", (64, 64))), lower=None, upper=0)
    planner = Planner(Graph([x, mask.inputs[0]], [ops.where(mask, x, ops.negative(x))]), LIBRARY)
    assert len(planner.steps) == 1 and planner.steps[0].is_native
