"""Generators: the same numbers in every mode, and their state."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest

import septet as st
from septet.base import random as philox
from septet.base.errors import ArgumentError, NotSupportedError, ShapeError
from septet.tensor.generator import Generator, state_of
from septet.tensor.tensor import Tensor


def draw(generator):
    return [
        st.random.uniform((3,), generator=generator),
        st.random.normal((2, 2), generator=generator),
        st.random.randint((4,), 100, generator=generator),
        st.random.permutation(5, generator=generator),
    ]


def arrays(tensors):
    return [tensor.numpy() for tensor in tensors]


def test_compiled_and_define_by_run_code_draw_the_same_numbers():
    plain, compiled = Generator(3), Generator(3)
    f = st.compile(lambda: draw(compiled))
    seen = []
    for _ in range(3):
        expected, found = arrays(draw(plain)), arrays(f())
        for a, b in zip(expected, found, strict=True):  # logarithms may differ in the last bit from NumPy's
            np.testing.assert_allclose(a, b, rtol=1e-6 if a.dtype.kind == "f" else 0)
        seen.append(found[0])
    assert plain.get_state().tolist() == compiled.get_state().tolist() == [3, 12]
    assert len({tuple(row) for row in seen}) == 3
    assert len(f.compiles) == 1


def test_modes_can_be_mixed():
    plain, mixed = Generator(4), Generator(4)
    f = st.compile(lambda: st.random.uniform((2,), generator=mixed))
    expected = [st.random.uniform((2,), generator=plain).numpy() for _ in range(4)]
    found = [f().numpy(), st.random.uniform((2,), generator=mixed).numpy(), f().numpy(), f().numpy()]
    np.testing.assert_array_equal(found, expected)


def test_each_draw_takes_one_state_whatever_its_shape():
    first, second = Generator(5), Generator(5)
    st.random.uniform((1000,), generator=first)
    st.random.normal((), dtype="float64", generator=second)
    np.testing.assert_array_equal(
        st.random.uniform((3,), generator=first).numpy(), st.random.uniform((3,), generator=second).numpy()
    )


def test_values_do_not_depend_on_when_they_are_computed():
    generator = Generator(6)
    a, b = st.random.uniform((2,), generator=generator), st.random.uniform((2,), generator=generator)
    late = b.numpy(), a.numpy()
    generator.reseed(6)
    np.testing.assert_array_equal(st.random.uniform((2,), generator=generator).numpy(), late[1])
    np.testing.assert_array_equal(st.random.uniform((2,), generator=generator).numpy(), late[0])


def test_a_state_can_be_given_instead():
    state = philox.make_state(8, 2)
    generator = Generator(8)
    generator.set_state([8, 2])
    expected = st.random.normal((3,), generator=generator).numpy()
    for given in (state, st.tensor(state)):
        for _ in range(2):
            np.testing.assert_array_equal(st.random.normal((3,), generator=given).numpy(), expected)


def test_state_is_saved_and_restored():
    generator = Generator(9)
    draw(generator)
    state = generator.get_state()
    copy = pickle.loads(pickle.dumps(generator))
    expected = arrays(draw(generator))
    generator.set_state(state)
    for source in (generator, copy):
        for a, b in zip(arrays(draw(source)), expected, strict=True):
            np.testing.assert_array_equal(a, b)
    assert generator.state.role == "random"
    assert not generator.state.trainable
    assert repr(copy) == "Generator(seed=9, draws=8)"


def test_split_gives_different_streams():
    generator = Generator(10)
    parts = generator.split(3)
    assert generator.draws == 1
    rows = [st.random.uniform((4,), generator=own).numpy() for own in (*parts, generator)]
    assert len({row.tobytes() for row in rows}) == 4
    again = Generator(10).split(2)
    assert [own.seed for own in again] == [own.seed for own in parts[:2]]


def test_seeds_of_the_default_generator():
    st.random.seed(1)
    first = st.random.uniform((2,)).numpy()
    state = st.random.get_state()
    second = st.random.uniform((2,)).numpy()
    st.random.set_state(state)
    np.testing.assert_array_equal(st.random.uniform((2,)).numpy(), second)
    st.random.seed(1)
    np.testing.assert_array_equal(st.random.uniform((2,)).numpy(), first)
    assert Generator().seed != Generator().seed


def test_threads_never_take_the_same_state():
    generator = Generator(11)
    seen = []

    def take():
        seen.extend(int(generator.draw_state().value[1]) for _ in range(200))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(800))


def test_drawing_records_no_chain_of_states():
    generator = Generator(12)
    for _ in range(3):
        node = state_of(generator)
    assert node.value is not None
    assert node.inputs == ()


def test_errors():
    generator = Generator(13)
    with pytest.raises(ArgumentError, match="must be a Generator or a state"):
        st.random.uniform((2,), generator=7)
    with pytest.raises(ArgumentError, match="seed is an integer from 0"):
        Generator(-1)
    with pytest.raises(ShapeError, match=r"uint64\[2\]"):
        generator.set_state([1, 2, 3])
    with pytest.raises(ArgumentError, match="holds integers"):
        generator.set_state([1.0, 2.0])
    for call in (generator.reseed, generator.get_state, generator.split, lambda: generator.set_state([1, 2])):
        with pytest.raises(NotSupportedError, match="inside a traced function"):
            st.compile(lambda call=call: (call(), Tensor(generator.draw_state()))[1])()
