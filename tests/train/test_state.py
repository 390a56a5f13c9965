"""Generators of random numbers, and batches, go on where they stood."""

import random

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.train.state import data_state, random_state, restore_data, restore_random_state, skipping


def draws(own):
    uniform = [st.random.uniform((2,)).tolist(), st.random.uniform((2,), generator=own).tolist()]
    return [*uniform, random.random(), random.gauss(0, 1), np.random.normal(), float(np.random.random())]


def test_all_generators_come_back_with_what_they_have_in_store():
    own = st.random.Generator(5)
    model = nn.Sequential(nn.Dropout(0.5, generator=own), nn.Dropout(0.5))
    random.gauss(0, 1), np.random.normal()  # both make two numbers at a time, and keep one
    state = random_state(model)
    expected = draws(own)
    assert draws(own) != expected
    restore_random_state(model, state)
    assert draws(own) == expected
    with pytest.raises(st.errors.FileFormatError, match=r"other generators of random numbers: model\.0\.generator"):
        restore_random_state(nn.Sequential(nn.Dense(1)), state)


def test_batches_of_any_kind_are_asked_in_their_way():
    class Old:
        place = 0

        def state(self):
            return {"batch": self.place}

        def restore(self, state):
            self.place = state["batch"]

        def __iter__(self):
            return iter(range(self.place, 5))

    batches = Old()
    batches.place = 3
    state = data_state(batches)
    batches.place = 0
    restore_data(batches, state)
    assert list(skipping(batches, 3)) == [3, 4] and list(skipping([0, 1, 2], 2)) == [2] and data_state([1]) is None
    batches.place = 0
    assert list(skipping(batches, 3)) == []  # it stands at the next epoch
