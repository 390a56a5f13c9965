"""Every way of combining two things gives the dtype that `result_type` announces."""

from itertools import product

import numpy as np
import pytest

import septet as st
from septet.base import dtypes

NUMBERS = [True, 1, 2.0, 1j]
TENSORS = [st.tensor(np.ones(2, dtype)) for dtype in dtypes.ALL]
ANY = [*NUMBERS, *TENSORS]


def name(value):
    return value.dtype.name if isinstance(value, st.Tensor) else type(value).__name__


def is_real(*values):
    return dtypes.KIND[st.result_type(*values)] < dtypes.COMPLEX


@pytest.mark.parametrize("a", ANY, ids=name)
def test_functions_of_two(a):
    for b in ANY:
        expected = st.result_type(a, b)
        assert st.add(a, b).dtype == expected, f"{name(a)} + {name(b)}"
        assert st.multiply(a, b).dtype == expected
        assert st.where(st.tensor([True, False]), a, b).dtype == expected
        if is_real(a, b):
            assert st.maximum(a, b).dtype == expected


@pytest.mark.parametrize("a", TENSORS, ids=name)
def test_operators(a):
    for b in NUMBERS:
        expected = st.result_type(a, b)
        assert (a + b).dtype == (b + a).dtype == (a * b).dtype == expected


def test_numbers_lose_nothing_beside_integers():
    x = st.tensor([3])
    assert (x * 0.1).item() == 3 * 0.1
    assert (x / 0.3).item() == 3 / 0.3
    assert st.maximum(x, 3.1).item() == 3.1
    assert (x == 3.0000000001).item() is False


def test_several_numbers_count_as_their_highest():
    mask = st.tensor([True])
    assert st.result_type(mask, 1, 2.0) == dtypes.float32
    assert st.result_type(mask, 1, 1j) == dtypes.complex64


def test_numbers_alone():
    assert st.add(1, 2.0).dtype == st.result_type(1, 2.0) == dtypes.float32
    assert st.add(1, 2).dtype == dtypes.int64
    assert st.add(True, 1).dtype == dtypes.int64
    assert st.add(1, 1j).dtype == dtypes.complex64
    with st.config.override(default_float="float64"):
        assert st.add(1, 2.0).dtype == st.result_type(1, 2.0) == dtypes.float64
        assert st.add(1, 1j).dtype == st.result_type(1, 1j) == dtypes.complex128


@pytest.mark.parametrize("a", TENSORS, ids=name)
def test_functions_of_many(a):
    """Several numbers beside a tensor: each is weak, also in functions that join."""
    for one, other in product([1, 2.0], repeat=2):
        expected = st.result_type(a, one, other)
        assert st.where(st.tensor([True, False]), a, one).dtype == st.result_type(a, one)
        if is_real(a) and a.dtype != dtypes.bool_:
            assert st.clip(a, one, other).dtype == expected
