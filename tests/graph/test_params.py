"""Parameters are told apart to the bit."""

import math
from itertools import product

import numpy as np
import pytest

from septet.base import dtypes
from septet.base.errors import ArgumentError
from septet.graph.params import exact, hashable, is_same, packed

# Within a row all are equal by ``==`` and hash alike; no two are the same.
CONFUSED = [
    (1, 1.0, True, 1 + 0j, np.float64(1.0), np.int32(1), np.float32(1.0)),
    (0, 0.0, -0.0, False, 0j, complex(0.0, -0.0), np.float64(0.0), np.float64(-0.0), np.int64(0), np.bool_(False)),
    (2, 2.0, np.int8(2)),
]


@pytest.mark.parametrize("row", CONFUSED, ids=lambda row: str(row[0]))
@pytest.mark.parametrize("wrap", [lambda v: (v,), lambda v: ("a", (None, (v, 3)))], ids=["flat", "nested"])
def test_equal_values_of_other_types_are_told_apart(row, wrap):
    for (i, a), (j, b) in product(enumerate(row), repeat=2):
        first, second = wrap(a), wrap(b)
        assert first == second
        assert (exact(first) == exact(second)) == (i == j), (a, b)
        assert is_same(first, second, packed(second)) == (i == j), (a, b)


def test_the_same_is_the_same():
    for value in [3, 2.5, -0.0, True, None, "axis", (1, (2, ())), dtypes.float32, np.float32(2.0), slice(1, None)]:
        params = (value, 7)
        assert is_same(params, params, packed(params))
        assert exact(params) == exact(params)
    large = ((10**3, 10**30), 0.1 + 0.2)
    again = ((int("1000"), int("1" + "0" * 30)), 0.30000000000000004)
    assert is_same(large, again, packed(again))


def test_a_nan_is_the_nan():
    assert exact((math.nan,)) == exact((float("nan"),))


def test_nothing_is_the_same_as_none():
    assert not is_same((), None, None)


def test_only_plain_parameters_are_packed():
    assert packed((1, (2.0, None, "a"), True)) is not None
    for value in [dtypes.float32, np.int64(1), b"1", slice(1), frozenset((1,))]:
        assert packed((1, (value,))) is None


def test_lists_and_arrays_become_tuples():
    found = hashable("pad", ([1, [2, 3]], np.array([[1, 2]]), "a"))
    assert found == ((1, (2, 3)), ((1, 2),), "a")


def test_what_cannot_be_hashed_is_refused():
    with pytest.raises(ArgumentError, match=r"pad cannot take \{'a': 1\} as a parameter"):
        hashable("pad", ({"a": 1},))
