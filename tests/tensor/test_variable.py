"""Several variables at once: all take their new values, or none does."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base.errors import FileFormatError, ShapeError
from septet.tensor.variable import assign_all


@pytest.fixture
def pair() -> list[st.Variable]:
    return [st.Variable(np.zeros(3, np.float32), "a"), st.Variable(np.zeros((), np.int64), "b")]


def test_known_and_pending_values(pair):
    a, b = pair
    assign_all({a: [1, 2, 3], b: b + 1})
    assert a.numpy().tolist() == [1, 2, 3] and a.numpy().dtype == np.float32 and int(b) == 1
    assign_all({a: a * 2, b: 7})
    assert a.numpy().tolist() == [2, 4, 6] and int(b) == 7


def test_new_values_are_of_what_was_before(pair):
    a, b = pair
    b.assign(5)
    assign_all({a: a + b, b: b + a.sum().astype("int64") + 1})
    assert a.numpy().tolist() == [5, 5, 5] and int(b) == 6


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_wrong_shape_leaves_all_as_they_were(pair, is_compiled):
    a, b = pair

    def change():
        assign_all({b: b + 1, a: st.ones(4)})

    with pytest.raises(ShapeError, match="'a'"):
        (st.compile(change) if is_compiled else change)()
    assert a.numpy().tolist() == [0, 0, 0] and int(b) == 0


def test_inside_compiled_functions(pair):
    a, b = pair

    @st.compile
    def change(x):
        assign_all({a: a + x, b: b + 1})

    for _ in range(3):
        change(np.ones(3, np.float32))
    assert a.numpy().tolist() == [3, 3, 3] and int(b) == 3


def test_gradients_are_forgotten_with_it(pair):
    a, b = pair
    (a * 2).sum().backward()
    assert a.grad is not None
    assign_all({b: 1}, [a])
    assert a.grad is None and int(b) == 1


def test_a_state_that_does_not_fit_changes_nothing():
    model = nn.Sequential(nn.Dense(3), nn.Dense(2))
    model(np.ones((1, 4), np.float32))
    before = model.state_dict()
    state = {name: np.ones_like(array) for name, array in before.items()}
    state[[*state][-1]] = np.ones(17, np.float32)
    with pytest.raises(FileFormatError):
        model.load_state_dict(state)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
